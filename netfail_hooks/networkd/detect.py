"""Which NICs of a machine can be uplinks, and which of them networkd is told to set up."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netfail_hooks.errors import Misuse
from netfail_hooks.names import is_interface_name
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.terminal import typed

_NO_UPLINKS = ("", "loopback", "none")
_KINDS = ("cable", "Wi-Fi", "modem")  # by rank


def detect(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks of a machine whose config nobody has written. Raises Misuse.

    The physical NICs that networkd is told to set up, wired ones first, modems last, each kind by
    name. A switch's port has a type of its own ("dsa"), as has a modem ("wwan").
    """
    there = physical(paths)
    uplinks = [nic.name for nic in there if takeover.users_file(paths, nic)]
    if len(uplinks) < 2:
        raise _unnamed(there, uplinks)
    return tuple(uplinks)


def physical(paths: Paths) -> list[Nic]:
    """Return the NICs that can be uplinks, in the order in which ``detect`` has them.

    Hardware, that is: wired ones, Wi-Fi, modems.
    """
    directory = paths.at("/sys/class/net")
    there = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    names = [name for name in there if is_interface_name(name)]  # no other can be an uplink
    nics = [read_nic(name, paths) for name in names]
    return [
        nic
        for rank in range(3)
        for nic in nics
        if _rank(nic) == rank and nic.type not in _NO_UPLINKS and _is_physical(directory, nic)
    ]


def _unnamed(there: Sequence[Nic], uplinks: Sequence[str]) -> Misuse:
    """Return what to say where files do not tell the uplinks, with the command that names them."""
    ranked = [*uplinks, *(nic.name for nic in there if nic.name not in uplinks)]
    if len(ranked) < 2:
        has = f"{_listed(there)} alone" if there else "no cable and no Wi-Fi of its own"
        return Misuse(
            f"which uplinks? This machine has {has}, and failover takes two",
            hint="plug the other one in, or name them with --primary IF --backup IF; "
            "'ip link' lists all there are",
        )
    return Misuse(
        f"which uplinks? This machine has {_listed(there)}",
        hint=f"{typed.install()} --primary {ranked[0]} --backup {ranked[1]}",
    )


def _listed(nics: Sequence[Nic]) -> str:
    *others, last = (f"{nic.name} ({_KINDS[_rank(nic)]})" for nic in nics)
    return f"{', '.join(others)} and {last}" if others else last


def interfaces_here(paths: Paths) -> tuple[str, ...]:
    """Return the interfaces that a person may mean: those with a device, or all where none has."""
    directory = paths.at("/sys/class/net")
    there = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return tuple(nic.name for nic in physical(paths)) or tuple(n for n in there if n != "lo")


def _rank(nic: Nic) -> int:
    return 1 if nic.wireless else 2 if nic.type == "wwan" else 0


def _is_physical(directory: str, nic: Nic) -> bool:
    """Tell whether there is a device behind it (sysfs: ABI/testing/sysfs-class-net)."""
    return os.path.exists(f"{directory}/{nic.name}/device")
