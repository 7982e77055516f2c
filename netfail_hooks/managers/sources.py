"""What another manager says of a NIC, as a file that ours can be made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from netfail_hooks.managers import Profile, networkmanager
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

# Where a manager's files are; of what is elsewhere no check hears that it changed.
_PLACES = (
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
)


def profile(paths: Paths, nic: Nic, made_of: str = "") -> Profile | None:
    """Return how another manager sets a NIC up, or did before us; None where none does.

    ``made_of`` is what our file for it was made of: the manager may have left the NIC to us, and
    what its files say counts all the same. Raises Misuse for what can't be carried over.
    """
    had = is_managers(made_of)
    if not had and not networkmanager.has_it(paths, nic):
        return None
    return networkmanager.profile(paths, nic, had=had)


def is_managers(made_of: str) -> bool:
    """Tell whether a file of ours was made of another manager's words, by what it names."""
    return bool(made_of) and not made_of.endswith(".network")


def as_source(known: Profile) -> Source:
    """Return what a manager says as a file of networkd's, under the name to tell people."""
    return Source(known.path or f"the settings of {known.manager}", render(known.sections))


def watched(paths: Paths) -> Iterator[str]:
    """Yield the files and directories of which one is touched if a profile changes."""
    for directory in _PLACES:
        with contextlib.suppress(OSError):  # one that comes later: no file of ours is made of it
            names = sorted(os.listdir(paths.at(directory)))
            yield from (directory, *(f"{directory}/{name}" for name in names))
