"""A link goes and comes back, on a real networkd with the how-to's files taken over."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.traffic_result import Result
from tests.lab.asker import Asker
from tests.lab.suite import SETTLED, events, install, measure, used, wait_rounds, wait_used

DATAGRAMS, MOST_LOST = 2000, 2  # as README promises
Fault = Callable[[Lab, str], None]


def _out_and_in(lab: Lab, uplink: str, out: Fault, back: Fault) -> tuple[Result, Result]:
    """Break an uplink and mend it, 2000 datagrams in all; return what each half measured.

    Meanwhile a host of the LAN asks for the machine's addresses.
    """
    with lab.timer(0.5), lab.watch() as watch, Asker(lab) as asked, lab.traffic() as traffic:
        measure(SETTLED)
        out(lab, uplink)
        measure(3)
        mended = time.monotonic()
        back(lab, uplink)
        wait_used(lab, "eth0")
        measure(max(0.0, traffic.window[0] + 10.2 - time.monotonic()))
    assert watch.gaps(4) == []
    # A NIC that is just plugged in answers until the first hook has seen it, 30 ms later.
    late = [one for one in asked.twice() if not mended <= one[0] < mended + 0.2]
    assert late == [], "one owner"
    assert asked.deaf() <= 1, "always found"
    first = traffic.result(between=(traffic.window[0], mended))
    return first, traffic.result(between=(mended, traffic.window[1]))


def test_at_most_a_packet_is_lost_when_the_cable_goes(lab: Lab) -> None:
    install(lab)
    out, back = _out_and_in(lab, "eth0", Lab.cable_out, Lab.cable_in)
    assert out.lost() <= MOST_LOST, out
    assert out.all_alive, out
    assert back.lost() == 0, back
    assert back.all_alive, back
    assert out.flow("in").total + back.flow("in").total >= DATAGRAMS
    ways = [event["active"]["ipv4"] for event in events(lab)]
    assert "wlan0" in ways


def test_a_metric_that_networkd_forgot_is_set_again(lab: Lab) -> None:
    """As systemd 252 does when it is restarted; with what is left of the address's lifetime."""
    install(lab)
    address = ["ip", "address", "change", "192.168.1.252/24", "dev", "eth0"]
    with lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        lab.run(*address, "valid_lft", "600", "preferred_lft", "300").check_returncode()
        assert "metric" not in _connected(lab)
        lab.tick()
        measure(0.3)
    assert "metric 100" in _connected(lab)
    told = lab.run("ip", "-4", "address", "show", "dev", "eth0").stdout
    assert re.search(r"192.168.1.252/24 metric 100 .*\n *valid_lft (600|59\d)sec", told), told
    assert watch.gaps(4) == []
    assert traffic.result().lost() == 0
    assert "set metric 100 of 192.168.1.252/24 on eth0" in events(lab)[-1]["did"]


def _connected(lab: Lab) -> str:
    return lab.run("ip", "route", "show", "192.168.1.0/24", "dev", "eth0").stdout


def test_losing_the_standby_costs_nothing(lab: Lab) -> None:
    install(lab)
    out, back = _out_and_in(lab, "wlan0", Lab.cable_out, Lab.cable_in)
    assert (out.lost(), back.lost()) == (0, 0), f"{out}\n{back}"
    assert out.all_alive
    assert back.all_alive


@pytest.mark.parametrize(
    ("out", "back"), [(Lab.link_down, Lab.link_up), (Lab.remove, Lab.insert)], ids=["down", "gone"]
)
def test_connections_survive_a_link_that_is_down_or_gone(lab: Lab, out: Fault, back: Fault) -> None:
    install(lab)
    lost, returned = _out_and_in(lab, "eth0", out, back)
    assert lost.all_alive, lost
    assert lost.stall_ms <= 300, lost
    assert lost.lost() <= 2, lost
    assert returned.lost() == 0, returned
    assert returned.all_alive, returned


def test_a_lost_address_is_carried_by_the_other_uplink(lab: Lab) -> None:
    install(lab)
    out, back = _out_and_in(lab, "eth0", Lab.drop_address, Lab.return_address)
    assert out.all_alive, out
    assert out.lost() <= 2, out
    assert back.lost() <= 2, back


def test_both_lost_and_either_back(lab: Lab) -> None:
    install(lab)
    with lab.timer(0.5) as rounds:
        lab.cable_out("eth0")
        lab.cable_out("wlan0")
        lab.cable_in("wlan0")
        wait_used(lab, "wlan0")
        lab.cable_out("wlan0")
        lab.cable_in("eth0")
        wait_used(lab, "eth0")
        lab.cable_in("wlan0")
        wait_rounds(rounds, 3)
        assert used(lab) == "eth0"
    assert lab.run("ip", "route", "show", "proto", "157").stdout == ""


def test_events_that_nobody_heard_are_made_up_for(lab: Lab) -> None:
    install(lab)
    assert lab.networkd is not None
    lab.networkd.stop_dispatcher()
    lab.link_down("eth0")
    lab.tick()
    assert used(lab) == "wlan0"
    assert "192.168.1.252" in lab.run("ip", "address", "show", "dev", "wlan0").stdout
    lab.link_up("eth0")
    with lab.timer(0.5):
        wait_used(lab, "eth0")


@pytest.mark.parametrize("lab", [{"uplinks": ("lan0x", "wlp3s0", "enx00e04c")}], indirect=True)
def test_three_uplinks_of_any_name_fall_through_in_rank_order(lab: Lab) -> None:
    install(lab)
    lab.cable_out("lan0x")
    wait_used(lab, "wlp3s0")
    lab.cable_out("wlp3s0")
    wait_used(lab, "enx00e04c")
    with lab.timer(0.5):
        lab.cable_in("lan0x")
        wait_used(lab, "lan0x")


@pytest.mark.parametrize("lab", [{"segments": {"wlan0": 1}}], indirect=True)
def test_on_different_subnets_the_route_moves_and_old_connections_end(lab: Lab) -> None:
    install(lab)
    with lab.traffic() as traffic:
        measure(SETTLED)
        lab.cable_out("eth0")
        measure(1.5)
    result = traffic.result()
    assert result.lost("out") <= 2, result
    talk = result.talk("tcp-out")
    assert not talk.alive
    assert talk.error  # told at once, rather than left to hang
    assert "192.168.1.252" not in lab.run("ip", "address", "show", "dev", "wlan0").stdout


def test_an_uplink_plugged_in_late_takes_its_place(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(start=False)
    lab.remove("eth0")
    lab.start(routable=False)
    lab.wait_routable("wlan0")
    install(lab)
    assert used(lab) == "wlan0"
    lab.insert("eth0")
    with lab.timer(0.5):
        wait_used(lab, "eth0")
