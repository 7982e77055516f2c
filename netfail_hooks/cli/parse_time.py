"""Understand how people say when: "10 min ago", "2h", "yesterday", "2026-11-24 18:30"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_SHORT = {"sec": "second", "min": "minute"} | {unit[0]: unit for unit in _SECONDS}
_SPAN = re.compile(r"(\d{1,9})\s*([a-z]+?)s?")
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
    span = _SPAN.fullmatch(words.removesuffix("ago").rstrip())
    try:
        if span and (unit := _SECONDS.get(_SHORT.get(span[2], span[2]))):
            return now - timedelta(seconds=int(span[1]) * unit)
        named = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"not a time: {text!r}, try {EXAMPLES}") from None
    return named if named.tzinfo else named.replace(tzinfo=now.tzinfo)
