"""Who has a Wi-Fi uplink join its network: not always who sets its addresses.

dhcpcd and ifupdown may do so themselves: by a hook, which Debian has among the examples
(/usr/share/dhcpcd/hooks), and by a stanza's wpa- options. Else a service of the user's own does,
mostly wpa_supplicant@IF or iwd, as iwd does where NetworkManager has it (nm/backend.py). It asks
for no address, and goes on under whoever does; so it stays as it is, its file too, while the
addresses change hands.
"""

from __future__ import annotations

import contextlib
import getopt
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netfail_hooks.errors import Misuse
from netfail_hooks.files import read_text
from netfail_hooks.managers import dhcpcd, ifupdown
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm.backend import LASTING
from netfail_hooks.managers.release import escaped
from netfail_hooks.managers.wifi.supplicant import is_ours, path
from netfail_hooks.networkd.file import parse
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run

WPA_SUPPLICANT, IWD = "wpa_supplicant", "iwd"
_IWD_CONFIG = "/etc/iwd/main.conf"
_YES = ("true", "1")  # l_settings_get_bool() in ell
# In whose units hooks and scripts of the managers' start one; ifup by hand does so in nobody's.
_MANAGERS = re.compile(r"dhcpcd\.service|networking\.service|ifup@.*\.service")
_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")
# What wpa_supplicant(8) takes; "v" is none that a running one has.
_OPTIONS = "b:Bc:C:D:de:f:g:G:hi:I:KLMm:No:O:p:P:qsTtuvW"
_BUS = "net.connman.iwd"
_OBJECTS = (
    *("busctl", "--json=short", "--auto-start=no", "call", _BUS, "/"),
    *("org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
)
# systemd.unit(5): by what a unit is started beside a person.
_STARTED_BY = ("WantedBy", "RequiredBy", "UpheldBy", "TriggeredBy")
# Each object's path, its interfaces by name, and of each the properties.
_Objects = dict[str, dict[str, dict[str, object]]]
_LEAVE = {
    dhcpcd.MANAGER: f"say 'nohook wpa_supplicant' in {dhcpcd.CONFIG}",
    ifupdown.MANAGER: "take the wpa- options out of the stanza",
}
_LASTING = "sudo iwctl known-networks SSID set-property AutoConnect yes"
ENABLE_IWD = "sudo systemctl enable iwd.service, then reboot"


@dataclass(frozen=True, slots=True)
class Joiner:
    """A program that has a radio join a network.

    ``unit`` has started it, "" for none; ``at_boot``: something starts that at boot. ``told``: its
    command line says nothing of that radio, another program did. ``addresses``: it sets them, too.
    ``waits``: it joins no network by itself, somebody has to ask.
    """

    program: str
    unit: str
    at_boot: bool = True
    told: bool = False
    addresses: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Joining:
    """What is seen of one uplink.

    ``joins``: its ``manager`` knows networks for it; ``ours``: we have put them into a file for
    wpa_supplicant@IF. ``noted`` is the unit that an earlier install found.
    """

    manager: str
    joiners: tuple[Joiner, ...] = ()
    joins: bool = False
    ours: bool = False
    noted: str = ""


def decide(name: str, seen: Joining) -> str:
    """Return the unit of the user's that has an uplink join Wi-Fi, and goes on; "" for none.

    Then its manager joins it, or nobody does. Raises Misuse where two would, or it isn't known who
    does once the machine has booted with its addresses in other hands.
    """
    own = tuple(one for one in seen.joiners if not _is_managers(name, one, seen))
    if seen.manager == NETWORKMANAGER and seen.ours:
        raise Misuse(
            f"{_instance(name)} has {name} join Wi-Fi since install, and NetworkManager uses iwd "
            "by now",
            hint="'sudo netfail-hooks uninstall', then reboot, then install again",
        )
    if not own:
        return seen.noted
    if seen.joins or own != seen.joiners or len(own) > 1:
        raise _several(name, own, seen)
    (one,) = own
    if one.addresses:
        raise Misuse(
            f"{one.unit or one.program} sets addresses of {name}, and not only joins Wi-Fi",
            hint=f"take EnableNetworkConfiguration= out of {_IWD_CONFIG}, then reboot",
        )
    if not one.unit or one.told:
        why = "another program told it to" if one.unit else "no unit has started it"
        raise Misuse(
            f"{one.unit or one.program} has {name} join Wi-Fi, and nobody knows who does at boot: "
            f"{why}",
            hint=_enable(name, one, seen.manager),
        )
    if not one.at_boot:
        raise Misuse(
            f"{one.unit} has {name} join Wi-Fi, and nothing starts it at boot",
            hint=f"sudo systemctl enable {one.unit}, then install again",
        )
    if one.waits:
        raise Misuse(
            f"{one.unit} has {name} join no Wi-Fi network by itself, so none after a boot",
            hint=f"{LASTING if seen.manager == NETWORKMANAGER else _LASTING}, then install again",
        )
    return one.unit


def _is_managers(name: str, one: Joiner, seen: Joining) -> bool:
    """Tell whether a program is what the manager, or this suite in its place, has started."""
    ours = seen.ours and one.unit == _instance(name)
    return ours or bool(_MANAGERS.fullmatch(one.unit)) or (seen.joins and not one.unit)


def _instance(name: str) -> str:
    return f"wpa_supplicant@{escaped(name)}.service"


def _several(name: str, own: Sequence[Joiner], seen: Joining) -> Misuse:
    """Return that two join one radio: who comes first is another one at each boot."""
    found = [one.unit or one.program for one in own]
    others = [one.unit or one.program for one in seen.joiners if one not in own]
    if seen.manager in _LEAVE and (seen.joins or others):
        found.append(seen.manager)
        hint = f"{_LEAVE[seen.manager]}, then reboot"
    else:
        found += others
        hint = f"leave it to one of them (sudo systemctl disable {found[-1]}, say), then reboot"
    if seen.ours:
        hint = f"'sudo netfail-hooks uninstall', then {hint}"
    return Misuse(f"{' and '.join(found)} have {name} join Wi-Fi, and only one can", hint=hint)


def _enable(name: str, one: Joiner, manager: str) -> str:
    if one.program == IWD:
        return ENABLE_IWD
    if manager == NETWORKMANAGER:
        return "reboot, from when on NetworkManager uses iwd, then install again"
    return f"have it join by {path(name)}: sudo systemctl enable {_instance(name)}, then reboot"


def joined_by(paths: Paths, name: str, manager: str, *, joins: bool, noted: str = "") -> str:
    """Return the unit of the user's by which an uplink joins Wi-Fi, see ``decide``.

    Of another root only what an earlier install noted. Raises Problem.
    """
    joiners = () if paths.root else tuple(gather(paths, name))
    ours = is_ours(read_text(paths.through(path(name))))
    return decide(name, Joining(manager, joiners, joins, ours, noted))


def gather(paths: Paths, name: str) -> Iterator[Joiner]:
    """Yield the programs that have a radio now. Raises Problem where iwd does not say."""
    here = _network(paths, "self")
    for pid in sorted(filter(str.isdecimal, os.listdir(paths.at("/proc"))), key=int):
        program = read_text(paths.at(f"/proc/{pid}/comm")).strip()
        if program not in (WPA_SUPPLICANT, IWD) or _network(paths, pid) != here:
            continue
        unit = _unit_of(read_text(paths.at(f"/proc/{pid}/cgroup")))
        at_boot = bool(unit) and _is_started(unit)
        if program == IWD and name in (told := stations(_iwds_objects())):
            waits = not told[name]
            yield Joiner(program, unit, at_boot, addresses=_sets_addresses(paths), waits=waits)
        elif program == WPA_SUPPLICANT:
            words = read_text(paths.at(f"/proc/{pid}/cmdline")).rstrip("\0").split("\0")
            says = _is_for(name, words)
            if says or name in _sockets(paths, pid):
                yield Joiner(program, unit, at_boot, told=not says and not _matches(words))


def _network(paths: Paths, pid: str) -> str:
    """Return the network that a process is in: a container has its own."""
    with contextlib.suppress(OSError):  # it may be gone by now
        return os.readlink(paths.at(f"/proc/{pid}/ns/net"))
    return ""


def _unit_of(cgroup: str) -> str:
    """Return the service of the system's that a process is of: cgroups(7), systemd.slice(5)."""
    for line in cgroup.splitlines():
        if "/user.slice/" not in line and (found := _UNIT.search(line)):
            return found[1]
    return ""


def _is_started(unit: str) -> bool:
    asked = [f"--property={key}" for key in _STARTED_BY]
    shown = run("systemctl", "show", "--value", *asked, "--", unit, seconds=10, environment=ENGLISH)
    return bool(shown.stdout.strip())


def _is_for(name: str, words: Sequence[str]) -> bool:
    """Tell whether a command line of wpa_supplicant's says that it is for an interface.

    With -M the name is a pattern (wpa_supplicant(8)).
    """
    return any(key == "-i" and fnmatchcase(name, word) for key, word in _said(words))


def _matches(words: Sequence[str]) -> bool:
    """Tell whether it takes interfaces by itself as they come."""
    return any(key == "-M" for key, _ in _said(words))


def _said(words: Sequence[str]) -> list[tuple[str, str]]:
    try:
        return getopt.getopt(list(words[1:]), _OPTIONS)[0]
    except getopt.GetoptError:
        return []


def _sockets(paths: Paths, pid: str) -> set[str]:
    """Return the names of the sockets that a process holds: wpa_supplicant's are its radios'."""
    names = {}
    for line in read_text(paths.at("/proc/net/unix"), limit=-1).splitlines():
        columns = line.split(maxsplit=7)  # unix(7): the inode, and last the path
        if len(columns) == 8:
            names[f"socket:[{columns[6]}]"] = os.path.basename(columns[7])
    held = set()
    with contextlib.suppress(OSError):
        place = paths.at(f"/proc/{pid}/fd")
        held = {os.readlink(f"{place}/{number}") for number in os.listdir(place)}
    return {names[one] for one in held if one in names}


def _iwds_objects() -> str:
    """Return what iwd has on the bus, as JSON. Raises Problem where it does not answer."""
    return run(*_OBJECTS, seconds=10).stdout


def stations(told: str) -> dict[str, bool]:
    """Return the radios that iwd joins to networks, of what it has on the bus (its own docs).

    And whether it would do so by itself: to the network that a radio is in, else to any.
    """
    objects = _objects(told)
    known = {place: bool(one.get("AutoConnect")) for place, one in _of(objects, "KnownNetwork")}
    connected = (one for _, one in _of(objects, "Network") if one.get("Connected"))
    within = {str(one.get("Device")): one for one in connected}
    devices = dict(_of(objects, "Device"))
    return {
        str(devices[place].get("Name")): (
            known.get(str(within[place].get("KnownNetwork")), False)
            if place in within
            else any(known.values())
        )
        for place, _ in _of(objects, "Station")
        if place in devices
    }


def iwd_knows() -> tuple[str, ...]:
    """Return the names of the networks that iwd knows how to join. Raises Problem."""
    known = _of(_objects(_iwds_objects()), "KnownNetwork")
    return tuple(str(one.get("Name")) for _, one in known)


def iwd_joins(paths: Paths, name: str) -> bool:
    """Tell whether iwd has a radio join a network by itself. Raises Problem."""
    return any(one.program == IWD and not one.waits for one in gather(paths, name))


def _objects(told: str) -> _Objects:
    """Return what GetManagedObjects says: of each object's interfaces the properties' values."""
    try:
        (objects,) = json.loads(told)["data"]
        return {
            str(place): {
                str(name): {key: one["data"] for key, one in properties.items()}
                for name, properties in interfaces.items()
            }
            for place, interfaces in objects.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _of(objects: _Objects, kind: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the objects of a kind, and their properties."""
    for place, interfaces in objects.items():
        if f"{_BUS}.{kind}" in interfaces:
            yield place, interfaces[f"{_BUS}.{kind}"]


def _sets_addresses(paths: Paths) -> bool:
    """Tell whether iwd gives the radio addresses as well (iwd.config(5))."""
    general = [one for one in parse(read_text(paths.through(_IWD_CONFIG))) if one.name == "General"]
    return any(one.get("EnableNetworkConfiguration").lower() in _YES for one in general)
