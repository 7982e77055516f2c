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
        if len(body) == 1:
            continue
        kind, _, length, _, table = struct.unpack_from("=BBBBB", body)
        family = _FAMILY_NUMBERS.get(kind)
        if family is None:
            continue
        found = rt.attributes(body, 12)
        table = rt.whole(found.get(_FRA_TABLE)) or table
        sender = rt.text(family, found.get(_FRA_SRC))
        suppressed = struct.unpack("=i", found.get(_FRA_SUPPRESS_PREFIXLEN, b"\xff" * 4))[0]
        result.append(
            Rule(
                family=family,
                priority=rt.whole(found.get(_FRA_PRIORITY)),
                table=table,
                sender=f"{sender}/{length}" if sender else "",
                whole=suppressed < 0,
                protocol=rt.whole(found.get(_FRA_PROTOCOL)),
            )
        )
    return tuple(result)


def looked_up(rules: tuple[Rule, ...]) -> list[tuple[int, int]]:
    """Return the tables of a user's own, and of ours, by family, each once."""
    first = sorted(rules, key=_is_not_ours)  # however many others there are
    found = dict.fromkeys((one.family, one.table) for one in first if one.table != MAIN)
    return list(found)[:_TABLES_MAX]


def _is_not_ours(rule: Rule) -> bool:
    return not rule.ours


def taken(
    routes: list[Route], others: list[tuple[str, int, int]], family: int, table: int
) -> list[Taken]:
    """Return other people's places that a route of ours could want.

    The kernel's own, such as a container's LAN, are none, unless a route that counts has the same
    destination. Of the rest a few: a route that follows may be by an uplink that is gone.
    """
    beside = {route.destination for route in routes}
    found = [Taken(family, one, metric, table) for one, metric, _ in others if one in beside]
    rest = [
        Taken(family, one, metric, table)
        for one, metric, protocol in others
        if one not in beside and protocol != KERNEL
    ]
    return found + rest[:_TAKEN_MAX]
