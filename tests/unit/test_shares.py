"""What is taken of what is too much for every day: each has its turn."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as some

from netfail_hooks.paths import package_home
from tests.support.shares import first_of_day, of_day

_FILE = "tests/lab/test_corpus.py"


@given(some.integers(1, 40), some.integers(1, 40), some.integers(700_000, 800_000))
def test_each_member_has_its_turn(size: int, number: int, first: int) -> None:
    members = range(size)
    enough = -(-size // number)  # days
    days = [of_day(members, number, first + day) for day in range(enough)]
    assert {one for day in days for one in day} == set(members)
    assert all(len(set(day)) == len(day) == min(number, size) for day in days)


@given(some.integers(1, 40), some.integers(700_000, 800_000))
def test_each_moment_has_its_day(nth: int, day: int) -> None:
    firsts = {first_of_day(nth, day + later) for later in range(nth)}
    assert firsts == set(range(1, nth + 1))


def _collected(day: int, *words: str) -> list[str]:
    """Return the members that a run on a day has."""
    asked = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*asked, *words],
        cwd=package_home(),
        env={**os.environ, "NETFAIL_TEST_DAY": str(day)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if "[" in line]


def test_a_day_has_its_share_and_who_asks_for_all_has_all() -> None:
    every = _collected(1, _FILE, "--every-kill-point")
    today, tomorrow = (_collected(day, _FILE) for day in (1, 2))
    assert len(today) == len(tomorrow) == 4 < len(every)
    assert not set(today) & set(tomorrow)
    assert {*today, *tomorrow} < set(every)
    assert _collected(1, f"{_FILE}::{every[0].partition('::')[2].partition('[')[0]}") == every
