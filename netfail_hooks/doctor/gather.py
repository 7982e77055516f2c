"""Gather what ``doctor`` goes by, as far as whoever runs it may see. Changes nothing."""

from __future__ import annotations

import os
import re
import shutil

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.doctor import files as doctor_files
from netfail_hooks.doctor import machine, own_files
from netfail_hooks.doctor.facts import NETWORK_MANAGER, NETWORKD, Facts, Process, Unit
from netfail_hooks.doctor.ifupdown import ifupdown_has
from netfail_hooks.errors import Misuse
from netfail_hooks.install import systemd
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.networkd import match, networkctl
from netfail_hooks.networkd.detect import detect, networkmanager_has
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Observation

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("networkd-dispatcher", "wpa_supplicant", "ifup", "apt-get", "pacman")
_RELEASE = re.compile(r"(\d+)\.(\d+)")


def gather(paths: Paths) -> Facts:
    """Return all that the rules need; what could not be found out is in ``unknown``."""
    unknown: list[str] = []
    config, wrong = _config(paths)
    states = networkctl.states()
    names = config.names() if config else _would_be(paths, states)
    asked = config or Config(uplinks=default_metrics(names))
    units = machine.units(names) if systemd.systemd_runs() else ()
    if not units:
        unknown.append("what systemd starts: it does not run this machine, or does not answer")
    processes = machine.processes(unknown)
    programs = tuple(one for one in _PROGRAMS if shutil.which(one, path=_SEARCH))
    hooks = doctor_files.hooks(paths)
    files, compared = own_files.own_files(paths, config, unknown) if config else ((), False)
    release = _RELEASE.match(os.uname().release)
    return Facts(
        uplinks=names,
        config=config,
        config_wrong=wrong,
        installed=os.path.lexists(paths.manifest) or config is not None,
        observed=_kernel(asked, unknown),
        networkd_runs=_networkd_runs(units, processes),
        states=tuple((name, *words) for name, words in states.items()),
        networkd_version=networkctl.version(),
        kernel=(int(release[1]), int(release[2])) if release else (0, 0),
        units=units or None,
        processes=processes,
        programs=programs,
        hooks=hooks,
        hook_lacks=doctor_files.hook_lacks(paths, hooks),
        files=files,
        compared=compared,
        timer_interval_kept=config is None or doctor_files.timer_interval_kept(paths, config),
        networks=doctor_files.networks(paths, names, unknown),
        managed_elsewhere=_managed(paths, names, processes, programs, units),
        bonds=doctor_files.bonds(paths),
        wireless=tuple(name for name in names if _is_wireless(paths, name)),
        wifi_config=tuple(name for name in names if _has_wifi_config(paths, name)),
        arp_ignore=doctor_files.arp_ignore(paths, names),
        dns=machine.name_servers(),
        unknown=tuple(unknown),
    )


def _config(paths: Paths) -> tuple[Config | None, str]:
    """Return the config, and what is wrong with one that is there."""
    try:
        return load(paths), ""
    except Misuse as problem:
        return None, str(problem) if os.path.lexists(paths.config) else ""


def _would_be(paths: Paths, states: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """Return what install would take, else what networkd has set up."""
    try:
        return detect(paths)
    except Misuse:
        managed = (name for name, (_, setup) in states.items() if setup.startswith("configur"))
        return tuple(sorted(name for name in managed if name != "lo"))


def _networkd_runs(units: tuple[Unit, ...], processes: tuple[Process, ...]) -> bool:
    """Tell whether networkd does; without it networkctl calls everything unmanaged."""
    unit = next((unit for unit in units if unit.name == NETWORKD), None)
    return (unit is not None and unit.active == "active") or any(
        process.name == "systemd-networkd" for process in processes
    )


def _kernel(config: Config, unknown: list[str]) -> Observation | None:
    try:
        with Netlink() as netlink:
            return observe(config, netlink)
    except OSError as error:
        unknown.append(f"links and routes: {error}")
        return None


def _managed(
    paths: Paths,
    names: tuple[str, ...],
    processes: tuple[Process, ...],
    programs: tuple[str, ...],
    units: tuple[Unit, ...],
) -> tuple[tuple[str, str], ...]:
    """Return who but networkd sets an uplink up, each with the uplink."""
    found = [(NETWORK_MANAGER, name) for name in networkmanager_has() if name in names]
    left = doctor_files.dhcpcd_leaves(paths, names)
    found += [
        (process.name, name)
        for process in processes
        for name in machine.serving(process, names)
        if not (process.name == "dhcpcd" and name in left)
    ]
    networking = next((unit for unit in units if unit.name == "networking.service"), None)
    if "ifup" in programs and networking and networking.active == "active":
        found += [("ifupdown", name) for name in ifupdown_has(paths, names)]
    return tuple(dict.fromkeys(found))


def _is_wireless(paths: Paths, name: str) -> bool:
    return match.read_nic(name, paths.at("/sys")).kind == "wlan"


def _has_wifi_config(paths: Paths, name: str) -> bool:
    return os.path.exists(paths.at(f"/etc/wpa_supplicant/wpa_supplicant-{name}.conf"))
