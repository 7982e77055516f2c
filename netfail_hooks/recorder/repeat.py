"""Tell whether a run has nothing to say that was not said already.

The kernel may refuse a change, or a disk what is to be remembered: the next run then tries the
same, and every run after it. Told each time, that would fill the journal and the recorder, and
run other people's hooks every few seconds, for ever.
"""

from __future__ import annotations

import contextlib
import json
import os

from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE, OLD_FILE
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_END = 1 << 18  # bytes; a line has some thousand
_SAME = ("boot", "config", "failed", "carriers")


def is_told(paths: Paths, line: str) -> bool:
    """Tell whether the last line that was recorded says all of this one."""
    try:
        return is_repeat(json.loads(line), json.loads(_last(paths)))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def is_repeat(now: dict[str, Any], last: dict[str, Any]) -> bool:
    """Tell whether a recorder's entry says all of the next one. Raises for what is no entry."""
    stands = _verdicts(now["after"])
    if any(now[key] != last[key] for key in _SAME) or stands != _verdicts(last["after"]):
        return False
    if stands != _verdicts(now["before"]):  # judged otherwise, and it could not be remembered
        return bool(now["before"] == last["before"] and set(_did(now)) <= set(_did(last)))
    return _did(now) == _did(last) or _all_failed(now)


def keep(paths: Paths, line: str) -> None:
    """Keep what the recorder could not take, to compare the next one with, if that can be."""
    with contextlib.suppress(OSError):
        write_whole(_kept(paths), line.encode("ascii"))


def forget(paths: Paths) -> None:
    """Have the recorder's own last line count again."""
    with contextlib.suppress(OSError):
        os.unlink(_kept(paths))


def _all_failed(entry: dict[str, Any]) -> bool:
    failed: list[str] = entry["failed"]
    return all(any(one.startswith(f"{change}: ") for one in failed) for change in _did(entry))


def _did(entry: dict[str, Any]) -> list[str]:
    """Return what was tried; neighbours are forgotten again and again (record.is_transition)."""
    kinds = [change["change"] for change in entry["changes"]]
    return [one for one, kind in zip(entry["did"], kinds, strict=True) if kind != "Forget"]


def _verdicts(memory: dict[str, Any]) -> list[tuple[object, ...]]:
    standings = [(one["interface"], one["family"], one["verdict"]) for one in memory["standings"]]
    return standings + [(one["family"], one["interface"]) for one in memory["carriers"]]


def _last(paths: Paths) -> bytes:
    """Return the line that was written last. Raises OSError where there is none."""
    try:
        return read_owned(_kept(paths))
    except FileNotFoundError:
        pass
    try:
        return _last_of(paths.log + FILE)
    except FileNotFoundError:
        return _last_of(paths.log + OLD_FILE)


def _last_of(path: str) -> bytes:
    """Return the end of a file from its last line on; half a line fits nothing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, _END, max(size - _END, 0)).rstrip(b"\n").rpartition(b"\n")[2]
    finally:
        os.close(descriptor)


def _kept(paths: Paths) -> str:
    return paths.run + "/told"
