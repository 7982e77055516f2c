"""Help as ``--help`` prints it: at any width, with examples that can still be typed."""

from __future__ import annotations

import argparse
import re

_WORDS = re.compile(r"(?:'[^']*'|\S)+")  # what is quoted is not torn apart
_STATUS = re.compile(r" *(?:\d+ +)?")
_EXAMPLE, _HANG = "  netfail-hooks ", " " * 6


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keep the examples' lines, and the names of commands on the line of what they do."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            indent + part
            for line in text.splitlines()
            for part in _fitted(line, width - len(indent))
        )


def _fitted(line: str, width: int) -> list[str]:
    """Return a line as one or more that fit, below each other as they belong together."""
    if len(line) <= width:
        return [line]
    if not line.startswith(_EXAMPLE):
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

    return textwrap.wrap(
        text,
        max(width, len(later) + 1),
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
