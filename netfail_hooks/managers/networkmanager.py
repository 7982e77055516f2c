"""Which profile a NIC has of NetworkManager, as that would choose it."""

from __future__ import annotations

from netfail_hooks.managers import Profile
from netfail_hooks.managers.keyfile import translate
from netfail_hooks.networkd.detect import networkmanager_has
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

MANAGER = "NetworkManager"


def has_it(paths: Paths, nic: Nic) -> bool:
    """Tell whether NetworkManager sets a NIC up; of another root it is not asked."""
    return not paths.root and nic.name in networkmanager_has()


def profile(paths: Paths, nic: Nic, *, had: bool = False) -> Profile | None:
    """Return how NetworkManager sets a NIC up, None where it doesn't.

    Raises Misuse for what can't be carried over, before anything is changed.
    """
    if not (had or has_it(paths, nic)):
        return None
    said = translate("", "", nic)
    return Profile(MANAGER, "", "", said.sections, name=said.name)
