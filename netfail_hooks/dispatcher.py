"""Whether networkd-dispatcher runs: whoever is told of no event had better say so."""

from __future__ import annotations

import os

UNIT = "networkd-dispatcher.service"
# The service manager has a link of that name while a unit is active, starts, or waits to be started
# again, for journald (``unit_export_state_files()`` of systemd's src/core/unit.c).
_UNITS = "/run/systemd/units"
_NEXT = "systemctl enable --now networkd-dispatcher"


def silence() -> str:
    """Return why no event reaches the hooks, with the next step; "" if nothing is known against it.

    One lstat(2), since each check asks. Where systemd does not run the machine nobody can tell.
    """
    if not os.path.isdir(_UNITS) or os.path.lexists(f"{_UNITS}/invocation:{UNIT}"):
        return ""
    return f"networkd-dispatcher is not running, so no event reaches the hooks: {_NEXT}"
