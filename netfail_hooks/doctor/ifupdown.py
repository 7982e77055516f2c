"""Which uplinks ifupdown sets up at boot, for ``doctor``: interfaces(5)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths

_TOP = "/etc/network/interfaces"
_IDLE = ("manual", "loopback")
_TAKEN = re.compile(r"[a-zA-Z0-9_-]+")  # what source-directory takes; source takes any name
_DEPTH = 8


def ifupdown_has(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the uplinks that it is told to raise; a stanza alone raises nothing."""
    lines = tuple(_lines(paths, _TOP, _DEPTH))
    raised = [
        word
        for line in lines
        for word in line[1:]
        if line[0] == "auto" or line[0].startswith("allow-")
    ]
    told = [
        line[1]
        for line in lines
        if line[0] == "iface"
        and line[2:3] in (["inet"], ["inet6"])
        and line[3:4]
        and line[3] not in _IDLE
    ]
    return tuple(name for name in names if name in told and _is_among(name, raised))


def _is_among(name: str, words: Sequence[str]) -> bool:
    """Tell whether a name is one of them, or fits one that is a pattern: "/eth*"."""
    return any(word == name or (word[0] == "/" and fnmatchcase(name, word[1:])) for word in words)


def _lines(paths: Paths, path: str, depth: int) -> Iterator[list[str]]:
    """Yield the words of each line of a file and of those that it names, as deep as may be."""
    for line in read_text(paths.at(path)).replace("\\\n", " ").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        yield words
        if depth and words[0] in ("source", "source-directory"):
            for one in _named(paths, os.path.dirname(path), words):
                yield from _lines(paths, one, depth - 1)


def _named(paths: Paths, directory: str, words: Sequence[str]) -> Iterator[str]:
    for word in words[1:]:
        for place in sorted(glob.glob(paths.at(os.path.join(directory, word)))):
            path = place.removeprefix(paths.root)
            if words[0] == "source":
                yield path
            elif os.path.isdir(place):
                yield from (
                    f"{path.rstrip('/')}/{one}"
                    for one in sorted(os.listdir(place))
                    if _TAKEN.fullmatch(one)
                )
