"""Look at policy rules, the tables that they look up, and other people's places.

Loaded where there are any: on most machines there are not.
"""

from __future__ import annotations

import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import KERNEL, MAIN, Route, Rule, Taken
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# linux/fib_rules.h, linux/rtnetlink.h
_FRA_SRC, _FRA_PRIORITY, _FRA_SUPPRESS_PREFIXLEN, _FRA_TABLE, _FRA_PROTOCOL = 2, 6, 14, 15, 21
_TAKEN_MAX = 64  # of a table
_TABLES_MAX = 16  # tables of a user's own that are looked at: a dump each
_FAMILY_NUMBERS = {kind: family for family, kind in rt.FAMILIES.items()}


def read_rules(bodies: Iterable[bytes]) -> tuple[Rule, ...]:
    """Return the rules that are ours or look up a user's own table."""
    result = []
    for body in bodies:
        if not body:
            continue
        kind, _, length, _, table = struct.unpack_from("=BBBBB", body)
        family = _FAMILY_NUMBERS.get(kind)
        if family is None:
            continue
        attributes = rt.attributes(body, 12)
        table = rt.whole(attributes.get(_FRA_TABLE)) or table
        sender = rt.text(family, attributes.get(_FRA_SRC))
        suppressed = struct.unpack("=i", attributes.get(_FRA_SUPPRESS_PREFIXLEN, b"\xff" * 4))[0]
        result.append(
            Rule(
                family=family,
                priority=rt.whole(attributes.get(_FRA_PRIORITY)),
                table=table,
                sender=f"{sender}/{length}" if sender else "",
                whole=suppressed < 0,
                protocol=rt.whole(attributes.get(_FRA_PROTOCOL)),
            )
        )
    return tuple(result)


def looked_up(rules: tuple[Rule, ...]) -> list[tuple[int, int]]:
    """Return the tables of a user's own, and of ours, by family, each once."""
    tables = dict.fromkeys((rule.family, rule.table) for rule in rules if rule.table != MAIN)
    return list(tables)[:_TABLES_MAX]


def taken(
    routes: list[Route], others: list[tuple[str, int, int]], family: int, table: int
) -> list[Taken]:
    """Return other people's places that a route of ours could want.

    The kernel's own, such as a container's LAN, are none, unless a route that counts has the same
    destination. Of the rest a few: a route that follows may be by an uplink that is gone.
    """
    destinations = {route.destination for route in routes}
    contested = [
        Taken(family, destination, metric, table)
        for destination, metric, _ in others
        if destination in destinations
    ]
    rest = [
        Taken(family, destination, metric, table)
        for destination, metric, protocol in others
        if destination not in destinations and protocol != KERNEL
    ]
    return contested + rest[:_TAKEN_MAX]
