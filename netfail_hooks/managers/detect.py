"""Who has an interface now, from what can be seen of each manager."""

from __future__ import annotations

import os
from dataclasses import dataclass

from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.files import read_text
from netfail_hooks.managers import dhcpcd, dhcpcd_release, ifupdown, interfaces
from netfail_hooks.managers.nm.nmcli import networkmanager_has
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run

NETWORKMANAGER = "NetworkManager"
# What is not read here, by its unit: "connman.service", or "netctl@home.service" for a profile.
_UNREAD = {
    "connman.service": "ConnMan",
    "wicked.service": "wicked",
    "wickedd.service": "wicked",
    "netctl@*.service": "netctl",
    "netctl-auto@*.service": "netctl",
    "netctl-ifplugd@*.service": "netctl",
}
_IFSTATE = "/run/network/ifstate"
_PIDS = ("/run/dhcpcd/pid", "/run/dhcpcd.pid")


@dataclass(frozen=True, slots=True)
class Managers:
    """What is seen of the managers of one interface.

    ``unread`` are active ones that nothing is read of. ``raised`` is what ifupdown calls it now
    (its logical name), ``boots`` whether it would raise it at boot, ``manual`` that it sets no
    address; ``dhcpcd`` tells whether one runs for it.
    """

    networkmanager: bool = False
    raised: str = ""
    boots: bool = False
    manual: bool = False
    joins: bool = False  # ifupdown has it join a Wi-Fi network
    dhcpcd: bool = False
    ifupdown2: bool = False
    unread: tuple[str, ...] = ()


def manager_of(paths: Paths, nic: Nic) -> str:
    """Return who has an interface: "NetworkManager", "ifupdown", "dhcpcd", "" for none of them.

    Raises Misuse for one that can't be told to leave it.
    """
    return decide(nic.name, gather(paths, nic))


def decide(name: str, seen: Managers) -> str:
    """Return who has an interface, by what is seen. Raises Misuse, see ``manager_of``.

    ifupdown starts a dhcpcd of its own, so it is asked before that.
    """
    if seen.networkmanager:
        return NETWORKMANAGER
    if seen.unread:
        raise Misuse(
            f"{seen.unread[0]} manages this machine's network, and can't be told to leave {name}",
            hint="stop it once systemd-networkd has a .network file for each uplink",
        )
    if seen.raised or seen.boots:
        if seen.ifupdown2:
            raise Misuse(
                f"ifupdown2 has {name}, and its files are not read here",
                hint="install ifupdown in its place, or write .network files",
            )
        if seen.dhcpcd and seen.manual and seen.joins:
            raise Misuse(
                f"{name} has Wi-Fi from ifupdown and addresses from dhcpcd",
                hint="have dhcpcd's hook or wpa_supplicant@"
                f"{name}.service join it: move the wpa- lines to its file",
            )
        if not (seen.dhcpcd and seen.manual):
            return ifupdown.MANAGER
    return dhcpcd.MANAGER if seen.dhcpcd else ""


def gather(paths: Paths, nic: Nic) -> Managers:
    """Return what is seen. Of another root only what its files say of its next boot."""
    known = interfaces.read(paths)
    stanzas = known.of(known.logical(nic.name) or nic.name)
    boots = has_ifupdown(paths) and bool(interfaces.ifupdown_has(paths, [nic.name]))
    return Managers(
        networkmanager=not paths.root and nic.name in networkmanager_has(),
        raised=raised(paths, nic.name),
        boots=boots and not known.wrong,
        manual=all(one.method == "manual" for one in stanzas),
        joins=any(key[:3] in ("wpa", "wir") for one in stanzas for key, _ in one.options),
        dhcpcd=_dhcpcd_has(paths, nic.name),
        ifupdown2=os.path.isdir(paths.at("/etc/network/ifupdown2")),
        unread=() if paths.root else _unread(),
    )


def has_ifupdown(paths: Paths) -> bool:
    """Tell whether ifupdown is installed."""
    return any(os.path.lexists(paths.at(f"{place}/ifup")) for place in ("/sbin", "/usr/sbin"))


def raised(paths: Paths, name: str) -> str:
    """Return as what ifupdown has an interface up, "" for not."""
    return all_raised(paths).get(name, "")


def all_raised(paths: Paths) -> dict[str, str]:
    """Return as what ifupdown has which interface up: "eth0=eth0" in its state file (ifup(8))."""
    found: dict[str, str] = {}
    for line in read_text(paths.at(_IFSTATE)).splitlines():
        physical, _, logical = line.strip().partition("=")
        found.setdefault(physical, logical or physical)
    return found


def _dhcpcd_has(paths: Paths, name: str) -> bool:
    """Tell whether a dhcpcd runs for an interface alone, or one for all that isn't denied it."""
    if dhcpcd_runs_alone(paths, name):
        return True
    left = dhcpcd.leaves(paths, [name]) or dhcpcd_release.leaves(paths, [name])
    return bool(dhcpcd_for_all(paths)) and not left


def dhcpcd_runs_alone(paths: Paths, name: str) -> bool:
    """Tell whether a dhcpcd runs for an interface alone."""
    own = (f"/run/dhcpcd/{name}.pid", f"/run/dhcpcd-{name}.pid")
    return any(_running(paths, path) for path in own)


def dhcpcd_for_all(paths: Paths) -> str:
    """Return the process of a dhcpcd that runs for all interfaces, "" for none."""
    return next(filter(None, (_running(paths, path) for path in _PIDS)), "")


def _running(paths: Paths, path: str) -> str:
    pid = read_text(paths.at(path)).strip()
    return pid if pid.isdecimal() and os.path.isdir(paths.at(f"/proc/{pid}")) else ""


def _unread() -> tuple[str, ...]:
    """Return the managers that are active and that nothing is read of."""
    listing = ("systemctl", "list-units", "--plain", "--no-legend", "--state=active")
    try:
        done = run(*listing, *_UNREAD, seconds=10, check=False, environment=ENGLISH)
    except Problem:
        return ()
    units = [line.split()[0] for line in done.stdout.splitlines() if line.split()]
    found = [
        name
        for unit in units
        for pattern, name in _UNREAD.items()
        if unit == pattern or unit.split("@")[0] == pattern.split("@")[0]
    ]
    return tuple(dict.fromkeys(found))
