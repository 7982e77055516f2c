"""Where policy rules send what has an address of ours (status/ruled.py)."""

from __future__ import annotations

import pytest

from netfail_hooks.kernel import lookup
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.policy.facts import Observation, Rule
from netfail_hooks.status import ruled
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.values import replace
from tests.support.world import World, config_of

CONFIG = config_of("eth0", "wlan0")
OWN = "192.168.1.50"


def _way(interface: str, destination: str = "1.1.1.1") -> RouteLookup:
    return RouteLookup(destination, interface, "192.168.1.1", OWN)


def _seen(*without_carrier: str) -> Observation:
    world = World(CONFIG)
    for name in without_carrier:
        world.event(name, "no-carrier")
    return world.look()


@pytest.mark.parametrize(
    ("used", "theirs", "dead", "reason"),
    [
        ("wlan0", None, (), "no way out"),
        ("wlan0", "eth0", (), "eth0 was given up for wlan0"),
        ("wlan0", "eth0", ("eth0",), "no carrier"),
        ("eth0", "wlan0", (), ""),  # a rule for the standby's own address
        ("eth0", "wlan0", ("wlan0",), "no carrier"),
        ("eth0", "tun0", (), ""),  # a VPN
        ("tun0", "eth0", (), ""),
    ],
)
def test_a_lost_uplink_and_nowhere_are_faults(
    used: str, theirs: str | None, dead: tuple[str, ...], reason: str
) -> None:
    found = theirs and _way(theirs)
    told = ruled.judge(CONFIG, _seen(*dead), _way(used), OWN, found or None)
    assert told == Ruled(OWN, "1.1.1.1", theirs or "", "192.168.1.1" if theirs else "", reason)


@pytest.mark.parametrize(("protocol", "reason"), [(157, ""), (4, "eth0 was given up for wlan0")])
def test_a_rule_of_ours_that_keeps_a_connection_where_it_is_is_no_fault(
    protocol: int, reason: str
) -> None:
    rule = Rule(4, 32765, 15701, f"{OWN}/32", protocol=protocol)
    observed = replace(_seen(), rules=(rule,))
    assert ruled.judge(CONFIG, observed, _way("wlan0"), OWN, _way("eth0")).reason == reason


def test_each_address_is_asked_for_where_its_family_has_a_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def ask(_: object, family: int, __: str, source: str) -> RouteLookup | None:
        asked.append((family, source))
        return None if source.endswith("51") else _way("eth0")

    monkeypatch.setattr(lookup, "look_up", ask)
    netlink = Netlink.__new__(Netlink)
    found = ruled.look(CONFIG, _seen(), netlink, [_way("eth0")])
    assert asked == [(4, OWN), (4, "192.168.1.51")]
    assert [one.address for one in found] == ["192.168.1.51"]
    assert ruled.look(replace(CONFIG, mode="bond"), _seen(), netlink, [_way("eth0")]) == ()
