"""What makes a run look closer where there is much that is not ours."""

from __future__ import annotations

import pytest

from netfail_hooks.policy.facts import Link, Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.reconcile.closer import may_be_left

_BEFORE = State(
    uplinks=(
        UplinkState("eth0", 4, "up", 0, index=2),
        UplinkState("wlan0", 4, "up", 0, index=3),
    )
)


@pytest.mark.parametrize(
    ("links", "left"),
    [
        ({"eth0": 2, "wlan0": 3}, False),
        ({"wlan0": 3}, True),  # eth0 may have another name
        ({"eth0": 9, "wlan0": 3}, True),  # another device has its name
        ({"eth0": 3, "wlan0": 2}, True),
    ],
)
def test_who_was_an_uplink_by_name_or_number_may_have_what_is_ours(
    links: dict[str, int], *, left: bool
) -> None:
    found = tuple(
        Link(name, index, up=True, carrier=True, down_count=0, mac="")
        for name, index in links.items()
    )
    observed = Observation(now=0, links=found)
    assert may_be_left(_BEFORE, observed, always=False) == left
    assert may_be_left(_BEFORE, observed, always=True)
