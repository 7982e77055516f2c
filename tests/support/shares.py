"""What is too much for every day: a share of it, another one each day.

``@pytest.mark.share(2)`` on a test takes two of its members; all of them are taken by
``--every-kill-point``, by name (``test_file.py::test``), and where what failed is run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar

import pytest

_DAY = "NETFAIL_TEST_DAY"  # of whoever starts them: workers must collect alike, at midnight too
_Member = TypeVar("_Member")


def of_day(members: Sequence[_Member], number: int, day: int) -> list[_Member]:
    """Return so many members: day by day the next ones, so that each has its turn."""
    number = min(number, len(members))
    return [members[(day * number + place) % len(members)] for place in range(number)]


def first_of_day(nth: int, day: int) -> int:
    """Return the first of each n-th moment that is taken on a day, from 1 on."""
    return 1 + day % nth


def _today() -> int:
    return int(os.environ[_DAY])


def _takes_all(config: pytest.Config) -> bool:
    by_name = any("::" in argument for argument in config.invocation_params.args)
    again = config.getoption("lf", default=False)
    return bool(config.getoption("every_kill_point") or by_name or again)


def todays(config: pytest.Config, members: Sequence[_Member], number: int) -> list[_Member]:
    """Return the share of members that is taken today, or all of them."""
    return list(members) if _takes_all(config) else of_day(members, number, _today())


def moments(config: pytest.Config, nth: int) -> Iterator[int]:
    """Yield 1 and on: each n-th number, others the day after, or all of them."""
    return count(1) if _takes_all(config) else count(first_of_day(nth, _today()), nth)


def configure(config: pytest.Config) -> None:
    """Make the marker known, and the day."""
    config.addinivalue_line("markers", "share(number): take so many of its members each day")
    os.environ.setdefault(_DAY, str(datetime.now(UTC).toordinal()))


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not today's."""
    shared: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("share"):
            shared.setdefault(item.nodeid.partition("[")[0], []).append(item)
    out: list[pytest.Item] = []
    for members in shared.values():
        marker = members[0].get_closest_marker("share")
        assert marker
        kept = todays(config, members, *marker.args)
        out += [item for item in members if item not in kept]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
