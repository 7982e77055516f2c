"""Draw a timeline in characters: a line an uplink, the best seen where much is in a column.

A column shows the gravest state in its time, so that an outage of a second is seen in a year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from itertools import groupby

from netfail_hooks.terminal import STATE_COLOURS, painter, span
from netfail_hooks.timeline import ABSENT, State, Timeline, Track
from netfail_hooks.timeline.axis import marks

_NAMES = {
    State("up", carries=True): "carries the traffic",
    State("recovering", carries=True): "carries it while recovering",
    State("down", carries=True): "carries it though down",
    State("up", carries=False): "up",
    State("recovering", carries=False): "recovering",
    State("down", carries=False): "down",
}
_UTF8 = dict(zip(_NAMES, "█▓▒─░x", strict=True))  # all are in a console's font too
_ASCII = dict(zip(_NAMES, "#%@-~x", strict=True))
_LEAST = 20  # columns to draw in, however narrow the terminal
_LABEL, _BETWEEN = 10, 2
_SHARE = 6  # columns of " 100 %"


def render(
    found: Timeline,
    width: int,
    *,
    utf8: bool = True,
    colour: bool = False,
    zone: tzinfo | None = None,
) -> str:
    """Return the drawing, ``width`` columns wide; ``zone`` None is the local time zone."""
    signs = _UTF8 if utf8 else _ASCII
    head = max([len("boot"), *(len(one.name) for one in found.tracks)]) + _BETWEEN
    room = max(width - head - _SHARE, _LEAST)
    rows = {one.name: cells(one, found, room) for one in found.tracks}
    lines = [_title(found, room, zone)]
    lines += [
        f"{track.name:{head}}{_row(rows[track.name], signs, colour=colour)}{_share(track)}"
        for track in found.tracks
    ]
    tick = "│" if utf8 else "|"
    lines.append(" " * head + _axis(found, room, tick, zone))
    if found.boots:
        columns = {_column(one, found, room) for one in found.boots}
        sign = "▲" if utf8 else "^"
        line = "".join(sign if at in columns else " " for at in range(room))
        lines.append(f"{'boot':{head}}{line}".rstrip())
    used = {state for row in rows.values() for state in row}
    known = [f"{signs[state]} {told}" for state, told in _NAMES.items() if state in used]
    return "\n".join([*lines, *_wrapped(known, width)])


def cells(track: Track, found: Timeline, room: int) -> list[State]:
    """Return an uplink's state in each of ``room`` columns, the gravest of each."""
    row = [ABSENT] * room
    for one in track.spans:
        first = _column(one.begin, found, room)
        last = math.ceil(_place(one.end, found, room)) - 1
        for at in range(first, max(last, first) + 1):
            row[at] = max(row[at], one.state, key=_weight)
    return row


def _weight(state: State) -> tuple[int, bool]:
    return state.weight


def _place(moment: float, found: Timeline, room: int) -> float:
    return (moment - found.begin) / (found.end - found.begin) * room


def _column(moment: float, found: Timeline, room: int) -> int:
    return min(max(int(_place(moment, found, room)), 0), room - 1)


def _row(row: Sequence[State], signs: dict[State, str], *, colour: bool) -> str:
    paint = painter(colour=colour)
    text = ""
    for state, group in groupby(row):
        drawn = signs.get(state, " ") * len(list(group))
        text += paint(drawn, STATE_COLOURS[state.state]) if state in signs else drawn
    return text


def _share(track: Track) -> str:
    """Return the part of the time in which it carried the traffic, 0 and 100 only if exactly."""
    percent = round(track.share * 100)
    if 0 < track.share < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent:{_SHARE - 2}} %"


def _title(found: Timeline, room: int, zone: tzinfo | None) -> str:
    first = datetime.fromtimestamp(found.begin, zone)
    last = datetime.fromtimestamp(found.end, zone)
    until = last.strftime("%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M:%S")
    length = found.end - found.begin
    column = span(round(length / room)) if length >= room else f"{length / room * 1000:.0f} ms"
    return (
        f"{first.strftime('%Y-%m-%d %H:%M:%S')} to {until}: {span(round(length))}, "
        f"{column} a column"
    )


def _axis(found: Timeline, room: int, tick: str, zone: tzinfo | None) -> str:
    line = ""
    for one in marks(found.begin, found.end, room // (_LABEL + _BETWEEN), zone):
        at, label = _column(one.time, found, room), tick + one.label
        if at >= len(line) + bool(line) and at + len(label) <= room + _SHARE:
            line = f"{line:{at}}{label}"
    return line


def _wrapped(parts: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return lines
