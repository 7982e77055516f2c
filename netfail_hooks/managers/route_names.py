"""Names of routing tables, scopes and protocols, as ip(8) knows them: numbers for networkd.

networkd passes over a line whose name it does not know, and the route then lands in the main table:
it reads none of iproute2's files (systemd.network(5), Table=, networkd.conf(5), RouteTable=).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths

# rt_names.c of iproute2: the files of /etc, and where the first is missing that of the package.
_ETC = "/etc/iproute2"
_SHIPPED = ("/usr/share/iproute2", "/usr/lib/iproute2")
_LINE = re.compile(r"\s*(0[xX][0-9a-fA-F]+|\d+)\s+([^\s#]+)", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|\d+", re.ASCII)
# What it knows without any file (linux/rtnetlink.h).
_TABLES = {"default": 253, "main": 254, "local": 255}
_SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
_PROTOCOLS = {
    "redirect": 1,
    "kernel": 2,
    "boot": 3,
    "static": 4,
    "gated": 8,
    "ra": 9,
    "mrt": 10,
    "zebra": 11,
    "bird": 12,
    "dnrouted": 13,
    "xorp": 14,
    "ntk": 15,
    "dhcp": 16,
    "keepalived": 18,
    "babel": 42,
}
_BYTE, _WORD = 255, (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class RouteNames:
    """What each name stands for on a machine; without its files, what every ip(8) knows."""

    tables: Mapping[str, int] = field(default_factory=lambda: _TABLES)
    scopes: Mapping[str, int] = field(default_factory=lambda: _SCOPES)
    protocols: Mapping[str, int] = field(default_factory=lambda: _PROTOCOLS)

    def table(self, text: str) -> str:
        """Return a table's number, "" for none that can be told."""
        found = _number(text, self.tables, _WORD)
        return str(found) if found else ""  # 0 is "unspec": ip(8) then takes main

    def scope(self, text: str) -> str:
        """Return a scope by networkd's own name for it, "" for one that it has none for."""
        found = _number(text, self.scopes, _BYTE)
        return next((name for name, number in _SCOPES.items() if number == found), "")

    def protocol(self, text: str) -> str:
        """Return a protocol's number, "" for none that can be told."""
        found = _number(text, self.protocols, _BYTE)
        return "" if found is None else str(found)


def read(paths: Paths) -> RouteNames:
    """Return the names that a machine's files give."""
    return RouteNames(
        _TABLES | _said(paths, "rt_tables"),
        _SCOPES | _said(paths, "rt_scopes"),
        _PROTOCOLS | _said(paths, "rt_protos"),
    )


def watched(paths: Paths) -> list[str]:
    """Return the files that say so, those that are there."""
    return [place for name in ("rt_tables", "rt_scopes", "rt_protos") for place in _of(paths, name)]


def _said(paths: Paths, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in _of(paths, name):
        for line in read_text(paths.through(place)).splitlines():
            if match := _LINE.match(line):
                found[match[2]] = int(match[1], 16 if match[1][:2] in ("0x", "0X") else 10)
    return found


def _of(paths: Paths, name: str) -> list[str]:
    """Return the files of one kind, the last to count last; one of /etc hides its namesake."""
    places = [f"{directory}/{name}" for directory in (_ETC, *_SHIPPED)]
    found = [place for place in places if os.path.lexists(paths.at(place))][:1]
    more: dict[str, str] = {}
    for directory in (*_SHIPPED, _ETC):
        below = f"{directory}/{name}.d"
        with contextlib.suppress(OSError):
            names = sorted(os.listdir(paths.at(below)))
            more |= {one: f"{below}/{one}" for one in names if one.endswith(".conf")}
    return [*found, *more.values()]


def _number(text: str, known: Mapping[str, int], most: int) -> int | None:
    """Return what a name or a number stands for; a name counts first, as in ``rtnl_*_a2n()``."""
    if text in known:
        found = known[text]
    elif _NUMBER.fullmatch(text):  # strtoul(3) of any base
        octal = text[0] == "0" and text.isdecimal()
        try:
            found = int(text, 8 if octal else 0)
        except ValueError:
            return None
    else:
        return None
    return found if 0 <= found <= most else None
