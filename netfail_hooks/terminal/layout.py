"""Lines that fit a terminal, a phone's too: broken between facts where that will do.

A fact ends with a comma, a semicolon or a colon; one that is longer than a line is broken between
words, a word that is longer where it has punctuation, and nothing is left out.
"""

from __future__ import annotations

import itertools
import re
import sys
import unicodedata
from typing import TextIO

from netfail_hooks.terminal import PLAIN, columns, sequence

NARROW = 60  # columns: below it nothing is put side by side
NARROW_INDENT = 3  # columns that later lines are set in by there
_LEAST = 20  # columns: nobody has fewer, and a name needs as many
_LABEL, _INDENT, _HANG = 10, 2, 4  # columns
_ESCAPE = "\033"
# Words that no line ends with where what they lead to is cut off.
_UNENDING = r"a|and|as|by|for|from|has|in|is|it|no|not|of|once|or|than|that|the|to|via|was|with|\d+"
KEPT = "\N{NO-BREAK SPACE}"  # keeps together what belongs together, while there is room
# What may be cut apart, the first thing first: facts, words, what is kept together, a path and a
# prefix with its length, the parts of an address, letters.
_ENDS = (r"(?<=[,;:]) +", r" +", rf"{KEPT}+", r"(?<=/)", r"(?<=[:.])", r".")


def width() -> int:
    """Return how many columns a line may have, 0 for any: in a pipe no terminal breaks it."""
    return max(columns(), _LEAST) if sys.stdout.isatty() else 0


def message(text: str, stream: TextIO, hang: int = _INDENT) -> list[str]:
    """Return a line as lines that fit a stream, if that is a terminal; later ones are set in.

    What is quoted, to be typed or copied, stays whole where there is room; so does what is in
    brackets if a line has room for it.
    """
    if not stream.isatty():
        return [text]
    width = max(columns(stream), _LEAST)
    return fit(_whole(r"(?<!\w)'[^']+'(?!\w)", bracketed(text, width - hang)), width, hang)


def bracketed(text: str, room: int) -> str:
    """Return a text whose brackets stay whole if each takes no more than so many columns."""
    return _whole(rf"\[[^][]{{0,{max(room - 2, 0)}}}\]", text)


def _whole(pattern: str, text: str) -> str:
    return re.sub(pattern, lambda found: found[0].replace(" ", KEPT), text)


def clipped(text: str, width: int, *, head: str = "", whole: bool = False) -> str:
    """Return as much of a text as a line holds, to the end of a fact, or else of a word.

    ``head`` stands before it; ``whole``: it says enough by itself, and a part of a fact would not.
    No punctuation is left that nothing follows, no open bracket, and no colour that goes on.
    """
    if not width or cells(head + text) <= width:
        return _shown(head + text)
    for level in (0,) if whole else (0, 1):
        kept = ""
        for size in range(1, len(parts := _parts(text, level)) + 1):
            begun = _closed("".join(parts[:size]), level)
            if begun and cells(head + begun) <= width:
                kept = begun
        if kept:
            return _shown(head + kept)
    names = [head[: found.start()] for found in re.finditer(r"(?<=\S)(?: {2,}| *$)", head)]
    fitting = [name for name in names if cells(name) <= width] if whole else []
    last = fitting[-1] if fitting else fit(text, width, head=head)[0]
    return _shown(_ended(last, 0))


def _closed(text: str, level: int) -> str:
    """Return a begun text as one that can end there, "" for one that can't."""
    ended = _ended(text, level)
    bare = re.sub(_colour(), "", ended)
    is_open = any(bare.count(left) > bare.count(right) for left, right in ("()", "[]"))
    return "" if is_open else ended


def _ended(text: str, level: int) -> str:
    """Return a begun text without what leads on: blanks, punctuation, words, a colour."""
    colour = _colour()
    bare = re.sub(rf"[ {KEPT},;:]+((?:{colour})*)$", r"\1", text)
    if level:
        bare = re.sub(rf"(?:[ {KEPT}](?:{_UNENDING}))+((?:{colour})*)$", r"\1", bare)
    codes = re.findall(colour, bare)
    plain = sequence(PLAIN)
    return bare + plain if codes and codes[-1] != plain else bare


def _shown(line: str) -> str:
    return line.rstrip(f" {KEPT}").replace(KEPT, " ")


def is_narrow(width: int) -> bool:
    """Tell whether it is too narrow for a column of labels."""
    return 0 < width < NARROW


def fit(text: str, width: int, hang: int = 0, *, head: str = "") -> list[str]:
    """Return a text as lines; ``head`` stands before it, and later ones begin at ``hang``."""
    whole = head.replace(" ", KEPT) + text
    lines = [whole]
    if width and cells(whole) > width:
        lines = [""]
        _fill(lines, whole, (width, hang), 0)
    return [line.rstrip(f" {KEPT}").replace(KEPT, " ") for line in lines]


def beside(head: str, text: str, width: int) -> list[str]:
    """Return a text beside its head, later lines below its begin, or near the edge if narrow."""
    hang = NARROW_INDENT if is_narrow(width) else cells(head)
    return fit(text, width, hang, head=head)


def padded(name: str, column: int) -> str:
    """Return a name that takes so many columns, or more."""
    return name + " " * (column - cells(name))


def labelled(label: str, texts: list[str], width: int = 0) -> list[str]:
    """Return aligned lines, with the label before the first, or above it where that is narrow."""
    hang = _HANG if is_narrow(width) else _LABEL
    texts = [bracketed(text, width - hang) for text in texts] if width else texts
    if is_narrow(width) and texts:
        head = " " * _INDENT
        return [label, *(line for text in texts for line in fit(text, width, hang, head=head))]
    heads = [f"{label if not at else '':{_LABEL}}" for at in range(len(texts))]
    rows = zip(heads, texts, strict=True)
    return [line for head, text in rows for line in fit(text, width, hang, head=head)]


def labelled_line(label: str, text: str, width: int) -> str:
    """Return the same of one text that is clipped to a line, the label before it."""
    head = f"{label} " if is_narrow(width) else f"{label:{_LABEL}}"
    return clipped(bracketed(text, width - cells(head)) if width else text, width, head=head)


def _fill(lines: list[str], text: str, place: tuple[int, int], level: int) -> None:
    """Add a text to the last line and more, cut no further than it has to be."""
    width, hang = place
    for part in _parts(text, level):
        bare = cells(part.rstrip(f" {KEPT}"))
        if cells(lines[-1]) + bare <= width:
            lines[-1] += part
        elif bare <= width - (0 if level else hang):
            # An address begins further to the left rather than be cut.
            line = " " * min(hang, width - bare) + part
            lines[len(lines) - (not lines[-1].strip(f" {KEPT}")) :] = [line]
        else:
            _fill(lines, part, place, level + 1)


def _parts(text: str, level: int) -> list[str]:
    """Return a text in parts, each with the blanks that end it."""
    colour = f"(?:{_colour()})*"
    before = colour if level == len(_ENDS) - 1 else ""  # no letter of it is one to be cut off
    ends = [found.end() for found in re.finditer(before + _ENDS[level] + colour, text)]
    edges = [0, *(end for end in ends if end < len(text)), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


def cells(text: str) -> int:
    """Return how many columns a text takes (Unicode's annex 11), without the colour in it."""
    text = re.sub(_colour(), "", text)
    if text.isascii():
        return len(text)
    return sum(_cell(one) for one in text)


def _colour() -> str:
    return f"{re.escape(sequence(_ESCAPE))}\\[\\d+m"


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
