"""A program runs as long as we have patience, and its failure is told in its own words."""

from __future__ import annotations

import sys
import time

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.process import ENGLISH, TooSlow, run, wait_until


def _python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


def test_what_it_prints_is_returned_whatever_bytes_these_are() -> None:
    done = run(*_python("import sys; sys.stdout.buffer.write(b'a\\xff')"))
    assert done.stdout == "a�"


def test_it_has_nothing_to_read_and_the_language_that_is_asked() -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.environ['LC_ALL'])"
    assert run(*_python(code), environment=ENGLISH).stdout == "'' C\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('no\\nsuch   link')", "no such link$"),
        ("print('beside'); raise SystemExit(3)", "beside$"),
        ("raise SystemExit(3)", "exit status 3$"),
        ("import sys; sys.exit('x' * 1000 + ' the reason')", "x the reason$"),
    ],
)
def test_a_failure_is_told_as_it_said(code: str, reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        run(*_python(code))
    assert run(*_python(code), check=False).returncode


def test_one_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(Problem, match=r"netfail-none --now: .*No such file"):
        run("netfail-none", "--now", check=False)


def test_one_that_does_not_end_is_killed() -> None:
    began = time.monotonic()
    with pytest.raises(Problem, match="no answer within"):
        run(*_python("import time; time.sleep(60)"), seconds=0.1, check=False)
    assert time.monotonic() - began < 10


def test_a_program_that_goes_on_for_too_long_is_told_from_one_that_fails() -> None:
    with pytest.raises(TooSlow, match="no answer within"):
        run("sleep", "30", seconds=0.05)
    for failing in (["false"], ["/nowhere/at/all"]):
        with pytest.raises(Problem) as told:
            run(*failing, seconds=10)
        assert not isinstance(told.value, TooSlow)


def test_waiting_ends_with_the_condition() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), 10, "answer", step=0)
    assert not list(answers)


def test_waiting_ends_with_our_patience_after_a_last_look() -> None:
    with pytest.raises(Problem, match=r"after 0.01 s still no answer"):
        wait_until(lambda: False, 0.01, "answer", step=0)
    wait_until(lambda: True, 0, "answer")
