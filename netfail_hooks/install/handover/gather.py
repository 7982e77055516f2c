"""Look which uplinks another manager has, and at what taking them over depends on.

Refuses, before anything is changed, what would cut somebody off.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse
from netfail_hooks.install import kernel_state
from netfail_hooks.install.handover import (
    NETWORKD,
    Handover,
    enabling,
    from_dhcpcd,
    from_ifupdown,
    resolving,
    supplicant_unit,
)
from netfail_hooks.install.handover.profiles import profiles_of
from netfail_hooks.install.manifest import Handed, Manifest
from netfail_hooks.install.systemd import systemd_runs
from netfail_hooks.managers import (
    Profile,
    detect,
    dhclient,
    dhcpcd,
    dhcpcd_release,
    ifupdown,
    ifupdown_release,
    interfaces,
    waking,
)
from netfail_hooks.managers import release as managers_release
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm.nmcli import (
    active_connections,
    networkmanager_has,
    networkmanager_runs,
)
from netfail_hooks.managers.release import Release
from netfail_hooks.names import is_interface_name
from netfail_hooks.networkd import match, netplan, takeover
from netfail_hooks.networkd.file import is_unmanaged
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.process import run

_WANTED = f"/etc/systemd/system/multi-user.target.wants/{NETWORKD}"


def look(paths: Paths, config: Config, known: Manifest, mentioned: Sequence[str] = ()) -> Handover:
    """Return which uplinks are another manager's, or were. Raises Misuse.

    ``mentioned`` are told how they are to be set up, whatever the manager says.
    """
    has = () if paths.root else networkmanager_has()
    new = tuple(_new(paths, config, known, has))
    handed = (*known.handed, *new)
    if not handed:
        return Handover()
    raised = () if paths.root else _raised(known.handed)
    again = (one.interface for one in known.handed if one.interface in (*has, *raised))
    now = tuple(dict.fromkeys((*again, *(one.interface for one in new))))
    _refuse(paths, config, handed, now)
    profiles, wakes = waking.carried(paths, profiles_of(paths, known, handed, mentioned))
    handed = tuple(replace(one, joined_by=profiles[one.interface].joined_by) for one in handed)
    units = [NETWORKD, *(supplicant_unit(name) for name in profiles if profiles[name].wireless)]
    starts = not _is_there(paths, _WANTED) or known.entry(_WANTED) is not None
    resolved = not paths.root and resolving.resolved_runs()
    noted = known.entry(resolving.RESOLV_CONF) is not None
    named = resolving.named_servers(paths, profiles.values())
    leased = dhclient.name_servers(paths, profiles)
    asked = units if now and not paths.root else []
    idle = dict.fromkeys((*known.units, *(one for one in asked if not _is_active(one))))
    if NETWORKD in idle and NETWORKD not in known.units:
        _refuse_others(paths, config)
    for unit in units:
        if not enabling.is_there(paths, unit):
            raise Misuse(
                f"{unit} is not there, which an uplink is to be set up by", hint=_how(unit)
            )
    return Handover(
        handed=handed,
        now=now,
        profiles=profiles,
        idle=tuple(idle),
        links=dict(_links(paths, units, known)),
        order=() if paths.root else kernel_state.default_route_order(config),
        starts=starts,
        resolver=resolving.resolver(
            paths, resolved=resolved, ours=noted, named=named, leased=leased
        ),
        resolver_last=resolving.is_written_through(paths, leased),
        release=release_of(paths, handed),
        waking=wakes,
    )


def _new(paths: Paths, config: Config, known: Manifest, has: Sequence[str]) -> Iterator[Handed]:
    """Yield the uplinks that another manager has, and that no ``.network`` file is for.

    Raises Misuse where NetworkManager has one and a file is for it, too: two would set it up. And
    for what can't be taken over.
    """
    ours = [one.interface for one in known.handed]
    active = active_connections() if has else {}
    for name in config.names():
        nic = read_nic(name, paths)
        theirs = takeover.users_file(paths, nic)
        if name in has and theirs:
            raise Misuse(
                f"{NETWORKMANAGER} has {name}, and {netplan.told(paths, theirs.path)} is for it "
                "too: only one can",
                hint=f"sudo nmcli device set {name} managed no, or {_without(paths, theirs.path)}",
            )
        if name in ours or theirs or match.effective(paths, nic):
            continue
        if name in has:
            _refuse_odd(name)
            yield Handed(name, NETWORKMANAGER, active.get(name, ""))
        elif not paths.root and (manager := detect.manager_of(paths, nic)):
            hands = from_ifupdown.hand if manager == ifupdown.MANAGER else from_dhcpcd.hand
            yield hands(paths, nic)


def _without(paths: Paths, path: str) -> str:
    """Return how a file that networkd would read is done without; netplan makes its own again."""
    yaml = " and ".join(netplan.sources(paths, path))
    if yaml:
        return f"take it out of {yaml}, then {netplan.GENERATE}"
    return shlex.join(["sudo", "rm", path])


def _raised(handed: Sequence[Handed]) -> tuple[str, ...]:
    """Return which of these uplinks a manager beside NetworkManager has now."""
    handover = Handover(tuple(handed))
    return (*from_ifupdown.raised(handover), *from_dhcpcd.has(handover))


def _refuse_odd(name: str) -> None:
    """Refuse a name that a list of NetworkManager's would be two of. Raises Misuse."""
    if set(name) & set(";,"):
        raise Misuse(
            f"{NETWORKMANAGER} can't be told to leave {name!a} alone",
            hint="give that NIC a name without ; and , first (systemd.link(5), Name=)",
        )


def known(
    paths: Paths,
    handed: Sequence[Handed],
    units: Sequence[str],
    sysctls: Mapping[str, str] = MappingProxyType({}),
) -> Handover:
    """Return what giving back needs to know, from what was noted when it was taken."""
    profiles = {one.interface: Profile(one.manager, "", "", ()) for one in handed}
    release = release_of(paths, handed)
    return Handover(
        handed=tuple(handed),
        profiles=profiles,
        idle=tuple(units),
        release=release,
        sysctls=sysctls,
    )


def answers(handed: Sequence[Handed]) -> bool:
    """Tell whether the managers that are to have uplinks again are there, and run."""
    managers = {one.manager for one in handed}
    return _starts(handed, managers) and (NETWORKMANAGER not in managers or networkmanager_runs())


def _starts(handed: Sequence[Handed], managers: set[str]) -> bool:
    """Tell whether ifupdown and dhcpcd can be started for what they had.

    The program may be there without the unit that starts it: of another package, or masked.
    """
    paths = Paths()
    programs = {ifupdown.MANAGER: "ifup", dhcpcd.MANAGER: "dhcpcd"}
    if not all(shutil.which(program) for name, program in programs.items() if name in managers):
        return False
    raised = [one.interface for one in handed if one.manager == ifupdown.MANAGER]
    units = ifupdown_release.units(interfaces.read(paths), raised) if raised else ()
    if not all(enabling.is_there(paths, unit) for unit in units):
        return False
    return dhcpcd.MANAGER not in managers or bool(dhcpcd_release.starts(paths))


def release_of(paths: Paths, handed: Sequence[Handed]) -> Release:
    """Return how all managers let go of their uplinks, and have them back."""
    parts = []
    for manager in dict.fromkeys(one.manager for one in handed):
        names = [one.interface for one in handed if one.manager == manager]
        if manager == ifupdown.MANAGER:
            parts.append(ifupdown_release.release(paths, interfaces.read(paths), names))
        elif manager == dhcpcd.MANAGER:
            nics = [read_nic(one, paths) for one in names]
            silent = resolving.is_written_through(paths)
            parts.append(dhcpcd_release.release(paths, nics, silent=silent))
        else:
            parts.append(managers_release.networkmanager(names))
    return Release(
        {path: text for part in parts for path, text in part.files.items()},
        {path: text for part in parts for path, text in part.prepared.items()},
        tuple(dict.fromkeys(command for part in parts for command in part.settle)),
        {name: commands for part in parts for name, commands in part.ends.items()},
        {name: commands for part in parts for name, commands in part.release.items()},
        {name: commands for part in parts for name, commands in part.take_back.items()},
    )


def _refuse(paths: Paths, config: Config, handed: Sequence[Handed], now: Sequence[str]) -> None:
    """Refuse what this can't do, or can't do safely. Raises Misuse."""
    for one in handed:
        if one.interface not in config.names():
            raise Misuse(
                f"{one.interface} was taken over from {one.manager}, and is to be no uplink now",
                hint="'sudo netfail-hooks uninstall' gives it back; then install again",
            )
        if one.manager == dhcpcd.MANAGER and dhcpcd_release.starts(paths):
            from_dhcpcd.refuse_own_way(paths)
    first = handed[0]
    if config.mode == "bond":
        raise Misuse(
            f"{first.manager} has {first.interface}, and a bond is not made of what it has",
            hint="use --mode routes",
        )
    if now and not (paths.root or systemd_runs()):
        raise Misuse(
            f"{first.manager} has {now[0]}, and systemd does not run this machine",
            hint=f"have networkd set {now[0]} up by a .network file first",
        )


def _refuse_others(paths: Paths, config: Config) -> None:
    """Refuse to start networkd where it would set up more than the uplinks. Raises Misuse.

    Whoever has those NICs, or nobody: what stands there was without effect until now.
    """
    for name in sorted(os.listdir(paths.at("/sys/class/net"))):
        if name in config.names() or not is_interface_name(name):
            continue
        source = match.effective(paths, read_nic(name, paths))
        if source and not is_unmanaged(source.sections):
            raise Misuse(
                f"systemd-networkd has to be started, and {source.path} would have it set "
                f"{name} up, which is no uplink",
                hint="remove that file, or add [Link] with Unmanaged=yes to it",
            )


def _links(paths: Paths, units: Sequence[str], known: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what has the units start at boot and is not there without us."""
    for unit in units:
        for path, target in enabling.links(paths, unit).items():
            if known.entry(path) or not _is_there(paths, path):
                yield path, target


def _is_there(paths: Paths, path: str) -> bool:
    return os.path.lexists(paths.at(path))


def _is_active(unit: str) -> bool:
    return run("systemctl", "--quiet", "is-active", unit, check=False).returncode == 0


def _how(unit: str) -> str:
    package = "wpasupplicant" if unit.startswith("wpa") else "systemd-networkd"
    return f"install {package} with the distribution's package manager"
