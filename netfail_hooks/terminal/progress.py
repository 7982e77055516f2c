"""What takes over two seconds, told while it does: by one line that is written over.

It is on standard error, so that what a command prints stays the same, and gone once that prints
more or ends. Where that is no terminal, a step that lasts is a line, told once.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from netfail_hooks.terminal import Screen, columns, escaped

AFTER = 2.0  # seconds
_LASTS = 1.0  # seconds after which a program, or a wait, in no step of its own is worth naming
_EACH = 0.2  # seconds between two looks at what is being done
_HELD = 1.0  # seconds to wait for a terminal that takes nothing
_ERASED = "\r\033[K"  # ECMA-48: to the line's begin, erase to its end
_WAITING, _CUT = "waiting for ", "..."
_WORDS = 72  # characters of a step that is a line


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - len(_CUT))].rstrip() + _CUT


class _Step:
    """Something that is being done: ``most`` is after how many seconds it ends at the latest.

    It is named once it has lasted for ``after`` seconds.
    """

    def __init__(
        self, text: str, most: float, began: float, *, told: bool, after: float = 0
    ) -> None:
        self.text, self.most, self.began, self.told = escaped(text), most, began, told
        self.after = after

    def line(self, now: float, width: int) -> str:
        """Return it as a line that fits, how long it has been going on unabridged."""
        passed = max(0, int(now - self.began))
        took = f": {passed} s of at most {self.most:.0f}" if self.most else f": {passed} s"
        if len(self.text + took) > width and self.most:
            took = f": {passed} of {self.most:.0f} s"
        room = width - len(took)
        text = self.text if len(self.text) <= room else self.text.removeprefix(_WAITING)
        return _cut(text, room) + took

    def words(self) -> str:
        """Return it as a line for where nothing can be written over: a command may be long."""
        text = _cut(self.text, _WORDS)
        return f"{text} (at most {self.most:.0f} s)" if self.most else text


class _Line:
    """The line: ``over`` is a terminal's, that can be written over. Two threads use it."""

    def __init__(self, stream: TextIO, *, over: bool, clock: Callable[[], float]) -> None:
        import threading  # what is quick pays nothing

        self._stream, self._over, self._clock = stream, over, clock
        self._began = clock()
        self.steps: list[_Step] = []
        self._drawn = ""
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(_HELD)
        self.clear()

    def clear(self) -> None:
        """Leave no trace of it; it comes again with the next look."""
        self._alone(self._clear)

    def draw(self) -> None:
        """Show what is being done, if that has lasted long enough."""
        self._alone(self._draw)

    def _alone(self, what: Callable[[], None]) -> None:
        """Keep the other thread away; where it hangs, as after Ctrl-S, nobody waits for the line.

        Nor does it matter where nobody looks on any more.
        """
        if self._lock.acquire(timeout=_HELD):
            try:
                with contextlib.suppress(OSError, ValueError, LookupError):
                    what()
            finally:
                self._lock.release()

    def _clear(self) -> None:
        if self._drawn:
            self._drawn = ""
            self._write(_ERASED)

    def _draw(self) -> None:
        now = self._clock()
        step = next(one for one in reversed(self.steps[:]) if now - one.began >= one.after)
        if self._over and now - self._began >= AFTER:
            line = step.line(now, columns(self._stream) - 1)
            if line != self._drawn:
                self._drawn = line
                self._write(_ERASED + line)
        elif not self._over and now - step.began >= AFTER and not step.told:
            step.told = True
            self._write(f"{step.words()}\n")

    def push(self, text: str, most: float, *, told: bool, after: float = 0) -> _Step:
        step = _Step(text, most, self._clock(), told=told, after=after)
        self.steps.append(step)
        return step

    def _write(self, text: str) -> None:
        """Write past Python's buffer: what hangs in there would hold up the end of the program."""
        data = text.encode(self._stream.encoding or "ascii", "backslashreplace")
        os.write(self._stream.fileno(), data)

    def _work(self) -> None:
        while not self._ended.wait(_EACH):
            self.draw()


_shown: list[_Line] = []  # none, or the one of the command that runs


@contextlib.contextmanager
def shown(
    text: str, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Show inside what is being done, ``text`` where nothing more precise is told."""
    if quiet or _shown:
        with doing(text):
            yield
        return
    stream = sys.stderr.stream if isinstance(sys.stderr, Screen) else sys.stderr
    over = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    line = _Line(stream, over=over, clock=clock)
    line.push(text, 0, told=True)
    screens = [one for one in (sys.stdout, sys.stderr) if isinstance(one, Screen)]
    _shown.append(line)
    line.begin()
    try:
        for screen in screens:
            screen.clear = line.clear
        yield
    finally:
        _shown.remove(line)
        line.end()
        for screen in screens:
            screen.clear = bool


@contextlib.contextmanager
def doing(text: str, most: float = 0, *, told: bool = False) -> Iterator[None]:
    """Name what is done inside, ``most`` seconds at the latest; nothing where none is shown.

    ``told``: where no line can be written over, it is told by other means.
    """
    if not _shown:
        yield
        return
    steps = _shown[0].steps
    step = _shown[0].push(text, most, told=told)
    try:
        yield
    finally:
        steps.remove(step)


@contextlib.contextmanager
def lasting(text: str, most: float) -> Iterator[None]:
    """Name a program that runs inside, or what is waited for, where nobody has said it better.

    That is where no step is named, or one that nobody knows the end of.
    """
    if not _shown or _shown[0].steps[-1].most:
        yield
        return
    steps = _shown[0].steps
    step = _shown[0].push(text, most, told=False, after=_LASTS)
    try:
        yield
    finally:
        steps.remove(step)
