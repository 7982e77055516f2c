"""What is NetworkManager's own in a handover: who has an uplink, when it has let go, or begun."""

from __future__ import annotations

import time

from netfail_hooks.errors import Problem
from netfail_hooks.install.handover import Handover, uplink
from netfail_hooks.install.handover.commands import attempt, tell
from netfail_hooks.install.manifest import Handed
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm.nmcli import (
    active_connections,
    networkmanager_says,
    networkmanager_states,
)
from netfail_hooks.managers.release import Commands
from netfail_hooks.process import wait_until

_ANSWERS = 60.0  # seconds for it to answer, asked again and again
LEFT = 5.0  # seconds for it to let go
_READY = 15.0  # seconds for its supplicant to know a radio: until then nobody can have it join
_BEGINS = 3.0  # seconds for it to begin with that by itself
_NOT_READY = ("unmanaged", "unavailable")  # nmcli's words for NMDeviceState 10 and 20


def says(handover: Handover, *, running: bool = True) -> tuple[str, ...]:
    """Return what NetworkManager has, if any uplink is its own. Raises UnansweredError.

    ``running``: one that does not run by now is no answer, either.
    """
    asked = any(one.manager == NETWORKMANAGER for one in handover.handed)
    return networkmanager_says(_ANSWERS, running=running) if asked else ()


def is_its(interface: str, handover: Handover) -> bool:
    """Tell whether an uplink is, or was, its own."""
    return handover.of(interface).manager == NETWORKMANAGER


def hold(handover: Handover) -> None:
    """Keep NetworkManager from all uplinks that it doesn't have; a reload would give it all.

    Raises Problem where it does not answer.
    """
    theirs = says(handover, running=False)
    for one in handover.handed:
        if one.manager == NETWORKMANAGER and one.interface not in theirs:
            for command in handover.release.release[one.interface]:
                attempt(*command)


def await_left(interface: str, handover: Handover, until: float) -> None:
    """Wait until NetworkManager has let go; what it did until then is done. Raises Problem.

    ``until`` a time of the clock for its first answer.
    """
    if is_its(interface, handover):
        networkmanager_says(max(0, until - time.monotonic()))
        wait_until(
            lambda: interface not in networkmanager_says(),
            LEFT,
            f"release of {interface} by NetworkManager",
            hint=f"see 'nmcli device show {interface}'",
        )


def tell_all(commands: Commands, handover: Handover) -> None:
    """Have commands run; once more where NetworkManager was busy, and answers now. Raises Problem.

    What it was told while it was silent it may have done, a part of it, or nothing.
    """
    try:
        _tell_each(commands)
    except Problem:
        if all(command[0] != "nmcli" for command in commands):
            raise
        says(handover)
        _tell_each(commands)


def _tell_each(commands: Commands) -> None:
    for command in commands:
        tell(*command)


def part(interface: str, handover: Handover) -> None:
    """Have NetworkManager let go of an uplink that networkd has, too. Raises Problem."""
    for command in handover.release.release[interface]:
        tell(*command)
    await_left(interface, handover, time.monotonic() + _ANSWERS)


def is_begun(interface: str, handover: Handover) -> bool:
    """Tell whether NetworkManager is about to set an uplink up by itself, by what it was up by."""
    wanted = handover.of(interface).connection

    def begun() -> bool:
        return active_connections().get(interface) == wanted

    try:
        wait_until(
            lambda: begun() or _is_ready(interface), _READY, f"word that {interface} is ready"
        )
        wait_until(begun, _BEGINS, f"sign of NetworkManager at {interface}")
    except Problem:
        return False
    return True


def _is_ready(interface: str) -> bool:
    """Tell whether NetworkManager could set an uplink up now: before, nmcli would fail at once."""
    state = dict(networkmanager_states()).get(interface, "")
    return bool(state) and not state.startswith(_NOT_READY)


def await_connected(one: Handed) -> None:
    """Wait until NetworkManager has set an uplink up that was up. Raises Problem."""
    if one.connection:
        up = (one.interface, "connected")
        hint = f"see 'nmcli device show {one.interface}'"
        wait_until(
            lambda: up in networkmanager_states(),
            uplink.PATIENCE,
            f"address of {one.interface} from NetworkManager",
            hint=hint,
        )
