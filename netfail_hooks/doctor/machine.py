"""What ``doctor`` asks of running programs: systemd, resolved, and the list of processes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence

from netfail_hooks.doctor.facts import DISPATCHER, NETWORKD, WAIT_ONLINE, Process, Unit
from netfail_hooks.errors import Problem
from netfail_hooks.install.units import SERVICE, TIMER
from netfail_hooks.process import ENGLISH, run

# Those that set interfaces up, and those that rules look for.
_CLIENTS = ("dhcpcd", "dhclient", "udhcpc", "connmand")
_PROGRAMS = (*_CLIENTS, "systemd-networkd", "networkd-dispatcher", "wpa_supplicant", "iwd")
_SHOWN = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "ExecStart")
_TEMPLATES = ("wpa_supplicant", "wpa_supplicant-nl80211", "systemd-networkd-wait-online")
_STUB = ("127.0.0.53", "127.0.0.54")  # systemd-resolved.service(8)
_PATIENCE = 10  # seconds
_HELPER = re.compile(r"dhcpcd: \[(?:\w+ proxy|BPF \w+)\]")
_ARGV = re.compile(r"argv\[\]=(.*?) ;")
_DNS_LINE = re.compile(r"(?:Link \d+ \(([^)]+)\)|Global):(.*)")


def units(uplinks: Iterable[str]) -> tuple[Unit, ...]:
    """Return the units that rules ask of; none where the service manager doesn't answer."""
    own = (f"{kind}@{name}.service" for name in uplinks for kind in _TEMPLATES)
    names = (NETWORKD, DISPATCHER, WAIT_ONLINE, SERVICE, TIMER, "networking.service", *own)
    shown = ask("systemctl", "show", f"--property={','.join(_SHOWN)}", "--", *names)
    return parse_units(names, shown)


def parse_units(names: Sequence[str], text: str) -> tuple[Unit, ...]:
    """Return units from what ``systemctl show`` prints: a block each, in the order asked for."""
    blocks = text.strip("\n").split("\n\n")
    if len(blocks) != len(names):
        return ()
    return tuple(_unit(name, block) for name, block in zip(names, blocks, strict=True))


def _unit(name: str, block: str) -> Unit:
    told = dict(line.partition("=")[::2] for line in block.splitlines())
    return Unit(
        name=name,
        load=told.get("LoadState", ""),
        active=told.get("ActiveState", ""),
        enabled=told.get("UnitFileState", ""),
        stale=told.get("NeedDaemonReload") == "yes",
        command="\n".join(_ARGV.findall(block)),
    )


def processes(unknown: list[str]) -> tuple[Process, ...]:
    """Return the programs that rules look for, of this network alone: a container has its own.

    Only root can tell whose another user's is. A client of DHCP, which is a fault here, is then
    left out; any other, whose lack is one, is not.
    """
    found = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):  # it may be gone by now
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = tuple(file.read().decode("utf-8", "replace").rstrip("\0").split("\0"))
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = _name(file.read().rstrip("\n"), words)
            ours = _is_in_our_network(pid) if name else False
            if ours is None and name in _CLIENTS:
                unknown.append(f"whose network {name} (process {pid}) sets up: run as root")
            elif ours is not False:
                found.append(Process(name, pid, words))
    return tuple(found)


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


def name_servers() -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """Return what systemd-resolved asks by interface, "" for all; None if it isn't asked here."""
    with contextlib.suppress(OSError):
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            servers = [line.split()[1:2] for line in file if line.startswith("nameserver")]
        asked = os.path.realpath("/etc/resolv.conf").startswith("/run/systemd/resolve/")
        if asked or any([one] in servers for one in _STUB):
            return parse_name_servers(ask("resolvectl", "--no-pager", "dns")) or None
    return None


def parse_name_servers(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the name servers by interface that ``resolvectl dns`` prints."""
    found = (_DNS_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return tuple((one[1] or "", tuple(one[2].split())) for one in found if one)


def ask(*argv: str) -> str:
    """Return what a command prints, "" where it can't be run or fails."""
    try:
        return run(*argv, seconds=_PATIENCE, environment=ENGLISH).stdout
    except Problem:
        return ""


def _name(comm: str, words: Sequence[str]) -> str:
    """Return which program that is, "" for none of ours to know; comm(5) has 15 characters."""
    scripts = {os.path.basename(word) for word in words[:3]}
    for name in _PROGRAMS:
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
