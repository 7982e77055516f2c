"""See what a sparing look leaves out where there is much: see observe.py.

That is what is ours on interfaces that are no uplinks any more, and other people's routes to where
ours are, or are to be. The kernel can't filter by that, so it tells of all, which is searched as
bytes and not read. Loaded only where there is much, and only once there is something to do.
"""

from __future__ import annotations

import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.crowded import NOWHERE, leads_to
from netfail_hooks.kernel.observe import read_addresses, read_routes
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import MAIN, PROTOCOL, Taken
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    from netfail_hooks.config import Config
    from netfail_hooks.policy.facts import Observation, Place, Route

    T = TypeVar("T")

_OUR_ADDRESS = rt.attribute(rt.IFA_PROTO, bytes([PROTOCOL]))
_TABLE_COMPAT = 252  # RT_TABLE_COMPAT: what the head of a route has for a greater number


def completed(  # noqa: PLR0913 - what was left out has many sides
    config: Config,
    netlink: rt.Netlink,
    sparing: Observation,
    places: Iterable[Place],
    *,
    left: bool,
    lookup: bool,
) -> Observation:
    """Return an observation with other people's routes to some destinations, and what is ours.

    That is what was ``left`` on interfaces that are no uplinks.
    One family's trouble is not the other's: of one that the kernel would not tell of now, what was
    seen stays, and nothing is decided about it. Raises OSError where it tells of neither.
    """
    observed, wanted = sparing, frozenset(places)
    refused: dict[int, OSError] = {}
    for family in FAMILIES:
        if family in sparing.unseen:
            continue
        of_it = [place for place in wanted if place[0] == family]
        try:
            if left:
                observed = with_ours(config, netlink, observed, (family,))
            observed = with_places(netlink, observed, of_it, lookup=lookup)
        except OSError as error:
            refused[family] = error
    unseen = tuple(sorted({*sparing.unseen, *refused}))
    if refused and len(unseen) == len(FAMILIES):
        raise next(iter(refused.values()))
    return replace(observed, unseen=unseen)


def with_ours(
    config: Config,
    netlink: rt.Netlink,
    observed: Observation,
    families: Sequence[int] = FAMILIES,
) -> Observation:
    """Return an observation with all that is ours on interfaces that are no uplinks."""
    names = {link.index: link.name for link in observed.links}
    if rt.GETROUTE in netlink.crowded:
        found: list[Route] = []
        for family in families:
            bodies = rt.dumped(netlink, rt.GETROUTE, rt.table_request(family, MAIN, PROTOCOL))
            found += read_routes(bodies, names, family, MAIN)[0]
        observed = replace(observed, routes=_joined(observed.routes, found))
    if rt.GETADDR in netlink.crowded:
        with_carrier = {link.index for link in observed.links if link.carrier}
        for family in families:
            request = struct.pack("=B7x", rt.FAMILIES[family])
            bodies = rt.dumped(netlink, rt.GETADDR, request, needles=(_OUR_ADDRESS,))
            addresses = read_addresses(bodies, names, with_carrier, config)
            observed = replace(observed, addresses=_joined(observed.addresses, addresses))
    return observed


def with_places(
    netlink: rt.Netlink, observed: Observation, places: Iterable[Place], *, lookup: bool = True
) -> Observation:
    """Return an observation with other people's routes to some destinations.

    With ``lookup`` the kernel is first asked which route it would take: where that is an uplink's,
    nobody else's is ahead of it. One that the kernel would not take now, as its link is down, is
    not found so: if we want the place that it has, that fails, and we look again without.
    """
    if rt.GETROUTE not in netlink.crowded:
        return observed
    names = {link.index: link.name for link in observed.links}
    wanted: dict[tuple[int, int], list[bytes]] = {}
    for family, table, destination in sorted(places):
        if family == 4 and destination == "default":
            continue  # seen already (crowded.py)
        if lookup and _is_an_uplinks(netlink, names, (family, table, destination)):
            continue
        wanted.setdefault((family, table), []).append(_needle(family, table, destination))
    for (family, table), needles in wanted.items():
        request = rt.table_request(family, table)
        bodies = rt.dumped(netlink, rt.GETROUTE, request, needles=tuple(needles))
        found, taken = read_routes(bodies, names, family, table)
        if table == MAIN:
            found, hidden = _parted(observed, found, names)
            taken += hidden
            observed = replace(observed, routes=_joined(observed.routes, found))
        else:
            observed = replace(observed, tables=_joined(observed.tables, found))
        observed = replace(observed, taken=_joined(observed.taken, taken))
    return observed


def _parted(
    observed: Observation, routes: list[Route], names: dict[int, str]
) -> tuple[list[Route], list[Taken]]:
    """Return the routes that are an uplink's or ours, and of the others, default ones, the places.

    Whether one of those leads the traffic away the sparing look asked the kernel (crowded.py), and
    every look is to have the same answer. A dump also tells of routes that the kernel passes over.
    """
    uplinks = set(names.values())
    kept = [route for route in routes if route.ours or route.interface in uplinks]
    others = (route for route in routes if route not in (*kept, *observed.routes))
    return kept, [Taken(r.family, r.destination, r.metric, r.table) for r in others]


def _joined(known: tuple[T, ...], found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*known, *found)))


def _is_an_uplinks(netlink: rt.Netlink, names: dict[int, str], place: Place) -> bool:
    """Tell whether the kernel would reach a destination by an uplink's own route to just that."""
    family, table, destination = place
    address, length = _inside(family, destination)
    answer = leads_to(netlink, family, address)
    if answer is None:
        return False
    attributes = rt.attributes(answer, 12)
    return (
        answer[1] == length
        and answer[5] != PROTOCOL
        and rt.whole(attributes.get(rt.RTA_TABLE)) == table
        and rt.whole(attributes.get(rt.RTA_OIF)) in names
    )


def _inside(family: int, destination: str) -> tuple[str, int]:
    """Return an address of a prefix that is no router's and no broadcast's, and its length."""
    if destination == "default":
        return NOWHERE, 0
    first, _, length = destination.partition("/")
    packed = bytearray(rt.packed(family, first))
    bit = int(length)
    if bit < 8 * len(packed):
        packed[bit // 8] |= 0x80 >> bit % 8
    return rt.text(family, bytes(packed)), bit


def _needle(family: int, table: int, destination: str) -> bytes:
    """Return bytes that every route to a destination has, and few others."""
    if destination == "default":
        shown = table if table < 256 else _TABLE_COMPAT
        return struct.pack("=BBBBB", rt.FAMILIES[family], 0, 0, 0, shown)
    return rt.attribute(rt.RTA_DST, rt.packed(family, destination.partition("/")[0]))
