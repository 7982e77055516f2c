"""Colours on a terminal (ECMA-48, SGR). Without them a text has the same words."""

from __future__ import annotations

from collections.abc import Callable

GOOD, WAITING, BAD, DULL = "\033[32m", "\033[33m", "\033[31m", "\033[2m"
_PLAIN = "\033[0m"
VERDICTS = {"up": GOOD, "held": WAITING, "down": BAD}

Paint = Callable[[str, str], str]


def painter(*, colour: bool) -> Paint:
    """Return what gives a text a colour, or leaves it as it is."""
    return _paint if colour else _leave


def _paint(text: str, code: str) -> str:
    return f"{code}{text}{_PLAIN}"


def _leave(text: str, _: str) -> str:
    return text
