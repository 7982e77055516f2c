"""Where a time axis has its marks: at round local times, no closer than asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import count, takewhile

_DAY = 86400
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAYS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment (seconds since the epoch), and what to write there."""

    time: float
    label: str


def marks(begin: float, end: float, most: int, zone: tzinfo | None = None) -> list[Mark]:
    """Return at most ``most`` marks, more or less, in a time zone; None is the local one."""
    least = (end - begin) / max(most, 1)
    step = next((step for step in _STEPS if step >= least), None)
    if step is None:
        return _days(begin, end, least, zone)
    midnight = _midnight(begin, zone).timestamp()
    first = midnight + -(-(begin - midnight) // step) * step
    times = takewhile(lambda moment: moment <= end, count(first, step))
    return [Mark(time, _label(datetime.fromtimestamp(time, zone), step)) for time in times]


def _days(begin: float, end: float, least: float, zone: tzinfo | None) -> list[Mark]:
    step = next((days for days in _DAYS if days * _DAY >= least), _DAYS[-1])
    form = "%m-%d" if step < _DAYS[5] else "%Y-%m-%d"
    day = _midnight(begin, zone)
    placed = []
    while (moment := day.timestamp()) <= end:
        if moment >= begin:
            placed.append(Mark(moment, day.strftime(form)))
        # By the calendar: a day is 23 or 25 hours long where the clocks are put on or back.
        day += timedelta(days=step if placed else 1)
    return placed


def _midnight(moment: float, zone: tzinfo | None) -> datetime:
    day = datetime.fromtimestamp(moment, zone)
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def _label(moment: datetime, step: int) -> str:
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.strftime("%m-%d")
    return moment.strftime("%H:%M" if step >= 60 else "%H:%M:%S")
