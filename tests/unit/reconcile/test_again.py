"""When to look again without a timer."""

from __future__ import annotations

import pytest

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
    ("uplink_states", "slow", "often"),
    [
        ([], 0, 0),
        ([UP, replace(UP, state="absent"), replace(UP, state="down", reason="gone")], 0, 0),
        ([UP, HELD], NOW + 1, NOW + 1),
        ([replace(HELD, ready=NOW + 7), HELD], NOW + 1, NOW + 1),
        ([replace(HELD, ready=NOW)], 1_005_000, 0),
        ([replace(UP, state="down", fails=1)], 1_005_000, 0),
        ([replace(UP, fails=1), replace(HELD, ready=NOW + 9_000)], 1_005_000, NOW + 9_000),
    ],
)
def test_it_looks_again_when_something_is_to_come(
    uplink_states: list[UplinkState], slow: int, often: int
) -> None:
    after, observed = State(uplinks=tuple(uplink_states)), Observation(now=NOW)
    for interval, when in ((0, slow), (6, slow), (60, slow), (5, often), (1, often)):
        assert again.due(replace(CONFIG, interval=interval), observed, after) == when
    assert again.due(replace(CONFIG, watch="off", interval=60), observed, after) == often
    assert again.due(replace(CONFIG, mode="bond"), observed, after) == 0


@pytest.mark.parametrize(
    ("now", "when"), [(0, 5), (2_499, 5), (2_500, 10), (5_001, 10), (7_501, 15)]
)
def test_who_comes_at_such_a_moment_is_told_the_next_one(now: int, when: int) -> None:
    after = State(uplinks=(replace(UP, fails=1),))
    assert again.due(CONFIG, Observation(now=now), after) == when * 1000
    assert again.due(replace(CONFIG, quick=10), Observation(now=0), after) == 10_000


def test_what_the_kernel_cannot_watch_is_asked_often() -> None:
    world = World(replace(CONFIG, interval=60))
    for watches, when in ((0, world.now + 5_000), (1, 0), (-1, 0)):
        world.watches = watches
        world.reconcile()
        assert again.due(world.config, world.look(), world.state) == when


def test_it_starts_the_check() -> None:
    assert again.SERVICE == units.SERVICE
