"""Take uplinks over from another manager, live, and give them back.

``gather`` looks who has what; ``plan`` says which files and commands that takes, and touches
nothing; ``taking`` and ``giving_back`` act, an uplink at a time, with what is each manager's own in
``from_*``, and what a NIC and the services are in ``uplink`` and ``services``; ``resolving`` keeps
names resolving, ``enabling`` has units start at boot, ``origin`` knows by which address the person
who runs this came in, ``stacking`` what sits on the uplinks.

The order of all this, and what a machine boots into after each step, is in docs/use/handover.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from netfail_hooks.install.manifest import Handed
from netfail_hooks.install.nodes import Node
from netfail_hooks.managers import Profile, ifupdown
from netfail_hooks.managers.release import Release, escaped

NETWORKD = "systemd-networkd.service"
SOCKET = "systemd-networkd.socket"  # on any word of the kernel's it starts networkd


@dataclass(frozen=True, slots=True)
class Handover:
    """Which uplinks are taken over, and what was found of the machine that matters to it.

    ``handed`` are all those that another manager has, or had before an earlier install; ``now``
    those that it has at this moment. ``idle`` are the units that we need and that did not run
    before us; ``links`` what has them start at boot, by path, each with its target. ``order`` are
    the uplinks in the order of their default routes before this. ``starts``: networkd is not
    enabled without us, so our word decides at boot who has the uplinks. ``resolver`` is what is to
    stand at /etc/resolv.conf and where that leads, () for no change; ``resolver_last``: once all
    uplinks are taken, since who writes that file now would write through a link. ``release`` says
    how the managers let go of the uplinks, and have them back; by then the kernel's settings are to
    be as they were before us (``sysctls``). ``waking`` are the files by which uplinks wake the
    machine: a text and a mode.
    """

    handed: tuple[Handed, ...] = ()
    now: tuple[str, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    starts: bool = False
    resolver: tuple[tuple[str, Node], ...] = ()
    resolver_last: bool = False
    release: Release = field(default_factory=lambda: Release({}))
    waking: Mapping[str, tuple[str, int]] = field(default_factory=dict, repr=False)
    sysctls: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether another manager is concerned at all."""
        return bool(self.handed)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the uplinks that are, or were, another manager's."""
        return tuple(one.interface for one in self.handed)

    def of(self, interface: str) -> Handed:
        """Return what is known of the manager that has, or had, an uplink."""
        return next(one for one in self.handed if one.interface == interface)

    def begun(self, noted: Sequence[str]) -> Handover:
        """Return what this install alone takes, and so gives back if it fails.

        What an earlier one took works by our files, which stay; it ``noted`` the units that it
        started. First comes who had the first default route: of two without a metric ifup fails
        for the second, and NetworkManager gives the first of several wired NICs the lowest metric.
        """
        ranks = {name: rank for rank, name in enumerate(self.order)}
        taken = [one for one in self.handed if one.interface in self.now]
        taken.sort(key=lambda one: ranks.get(one.interface, len(ranks)))
        started = tuple(unit for unit in self.idle if unit not in noted)
        return replace(self, handed=tuple(taken), idle=started)

    @property
    def wireless(self) -> tuple[str, ...]:
        """Return those that join a Wi-Fi network by a file of ours."""
        return tuple(name for name in self.names if self.profiles[name].wireless)

    @property
    def joined(self) -> tuple[str, ...]:
        """Return those that a unit of the user's own has join Wi-Fi: it is left as it is."""
        return tuple(one.interface for one in self.handed if one.joined_by)

    @property
    def joining_anew(self) -> tuple[str, ...]:
        """Return those whose Wi-Fi is out meanwhile: ifdown sets the link down, whoever joins."""
        down = (one for one in self.handed if one.joined_by and one.manager == ifupdown.MANAGER)
        return (*self.wireless, *(one.interface for one in down))


def supplicant_unit(interface: str) -> str:
    """Return the unit by which an uplink joins its Wi-Fi networks."""
    return f"wpa_supplicant@{escaped(interface)}.service"
