"""A host of the LAN says whatever it likes, thousands of times: each family keeps its limits."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from netfail_hooks.recorder import LONGEST
from tests.conftest import Tried
from tests.lab.agents import beside, working
from tests.lab.suite import Stopwatch, install, measure, status, used, wait, wait_used
from tests.lab.test_ipv6 import dual_stack

pytestmark = pytest.mark.faults
PREFIXES = 4000
# Seconds of an idle machine: networkd itself takes some to get through what it was told.
CABLE, GATEWAY, CHECK = 5, 10, 10
JUMBO = 9000
_ALL_OF_IT = "UseMTU=yes\nUseDomains=yes\nUseRoutes=yes\nUseHostname=yes\n"


@pytest.mark.parametrize("family", [4, 6])
def test_each_family_keeps_its_limits_whatever_the_lan_says(
    make_lab: Callable[..., Lab], tried: Tried, family: int
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    lab = dual_stack(make_lab)
    install(lab)
    wait_used(lab, "eth0", family)
    moved = lab.ports["eth0"].host6
    with working(lab, beside("hostile.py"), str(seed), str(PREFIXES)):
        tried("hostile prefixes", PREFIXES)
        addresses = ["ip", "-o", "-6", "address", "show", "dev", "eth0"]
        wait(lambda: len(lab.run(*addresses).stdout.splitlines()) > 500, "a crowd of addresses")
        _check_ends_in_time(lab)
        with lab.timer(1):
            lab.cable_out("eth0")
            wait_used(lab, "wlan0", family, CABLE)
            chosen = f"active {family} wlan0 "
            wait(lambda: chosen in lab.read("/run/netfail-hooks/state"), "a choice", CABLE)
            if family == 6:  # IPv4 addresses are on both uplinks for good
                shown = ["ip", "-6", "address", "show", "dev", "wlan0"]
                wait(lambda: f"{moved}/128" in lab.run(*shown).stdout, "its address", CABLE)
            lab.cable_in("eth0")
            wait_used(lab, "eth0", family, 30)
            lab.dead_gateway("eth0")
            wait_used(lab, "wlan0", family, GATEWAY)
            lab.alive_gateway("eth0")
    lines = lab.read("/var/log/netfail-hooks/events.jsonl").splitlines()
    assert max(map(len, lines)) < LONGEST
    assert any("eth0 has" in line and "IPv6" in line for line in status(lab)["crowded"])
    told = [line for line in lab.logs().splitlines() if "only the first of them" in line]
    assert len(told) <= 4, told


def test_each_family_keeps_its_limits_whatever_lease_it_takes(
    make_lab: Callable[..., Lab], tried: Tried
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    lab = make_lab(start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        leased = f"[Match]\nName={port.name}\n[Network]\nDHCP=ipv4\n[DHCPv4]\n{_ALL_OF_IT}"
        six = f"\n[Network]\nAddress={port.host6}/64\nGateway={gateway6(port.segment)}\n"
        lab.write(path, (text if port.rank else leased) + six)
    lab.run("ip", "link", "set", "eth0", "mtu", str(JUMBO))
    lab.run_lan("ip", "link", "set", "port0", "mtu", str(JUMBO))
    with working(lab, beside("rogue.py"), str(seed), "port0") as leases:
        lab.start()
        install(lab)
        wait_used(lab, "eth0", 6)
        with lab.timer(1), lab.watch() as watch:
            for _ in range(3):
                measure(6)
                lab.cable_out("eth0")
                _wait_all_by_wlan0(lab, CABLE)
                lab.cable_in("eth0")
                wait_used(lab, "eth0", 6, 30)
            _check_ends_in_time(lab)
            lab.dead_gateway("eth0")
            _wait_all_by_wlan0(lab, GATEWAY)
            measure(3)
            assert (used(lab), used(lab, 6)) == ("wlan0", "wlan0")
            lab.alive_gateway("eth0")
        for family in (4, 6):
            assert watch.gaps(family) == []
        for command in (["status"], ["log"], ["doctor"], ["check"]):
            done = lab.netfail(*command)
            assert "Traceback" not in done.stderr
            said = done.stdout + done.stderr
            assert not [char for char in said if not (char.isprintable() or char == "\n")]
    tried("hostile leases", int(leases[0]))
    assert int(leases[0]) >= 3  # one for each time that the cable is in again
    lines = lab.read("/var/log/netfail-hooks/events.jsonl").splitlines()
    assert max(map(len, lines)) < LONGEST


def _check_ends_in_time(lab: Lab) -> None:
    with Stopwatch() as watch:
        lab.tick()
    assert watch.seconds < CHECK


def _wait_all_by_wlan0(lab: Lab, seconds: float) -> None:
    for family in (4, 6):
        wait_used(lab, "wlan0", family, seconds)
