"""The pace of a machine: how long it takes to start a program, and who is blamed for what."""

from __future__ import annotations

import random
import time

import pytest

from netfail_hooks.cli import demo
from netfail_hooks.demo import pace
from netfail_hooks.demo.pace import TOO_SLOW, Pace
from netfail_hooks.errors import Misuse, NotNow, NotPermitted, Problem


def test_each_start_of_a_program_counts_for_the_time_in_which_it_was() -> None:
    begin = time.monotonic()
    with Pace() as paced:
        time.sleep(0.5)
        ended = time.monotonic()
    assert 0 < paced.slowest((begin, ended)) <= paced.slowest()
    assert paced.slowest((begin - 10, begin - 5)) == 0


def test_one_that_is_under_way_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = random.uniform(TOO_SLOW, 2 * TOO_SLOW)  # noqa: S311 - no secret
    monkeypatch.setattr(pace, "_NOTHING", ("sleep", "2"))
    with Pace() as paced:
        begin = time.monotonic()
        time.sleep(seconds)
        assert paced.slowest() >= seconds
        assert paced.slowest((begin, time.monotonic())) >= seconds
    assert paced.slowest() >= 2


def _fail(kind: type[Problem], *, after: float) -> None:
    with demo._paced():
        time.sleep(after)
        raise kind("eth0 is not routable")


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("kind", [Problem, Misuse, NotPermitted])
def test_what_fails_is_put_down_to_the_machine_only_where_that_is_slow(
    monkeypatch: pytest.MonkeyPatch, kind: type[Problem], *, slow: bool
) -> None:
    """What is not permitted, or asked for wrongly, is so on any machine."""
    monkeypatch.setattr(pace, "_NOTHING", ("sleep", str(2 * TOO_SLOW)) if slow else ("true",))
    monkeypatch.setattr(demo, "TOO_SLOW", TOO_SLOW if slow else 1000)  # of a busy machine, too
    blamed = slow and kind is Problem
    with pytest.raises(NotNow if blamed else kind) as raised:
        _fail(kind, after=2 * TOO_SLOW if slow else 0)
    assert isinstance(raised.value, NotNow) is blamed
    if blamed:
        assert raised.value.__notes__ == ["eth0 is not routable"]
        assert "nothing about your network" in str(raised.value)
        assert "install" not in str(raised.value)
