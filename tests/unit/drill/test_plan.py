"""What a drill would do, and every reason for which it is refused, decided from values alone."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.cli import parser
from netfail_hooks.config import FAILBACKS, Order, Target
from netfail_hooks.config.kinds import parse_target
from netfail_hooks.drill import text
from netfail_hooks.drill.perform import _reasons, _without
from netfail_hooks.drill.plan import Plan, comes_back, delay, plan, survives
from netfail_hooks.drill.traffic import checksum
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.patience import hours, waits
from netfail_hooks.policy.state import POOR, Active, State
from netfail_hooks.recorder.drills import CABLE, FAILED, FAULTS, GATEWAY, Family, Flow, Outcome
from netfail_hooks.values import replace
from tests.support.world import SECOND, STATES, World, config_of

NAMES = ("eth0", "wlan0", "usb0")


def _world(*, apart: tuple[str, ...] = (), targets: tuple[Target, ...] = ()) -> World:
    config = config_of(*NAMES)
    uplinks = tuple(replace(uplink, targets=targets) for uplink in config.uplinks)
    world = World(replace(config, uplinks=uplinks), apart=apart)
    world.reconcile()
    return world


def _plan(world: World, fault: str = GATEWAY) -> Plan:
    return plan(world.config, world.look(), world.state, fault, 20)


def test_the_uplink_in_use_fails_and_the_next_one_is_to_take_it_over() -> None:
    found = _plan(_world())
    assert (found.interface, found.backups) == ("eth0", ((4, "wlan0"), (6, "wlan0")))
    assert found.awaited is True
    # All are on one LAN, so its router answers by whichever carries the traffic.
    assert [str(one) for one in found.targets] == ["icmp:192.168.1.1", "icmp:fd00:1::1"]


def test_who_is_asked_lies_beyond_or_shows_nothing_and_is_not_asked() -> None:
    assert _plan(_world(apart=NAMES)).targets == ()
    far = Target(4, "9.9.9.9", 53)
    asked = _plan(_world(apart=NAMES, targets=(far,))).targets
    assert asked == (Target(4, "9.9.9.9"), far)


_NAMED = ("https://example.org/", "https://example.org:8443/x", "exec:/usr/bin/true")
_BEYOND = (
    "icmp:9.9.9.9",
    "tcp:8.8.8.8:53",
    "https://1.1.1.1:8443/secret",
    "dns:a.example@9.9.9.10",
)
_ONE_LAN = ("icmp:192.168.1.1", "tcp:192.168.2.7:22", "dns:a.example@192.168.1.1")
_FAR = st.lists(st.sampled_from([*_NAMED, *_BEYOND, *_ONE_LAN, "icmp:fe80::1"]), max_size=6)


@given(_FAR, st.sampled_from([(), NAMES]))
def test_whoever_is_asked_has_an_address_that_both_uplinks_lead_to(
    texts: list[str], apart: tuple[str, ...]
) -> None:
    world = _world(apart=apart, targets=tuple(map(parse_target, texts)))
    asked = _plan(world).targets
    for target in asked:
        assert target.address
        assert not target.kind
        assert not target.path
        near = [is_local_to(world.look(), name, target.family, target.address) for name in NAMES]
        assert near[0] == near[1]
    echoes = [target for target in asked if not target.port and target.family == 4]
    beyond = any(text in texts for text in _BEYOND)
    assert bool(echoes) == (beyond or not apart), "a router that both have is asked in any case"
    if "icmp:9.9.9.9" in texts and (apart or "icmp:192.168.1.1" not in texts):
        assert echoes == [Target(4, "9.9.9.9")], "one that is known to answer an echo"
    ports = [target for target in asked if target.port]
    known = [text for text in texts if text in _BEYOND[1:3]]
    if apart:
        assert [target.address in text for target, text in zip(ports, known, strict=False)] == [
            True for _ in known[:1]
        ]


def test_who_answered_before_the_fault_neither_is_no_reason() -> None:
    flows = (Flow("echo", "9.9.9.9", 400, 400, 20_000), Flow("tcp", "tcp:9.9.9.9:53", 1, 0, 0))
    assert _without(flows, ("9.9.9.9",)) == flows[1:]
    assert _without(flows, ()) == flows
    found = _plan(_world())
    families = (Family(4, "wlan0", 700, 12_000), Family(6, "wlan0", 700, 12_000))
    left = _without(flows, ("9.9.9.9",))
    assert list(_reasons(found, families, left, ("9.9.9.9",))) == []
    assert list(_reasons(found, families, flows, ("9.9.9.9",))) != []


@pytest.mark.parametrize("order", [Order("use", "wlan0"), Order("disable", "usb0")])
def test_an_order_by_hand_refuses_it(order: Order) -> None:
    world = _world()
    world.config = replace(world.config, orders=(order,))
    with pytest.raises(Problem, match="orders by hand count now"):
        _plan(world)
    world.config = replace(world.config, orders=(replace(order, until=world.now),))
    _plan(world)  # which has ended


def test_a_bond_one_uplink_and_an_uplink_that_nobody_asks_refuse_it() -> None:
    world = _world()
    for changed in (
        replace(world.config, mode="bond"),
        replace(world.config, uplinks=world.config.uplinks[:1]),
    ):
        with pytest.raises(Misuse):
            plan(changed, world.look(), world.state, GATEWAY, 20)
    unasked = tuple(replace(uplink, gateway=False) for uplink in world.config.uplinks)
    world.config = replace(world.config, uplinks=unasked)
    with pytest.raises(Problem, match="nothing asks"):
        _plan(world)
    _plan(world, CABLE)


def test_each_refusal_tells_its_own_next_step() -> None:
    world = _world()
    for order, step in (
        (Order("use", "wlan0"), "use --auto"),
        (Order("disable", "usb0"), "enable"),
    ):
        world.config = replace(world.config, orders=(order,))
        with pytest.raises(Problem, match=step):
            _plan(world)
    world = _world()
    two = replace(world.config, uplinks=world.config.uplinks[:2])
    assert plan(two, world.look(), world.state, GATEWAY, 20).backups
    sick = tuple(
        replace(one, state="down", reason="no answer" if one.interface == "wlan0" else "")
        if one.interface != "eth0"
        else one
        for one in world.state.uplinks
        if (one.interface, one.family) != ("usb0", 4)
    )
    with pytest.raises(Problem, match=r"wlan0 is down \(no answer\); usb0 is not known"):
        plan(world.config, world.look(), replace(world.state, uplinks=sick), GATEWAY, 20)
    none = replace(world.state, active=())
    with pytest.raises(Problem, match="no uplink carries"):
        plan(world.config, world.look(), none, GATEWAY, 20)


@pytest.mark.parametrize("family", [4, 6])
def test_a_family_alone_is_drilled_alone(family: int) -> None:
    world = _world()
    active = tuple(one for one in world.state.active if one.family == family)
    found = plan(world.config, world.look(), replace(world.state, active=active), GATEWAY, 20)
    assert found.backups == ((family, "wlan0"),)
    assert [target.family for target in found.targets] == [family]
    source = world.address("eth0", family)
    assert survives(world.config, world.look(), found, source)
    other = world.address("eth0", 10 - family)
    assert not survives(world.config, world.look(), found, other)


def test_an_uplink_that_one_family_can_ask_of_is_drilled() -> None:
    world = _world(targets=(Target(6, "2620:fe::9"),))
    unasked = tuple(replace(uplink, gateway=False) for uplink in world.config.uplinks)
    others = tuple(replace(uplink, targets=()) for uplink in unasked[1:])
    world.config = replace(world.config, uplinks=(unasked[0], *others))
    assert _plan(world).interface == "eth0"


def test_traffic_that_is_not_where_its_rank_would_have_it_is_not_awaited() -> None:
    world = _world()
    active = tuple(replace(one, interface="wlan0") for one in world.state.active)
    found = plan(world.config, world.look(), replace(world.state, active=active), GATEWAY, 20)
    assert (found.interface, found.backups) == ("wlan0", ((4, "eth0"), (6, "eth0")))
    assert found.awaited is False


@pytest.mark.parametrize(("words", "taken"), [("4", 0), ("5", 5), ("300", 300), ("301", 0)])
def test_it_lasts_seconds_or_minutes(words: str, taken: int) -> None:
    parsed = parser(filled=("drill",)).parse_args
    if taken:
        assert parsed(["drill", "--seconds", words]).seconds == taken
    else:
        with pytest.raises(Misuse, match="not 5 to 300 seconds"):
            parsed(["drill", "--seconds", words])


def test_without_failback_by_itself_it_is_not_awaited() -> None:
    world = _world()
    world.config = replace(world.config, failback="manual")
    assert not _plan(world).awaited


_CLOCKS = st.integers(0, 23).map("{:02}:00".format)


@given(
    st.sampled_from(FAILBACKS),
    st.just("") | st.tuples(_CLOCKS, _CLOCKS).filter(lambda two: two[0] != two[1]).map("-".join),
    st.none() | st.integers(-400, 0) | st.integers(0, 86_399),
)
def test_it_is_awaited_exactly_where_patience_holds_nothing_until_its_end(
    failback: str, between: str, beyond: int | None
) -> None:
    end = hours(between)[1] if between else 0
    local = -1 if beyond is None else (end + beyond) % 86_400
    config = replace(_world().config, failback=failback, failback_between=between)
    until = 20 + config.hold_down_max
    moments = [Observation(now=0, local=(local + more) % 86_400) for more in range(until + 1)]
    free = all(not waits(config, moment, State(), "wlan0") for moment in moments)
    known = local >= 0 or not between
    assert comes_back(config, Observation(now=0, local=local), 20) == (free and known)


def test_a_poor_line_is_waited_for_as_a_hold_down_is() -> None:
    world = _world()
    found, state = _plan(world), world.state
    assert delay(found, state, world.now, 35_000) == ("", 0)
    for name, reason, condition, why in (
        ("eth0", f"{POOR}10% lost", "down", ("has a poor line", 35_000)),
        ("eth0", "", "recovering", ("is held down", 9000)),
        ("eth0", "no carrier", "down", ("", 0)),
        ("wlan0", f"{POOR}10% lost", "down", ("", 0)),
        ("wlan0", "", "recovering", ("", 0)),
    ):
        changed = tuple(
            replace(one, state=condition, reason=reason, ready=world.now + 9000)
            if (one.interface, one.family) == (name, 4)
            else one
            for one in state.uplinks
        )
        assert delay(found, replace(state, uplinks=changed), world.now, 35_000) == why


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(STATES)), max_size=8),
    st.sampled_from(FAULTS),
)
def test_whoever_is_to_take_the_traffic_is_up_or_it_is_refused(
    events: list[tuple[str, str]], fault: str
) -> None:
    world = _world()
    for name, state in events:
        world.event(name, state)
        world.reconcile()
        world.now += SECOND
    try:
        found = _plan(world, fault)
    except Problem:
        return
    active = [world.state.active_uplink(family) for family in (4, 6)]
    assert found.interface in active
    assert len(found.backups) == active.count(found.interface)
    for family, backup in found.backups:
        judged = world.state.uplink_state(backup, family)
        assert judged
        assert (judged.state, judged.reason) == ("up", "")
        assert backup != found.interface


@given(
    states=st.fixed_dictionaries(
        {
            (name, family): st.sampled_from(["up", "down", "absent"])
            for name in NAMES
            for family in (4, 6)
        }
    ),
    active=st.fixed_dictionaries({family: st.sampled_from(["", *NAMES]) for family in (4, 6)}),
)
def test_each_family_is_tried_or_it_is_told_why_not(
    states: dict[tuple[str, int], str], active: dict[int, str]
) -> None:
    world = _world()
    known = tuple(
        replace(one, state=states[one.interface, one.family]) for one in world.state.uplinks
    )
    carried = tuple(Active(family, name, 1) for family, name in active.items())
    world.state = replace(world.state, uplinks=known, active=carried)
    try:
        found = _plan(world)
    except Problem:
        return  # refused, which says why
    tried = [family for family, _ in found.backups]
    assert sorted([*tried, *(one.family for one in found.untried)]) == [4, 6]
    outcome = Outcome(1, "passed", GATEWAY, "silence", "eth0", 20, True, untried=found.untried)  # noqa: FBT003
    for one in found.untried:
        named = [active[one.family]] if active[one.family] else list(NAMES)
        told = [
            f"IPv{one.family} is not tried: {one.why}",
            f"  IPv{one.family} was not tried: {one.why}",
        ]
        assert told[0] in text.intention(found)
        assert told[1] in text.verdict(outcome)
        assert f"IPv{one.family} not tried" in text.summary(outcome)
        assert all(name in one.why for name in (*named, found.interface)), one.why


def test_a_session_is_told_of_as_it_will_fare() -> None:
    near, apart = _world(), _world(apart=NAMES)
    source = near.address("eth0", 4)
    assert survives(near.config, near.look(), _plan(near), source)
    assert not survives(apart.config, apart.look(), _plan(apart), source)
    told = text.intention(_plan(near), "192.168.1.9", True)  # noqa: FBT003 - it lives
    assert any("192.168.1.9 goes by eth0: it lives on" in line for line in told)
    assert any("may be closed" in line for line in text.intention(_plan(near), "::9", False))  # noqa: FBT003


def test_a_verdict_tells_what_moved_what_was_lost_and_why_it_failed() -> None:
    outcome = Outcome(
        time=1,
        verdict=FAILED,
        fault=GATEWAY,
        way="silence",
        interface="eth0",
        seconds=20,
        awaited=True,
        families=(Family(4, "wlan0", 700, 12_000), Family(6, "wlan0", -1, -1)),
        flows=(
            Flow("echo", "9.9.9.9", 400, 14, 720),
            Flow("tcp", "tcp:9.9.9.9:53", 1, 1, 900, alive=False),
        ),
        reasons=("IPv6 did not go over to wlan0 within 20 s",),
    )
    shown = "\n".join(text.verdict(outcome))
    for part in ("failed: eth0", "IPv4 moved after 0.70 s, back 12.0 s", "IPv6 stayed"):
        assert part in shown
    for part in ("14 of 400 echoes lost", "tcp:9.9.9.9:53 ended", "did not go over", "doctor"):
        assert part in shown
    assert "moved after 0.70 s; 14 echoes lost; IPv6 did not" in text.summary(outcome)


@given(st.binary(max_size=64).map(lambda data: data[: len(data) // 2 * 2]))
def test_the_sum_of_a_message_with_its_sum_is_nothing(data: bytes) -> None:
    whole = data + struct.pack("!H", checksum(data))
    assert checksum(whole) in (0, 0xFFFF)
