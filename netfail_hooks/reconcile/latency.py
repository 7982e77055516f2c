"""How long ago the event was that woke us."""

from __future__ import annotations

import os
import time

_STALE = 5000  # ms; networkd wrote its file for another event then


def since_event(index: int) -> int:
    """Return milliseconds since networkd noted a link's last change.

    networkd writes ``/run/systemd/netif/links/INDEX`` as it emits the signal that wakes the
    dispatcher. Without such a file the time since this process began has to do.
    """
    try:
        changed = os.stat(f"/run/systemd/netif/links/{index}").st_mtime_ns
    except OSError:
        return _since_start()
    passed = (time.time_ns() - changed) // 1_000_000
    return passed if 0 <= passed < _STALE else _since_start()


def _since_start() -> int:
    """Return this process's age; field 22 of /proc/self/stat is its start (proc(5))."""
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return max(int(age * 1000), 0)
