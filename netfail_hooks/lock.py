"""One run at a time: hooks and checks take turns."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import own_directory
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

PATIENCE = 8.0  # seconds; the dispatcher is serial, and a hook has 10 in all
_STEP = 0.01
_NO_ROOM = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EADDRINUSE)
_NAME = "netfail-hooks"


class Lock:
    """An exclusive flock(2), gone with the process that holds it, however it ends.

    A full disk must not prevent a failover. Where there is no room for the file, an abstract socket
    name takes its place (unix(7)): it lives in the network namespace and not on a disk, one socket
    at a time has it, and it goes with its process too. But anybody may take the name and nobody
    else the file, so it is the file wherever there can be one.
    """

    def __init__(self, path: str, *, patience: float | None = None, name: str = _NAME) -> None:
        self._path, self._name = path, name
        self._patience = PATIENCE if patience is None else patience
        self._descriptor = -1
        self._socket: socket | None = None

    def __enter__(self) -> Self:
        """Wait for our turn. Raises Problem once patience ends, NotPermitted where we may not."""
        self._find()
        self._wait()
        return self

    def _find(self) -> None:
        try:
            self._descriptor = _open(self._path)
        except PermissionError as error:
            if os.geteuid():
                raise NotPermitted("only root may do this", hint="use sudo") from None
            hint = f"sudo chown root {error.filename}; sudo chmod go-w {error.filename}"
            raise NotPermitted(f"{error.filename}: {error.strerror}", hint=hint) from None
        except OSError as error:
            if error.errno not in _NO_ROOM:
                hint = f"see 'ls -ld {os.path.dirname(self._path)}'"
                raise Problem(f"{error.filename}: {error.strerror}", hint=hint) from None
            self._socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._descriptor)

    def remove(self, beside: str) -> None:
        """Remove the file that is held, another, and the directory if it is empty then.

        Whoever waits for it meanwhile notices, and makes another.
        """
        for path, remove in (
            (beside, os.unlink),
            (self._path, os.unlink),
            (os.path.dirname(self._path), os.rmdir),
        ):
            try:
                remove(path)
            except OSError:
                continue

    def _wait(self) -> None:
        until = time.monotonic() + self._patience
        while not self._take():
            if time.monotonic() > until:
                self.__exit__()
                file = f"fuser {self._path}"
                raise Problem(
                    f"another hook, check or command of netfail-hooks has been at work for "
                    f"{self._patience:.0f} s, so this one has not begun",
                    hint="try again; if it stays so, see which one: "
                    f"{f'ss -xap src @{self._name}' if self._socket else file}",
                )
            time.sleep(_STEP)

    def _take(self) -> bool:
        try:
            if self._socket is not None:
                self._socket.bind(f"\0{self._name}")
            else:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._is_in_place():  # it was removed: what we hold keeps nobody away
                    os.close(self._descriptor)
                    self._find()
                    return False
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _is_in_place(self) -> bool:
        held = os.fstat(self._descriptor)
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def _open(path: str) -> int:
    """Return a descriptor of the lock's file. Raises OSError, of _NO_ROOM where none can be."""
    own_directory(os.path.dirname(path))
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS or not os.path.lexists(path):
            raise
    return os.open(path, os.O_RDONLY | flags)  # flock(2) asks for no right to write
