"""Marks in /run: what was begun with an uplink, so that whoever comes after a kill knows of it."""

from __future__ import annotations

import contextlib
import os

from netfail_hooks.names import is_interface_name


def set_mark(path: str) -> None:
    """Make an empty file; a full disk must not prevent what it tells of."""
    with contextlib.suppress(OSError):
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))


def clear_mark(path: str) -> None:
    """Remove it, whether it is there or not."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def marked(start: str) -> tuple[str, ...]:
    """Return the interfaces that have a mark, whose path is ``start`` and the name behind it."""
    directory, mark = os.path.split(start)
    try:
        found = os.listdir(directory)
    except OSError:
        return ()
    names = (name.removeprefix(mark) for name in sorted(found) if name.startswith(mark))
    return tuple(name for name in names if is_interface_name(name))
