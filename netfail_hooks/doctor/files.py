"""What ``doctor`` reads of files: hooks, what networkd reads, who else has an uplink."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from netfail_hooks.config import Config
from netfail_hooks.doctor.facts import BondSeen, NetworkFile, Place
from netfail_hooks.errors import Misuse
from netfail_hooks.files import read_text
from netfail_hooks.install.hook_file import states
from netfail_hooks.install.layout import HOOK
from netfail_hooks.install.units import TIMER, UNITS
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.file import has_default_route
from netfail_hooks.paths import Paths

_HERE = Paths()
_PLACES = re.compile(rb"^sys\.path \+= \[(.*)\]$", re.MULTILINE)
_EVERY = re.compile(r"^OnUnitActiveSec=(\d+)$", re.MULTILINE)


def hooks(paths: Paths) -> tuple[Place, ...]:
    """Return every hook, and each one's directory; the dispatcher follows links of the former."""
    found = []
    for state in states():
        directory = f"{_HERE.dispatcher}/{state}.d"
        found.append(_place(paths, directory, follow=False))
        found.append(_place(paths, f"{directory}/{HOOK}", follow=True))
    return tuple(found)


def _place(paths: Paths, path: str, *, follow: bool) -> Place:
    try:
        observed = os.stat(paths.at(path), follow_symlinks=follow)
    except OSError:
        return Place(path, None)
    return Place(path, stat.S_IMODE(observed.st_mode), (observed.st_uid, observed.st_gid))


def hook_lacks(paths: Paths, places: Sequence[Place]) -> str:
    """Return the Python or package that the hooks start and that is gone, "" for none."""
    there = (one.path for one in places if one.mode is not None and one.path.endswith(HOOK))
    for path in there:
        with contextlib.suppress(OSError), open(paths.at(path), "rb") as file:
            text = file.read(1 << 16)
            program = os.fsdecode(text.partition(b"\n")[0].removeprefix(b"#!").split(b" ")[0])
            if not os.path.exists(paths.at(program)):
                return program
            listed = _PLACES.search(text)
            quoted = listed[1].split(b",") if listed else []
            package = [os.fsdecode(one.strip(b' "')) for one in quoted]
            if package and not any(_has_package(paths, one) for one in package):
                return f"{package[0]}/netfail_hooks"
    return ""


def _has_package(paths: Paths, directory: str) -> bool:
    return os.path.exists(paths.at(f"{directory}/netfail_hooks/hook.py"))


def networks(paths: Paths, names: Sequence[str], unknown: list[str]) -> tuple[NetworkFile, ...]:
    """Return the file that networkd uses for each uplink."""
    found = []
    for name in names:
        try:
            source = match.effective(paths, match.read_nic(name, paths.at("/sys")))
        except Misuse as problem:
            unknown.append(str(problem))
            continue
        if source is None:
            found.append(NetworkFile(name))
            continue
        found.append(_network_file(name, source))
    return tuple(found)


def _network_file(name: str, source: match.Source) -> NetworkFile:
    sections = source.sections
    last = [one.get("Unmanaged") for one in sections if one.name == "Link"]
    named = [one.get("Gateway") for one in sections if one.name == "Network" or _is_way_out(one)]
    return NetworkFile(
        interface=name,
        path=source.path,
        ours=takeover.is_ours(source.text),
        unmanaged=networkfile.is_yes(last[-1] if last else ""),
        gateways=tuple(dict.fromkeys(_addresses(named))),
        leads_out=has_default_route(sections),
        source=takeover.of_whom(source.text),
    )


def _is_way_out(one: networkfile.Section) -> bool:
    """Tell whether that is a default route which the kernel looks at without being told to."""
    plain = one.get("Type") in ("", "unicast")
    return one.name == "Route" and one.leads_everywhere() and one.in_main_table() and plain


def _addresses(texts: Iterable[str]) -> Iterator[str]:
    """Yield addresses as the kernel's are written; "_dhcp4" and the like are none of them."""
    for text in texts:
        with contextlib.suppress(ValueError):
            yield str(ipaddress.ip_address(text))


def timer_interval_kept(paths: Paths, config: Config) -> bool:
    """Tell whether the timer is as often as the config says; a missing one is told elsewhere."""
    found = _EVERY.search(read_text(paths.at(f"{UNITS}/{TIMER}")))
    return found is None or int(found[1]) == config.interval


def dhcpcd_leaves(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the uplinks that dhcpcd's configuration keeps it from (dhcpcd.conf(5))."""
    lines = [line.split() for line in read_text(paths.at("/etc/dhcpcd.conf")).splitlines()]
    denied = [word for line in lines if line[:1] == ["denyinterfaces"] for word in line[1:]]
    allowed = [word for line in lines if line[:1] == ["allowinterfaces"] for word in line[1:]]
    return tuple(
        name
        for name in names
        if any(fnmatchcase(name, one) for one in denied)
        or (allowed and not any(fnmatchcase(name, one) for one in allowed))
    )


def bonds(paths: Paths) -> tuple[BondSeen, ...]:
    """Return all bonds of the machine (ABI/testing/sysfs-class-net, bonding.rst)."""
    top = paths.at("/sys/class/net")
    there = sorted(os.listdir(top)) if os.path.isdir(top) else []
    places = ((name, f"{top}/{name}/bonding") for name in there)
    return tuple(_bond(name, place) for name, place in places if os.path.isdir(place))


def _bond(name: str, directory: str) -> BondSeen:
    def words(key: str) -> list[str]:
        return read_text(f"{directory}/{key}").split()

    return BondSeen(
        name=name,
        mode="".join(words("mode")[:1]),  # "active-backup 1"
        fail_over_mac="".join(words("fail_over_mac")[:1]),
        arp_interval=int("".join(words("arp_interval")) or 0),
        targets=tuple(words("arp_ip_target")),
        slaves=tuple(words("slaves")),
    )


def arp_ignore(paths: Paths, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return for each uplink the greater of its own setting and all's, which counts."""
    found = []
    for name in names:
        keys = [f"ipv4/conf/{one}/arp_ignore" for one in ("all", name)]
        read = [(key, read_text(paths.at(f"/proc/sys/net/{key}")).strip()) for key in keys]
        held = [(key, int(setting)) for key, setting in read if setting.isdigit()]
        if held:
            found.append(max(held, key=lambda one: one[1]))
    return tuple(found)
