"""A router advertises other timers than the watch needs: they stay ours, and nobody is told."""

from __future__ import annotations

import sys
from collections.abc import Callable

from netfail_hooks.lab import Lab
from netfail_hooks.policy.sysctls import timers
from tests.lab.suite import events, install, measure, wait, wait_used
from tests.lab.test_ipv6 import dual_stack

_TIMERS = "/proc/sys/net/ipv6/neigh/eth0/"
# A router advertisement (RFC 4861, 4.2): no default router, Reachable Time, Retrans Timer.
_ADVERTISE = """
import socket, struct, sys
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router:
    router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 0, 32000, 5000)
    router.sendto(head, ("ff02::1", 0, 0, socket.if_nametoindex("lan0")))
"""


def _advertise(lab: Lab) -> None:
    done = lab.run_lan(sys.executable, "-IS", "-c", _ADVERTISE)
    assert done.returncode == 0, done.stderr


def _timers(lab: Lab) -> tuple[str, str]:
    shown = lab.run("sh", "-c", f"cd {_TIMERS}; cat base_reachable_time_ms retrans_time_ms")
    reachable, again = shown.stdout.split()
    return reachable, again


def test_advertised_timers_stay_ours_and_are_nothing_to_tell(make_lab: Callable[..., Lab]) -> None:
    lab = dual_stack(make_lab)
    install(lab)
    wait_used(lab, "eth0", 6)
    lab.tick()
    wanted = {one.key.rpartition("/")[2]: one.setting for one in timers("on", ("eth0",))}
    ours = (wanted["base_reachable_time_ms"], wanted["retrans_time_ms"])
    assert _timers(lab) == ours
    _advertise(lab)
    measure(0.5)
    assert _timers(lab) == ours  # whatever networkd it is
    lab.run("sh", "-c", "printf 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    told, logged = events(lab), lab.logs().count("netfail-hooks")
    for _ in range(2):
        _advertise(lab)
        wait(lambda: _timers(lab) == ("32000", "5000"), "theirs")
        lab.tick()
        assert _timers(lab) == ours
    assert events(lab) == told
    assert lab.logs().count("netfail-hooks") == logged, lab.logs()
