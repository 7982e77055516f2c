"""Read NetworkManager's files, most of them root's alone: what we may not read is not nothing."""

from __future__ import annotations

import os

from netfail_hooks.errors import NotPermitted
from netfail_hooks.paths import Paths

_LIMIT = 1 << 20  # characters


def read(paths: Paths, path: str) -> str:
    """Return a file's text, "" for none. Raises NotPermitted for one that we may not read."""
    place = paths.through(path)
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LIMIT)
    except PermissionError:
        raise refused(place) from None
    except OSError:
        return ""


def names(paths: Paths, directory: str) -> list[str]:
    """Return what is in a directory, in order. Raises NotPermitted for one that we may not read."""
    place = paths.through(directory)
    try:
        return sorted(os.listdir(place))
    except PermissionError:
        raise refused(place) from None
    except OSError:
        return []


def refused(place: str) -> NotPermitted:
    """Return what is raised for what we may not read."""
    return NotPermitted(f"{place} cannot be read", hint="use sudo")
