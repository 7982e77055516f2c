"""Tell whether a run would record only what was recorded already.

The kernel may refuse a change, or a disk the state file: the next run then tries the same, and
every run after it. Recorded each time, that would fill the journal and the recorder, and run
other people's hooks every few seconds, for ever. Lines are compared as text: the same values make
the same line.
"""

from __future__ import annotations

import os

from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE, OLD_FILE, parts

_END = 1 << 18  # bytes; a line has some thousand
_SAME = ("boot", "config", "failed", "active")

Parts = dict[str, str]  # of a recorder's line, see recorder.parts


def is_told(paths: Paths, line: str) -> bool:
    """Tell whether the last recorded line says all that this one does."""
    try:
        return is_repeat(parts(line), parts(_last(paths)))
    except (OSError, ValueError):
        return False


def is_repeat(now: Parts, last: Parts) -> bool:
    """Tell whether the last line says all that this one does. Raises ValueError for no line."""
    states = _states(now["after"])
    if any(now[key] != last[key] for key in _SAME) or states != _states(last["after"]):
        return False
    if states != _states(now["before"]):  # changed, and the state file could not be written
        return now["before"] == last["before"] and set(_did(now)) <= set(_did(last))
    return _did(now) == _did(last) or _all_failed(now)


def keep(paths: Paths, line: str) -> None:
    """Store a line that the recorder could not take, to compare the next one with it."""
    try:
        write_whole(paths.recorded, line.encode("ascii"))
    except OSError:
        return


def forget(paths: Paths) -> None:
    """Forget the stored line: the recorder's own last line counts again."""
    try:
        os.unlink(paths.recorded)
    except OSError:
        return


def _all_failed(entry: Parts) -> bool:
    failed = _strings(entry["failed"])
    return all(any(each.startswith(f"{change}: ") for each in failed) for change in _did(entry))


def _did(entry: Parts) -> list[str]:
    """Return the changes that were tried, except flushes, which recur (recorder.is_transition)."""
    kinds = [each.partition('"')[0] for each in entry["changes"].split('{"change":"')[1:]]
    did = zip(_strings(entry["did"]), kinds, strict=True)
    return [change for change, kind in did if kind != "FlushNeighbours"]


def _strings(texts: str) -> list[str]:
    """Return the strings of a JSON list of strings, without their quotes, still escaped."""
    return texts[2:-2].split('","') if texts != "[]" else []


def _states(state: str) -> list[str]:
    """Return each uplink's state up to ``since``, and each family's active uplink."""
    uplink_states, _, rest = state.partition(',"known_addresses":')
    active = rest.partition(',"active":')[2]
    items = uplink_states.split('{"interface":')[1:] + active.split('{"family":')[1:]
    return [item.partition(',"since":')[0] for item in items]


def _last(paths: Paths) -> str:
    """Return the last line that was written. Raises OSError where there is none."""
    try:
        return read_owned(paths.recorded).decode("ascii")
    except FileNotFoundError:
        pass
    try:
        return _last_of(paths.log + FILE)
    except FileNotFoundError:
        return _last_of(paths.log + OLD_FILE)


def _last_of(path: str) -> str:
    """Return the last line of a file; a torn one equals no other."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        end = os.pread(descriptor, _END, max(size - _END, 0)).rstrip(b"\n")
        return end.rpartition(b"\n")[2].decode("ascii") + "\n"
    finally:
        os.close(descriptor)
