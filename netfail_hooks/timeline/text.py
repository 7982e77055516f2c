"""Draw a timeline in characters: a line for each uplink.

A column shows the gravest state in its time, so that an outage of a second is seen in a year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from itertools import groupby

from netfail_hooks.terminal import STATE_COLOURS, painter
from netfail_hooks.terminal import span as duration
from netfail_hooks.terminal.layout import fit
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
_SHARES = "right: time with traffic, IPv4 or IPv6"


def render(
    timeline: Timeline,
    width: int,
    *,
    utf8: bool = True,
    colour: bool = False,
    zone: tzinfo | None = None,
) -> str:
    """Return the drawing, ``width`` columns wide; ``zone`` None is the local time zone."""
    signs = _UTF8 if utf8 else _ASCII
    head = max([len("drill"), *(len(track.name) for track in timeline.tracks)]) + _BETWEEN
    room = max(width - head - _SHARE, _LEAST)
    rows = {track.name: cells(track, timeline, room) for track in timeline.tracks}
    lines = _title(timeline, room, width, zone)
    lines += [
        f"{track.name:{head}}{_row(rows[track.name], signs, colour=colour)}{_share(track)}"
        for track in timeline.tracks
    ]
    tick = "│" if utf8 else "|"
    lines.append(" " * head + _axis(timeline, room, tick, zone))
    sign = "▲" if utf8 else "^"
    for name, moments in (("boot", timeline.boots), ("drill", timeline.drills)):
        columns = {_column(moment, timeline, room) for moment in moments}
        line = "".join(sign if at in columns else " " for at in range(room))
        lines += [f"{name:{head}}{line}".rstrip()] if columns else []
    used = {state for row in rows.values() for state in row}
    known = [f"{signs[state]} {name}" for state, name in _NAMES.items() if state in used]
    return "\n".join([*lines, *_wrapped([*known, _SHARES], width)])


def cells(track: Track, timeline: Timeline, room: int) -> list[State]:
    """Return an uplink's state in each of ``room`` columns, the gravest of each."""
    row = [ABSENT] * room
    for span in track.spans:
        first = _column(span.begin, timeline, room)
        last = math.ceil(_place(span.end, timeline, room)) - 1
        for at in range(first, max(last, first) + 1):
            row[at] = max(row[at], span.state, key=lambda state: state.weight)
    return row


def _place(moment: float, timeline: Timeline, room: int) -> float:
    return (moment - timeline.begin) / (timeline.end - timeline.begin) * room


def _column(moment: float, timeline: Timeline, room: int) -> int:
    return min(max(int(_place(moment, timeline, room)), 0), room - 1)


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


def _title(timeline: Timeline, room: int, width: int, zone: tzinfo | None) -> list[str]:
    first = datetime.fromtimestamp(timeline.begin, zone)
    last = datetime.fromtimestamp(timeline.end, zone)
    until = last.strftime("%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M:%S")
    length = timeline.end - timeline.begin
    column = duration(round(length / room)) if length >= room else f"{length / room * 1000:.0f} ms"
    times = f"{first.strftime('%Y-%m-%d %H:%M:%S')} to {until}"
    return fit(f"{times}: {duration(round(length))}; each column is {column}", max(width, _LEAST))


def _axis(timeline: Timeline, room: int, tick: str, zone: tzinfo | None) -> str:
    line = ""
    for mark in marks(timeline.begin, timeline.end, room // (_LABEL + _BETWEEN), zone):
        at, label = _column(mark.time, timeline, room), tick + mark.label
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
