"""What standard output can show: colour, letters beyond ASCII, how many columns; and what it may.

Interfaces, networks, files and lines of a log may be named by anybody, and what steers a terminal
(ECMA-48), turns a line around (Unicode's Bidi_Control) or is not seen at all would let a name
tell something else than it is. So all that commands print goes through a ``Screen``.
"""

from __future__ import annotations

import codecs
import contextlib
import locale
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO, TypeVar, cast

from netfail_hooks.values import fields, replace

T = TypeVar("T")

_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")  # in that order, locale(7)
# What Python puts in LC_CTYPE where the locale is C (PEP 538): nobody chose UTF-8 then.
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


GOOD, WAITING, BAD, DULL = "\033[32m", "\033[33m", "\033[31m", "\033[2m"
PLAIN = "\033[0m"
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


def columns(stream: TextIO | None = None) -> int:
    """Return $COLUMNS, or the width of the terminal that a stream is; 80 where there is neither.

    Without a stream it is standard output.
    """
    width = shutil.get_terminal_size((80, 24)).columns
    if stream and not os.environ.get("COLUMNS"):
        with contextlib.suppress(OSError, ValueError):
            width = os.get_terminal_size(stream.fileno()).columns or width
    return width


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
    return f"{sequence(code)}{text}{sequence(PLAIN)}"


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


# Printable for str.isprintable(), and yet not seen: what else is Default_Ignorable_Code_Point in
# Unicode's DerivedCoreProperties.txt, and a blank of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_ESCAPE = "\033"


def escaped(text: str) -> str:
    """Return a text as one line of what can be seen; the rest as JSON writes it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and not _UNSEEN.match(c) else _units(c) for c in text)


def escaped_lines(text: str) -> str:
    """Return the same of several lines, in which a tab may stand: it only goes on to the right."""
    return "\n".join("\t".join(map(escaped, line.split("\t"))) for line in text.split("\n"))


def one_line_each(item: T) -> T:
    """Return a value with each text in it escaped, so that none can pass for several lines."""
    if isinstance(item, str):
        return cast("T", escaped(item))
    if isinstance(item, tuple):
        return cast("T", tuple(map(one_line_each, item)))
    if hasattr(item, "__match_args__"):
        return replace(item, **{name: one_line_each(getattr(item, name)) for name in fields(item)})
    return item


def _units(character: str) -> str:
    """Return the UTF-16 units of one, as JSON has it; half a pair is a byte that was no UTF-8."""
    data = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


class Screen:
    """A standard stream that shows a text as what it is, and does only what we tell it to.

    ``mark`` stands for the escape of our own sequences; nobody else can know it. ``clear`` makes
    way for a text: there may be a line of progress where it is to begin.
    """

    def __init__(self, stream: TextIO, clear: Callable[[], object] = bool) -> None:
        self.stream, self.clear = stream, clear
        self.mark = os.urandom(16).hex()

    def write(self, text: str) -> int:
        """Write a text, what steers the terminal or can't be seen escaped."""
        self.clear()
        shown = _ESCAPE.join(map(escaped_lines, text.split(self.mark)))
        encoding = self.stream.encoding or "ascii"
        with contextlib.suppress(LookupError):
            shown = shown.encode(encoding, "backslashreplace").decode(encoding)
        return self.stream.write(shown)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the stream's
        return getattr(self.stream, name)


@contextlib.contextmanager
def screened() -> Iterator[None]:
    """Put a Screen before what is printed inside."""
    old = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", Screen(stream)) for stream in old)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = old


def sequence(code: str) -> str:
    """Return a sequence of ours, as standard output takes it for one."""
    stream: object = sys.stdout
    return code.replace(_ESCAPE, stream.mark) if isinstance(stream, Screen) else code
