"""Rules of ``doctor`` about each uplink: who sets it up, and who else does. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from netfail_hooks.config import DISABLE
from netfail_hooks.doctor.facts import NETWORK_MANAGER, Facts, NetworkFile, Symptom
from netfail_hooks.doctor.rules.shared import AGAIN, CONFIG, is_arch, listed, may_write
from netfail_hooks.errors import Misuse
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.takeover import file_name
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.sysctls import timers, wanted
from netfail_hooks.recorder.drills import FAILED

_STOP = {
    NETWORK_MANAGER: "nmcli device set {name} managed no  # and in /etc/NetworkManager, for good",
    "dhcpcd": "systemctl disable --now dhcpcd  # or 'denyinterfaces {names}' in /etc/dhcpcd.conf",
    "dhcpcd -n": "systemctl restart dhcpcd; networkctl reconfigure {name}  # somebody has run it",
    "dhclient": "dhclient -x {name}  # and take it out of /etc/network/interfaces",
    "ifupdown": "editor /etc/network/interfaces  # take out 'iface {name}'",
    "ifup": "ifdown {name}; networkctl reconfigure {name}  # somebody has run ifup by hand",
    "connmand": "systemctl disable --now connman",
}
_ANSWERS_LITTLE = (2, 8)  # only to its own subnet; not at all (ip-sysctl.rst, arp_ignore)
_SUPPLICANTS = ("wpa_supplicant", "wpa_supplicant-nl80211")
_WPA_PACKAGE = ("apt install wpasupplicant", "pacman -S wpa_supplicant")
_WPA = "/etc/wpa_supplicant/wpa_supplicant-{}.conf"


def interface_gone(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that there is no interface for: pulled out, or renamed by an upgrade."""
    for name in facts.uplinks if facts.kernel.observed else ():
        if facts.kernel.link(name) is None:
            yield Symptom(f"there is no {name}", ("networkctl list", f"editor {CONFIG}"))


def foreign_manager(facts: Facts) -> Iterator[Symptom]:
    """Find somebody else who sets an uplink up."""
    for manager in dict.fromkeys(manager for manager, _ in facts.managed_elsewhere):
        names = [name for other, name in facts.managed_elsewhere if other == manager]
        stop = _STOP.get(manager, "systemctl disable --now " + shlex.quote(manager))
        fix = dict.fromkeys(stop.format(name=name, names=" ".join(names)) for name in names)
        what = f"{manager} sets up {' and '.join(names)}, too"
        if not facts.services.networkd_runs:
            # So an install leaves it that lost its power. Taken away from there, whoever it is,
            # nobody has them; once networkd runs, who is still at them is to be stopped.
            what = f"{manager} has {' and '.join(names)}, and systemd-networkd does not run"
            fix = dict.fromkeys([AGAIN])
        yield Symptom(what, tuple(fix), about=tuple(names))


def disabled_by_hand(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that a person does without, with no end to it."""
    for order in facts.config.orders if facts.config else ():
        if order.kind == DISABLE and not order.until:
            fix = (f"netfail-hooks enable {order.interface}",)
            yield Symptom(f"{order.interface} is disabled by hand", fix, about=(order.interface,))


def portal(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink whose network lets nobody out before a login."""
    for name, url in facts.portals:
        fix = f"curl --interface {name} {shlex.quote(url)}  # or a browser on its network: log in"
        yield Symptom(f"{name} is behind a portal at {url}", (fix,), about=(name,))


def drill_failed(facts: Facts) -> Iterator[Symptom]:
    """Find that the last fire drill failed, of an uplink that is one still."""
    drill = facts.drill
    if drill and drill.verdict == FAILED and drill.interface in facts.uplinks:
        why = "; ".join(drill.reasons) or "no reason was kept"
        again = f"netfail-hooks drill --{drill.fault}"
        yield Symptom(f"the last fire drill failed: {why}", (again,), about=(drill.interface,))


def file_shadowed(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd reads another file for an uplink than ours."""
    for file in facts.files.networks if facts.config else ():
        if file.path and not file.ours:
            what = f"networkd reads {file.path} for {file.interface}, not ours"
            yield Symptom(what, _get_ahead(file), about=(_own_file(file.interface),))


def _get_ahead(other: NetworkFile) -> tuple[str, ...]:
    """Return how our file comes to be read first.

    Install names it so, and keeps what the other says; that may serve other interfaces, too, or
    be written again at each boot. Only what no name of ours sorts before has to go.
    """
    path = shlex.quote(other.path)
    try:
        file_name(Nic(other.interface), os.path.basename(other.path))
    except Misuse:
        return (f"mv {path} {path}.off", "networkctl reload")
    if not other.unmanaged:
        return (AGAIN,)
    if other.yaml:
        edit = f"editor {shlex.quote(other.yaml)}  # so that Unmanaged=yes does not come of it"
        return (edit, "netplan generate", AGAIN)
    return (f"editor {path}  # take Unmanaged=yes out", AGAIN)


def uplink_unmanaged(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd leaves an uplink alone."""
    usable = {f.interface for f in facts.files.networks if f.path and not f.unmanaged}
    for name in facts.uplinks:
        if facts.services.setup(name) == "unmanaged":
            yield Symptom(
                f"networkd does not manage {name}",
                ("networkctl reload",) if name in usable else (AGAIN,),
                safe=name in usable or may_write(facts),
                about=(name, _own_file(name)),
            )


def uplink_failed(facts: Facts) -> Iterator[Symptom]:
    """Find that networkd has given an uplink up."""
    for name in facts.uplinks:
        if facts.services.setup(name) == "failed":
            yield Symptom(
                f"networkd could not set {name} up",
                (f"networkctl status {name}", f"networkctl reconfigure {name}"),
            )


def uplink_enslaved(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that has become a part of something else than our bond."""
    own = facts.config.bond.name if facts.config and facts.config.mode == "bond" else ""
    for name, master in facts.kernel.masters:
        if master != own:
            what = f"{name} is a part of {master}"
            out = f"ip link set {name} nomaster  # or name {master} as the uplink in its place"
            yield Symptom(what, (out, f"networkctl reconfigure {name}"), about=(name,))


def no_supplicant(facts: Facts) -> Iterator[Symptom]:
    """Find a Wi-Fi uplink that nobody takes to its access point."""
    for name in facts.kernel.wireless:
        if name not in facts.uplinks or _is_associated(facts, name):
            continue
        fix = [f"systemctl enable --now wpa_supplicant@{name}.service"]
        if name not in facts.files.wifi_config:
            write = f"(umask 077; wpa_passphrase SSID >{_WPA.format(name)})"
            fix.insert(0, f"{write}  # then type the passphrase, and Enter")
        if "wpa_supplicant" not in facts.services.programs:
            fix.insert(0, _WPA_PACKAGE[is_arch(facts)])
        yield Symptom(
            f"no wpa_supplicant or iwd runs for {name}",
            tuple(fix),
            safe=len(fix) == 1 and facts.services.units is not None,
        )


def wrong_sysctl(facts: Facts) -> Iterator[Symptom]:
    """Find settings that are not what install made them; a check puts them right."""
    if facts.mode != "routes" or not facts.kernel.observed:
        return
    now = {sysctl.key: sysctl.setting for sysctl in facts.kernel.observed.sysctls}
    settings = [sysctl for name in facts.uplinks for sysctl in wanted(name)]
    settings += timers(facts.config.watch if facts.config else "off", facts.uplinks)
    odd = [
        f"net.{sysctl.key.replace('/', '.')} is {now[sysctl.key]}, not {sysctl.setting}"
        for sysctl in settings
        if now.get(sysctl.key, sysctl.setting) != sysctl.setting
    ]
    if odd:
        yield Symptom(listed(odd), ("netfail-hooks check",), safe=True)


def arp_ignored(facts: Facts) -> Iterator[Symptom]:
    """Find that the kernel keeps silent when the LAN asks for an address by another uplink."""
    if facts.mode != "routes" or not (facts.config and facts.config.follow_addresses):
        return
    for key, setting in dict.fromkeys(facts.kernel.arp_ignore):
        name = key.split("/")[2]
        # The kernel takes the greater of "all" and the interface's own (ip-sysctl.rst): at 1 an
        # uplink answers no more for what is on another, which is silent.
        little = setting != 0 if name == "all" else setting in _ANSWERS_LITTLE
        if little and (name == "all" or not _is_spoken_for(facts, name)):
            fix = f"sysctl -w net/{key}=0" if name == "all" else "netfail-hooks check"
            what = f"net.{key.replace('/', '.')} is {setting}"
            yield Symptom(what, (fix,), safe=name != "all", about=(key,))


def _is_spoken_for(facts: Facts, name: str) -> bool:
    """Tell whether another uplink, which has the traffic, answers for what this one has."""
    observed = facts.kernel.observed
    route = observed.in_use(4) if observed else None
    if not observed or not route or route.interface == name:
        return False
    own = observed.own_addresses(name, 4)
    return all(is_local_to(observed, route.interface, 4, address.address) for address in own)


def one_name_server(facts: Facts) -> Iterator[Symptom]:
    """Find that resolved has name servers of an uplink alone, which dies with it."""
    yield from _resolving(facts, dead=False)


def dead_name_server(facts: Facts) -> Iterator[Symptom]:
    """Find that resolved has name servers of an uplink alone, and that one is dead."""
    yield from _resolving(facts, dead=True)


def _resolving(facts: Facts, *, dead: bool) -> Iterator[Symptom]:
    """Find some uplinks with name servers, all of them dead or not, and others that lack one."""
    known = dict(facts.services.dns or ())
    having = [name for name in facts.uplinks if known.get(name)]
    lacking = [name for name in facts.uplinks if not known.get(name) and _is_usable(facts, name)]
    others = any(servers for name, servers in known.items() if name not in having)
    if others or not having or not lacking:
        return
    if dead == any(_is_usable(facts, name) for name in having):
        return
    what = f"systemd-resolved knows name servers of {' and '.join(having)} alone"
    servers = " ".join(dict.fromkeys(server for name in having for server in known[name]))
    now = f"resolvectl dns {lacking[0]} {servers}"
    yield Symptom(what, (f"{now}  # and DNS= in its .network file, then {AGAIN}",))


def _is_usable(facts: Facts, name: str) -> bool:
    observed, link = facts.kernel.observed, facts.kernel.link(name)
    if not observed or not link or not link.carrier:
        return False
    return any(observed.default_route(name, family) for family in FAMILIES)


def _own_file(name: str) -> str:
    """Return the role of our file of an uplink, as OwnFile has it."""
    return f"{name}.network"


def _is_associated(facts: Facts, name: str) -> bool:
    """Tell whether something does, or did: a unit or a process that we know, or a carrier."""
    link = facts.kernel.link(name)
    if link and link.carrier:
        return True
    units = [facts.services.unit(f"{kind}@{name}.service") for kind in _SUPPLICANTS]
    if any(unit and unit.active in ("active", "activating") for unit in units):
        return True
    for process in facts.services.processes:
        if process.name == "iwd":
            return True
        if process.name == "wpa_supplicant" and _has_option(process.words, name):
            return True
    return (NETWORK_MANAGER, name) in facts.managed_elsewhere


def _has_option(words: Sequence[str], name: str) -> bool:
    """Tell whether a command line has the option ``-i`` with an interface, in one word or two."""
    return f"-i{name}" in words or ("-i", name) in pairwise(words)
