"""What a drill would do, and every reason for which it is refused, decided from values alone."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.cli import parser
from netfail_hooks.config import Order, Target
from netfail_hooks.drill import text
from netfail_hooks.drill.plan import Plan, plan, survives
from netfail_hooks.drill.traffic import checksum
from netfail_hooks.errors import Misuse, Problem
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
