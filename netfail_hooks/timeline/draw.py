"""``netfail-hooks log --timeline`` and ``--svg``: the flight recorder, drawn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from netfail_hooks import terminal
from netfail_hooks.kernel.observe import now as since_boot
from netfail_hooks.recorder import boot_id
from netfail_hooks.recorder.text import nothing
from netfail_hooks.terminal.layout import message
from netfail_hooks.timeline import Now, Point, Timeline, end, point, timeline, window


def draw(
    lines: Iterable[str],
    earliest: datetime | None,
    last: int | None,
    picture: Callable[[str], None] | None,
    *,
    ended: bool = False,
) -> int:
    """Draw the recorder's lines on the terminal, or give the text of a picture to ``picture``.

    From ``earliest``, or from the ``last`` so many transitions, until now; of a recording that has
    ``ended``, as another machine's, until a little after its last transition. Returns how many
    lines are damaged. Raises OSError where the file can't be written.
    """
    points, damaged = _points(lines)
    present = end(points) if ended and points else _present()
    begin = window(points, present, earliest.timestamp() if earliest else None, last)
    if not points or begin >= present.time:
        told = nothing(since=bool(points and earliest))
        print(*message(f"netfail-hooks: {told}", sys.stderr), sep="\n", file=sys.stderr)
        return damaged
    found = timeline(points, present, begin)
    if picture is None:
        _print(found)
    else:
        from netfail_hooks.timeline.svg import render

        picture(render(found))
    return damaged


def _present() -> Now:
    return Now(time.time(), boot_id(), since_boot() / 1000)


def _points(lines: Iterable[str]) -> tuple[list[Point], int]:
    points, damaged = [], 0
    for line in lines:
        try:
            points.append(point(line))
        except ValueError:
            damaged += 1
    return points, damaged


def _print(found: Timeline) -> None:
    from netfail_hooks.timeline.text import render

    print(render(found, terminal.columns(), utf8=terminal.utf8(), colour=terminal.colours()))
