"""How much of an uplink is looked at: a bound for each family, so that no LAN keeps us busy. Pure.

Anybody on a LAN can have networkd set thousands of addresses and routes there: by router
advertisements (RFC 4861, 4191), by a DHCP server's answers. All that follows an observation costs
as much as it holds: judging, changes in the kernel, the recorder's line. So of each uplink, in each
family by itself, this is looked at:

- of the addresses that have a lifetime or came by an advertisement, 32: those that were known
  before first, so that newcomers push none of them out;
- of the routes that networkd learnt from DHCP or advertisements, 32 on-link ones, those first in
  which the uplink has an address, and 64 by a gateway, those first that were known before;
- 16 default routes, the lowest metric first, and what was configured before what was advertised;
- of what the machine's owner configured, 256 addresses and 256 routes.

Whatever is left of more goes by address: the same in every run. What we made ourselves is always
looked at. What is left out is neither moved, announced nor replaced: it stays as networkd set it.
"""

from __future__ import annotations

from netfail_hooks.policy.facts import (
    FOREVER,
    MAIN,
    NO_ROUTE,
    PROTOCOL,
    Address,
    Crowd,
    Observation,
    Route,
)
from netfail_hooks.policy.prefixes import Addresses
from netfail_hooks.policy.state import FOLLOWING, State
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    T = TypeVar("T", Address, Route)
    Key = tuple[str, int]  # an interface and a family
    # What an item is one of, how many of those are looked at, and its rank among them.
    Place = tuple[tuple[str, int, str], int, tuple[object, ...]]

LEARNT, ROUTERS, CONFIGURED = 32, 16, 256
# RTPROT_REDIRECT, _RA and _DHCP (linux/rtnetlink.h): somebody on the LAN said so
_LEARNT_BY = (1, 9, 16)


def bounded(observed: Observation, state: State) -> Observation:
    """Return what is to be looked at of an observation, with what it has too much of."""
    known = {known.address for known in state.known_addresses}
    ways = {(way.interface, way.destination, way.gateway) for way in state.ways}
    addresses = _first(observed.addresses, [_address(one, known) for one in observed.addresses])
    own: dict[Key, list[str]] = {}
    for address in addresses:
        own.setdefault((address.interface, address.family), []).append(address.address)
    lans = {key: Addresses(texts) for key, texts in own.items()}
    routes, tables = (
        _first(table, [_route(one, lans, ways) for one in table])
        for table in (observed.routes, observed.tables)
    )
    kept = replace(observed, addresses=addresses, routes=routes, tables=tables)
    return replace(kept, crowds=_crowds(observed, kept))


def _first(items: tuple[T, ...], places: Sequence[Place | None]) -> tuple[T, ...]:
    """Return the first of each kind by rank, in the order in which they were."""
    kinds: dict[tuple[str, int, str], list[tuple[tuple[object, ...], int]]] = {}
    limits: dict[tuple[str, int, str], int] = {}
    for at, place in enumerate(places):
        if place:
            kind, limit, rank = place
            limits[kind] = limit
            kinds.setdefault(kind, []).append((rank, at))
    out: set[int] = set()
    for kind, ranked in kinds.items():
        if len(ranked) > limits[kind]:
            out.update(at for _, at in sorted(ranked)[limits[kind] :])
    return tuple(item for at, item in enumerate(items) if at not in out) if out else items


def _address(address: Address, known: set[str]) -> Place | None:
    if address.ours:
        return None
    kind, limit = ("learnt", LEARNT) if _is_learnt(address) else ("configured", CONFIGURED)
    rank = (address.address not in known, address.address)
    return (address.interface, address.family, kind), limit, rank


def _route(
    route: Route, lans: dict[Key, Addresses], ways: set[tuple[str, str, str]]
) -> Place | None:
    if route.protocol == PROTOCOL:
        return None
    learnt = _is_learnt(route)
    if route.destination == "default" and route.table == MAIN:
        # Of one metric in the kernel's own order, but what its owner set first.
        return (route.interface, route.family, "default"), ROUTERS, (route.metric, learnt)
    on_link = not route.gateway
    new = (route.interface, route.destination, route.gateway) not in ways
    if on_link and route.destination != "default":
        lan = lans.get((route.interface, route.family))
        new = new and not (lan and lan.any_in(route.destination))
    kind, limit = "configured", CONFIGURED
    if learnt:
        kind, limit = ("on-link", LEARNT) if on_link else ("by a gateway", FOLLOWING)
    # A table of the user's own with its default route left out would lead nowhere.
    rank = (
        route.destination != "default",
        new,
        not on_link,
        route.destination,
        route.table,
        route.metric,
        route.gateway,
    )
    return (route.interface, route.family, kind), limit, rank


def _is_learnt(item: Address | Route) -> bool:
    """Tell whether somebody on the LAN said so."""
    if isinstance(item, Route):
        return item.protocol in _LEARNT_BY
    # networkd makes no connected route for an address that it made of an advertised prefix.
    return item.valid != FOREVER or (item.family == 6 and item.metric == NO_ROUTE)


def _crowds(all_of_it: Observation, looked_at: Observation) -> tuple[Crowd, ...]:
    """Return how much an uplink has wherever not all of it is looked at."""
    present, kept = _by_uplink(all_of_it), _by_uplink(looked_at)
    crowds = []
    for (interface, family), items in sorted(present.items(), key=_first_of):
        left_out = set(items).difference(kept.get((interface, family), ()))
        if left_out:
            addresses = sum(isinstance(item, Address) for item in items)
            routes, learnt = len(items) - addresses, any(map(_is_learnt, left_out))
            crowds.append(Crowd(interface, family, addresses, routes, learnt=learnt))
    return tuple(crowds)


def _first_of(pair: tuple[Key, list[Address | Route]]) -> Key:
    return pair[0]


def _by_uplink(observed: Observation) -> dict[Key, list[Address | Route]]:
    found: dict[Key, list[Address | Route]] = {}
    items: tuple[Address | Route, ...] = (
        *observed.addresses,
        *observed.routes,
        *observed.tables,
    )
    for item in items:
        if not item.interface.startswith("#"):  # of somebody else's nothing is ours to tell
            found.setdefault((item.interface, item.family), []).append(item)
    return found


def message(crowd: Crowd) -> str:
    """Return what people are told of an uplink of which a part is looked at."""
    return (
        f"{crowd.interface} has {crowd.addresses} IPv{crowd.family} addresses and {crowd.routes} "
        "routes: only the first of them are looked at"
    )


def advice(crowd: Crowd) -> str:
    """Return what its owner can do about it (systemd.network(5))."""
    if not crowd.learnt:
        return (
            "no LAN said so, but its owner or a routing daemon: the rest stays as it is, and no "
            "other uplink takes it over"
        )
    if crowd.family == 6:
        return (
            f"if its LAN should not say so many, set RouterAllowList= or PrefixAllowList= in the "
            f"[IPv6AcceptRA] of {crowd.interface}'s .network file, or IPv6AcceptRA=no"
        )
    return (
        "if its LAN should not say so many, set UseRoutes=no or AllowList= in the [DHCPv4] of "
        f"{crowd.interface}'s .network file"
    )
