"""Which uplinks a run was setting up anew when it was killed: the next one does it again.

Their files are in place, perhaps, so no step is left to take; but networkd may not have been
told, their addresses be gone, another uplink still lead around them. The marks are lost at
boot, as all of that is.
"""

from __future__ import annotations

import contextlib
import os

from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths

_MARK = "anew."


def mark(paths: Paths, interface: str) -> None:
    """Note that an uplink is about to be set up anew; a disk with no room must not keep it."""
    with contextlib.suppress(OSError):
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(_place(paths, interface), flags, 0o600))


def clear(paths: Paths, interface: str) -> None:
    """Note that it is done."""
    with contextlib.suppress(OSError):
        os.unlink(_place(paths, interface))


def marked(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks that were begun and not done, by name."""
    try:
        found = os.listdir(paths.run)
    except OSError:
        return ()
    names = (name.removeprefix(_MARK) for name in sorted(found) if name.startswith(_MARK))
    return tuple(name for name in names if is_interface_name(name))


def _place(paths: Paths, interface: str) -> str:
    return f"{paths.run}/{_MARK}{interface}"
