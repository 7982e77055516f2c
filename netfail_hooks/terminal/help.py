"""Help as ``--help`` prints it: at any width, with examples that can still be typed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

_WORDS = re.compile(r"(?:'[^']*'|\S+)")  # what is quoted is not torn apart
_QUOTED = re.compile(r"(?<![\w'])'[^']+'(?!\w)")
_KEPT = "\N{NO-BREAK SPACE}"
_STATUS = re.compile(r" *(?:\d+ +)?")
_EXAMPLES, _HANG = ("  netfail-hooks ", "  sudo netfail-hooks "), " " * 6
_BESIDE = 28  # columns at most, where what an option does stands beside it
_NARROW = 58  # columns: below them it stands under it
_ANY = 1 << 20  # columns: as good as no limit


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keep the examples' lines, and the names of commands on the line of what they do."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_BESIDE)
        if self._width < _NARROW:
            self._max_help_position = len(_HANG)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            indent + part
            for line in _paragraphs(text)
            for part in _fitted(line, width - len(indent))
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width, "", "")

    def start_section(self, heading: str | None) -> None:
        """Begin a section; its heading may take more than a line."""
        wrapped = _wrapped(f"{heading}:", self._width, "", "") if heading else []
        super().start_section("\n".join(wrapped)[:-1] if heading else heading)

    def _format_usage(self, *arguments: object) -> str:
        """Return the usage. argparse leaves what stands behind a long name wider than the line."""
        usual: str = super()._format_usage(*arguments)  # type: ignore[arg-type]
        if all(len(line) <= self._width for line in usual.splitlines()):
            return usual
        width, self._width = self._width, _ANY
        try:
            whole: str = super()._format_usage(*arguments)  # type: ignore[arg-type]
        finally:
            self._width = width
        return "\n".join([*_usage(whole.strip(), width), "", ""])


def _paragraphs(text: str) -> list[str]:
    """Return the lines of a text; those that go on at the left edge are one paragraph."""
    lines: list[str] = []
    goes_on = False
    for line in text.splitlines():
        flush = bool(line) and not line.startswith(" ")
        if flush and goes_on:
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        goes_on = flush
    return lines


def _usage(usage: str, width: int) -> list[str]:
    """Return a usage as lines that fit, no option apart from its value."""
    first, *parts = _parts(usage)
    lines = [first]
    for part in parts:
        if len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] += f" {part}"
            continue
        one, *others = part.split(" | ")
        lines.append(_HANG + one)
        for other in others:  # that exclude each other
            if len(lines[-1]) + len(" | ") + len(other) <= width:
                lines[-1] += f" | {other}"
            else:
                lines.append(f"{_HANG}| {other}")
    return lines


def _parts(usage: str) -> Iterator[str]:
    """Yield what stands first, to the end of the command's name, and each thing that may follow."""
    begin = depth = 0
    for at, character in enumerate(f"{usage} "):
        depth += (character in "[(") - (character in "])")
        if character == " " and not depth and ("[" in usage[:at] or usage[at + 1 : at + 2] == "["):
            yield usage[begin:at]
            begin = at + 1
    if begin < len(usage):
        yield usage[begin:]


def _fitted(line: str, width: int) -> list[str]:
    """Return a line as one or more that fit, below each other as they belong together."""
    if len(line) <= width:
        return [line]
    if not line.startswith(_EXAMPLES):
        found = _STATUS.match(line)
        return _wrapped(line, width, "", " " * (found.end() if found else 0))
    command, _, about = line.strip().partition("  ")
    told = _wrapped(about.strip(), width, _HANG + "  ", _HANG + "  ") if about else []
    return [*_typed(command, width), *told]


def _typed(command: str, width: int) -> list[str]:
    """Return a command as lines that a shell reads as one."""
    first, *words = _WORDS.findall(command)
    lines = [f"  {first}"]
    for word in words:
        if len(f"{lines[-1]} {word} \\") > width:
            lines.append(_HANG + word)
        else:
            lines[-1] += f" {word}"
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _wrapped(text: str, width: int, first: str, later: str) -> list[str]:
    import textwrap  # for help alone; each command begins here

    room = max(width, len(later) + 1)
    kept = _QUOTED.sub(lambda quote: _kept(quote[0], room - len(later)), text)
    lines = textwrap.wrap(
        kept,
        room,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_KEPT, " ") for line in lines]


def _kept(quote: str, room: int) -> str:
    """Return what is quoted as one word, where there is room for it."""
    return quote.replace(" ", _KEPT) if len(quote) < room else quote
