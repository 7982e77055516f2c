"""The up and down commands of a stanza, as far as networkd does the same: routes, rules, addresses.

Of others nobody knows what they are for: a firewall that is no longer loaded is an open door. So
they are refused.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable

from netfail_hooks.managers.route_names import RouteNames
from netfail_hooks.networkd.file import Section, section

_OPERATORS = re.compile(r"[|&;<>()`$*?\n]")
_TRAILER = re.compile(
    r"\s*(?:(?:1|2|&)?>>?\s*/dev/null|2>&1|\|\|\s*(?:true|:|exit 0|/bin/true)|;\s*$)\s*"
)
_NOTHING = (["true"], [":"], ["exit", "0"])
_VARIABLE = re.compile(r"\$\{?IFACE\}?|\$\{?LOGICAL\}?")
_VERBS = {"add": True, "append": True, "replace": True, "change": True, "del": False}
_VERBS |= {"delete": False, "flush": False}
_ROUTE_KEYS = {
    "via": "Gateway",
    "metric": "Metric",
    "preference": "Metric",
    "priority": "Metric",
    "src": "PreferredSource",
    "table": "Table",
    "scope": "Scope",
    "mtu": "MTUBytes",
    "initcwnd": "InitialCongestionWindow",
    "initrwnd": "InitialAdvertisedReceiveWindow",
    "proto": "Protocol",
    "protocol": "Protocol",
}
_RULE_KEYS = {
    "from": "From",
    "to": "To",
    "table": "Table",
    "lookup": "Table",
    "priority": "Priority",
    "prio": "Priority",
    "pref": "Priority",
    "preference": "Priority",
    "fwmark": "FirewallMark",
    "iif": "IncomingInterface",
    "oif": "OutgoingInterface",
}
# How networkd has a value, and passes over any other; all else has to be a number.
_MARK = re.compile(
    r"(0[xX][0-9a-fA-F]{1,8}|\d{1,10})(/(0[xX][0-9a-fA-F]{1,8}|\d{1,10}))?", re.ASCII
)
_NIC = re.compile(r"[^\s/%:]{1,15}")
_AS_THEY_ARE = {"FirewallMark": _MARK, "IncomingInterface": _NIC, "OutgoingInterface": _NIC}
_NUMBER = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)
_OLD_KEYS = {"gw": "Gateway", "metric": "Metric", "netmask": "netmask"}
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


_WITHOUT_FILES = RouteNames()


class Unknown(Exception):  # noqa: N818 - as Problem is: told to a person
    """A command that networkd does not do; its text says why, where more is known than that."""


def translate(
    command: str, phase: str, interface: str, names: RouteNames = _WITHOUT_FILES
) -> list[Section]:
    """Return what a command comes to; a down command comes to nothing. Raises Unknown."""
    bare = _TRAILER.sub(" ", _VARIABLE.sub(interface, command)).strip()
    if _OPERATORS.search(bare):
        raise Unknown
    try:
        words = shlex.split(bare)
    except ValueError:
        raise Unknown from None
    if words[:1] == ["sudo"]:
        words = words[1:]
    if not words or words in _NOTHING:
        return []
    known = _KNOWN.get(words[0].rpartition("/")[2])
    if known is None:
        raise Unknown
    found = known(words[1:], phase in ("up", "pre-up"), interface)
    return [_checked(one, names) for one in found]


def _checked(one: Section, names: RouteNames) -> Section:
    """Return a section with numbers for iproute2's names. Raises Unknown.

    networkd passes over a line with a value that it can't read, and what is left of the section
    is another route, or a rule for everything.
    """
    pairs = [(item.key, _value(one.name, item.key, item.setting, names)) for item in one.items]
    return section(one.name, *pairs)


def _value(name: str, key: str, text: str, names: RouteNames) -> str:
    named = {"Table": names.table, "Scope": names.scope, "Protocol": names.protocol}.get(key)
    if named:
        found = named(text)
        if not found:
            raise Unknown(f"{key.lower()} {text} is not known by number (/etc/iproute2)")
        return found
    if key in ("Destination", "Gateway", "From", "To", "PreferredSource", "Address", "Broadcast"):
        known = family_of(text)
    elif key in _AS_THEY_ARE:
        known = bool(_AS_THEY_ARE[key].fullmatch(text))
    else:
        known = key in ("Label", "Family", "GatewayOnLink") or bool(_NUMBER.fullmatch(text))
    if not known:
        raise Unknown(f"{text} is nothing that {key}= in [{name}] could be")
    return text


def _ip(words: list[str], up: bool, interface: str) -> list[Section]:  # noqa: FBT001
    family = 4
    while words and words[0].startswith("-"):
        if words[0] not in ("-4", "-6"):
            raise Unknown
        family = int(words.pop(0)[1])
    if len(words) < 2 or not words[0]:
        raise Unknown
    what, verb, *rest = words
    if what == "link" and verb == "set" and _is_only_up(rest, interface, up=up):
        return []
    if verb not in _VERBS or _VERBS[verb] != up:
        raise Unknown
    if "route".startswith(what) and what[0] == "r" and what not in ("ru", "rul"):
        return _route(rest, family, interface, up=up)
    if what in ("rule", "ru", "rul"):
        return _rule(rest, family, up=up)
    if "address".startswith(what):
        return _address(rest, interface, up=up)
    raise Unknown


def _is_only_up(words: list[str], interface: str, *, up: bool) -> bool:
    rest = [word for word in words if word not in ("dev", interface)]
    return interface in words and rest == ["up" if up else "down"]


def _route(words: list[str], family: int, interface: str, *, up: bool) -> list[Section]:
    if words[:1] == ["unicast"]:
        words = words[1:]
    destination, *rest = words or [""]
    pairs = _route_options(rest, interface)
    gateway = dict(pairs).get("Gateway", "")
    found = family_of(destination) or family_of(gateway) or family
    if destination == "default":
        destination = _EVERYWHERE[found]
    if not family_of(destination) or (gateway and not family_of(gateway)):
        raise Unknown
    return [section("Route", ("Destination", destination), *pairs)] if up else []


def _route_options(rest: list[str], interface: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    while rest:
        key = rest.pop(0)
        if key == "onlink":
            pairs.append(("GatewayOnLink", "yes"))
            continue
        text = rest.pop(0) if rest else ""
        if key == "via" and text in ("inet", "inet6"):
            text = rest.pop(0) if rest else ""
        if key in _ROUTE_KEYS and text:
            pairs.append((_ROUTE_KEYS[key], text))
        elif (key, text) != ("dev", interface):
            raise Unknown
    return pairs


def _rule(words: list[str], family: int, *, up: bool) -> list[Section]:
    pairs: list[tuple[str, str]] = []
    while words:
        key, text, *words = [*words, ""] if len(words) == 1 else words
        if key not in _RULE_KEYS or not text:
            raise Unknown
        if text != "all":
            pairs.append((_RULE_KEYS[key], text))
    if not any(key in ("From", "To") for key, _ in pairs):
        pairs.append(("Family", f"ipv{family}"))
    return [section("RoutingPolicyRule", *pairs)] if up else []


def _address(words: list[str], interface: str, *, up: bool) -> list[Section]:
    address, *rest = words or [""]
    pairs: list[tuple[str, str]] = []
    while rest:
        key, text, *rest = [*rest, ""] if len(rest) == 1 else rest
        if key == "dev" and text == interface:
            continue
        if key in ("label", "scope", "broadcast", "brd") and text:
            name = {"label": "Label", "scope": "Scope"}.get(key, "Broadcast")
            pairs += [(name, text)] if text != "+" else []
        else:
            raise Unknown
    if interface not in words or not family_of(address):
        raise Unknown
    return [section("Address", ("Address", address), *pairs)] if up else []


def _old_route(words: list[str], up: bool, interface: str) -> list[Section]:  # noqa: FBT001
    """Translate route(8) of net-tools: "add [-net|-host] TARGET [netmask M] [gw G] [dev IF]"."""
    family = 4
    while words and words[0] in ("-4", "-6", "-A", "inet", "inet6", "-n"):
        family = 6 if words.pop(0) in ("-6", "inet6") else family
    if words[:1] != ["add" if up else "del"] or len(words) < 2:
        raise Unknown
    kind = words[1] if words[1] in ("-net", "-host") else ""
    target, *rest = words[2:] if kind else words[1:]
    said = _old_options(rest, interface)
    netmask = said.pop("netmask", "")
    if target == "default":
        target = _EVERYWHERE[family]
    elif netmask:
        target = f"{target}/{netmask}"
    elif kind == "-net" and "/" not in target:
        raise Unknown  # a class of long ago
    try:
        destination = ipaddress.ip_network(target)
    except ValueError:
        raise Unknown from None
    return [section("Route", ("Destination", str(destination)), *said.items())] if up else []


def _old_options(rest: list[str], interface: str) -> dict[str, str]:
    said: dict[str, str] = {}
    while rest:
        key, text, *rest = [*rest, ""] if len(rest) == 1 else rest
        if key in _OLD_KEYS and text:
            said[_OLD_KEYS[key]] = text
        elif (key, text) != ("dev", interface):
            raise Unknown
    return said


def family_of(text: str) -> int:
    """Return the family of an address or prefix, 0 for what is neither."""
    try:
        return ipaddress.ip_interface(text).version
    except ValueError:
        return 0


_KNOWN: dict[str, Callable[[list[str], bool, str], list[Section]]] = {
    "ip": _ip,
    "route": _old_route,
}
