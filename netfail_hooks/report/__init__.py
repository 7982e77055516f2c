"""What ``report`` tells of a machine: how its uplinks are, and how they were for a month."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from netfail_hooks.doctor.again import look
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.doctor.report import report as diagnose
from netfail_hooks.errors import Problem
from netfail_hooks.kernel.observe import now as since_boot
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import boot_id, drills, events
from netfail_hooks.recorder.drills import Outcome
from netfail_hooks.report.history import Cause, Outage, Period, cause, outages, period, periods
from netfail_hooks.status import collect
from netfail_hooks.status.bond import BondReport
from netfail_hooks.status.values import Report
from netfail_hooks.terminal.progress import doing
from netfail_hooks.timeline import Now, Point, end, point, window

WHOLE = "recording"  # the name of its only period where it is shown alone


@dataclass(frozen=True)
class Page:
    """All that is told; ``damaged`` lines of the log could not be read.

    ``status`` and ``diagnosis`` are None for a recording alone: of its machine no more is known.
    """

    host: str
    time: float
    status: Report | BondReport | None
    periods: tuple[Period, ...]
    outages: tuple[Outage, ...]
    diagnosis: Diagnosis | None
    damaged: int
    drills: tuple[Outcome, ...] = ()  # the last ones, the newest first


def page(paths: Paths) -> Page:
    """Look at the machine and its log. Raises Problem."""
    with doing("reading the log", told=True):
        points, causes, damaged = _recorded(events.lines(paths.log))
    with doing("looking at the uplinks", told=True):
        status = collect(paths)
    present = Now(time.time(), boot_id(), since_boot() / 1000)
    shown = periods(points, present)
    return Page(
        host=os.uname().nodename,
        time=present.time,
        status=status,
        periods=shown,
        outages=outages(shown[-1].timeline, points, present, causes),
        diagnosis=diagnose(*look(paths)),
        damaged=damaged,
        drills=drills.history(paths),
    )


def recording_page(place: str, lines: Iterable[str]) -> Page:
    """Return what a recording tells, whosever it is. Raises Problem where that is nothing."""
    points, causes, damaged = _recorded(lines)
    if not points:
        hint = "name the recorder's file, the demo's, or a bundle"
        raise Problem(f"{place}: no transitions recorded in there", hint=hint)
    last = end(points)
    whole = period(WHOLE, points, last, window(points, last, None, None))
    return Page(
        host=f"the recording {os.path.basename(place)}",
        time=last.time,
        status=None,
        periods=(whole,),
        outages=outages(whole.timeline, points, last, causes),
        diagnosis=None,
        damaged=damaged,
    )


def _recorded(lines: Iterable[str]) -> tuple[list[Point], list[Cause], int]:
    """Return the transitions, why uplinks were down after each, and how many are damaged."""
    points, causes, damaged = [], [], 0
    for line in lines:
        try:
            points.append(point(line))
            causes.append(cause(line))
        except ValueError:
            damaged += 1
    return points, causes, damaged
