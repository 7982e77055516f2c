"""The kernel settings that failover rests on (policy/sysctls.py says why)."""

from __future__ import annotations

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
