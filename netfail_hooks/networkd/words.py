"""Words of a [Match] and patterns among them, as networkd takes them."""

from __future__ import annotations

import ctypes
import re

# WHITESPACE in systemd: a no-break space is none.
_PLAIN = re.compile(r"(?:[^ \t\n\r\\]|\\.)+")
_WORD = re.compile(r"""(?:[^ \t\n\r"']|"[^"]*"|'[^']*')+""")
_MARKS = re.compile(r""""([^"]*)"|'([^']*)'""")
_SAME = 0  # what fnmatch(3) returns for a name that fits


def words(setting: str) -> list[str]:
    """Return the words of a setting; quotation marks are letters like others.

    A backslash goes, and what it stands before is a letter, a space too (extract_first_word()
    without flags).
    """
    return [re.sub(r"\\(.)", r"\1", word) for word in _PLAIN.findall(setting)]


def unquoted(setting: str) -> list[str]:
    """Return its words without their quotation marks, up to one that is never closed.

    Within marks a space is a letter; a backslash is one anywhere (EXTRACT_UNQUOTE with
    EXTRACT_RETAIN_ESCAPE in systemd's basic/extract-word.c).
    """
    found, at = [], 0
    for word in _WORD.finditer(setting):
        if setting[at : word.start()].strip(" \t\n\r"):
            break
        at = word.end()
        if setting[at : at + 1] in ('"', "'"):
            break
        found.append(_MARKS.sub(lambda mark: mark[1] or mark[2] or "", word[0]))
    return found


def fits(pattern: str, text: str) -> bool:
    """Tell whether a text fits a pattern, by the very fnmatch(3) that networkd asks.

    Python's own knows neither ``[[:digit:]]`` nor ``[^0-9]``, nor what a backslash is for.
    """
    found: int = ctypes.CDLL(None).fnmatch(_bytes(pattern), _bytes(text), 0)
    return found == _SAME


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
