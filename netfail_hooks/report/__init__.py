"""What ``report`` tells of a machine: how its uplinks are, and how they were for a month."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from netfail_hooks.doctor.gather import gather
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.doctor.report import report as diagnose
from netfail_hooks.kernel.observe import now as since_boot
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import boot_id, events
from netfail_hooks.report.history import Cause, Outage, Period, cause, outages, period
from netfail_hooks.status import collect
from netfail_hooks.status.bond import BondReport
from netfail_hooks.status.values import Report
from netfail_hooks.timeline import Now, Point, point

_DAY = 86400
PERIODS = (("day", _DAY), ("week", 7 * _DAY), ("month", 30 * _DAY))


@dataclass(frozen=True)
class Page:
    """All that is told; ``damaged`` lines of the log could not be read."""

    host: str
    time: float
    status: Report | BondReport
    periods: tuple[Period, ...]
    outages: tuple[Outage, ...]
    diagnosis: Diagnosis
    damaged: int


def page(paths: Paths) -> Page:
    """Look at the machine and its log. Raises Problem."""
    points, causes, damaged = _recorded(paths.log)
    status = collect(paths)
    present = Now(time.time(), boot_id(), since_boot() / 1000)
    periods = tuple(
        period(name, points, present, present.time - seconds) for name, seconds in PERIODS
    )
    return Page(
        host=os.uname().nodename,
        time=present.time,
        status=status,
        periods=periods,
        outages=outages(periods[-1].timeline, points, present, causes),
        diagnosis=diagnose(gather(paths)),
        damaged=damaged,
    )


def _recorded(directory: str) -> tuple[list[Point], list[Cause], int]:
    """Return the transitions, why uplinks were down after each, and how many are damaged."""
    points, causes, damaged = [], [], 0
    for line in events.lines(directory):
        try:
            points.append(point(line))
            causes.append(cause(line))
        except ValueError:
            damaged += 1
    return points, causes, damaged
