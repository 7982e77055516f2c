"""What dhclient asks for and takes, by dhclient.conf(5), as ifupdown runs it (its inet.defn).

Debian 12's ifupdown starts it with -i: it sends an identifier made of IAID and DUID.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from netfail_hooks.errors import Misuse
from netfail_hooks.files import entries, read_text
from netfail_hooks.managers import dhcp_identity as identity
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

CONFIG = "/etc/dhcp/dhclient.conf"
_TOKEN = re.compile(r'\s*(?:#[^\n]*|("(?:[^"\\]|\\.)*")|([{};])|([^\s{};"#]+))')
_HOOKS = ("/etc/dhcp/dhclient-enter-hooks.d", "/etc/dhcp/dhclient-exit-hooks.d")
# Debian's own, and what networkd or systemd-resolved does by itself.
_EQUALLED = re.compile("debug|rfc3442-classless-routes|timesyncd|resolvconf|resolved(-enter)?")
_SERVERS = re.compile(r"^\s*option domain-name-servers ([^;]+);", re.MULTILINE)
# How long it waits, and what it tells name servers itself: nothing that lasts.
_FLEETING = re.compile(
    "timeout|retry|reboot|select-timeout|initial-(interval|delay)|backoff-cutoff|option|require"
    "|do-forward-updates|db-time-format|lease-id-format|script"
)
_EVERYTHING = ("routers", "domain-name-servers", "domain-name", "domain-search", "interface-mtu")


@dataclass(slots=True)
class _Said:
    """What the statements come to, as far as it counts for us."""

    requested: set[str] = field(default_factory=set)
    four: dict[str, str] = field(default_factory=dict)
    network: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def leased(paths: Paths, nic: Nic, *, client: str = "") -> tuple[list[Section], list[str]]:
    """Return the sections by which networkd has the lease that dhclient has, and messages.

    ``client`` is the stanza's ``client``: "no" keeps DUIDs out of it. Raises Misuse.
    """
    said = _Said(requested=set(_EVERYTHING))
    said.four = dict(_identifier(paths, nic, client))
    said.four["SendHostname"] = "no"
    for statement in _statements(read_text(paths.at(CONFIG)), nic.name):
        _heed(said, statement, nic)
    names = {"domain-name", "domain-search"} & said.requested
    said.four.setdefault("UseDomains", "yes" if names else "no")
    said.four["UseMTU"] = "yes" if "interface-mtu" in said.requested else "no"
    if "domain-name-servers" not in said.requested:
        said.four["UseDNS"] = "no"
    if "routers" not in said.requested:
        said.four["UseGateway"] = "no"
    network = section("Network", ("DHCP", "ipv4"), *said.network)
    return [network, section("DHCPv4", *said.four.items())], said.messages


def scripts(paths: Paths, name: str) -> list[str]:
    """Return which hooks of packages, or the user's own, no longer run for an interface."""
    found = sorted(
        f"{place}/{script}"
        for place in _HOOKS
        for script in entries(paths.at(place))
        if not _EQUALLED.fullmatch(script)
    )
    return [f"no longer run for {name}: {', '.join(found)}"] if found else []


def leased6(paths: Paths, nic: Nic) -> Section:
    """Return [DHCPv6] by which networkd is the client that dhclient -6 is."""
    duid = _duid(paths, nic, "dhclient6", "dhclient")
    association = identity.iaid(nic)
    known = [("IAID", association)] if association else []
    return section("DHCPv6", *known, *(duid.pairs() if duid else ()))


def name_servers(paths: Paths, interfaces: Iterable[str]) -> frozenset[str]:
    """Return the servers of the leases that dhclient has, or had (dhclient.leases(5))."""
    texts = (read_text(paths.at(f"/var/lib/dhcp/dhclient.{name}.leases")) for name in interfaces)
    said = chain(*(_SERVERS.findall(text) for text in texts))
    return frozenset(chain(*(servers.replace(",", " ").split() for servers in said)))


def _identifier(paths: Paths, nic: Nic, client: str) -> identity.Pairs:
    if client == "no":
        return (("ClientIdentifier", "mac"),)
    return identity.by_duid(_duid(paths, nic, "dhclient", "dhclient6"), identity.iaid(nic))


def _duid(paths: Paths, nic: Nic, *clients: str) -> identity.Duid | None:
    for name in clients:
        text = read_text(paths.at(f"/var/lib/dhcp/{name}.{nic.name}.leases"))
        if found := identity.duid_of_leases(text):
            return found
    return None


def _heed(said: _Said, statement: list[str], nic: Nic) -> None:
    """Note what a statement comes to. Raises Misuse for one that can't be carried over."""
    word, *rest = statement
    if word in ("request", "also"):
        listed = _listed(rest[1:] if word == "also" else rest)
        said.requested = said.requested | listed if word == "also" else listed
    elif word == "send" and rest:
        _send(said, rest[0], " ".join(rest[1:]).lstrip("= "), nic)
    elif word in ("supersede", "prepend", "append", "default") and rest:
        _instead(said, word, rest[0], rest[1:])
    elif word == "reject":
        said.four["DenyList"] = " ".join(_values(rest))
    elif not _FLEETING.fullmatch(word):
        raise Misuse(
            f"{CONFIG}: '{' '.join(statement)[:60]}' has no equal in systemd-networkd",
            hint="take it out, or write a .network file of your own for this NIC",
        )


def _send(said: _Said, option: str, text: str, nic: Nic) -> None:
    plain = text.strip('"') if text.startswith('"') else ""
    if option == "host-name":
        said.four["SendHostname"] = "yes"
        if plain:
            said.four["Hostname"] = plain
        elif text != "gethostname()":
            said.messages.append(f"{CONFIG}: the machine's own name is sent, not {text}")
    elif option == "dhcp-client-identifier":
        octets = plain.encode() if plain else identity.from_hex(text)
        known = identity.by_octets(octets, nic.mac)
        if text == "hardware":
            known = (("ClientIdentifier", "mac"),)
        if known is None:
            raise Misuse(
                f"{CONFIG}: dhcp-client-identifier {text} can't be sent by systemd-networkd",
                hint="take it out, and see to it that the router gives the same address",
            )
        for key in ("IAID", "DUIDType", "DUIDRawData"):
            said.four.pop(key, None)
        said.four |= dict(known)
    elif option == "vendor-class-identifier" and plain:
        said.four["VendorClassIdentifier"] = plain
    else:
        said.messages.append(f"{CONFIG}: {option} will no longer be sent")


def _instead(said: _Said, how: str, option: str, words: list[str]) -> None:
    """Heed what is to stand in place of the server's word, before or behind it."""
    values = _values(words)
    if option == "domain-name-servers":
        said.network += [("DNS", one) for one in values]
        if how == "supersede":
            said.four["UseDNS"] = "no"
    elif option in ("domain-name", "domain-search"):
        said.network.append(("Domains", " ".join(" ".join(values).split())))
        if how == "supersede":
            said.four["UseDomains"] = "no"
    else:
        raise Misuse(
            f"{CONFIG}: '{how} {option}' has no equal in systemd-networkd",
            hint="take it out, or write a .network file of your own for this NIC",
        )


def _listed(words: list[str]) -> set[str]:
    return set(" ".join(words).replace(",", " ").split())


def _values(words: list[str]) -> list[str]:
    return [one for one in shlex.split(" ".join(words).replace(",", " ")) if one != "="]


def _statements(text: str, name: str) -> Iterator[list[str]]:
    """Yield the statements that count for an interface, each as its words."""
    words: list[str] = []
    skipped: list[bool] = []  # of each block that we are in
    for found in _TOKEN.finditer(text):
        quoted, mark, plain = found.groups()
        if mark == "{":
            ours = words[:1] == ["interface"] and words[1:2] == [f'"{name}"']
            if not ours and words[:1] in (["lease"], ["alias"]) and not any(skipped):
                yield words
            skipped.append(not ours)
            words = []
        elif mark == "}":
            if skipped:
                skipped.pop()
            words = []
        elif mark == ";":
            if words and not any(skipped):
                yield words
            words = []
        elif quoted or plain:
            words.append(quoted or plain)
