"""What another manager says of a NIC, as a file that ours can be made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from netfail_hooks.managers import (
    Profile,
    detect,
    dhcpcd,
    ifupdown,
    networkmanager,
    route_names,
)
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

# Where a manager's files are; of what is elsewhere no check hears that it changed.
_FILES = ("/etc/network/interfaces", dhcpcd.CONFIG)
_DIRECTORIES = (
    "/etc/network/interfaces.d",
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
)


def profile(paths: Paths, nic: Nic, made_of: str = "", manager: str = "") -> Profile | None:
    """Return how another manager sets a NIC up, or did before us; None where none does.

    ``made_of`` is what our file for it was made of: the manager may have left the NIC to us, and
    what its files say counts all the same. ``manager`` is who has it, where that is known. Raises
    Misuse for what can't be carried over.
    """
    manager = _manager_of(made_of) or manager or detect.manager_of(paths, nic)
    if manager == ifupdown.MANAGER:
        return ifupdown.profile(paths, nic)
    if manager == dhcpcd.MANAGER:
        return dhcpcd.profile(paths, nic)
    if manager == networkmanager.MANAGER:
        return networkmanager.profile(paths, nic, made_of=made_of)
    return None


def is_managers(made_of: str) -> bool:
    """Tell whether a file of ours was made of another manager's words, by what it names."""
    return bool(_manager_of(made_of))


def _manager_of(made_of: str) -> str:
    if not made_of or made_of.endswith(".network"):
        return ""
    for manager in (ifupdown.MANAGER, dhcpcd.MANAGER):
        if made_of == nameless(manager):
            return manager
    if made_of.startswith("/etc/network/"):
        return ifupdown.MANAGER
    return dhcpcd.MANAGER if made_of == dhcpcd.CONFIG else networkmanager.MANAGER


def as_source(known: Profile) -> Source:
    """Return what a manager says as a file of networkd's, under the name to tell people."""
    return Source(known.path or nameless(known.manager), render(known.sections))


def nameless(manager: str) -> str:
    """Return how a file of ours names what a manager says, where no file says it."""
    return f"the settings of {manager}"


def watched(paths: Paths) -> Iterator[str]:
    """Yield the files and directories of which one is touched if a profile changes."""
    yield from (path for path in _FILES if os.path.lexists(paths.at(path)))
    yield from route_names.watched(paths)
    for directory in _DIRECTORIES:
        with contextlib.suppress(OSError):  # one that comes later: no file of ours is made of it
            names = sorted(os.listdir(paths.at(directory)))
            yield from (directory, *(f"{directory}/{name}" for name in names))
