"""How fast this machine is just now: what a failover needs is a program that starts and ends.

A thread that sleeps learns little: a scheduler that favours who asks for little (sched(7)) wakes
it in time while all that works stands still. So a program that does nothing is started, again and
again, and what that takes is noted: on a busy machine, a slow one, and in a group that is allowed
little of its processor (cpu.max in the kernel's admin-guide/cgroup-v2.rst) alike.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Self

Window = tuple[float, float]  # ``time.monotonic`` seconds
# A hook is some ten such programs' worth, a failback twenty, with the checks that go before it:
# at this pace it takes longer than any act of the demo is waited for.
TOO_SLOW = 0.5  # seconds; some 0.02 s are usual, 0.1 s on the smallest machines
_EACH = 0.25  # seconds between two
_NOTHING = (sys.executable, "-ISc", "")


class Pace:
    """A record of that, from entering the context until leaving it."""

    def __init__(self) -> None:
        self._taken: list[Window] = []
        self._due = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._due = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.is_set():
            subprocess.run(_NOTHING, check=False, stdin=subprocess.DEVNULL)
            ended = time.monotonic()
            self._taken.append((self._due, ended))
            self._due = ended + _EACH
            self._ended.wait(_EACH)

    def slowest(self, between: Window | None = None) -> float:
        """Return the seconds of the slowest one in a time, or in all of it, one under way too."""
        begin, end = between or (0.0, time.monotonic())
        taken = [*self._taken, (self._due, time.monotonic())]
        inside = (late - due for due, late in taken if due < end and late > begin)
        return max(inside, default=0.0)
