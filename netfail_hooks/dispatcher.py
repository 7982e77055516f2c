"""Whether anybody hears of events: networkd-dispatcher, or without it the watch's socket.

Whoever is told of no event had better say so.
"""

from __future__ import annotations

import os

UNIT = "networkd-dispatcher.service"
# The service manager has a link of that name while a unit is active, starts, or waits to be started
# again, for journald (``unit_export_state_files()`` of systemd's src/core/unit.c).
_UNITS = "/run/systemd/units"
_NEXT = "sudo systemctl enable --now networkd-dispatcher"
SOCKET = "netfail-hooks-watch.socket"
# It has no such link, as it starts no process. The kernel lists who listens to which groups, 277 in
# hexadecimal here (af_netlink.c), NETLINK_ROUTE being protocol 0.
_LISTENERS = "/proc/net/netlink"
_HEARS = ["0", "00000115"]
_LISTEN = f"sudo systemctl enable --now {SOCKET}"


def silence(*, hooks: bool = True) -> str:
    """Return why no event is heard, with the next step; "" if nothing is known against it.

    ``hooks`` tells whether networkd-dispatcher has to run some. One lstat(2) then, since each check
    asks. Where systemd does not run the machine nobody can tell.
    """
    if not os.path.isdir(_UNITS):
        return ""
    if not hooks:
        return "" if _is_heard() else f"{SOCKET} is not listening, so no event is heard: {_LISTEN}"
    if os.path.lexists(f"{_UNITS}/invocation:{UNIT}"):
        return ""
    return f"networkd-dispatcher is not running, so no event reaches the hooks: {_NEXT}"


def _is_heard() -> bool:
    """Tell whether somebody listens to what the watch's socket listens to, or nobody can tell."""
    try:
        with open(_LISTENERS, encoding="ascii", errors="replace") as file:
            return any([line.split()[place] for place in (1, 3)] == _HEARS for line in file)
    except (OSError, IndexError):
        return True
