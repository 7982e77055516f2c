"""Whether anything that networkd reads was touched since the last look, at the price of stats.

Beside what was looked at, the list in /run keeps what was told of it, so that it is told once.
"""

from __future__ import annotations

import os

from netfail_hooks.config import Config
from netfail_hooks.files import read_text, write_whole
from netfail_hooks.paths import Paths

_TOLD = "told "


def messages(paths: Paths, config: Config) -> list[str]:
    """Return what is to be told of files of ours that are out of date, each thing once a boot.

    Raises OSError where that can't be noted.
    """
    lines = read_text(paths.sources, limit=-1).splitlines()
    stamps = [line for line in lines if not line.startswith(_TOLD)]
    if stamps and all(line == _stamp(paths, line.partition(" ")[2]) for line in stamps):
        return []
    from netfail_hooks.errors import Problem
    from netfail_hooks.managers import drift

    unknown: list[Problem] = []  # doctor says what nobody can judge
    places = map(drift.place, config.names())
    try:
        stamps = [_stamp(paths, path) for path in (*drift.watched(paths), *places)]
    except Problem as problem:  # a directory that we may not read
        unknown.append(problem)
    found = [f"{_TOLD}{one}" for one in drift.drifted(paths, config, unknown)]
    # Of what could not be judged what was told may still hold.
    kept = [line for line in lines if line.startswith(_TOLD) and line not in found]
    told = [*found, *(kept if unknown or drift.absent(paths, config) else ())]
    # Without stamps the next check looks again: that it then can judge, no file would show.
    noted = [*told, *(() if unknown else stamps)]
    if noted != lines:
        write_whole(paths.sources, "\n".join([*noted, ""]).encode(errors="surrogateescape"))
    return [line.removeprefix(_TOLD) for line in found if line not in lines]


def _stamp(paths: Paths, path: str) -> str:
    """Return a path with what changes if it, what is in a directory, or who may read it does."""
    try:
        about = os.stat(paths.at(path))
    except OSError:
        return f"- {path}"
    # sysfs tells when the kernel last read an entry into its cache (kernfs_init_inode()); the
    # number is the NIC's as long as it is there.
    changed = 0 if path.startswith("/sys/") else about.st_ctime_ns
    return f"{changed:x}.{about.st_size:x}.{about.st_ino:x} {path}"
