"""Tell the journal, with fields that ``journalctl`` can select by.

The native protocol is one datagram of KEY=value lines to a socket (systemd's
"Native Journal Protocol" page); with no journal, standard error has to do.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

from netfail_hooks.errors import Problem
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET = "/run/systemd/journal/socket"
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6


def log(message: str, *, priority: int = INFO, **more: str) -> None:
    """Write one entry; ``more`` become fields NETFAIL_*. Never raises, never waits."""
    message = printable(message)
    entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "netfail-hooks"}
    entry.update({f"NETFAIL_{key.upper()}": printable(text) for key, text in more.items()})
    data = "".join(f"{key}={text}\n" for key, text in entry.items())
    try:
        channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
        try:
            channel.settimeout(0)
            channel.sendto(data.encode("ascii"), SOCKET)
        finally:
            channel.close()
    except OSError:
        _tell_stderr(message)


def printable(text: str) -> str:
    """Return text of any origin as one line of printable ASCII, cut to 500 characters."""
    text = text[:500]
    if text.isascii() and text.isprintable():  # most are, and this takes no time
        return text
    return "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)


def _tell_stderr(message: str) -> None:
    try:
        os.write(2, f"netfail-hooks: {message}\n".encode("ascii"))
    except OSError:
        return  # closed: nobody is listening


def run_logged(work: Callable[[], int]) -> int:
    """Return the exit status of ``work``; what it raises goes to the journal.

    A line each where several things are wrong: of one that is long the end is cut off.
    """
    try:
        return work()
    except Problem as problem:
        for line in problem.lines():
            log(line, priority=ERROR)
        return problem.status
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody at 3 a.m.
        log(
            f"bug: {type(error).__name__}: {error}; routes are as they were; please report it "
            "with what 'sudo netfail-hooks log --bundle FILE' makes",
            priority=ERROR,
        )
        return 1
