"""Write a file whole or not at all, never through somebody's symlink."""

from __future__ import annotations

import os


def write_whole(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data`` in one step; a reader sees the old bytes or the new.

    Raises OSError, with the temporary file gone and ``path`` as it was (a full disk too).
    """
    aside = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(aside, flags, mode)
    try:
        try:
            os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def read_owned(path: str, *, limit: int = 1 << 20) -> bytes:
    """Return the bytes of a regular file that belongs to us, at most ``limit`` of them.

    Raises FileNotFoundError where there is none, OSError for a symlink (open(2), O_NOFOLLOW),
    PermissionError for a file of another owner or one that others may write.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(1, "owned or writable by somebody else", path)
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
