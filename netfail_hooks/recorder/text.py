"""Recorded events as lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from netfail_hooks.recorder import events
from netfail_hooks.recorder.cause import cause
from netfail_hooks.recorder.events import Transition
from netfail_hooks.terminal import BAD, DULL, STATE_COLOURS, painter

_STATE = re.compile(r"(?<= IPv[46] )(?:up|recovering|down)\b")


def select(
    lines: Iterable[str], earliest: datetime | None
) -> tuple[list[tuple[Transition, str]], int]:
    """Return the events not before ``earliest``, each with its line, and how many lines are bad."""
    chosen = []
    damaged = 0
    for line in lines:
        try:
            event = events.parse(line)
        except ValueError:
            damaged += 1
            continue
        if earliest is None or event.time >= earliest:
            chosen.append((event, line.rstrip("\n")))
    return chosen, damaged


def nothing(*, since: bool) -> str:
    """Return what to tell where there is nothing to show; ``since``: of the time asked for."""
    if since:
        return "no transitions recorded in that time: without --since all are shown"
    return "no transitions recorded: one is, each time that an uplink is lost or comes back"


def render(event: Transition, *, colour: bool = False) -> str:
    """Return an event as lines for people, in local time."""
    paint = painter(colour=colour)
    when = paint(event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S"), DULL)
    summary = _STATE.sub(lambda match: paint(match[0], STATE_COLOURS[match[0]]), event.summary)
    why = cause(event.trigger, event.took_ms, acted=bool(event.did or event.failed))
    lines = [f"{when}  {summary} {paint(f'[{why}]', DULL)}"]
    lines += [f"    {change}" for change in event.did]
    lines += [f"    {paint('REFUSED', BAD)}: {change}" for change in event.failed]
    return "\n".join(lines)
