"""Whose turn it is on the way back, by a lock of its file (flock(2))."""

from __future__ import annotations

import contextlib
import fcntl
import os


def held(path: str) -> int:
    """Return a descriptor of the way back's file once nobody else holds it, -1 where it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if identity(path) == identity(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)  # it was taken, or called off
    return -1


def is_held(path: str) -> bool:
    """Tell whether somebody is on the way back."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def identity(path: str | int) -> tuple[int, int] | None:
    """Return what tells a file from one that takes its place later, None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
