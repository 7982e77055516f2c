"""Two IPv6 routers on one link: each is judged, and traffic goes by one that answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR6, STATION6, gateway6
from tests.lab.suite import install, status, used, wait

_FIRST, _SECOND = gateway6(0), STATION6


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """Return a lab whose station is a router, too; of what both reach, each has a copy."""
    lab = make_lab(start=False)
    lab.run_station("ip", "address", "add", f"{FAR6}/128", "dev", "lo", "nodad")
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        ways = f"Gateway={_FIRST}\nGateway={_SECOND}\n"
        lab.write(path, f"{text}Address={port.host6}/64\n{ways}")
    lab.start()
    install(lab)
    return lab


def _router(lab: Lab) -> str:
    """Return the router by which the kernel sends, whatever it may choose from."""
    shown = lab.run("ip", "-6", "route", "show", "default").stdout.splitlines()
    ranked = [line for line in shown if " metric " in line]
    best = sorted(ranked, key=lambda line: int(line.partition(" metric ")[2].split()[0]))
    return best[0].partition(" via ")[2].split()[0] if " via " in best[0] else "several"


def _six(lab: Lab, name: str) -> dict[str, object]:
    uplinks = {one["interface"]: one for one in status(lab)["uplinks"]}
    found: dict[str, object] = uplinks[name]["families"][1]
    return found


@pytest.mark.parametrize("dead", [_FIRST, _SECOND])
def test_traffic_goes_by_a_router_that_answers(lab: Lab, dead: str) -> None:
    run = lab.run_lan if dead == _FIRST else lab.run_station
    device = "lan0" if dead == _FIRST else "station0"
    assert _router(lab) == "several"
    assert run("ip", "address", "delete", f"{dead}/64", "dev", device).returncode == 0
    lab.tick()
    assert _router(lab) == (_SECOND if dead == _FIRST else _FIRST)
    assert used(lab, 6) == "eth0"
    assert (_six(lab, "eth0")["state"], _six(lab, "eth0")["silent"]) == ("up", [dead])
    assert _six(lab, "eth0")["gateway"] != dead
    assert f"no answer from router {dead}: not used" in lab.netfail("status").stdout
    lab.cable_out("eth0")
    wait(lambda: used(lab, 6) == "wlan0", "traffic by wlan0")
    assert _router(lab) == (_SECOND if dead == _FIRST else _FIRST)
    lab.cable_in("eth0")
    assert run("ip", "address", "add", f"{dead}/64", "dev", device, "nodad").returncode == 0
    with lab.timer(0.5):
        wait(lambda: _six(lab, "eth0")["state"] == "up" and _router(lab) == "several", "all well")


@pytest.mark.parametrize("dead", [_FIRST, _SECOND])
def test_a_target_is_reached_by_the_router_that_answers(lab: Lab, dead: str) -> None:
    """The kernel may have sent what asks it by the other one: that one's death loses no uplink."""
    install(lab, targets=f'["icmp:{FAR6}"]')
    run, device = (lab.run_lan, "lan0") if dead == _FIRST else (lab.run_station, "station0")
    assert run("ip", "address", "delete", f"{dead}/64", "dev", device).returncode == 0
    for _ in range(3):
        lab.tick()
    assert used(lab, 6) == "eth0"
    assert (_six(lab, "eth0")["state"], _six(lab, "eth0")["silent"]) == ("up", [dead])


def test_an_uplink_is_lost_when_none_of_its_routers_answers(lab: Lab) -> None:
    lab.dead_gateway("eth0")
    lab.tick()
    assert used(lab, 6) == "wlan0"
    assert (_six(lab, "eth0")["state"], _six(lab, "eth0")["silent"]) == ("down", [])
    assert _six(lab, "wlan0")["state"] == "up"
