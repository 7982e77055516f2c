"""Take uplinks over from their managers on a running machine, one at a time.

Meanwhile another uplink has the traffic (``install/diversion.py``): a manager that lets go of a
NIC may take its addresses away, or leave them, and networkd knows of neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from netfail_hooks.config import Config
from netfail_hooks.install.diversion import divert, mark_taken
from netfail_hooks.install.handover import (
    Handover,
    from_ifupdown,
    from_networkmanager,
    supplicant_unit,
    uplink,
)
from netfail_hooks.install.handover.commands import tell
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.terminal.progress import doing

_LETS_GO = 45.0  # seconds for all that has a manager let go, and Wi-Fi begin anew
# Seconds for ``take`` in all, where each of these comes to its end just in time.
LONGEST = _LETS_GO + from_networkmanager.LEFT + from_ifupdown.LONGEST + uplink.PATIENCE


def take(
    interface: str,
    handover: Handover,
    config: Config,
    paths: Paths,
    write: Callable[[], None] | None = None,
) -> None:
    """Have networkd set an uplink up in its manager's place, once ``write`` wrote its file.

    Without, its file was there, and networkd may have read it, and take no notice of it.
    """
    aside = not from_networkmanager.is_its(interface, handover)
    until = time.monotonic() + _LETS_GO

    def end_client() -> None:
        for command in handover.release.ends.get(interface, ()):
            tell(*command, until=until)

    told = f"{interface} goes over to systemd-networkd"
    with (
        doing(told, LONGEST),
        divert(config, interface, paths, uplink.PATIENCE, aside=aside, first=end_client),
    ):
        if write:
            write()
        mark_taken(paths, interface)
        for command in handover.release.release[interface]:
            tell(*command, until=until)
        from_networkmanager.await_left(interface, handover, until)
        uplink.flush(interface)
        if interface in handover.wireless:
            if aside:
                from_ifupdown.await_left(interface, paths)
            tell("systemctl", "restart", supplicant_unit(interface), until=until)
        networkctl.require_answer()
        networkctl.reload()
        if write is None:
            networkctl.reconfigure(interface)
        if aside:
            from_ifupdown.await_way_out(interface, paths)
