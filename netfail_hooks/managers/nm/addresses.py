"""What a keyfile says of one family's addresses, gateway and routes (nm-settings-keyfile(5)).

What NetworkManager ignores, since it can't read it, is told and ignored here as well.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from netfail_hooks.errors import Misuse
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.networkd.file import Section, section

_DELIMITERS = re.compile("[/;,]")
_NUMBERED = {
    "address": re.compile(r"address(?:es)?(\d*)", re.ASCII),
    "route": re.compile(r"routes?(\d*)", re.ASCII),
}
_LENGTHS = {("address", 4): 24, ("address", 6): 64, ("route", 4): 24, ("route", 6): 128}
_MAIN = ("0", "254")  # RT_TABLE_MAIN, linux/rtnetlink.h
# An attribute of a route, and what [Route] of systemd.network(5) has for it.
_ATTRIBUTES = {
    "advmss": "TCPAdvertisedMaximumSegmentSize",
    "from": "Source",
    "initcwnd": "InitialCongestionWindow",
    "initrwnd": "InitialAdvertisedReceiveWindow",
    "mtu": "MTUBytes",
    "onlink": "GatewayOnLink",
    "quickack": "QuickAck",
    "scope": "Scope",
    "src": "PreferredSource",
    "table": "Table",
    "type": "Type",
}
# Without these a route is as good, or the kernel finds out by itself.
_SPARED = re.compile("lock-.*|cwnd|rto_min|window|weight")
_YES = ("onlink", "quickack")
# How networkd has a value; it passes over a line with another, and a route or a rule without that
# is another one. NetworkManager has numbers alone, iproute2's names are none of its.
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|0|[1-9]\d{0,9}", re.ASCII)
_FORMS = {
    "FirewallMark": re.compile(rf"({_NUMBER.pattern})(/({_NUMBER.pattern}))?", re.ASCII),
    "IncomingInterface": re.compile(r"[^\s/%:]{1,15}"),
    "OutgoingInterface": re.compile(r"[^\s/%:]{1,15}"),
    "SourcePort": re.compile(r"\d{1,5}(-\d{1,5})?", re.ASCII),
    "DestinationPort": re.compile(r"\d{1,5}(-\d{1,5})?", re.ASCII),
    "User": re.compile(r"\d{1,10}(-\d{1,10})?", re.ASCII),
    "IPProtocol": re.compile(r"[a-z0-9-]{1,16}", re.ASCII),
    "Scope": re.compile("global|site|link|host|nowhere"),
    "GatewayOnLink": re.compile("yes|no"),
    "QuickAck": re.compile("yes|no"),
    "Type": re.compile(
        "unicast|local|broadcast|anycast|multicast|blackhole|unreachable|prohibit|throw"
    ),
}
_ADDRESSES = ("Source", "PreferredSource", "From", "To")
_SCOPES = {"0": "global", "200": "site", "253": "link", "254": "host", "255": "nowhere"}


@dataclass(frozen=True, slots=True)
class Numbered:
    """An address or a route of a keyfile, with the key that it has there; "" for nothing."""

    key: str
    prefix: ipaddress.IPv4Interface | ipaddress.IPv6Interface
    router: str = ""
    metric: str = ""
    options: str = ""


def numbered(file: KeyFile, kind: str, family: int) -> tuple[list[Numbered], list[str]]:
    """Return a family's addresses or routes in their order, and the keys of unreadable ones."""
    group = f"ipv{family}"
    keys = {}
    for key in file.group(group):
        found = _NUMBERED[kind].fullmatch(key)
        if found:
            keys[key] = int(found[1] or -1)
    read, ignored = [], []
    for key in sorted(keys, key=lambda key: keys[key]):
        try:
            read.append(_read(file, group, key, (kind, family)))
        except ValueError:
            ignored.append(key)
    return read, ignored


def _read(file: KeyFile, group: str, key: str, kind: tuple[str, int]) -> Numbered:
    """Return what one key says. Raises ValueError."""
    fields = [field.strip() for field in _DELIMITERS.split(file.text(group, key))]
    address = fields.pop(0)
    length = str(_LENGTHS[kind])
    if fields and re.fullmatch(r"\d*", fields[0], re.ASCII):
        given = fields.pop(0)
        length = given if given and int(given) <= (32 if kind[1] == 4 else 128) else length
    router = fields.pop(0) if fields else ""
    metric = fields.pop(0) if kind[0] == "route" and fields else ""
    if any(fields):
        raise ValueError("something behind it")
    if kind == ("route", 6) and router.isdigit() and not metric:  # written so by old versions
        router, metric = "", router
    if router and ipaddress.ip_address(router).version != kind[1]:
        raise ValueError("a router of the other family")
    if metric and not 0 <= int(metric) < 1 << 32:
        raise ValueError("no metric")
    prefix = ipaddress.ip_interface(f"{address}/{length}")
    if prefix.version != kind[1]:
        raise ValueError("of the other family")
    if router and ipaddress.ip_address(router).is_unspecified:
        router = ""
    return Numbered(key, prefix, router, metric, file.text(group, f"{key}_options"))


def gateway_of(file: KeyFile, family: int, addresses: list[Numbered]) -> str:
    """Return the gateway, "" for none: a key of its own before what stands with an address.

    NetworkManager has none without an address, nor beside never-default.
    """
    group = f"ipv{family}"
    if not addresses or file.flag(group, "never-default"):
        return ""
    given = file.text(group, "gateway").strip()
    routers = [one.router for one in addresses if one.router]
    gateway = given or (routers[0] if routers else "")
    try:
        known = ipaddress.ip_address(gateway)
    except ValueError:
        return ""
    return "" if known.version != family or known.is_unspecified else gateway


def default_route(gateway: str, addresses: list[Numbered]) -> Section:
    """Return the way by a gateway; one in no subnet is on the link, as NetworkManager has it."""
    address = ipaddress.ip_address(gateway)
    near = address.is_link_local or any(address in one.prefix.network for one in addresses)
    if near:
        return section("Network", ("Gateway", gateway))
    return section("Route", ("Gateway", gateway), ("GatewayOnLink", "yes"))


def route(one: Numbered) -> tuple[Section, list[str]]:
    """Return a [Route] and the options that it can't have. Raises Misuse for one that matters."""
    pairs = [("Destination", str(one.prefix.network))]
    pairs += [("Gateway", one.router)] if one.router else []
    pairs += [("Metric", one.metric)] if one.metric else []
    spared = []
    for name, given in _options(one.options):
        if _SPARED.fullmatch(name):
            spared.append(name)
        elif name == "table" and given in _MAIN:
            continue
        elif name not in _ATTRIBUTES:
            raise Misuse(
                f"{one.key}_options: networkd's routes have no {printable(name)}",
                hint="take it out of the profile",
            )
        else:
            found = _given(name, given)
            _refuse_unlike(f"{one.key}_options: {printable(name)}", _ATTRIBUTES[name], found)
            pairs.append((_ATTRIBUTES[name], found))
    return section("Route", *pairs), spared


def _given(name: str, given: str) -> str:
    if name in _YES:
        return "yes" if given in ("true", "1", "yes") else "no"
    return _SCOPES.get(given, given) if name == "scope" else given


def _refuse_unlike(where: str, key: str, given: str) -> None:
    """Refuse a value that networkd would pass over, and the line with it. Raises Misuse."""
    if key in _ADDRESSES:
        try:
            ipaddress.ip_interface(given)
        except ValueError:
            pass
        else:
            return
    elif _FORMS.get(key, _NUMBER).fullmatch(given):
        return
    raise Misuse(
        f"{where} {printable(given)} is nothing that {key}= of networkd could be",
        hint="mend the profile; tables and scopes are numbers there",
    )


def _options(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, equals, given = part.strip().partition("=")
        if equals:
            yield name.strip(), given.strip()


# What a rule may say, as ip-rule(8) does, and what [RoutingPolicyRule] has for it.
_RULE = {
    "priority": "Priority",
    "pref": "Priority",
    "order": "Priority",
    "from": "From",
    "to": "To",
    "table": "Table",
    "lookup": "Table",
    "iif": "IncomingInterface",
    "dev": "IncomingInterface",
    "oif": "OutgoingInterface",
    "tos": "TypeOfService",
    "dsfield": "TypeOfService",
    "fwmark": "FirewallMark",
    "ipproto": "IPProtocol",
    "sport": "SourcePort",
    "dport": "DestinationPort",
    "suppress_prefixlength": "SuppressPrefixLength",
    "uidrange": "User",
    "type": "Type",
}


def rules(file: KeyFile, family: int) -> Iterator[Section]:
    """Yield the policy rules of a family. Raises Misuse for one that can't be carried over."""
    group = f"ipv{family}"
    keys = {key: key.removeprefix("routing-rule") for key in file.group(group)}
    numbers = {key: int(number) for key, number in keys.items() if number.isdecimal()}
    for key in sorted(numbers, key=lambda key: numbers[key]):
        yield _rule(f"{group}.{key}", file.text(group, key), family)


def _rule(where: str, text: str, family: int) -> Section:
    words = text.split()
    pairs = [("Family", f"ipv{family}")]
    while words:
        word = words.pop(0)
        if word == "not":
            pairs.append(("InvertRule", "yes"))
        elif word in _RULE and words:
            given = words.pop(0)
            if not (word in ("from", "to") and given in ("all", "any", "0.0.0.0/0", "::/0")):
                _refuse_unlike(f"{where}: {word}", _RULE[word], given)
                pairs.append((_RULE[word], given))
        else:
            raise Misuse(
                f"{where}: networkd's rules have no {printable(word)}",
                hint="take it out of the profile",
            )
    return section("RoutingPolicyRule", *pairs)
