"""Understand how people say when: "10 min ago", "2h", "yesterday", "2026-11-24 18:30"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_SHORT = {"sec": "second", "min": "minute"} | {unit[0]: unit for unit in _SECONDS}
_SPAN = re.compile(r"(\d{1,9})\s*([a-z]+?)s?")
_YEAR = 366 * 86400
_DAYS_BACK = {"today": 0, "yesterday": 1}
EXAMPLES = "'10 min ago', '2h', 'yesterday', '2026-11-24', '2026-11-24 18:30'"


def parse(text: str, now: datetime) -> datetime:
    """Return the moment that ``text`` names; ``now`` has a time zone, which is meant.

    Raises ValueError.
    """
    words = text.strip().lower()
    if words in _DAYS_BACK:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS_BACK[words])
    try:
        span = _span(words.removesuffix("ago").rstrip())
        if span is not None:
            return now - timedelta(seconds=span)
        named = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"not a time: {text!r}, try {EXAMPLES}") from None
    return named if named.tzinfo else named.replace(tzinfo=now.tzinfo)


def duration(text: str) -> int:
    """Return the seconds that "30min" and its like name, a year at most. Raises ValueError."""
    seconds = _span(text.strip().lower()) or 0
    if not 0 < seconds <= _YEAR:
        raise ValueError("not a duration")
    return seconds


def _span(words: str) -> int | None:
    """Return the seconds of a number and a unit, None where that is something else."""
    span = _SPAN.fullmatch(words)
    unit = _SECONDS.get(_SHORT.get(span[2], span[2])) if span else None
    return int(span[1]) * unit if span and unit else None
