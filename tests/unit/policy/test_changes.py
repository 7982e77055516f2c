"""What a change is about, and which stay undone where the kernel refused another."""

from __future__ import annotations

import pytest

from netfail_hooks.policy.changes import (
    AddAddress,
    AddEndpoint,
    AddRule,
    Announce,
    Change,
    DropAddress,
    DropRoute,
    DropRule,
    FlushNeighbours,
    LimitSubflows,
    SetRoute,
    SetSysctl,
    WatchGateway,
    family_of,
    stays,
)
from netfail_hooks.policy.facts import Address, Endpoint, Neighbour, Route, Rule, Sysctl
from netfail_hooks.policy.sysctls import ANSWERS, SILENT
from netfail_hooks.values import replace

_DEFAULT = Route("eth0", 6, "default", 50, "fe80::1")
_BACK = Address("eth0", 6, "2001:db8::2", 64)
_RULE = Rule(6, 32000, 9, "2001:db8::2/128")
_SILENT = SetSysctl(Sysctl("ipv4/conf/eth0/arp_ignore", SILENT))
_ANSWERS = SetSysctl(Sysctl("ipv4/conf/wlan0/arp_ignore", ANSWERS))


@pytest.mark.parametrize(
    ("new", "other", "old"),
    [
        (
            SetRoute(replace(_DEFAULT, interface="wlan0")),
            SetRoute(replace(_DEFAULT, destination="2001:db8::/64")),
            DropRoute(_DEFAULT),
        ),
        (
            AddAddress(replace(_BACK, interface="wlan0")),
            AddAddress(replace(_BACK, address="2001:db8::3")),
            DropAddress(_BACK),
        ),
        (
            AddRule(replace(_RULE, priority=32001)),
            AddRule(replace(_RULE, sender="2001:db8::3/128")),
            DropRule(_RULE),
        ),
        (_ANSWERS, SetSysctl(Sysctl("ipv4/conf/wlan0/rp_filter", ANSWERS)), _SILENT),
    ],
)
def test_what_is_to_be_replaced_stays_for_the_one_in_its_place_alone(
    new: Change, other: Change, old: Change
) -> None:
    assert stays(old, [other, new])
    assert not stays(old, [other, old])
    assert not stays(new, [other, new])
    assert not stays(FlushNeighbours("eth0"), [other, new])


def test_another_setting_does_not_wait_for_who_is_to_answer() -> None:
    assert not stays(SetSysctl(Sysctl("ipv4/conf/eth0/rp_filter", SILENT)), [_ANSWERS])


@pytest.mark.parametrize(
    "change",
    [
        SetRoute(_DEFAULT),
        DropRoute(_DEFAULT),
        AddRule(_RULE),
        DropRule(_RULE),
        AddAddress(_BACK),
        DropAddress(_BACK),
        Announce("eth0", 6, "2001:db8::2", "02:00:00:00:00:10", "fe80::1"),
        WatchGateway(Neighbour("eth0", 6, "fe80::1")),
        AddEndpoint(Endpoint(1, 6, "2001:db8::2")),
    ],
)
def test_a_change_of_one_family_tells_which(change: Change) -> None:
    assert family_of(change) == 6


@pytest.mark.parametrize("change", [_SILENT, FlushNeighbours("eth0"), LimitSubflows(2)])
def test_a_change_of_no_family_has_none(change: Change) -> None:
    assert family_of(change) == 0
