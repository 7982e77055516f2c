"""What ``doctor`` asks of running programs: systemd, resolved, and the list of processes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence

from netfail_hooks.doctor.facts import DISPATCHER, NETWORKD, WAIT_ONLINE, Process, Services, Unit
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.install import systemd
from netfail_hooks.install.units import SERVICE, SOCKET, TIMER
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.detect import physical
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run

# Those that set interfaces up, and those that rules look for.
_CLIENTS = ("dhcpcd", "dhclient", "udhcpc", "connmand")
_RUNNING = (*_CLIENTS, "systemd-networkd", "networkd-dispatcher", "wpa_supplicant", "iwd")
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALLED = ("networkd-dispatcher", "wpa_supplicant", "ifup", "apt-get", "pacman")
_SHOWN = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "ExecStart")
_TEMPLATES = ("wpa_supplicant", "wpa_supplicant-nl80211", "systemd-networkd-wait-online")
_STUB = ("127.0.0.53", "127.0.0.54")  # systemd-resolved.service(8)
_MASQUERADE = re.compile(r"\bmasquerade\b|\bMASQUERADE\b")
_SNAT = re.compile(r"\bsnat (?:ip )?to ([0-9.]+)")
_PATIENCE = 10  # seconds
_HELPER = re.compile(r"dhcpcd: \[(?:\w+ proxy|BPF \w+)\]")
_ARGV = re.compile(r"argv\[\]=(.*?) ;")
_DNS_LINE = re.compile(r"(?:Link \d+ \(([^)]+)\)|Global):(.*)")


def gather(
    uplinks: Sequence[str], states: Mapping[str, tuple[str, str]], unknown: list[str]
) -> Services:
    """Return what runs; ``states`` are networkd's of the interfaces (networkctl(1))."""
    shown = units(uplinks) if systemd.systemd_runs() else ()
    if not shown:
        unknown.append("what systemd starts: it does not run this machine, or does not answer")
    running = processes(unknown)
    active = [unit.name for unit in shown if unit.active == "active"]
    masquerades, translated_to = address_translation()
    return Services(
        units=shown or None,
        processes=running,
        programs=tuple(name for name in _INSTALLED if shutil.which(name, path=_SEARCH)),
        # Without it networkctl calls every interface unmanaged.
        networkd_runs=NETWORKD in active or any(p.name == "systemd-networkd" for p in running),
        networkd_version=networkctl.version(),
        states=tuple((name, *words) for name, words in states.items()),
        masquerades=masquerades,
        translated_to=translated_to,
        dns=name_servers(),
    )


def units(uplinks: Iterable[str]) -> tuple[Unit, ...]:
    """Return the units that rules ask of; none where the service manager doesn't answer."""
    own = (f"{kind}@{name}.service" for name in uplinks for kind in _TEMPLATES)
    names = (NETWORKD, DISPATCHER, WAIT_ONLINE, SERVICE, TIMER, SOCKET, "networking.service", *own)
    text = ask("systemctl", "show", f"--property={','.join(_SHOWN)}", "--", *names)
    return parse_units(names, text)


def parse_units(names: Sequence[str], text: str) -> tuple[Unit, ...]:
    """Return units from what ``systemctl show`` prints: a block each, in the order asked for."""
    blocks = text.strip("\n").split("\n\n")
    if len(blocks) != len(names):
        return ()
    return tuple(_unit(name, block) for name, block in zip(names, blocks, strict=True))


def _unit(name: str, block: str) -> Unit:
    properties = dict(line.partition("=")[::2] for line in block.splitlines())
    return Unit(
        name=name,
        load=properties.get("LoadState", ""),
        active=properties.get("ActiveState", ""),
        enabled=properties.get("UnitFileState", ""),
        stale=properties.get("NeedDaemonReload") == "yes",
        command="\n".join(_ARGV.findall(block)),
    )


def processes(unknown: list[str]) -> tuple[Process, ...]:
    """Return the programs that rules look for, of this network alone: a container has its own.

    Only root can tell whose another user's is. A client of DHCP, which is a fault here, is then
    left out; any other, whose lack is a fault, is not.
    """
    known = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):  # it may be gone by now
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = tuple(file.read().decode("utf-8", "replace").rstrip("\0").split("\0"))
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = _name(file.read().rstrip("\n"), words)
            ours = _is_in_our_network(pid) if name else False
            if ours is None and name in _CLIENTS:
                unknown.append(f"whose network {name} (process {pid}) sets up: use sudo")
            elif ours is not False:
                known.append(Process(name, pid, words))
    return tuple(known)


def nics(paths: Paths) -> tuple[str, ...]:
    """Return the NICs that can be uplinks: one with a cable in it, a Wi-Fi, then the others."""
    top = paths.at("/sys/class/net")
    there = physical(paths)
    wireless = [nic.name for nic in there if nic.wireless]
    others = [nic.name for nic in there if not nic.wireless]
    others.sort(key=lambda name: read_text(f"{top}/{name}/carrier").strip() != "1")
    return (*others[:1], *wireless[:1], *others[1:], *wireless[1:])


def serving(process: Process, names: Iterable[str]) -> tuple[str, ...]:
    """Return which interfaces a client of DHCP sets up: those it names, else all of them.

    dhcpcd writes over its command line: "dhcpcd: eth0 [ip4]", or "dhcpcd: [manager] [ip4]"; its
    helpers are "dhcpcd: [network proxy] eth0" and the like.
    """
    text = " ".join(process.words)
    if process.name not in _CLIENTS or _HELPER.match(text):
        return ()
    words = text.split()
    named = tuple(name for name in names if name in words or f"-i{name}" in words)
    others = set(os.listdir("/sys/class/net")) & set(words)
    return named or (() if others else tuple(names))


def helped(process: Process, names: Iterable[str]) -> tuple[str, ...]:
    """Return for which interfaces a helper of dhcpcd's listens: those that it has set up."""
    text = " ".join(process.words)
    found = _HELPER.match(text) if process.name == "dhcpcd" else None
    words = text[found.end() :].split() if found else []
    return tuple(name for name in names if name in words[:1])


def name_servers() -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """Return what systemd-resolved asks by interface, "" for all; None if it isn't asked here."""
    with contextlib.suppress(OSError):
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            servers = [line.split()[1:2] for line in file if line.startswith("nameserver")]
        asked = os.path.realpath("/etc/resolv.conf").startswith("/run/systemd/resolve/")
        if asked or any([address] in servers for address in _STUB):
            return parse_name_servers(ask("resolvectl", "--no-pager", "dns")) or None
    return None


def parse_name_servers(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the name servers by interface that ``resolvectl dns`` prints."""
    lines = (_DNS_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return tuple((line[1] or "", tuple(line[2].split())) for line in lines if line)


def address_translation() -> tuple[bool, tuple[str, ...]]:
    """Tell whether packets are masqueraded, and return what others' source is translated to.

    As nft lists it, what iptables has put there included; as root only.
    """
    return parse_address_translation(ask("nft", "list", "ruleset"))


def parse_address_translation(ruleset: str) -> tuple[bool, tuple[str, ...]]:
    """Return the same of a text; ``xt target`` is a rule of iptables that nft can't show whole."""
    return bool(_MASQUERADE.search(ruleset)), tuple(dict.fromkeys(_SNAT.findall(ruleset)))


def ask(*argv: str) -> str:
    """Return what a command prints, "" where it can't be run or fails."""
    try:
        return run(*argv, seconds=_PATIENCE, environment=ENGLISH).stdout
    except Problem:
        return ""


def _name(comm: str, words: Sequence[str]) -> str:
    """Return which program that is, "" for none of ours to know; comm(5) has 15 characters."""
    scripts = {os.path.basename(word) for word in words[:3]}
    for name in _RUNNING:
        if comm == name[:15] and (comm == name or name in scripts):
            return name
        if name in scripts and comm.startswith("python"):
            return name
    return ""


def _is_in_our_network(pid: int) -> bool | None:
    """Tell whether a process is, None where only root may know."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except PermissionError:
        return None
