"""Gather what ``doctor`` goes by, as far as whoever runs it may see. Changes nothing."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from netfail_hooks.config import Config
from netfail_hooks.config.cache import load
from netfail_hooks.doctor import files as doctor_files
from netfail_hooks.doctor import kernel, machine
from netfail_hooks.doctor.facts import NETWORK_MANAGER, Facts, Services
from netfail_hooks.errors import Faults, NotPermitted, Problem
from netfail_hooks.install.way_back import waiting
from netfail_hooks.managers import detect as managers
from netfail_hooks.managers import dhcpcd, dhcpcd_release, ifupdown_release
from netfail_hooks.managers.interfaces import ifupdown_has
from netfail_hooks.managers.nm.nmcli import networkmanager_has
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.detect import detect
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.policy.bond import NO_ANSWER
from netfail_hooks.reconcile import load_state
from netfail_hooks.recorder import drills, events

# As the recorder sums a transition up: what is so of both families is told once.
_UNHEARD = re.compile(rf"(?:^|; )(\S+) (?:IPv[46]|IPv4 and IPv6) down \({re.escape(NO_ANSWER)}\)")


def gather(paths: Paths) -> Facts:
    """Return all that the rules need; what could not be learned is in ``unknown``."""
    unknown: list[str] = []
    config, wrong = _config(paths)
    states = networkctl.states()
    names = config.names() if config else _would_be(paths, states)
    services = machine.gather(names, states, unknown)
    drill = drills.noted_now(paths)
    if drill:
        unknown.append(f"what is {drill.interface}'s own fault: a fire drill makes it fail now")
    return Facts(
        uplinks=names,
        nics=() if config else machine.nics(paths),
        config=config,
        config_wrong=wrong,
        installed=os.path.lexists(paths.manifest) or config is not None,
        services=services,
        files=doctor_files.gather(paths, config, names, unknown),
        kernel=kernel.gather(paths, config, names, unknown),
        managed_elsewhere=_managed_elsewhere(paths, names, services),
        unknown=tuple(unknown),
        portals=tuple(dict.fromkeys(_portals(paths, names))),
        unheard=_unheard(paths, config, unknown) if config and config.mode == "bond" else (),
        drill=drills.kept(paths),
        waits=waiting.read(paths),
        install_sh=_install_sh(),
    )


def _install_sh() -> str:
    """Return what to call in a checkout, where 'netfail-hooks' is on no PATH yet, "" elsewhere."""
    home = package_home()
    place = f"{home}/install.sh"
    if not os.path.isfile(place):
        return ""
    return "./install.sh" if os.path.samefile(".", home) else place


def _portals(paths: Paths, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the uplinks behind a captive portal, as far as we may read what is remembered."""
    for judged in load_state(paths.state).uplinks:
        _, found, url = judged.reason.partition("portal at ")
        if found and judged.interface in names:
            yield judged.interface, url


def _unheard(paths: Paths, config: Config, unknown: list[str]) -> tuple[tuple[str, int], ...]:
    """Return how often a bond's monitor lost each slave in the last hour, by our log.

    As it is set now; and not where it lost all of them: then it is the router that was away.
    """
    since = datetime.now(tz=UTC) - timedelta(hours=1)
    lost: Counter[str] = Counter()
    pace = f'"arp_interval":{config.bond.arp_interval},'
    try:
        for line in events.lines(paths.log):
            with contextlib.suppress(ValueError):
                event = events.parse(line)
                found = set(_UNHEARD.findall(event.summary)) if event.time >= since else set()
                if pace in line and found != set(config.names()):
                    lost.update(found)
    except NotPermitted:
        return ()  # status names what root alone may read
    except Problem as problem:
        unknown.append(str(problem))
    return tuple((name, lost[name]) for name in config.names() if lost[name])


def _config(paths: Paths) -> tuple[Config | None, tuple[str, ...]]:
    """Return the config, and each thing that is wrong with one that is there."""
    try:
        return load(paths), ()
    except Faults as wrong:
        return None, wrong.faults
    except Problem as problem:
        return None, (str(problem),) if os.path.lexists(paths.config) else ()


def _would_be(paths: Paths, states: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """Return what install would take, else what networkd has set up."""
    try:
        return detect(paths)
    except Problem:
        managed = (name for name, (_, setup) in states.items() if setup.startswith("configur"))
        return tuple(sorted(name for name in managed if name != "lo"))


def _managed_elsewhere(
    paths: Paths, names: tuple[str, ...], services: Services
) -> tuple[tuple[str, str], ...]:
    """Return who but networkd sets an uplink up, each with the uplink."""
    managed = [(NETWORK_MANAGER, name) for name in networkmanager_has() if name in names]
    denied = dhcpcd_release.leaves(paths, names)
    left = (*dhcpcd.leaves(paths, names), *denied)
    managed += [
        (process.name, name)
        for process in services.processes
        for name in machine.serving(process, names)
        if not (process.name == "dhcpcd" and name in left)
    ]
    helped = (machine.helped(process, denied) for process in services.processes)
    managed += [("dhcpcd -n", name) for found in helped for name in found]
    networking = services.unit("networking.service")
    if "ifup" in services.programs and networking and networking.active == "active":
        left = ifupdown_release.leaves(paths, names)
        managed += [("ifupdown", name) for name in ifupdown_has(paths, names) if name not in left]
        managed += [("ifup", name) for name in left if managers.raised(paths, name)]
    return tuple(dict.fromkeys(managed))
