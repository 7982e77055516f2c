"""Tell managers and services what to do, and note what goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from netfail_hooks.errors import Problem
from netfail_hooks.managers import UnansweredError
from netfail_hooks.process import TooSlow, run

_TAKES = 90.0  # seconds for a manager to set an uplink up: dhclient waits for 60, nmcli for 30


def tell(*command: str, until: float = 0) -> None:
    """Have a manager, or a service, do something, ``until`` a time of the clock. Raises Problem.

    One that hangs (UnansweredError) is not networkd, and does not speak for it (``_put_back`` in
    diversion.py).
    """
    try:
        run(*command, seconds=max(1, until - time.monotonic()) if until else _TAKES)
    except TooSlow as problem:
        raise UnansweredError(str(problem)) from None


def attempt(*command: str) -> None:
    """Have something done, if it can be: where not, that is no matter."""
    with contextlib.suppress(Problem):
        run(*command)


@contextlib.contextmanager
def collecting(messages: list[str]) -> Iterator[None]:
    """Have a problem told at the end: what follows is done all the same."""
    try:
        yield
    except (Problem, OSError) as problem:
        messages.append(str(problem))
