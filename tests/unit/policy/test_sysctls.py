"""The kernel settings that failover rests on (policy/sysctls.py says why)."""

from __future__ import annotations

import pytest

from netfail_hooks.kernel import observe
from netfail_hooks.policy import sysctls


def test_each_uplink_has_its_settings() -> None:
    wanted = {one.key: one.setting for one in sysctls.wanted("eth0")}
    assert wanted == {
        "ipv4/conf/eth0/ignore_routes_with_linkdown": "1",
        "ipv4/conf/eth0/arp_filter": "0",
        "ipv4/conf/eth0/rp_filter": "2",
        "ipv6/conf/eth0/ignore_routes_with_linkdown": "1",
    }


def test_what_the_kernel_has_not_is_no_setting() -> None:
    assert observe.read_sysctl("ipv4/ip_forward") in ("0", "1")
    assert observe.read_sysctl("ipv4/conf/nowhere/rp_filter") is None


def test_who_answers_is_a_setting_of_its_own() -> None:
    *others, answers = sysctls.keys("eth0")
    assert others == [one.key for one in sysctls.wanted("eth0")]
    assert answers == sysctls.arp_ignore("eth0") == "ipv4/conf/eth0/arp_ignore"
    assert (sysctls.ANSWERS, sysctls.SILENT) == ("0", "8")


def test_a_router_advertises_two_timers_of_ipv6_alone() -> None:
    advertised = [
        one.key for one in sysctls.timers("on", ("eth0",)) if sysctls.is_advertised(one.key)
    ]
    assert advertised == [
        "ipv6/neigh/eth0/base_reachable_time_ms",
        "ipv6/neigh/eth0/retrans_time_ms",
    ]
    assert not any(sysctls.is_advertised(key) for key in sysctls.keys("eth0"))


@pytest.mark.parametrize("watch", ["on", "fast"])
def test_the_watch_has_timers_that_leave_no_turn_out(watch: str) -> None:
    timers = {one.key: one.setting for one in sysctls.timers(watch, ("eth0", "wlan0"))}
    assert len(timers) == 22
    for family in ("ipv4", "ipv6"):
        interval = int(timers[f"{family}/neigh/default/interval_probe_time_ms"])
        for name in ("eth0", "wlan0"):
            key = f"{family}/neigh/{name}"
            reachable = int(timers[f"{key}/base_reachable_time_ms"])
            again = int(timers[f"{key}/retrans_time_ms"])
            tries = [int(timers[f"{key}/{kind}_solicit"]) for kind in ("ucast",)]
            tries.append(int(timers[f"{key}/mcast_resolicit"]))
            assert timers[f"{key}/delay_first_probe_time"] == "0"
            # neigh_rand_reach_time() in net/core/neighbour.c: up to one and a half times
            assert reachable * 3 // 2 < interval
            assert reachable * 3 // 2 + again * 3 <= {"on": 900, "fast": 360}[watch]
            assert min(tries) >= 1
            assert sum(tries) == 3
            assert interval + again * 3 <= {"on": 1300, "fast": 380}[watch]
            for milliseconds in (interval, reachable, again):
                assert milliseconds % 20 == 0
                assert milliseconds >= 60


def test_without_a_watch_the_timers_are_nobodys() -> None:
    assert sysctls.timers("off", ("eth0",)) == ()
