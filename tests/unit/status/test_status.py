"""The status: what is well, what is told of it, and how it reads."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks import cli, reconcile
from netfail_hooks.cli import status as command
from netfail_hooks.config import DISABLE, USE, Config, Order, Target, default_metrics
from netfail_hooks.config.file import render as render_config
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.kernel import lookup
from netfail_hooks.kernel import netlink as rtnetlink
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.managers import release
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Endpoint
from netfail_hooks.policy.state import Metered, Quality, State, UplinkState
from netfail_hooks.recorder import drills
from netfail_hooks.recorder.drills import Drill, Flow, Outcome, Untried
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.report import Sources, report
from netfail_hooks.status.text import family_lines, render
from netfail_hooks.status.values import Failover, Family, Line, Probe, Report
from netfail_hooks.terminal import painter, span
from netfail_hooks.terminal.layout import KEPT
from netfail_hooks.values import plain, replace
from tests.support import ROOT
from tests.support.drawn_statuses import FAMILY
from tests.support.world import World, config_of

_CLOCK = datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp()
_EVENT = Transition(
    datetime(2026, 11, 24, 11, 58, 30, tzinfo=UTC),
    "eth0 no-carrier",
    "IPv4 now by wlan0",
    (),
    (),
    24,
    {"ipv4": "wlan0"},
    {"ipv4": "eth0"},
)


def _sources(world: World, **changed: object) -> Sources:
    observed = world.look()
    lookups = tuple(
        RouteLookup(
            {4: "1.1.1.1", 6: "2606::1"}[family],
            by,
            world.subnet(by, family) + "1",
            world.address(by, family),
        )
        for family in world.families
        if (by := world.way(family))
    )
    found = Sources(
        config=world.config,
        observed=observed,
        state=world.state,
        states={"eth0": ("routable", "configured")},
        lookups=lookups,
        failover=None,
        unknown=(),
        clock=_CLOCK,
    )
    return replace(found, **changed)


def test_endpoints_of_multipath_tcp_are_told_and_what_is_missing() -> None:
    world = World(replace(config_of("eth0", "wlan0"), multipath_tcp=True))
    world.reconcile()
    first, second = world.address("eth0", 4), world.address("wlan0", 4)
    observed = replace(
        world.look(),
        subflows=2,
        ruled=1,
        endpoints=(
            Endpoint(255, 4, second, backup=True),
            Endpoint(1, 4, "192.0.2.9", ours=False),
            Endpoint(2, 4, "192.0.2.10", ours=False, implicit=True),
        ),
    )
    found = report(_sources(world, observed=observed))
    assert found.multipath
    assert plain(found)["multipath"] == {
        "endpoints": [
            {"address": second, "interface": "wlan0", "backup": True, "ours": True},
            {"address": "192.0.2.9", "interface": "", "backup": False, "ours": False},
        ],
        "missing": [first, world.address("eth0", 6)],
        "subflows": 2,
    }
    told = render(found)
    gap, more = " " * 10, "a connection has 2 more subflows at most\n"
    assert f"mptcp     {second} of wlan0, backup\n" in told
    assert f"{gap}192.0.2.9, not ours\n{gap}{more}" in told
    assert f"{gap}{first} is none: run 'sudo netfail-hooks check'\n" in told
    none = replace(observed, endpoints=())
    assert f"no endpoint, {more}" in render(report(_sources(world, observed=none))) + "\n"
    unknown = report(_sources(world, observed=none, state=None)).multipath
    assert unknown
    assert unknown.missing == ()
    for config, seen in (
        (config_of("eth0", "wlan0"), observed),
        (world.config, replace(observed, subflows=-1)),
        (replace(world.config, mode="bond"), observed),
    ):
        quiet = report(_sources(world, observed=seen, config=config))
        assert quiet.multipath is None
        assert "mptcp" not in render(quiet)


def test_what_was_asked_for_by_hand_is_told_until_it_ends() -> None:
    now = World(config_of("eth0", "wlan0")).now
    orders = (
        Order(USE, "wlan0", now),  # over, beside one that is kept
        Order(USE, "wlan0"),
        Order(DISABLE, "eth0", now + 90_000),
    )
    told = report(_sources(World(replace(config_of("eth0", "wlan0"), orders=orders)))).by_hand
    assert told == (
        (
            "wlan0 is used while it is up, until the next boot: "
            "'sudo netfail-hooks use --auto' ends it"
        ),
        f"eth0 is disabled for another {span(90)}: 'sudo netfail-hooks enable eth0' ends it",
    )


@settings(max_examples=40)
@given(
    act=st.sampled_from(["well", "no carrier", "mute", "recovering", "not looked at"]),
    until=st.sampled_from([0, 90_000]),
    kept=st.booleans(),
    may_read=st.booleans(),
    looked=st.booleans(),
)
def test_of_a_disabled_uplink_nothing_is_told_of_checks(
    act: str, until: int, *, kept: bool, may_read: bool, looked: bool
) -> None:
    """However it is, whoever asks: that it is disabled, until when, and how that ends."""
    world = World(config_of("eth0", "wlan0"))
    if act != "not looked at":
        world.reconcile()
    if act in ("no carrier", "recovering"):
        _loses("eth0", "no-carrier")(world)
    if act == "recovering":
        _loses("eth0", "routable")(world)
    if act == "mute":
        world.sick = {"eth0"}
        world.reconcile()
    order = Order(DISABLE, "eth0", until and world.now + until)
    world.config = replace(world.config, orders=(order,))
    if looked:
        world.reconcile()
    more = {} if may_read else {"state": None}
    found = report(_sources(world, kept=(order,) if kept else (), **more))
    assert not found.uplinks[0].healthy
    shown = render(found)
    own = shown.partition("2. wlan0")[0]
    assert "1. eth0   disabled  " in own
    assert "disabled by hand" in own
    assert not re.search("check|probed|hold-down|recovering|unknown", own), own
    assert "failback" not in shown
    when = "for another 1 min 30 s" if until else "over reboots" if kept else "until the next boot"
    assert re.search(
        f"by hand   eth0 is disabled {when}.*: 'sudo netfail-hooks enable eth0' ends", shown
    )


def test_a_drill_is_told_while_it_is_on_and_how_it_went() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    drill = Drill("x", "gateway", "silence", "eth0", world.now + 1_001, 2)
    found = report(_sources(world, drill=drill))
    assert found.drill == "eth0 is made to fail (gateway) for 2 s more"
    assert found.last_drill is None
    families = (_moved("wlan0", 700), _moved("wlan0", 900))
    flows = (Flow("echo", "9.9.9.9", 400, 14, 700), Flow("tcp", "x", 1, 99, 0))
    ended = int(_CLOCK) - 90
    last = Outcome(
        ended,
        "failed",
        "gateway",
        "silence",
        "eth0",
        20,
        True,  # noqa: FBT003
        families,
        flows,
        ("why",),
        (Untried(6, "no uplink is up in it"),),
    )
    found = report(_sources(world, last_drill=last))
    assert found.last_drill
    told = (found.last_drill.seconds_ago, found.last_drill.moved_ms, found.last_drill.lost)
    assert told == (90, 900, 14)
    shown = render(found)
    assert "1 min 30 s ago, eth0 (gateway): failed, moved after 0.9 s" in shown
    assert "why" in shown
    assert "IPv6 was not tried: no uplink is up in it" in shown
    later = report(_sources(world, last_drill=replace(last, time=int(_CLOCK) + 5, families=())))
    assert later.last_drill
    assert (later.last_drill.seconds_ago, later.last_drill.moved_ms) == (None, -1)


def test_what_a_metered_uplink_carried_today_is_told() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    first, second = world.config.uplinks
    world.config = replace(world.config, uplinks=(first, replace(second, metered=True)))
    observed = replace(world.look(), day=20261128)
    state = replace(world.state, metered=(Metered("wlan0", 4, 20261128, 2_500_000, 0, 0),))
    found = report(_sources(world, observed=observed, state=state))
    assert [one.carried_today for one in found.uplinks] == [None, 2_500_000]
    assert "metered, 2.5 MB today" in render(found)
    tomorrow = report(_sources(world, observed=replace(observed, day=20261129), state=state))
    assert tomorrow.uplinks[1].carried_today is None


def test_an_uplink_that_waits_says_until_what() -> None:
    world = World(replace(config_of("eth0", "wlan0"), failback="manual"))
    world.reconcile()
    active = tuple(replace(one, interface="wlan0") for one in world.state.active)
    state = replace(world.state, active=active)
    found = report(_sources(world, state=state))
    assert [one.families[0].waits for one in found.uplinks] == ["for 'netfail-hooks use'", ""]
    assert "waits for 'netfail-hooks use'" in render(found)
    ordered = replace(world.config, orders=(Order(USE, "wlan0"),))
    found = report(_sources(world, state=state, config=ordered))
    assert found.uplinks[0].families[0].waits == ""
    assert report(_sources(world, state=None)).uplinks[0].families[0].waits == ""


def _moved(backup: str, moved: int) -> drills.Family:
    return drills.Family(4, backup, moved, 1)


def _well(_: World) -> None:
    pass


def _loses(name: str, state: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.event(name, state)
        world.reconcile()

    return act


def _returns(world: World) -> None:
    _loses("eth0", "no-carrier")(world)
    world.now += 5000
    _loses("eth0", "routable")(world)
    world.now += 3000


def _sickens(world: World) -> None:
    world.sick = {"wlan0"}
    world.now += 5000
    world.reconcile()


def _just_lost(world: World) -> None:
    world.event("wlan0", "no-carrier")  # and nobody has looked yet


def _told(act: Callable[[World], None], **changed: object) -> Report:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.reconcile()
    world.now += 7_200_000
    world.reconcile()
    act(world)
    return report(_sources(world, **changed))


@pytest.mark.parametrize(
    ("act", "uplinks", "by"),
    [
        (_well, [True, True], "eth0"),
        (_loses("eth0", "no-carrier"), [False, True], "wlan0"),
        (_loses("eth0", "missing"), [False, True], "wlan0"),
        (_loses("wlan0", "off"), [True, False], "eth0"),
        (_returns, [True, True], "wlan0"),
        (_sickens, [True, False], "eth0"),
        (_just_lost, [True, False], "eth0"),
    ],
)
def test_well_means_every_uplink_and_a_way_out(
    act: Callable[[World], None], uplinks: list[bool], by: str
) -> None:
    found = _told(act)
    assert found.healthy is all(uplinks)
    assert [uplink.healthy for uplink in found.uplinks] == uplinks
    active = [one.interface for one in found.uplinks if one.families[0].carries]
    assert active == [by]


def test_no_way_out_is_not_well() -> None:
    assert not _told(_well, lookups=()).healthy


def test_traffic_by_another_uplink_than_was_chosen_is_not_well() -> None:
    other = RouteLookup("1.1.1.1", "wlan0", "192.168.1.1", "192.168.1.51")
    found = _told(_well, lookups=(other,))
    assert not found.healthy
    assert "at odds   the kernel sends by another uplink" in render(found)
    assert "IPv4  up for 2 h, chosen\n" in render(found)
    assert _told(_well, lookups=(replace(other, interface="wg0"),)).healthy


def test_without_its_memory_it_goes_by_what_it_sees() -> None:
    assert _told(_well, state=None).state == "unknown"
    assert _told(_well, state=None).healthy
    assert _told(_well, state=State()).state == "empty"
    assert not _told(_just_lost, state=None).healthy


@pytest.mark.parametrize(
    ("operational", "carrier", "told"),
    [
        ("no-carrier", False, "no carrier, configured, metric"),
        ("carrier", True, " carrier, configured, metric"),
        ("off", False, "no carrier, off, configured, metric"),
    ],
)
def test_networkds_word_for_the_carrier_is_not_said_twice(
    operational: str, told: str, *, carrier: bool
) -> None:
    found = _told(_well)
    first = replace(found.uplinks[0], carrier=carrier, operational=operational, setup="configured")
    assert told in render(replace(found, uplinks=(first,))).splitlines()[0]


def test_a_lost_uplink_says_why_and_for_how_long() -> None:
    four = _told(_sickens).uplinks[1].families[0]
    assert (four.state, four.reason) == ("down", "mute")
    assert (four.rounds_failed, four.rounds_to_go) == (1, 2)
    assert four.since == "2026-11-24T12:00:00Z"
    assert four.probe is not None
    assert (four.probe.sent, four.probe.lost, four.probe.rtt_ms) == (1, 1, None)


def test_a_returning_uplink_says_what_is_left() -> None:
    four = _told(_returns).uplinks[0].families[0]
    assert (four.state, four.hold_down_left, four.seconds) == ("recovering", 7, 3)
    assert (four.rounds_passed, four.rounds_to_go) == (1, 1)
    assert four.probe is not None
    assert (four.probe.seconds_ago, four.probe.lost, four.probe.rtt_ms) == (3, 0, 0.4)


@pytest.mark.parametrize(("ready", "left"), [(-5000, 0), (0, 0), (1, 1), (1000, 1), (1001, 2)])
def test_what_is_left_of_a_hold_down_is_rounded_up(ready: int, left: int) -> None:
    assert _standing(state="recovering", ready=_NOW + ready).hold_down_left == left
    assert _standing(state="up", ready=_NOW + ready).hold_down_left == 0


@pytest.mark.parametrize(
    ("condition", "passes", "to_go"),
    [
        ("down", 0, 2),
        ("recovering", 1, 1),
        ("recovering", 2, 0),
        ("recovering", 9, 0),
        ("up", 0, 0),
    ],
)
def test_how_many_rounds_must_still_go_well(condition: str, passes: int, to_go: int) -> None:
    found = _standing(state=condition, passes=passes)
    assert (found.rounds_passed, found.rounds_to_go) == (passes, to_go)


@pytest.mark.parametrize(
    ("rtt", "fails", "lost", "shown"), [(0, 0, 2, None), (1, 0, 1, 0.001), (400, 1, 2, None)]
)
def test_a_round_was_answered_if_its_last_question_was(
    rtt: int, fails: int, lost: int, shown: float | None
) -> None:
    probe = _standing(probed=_NOW - 3000, tries=2, rtt=rtt, fails=fails).probe
    assert probe == Probe(seconds_ago=3, sent=2, lost=lost, rtt_ms=shown)


@pytest.mark.parametrize(
    ("rounds", "shown", "line"),
    [
        ("10:10:205", Line(10, 0.0, 20.5, poor=False), "line: 0 % of 10 lost, answers in 20.5 ms"),
        ("10:5:50,10:8:80", Line(20, 35.0, 10.0, poor=True), "line: 35 % of 20 lost, answers in"),
    ],
)
def test_a_line_that_is_measured_is_shown(rounds: str, shown: Line, line: str) -> None:
    def measured(world: World) -> None:
        quality = Quality("eth0", 4, int(shown.poor), rounds)
        world.state = replace(world.state, qualities=(quality,))

    report = _told(measured)
    families = [family for uplink in report.uplinks for family in uplink.families]
    assert [family.quality for family in families] == [shown, None, None, None]
    assert line in render(report)


def test_of_a_poor_uplink_the_reason_is_shown() -> None:
    found = _standing(state="down", reason="poor: 24 % of 60 lost", fails=0)
    assert found.reason == "poor: 24 % of 60 lost"
    assert _standing(state="down", reason="no answer", fails=0).reason == ""


def test_of_what_may_not_be_read_nothing_is_told() -> None:
    found = _told(_well, state=None).uplinks[0].families[0]
    told = (found.state, found.since, found.seconds, found.probe)
    assert told == ("unknown", None, None, None)
    assert (found.rounds_failed, found.rounds_passed, found.rounds_to_go) == (0, 0, 0)


def test_each_family_goes_its_own_way() -> None:
    lookups = (RouteLookup("1.1.1.1", "eth0", "", ""), RouteLookup("2606::1", "wlan0", "", ""))
    found = _told(_well, lookups=lookups)
    assert [[one.carries for one in uplink.families] for uplink in found.uplinks] == [
        [True, False],
        [False, True],
    ]


def test_a_failover_after_now_is_none_ago() -> None:
    assert _told(_well, failover=_EVENT, clock=_CLOCK - 90).last_failover == _failover(0)
    assert _told(_well, failover=_EVENT, clock=_CLOCK - 999).last_failover == _failover(0)
    assert _told(_well, failover=_EVENT).last_failover == _failover(90)


def test_a_failover_of_this_boot_is_as_long_ago_as_the_boot_clock_says() -> None:
    """Whatever became of the other clock: this machine found the time a year later."""
    event = dataclasses.replace(_EVENT, boot="abc", moment=1_200_000)
    jumped = _CLOCK + 365 * 86400
    last = _told(_well, failover=event, boot="abc", clock=jumped).last_failover
    assert last is not None
    assert (last.seconds_ago, last.time) == (7000, "2027-11-24T10:03:20Z")
    for boot in ("", "another"):
        last = _told(_well, failover=event, boot=boot, clock=jumped).last_failover
        assert last is not None
        assert last.seconds_ago == 90 + 365 * 86400


def _failover(ago: int) -> Failover:
    return Failover("2026-11-24T11:58:30Z", ago, _EVENT.trigger, _EVENT.summary, 24)


@pytest.mark.parametrize(("rounds", "told"), [(0, ""), (1, ""), (2, ", in 2 checks in a row")])
def test_rounds_that_failed_are_told_once_there_are_several(rounds: int, told: str) -> None:
    found = _standing(state="down", probed=_NOW - 3000, tries=2, rtt=7, fails=rounds)
    shown = _shown(found)
    assert shown.endswith(f" of 2 lost{told}")


@pytest.mark.parametrize(
    ("seconds", "passes", "until", "to_go"),
    [
        (
            8,
            1,
            "8 s to go (hold-down), and 1 more",
            "8 s to go, 0 s passed, 1 more check",
        ),
        (
            8,
            0,
            "8 s to go (hold-down), and 2 more",
            "8 s to go, 0 s passed, 2 more checks",
        ),
        (8, 2, "8 s to go (hold-down)", "8 s to go, 0 s passed"),
        (0, 1, "1 more check to go", "1 more check to go, 0 s passed"),
        (0, 2, "", "up with the next check, 0 s passed"),
    ],
)
def test_an_uplink_that_recovers_says_what_has_passed_and_what_decides(
    seconds: int, passes: int, until: str, to_go: str
) -> None:
    """Of both families, unless they differ; of a better one than that in use what comes then."""
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    _loses("eth0", "no-carrier")(world)
    _loses("eth0", "routable")(world)
    held = tuple(
        replace(one, ready=world.now + seconds * 1000, passes=passes)
        if one.interface == "eth0"
        else one
        for one in world.state.uplinks
    )
    shown = render(report(_sources(world, state=replace(world.state, uplinks=held))))
    again = "counts as up again"
    back = f"has {until}" if until else f"{again} with the next check that"
    assert f"failback  eth0 {back}" in shown
    assert f"{again}, and may take" in shown or not until
    assert shown.count("hold-down") == bool(seconds)
    assert re.findall(r"IPv[46]  recovering: (.*)$", shown, re.MULTILINE) == [to_go, to_go]
    apart = tuple(replace(one, passes=1, ready=world.now + one.family * 1000) for one in held)
    shown = render(report(_sources(world, state=replace(world.state, uplinks=apart))))
    assert "failback  eth0 IPv4 has 4 s to go (hold-down)" in shown
    assert "          eth0 IPv6 has 6 s to go (hold-down)" in shown
    alone = tuple(replace(one, interface="eth0") for one in world.state.active)
    shown = render(report(_sources(world, state=State(held, active=alone))))
    assert again in shown
    assert "take the traffic back" not in shown


def test_what_root_alone_may_read_is_told_in_one_line_and_is_no_fault() -> None:
    closed = (NotPermitted("health", hint="use sudo"), NotPermitted("the last move"))
    damaged = Problem("a thing is damaged", hint="use sudo")  # which says of no right to read
    found = _told(_well, state=None, unknown=(closed[0], damaged, closed[1]))
    shown = render(found)
    assert found.healthy
    assert found.unknown == ("a thing is damaged: use sudo",)
    assert found.root_only == ("health", "the last move")
    assert shown.splitlines()[-2:] == [
        "unknown   a thing is damaged: use sudo",
        "not shown health, the last move: root alone may read it: 'sudo netfail-hooks status'",
    ]
    assert not re.search("known|check", shown.replace("unknown   a thing", "")), shown
    assert "   * IPv4  carries the traffic\n           192.168.1.50/24 via" in shown
    assert "     IPv4  192.168.1.51/24 via" in shown
    assert re.findall(r"^\d\. \w+ +(.*?)  ", shown, re.MULTILINE) == ["link ok", "link ok"]
    assert not _told(_just_lost, state=None, unknown=closed).healthy


def _shown(family: Family) -> str:
    """Return what is shown of an uplink in one family."""
    found = _told(_well)
    first = replace(found.uplinks[0], families=(family,))
    return render(replace(found, uplinks=(first,))).partition("\n\n")[0]


_NOW = 9_000_000


def _standing(**more: object) -> Family:
    """Return what is told of an uplink that stands so, 2 s after it came to that."""
    config = config_of("eth0", "wlan0")
    world = World(config)
    world.now = _NOW
    known: dict[str, Any] = {"state": "up", "since": _NOW - 2999, **more}
    state = State((UplinkState("eth0", 4, **known),))
    found = report(_sources(world, state=state)).uplinks[0].families[0]
    assert (found.seconds, found.since) == (2, "2026-11-24T11:59:58Z")
    return found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (7200, "2 h"),
        (7265, "2 h 1 min"),
        (90061, "1 d 1 h"),
        (86400, "1 d"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


_ALL_WELL = """\
1. eth0   ok  carrier, routable, configured, metric 100
   * IPv4  up for 2 h, carries the traffic
           192.168.1.50/24 via 192.168.1.1 metric 100
           probed 0 s ago: 0.4 ms, 0 of 1 lost
     IPv6  no address
2. wlan0  ok  carrier, metric 600
     IPv4  up for 2 h
           192.168.1.51/24 via 192.168.1.1 metric 600
           probed 0 s ago: 0.4 ms, 0 of 1 lost
     IPv6  no address

traffic   to 1.1.1.1 by eth0 via 192.168.1.1 from 192.168.1.50"""

_FAILED_OVER = """\
1. eth0   NOT WELL  interface is gone, routable, configured, metric 100
     IPv4  down for 0 s so far: interface is gone
           no address
           probed 0 s ago: 0.4 ms, 0 of 1 lost
     IPv6  interface is gone
2. wlan0  ok        carrier, metric 600
   * IPv4  up for 2 h, carries the traffic
           192.168.1.51/24 via 192.168.1.1 metric 600
           probed 0 s ago: 0.4 ms, 0 of 1 lost
     IPv6  no address

traffic   to 1.1.1.1 by wlan0 via 192.168.1.1 from 192.168.1.51
set by us route 192.168.1.0/24 dev wlan0 metric 50
          route default via 192.168.1.1 dev wlan0 metric 50
          address 192.168.1.50/32 dev wlan0
last move 1 min 30 s ago: IPv4 now by wlan0 [woken by eth0 (no-carrier), acted in 24 ms]
not shown a thing: root alone may read it: 'sudo netfail-hooks status'"""


def test_how_it_reads() -> None:
    assert render(_told(_well)) == _ALL_WELL
    lost = _told(_loses("eth0", "missing"), failover=_EVENT, unknown=(NotPermitted("a thing"),))
    assert render(lost) == _FAILED_OVER
    assert "traffic   no way out" in render(_told(_well, lookups=()))
    assert "health    not looked at since boot" in render(_told(_well, state=State()))
    back = render(_told(_returns))
    assert "IPv4  recovering: 7 s to go, 3 s passed, 1 more check\n" in back
    assert "eth0 has 7 s to go (hold-down), and 1 more check, then it counts as up" in back


_SPAN = r"(?<![\d.])\d+ (?:d|h|min|s)\b(?: \d+ (?:h|min|s)\b)?"
_SAYS_SO = r" (?:so far|ago|passed|to go)\b"


@settings(max_examples=60, deadline=None)
@given(family=FAMILY)
def test_each_time_says_whether_it_has_passed_or_is_to_come(family: Family) -> None:
    """A newcomer took "recovering for 38 s" for what was left. Up is what nobody waits for."""
    for line in family_lines(family, painter(colour=False)):
        for found in re.finditer(rf"(\bup for )?{_SPAN}({_SAYS_SO})?", line.replace(KEPT, " ")):
            assert found[1] or found[2], line


def test_what_is_never_asked_is_told() -> None:
    config = config_of("eth0", "wlan0")
    first = replace(config.uplinks[0], gateway=False, targets=(Target(6, "2001:db8::1"),))
    world = World(replace(config, uplinks=(first, config.uplinks[1])), families=(4,))
    world.reconcile()
    found = report(_sources(world))
    assert not found.uplinks[0].families[0].asked
    shown = render(found)
    assert "metric 100\n           not probed: there is neither a gateway nor a target" in shown
    assert shown.count("not probed") == 1
    held = tuple(replace(one, state="recovering") for one in world.state.uplinks)
    found = report(_sources(world, state=replace(world.state, uplinks=held)))
    assert [one.families[0].rounds_to_go for one in found.uplinks] == [0, 1]
    lost = _told(_loses("eth0", "no-carrier"))
    assert lost.uplinks[0].families[0].asked
    assert "not probed" not in render(lost)


def test_whether_the_kernel_watches_the_gateway_in_use_is_told() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))

    def watched() -> list[bool | None]:
        world.reconcile()
        return [one.families[0].watched for one in report(_sources(world)).uplinks]

    assert watched() == [None, None]  # nobody looked
    world.watches = 0
    assert watched() == [False, None]
    assert "lost, not watched by the kernel\n" in render(report(_sources(world)))
    world.watches = 1
    assert watched() == [True, None]
    assert "lost, watched\n" in render(report(_sources(world)))
    world.event("eth0", "no-carrier")
    assert watched() == [None, True]
    world.config = replace(world.config, watch="off")
    assert watched() == [None, None]


def test_a_router_that_does_not_answer_is_told_and_another_one_shown() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.reconcile()
    observed = world.look()
    first = next(one for one in observed.routes if one.gateway)
    observed = replace(observed, routes=(*observed.routes, replace(first, gateway="192.168.1.2")))
    for silent, gateway in (("192.168.1.1", "192.168.1.2"), ("192.168.1.2", "192.168.1.1")):
        known = tuple(
            replace(one, silent=silent if one.interface == "eth0" else "")
            for one in world.state.uplinks
        )
        state = replace(world.state, uplinks=known)
        found = report(_sources(world, observed=observed, state=state))
        assert found.uplinks[0].families[0].gateway == gateway
        assert [one.families[0].silent for one in found.uplinks] == [(silent,), ()]
        assert f"no answer from router {silent}: not used" in render(found)


def test_colour_changes_no_word() -> None:
    for act in (_well, _sickens, _returns):
        found = _told(act)
        painted = render(found, colour=True)
        assert "\033[32mok\033[0m" in painted
        assert ("\033[31mNOT WELL\033[0m" in painted) is (act is _sickens)
        assert ("\033[33mrecovering\033[0m" in painted) is (act is _returns)
        assert re.sub(r"\033\[\d+m", "", painted) == render(found)


def test_the_json_keys_are_those_documented() -> None:
    found = plain(_told(_sickens, failover=_EVENT))
    text = ROOT.joinpath("docs/use/json.md").read_text(encoding="utf-8")
    assert _keys(found) <= set(re.findall(r"`(\w+)`", text))
    assert json.loads(json.dumps(found)) == found


def _keys(found: object) -> set[str]:
    if isinstance(found, list):
        return {key for one in found for key in _keys(one)}
    if isinstance(found, dict):
        return set(found) | {key for one in found.values() for key in _keys(one)}
    return set()


def test_it_asks_the_kernel_for_a_configured_target_first() -> None:
    plain_config = config_of("eth0")
    assert lookup.destination(plain_config, 4) == "1.1.1.1"
    assert lookup.destination(plain_config, 6) == "2606:4700:4700::1111"
    aimed = Config((replace(default_metrics(("eth0",))[0], targets=(Target(4, "9.9.9.9"),)),))
    assert lookup.destination(aimed, 4) == "9.9.9.9"


def test_the_kernel_says_which_way() -> None:
    with rtnetlink.Netlink() as netlink:
        assert lookup.look_up(netlink, 4, "127.0.0.1") is None  # to ourselves: no way out
        assert lookup.look_up(netlink, 4, "255.255.255.255") is None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return the files of a machine with an uplink of a name that the real one lacks."""
    paths = Paths(str(tmp_path))
    monkeypatch.setattr(command, "Paths", lambda: paths)
    monkeypatch.setattr(networkctl, "states", dict)
    Path(paths.config).parent.mkdir(parents=True)
    Path(paths.config).write_text(render_config(config_of("netfail-none")))
    return paths


def test_the_command_without_config(machine: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink(machine.config)
    assert cli.entry(["status"]) == 2
    assert "run 'sudo netfail-hooks install'" in capsys.readouterr().err


@pytest.mark.usefixtures("machine")
def test_the_command_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["status", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    (uplink,) = found["uplinks"]
    assert (uplink["interface"], uplink["present"], uplink["healthy"]) == (
        "netfail-none",
        False,
        False,
    )
    assert found["unknown"] == ["networkd's states: 'networkctl list' has no answer"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_text("x"), "is damaged): run 'sudo netfail-hooks check'"),
        (
            lambda path: path.chmod(0o666),
            "state): not root's alone, run 'sudo netfail-hooks check'",
        ),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "is damaged)"),
    ],
)
def test_a_memory_that_is_not_ours_is_unknown(
    machine: Paths, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], told: str
) -> None:
    os.makedirs(machine.run)
    state = Path(machine.run, "state")
    reconcile.save_state(str(state), State())
    spoil(state)
    assert cli.entry(["status"]) == 1
    assert told in capsys.readouterr().out


def test_that_no_event_comes_is_told() -> None:
    assert "events" not in render(_told(_well))
    shown = render(_told(_well, silence="nobody listens: wake them"))
    assert "events    nobody listens: wake them" in shown


@pytest.mark.parametrize(
    ("seconds", "changed", "told"),
    [
        (210, {}, ""),
        (211, {}, "the last was 3 min 31 s ago, though one is due every 60 s"),
        (211, {"interval": 0}, ""),
        (99, {"interval": 20}, "the last was 1 min 39 s ago, though one is due every 20 s"),
    ],
)
def test_uplinks_that_nobody_asks_any_more_are_not_called_well(
    seconds: int, changed: dict[str, int], told: str
) -> None:
    def shown(world: World, **more: object) -> Report:
        found = _sources(world)
        observed = replace(found.observed, now=max(one.probed for one in world.state.uplinks))
        later = replace(observed, now=observed.now + seconds * 1000)
        config = replace(world.config, **changed)
        return report(replace(found, config=config, observed=later, **more))

    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    found = shown(world)
    assert found.overdue == told
    assert found.healthy == (not told)
    line = f"checks    {told}: run 'netfail-hooks doctor'"
    assert (line in render(found)) == bool(told)
    assert shown(world, state=None).overdue == ""
    world.config = replace(
        world.config, uplinks=tuple(replace(one, metered=True) for one in world.config.uplinks)
    )
    assert shown(world).overdue == ""


def test_who_had_an_uplink_before_us_is_told(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    assert release.taken_over(paths) == ()
    for path, text in release.networkmanager(["wlan0", "eth0"]).files.items():
        os.makedirs(os.path.dirname(paths.at(path)))
        Path(paths.at(path)).write_text(text)
    found = report(
        _sources(World(config_of("eth0", "wlan0", "usb0")), taken_over=release.taken_over(paths))
    )
    had = "NetworkManager"
    assert [uplink.taken_from for uplink in found.uplinks] == [had, had, ""]
    assert [one for one in render(found).splitlines() if had in one] == [
        "manager   eth0 and wlan0 taken over from NetworkManager"
    ]
