"""Lead uplinks back to the managers that had them, whatever was done, and whoever is silent.

Each by who has it at this moment (``standing.py``): so this may be done again and again, until all
are back. Meanwhile networkd has what its manager does not take.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes
from netfail_hooks.install.diversion import (
    clear_pending,
    clear_taken,
    mark_taken,
    pending,
    taken,
)
from netfail_hooks.install.handover import (
    Handover,
    from_dhcpcd,
    from_ifupdown,
    from_networkmanager,
    giving_back,
    services,
    supplicant_unit,
    uplink,
)
from netfail_hooks.install.handover.commands import attempt, collecting
from netfail_hooks.install.handover.standing import Do, Standing, next_step
from netfail_hooks.install.manifest import Handed
from netfail_hooks.install.nodes import Node
from netfail_hooks.managers import UnansweredError, dhcpcd, dhcpcd_release
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths

# By uplink: the files by which networkd has it, and joins its Wi-Fi, by path.
Ours = Mapping[str, Mapping[str, Node]]
_NONE: Ours = MappingProxyType({})
_STEPS = 5  # one leads to the next; who else is at work may change what there is to do


@dataclass(frozen=True, slots=True)
class Outcome:
    """What went wrong, and the uplinks that networkd has until their managers take them."""

    messages: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def give_all_back(handover: Handover, ours: Ours = _NONE) -> Outcome:
    """Give the managers all that they had, whatever was done. The files are as they were before.

    Where NetworkManager does not answer networkd goes on with what it has, by ``ours``, which are
    put in place again: who can't take an uplink back is given none.
    """
    messages: list[str] = []
    try:
        from_networkmanager.says(handover)
        from_networkmanager.hold(handover)
        with collecting(messages):
            services.settle(handover)
    except Problem as problem:
        return Outcome((*messages, str(problem)), keep_all(handover, ours))
    # dhcpcd is ended for all at the first one's turn: that one brings it back for the others.
    begun = pending(Paths())
    turns = sorted(
        handover.handed,
        key=lambda one: one.manager == dhcpcd.MANAGER and one.interface not in begun,
    )
    left = tuple(one.interface for one in turns if not _lead_back(one, handover, ours, messages))
    if not left:
        forget(handover, Paths())
        services.stop(handover)
    return Outcome(tuple(messages), left)


def give_rest_back(handover: Handover) -> Outcome:
    """Have the managers take what a killed run took from us and gave nobody."""
    messages: list[str] = []
    left = [
        one.interface for one in handover.handed if not _lead_back(one, handover, _NONE, messages)
    ]
    return Outcome(tuple(messages), tuple(left))


def keep_all(handover: Handover, ours: Ours) -> tuple[str, ...]:
    """Have networkd have what silent managers may have let go; return all that changed hands."""
    left = []
    for one in handover.handed:
        standing = _look(one, handover, ours, silent=True)
        if next_step(standing) is Do.KEEP:
            _keep(one.interface, ours)
        if standing.begun:
            left.append(one.interface)
    return tuple(left)


def keep_untaken(interface: str, handover: Handover, ours: Ours, *, silent: bool) -> bool:
    """Have networkd have an uplink again that its manager was told to have, and did not take.

    ``silent``: that hung. Return False where it is its manager's: there is nothing to keep.
    """
    one = handover.of(interface)
    return not _lead_back(one, handover, ours, [], told=True, silent=silent)


def forget(handover: Handover, paths: Paths) -> None:
    """Forget who had which uplink on the way: that is over."""
    for name in handover.names:
        clear_taken(paths, name)


def note(handover: Handover, paths: Paths) -> None:
    """Note which uplinks are with networkd, before what says so at boot goes."""
    for name in dhcpcd_release.leaves(paths, handover.names):
        mark_taken(paths, name)


def _lead_back(  # noqa: PLR0913 - what is known of a manager has many sides
    one: Handed,
    handover: Handover,
    ours: Ours,
    messages: list[str],
    *,
    told: bool = False,
    silent: bool = False,
) -> bool:
    """Lead an uplink back; return whether it is where it was before."""
    for _ in range(_STEPS):
        standing = _look(one, handover, ours, told=told, silent=silent)
        step = next_step(standing)
        if step is Do.NOTHING:
            return not standing.begun
        if step is Do.FORGET:
            clear_taken(Paths(), one.interface)
            clear_pending(Paths(), one.interface)
            return True
        if step is Do.KEEP:
            _keep(one.interface, ours)
            return False
        if step is Do.PART:
            with collecting(messages):
                from_networkmanager.part(one.interface, handover)
        else:
            told = True
            silent = not giving_back.give_at_once(one, handover, messages)
    return False


def _look(
    one: Handed, handover: Handover, ours: Ours, *, told: bool = False, silent: bool = False
) -> Standing:
    """Return who has an uplink by now."""
    paths, name = Paths(), one.interface
    theirs = None if silent else _is_theirs(one, handover, told=told)
    networkds = networkctl.has(name)
    marked = name in pending(paths) or name in taken(paths)
    files = ours.get(name, {})
    return Standing(
        there=uplink.is_there(name),
        # One that is its manager's, and that nobody was at, networkd may have by a file of its own.
        begun=marked or theirs is False or (theirs is None and networkds),
        # ifup and dhcpcd are told no more of one that they have.
        networkds=networkds and (one.manager == NETWORKMANAGER or not theirs),
        file=all(nodes.same(nodes.read(paths.at(path)), node) for path, node in files.items()),
        theirs=theirs,
        told=told,
    )


def _is_theirs(one: Handed, handover: Handover, *, told: bool) -> bool | None:
    """Tell whether its manager says that it has an uplink, None where it does not answer.

    The word of ifup, and of who starts dhcpcd, is that it did not hang: what it could not do it
    could not do at boot, either.
    """
    if one.manager == NETWORKMANAGER:
        try:
            return one.interface in from_networkmanager.says(handover)
        except UnansweredError:
            return None
    begun = pending(Paths())  # which somebody was at
    return told or (one.interface not in begun and one.interface in _raised(handover))


def _raised(handover: Handover) -> tuple[str, ...]:
    """Return the uplinks that a manager beside NetworkManager has set up."""
    return (*from_ifupdown.raised(handover), *from_dhcpcd.raised(handover))


def _keep(interface: str, ours: Ours) -> None:
    """Have networkd have an uplink by our files, for as long as nobody else would."""
    paths, files = Paths(), ours.get(interface, {})
    mark_taken(paths, interface)
    with contextlib.suppress(OSError):
        for path, node in files.items():
            nodes.write(paths.at(path), node)
    if supplicant.path(interface) in files:
        attempt("systemctl", "daemon-reload")
        attempt("systemctl", "restart", supplicant_unit(interface))
    if networkctl.answers():
        with contextlib.suppress(Problem):
            networkctl.reload()
            networkctl.reconfigure(interface)
