"""What is read out of an observation."""

from __future__ import annotations

import pytest

from netfail_hooks import names
from netfail_hooks.config import Target
from netfail_hooks.names import contains, is_address
from netfail_hooks.policy import facts
from netfail_hooks.policy.facts import Address, Link, Observation, Route
from netfail_hooks.values import replace
from tests.support import ROOT

LAN = Route("eth0", 4, "10.0.0.0/24", 100, protocol=2)
WAY = Route("eth0", 4, "default", 100, "10.0.0.1", protocol=4)
OURS = replace(WAY, interface="wlan0", metric=50, protocol=facts.PROTOCOL)


def _seen(*routes: Route, addresses: tuple[Address, ...] = ()) -> Observation:
    links = (Link("eth0", 2, True, True, 0, ""), Link("wlan0", 3, True, True, 0, ""))  # noqa: FBT003
    return Observation(0, links, addresses, routes)


def test_numbers_that_others_know_too() -> None:
    assert f"protocol {facts.PROTOCOL}" in (ROOT / "docs/how/how-it-works.md").read_text()
    assert facts.FOREVER == 0xFFFFFFFF  # INFINITY_LIFE_TIME, net/addrconf.h
    assert names.FAMILIES == (4, 6)


def test_a_route_is_ours_by_its_protocol_unless_told_otherwise() -> None:
    assert Route("eth0", 4, "default", 1).ours
    assert not WAY.ours
    assert not any((OURS.linkdown, OURS.onlink, OURS.mtu))


def test_an_address_is_somebody_elses_and_for_ever_unless_told_otherwise() -> None:
    plain = Address("eth0", 4, "10.0.0.2", 24)
    assert (plain.ours, plain.shared) == (False, False)
    assert (plain.preferred, plain.valid) == (facts.FOREVER, facts.FOREVER)


def test_links_by_name() -> None:
    assert [_seen().link(name) for name in ("wlan0", "usb0")] == [_seen().links[1], None]


def test_default_routes_of_others_lowest_metric_first() -> None:
    late, six = replace(WAY, metric=600), replace(WAY, family=6)
    assert _seen(late, LAN, OURS, six, WAY).defaults(4) == [WAY, late]
    assert _seen(late, six).defaults(6) == [six]


def test_the_way_out_of_an_uplink_is_networkds_best() -> None:
    late = replace(WAY, metric=600)
    observed = _seen(late, OURS, WAY)
    assert observed.default_route("eth0", 4) == WAY
    assert (observed.default_route("wlan0", 4), observed.default_route("eth0", 6)) == (None, None)


def test_the_default_routes_of_an_uplink_are_its_routers_of_the_lowest_metric() -> None:
    second, late = replace(WAY, gateway="10.0.0.3"), replace(WAY, metric=600)
    elsewhere = replace(WAY, interface="wlan0")
    observed = _seen(late, elsewhere, OURS, WAY, second)
    assert observed.default_routes("eth0", 4) == [WAY, second]
    assert observed.default_routes("wlan0", 4) == [elsewhere]
    assert observed.default_routes("eth0", 6) == []


def test_in_use_is_the_lowest_metric_that_is_alive() -> None:
    dead = replace(WAY, metric=1, linkdown=True)
    assert _seen(dead, WAY, OURS, LAN).in_use(4) == OURS
    assert _seen(dead, WAY, replace(OURS, family=6)).in_use(4) == WAY
    assert _seen(dead, replace(LAN, metric=0)).in_use(4) is None


def test_connected_is_what_needs_no_gateway() -> None:
    others = (
        replace(LAN, interface="wlan0"),
        replace(LAN, family=6),
        WAY,
        replace(LAN, protocol=facts.PROTOCOL),
        replace(WAY, gateway=""),
        replace(LAN, gateway="10.0.0.9"),
    )
    assert _seen(LAN, *others).connected("eth0", 4) == [LAN]


def test_own_addresses_are_neither_moved_nor_shared() -> None:
    own = Address("eth0", 4, "10.0.0.2", 24)
    others = (
        replace(own, ours=True),
        replace(own, shared=True),
        replace(own, family=6),
        replace(own, interface="wlan0"),
    )
    assert _seen(addresses=(*others, own)).own_addresses("eth0", 4) == [own]


@pytest.mark.parametrize(
    ("family", "address", "fine"),
    [
        (4, "10.0.0.1", True),
        (6, "fd00::1", True),
        (4, "fd00::1", False),
        (6, "10.0.0.1", False),
        (4, "", False),
        (4, "10.0.0", False),
        (5, "10.0.0.1", False),
        (5, "fd00::1", False),
        (4, "10.0.0.1\0", False),
    ],
)
def test_is_address(family: int, address: str, *, fine: bool) -> None:
    assert is_address(family, address) is fine


@pytest.mark.parametrize(
    ("prefix", "address", "inside"),
    [
        ("10.0.0.0/24", "10.0.0.255", True),
        ("10.0.0.0/24", "10.0.1.0", False),
        ("10.0.0.0/25", "10.0.0.128", False),
        ("10.0.0.0/23", "10.0.1.255", True),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("10.0.0.1/32", "10.0.0.1", True),
        ("10.0.0.1/32", "10.0.0.0", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("fd00::/64", "fd00::ffff:ffff:ffff:ffff", True),
        ("fd00::/64", "fd00:0:0:1::", False),
        ("fd00::1", "fd00::1", True),
        ("fd00::1", "fd00::2", False),
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
    ],
)
def test_contains(prefix: str, address: str, *, inside: bool) -> None:
    assert contains(prefix, address) is inside


def test_a_target_without_a_port_is_an_echo() -> None:
    assert str(Target(4, "192.0.2.1")) == "icmp:192.0.2.1"
    assert str(Target(6, "2001:db8::1", 1)) == "tcp:[2001:db8::1]:1"
