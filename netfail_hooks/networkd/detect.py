"""Which NICs networkd is told to set up, and which another manager has."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence

from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.names import is_interface_name
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, failure, run, version

_NMCLI = ("nmcli", "--terse", "--fields", "DEVICE,STATE", "device")
_CONNECTIONS = ("nmcli", "--terse", "--fields", "DEVICE,CON-UUID", "device", "status")
_NEVER_PROBES = (1, 42)
NOT_RUNNING = 8  # nmcli(1), EXIT STATUS
_NO_UPLINKS = ("", "loopback", "none")
_KINDS = ("cable", "Wi-Fi", "modem")  # by rank
_INSTALL = "NETFAIL_HOOKS_INSTALL"  # the command that a person typed to get here
_ONCE = 10.0  # seconds for an answer, by default
_AGAIN = 0.5  # seconds until it is asked once more


class UnansweredError(Problem):
    """A manager does not answer, or does not run: nobody knows what it has, or is to have."""


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
    command = os.environ.get(_INSTALL, "sudo netfail-hooks install")
    return Misuse(
        f"which uplinks? This machine has {_listed(there)}",
        hint=f"{command} --primary {ranked[0]} --backup {ranked[1]}",
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


def networkmanager_has() -> tuple[str, ...]:
    """Return the interfaces that NetworkManager sets up, none where it isn't there or hangs."""
    try:
        return networkmanager_says()
    except Problem:
        return ()


def networkmanager_says(patience: float = 0, *, running: bool = False) -> tuple[str, ...]:
    """Return the interfaces that NetworkManager sets up, none where it isn't there.

    ``running``: one that does not run is no answer, either. Raises UnansweredError.
    """
    # nmcli(1); "connected (externally)" is somebody else's doing, ours included.
    idle = ("unmanaged", "connected (externally)")
    return tuple(
        name
        for name, state in networkmanager_states(patience, running=running)
        if not state.startswith(idle)
    )


def networkmanager_states(
    patience: float = 0, *, running: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return each interface that NetworkManager knows, and its state in nmcli's words.

    Asked once more, for ``patience`` seconds, where there is no answer: on a machine that is busy
    nmcli gives up after 25. Raises UnansweredError, with ``running`` where it does not run, too.
    """
    if shutil.which(_NMCLI[0]) is None:
        return ()
    until = time.monotonic() + patience
    while True:
        seconds = round(max(_ONCE, until - time.monotonic()))
        try:
            done = run(*_NMCLI, seconds=seconds, check=False, environment=ENGLISH)
        except Problem as problem:
            why = str(problem.args[0])
        else:
            if done.returncode == 0 or (done.returncode == NOT_RUNNING and not running):
                return tuple(line.rpartition(":")[::2] for line in done.stdout.splitlines())
            why = failure(done)
        if time.monotonic() >= until:
            raise UnansweredError(
                f"NetworkManager does not answer, so nobody knows what it has: {why}",
                hint="systemctl restart NetworkManager, then try again",
            )
        time.sleep(_AGAIN)


def networkmanager_probes() -> bool:
    """Tell whether NetworkManager asks who has an address before it takes it, by default.

    1.42 does not, 1.52 does, for 200 ms (``ipv4.dad-timeout`` in nm-settings(5)).
    """
    found = version("nmcli")
    return found is None or found > _NEVER_PROBES


def active_connections() -> dict[str, str]:
    """Return the connection that each of NetworkManager's devices is, or is to be, up by: its UUID.

    Raises Problem where it can't be asked.
    """
    done = run(*_CONNECTIONS, seconds=10, check=False, environment=ENGLISH)
    pairs = (line.rpartition(":")[::2] for line in done.stdout.splitlines())
    return {name: uuid for name, uuid in pairs if uuid}
