"""How ifupdown is told to leave some uplinks alone, and has them back, by its units on Debian.

One file of ours decides (``EXCLUDED``), whatever else of ours is there:

- ``auto``: networking.service runs ifup and ifdown by --read-environment, which heeds
  EXCLUDE_INTERFACES (main.c). It comes from /etc/default/networking, which is the user's; a later
  EnvironmentFile= overrides it (systemd.exec(5)), so ours says what that says, too.
- ``allow-hotplug``: udev starts ifup@IF.service, which heeds none of it; a condition does.
- ifupdown-wait-online.service would wait five minutes for who never comes.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence

from netfail_hooks.files import read_text
from netfail_hooks.managers import ifupdown
from netfail_hooks.managers.interfaces import Interfaces, Stanza
from netfail_hooks.managers.release import MARK, Commands, Release, escaped
from netfail_hooks.paths import Paths

EXCLUDED = "/etc/network/netfail-hooks.env"
NETWORKING = "networking.service"
_DEFAULT = "/etc/default/networking"
_CONDITION = f"{MARK}[Unit]\nConditionPathExists=!{EXCLUDED}\n"
_UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_WAIT = "ifupdown-wait-online.service"
_YES = ("1", "yes", "on", "true")
# A name that means nothing to a shell, to fnmatch(3), nor in a list.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# networkd has switched the kernel's own part in router advertisements off (systemd.network(5),
# IPv6AcceptRA=), and the kernel asks for one only when a link comes up. So it gets what the kernel
# and sysctl.d(5) give a new one (udev's 99-systemd.rules).
_KERNELS_PART = (
    "cd /proc/sys/net/ipv6/conf 2>/dev/null || exit 0; cat default/accept_ra >{0}/accept_ra; "
    "/lib/systemd/systemd-sysctl --prefix=/net/ipv6/conf/{0} || true"
)


def release(paths: Paths, known: Interfaces, names: Sequence[str]) -> Release:
    """Return how ifupdown lets go of uplinks."""
    own = {name: [name, *known.aliases(name)] for name in names}
    every = [one for name in names for one in own[name]]
    excluded = " ".join(dict.fromkeys([*_default(paths, "EXCLUDE_INTERFACES").split(), *every]))
    prepared = {_drop_in(NETWORKING): f"{MARK}[Service]\nEnvironmentFile=-{EXCLUDED}\n"}
    prepared |= {_drop_in(_ifup(one)): _CONDITION for one in every}
    if any(known.logical(one, "auto") for one in every) or _waits_for(paths, every):
        prepared[_drop_in(_WAIT)] = _CONDITION
    return Release(
        {EXCLUDED: f'{MARK}EXCLUDE_INTERFACES="{excluded}"\n'},
        prepared,
        release={
            name: (*_down(paths, known, name, own[name]), *_forgotten(known, own[name]))
            for name in names
        },
        take_back={
            name: (*_down(paths, known, name, own[name]), *_bare(name), *_up(known, own[name]))
            for name in names
        },
    )


def is_plain(name: str) -> bool:
    """Tell whether a name can stand in EXCLUDE_INTERFACES, whose words are patterns."""
    return bool(_PLAIN.fullmatch(name))


def heeds(paths: Paths) -> bool:
    """Tell whether networking.service asks its environment which interfaces to leave."""
    texts = (read_text(paths.through(f"{place}/{NETWORKING}")) for place in _UNITS)
    return "--read-environment" in next(filter(None, texts), "")


def leaves(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the interfaces that it leaves alone by our file."""
    words = _excluded(paths)
    return tuple(name for name in names if name in words)


def drifted(paths: Paths, names: Sequence[str]) -> str:
    """Return in which way our file is out of date, "" for none: the user's words count no more.

    What it says beside them is our uplinks (``names``) and their aliases.
    """
    ours = _excluded(paths)
    now = _default(paths, "EXCLUDE_INTERFACES").split()
    theirs = [word for word in ours if word.partition(":")[0] not in names]
    if not ours or (set(theirs) <= set(now) <= set(ours)):
        return ""
    return f"EXCLUDE_INTERFACES in {_DEFAULT} has changed since {EXCLUDED} was made of it"


def watched(paths: Paths) -> tuple[str, ...]:
    """Return the files of which one is touched if what ``drifted`` says changes."""
    return (EXCLUDED, _DEFAULT) if os.path.lexists(paths.at(EXCLUDED)) else ()


def _excluded(paths: Paths) -> list[str]:
    return _said(read_text(paths.at(EXCLUDED)), "EXCLUDE_INTERFACES").split()


def _down(
    paths: Paths, known: Interfaces, name: str, own: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """Yield what takes an interface down, its last alias first; nothing where it is down.

    Its DHCP client is gone before, without giving the lease back, and cannot be started to do that:
    for the router the machine goes on, and its address is with another uplink meanwhile. A server
    that may give it to anybody asks first who has it, and then gives another.
    """
    for one in reversed(own):
        stanzas = known.of(known.logical(one) or one)
        if not stanzas:
            continue  # ifdown fails for what no stanza is for
        client = ifupdown.client(paths)
        ends = [*_ends(name, client, stanzas)]
        if not ends:
            yield ("ifdown", one)
            continue
        hidden = f'mount --bind /bin/true "$(command -v {client})"'
        yield ("unshare", "--mount", "sh", "-c", f"{'; '.join(ends)}; {hidden} && ifdown {one}")


def _ends(name: str, client: str, stanzas: Sequence[Stanza]) -> Iterator[str]:
    """Yield what ends the DHCP clients of an interface (dhclient(8), -x; dhcpcd(8), -x)."""
    four = any((one.family, one.method) == ("inet", "dhcp") for one in stanzas)
    if four and client == "dhcpcd":
        yield f"dhcpcd -x {name}"
    if client == "dhclient":
        six = any(_asks_dhcp6(one) for one in stanzas)
        for version, suffix in [("-4", "")] * four + [("-6", "6")] * six:
            files = f"-pf /run/dhclient{suffix}.{name}.pid"
            leases = f"-lf /var/lib/dhcp/dhclient{suffix}.{name}.leases"
            yield f"dhclient {version} -x {files} {leases} {name}"


def _asks_dhcp6(one: Stanza) -> bool:
    if one.family != "inet6":
        return False
    return one.method == "dhcp" or (one.method == "auto" and one.get("dhcp").lower() in _YES)


def _forgotten(known: Interfaces, own: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield what ends the units by which udev had ifup called; what they started is gone."""
    for one in reversed(own):
        if known.logical(one, "hotplug"):
            yield ("systemctl", "stop", _ifup(one))


def _bare(name: str) -> Commands:
    """Return what makes an interface as one that nobody has set up.

    "ip address add" of what is there already would end ifup.
    """
    return (
        ("ip", "link", "set", "dev", name, "down"),
        ("ip", "address", "flush", "dev", name, "scope", "global"),
        ("sh", "-c", _KERNELS_PART.format(name)),
    )


def _up(known: Interfaces, own: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield what raises an interface as a boot does, and as nothing else did (``from_ifupdown``).

    In a scope of its own, or by its unit: what ifup starts must outlive whoever had it called.
    """
    for one in own:
        logical = known.logical(one)
        if _by_unit(known, one):
            unit = shlex.quote(_ifup(one))
            there = f"ifquery --state {one}"
            # systemctl returns as soon as ifup has begun.
            waiting = f"while systemctl --quiet is-active {unit} && ! {there}; do sleep 0.1; done"
            yield ("sh", "-c", f"systemctl restart {unit}; {waiting}; {there}")
        else:
            word = one if logical in ("", one) else f"{one}={logical}"
            yield ("systemd-run", "--scope", "--quiet", "--collect", "ifup", word)


def units(known: Interfaces, names: Sequence[str]) -> tuple[str, ...]:
    """Return the units by which these come back."""
    own = [one for name in names for one in (name, *known.aliases(name))]
    return tuple(_ifup(one) for one in own if _by_unit(known, one))


def _by_unit(known: Interfaces, name: str) -> bool:
    return bool(known.logical(name, "hotplug") and not known.logical(name, "auto"))


def _waits_for(paths: Paths, names: Sequence[str]) -> bool:
    return bool(set(_default(paths, "WAIT_ONLINE_IFACE").split()) & set(names))


def _default(paths: Paths, key: str) -> str:
    return _said(read_text(paths.at(_DEFAULT)), key)


def _said(text: str, key: str) -> str:
    """Return what a file of variables says, as systemd reads it (systemd.exec(5))."""
    said = ""
    for line in text.splitlines():
        name, _, setting = line.strip().partition("=")
        if name == key:
            said = " ".join(_words(setting))
    return said


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []  # a quote that is not closed


def _drop_in(unit: str) -> str:
    # systemd reads drop-ins in the order of their names.
    return f"/etc/systemd/system/{unit}.d/zz-netfail-hooks.conf"


def _ifup(name: str) -> str:
    return f"ifup@{escaped(name)}.service"
