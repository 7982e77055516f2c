"""Hostile packets on a real wire: none of them makes a dead gateway or target look alive."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from tests.conftest import Tried
from tests.lab.agents import beside, working
from tests.lab.suite import install, status, wait

pytestmark = pytest.mark.faults
_TARGET = "198.51.100.1"


def _judged(lab: Lab) -> dict[int, Any]:
    """Return how eth0's probes went, by family."""
    done = lab.netfail("check", "--json")
    assert "Traceback" not in done.stderr, done.stderr
    probes = json.loads(done.stdout)["probes"]
    return {one["family"]: one for one in probes if one["interface"] == "eth0"}


def test_what_is_not_the_gateways_own_answer_does_not_count(
    make_lab: Callable[..., Lab], tried: Tried
) -> None:
    lab = make_lab(start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        lab.write(path, f"{text}Address={port.host6}/64\nGateway={gateway6(port.segment)}\n")
    lab.start()
    install(lab, hold_down=0)
    lab.dead_gateway("eth0")
    tried("spoofed answers", 12)
    with working(lab, beside("spoofer.py"), "wrong"):
        judged = _judged(lab)
    assert {family: one["healthy"] for family, one in judged.items()} == {4: False, 6: False}
    assert (lab.used_uplink(4), lab.used_uplink(6)) == ("wlan0", "wlan0")
    with working(lab, beside("spoofer.py"), "right"):  # the very thing, to see that it would count
        judged = _judged(lab)
    assert {family: one["healthy"] for family, one in judged.items()} == {4: True, 6: True}


def test_an_echo_from_somebody_else_does_not_count(lab: Lab, tried: Tried) -> None:
    install(lab, targets=f'["icmp:{_TARGET}"]', hold_down=0, more="successes = 1\n")
    for source, by, healthy in (
        ("198.51.100.2", 0, False),
        (_TARGET, 1, False),
        (_TARGET, 0, True),
    ):
        tried("spoofed answers", 1)
        # A standby's target is asked through the one that carries the traffic.
        lab.alive_gateway("eth0")
        wait(lambda: not lab.tick().returncode and lab.used_uplink() == "eth0", "traffic by eth0")
        lab.dead_gateway("eth0")
        with working(lab, beside("spoofer.py"), "router", source, str(by)):
            assert _judged(lab)[4]["healthy"] is healthy, (source, by)


def test_a_router_with_another_hardware_address_is_told_and_still_counts(lab: Lab) -> None:
    """It was replaced, or somebody pretends to be it: an answer says no more than that."""
    install(lab)
    lab.tick()
    assert _hardware(lab) == ("02:00:00:00:01:00", None)
    lab.run_lan("ip", "link", "set", "lan0", "address", "02:00:00:00:01:99")
    first, second = lab.tick(), lab.tick()
    told = "gateway 192.168.1.1 answers from 02:00:00:00:01:99, before from 02:00:00:00:01:00"
    assert (first.stderr.count(f"eth0: {told}"), second.stderr.count(told)) == (1, 0), first.stderr
    hardware, exchanged = _hardware(lab)
    assert hardware == "02:00:00:00:01:99"
    assert exchanged is not None
    assert "192.168.1.1 is at 02:00:00:00:01:99, changed" in lab.netfail("status").stdout
    assert lab.used_uplink() == "eth0"


def _hardware(lab: Lab) -> tuple[str, int | None]:
    four = status(lab)["uplinks"][0]["families"][0]
    return four["hardware"], four["exchanged"]
