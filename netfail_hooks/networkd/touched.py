"""Whether anything that networkd reads was touched since the last look, at the price of stats.

Beside what was looked at, the list in /run keeps what was said of it, so that it is said once.
"""

from __future__ import annotations

import os

from netfail_hooks.config import Config
from netfail_hooks.files import read_text, write_whole
from netfail_hooks.paths import Paths

_SAID = "said "


def news(paths: Paths, config: Config) -> list[str]:
    """Return what is to be told of files of ours that are out of date, each thing once a boot.

    Raises OSError where that can't be noted.
    """
    lines = read_text(paths.sources, limit=-1).splitlines()
    seen = [line for line in lines if not line.startswith(_SAID)]
    if seen and all(line == _stamp(paths, line.partition(" ")[2]) for line in seen):
        return []
    from netfail_hooks.errors import Problem
    from netfail_hooks.networkd import drift, match

    looked_at = [_stamp(paths, path) for path in match.watched(paths)]
    try:
        found = [str(one) for one in drift.drifted(paths, drift.interfaces(config))]
    except Problem:
        found = []  # doctor says which file nobody can judge
    said = [f"{_SAID}{one}" for one in found]
    write_whole(paths.sources, "\n".join([*looked_at, *said, ""]).encode(errors="surrogateescape"))
    return [one for one, line in zip(found, said, strict=True) if line not in lines]


def _stamp(paths: Paths, path: str) -> str:
    """Return a path with what changes if it, or what is in a directory, does."""
    try:
        about = os.stat(paths.at(path))
    except OSError:
        return f"- {path}"
    return f"{about.st_mtime_ns:x}.{about.st_size:x}.{about.st_ino:x} {path}"
