"""A ``.network`` file as its sections and assignments, every byte kept (systemd.syntax(7))."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from netfail_hooks.policy.facts import SHARED_LABEL

_NO = ("no", "n", "false", "f", "off", "0")
_YES = ("yes", "y", "true", "t", "on", "1")
_DHCP4 = (*_YES, "ipv4", "both", "v4")  # the last two are old words for the others
_EVERYWHERE = ("", "default", "0.0.0.0/0", "::/0")
_MAIN_TABLES = ("", "main", "254")  # RT_TABLE_MAIN, linux/rtnetlink.h
_LEFT_DOWN = ("down", "manual")
_ON_LINK = ("", "0.0.0.0", "::")  # noqa: S104 - a Gateway= that is none
_SPACE = " \t\n\r"  # WHITESPACE in systemd: a no-break space, say, is a part of the word
# LONG_LINE_MAX there: bytes of a line that is too long, also of one that is continued.
_TOO_LONG = 1 << 20
# What is no character in UTF-8 (unichar_is_valid() there); bytes that are none are surrogates here.
_LAST_TWO = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_NO_TEXT = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{_LAST_TWO}]")


@dataclass(frozen=True, slots=True)
class Item:
    """An assignment with the line or lines it was written in; a comment or blank has no key."""

    raw: str
    key: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name, its header line, and what is below it.

    What stands before the first header is in a section without name and header.
    """

    name: str
    header: str
    items: tuple[Item, ...] = ()

    def get(self, key: str) -> str:
        """Return the last value given to a key, "" for none."""
        return next((item.setting for item in reversed(self.items) if item.key == key), "")

    def in_main_table(self) -> bool:
        """Tell whether a [Route] goes where the kernel looks without being told to."""
        return self.get("Table").lower() in _MAIN_TABLES

    def leads_everywhere(self) -> bool:
        """Tell whether a [Route] is a default route: one to everywhere."""
        return self.get("Destination").lower() in _EVERYWHERE

    def forwards(self) -> bool:
        """Tell whether a [Route] sends packets on: others refuse or swallow them (Type=)."""
        return self.get("Type").lower() in ("", "unicast")

    def has_router(self) -> bool:
        """Tell whether a [Route] leads to a router, or to several."""
        named = self.get("NextHop") or self.get("MultiPathRoute")
        return bool(named) or self.get("Gateway") not in _ON_LINK

    def set(self, key: str, setting: str) -> Section:
        """Return the section with a key given one value, in the place of the old one or last."""
        new = Item(f"{key}={setting}\n", key, setting)
        kept = [new if item.key == key else item for item in self.items]
        if new in kept:
            first = kept.index(new)
            after = [item for item in kept[first + 1 :] if item is not new]
            return replace(self, items=(*kept[: first + 1], *after))
        at = len(kept)
        while at and not kept[at - 1].raw.strip():
            at -= 1
        return replace(self, items=(*_ended(kept[:at]), new, *kept[at:]))

    def without(self, *keys: str) -> Section:
        """Return the section without assignments to some keys."""
        return replace(self, items=tuple(item for item in self.items if item.key not in keys))


def section(name: str, *assignments: tuple[str, str]) -> Section:
    """Return a new section, a blank line before it."""
    items = (Item(f"{key}={setting}\n", key, setting) for key, setting in assignments)
    return Section(name, f"\n[{name}]\n", tuple(items))


def parse(text: str) -> tuple[Section, ...]:
    """Return the sections of a file. Anything parses: systemd ignores what it can't read."""
    parts: list[tuple[str, str, list[Item]]] = [("", "", [])]
    for raw in _logical_lines(text):
        line = _joined(raw).strip(_SPACE)
        if line.startswith("[") and line.endswith("]"):
            parts.append((line[1:-1], raw, []))
        else:
            parts[-1][2].append(_item(raw, line))
    return tuple(Section(name, header, tuple(items)) for name, header, items in parts)


def is_damaged(text: str) -> bool:
    """Tell whether networkd ignores a file, drop-ins and all, for a line that it can't read.

    That is a header that does not end, a line that is too long, or one that is no UTF-8, comments
    apart. As it does if one of its drop-ins is such (``config_parse()`` in systemd's
    shared/conf-parser.c).
    """
    lines = (_joined(raw).strip(_SPACE) for raw in _logical_lines(text))
    return _has_long_line(text) or any(
        (line.startswith("[") and not line.endswith("]")) or _NO_TEXT.search(line) for line in lines
    )


def _has_long_line(text: str) -> bool:
    if len(text) * 4 < _TOO_LONG:  # bytes of UTF-8, at most
        return False
    lines = (line for raw in _logical_lines(text) for line in (*raw.split("\n"), _joined(raw)))
    return any(len(line.encode(errors="surrogateescape")) >= _TOO_LONG for line in lines)


def _item(raw: str, line: str) -> Item:
    key, equals, setting = line.partition("=")
    if equals:
        return Item(raw, key.strip(_SPACE), setting.strip(_SPACE))
    return Item(raw)


def ended(text: str) -> str:
    """Return a text to which lines can be added: a backslash at its end would swallow the first."""
    if text and not text.endswith("\n"):
        text += "\n"
    *_, last = _logical_lines(f"{text}x\n")
    return text if last == "x\n" else f"{text}\n"


def render(sections: Iterable[Section]) -> str:
    """Return the text of a file; what was parsed and not changed is as it was."""
    text = ""
    for section in sections:
        if text and not text.endswith("\n") and (section.header or section.items):
            text += "\n"
        text += section.header + "".join(item.raw for item in section.items)
    return text


def settings(sections: Iterable[Section], name: str, key: str) -> list[str]:
    """Return a list's values over all sections of a name; an empty one resets it."""
    result: list[str] = []
    for section in sections:
        for item in section.items:
            if (section.name, item.key) != (name, key):
                continue
            if item.setting:
                result.append(item.setting)
            else:
                result.clear()
    return result


def listed(sections: Iterable[Section], key: str) -> list[str]:
    """Return the values of a key of [Network] each of which is a section of its own to networkd.

    These are Address= and Gateway=. systemd 252 passes over an empty one; of late it takes all
    sections of the kind back (config_parse_route_section() in networkd-route.c).
    """
    return [
        item.setting
        for section in sections
        for item in section.items
        if (section.name, item.key) == ("Network", key) and item.setting
    ]


def last(sections: Iterable[Section], key: str) -> str:
    """Return the last value that [Network] sections give a key."""
    settings = [
        section.get(key) for section in sections if section.name == "Network" and section.get(key)
    ]
    return settings[-1] if settings else ""


def asks_dhcp4(sections: Iterable[Section]) -> bool:
    """Tell whether DHCP= asks for a lease over IPv4 (systemd.network(5))."""
    return last(sections, "DHCP").lower() in _DHCP4


def is_unmanaged(sections: Iterable[Section]) -> bool:
    """Tell whether networkd leaves a NIC alone though a file is for it (Unmanaged= in [Link])."""
    links = [one for one in sections if one.name == "Link"]
    return is_yes(next((one.get("Unmanaged") for one in reversed(links)), ""))


def is_yes(setting: str) -> bool:
    """Tell whether a boolean is true (systemd.syntax(7)); "" is not."""
    return setting.lower() in _YES


def is_no(setting: str) -> bool:
    """Tell whether a boolean is false (systemd.syntax(7)); "" is not."""
    return setting.lower() in _NO


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines, one that a backslash continues together with what continues it."""
    whole = ""
    for line in re.findall(r".*\n|.+", text):  # not splitlines: a form feed ends none
        comment = line.lstrip(_SPACE).startswith(("#", ";"))
        goes_on = bool(whole) if comment else _is_continued(line.rstrip("\r\n"))
        whole += line
        if not goes_on:
            yield whole
            whole = ""
    if whole:
        yield whole


def _is_continued(line: str) -> bool:
    """Tell whether a line ends with a backslash that no other one escapes."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _joined(raw: str) -> str:
    """Return a logical line as one: comments within it go, each backslash is a space."""
    lines = [line.rstrip("\r") for line in raw.split("\n")]
    lines = [line for line in lines if not line.lstrip(_SPACE).startswith(("#", ";"))]
    return " ".join(line[:-1] if _is_continued(line) else line for line in lines)


def _ended(items: list[Item]) -> list[Item]:
    """Return items whose last one ends its line."""
    if items and not items[-1].raw.endswith("\n"):
        items[-1] = replace(items[-1], raw=items[-1].raw + "\n")
    return items


def has_default_route(sections: Sequence[Section]) -> bool:
    """Tell whether a default route can come of it: a gateway, DHCP, or a router's advertisements.

    Beside a static IPv4 address it must be one of IPv4. Addresses that uplinks share don't count.
    """
    by_dhcp = asks_dhcp4(sections) and not _withheld(sections, "DHCPv4", "DHCP")
    if by_dhcp or is_yes(last(sections, "DefaultRouteOnDevice")):
        return True
    ways = set(_ways(sections))
    if 4 in _static(sections):
        return bool(ways & {0, 4})
    by_router = not is_no(last(sections, "IPv6AcceptRA"))
    return bool(ways) or (by_router and not _withheld(sections, "IPv6AcceptRA"))


def default_route_families(sections: Sequence[Section]) -> set[int]:
    """Return the families in which a default route can come of it; both where it can't be told."""
    found = set(_ways(sections))
    if 0 in found:
        return {4, 6}
    by_dhcp = asks_dhcp4(sections) and not _withheld(sections, "DHCPv4", "DHCP")
    if by_dhcp or is_yes(last(sections, "DefaultRouteOnDevice")):
        found.add(4)
    by_router = not is_no(last(sections, "IPv6AcceptRA"))
    if by_router and not _withheld(sections, "IPv6AcceptRA"):
        found.add(6)
    return found


def withheld_by(sections: Sequence[Section]) -> str:
    """Return what keeps DHCP from giving an uplink a default route, "" for nothing."""
    return _withheld(sections, "DHCPv4", "DHCP") if asks_dhcp4(sections) else ""


def kept_down_by(sections: Sequence[Section]) -> list[str]:
    """Return what to tell of a NIC that a file keeps down, or has go down with another."""
    policies = [one.get("ActivationPolicy") for one in sections if one.name == "Link"]
    policy = next((policy for policy in reversed(policies) if policy), "")
    told = []
    if policy in _LEFT_DOWN:
        told.append(f"stays down till somebody sets it up: ActivationPolicy={policy}")
    if policy == "always-down":
        told.append(f"is kept down: ActivationPolicy={policy}")
    others = " ".join(settings(sections, "Network", "BindCarrier"))
    if others:
        told.append(f"goes down when {others} has no carrier: BindCarrier={others}")
    return told


def _withheld(sections: Sequence[Section], *names: str) -> str:
    """Return the assignment by which a default route that comes of itself is not taken.

    UseGateway= is as UseRoutes= where nobody says so (systemd.network(5)).
    """

    def said(key: str) -> str:
        found = [one.get(key) for one in sections if one.name in names and one.get(key)]
        return found[-1] if found else ""

    if said("RouteTable").lower() not in _MAIN_TABLES:
        return f"RouteTable={said('RouteTable')}"
    key = "UseGateway" if said("UseGateway") else "UseRoutes"
    return f"{key}={said(key)}" if is_no(said(key)) else ""


def without_gateway(sections: Sequence[Section]) -> set[int]:
    """Return the families in which all the world is on the uplink's own link, as a modem's is."""
    near = {4} if is_yes(last(sections, "DefaultRouteOnDevice")) else set()
    far = {family_of(gateway) for gateway in listed(sections, "Gateway")}
    for one in default_routes(sections):
        family = family_of(one.get("Destination")) or family_of(one.get("Gateway"))
        (far if one.has_router() else near).add(family)
    return (near & {4, 6}) - far - ({4} if asks_dhcp4(sections) else set())


def default_routes(sections: Sequence[Section]) -> list[Section]:
    """Return the [Route] sections by which packets to everywhere are sent on."""
    return [
        one
        for one in sections
        if one.name == "Route" and one.leads_everywhere() and one.in_main_table() and one.forwards()
    ]


def _ways(sections: Sequence[Section]) -> Iterator[int]:
    """Yield the family of each default route; 0 for what networkd finds out: ``_dhcp4``."""
    for gateway in listed(sections, "Gateway"):
        yield family_of(gateway)
    for section in default_routes(sections):
        yield family_of(section.get("Destination")) or family_of(section.get("Gateway"))


def _static(sections: Sequence[Section]) -> set[int]:
    own = [
        section
        for section in sections
        if section.name == "Address" and section.get("Label") != SHARED_LABEL
    ]
    others = (section.get("Address") for section in own)
    return {family_of(text) for text in (*listed(sections, "Address"), *others)}


def family_of(text: str) -> int:
    """Return the family of an address or prefix, 0 for what is neither."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_interface(text).version
    return 0
