"""A gateway dies behind a live link: no event comes, and the traffic moves all the same."""

from __future__ import annotations

import json
import sys
import time

import pytest

from netfail_hooks.lab import Lab
from tests.lab.suite import (
    SETTLED,
    install,
    measure,
    status,
    switches,
    used,
    wait,
    wait_rounds,
    wait_used,
)

# A closed port's refusal comes from a host that is there.
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=2)
except ConnectionRefusedError:
    print("refused")
"""


@pytest.mark.share(1)
@pytest.mark.parametrize(("interval", "limit"), [(5, 8.0), (1, 2.5)])
def test_a_dead_gateway_is_left_in_time_and_returned_to_once(
    lab: Lab, interval: int, limit: float
) -> None:
    install(lab, hold_down=3, interval=interval)
    with lab.timer(interval), lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        died = time.monotonic()
        lab.dead_gateway("eth0")
        wait_used(lab, "wlan0")
        measure(1.5)
        mended = time.monotonic()
        lab.alive_gateway("eth0")
        wait_used(lab, "eth0", seconds=40)
        measure(1)
    assert watch.gaps(4) == []
    sick = traffic.result(between=(died, mended))
    assert sick.flow("out").outage_ms <= limit * 1000, sick
    assert sick.all_alive, sick
    returned = traffic.result(between=(mended, traffic.window[1]))
    assert returned.lost() == 0, returned
    assert returned.all_alive, returned
    assert switches(lab)[-2:] == ["wlan0", "eth0"]


def test_a_probe_proves_its_own_uplink_though_another_reaches_the_gateway(lab: Lab) -> None:
    install(lab)
    lab.dead_gateway("eth0")
    done = lab.netfail("check", "--json")
    assert done.returncode == 1
    probes = {p["interface"]: p for p in json.loads(done.stdout)["probes"] if p["family"] == 4}
    assert not probes["eth0"]["healthy"]
    assert "192.168.1.1" in probes["eth0"]["reason"]
    assert probes["wlan0"]["healthy"]
    assert lab.run(sys.executable, "-c", REACH, "192.168.1.1").stdout == "refused\n"


@pytest.mark.parametrize("lab", [{"uplinks": ("eth0", "wlan0", "usb0")}], indirect=True)
def test_every_sick_uplink_is_passed_over_and_all_sick_is_told(lab: Lab) -> None:
    install(lab)
    lab.dead_gateway("eth0")
    lab.dead_gateway("wlan0")
    lab.tick()
    assert used(lab) == "usb0"
    lab.dead_gateway("usb0")
    lab.tick()
    assert used(lab) == "eth0"
    assert "none is" in lab.netfail("log").stdout
    assert lab.netfail("status").returncode == 1


def test_a_link_that_goes_good_and_bad_switches_rarely(lab: Lab) -> None:
    install(lab, hold_down=10, interval=1)
    with lab.timer(1) as rounds:
        until = time.monotonic() + 24  # long enough for eight by whoever does not hold down
        while time.monotonic() < until:
            lab.dead_gateway("eth0")
            wait_rounds(rounds, 3)
            lab.alive_gateway("eth0")
            wait_rounds(rounds, 3)
    assert len(switches(lab)) <= 4, switches(lab)  # the first is the beginning


def test_status_tells_why_and_how_long(lab: Lab) -> None:
    install(lab, hold_down=30)
    lab.dead_gateway("eth0")
    lab.tick()
    lab.alive_gateway("eth0")
    lab.tick()
    shown = lab.netfail("status").stdout
    assert "recovering" in shown
    uplinks = {uplink["interface"]: uplink for uplink in status(lab)["uplinks"]}
    assert list(uplinks) == ["eth0", "wlan0"]


def _deafen(lab: Lab, name: str) -> None:
    """Let what an uplink sends arrive, and nothing come back to it."""
    port, link = lab.ports[name], f"/sys/class/net/{name}/address"
    flags = "learning off flood off mcast_flood off bcast_flood off"
    mac = lab.read(link).strip()
    script = f"bridge link set dev {port.peer} {flags}; bridge fdb del {mac} dev {port.peer} master"
    lab.run_lan("sh", "-ec", script).check_returncode()


@pytest.mark.share(1)
@pytest.mark.parametrize("deaf", ["eth0", "wlan0"])
def test_asking_through_an_uplink_that_hears_nothing_draws_no_traffic_to_it(
    lab: Lab, deaf: str
) -> None:
    """Each question arrives, so the router would learn from it where our addresses are."""
    install(lab, interval=1)
    with lab.timer(0.5) as rounds:
        _deafen(lab, deaf)
        healthy = "wlan0" if deaf == "eth0" else "eth0"
        wait(lambda: lab.netfail("check").returncode == 1, f"{deaf} to be judged")
        wait_used(lab, healthy)
        for address in ("192.168.1.252", "192.168.1.25"):
            with lab.traffic(address=address) as traffic:
                wait_rounds(rounds, 4)
            assert traffic.result().lost() <= 1, (address, traffic.result())


@pytest.mark.share(1)
@pytest.mark.parametrize("targets", ['["icmp:198.51.100.1"]', '["tcp:198.51.100.1:9"]'])
def test_targets_are_asked_without_drawing_traffic_to_a_standby(lab: Lab, targets: str) -> None:
    install(lab, targets=targets, interval=1)
    with lab.timer(0.3) as rounds, lab.traffic() as traffic:
        wait_rounds(rounds, 8)
    assert traffic.result().lost() == 0, traffic.result()
    assert used(lab) == "eth0"
    done = lab.netfail("check", "--json")
    assert done.returncode == 0, done.stdout


def test_a_target_beyond_a_shared_gateway_moves_nothing(lab: Lab) -> None:
    install(lab, targets='["icmp:198.51.100.99"]', interval=1)
    lab.tick()
    assert used(lab) == "eth0"
    lab.tick()
    assert used(lab) == "eth0"
    assert len(switches(lab)) <= 1


@pytest.mark.parametrize("lab", [{"segments": {"wlan0": 1}}], indirect=True)
def test_a_target_through_another_provider_is_asked_there(lab: Lab) -> None:
    install(lab, targets='["icmp:198.51.100.1"]', interval=1)
    with lab.timer(1):
        lab.dead_gateway("eth0")
        wait_used(lab, "wlan0", seconds=5)
        lab.alive_gateway("eth0")
        wait_used(lab, "eth0", seconds=20)
