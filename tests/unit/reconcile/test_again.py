"""When to look again without a timer."""

from __future__ import annotations

import pytest

from netfail_hooks.config import DISABLE, USE, Order
from netfail_hooks.install import units
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.reconcile import again
from netfail_hooks.values import replace
from tests.support.world import World, config_of

NOW = 1_002_000
CONFIG = config_of("eth0", "wlan0", interval=0)
UP = UplinkState("eth0", 4, "up", 1)
HELD = replace(UP, state="recovering", ready=NOW + 1)


@pytest.mark.parametrize(
    ("uplink_states", "hasty", "when"),
    [
        ([], False, 0),
        ([UP, replace(UP, state="absent"), replace(UP, state="down", reason="gone")], False, 0),
        ([UP, HELD], True, NOW + 1),
        ([replace(HELD, ready=NOW + 7), HELD], True, NOW + 1),
        ([replace(HELD, ready=NOW)], True, 0),
        ([replace(UP, state="down", fails=1)], True, 0),
        ([replace(UP, fails=1), replace(HELD, ready=NOW + 9_000)], True, NOW + 9_000),
        ([replace(UP, ready=NOW + 9)], False, 0),
    ],
)
def test_it_looks_again_when_something_is_to_come(
    uplink_states: list[UplinkState], when: int, *, hasty: bool
) -> None:
    after, observed = State(uplinks=tuple(uplink_states)), Observation(now=NOW)
    for interval, quick in ((0, hasty), (6, hasty), (60, hasty), (5, False), (1, False)):
        config = replace(CONFIG, interval=interval)
        assert again.due(config, observed, after) == when
        assert again.is_hasty(config, observed, after) is quick
    assert not again.is_hasty(replace(CONFIG, watch="off", interval=60), observed, after)
    assert not again.is_hasty(replace(CONFIG, quick=9, interval=9), observed, after)
    assert again.is_hasty(replace(CONFIG, quick=9, interval=10), observed, after) is hasty
    assert not again.is_hasty(replace(CONFIG, mode="bond"), observed, after)


@pytest.mark.parametrize("mode", ["routes", "bond"])
def test_it_looks_again_when_an_order_by_hand_ends(mode: str) -> None:
    orders = (Order(USE, "eth0", NOW + 9), Order(DISABLE, "wlan0", NOW + 5), Order(USE, "eth0"))
    config = replace(CONFIG, mode=mode, interval=0, failback="idle", orders=orders)
    assert again.due(config, Observation(now=NOW), State()) == NOW + 5
    assert again.due(config, Observation(now=NOW + 9), State()) == 0


def test_what_the_kernel_cannot_watch_is_asked_often() -> None:
    world = World(replace(CONFIG, interval=60))
    for watches, hasty in ((0, True), (1, False), (-1, False)):
        world.watches = watches
        world.reconcile()
        assert again.is_hasty(world.config, world.look(), world.state) is hasty


def test_it_starts_the_check() -> None:
    assert again.SERVICE == units.SERVICE
    assert again.QUICK == units.QUICK
    assert f"Unit={units.SERVICE}\n" in units.quick_text(5)
