"""Read policy rules, the tables that they look up, and the places of other people's routes.

Loaded only where there are any: most machines have none.
"""

from __future__ import annotations

import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import KERNEL, MAIN, Route, Rule, Taken
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TAKEN_MAX = 64  # places of a table
_TABLES_MAX = 16  # tables that are read: a dump each


def read_rules(bodies: Iterable[bytes]) -> tuple[Rule, ...]:
    """Return the rules that are ours or look up a table of the user's own."""
    result = []
    for body in bodies:
        if len(body) == 1:
            continue
        kind, _, length, _, table = struct.unpack_from("=BBBBB", body)
        family = rt.FAMILY_NUMBERS.get(kind)
        if family is None:
            continue
        attributes = rt.attributes(body, 12)
        table = rt.whole(attributes.get(rt.FRA_TABLE)) or table
        sender = rt.text(family, attributes.get(rt.FRA_SRC))
        suppressed = struct.unpack("=i", attributes.get(rt.FRA_SUPPRESS_PREFIXLEN, b"\xff" * 4))[0]
        result.append(
            Rule(
                family=family,
                priority=rt.whole(attributes.get(rt.FRA_PRIORITY)),
                table=table,
                sender=f"{sender}/{length}" if sender else "",
                whole=suppressed < 0,
                protocol=rt.whole(attributes.get(rt.FRA_PROTOCOL)),
            )
        )
    return tuple(result)


def looked_up(rules: tuple[Rule, ...]) -> list[tuple[int, int]]:
    """Return the tables of the user's own, and ours, each with its family, each once."""
    first = sorted(rules, key=_is_not_ours)  # however many others there are
    tables = dict.fromkeys((rule.family, rule.table) for rule in first if rule.table != MAIN)
    return list(tables)[:_TABLES_MAX]


def _is_not_ours(rule: Rule) -> bool:
    return not rule.ours


def taken(
    routes: list[Route], others: list[tuple[str, int, int]], family: int, table: int
) -> list[Taken]:
    """Return the places of other people's routes that a route of ours could want.

    All to the same destination as an observed route, and some of the others: a route that follows
    may be by an uplink that is gone. Of those not the kernel's own, such as a container's LAN.
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
