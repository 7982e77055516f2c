"""A question that takes more than a packet or two: a thread asks it while the round goes on.

The round waits for it as for any other, on a socket. Who comes too late is told to nobody.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """When an errand has to be over, from now on. Times are in seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float = 3600) -> float:
        """Return how much time is left, at most so much. Raises TimeoutError for none."""
        left = min(self._end - time.monotonic(), most)
        if left <= 0:
            raise TimeoutError
        return left


class Errand:
    """Something that ``work`` does once; ``stop`` is called to end it before its time.

    ``work`` returns where all is as expected, raises OSError to say what is not, and TimeoutError
    where nobody has answered. With ``again`` the next try begins it anew where it has failed.
    """

    events = select.POLLIN

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        stop: Callable[[], None],
        *,
        again: bool = False,
    ) -> None:
        self.name = name
        self._work = work
        self._stop = stop
        self._wrong: OSError | None = None
        self._mine, self._theirs = socket.socketpair()
        self._mine.settimeout(0)
        self._again = again
        self._begun = False
        self._told = False  # how it went

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._mine.fileno()

    def ask(self) -> None:
        """Begin, the first time, and where it may once it has failed."""
        if self._begun and not (self._again and self._wrong and self._told):
            return
        self._begun, self._told, self._wrong = True, False, None
        # The process does not wait for it: what it opened ends with it.
        threading.Thread(target=self._run, args=(self._theirs.dup(),), daemon=True).start()

    def answered(self) -> bool:
        """Tell whether all was as expected. Raises OSError for what was not."""
        try:
            if not self._mine.recv(1):
                return False
        except BlockingIOError:
            return False
        self._told = True
        if self._wrong:
            raise self._wrong
        return True

    def close(self) -> None:
        """Give it up."""
        self._stop()
        self._mine.close()
        self._theirs.close()

    def _run(self, theirs: socket.socket) -> None:
        """Do it and say so; this copy of the socket's other end is the thread's own to close."""
        with theirs:
            try:
                self._work()
            except TimeoutError:
                return
            except OSError as error:
                self._wrong = error
            with contextlib.suppress(BrokenPipeError):  # nobody waits any more
                theirs.send(b"!")
