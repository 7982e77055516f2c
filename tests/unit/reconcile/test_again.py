"""When to look again without a timer."""

from __future__ import annotations

import pytest

from netfail_hooks.install import units
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.reconcile import again
from netfail_hooks.values import replace
from tests.support.world import config_of

NOW = 1_002_000
CONFIG = config_of("eth0", "wlan0", interval=0)
UP = UplinkState("eth0", 4, "up", 1)
HELD = replace(UP, state="recovering", ready=NOW + 1)


@pytest.mark.parametrize(
    ("uplink_states", "when"),
    [
        ([], 0),
        ([UP, replace(UP, state="absent"), replace(UP, state="down", reason="gone")], 0),
        ([UP, HELD], NOW + 1),
        ([replace(HELD, ready=NOW + 7), HELD], NOW + 1),
        ([replace(HELD, ready=NOW)], 1_010_000),
        ([replace(UP, state="down", fails=1)], 1_010_000),
        ([replace(UP, fails=1), replace(HELD, ready=NOW + 9_000)], 1_010_000),
    ],
)
def test_it_looks_again_when_something_is_to_come(
    uplink_states: list[UplinkState], when: int
) -> None:
    after = State(uplinks=tuple(uplink_states))
    assert again.due(CONFIG, after, NOW) == when
    assert again.due(replace(CONFIG, interval=1), after, NOW) == 0
    assert again.due(replace(CONFIG, mode="bond"), after, NOW) == 0


def test_it_starts_the_check() -> None:
    assert again.SERVICE == units.SERVICE
