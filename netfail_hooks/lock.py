"""One run at a time: hooks and checks take turns."""

from __future__ import annotations

import errno
import fcntl
import os
import time

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import own_directory
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

PATIENCE = 8.0  # seconds; the dispatcher is serial, and a hook has 10 in all
_STEP = 0.01


class Lock:
    """An exclusive flock(2), gone with the process that holds it, however it ends."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Wait for our turn. Raises Problem after PATIENCE, NotPermitted where we may not."""
        try:
            own_directory(self._directory)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._directory + "/lock", flags, 0o600)
        except PermissionError as error:
            mend = f"chown root {error.filename}; chmod go-w {error.filename}"
            hint = mend if os.geteuid() == 0 else "run as root"
            raise NotPermitted(f"{error.filename}: {error.strerror}", hint=hint) from None
        except OSError as error:
            raise Problem(f"{error.filename}: {error.strerror}") from None
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            else:
                return
            if time.monotonic() > until:
                os.close(self._descriptor)
                raise Problem(
                    f"another run has held the lock for {PATIENCE:.0f} s",
                    hint=f"see who: fuser {self._directory}/lock",
                )
            time.sleep(_STEP)
