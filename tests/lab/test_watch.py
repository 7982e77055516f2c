"""The kernel's watch on a machine booted by systemd: heard in time, of ours alone, at no cost."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from netfail_hooks.install.units import SOCKET, TIMER, WATCH
from netfail_hooks.lab.topology import gateway6
from netfail_hooks.paths import package_home
from tests.lab.booted import Booted, running
from tests.lab.suite import SETTLED, events, measure, tells, used, wait, wait_used

# 150 addresses of the LAN that nobody has, each asked for in vain.
_SCAN = """
for i in $(seq 100 249); do ip neigh del 192.168.1.$i dev eth0 2>/dev/null; done
for i in $(seq 100 249); do (echo x >/dev/udp/192.168.1.$i/9) 2>/dev/null; done
"""
_SOMEBODY = "ip neigh replace 192.168.1.251 dev eth0 nud stale; ip neigh del 192.168.1.251 dev eth0"
_PAIRS = """
for i in $(seq 125); do ip link add veth$i type veth peer name peer$i; ip link set veth$i up; done
for i in $(seq 125); do ip link set peer$i up; ip address add 10.9.$i.1/24 dev veth$i; done
for i in $(seq 125); do ip link delete veth$i; done
"""
_FAILED = "ip neigh show nud failed | wc -l"
_KEPT = "ip -d neigh show | grep managed"


@pytest.fixture
def booted() -> Iterator[Booted]:
    with running(ipv6=True) as lab:
        yield lab


def _install(lab: Booted, more: str = "") -> None:
    """Install with the defaults, and have the first word heard, which sets the filter."""
    lab.install(more)
    wait_used(lab, "eth0", 6)
    lab.run("sh", "-c", _SOMEBODY)
    wait(lambda: _starts(lab) != "" and _rests(lab), "the first word")


def _starts(lab: Booted) -> str:
    return lab.systemctl("show", "--value", "--property=InvocationID", WATCH).stdout.strip()


def _rests(lab: Booted) -> bool:
    shown = lab.systemctl("show", "--value", "--property=SubState", SOCKET).stdout
    return shown == "listening\n"


def _kept(lab: Booted) -> list[str]:
    lines = lab.run("sh", "-c", _KEPT).stdout.splitlines()
    return sorted(" ".join(line.split()[:3]) for line in lines)


def _gateways(name: str) -> list[str]:
    return [f"192.168.1.1 dev {name}", f"{gateway6(0)} dev {name}"]


def test_a_dead_gateway_is_left_within_a_second_and_nothing_runs_at_rest(booted: Booted) -> None:
    _install(booted, "[hold_down]\nseconds = 1\n")
    wait(lambda: _kept(booted) == _gateways("eth0"), "both gateways watched")
    wait(lambda: _answered(booted, 5) == "True\n", "a sign of life within its time")
    assert _answered(booted, 0) == "False\n"
    first = _starts(booted)
    booted.run("bash", "-c", _SCAN)
    wait(lambda: int(booted.run("sh", "-c", _FAILED).stdout) > 140, "a LAN that was scanned")
    measure(3)
    assert (_starts(booted), _rests(booted)) == (first, True)
    with booted.traffic() as traffic:
        measure(SETTLED)
        assert (_starts(booted), _rests(booted)) == (first, True)
        booted.dead_gateway("eth0")
        wait_used(booted, "wlan0")
        measure(1.5)
    result = traffic.result()
    assert result.flow("out").outage_ms <= 1500, result
    assert result.all_alive, result
    assert _starts(booted) != first
    assert used(booted, 6) == "wlan0"
    assert any(event["trigger"] == "watch" for event in events(booted)), events(booted)
    assert _kept(booted) == _gateways("wlan0")
    booted.alive_gateway("eth0")
    wait_used(booted, "eth0", seconds=40)
    wait(lambda: _kept(booted) == _gateways("eth0"), "eth0 watched again")
    assert booted.netfail("uninstall", "--yes").returncode == 0
    assert _kept(booted) == []


def test_a_storm_of_words_fails_no_unit(booted: Booted) -> None:
    _install(booted)
    booted.systemctl("restart", SOCKET)  # a new socket, which hears of everybody
    before = _starts(booted)
    for _ in range(3):
        booted.run("bash", "-c", _SCAN)
    wait(lambda: _starts(booted) != before, "a first word")
    wait(lambda: _rests(booted), "silence", seconds=30)
    heard = _starts(booted)
    booted.run("bash", "-c", _SCAN)
    wait(lambda: int(booted.run("sh", "-c", _FAILED).stdout) > 140, "a LAN that was scanned")
    assert (_starts(booted), _rests(booted)) == (heard, True)
    failed = booted.run("systemctl", "list-units", "--failed", "--no-legend", "netfail*").stdout
    assert failed == ""


def test_without_a_dispatcher_a_lost_carrier_is_heard_all_the_same(booted: Booted) -> None:
    _install(booted)
    booted.systemctl("stop", "networkd-dispatcher.service", TIMER)
    booted.cable_out("eth0")
    wait(
        lambda: any(tells(event["summary"], "IPv4 now by wlan0") for event in events(booted)),
        "word",
    )
    assert events(booted)[-1]["trigger"].startswith("watch")
    wait(lambda: _kept(booted) == _gateways("wlan0"), "both gateways watched")


def _answered(lab: Booted, seconds: int) -> str:
    """Return whether the kernel has heard of the gateway since so long ago."""
    code = f"""
import socket, sys, time
sys.path.insert(0, {package_home()!r})
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.watch import answered
from netfail_hooks.policy.facts import Neighbour
gateway, index = Neighbour("eth0", 4, "192.168.1.1"), socket.if_nametoindex("eth0")
with Netlink() as netlink:
    print(answered(netlink, gateway, index, time.monotonic() - {seconds}))
"""
    done = lab.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _acts_on(lab: Booted, fault: Callable[[str], None], name: str, what: str) -> float:
    """Wait until the recorder tells of a fault, on the kernel's word; return how long it took."""
    known = len(events(lab))
    began = time.monotonic()
    fault(name)

    def told() -> bool:
        return any(
            tells(event["summary"], what) and event["trigger"].startswith("watch")
            for event in events(lab)[known:]
        )

    try:
        return wait(told, f"{what}, on the kernel's word", 5) - began
    except AssertionError:
        print([(one["trigger"], one["summary"]) for one in events(lab)], lab.journal()[-40:])
        raise


def test_without_a_dispatcher_links_and_addresses_are_heard_of_and_other_peoples_are_not(
    booted: Booted,
) -> None:
    _install(booted, "[hold_down]\nseconds = 60\n[check]\nquick = 60\n")
    booted.systemctl("stop", "networkd-dispatcher.service", TIMER)
    wait(lambda: _rests(booted) and _kept(booted) == _gateways("eth0"), "rest")
    measure(3)
    known, told = _starts(booted), len(events(booted))
    made = booted.run("sh", "-c", _PAIRS)
    assert made.returncode == 0, made.stderr
    measure(2)
    assert (_starts(booted), _rests(booted), len(events(booted))) == (known, True, told)
    took = [
        _acts_on(booted, booted.drop_address, "wlan0", "wlan0 IPv4 down"),  # a standby's
        _acts_on(booted, booted.return_address, "wlan0", "wlan0 IPv4 recovering"),
        _acts_on(booted, booted.cable_out, "wlan0", "wlan0 IPv4 down"),
        _acts_on(booted, booted.cable_in, "wlan0", "wlan0 IPv4 recovering"),
        _acts_on(booted, booted.remove, "eth0", "IPv4 now by wlan0"),
        _acts_on(booted, booted.insert, "eth0", "eth0 IPv4 recovering"),
        _acts_on(booted, booted.remove, "eth0", "eth0 IPv4"),  # another number than before
    ]
    print(took)
    assert sorted(took)[len(took) // 2] < 1.5, took
    wait(lambda: _rests(booted), "silence", 30)
    rest = _starts(booted)
    measure(3)
    assert (_starts(booted), _rests(booted)) == (rest, True)


def test_at_the_end_of_a_hold_down_traffic_goes_back_though_there_is_no_timer(
    booted: Booted,
) -> None:
    _install(booted, "[hold_down]\nseconds = 7\n[check]\ninterval = 0\n")
    booted.cable_out("eth0")
    wait_used(booted, "wlan0")
    booted.cable_in("eth0")
    wait(lambda: "recovering" in events(booted)[-1]["summary"], "eth0 held")
    began = time.monotonic()
    back = wait_used(booted, "eth0", seconds=25)
    assert back - began < 7 + 1.5
