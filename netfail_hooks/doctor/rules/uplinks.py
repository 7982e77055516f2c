"""Rules of ``doctor`` about each uplink: who sets it up, and who else does. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from netfail_hooks.doctor.facts import MISSING, NETWORK_MANAGER, NEW, Facts, NetworkFile, Symptom
from netfail_hooks.doctor.rules.shared import AGAIN, CONFIG, is_arch, listed, may_write
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.sysctls import wanted

_STOP = {
    NETWORK_MANAGER: "nmcli device set {name} managed no  # and in /etc/NetworkManager, for good",
    "dhcpcd": "systemctl disable --now dhcpcd  # or 'denyinterfaces {names}' in /etc/dhcpcd.conf",
    "dhclient": "dhclient -x {name}  # and take it out of /etc/network/interfaces",
    "ifupdown": "editor /etc/network/interfaces  # take out 'iface {name}'",
    "connmand": "systemctl disable --now connman",
}
_ANSWERS_LITTLE = (2, 8)  # only to its own subnet; not at all (ip-sysctl.rst, arp_ignore)
_WPA_PACKAGE = ("apt install wpasupplicant", "pacman -S wpa_supplicant")
_WPA = "/etc/wpa_supplicant/wpa_supplicant-{}.conf"


def interface_gone(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that there is no interface for: pulled out, or renamed by an upgrade."""
    for name in facts.uplinks if facts.observed else ():
        if facts.observed and facts.observed.link(name) is None:
            yield Symptom(f"there is no {name}", ("networkctl list", f"editor {CONFIG}"))


def foreign_manager(facts: Facts) -> Iterator[Symptom]:
    """Find somebody else who sets an uplink up."""
    for manager in dict.fromkeys(manager for manager, _ in facts.managed_elsewhere):
        names = [name for one, name in facts.managed_elsewhere if one == manager]
        stop = _STOP.get(manager, "systemctl disable --now " + shlex.quote(manager))
        fix = dict.fromkeys(stop.format(name=one, names=" ".join(names)) for one in names)
        yield Symptom(f"{manager} sets up {' and '.join(names)}, too", tuple(fix))


def file_shadowed(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd reads another file for an uplink than ours."""
    for one in facts.networks if facts.config else ():
        if one.path and not one.ours and not _lost_file(facts, one.interface, MISSING, NEW):
            told = f"networkd reads {one.path} for {one.interface}, not ours"
            yield Symptom(told, _get_ahead(one))


def _get_ahead(other: NetworkFile) -> tuple[str, ...]:
    """Return how our file comes to be read first.

    Install names it so, and keeps what the other says; that may serve other interfaces, too, or
    be made anew at each boot. Only what no name of ours sorts before has to go.
    """
    path = shlex.quote(other.path)
    if os.path.basename(other.path) <= f"00-netfail-{other.interface}.network":
        return (f"mv {path} {path}.off", "networkctl reload")
    first = (f"editor {path}  # take Unmanaged=yes out",) if other.unmanaged else ()
    return (*first, AGAIN)


def uplink_unmanaged(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd leaves an uplink alone, and no file of somebody's says that it shall."""
    told = {one.interface for one in facts.networks if facts.config and one.path and not one.ours}
    told |= {name for _, name in facts.managed_elsewhere}
    told |= {name for name in facts.uplinks if _lost_file(facts, name, NEW)}
    for name in facts.uplinks if facts.networkd_runs else ():
        if facts.setup(name) == "unmanaged" and name not in told:
            fix = ("networkctl reload",) if _has_file(facts, name) else (AGAIN,)
            yield Symptom(
                f"networkd does not manage {name}",
                fix,
                safe=_has_file(facts, name) or may_write(facts),
            )


def uplink_failed(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd has given an uplink up."""
    for name in facts.uplinks:
        if facts.setup(name) == "failed":
            yield Symptom(
                f"networkd could not set {name} up",
                (f"networkctl status {name}", f"networkctl reconfigure {name}"),
            )


def no_supplicant(facts: Facts) -> Iterator[Symptom]:
    """Find a Wi-Fi uplink that nobody takes to its access point."""
    for name in facts.wireless:
        if name not in facts.uplinks or _is_associated(facts, name):
            continue
        fix = [f"systemctl enable --now wpa_supplicant@{name}.service"]
        if name not in facts.wifi_config:
            write = f"(umask 077; wpa_passphrase SSID >{_WPA.format(name)})"
            fix.insert(0, f"{write}  # then type the passphrase, and Enter")
        if "wpa_supplicant" not in facts.programs:
            fix.insert(0, _WPA_PACKAGE[is_arch(facts)])
        yield Symptom(
            f"no wpa_supplicant or iwd runs for {name}",
            tuple(fix),
            safe=len(fix) == 1 and facts.units is not None,
        )


def wrong_sysctl(facts: Facts) -> Iterator[Symptom]:
    """Find settings that are not what install made them; a check puts them right."""
    if facts.mode != "routes" or not facts.observed:
        return
    now = {one.key: one.setting for one in facts.observed.sysctls}
    odd = [
        f"net.{one.key.replace('/', '.')} is {now[one.key]}, not {one.setting}"
        for name in facts.uplinks
        for one in wanted(name)
        if now.get(one.key, one.setting) != one.setting
    ]
    if odd:
        yield Symptom(listed(odd), ("netfail-hooks check",), safe=True)


def arp_ignored(facts: Facts) -> Iterator[Symptom]:
    """Find that the kernel keeps silent when the LAN asks for an address by another uplink."""
    if facts.mode != "routes" or not (facts.config and facts.config.follow_addresses):
        return
    for key, setting in dict.fromkeys(facts.arp_ignore):
        if setting in _ANSWERS_LITTLE:
            yield Symptom(f"net.{key.replace('/', '.')} is {setting}", (f"sysctl -w net/{key}=1",))


def one_name_server(facts: Facts) -> Iterator[Symptom]:
    """Find that resolved has name servers of an uplink alone, which dies with it."""
    yield from _resolving(facts, dead=False)


def dead_name_server(facts: Facts) -> Iterator[Symptom]:
    """Find that resolved has name servers of an uplink alone, and that one is dead."""
    yield from _resolving(facts, dead=True)


def _resolving(facts: Facts, *, dead: bool) -> Iterator[Symptom]:
    """Yield a hit where the uplinks with name servers are dead, or are not, and others lack one."""
    known = dict(facts.dns or ())
    having = [name for name in facts.uplinks if known.get(name)]
    lacking = [name for name in facts.uplinks if not known.get(name) and _leads_out(facts, name)]
    others = any(servers for name, servers in known.items() if name not in having)
    if others or not having or not lacking:
        return
    if dead == any(_leads_out(facts, name) for name in having):
        return
    said = f"systemd-resolved knows name servers of {' and '.join(having)} alone"
    servers = " ".join(dict.fromkeys(one for name in having for one in known[name]))
    now = f"resolvectl dns {lacking[0]} {servers}"
    yield Symptom(said, (f"{now}  # and DNS= in its .network file, then {AGAIN}",))


def _leads_out(facts: Facts, name: str) -> bool:
    link = facts.observed.link(name) if facts.observed else None
    if not facts.observed or not link or not link.carrier:
        return False
    return any(facts.observed.default_route(name, family) for family in FAMILIES)


def _lost_file(facts: Facts, name: str, *states: str) -> bool:
    """Tell whether our own file is not there: no wonder that another one is read then."""
    end = f"-netfail-{name}.network"
    return any(file.state in states and file.path.endswith(end) for file in facts.files)


def _has_file(facts: Facts, name: str) -> bool:
    return any(one.interface == name and one.path and not one.unmanaged for one in facts.networks)


def _is_associated(facts: Facts, name: str) -> bool:
    """Tell whether something does, or did: a unit or a process that we know, or a carrier."""
    link = facts.observed.link(name) if facts.observed else None
    if link and link.carrier:
        return True
    names = (f"wpa_supplicant@{name}.service", f"wpa_supplicant-nl80211@{name}.service")
    found = [facts.unit(one) for one in names]
    if any(unit and unit.active in ("active", "activating") for unit in found):
        return True
    for process in facts.processes:
        if process.name == "iwd":
            return True
        if process.name == "wpa_supplicant" and _is_told(process.words, name):
            return True
    return (NETWORK_MANAGER, name) in facts.managed_elsewhere


def _is_told(words: Sequence[str], name: str) -> bool:
    """Tell whether a command line has the option ``-i`` with an interface, in one word or two."""
    return f"-i{name}" in words or ("-i", name) in pairwise(words)
