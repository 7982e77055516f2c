"""Run another program, or wait until something is so: both for as long as we have patience.

Not for hooks and checks, which start nothing but what nobody waits for: subprocess costs 10 ms.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping

from netfail_hooks.errors import Problem
from netfail_hooks.terminal.progress import lasting

ENGLISH = {"LC_ALL": "C"}  # for what translates the words that we parse
_UNCHANGED: Mapping[str, str] = {}
_VERSION = re.compile(r"(\d+)\.(\d+)")
_SHOWN = 300  # characters of what a program said, its last ones: there the reason is


class TooSlow(Problem):
    """A program that went on for longer than it may: it is killed, and so without an answer."""


def run(
    *argv: str,
    seconds: float = 30,
    check: bool = True,
    environment: Mapping[str, str] = _UNCHANGED,
) -> subprocess.CompletedProcess[str]:
    """Run a program, with ``environment`` beside our own, and return what came of it.

    Raises Problem, with what it said: it can't be run, it goes on after ``seconds`` (TooSlow), or
    with ``check`` it fails.
    """
    command = " ".join(argv)
    try:
        with lasting(f"running {command}", seconds):
            done = subprocess.run(
                argv,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
    except subprocess.TimeoutExpired:
        raise TooSlow(
            f"{command}: no answer within {seconds:g} s, so it was ended",
            hint="a busy machine needs longer: try again; if that does not help, run it by hand",
        ) from None
    except OSError as error:
        raise Problem(f"{command}: {error}") from None
    if check and done.returncode:
        raise Problem(f"{command}: {failure(done)}")
    return done


def version(program: str) -> tuple[int, int] | None:
    """Return the first two numbers of a program's version, None where it tells none.

    Raises Problem.
    """
    done = run(program, "--version", seconds=10, check=False, environment=ENGLISH)
    found = _VERSION.search(done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a program failed, as it said."""
    said = " ".join((done.stderr or done.stdout).split())
    return said[-_SHOWN:] or f"exit status {done.returncode}"


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, *, step: float = 0.02, hint: str = ""
) -> None:
    """Return once ``condition`` holds, asked every ``step`` seconds.

    Raises Problem, which names ``what`` was waited for, after ``seconds``; ``hint`` is what a
    person can do then, where one is told of it.
    """
    end = time.monotonic() + seconds
    with lasting(f"no {what} yet", seconds):
        while not condition():
            if time.monotonic() > end:
                raise Problem(f"after {seconds:g} s still no {what}", hint=hint)
            time.sleep(step)
