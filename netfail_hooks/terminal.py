"""What standard output can show: colour, letters beyond ASCII, and how many columns."""

from __future__ import annotations

import codecs
import locale
import os
import shutil
import sys
from collections.abc import Callable, Mapping

_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")  # in that order, locale(7)
# What Python puts in LC_CTYPE where the locale is C (PEP 538): nobody chose UTF-8 then.
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


GOOD, WAITING, BAD, DULL = "\033[32m", "\033[33m", "\033[31m", "\033[2m"
_PLAIN = "\033[0m"
Paint = Callable[[str, str], str]


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def colours() -> bool:
    """Tell whether to colour: on a terminal that can, unless NO_COLOR (no-color.org) is set."""
    return is_screen() and not os.environ.get("NO_COLOR")


def is_screen() -> bool:
    """Tell whether standard output is a terminal that can do more than print line after line."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def utf8() -> bool:
    """Tell whether the locale is a UTF-8 one, and so is standard output."""
    return speaks_utf8(os.environ, locale.getencoding(), sys.stdout.encoding or "ascii")


def speaks_utf8(environment: Mapping[str, str], encoding: str, output: str) -> bool:
    """Judge by the environment, the locale's encoding and standard output's."""
    set_ones = [one for one in _VARIABLES if environment.get(one)]
    if set_ones[:1] == ["LC_CTYPE"] and environment["LC_CTYPE"] in _COERCED:
        set_ones.pop(0)
    plain = not set_ones or environment[set_ones[0]] in ("C", "POSIX")
    return not plain and _is_utf8(encoding) and _is_utf8(output)


def columns() -> int:
    """Return the width of the terminal, or of $COLUMNS; 80 where there is neither."""
    return shutil.get_terminal_size((80, 24)).columns


def _is_utf8(name: str) -> bool:
    try:
        return codecs.lookup(name).name == "utf-8"
    except LookupError:
        return False


STATE_COLOURS = {"up": GOOD, "recovering": WAITING, "down": BAD}


def painter(*, colour: bool) -> Paint:
    """Return what gives a text a colour, or leaves it as it is."""
    return _paint if colour else _leave


def _paint(text: str, code: str) -> str:
    return f"{code}{text}{_PLAIN}"


def _leave(text: str, _: str) -> str:
    return text


def span(seconds: int) -> str:
    """Return a length of time in its two greatest units."""
    words = []
    for size, unit in _UNITS:
        if seconds >= size:
            words.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(words[:2]) or "0 s"
