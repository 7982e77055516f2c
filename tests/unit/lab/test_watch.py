"""The record of default routes: gaps and spans from a list of events."""

from __future__ import annotations

from typing import Any

import pytest

from netfail_hooks.lab.watch import Moment, story

ETH, WLAN = 2, 3
BEGIN = [0.0, "all", [[4, 100, ETH], [4, 600, WLAN]], [[1, True], [ETH, True], [WLAN, True]]]


def _ways(*entries: Any) -> list[int]:
    return [moment.best(4) for moment in story([BEGIN, *entries])]


@pytest.mark.parametrize(
    ("entries", "ways"),
    [
        ([], [ETH]),
        ([[1.0, "link", ETH, False]], [ETH, WLAN]),
        ([[1.0, "link", WLAN, False], [2.0, "link", ETH, False]], [ETH, ETH, 0]),
        ([[1.0, "route", False, 4, 100, ETH, False]], [ETH, WLAN]),
        ([[1.0, "route", True, 4, 50, WLAN, False]], [ETH, WLAN]),
        (
            [[1.0, "route", True, 4, 50, WLAN, False], [2.0, "route", True, 4, 50, ETH, True]],
            [ETH, WLAN, ETH],
        ),
        ([[1.0, "route", True, 6, 1, WLAN, False]], [ETH, ETH]),
        ([[1.0, "all", [], [[ETH, True]]]], [ETH, 0]),
    ],
)
def test_events_tell_which_way_is_used(entries: list[Any], ways: list[int]) -> None:
    assert _ways(*entries) == ways


def test_a_replaced_route_leaves_nothing_behind() -> None:
    entries = [
        [1.0, "route", True, 4, 50, WLAN, False],
        [2.0, "route", True, 4, 50, ETH, True],
        [3.0, "route", False, 4, 50, ETH, False],
    ]
    *_, last = story([BEGIN, *entries])
    routes = frozenset({(4, 100, ETH), (4, 600, WLAN)})
    assert last == Moment(3.0, routes, frozenset({1, ETH, WLAN}))
