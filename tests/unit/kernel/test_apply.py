"""What the kernel is told for each change, as pyroute2 reads it, and what a refusal leads to."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any, cast

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netfail_hooks.kernel import apply as kernel_apply
from netfail_hooks.kernel import bond, connections
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply
from netfail_hooks.policy.changes import (
    AddAddress,
    AddRule,
    Announce,
    Change,
    CloseConnections,
    DropAddress,
    DropRoute,
    DropRule,
    Enslave,
    FlushNeighbours,
    SetActive,
    SetMetric,
    SetMonitor,
    SetRoute,
    SetSysctl,
)
from netfail_hooks.policy.facts import Address, Link, Observation, Route, Rule, Sysctl
from netfail_hooks.values import replace
from tests.support.messages import ETH, Kernel, address_of, said

LINKS = {"eth0": ETH, "wlan0": 4, "bond0": 5}
SEEN = Observation(0, tuple(Link(name, at, True, True, 0, "") for name, at in LINKS.items()))  # noqa: FBT003 - up, with a carrier
OURS = 157


def _told(change: Change, message: Any) -> tuple[int, int, dict[str, Any]]:
    kernel = Kernel()
    assert apply((change,), SEEN, cast("rt.Netlink", kernel), Announcer()) == ([], [])
    ((kind, flags, body),) = kernel.changed
    return kind, flags, said(message, body)


# --- routes -------------------------------------------------------------------------------------

DEFAULT = Route("eth0", 4, "default", 50, "192.168.1.1")
PREFIX = Route("wlan0", 4, "192.168.1.0/24", 50)
SIX = Route("eth0", 6, "fd00::/64", 50)
HEAD = {"family": 2, "table": 254, "proto": OURS, "type": 1, "RTA_PRIORITY": 50}
TO = {**HEAD, "RTA_OIF": ETH, "RTA_GATEWAY": "192.168.1.1"}
LINK = 253  # the scope of what has no gateway


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        (DEFAULT, TO),
        (replace(DEFAULT, interface="#77"), {**TO, "RTA_OIF": 77}),
        (replace(DEFAULT, onlink=True), {**TO, "flags": 4}),
        (
            replace(DEFAULT, gateway="fe80::1"),
            {**HEAD, "RTA_OIF": ETH, "RTA_VIA": {"family": 10, "addr": "fe80::1"}},
        ),
        (replace(DEFAULT, source="192.168.1.252"), {**TO, "RTA_PREFSRC": "192.168.1.252"}),
        (PREFIX, {**HEAD, "RTA_OIF": 4, "dst_len": 24, "RTA_DST": "192.168.1.0", "scope": LINK}),
        (SIX, {**HEAD, "family": 10, "RTA_OIF": ETH, "dst_len": 64, "RTA_DST": "fd00::"}),
        (
            replace(SIX, destination="default", gateway="fe80::1"),
            {**HEAD, "family": 10, "RTA_OIF": ETH, "RTA_GATEWAY": "fe80::1"},
        ),
    ],
)
def test_a_route_is_set_in_no_other_ones_place_and_dropped(
    route: Route, wanted: dict[str, Any]
) -> None:
    assert _told(SetRoute(route), rtmsg) == (rt.NEWROUTE, rt.F_CREATE | rt.F_EXCL, wanted)
    assert _told(DropRoute(route), rtmsg) == (rt.DELROUTE, 0, wanted)


def test_ahead_of_an_ipv4_route_without_a_metric_comes_one_like_it() -> None:
    _, flags, _ = _told(SetRoute(replace(DEFAULT, metric=0)), rtmsg)
    assert flags == rt.F_CREATE
    _, flags, _ = _told(SetRoute(replace(SIX, metric=0)), rtmsg)
    assert flags == rt.F_CREATE | rt.F_EXCL


def test_a_route_may_be_in_any_table() -> None:
    _, _, found = _told(SetRoute(replace(DEFAULT, table=100)), rtmsg)
    assert found == {**TO, "table": 100}
    _, _, found = _told(DropRoute(replace(DEFAULT, table=15701)), rtmsg)
    assert "table" not in found
    assert {**found, "table": 254} == {**TO, "RTA_TABLE": 15701}


def test_a_rule_is_added_and_dropped() -> None:
    rule = Rule(4, 32765, 15702, "10.0.1.25/32")
    head = {
        "family": 2,
        "src_len": 32,
        "action": 1,
        "FRA_SRC": "10.0.1.25",
        "FRA_TABLE": 15702,
        "FRA_PRIORITY": 32765,
        "FRA_PROTOCOL": OURS,
    }
    assert _told(AddRule(rule), fibmsg) == (rt.NEWRULE, rt.F_CREATE | rt.F_EXCL, head)
    assert _told(DropRule(rule), fibmsg) == (rt.DELRULE, 0, head)
    less = Rule(6, 32764, 254, "fd00::25/128", whole=False)
    _, _, found = _told(AddRule(less), fibmsg)
    assert (found["FRA_SUPPRESS_PREFIXLEN"], found["table"], found["FRA_TABLE"]) == (0, 254, 254)


def test_a_route_keeps_its_greatest_packet() -> None:
    _, _, found = _told(SetRoute(replace(DEFAULT, mtu=1400)), rtmsg)
    assert found.pop("RTA_METRICS").get_attr("RTAX_MTU") == 1400
    assert found == TO


# --- addresses ----------------------------------------------------------------------------------

NODAD, NOPREFIXROUTE = 0x02, 0x200  # linux/if_addr.h


@pytest.mark.parametrize(
    ("address", "kind", "flags"),
    [
        (Address("wlan0", 4, "192.168.1.252", 32, preferred=50, valid=60), 2, 0),
        (Address("wlan0", 6, "fd00::252", 128, preferred=50, valid=60), 10, NODAD | NOPREFIXROUTE),
    ],
)
def test_an_address_is_taken_over_as_ours_and_given_back(
    address: Address, kind: int, flags: int
) -> None:
    for change, told in (
        (AddAddress(address), (rt.NEWADDR, rt.F_CREATE | rt.F_REPLACE)),
        (DropAddress(address), (rt.DELADDR, 0)),
    ):
        *found, fields = _told(change, ifaddrmsg)
        assert tuple(found) == told
        cache = fields.pop("IFA_CACHEINFO")
        assert (cache["ifa_preferred"], cache["ifa_valid"]) == (50, 60)
        assert (cache["cstamp"], cache["tstamp"]) == (0, 0)
        assert fields == {
            "family": kind,
            "prefixlen": address.length,
            "index": 4,
            "IFA_PROTO": OURS,
            "IFA_LOCAL": address.address,
            "IFA_ADDRESS": address.address,
            "IFA_FLAGS": flags,
        }


METRIC = SetMetric("eth0", "192.168.1.252", 24, 600)


def test_an_address_is_given_another_metric_and_keeps_the_rest() -> None:
    others = [address_of("192.168.1.9"), address_of("fd00::252"), address_of(index=4)]
    own = address_of(IFA_ADDRESS="192.168.1.7", IFA_PROTO=3, IFA_LABEL="x", scope=200)
    kernel = Kernel(addresses=[*others, own])
    assert apply((METRIC,), SEEN, cast("rt.Netlink", kernel), Announcer()) == ([], [])
    ((kind, flags, body),) = kernel.changed
    assert (kind, flags) == (rt.NEWADDR, rt.F_REPLACE)
    told = said(ifaddrmsg, body)
    cache = told.pop("IFA_CACHEINFO")
    assert (cache["ifa_preferred"], cache["ifa_valid"]) == (50, 60)
    assert told == {
        "family": 2,
        "prefixlen": 24,
        "index": ETH,
        "scope": 200,
        "IFA_RT_PRIORITY": 600,
        "IFA_LOCAL": "192.168.1.252",
        "IFA_ADDRESS": "192.168.1.7",
        "IFA_PROTO": 3,
    }
    assert kernel.asked == [(rt.GETADDR, bytes(4) + struct.pack("=I", ETH))]


@pytest.mark.parametrize(
    ("change", "there"),
    [
        (METRIC, "192.168.1.9"),
        (replace(METRIC, length=25), METRIC.address),
        (replace(METRIC, interface="wlan0"), METRIC.address),
    ],
)
def test_an_address_that_is_gone_is_not_added(change: SetMetric, there: str) -> None:
    kernel = Kernel(addresses=[address_of(there)])
    assert apply((change,), SEEN, cast("rt.Netlink", kernel), Announcer()) == ([], [])
    assert kernel.changed == []


# --- all else -----------------------------------------------------------------------------------


def test_what_others_do_is_handed_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def note(name: str) -> Any:
        return lambda *found: calls.append((name, *found))

    kernel = cast("rt.Netlink", Kernel())
    monkeypatch.setattr(kernel_apply, "flush_neighbours", note("forget"))
    monkeypatch.setattr(connections, "end", note("end"))
    monkeypatch.setattr(kernel_apply, "sysctl_path", lambda key: f"{tmp_path}/{key}")
    for name in ("set_active", "enslave", "set_monitor"):
        monkeypatch.setattr(bond, name, note(name))
    announcer = Announcer()
    monkeypatch.setattr(announcer, "send", note("send"))
    end, announce = CloseConnections(4, "10.0.0.1"), Announce("eth0", 4, "10.0.0.1", "", "")
    monitor = SetMonitor("bond0", 100, (), "eth0", "always")
    changes: tuple[Change, ...] = (
        FlushNeighbours("wlan0"),
        end,
        announce,
        SetSysctl(Sysctl("x", "1")),
        SetActive("bond0", "wlan0"),
        Enslave("bond0", "eth0"),
        monitor,
        replace(monitor, primary=""),
    )
    assert apply(changes, SEEN, kernel, announcer) == ([], [])
    assert calls == [
        ("forget", kernel, 4),
        ("end", end),
        ("send", announce),
        ("set_active", kernel, 5, 4),
        ("enslave", kernel, 5, 3),
        ("set_monitor", kernel, monitor, 5, 3),
        ("set_monitor", kernel, changes[-1], 5, 0),
    ]
    assert (tmp_path / "x").read_text() == "1"


GONE = (errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.EEXIST, errno.ENOENT)


@pytest.mark.parametrize("code", [*GONE, errno.EPERM, errno.ENETUNREACH])
def test_a_refusal_is_told_unless_all_is_as_wanted_and_the_rest_is_done(code: int) -> None:
    kernel = Kernel()
    error = rt.NetlinkError(code, "refused")
    refusals = [error]

    def change(kind: int, flags: int, body: bytes) -> None:
        if refusals:
            raise refusals.pop()
        Kernel.change(kernel, kind, flags, body)

    kernel.change = change  # type: ignore[method-assign]
    first, second = SetRoute(DEFAULT), DropRoute(PREFIX)
    failed, _ = apply((first, second), SEEN, cast("rt.Netlink", kernel), Announcer())
    assert failed == ([] if code in GONE else [(first, error)])
    assert len(kernel.changed) == 1


BACK = Address("wlan0", 4, "192.168.1.252", 24)
RULE = Rule(4, 32000, 9, "192.168.1.252/32")


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSPC, errno.EEXIST])
@pytest.mark.parametrize(
    ("new", "old", "kept"),
    [
        (SetRoute(DEFAULT), DropRoute(replace(DEFAULT, interface="wlan0", metric=51)), True),
        (SetRoute(DEFAULT), DropRoute(replace(DEFAULT, table=9)), False),
        (SetRoute(DEFAULT), DropRoute(SIX), False),
        (SetRoute(DEFAULT), DropRoute(PREFIX), False),
        (AddAddress(replace(BACK, interface="eth0")), DropAddress(BACK), True),
        (AddAddress(replace(BACK, address="192.168.1.9")), DropAddress(BACK), False),
        (AddRule(replace(RULE, priority=32001)), DropRule(RULE), True),
        (AddRule(replace(RULE, sender="192.168.1.9/32")), DropRule(RULE), False),
        (AddRule(RULE), SetRoute(PREFIX), False),
        (AddRule(RULE), AddAddress(BACK), False),
    ],
)
def test_what_is_to_be_replaced_stays_where_the_new_one_is_refused(
    code: int, new: Change, old: Change, *, kept: bool
) -> None:
    kernel = Kernel()
    refusals = [rt.NetlinkError(code, "refused")]

    def change(kind: int, flags: int, body: bytes) -> None:
        if refusals:
            raise refusals.pop()
        Kernel.change(kernel, kind, flags, body)

    kernel.change = change  # type: ignore[method-assign]
    failed, left_out = apply((new, old), SEEN, cast("rt.Netlink", kernel), Announcer())
    assert [change for change, _ in failed] == ([] if code == errno.EEXIST else [new])
    assert left_out == [old] * kept
    assert len(kernel.changed) == (not kept)


def test_what_is_to_be_done_to_an_interface_that_is_gone_is_no_failure() -> None:
    kernel = Kernel()
    changes = (SetRoute(replace(DEFAULT, interface="usb0")), FlushNeighbours("usb0"))
    assert apply(changes, SEEN, cast("rt.Netlink", kernel), Announcer()) == ([], [])
    assert kernel.changed == []
