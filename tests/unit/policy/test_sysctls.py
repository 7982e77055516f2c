"""The kernel settings that failover rests on (policy/sysctls.py says why)."""

from __future__ import annotations

from netfail_hooks.kernel import observe
from netfail_hooks.policy import sysctls


def test_each_uplink_has_its_settings() -> None:
    wanted = {one.key: one.setting for one in sysctls.wanted("eth0")}
    assert wanted == {
        "ipv4/conf/eth0/ignore_routes_with_linkdown": "1",
        "ipv4/conf/eth0/arp_filter": "1",
        "ipv4/conf/eth0/rp_filter": "2",
        "ipv6/conf/eth0/ignore_routes_with_linkdown": "1",
    }


def test_what_the_kernel_has_not_is_no_setting() -> None:
    assert observe.read_sysctl("ipv4/ip_forward") in ("0", "1")
    assert observe.read_sysctl("ipv4/conf/nowhere/rp_filter") is None
