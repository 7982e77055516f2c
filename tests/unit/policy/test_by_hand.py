"""What a person asks for by hand, told as stories; and failback that waits for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import Order
from netfail_hooks.policy.state import STATES as CONDITIONS
from netfail_hooks.policy.watch import is_at_rest
from netfail_hooks.reconcile.again import due
from netfail_hooks.values import replace
from tests.support.world import SECOND, STATES, World, config_of

NAMES = ("eth0", "wlan0", "usb0")


def _world(*orders: Order, failback: str = "auto") -> World:
    world = World(replace(config_of(*NAMES), failback=failback))
    world.reconcile()
    _order(world, *orders)
    return world


def _order(world: World, *orders: Order) -> None:
    world.config = replace(world.config, orders=orders)
    world.reconcile()


def _condition(world: World, name: str) -> str:
    judged = world.state.uplink_state(name, 4)
    assert judged is not None
    assert judged.state in CONDITIONS
    return judged.state


@pytest.mark.parametrize("name", NAMES)
def test_the_uplink_to_use_carries_the_traffic_and_none_is_lost(name: str) -> None:
    world = _world(Order("use", name))
    assert (world.way(4), world.way(6)) == (name, name)
    assert [_condition(world, one) for one in NAMES] == ["up"] * 3
    _order(world)
    assert world.way() == "eth0"
    assert (world.routes, world.addresses) == ([], [])


def test_the_uplink_to_use_gives_way_when_it_fails_and_gets_the_traffic_back() -> None:
    world = _world(Order("use", "wlan0"))
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert world.way() == "eth0"
    world.event("wlan0", "routable")
    world.now += 10 * SECOND
    world.reconcile()
    world.now += 10 * SECOND
    world.reconcile()
    assert world.way() == "wlan0"


def test_a_disabled_uplink_is_left_at_once_and_comes_back_after_its_hold_down() -> None:
    world = _world(Order("disable", "eth0"))
    assert world.way() == "wlan0"
    judged = world.state.uplink_state("eth0", 4)
    assert judged
    assert (judged.state, judged.reason, judged.hold) == ("down", "disabled by hand", 10)
    assert is_at_rest(world.config, world.look(), world.state)
    world.event("eth0", "no-carrier")  # the cable, as announced
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    assert world.way() == "wlan0"
    _order(world)
    assert (_condition(world, "eth0"), world.way()) == ("recovering", "wlan0")
    world.now += 10 * SECOND
    world.reconcile()
    assert world.way() == "eth0"


def test_being_disabled_again_and_again_does_not_double_the_hold_down() -> None:
    world = _world()
    for _ in range(5):
        _order(world, Order("disable", "eth0"))
        _order(world)
        world.now += 10 * SECOND
        world.reconcile()
        assert world.way() == "eth0"


@pytest.mark.parametrize(("quiet", "hold"), [(False, 20), (True, 10)])
def test_losses_of_long_ago_count_no_more_where_it_is_disabled_either(
    hold: int, *, quiet: bool
) -> None:
    world = _world()
    for _ in range(2):
        for event in ("no-carrier", "routable"):
            world.event("eth0", event)
            world.reconcile()
        world.now += 20 * SECOND
        world.reconcile()
    assert _condition(world, "eth0") == "up"
    world.now += world.config.quiet * SECOND if quiet else SECOND
    _order(world, Order("disable", "eth0"))
    judged = world.state.uplink_state("eth0", 4)
    assert judged
    assert judged.hold == hold


def test_with_nothing_else_a_disabled_uplink_is_better_than_none() -> None:
    world = _world(Order("disable", "eth0"))
    for name in ("wlan0", "usb0"):
        world.event(name, "no-carrier")
        world.reconcile()
    assert world.way() == "eth0"


@pytest.mark.parametrize("reason", ["disabled", "absent"])
def test_one_that_lost_its_way_is_better_than_one_at_whose_cable_somebody_is(reason: str) -> None:
    world = _world(Order("disable", "eth0"))
    world.event("usb0", "missing" if reason == "absent" else "routable")
    world.sick = {"wlan0", "usb0"}
    for _ in range(4):
        world.reconcile()
    assert _condition(world, "wlan0") == "down"
    assert world.way() == "wlan0"


def test_one_that_was_disabled_at_boot_has_its_hold_down_when_it_is_enabled() -> None:
    world = World(replace(config_of(*NAMES), orders=(Order("disable", "eth0"),)))
    world.reconcile()
    assert (_condition(world, "eth0"), world.way()) == ("down", "wlan0")
    _order(world)
    assert (_condition(world, "eth0"), world.way()) == ("recovering", "wlan0")
    world.now += 10 * SECOND
    world.reconcile()
    assert world.way() == "eth0"


def test_one_that_had_no_address_yet_is_not_lost_by_being_disabled() -> None:
    world = World(replace(config_of(*NAMES), orders=(Order("disable", "eth0"),)))
    world.event("eth0", "degraded")
    world.reconcile()
    assert _condition(world, "eth0") == "absent"


def test_the_end_of_an_order_is_a_moment_to_look() -> None:
    world = _world(Order("use", "wlan0", until=1_060_000))
    assert due(world.config, world.look(), world.state) == 1_060_000
    world.now = 1_060_000
    world.reconcile()
    assert world.way() == "eth0"
    assert due(world.config, world.look(), world.state) == 0


def test_manual_failback_waits_for_a_person() -> None:
    world = _world(failback="manual")
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    for _ in range(5):
        world.now += 100 * SECOND
        world.reconcile()
        assert world.way() == "wlan0"
    assert _condition(world, "eth0") == "up"
    world.event("wlan0", "off")
    world.reconcile()
    assert world.way() == "eth0"


def test_manual_failback_goes_back_by_hand() -> None:
    world = _world(failback="manual")
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    world.now += 10 * SECOND
    world.reconcile()
    assert world.way() == "wlan0"
    _order(world, Order("use", "eth0", until=world.now + SECOND))
    world.now += SECOND
    _order(world)
    assert world.way() == "eth0"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(STATES)),
            st.lists(
                st.builds(Order, st.sampled_from(("use", "disable")), st.sampled_from(NAMES)),
                max_size=3,
            ),
            st.integers(1, 400_000),
        ),
        max_size=20,
    ),
    st.sampled_from(("auto", "manual")),
)
def test_whatever_is_asked_for_an_uplink_that_is_up_carries_and_a_second_look_changes_nothing(
    steps: list[object], failback: str
) -> None:
    world = _world(failback=failback)
    for step in steps:
        match step:
            case (str(name), str(state)):
                world.event(name, state)
                world.reconcile()
            case list(orders):
                _order(world, *orders)
            case int(time):
                world.now += time
                world.reconcile()
        assert world.reconcile() == ()
        up = [name for name in NAMES if _condition(world, name) == "up"]
        assert not up or world.way() in up
        disabled = world.config.ordered("disable", world.now)
        assert not set(up) & set(disabled)
        wanted = [name for name in world.config.ordered("use", world.now) if name in up]
        assert not wanted or world.way() == wanted[0]
    world.now += 4_000 * SECOND
    for name in NAMES:
        world.event(name, "routable")
    _order(world)
    world.now += 4_000 * SECOND
    world.reconcile()
    assert failback == "manual" or world.way() == "eth0"
