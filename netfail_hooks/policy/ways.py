"""Routes beside the default one, by an uplink that is lost: which follow, and where to. Pure.

A DHCP server's name servers off the LAN, classless static routes (RFC 3442, option 121), a
``[Route]`` of the user's, a VPN's route to its own other end, a second router on the LAN; and what
leads out in tables of the user's own that policy rules look up. None of them leaves a dead uplink
by itself while the link is up; and a dead link's are skipped, so that the traffic would
go to the default route's router, which may not know the way.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.facts import MAIN, PROTOCOL, Observation, Route, is_within
from netfail_hooks.policy.places import place
from netfail_hooks.policy.state import State, Way
from netfail_hooks.values import replace

FOLLOWING = 64  # most routes of an uplink that follow, of each family and those first in the tables
# RTPROT_BOOT (ip-route(8) by hand, VPNs), _STATIC, _RA and _DHCP (linux/rtnetlink.h). The kernel's
# own come with an address; a routing daemon moves its own.
_MAKERS = (3, 4, 9, 16)
OWN_TABLES = range(15701, 15801)  # of ours (policy/sources.py), one an uplink


def ways(config: Config, observed: Observation, state: State) -> tuple[Way, ...]:
    """Return the routes by each uplink that would follow: those seen, or last seen with it."""
    found: dict[tuple[str, int], list[Way]] = {}
    for route in (*observed.routes, *observed.tables):
        if route.ours:
            continue
        mine = found.setdefault((route.interface, route.family), [])
        if _is_one(route) and not observed.is_own_lan(route) and len(mine) < FOLLOWING:
            mine.append(
                Way(
                    route.interface,
                    route.family,
                    route.destination,
                    route.metric,
                    route.gateway,
                    route.table,
                )
            )
    result: list[Way] = []
    for name in config.names():
        link = observed.link(name)
        for family in FAMILIES:
            if link and link.up and (name, family) in found:
                result += found[name, family]
            else:  # link down, gone, or being set up
                result += [w for w in state.ways if (w.interface, w.family) == (name, family)]
    return tuple(result)


def _is_one(route: Route) -> bool:
    beside = route.table != MAIN or route.destination != "default"
    return beside and route.protocol in _MAKERS and route.table not in OWN_TABLES


def followers(config: Config, observed: Observation, state: State, family: int) -> list[Route]:
    """Return the routes of our own on behalf of lost uplinks', the default one apart."""
    if not state.ways:
        return []
    chosen = state.active_uplink(family)
    silent = state.silent_routers(chosen, family)
    default_route = observed.answering_route(chosen, family, silent) if chosen else None
    if default_route is None:
        return []
    lost = [name for name in config.names() if name != chosen and _is_lost(state, name, family)]
    stay = {one.interface: one.stay for one in config.uplinks}
    sought: dict[tuple[int, str], list[Way]] = {}
    for way in state.ways:
        if way.family != family or way.interface not in lost or _stays(way, stay):
            continue
        if not _is_of_lan(observed, state, way, chosen):
            sought.setdefault((way.table, way.destination), []).append(way)
    result = []
    for (table, destination), theirs in sought.items():
        healthy = [name for name in config.names() if name == chosen or _is_up(state, name, family)]
        own = _best(observed, healthy, family, table, destination)
        beaten = min(way.metric for way in theirs)
        if own and own.metric < beaten:
            continue  # it wins as it is
        new = (_led(observed, state, way, default_route) for way in theirs)
        led = own or next((one for one in new if one), None)
        if led is None:
            continue
        ours = replace(led, protocol=PROTOCOL, linkdown=False)
        placed = place(config, observed, ours, beaten)
        if placed:
            result.append(placed)
    return result


def _is_up(state: State, name: str, family: int) -> bool:
    uplink_state = state.uplink_state(name, family)
    return uplink_state is not None and uplink_state.state == "up"


def _is_lost(state: State, name: str, family: int) -> bool:
    """Tell whether what an uplink leads goes nowhere: not where all it lacks is a default route.

    One that never had any may lead to a network of its own all the same.
    """
    one = state.uplink_state(name, family)
    leads = one is not None and (one.state, one.reason) == ("absent", "no gateway")
    return not (leads or _is_up(state, name, family))


def _stays(way: Way, stay: dict[str, tuple[str, ...]]) -> bool:
    everything = "::/0" if way.family == 6 else "0.0.0.0/0"
    prefix = everything if way.destination == "default" else way.destination
    return any(is_within(prefix, one) for one in stay.get(way.interface, ()))


def _is_of_lan(observed: Observation, state: State, way: Way, chosen: str) -> bool:
    """Tell whether a route is a part of a LAN that goes with the default route."""
    return (
        way.table == MAIN
        and not way.gateway
        and any(
            is_within(way.destination, lan)
            for other in {one.interface for one in state.known_addresses if one.interface != chosen}
            for lan in _shared_lan(observed, state, other, chosen, way.family)
        )
    )


def _best(
    observed: Observation, names: list[str], family: int, table: int, destination: str
) -> Route | None:
    """Return networkd's or the user's own route of that kind by an uplink that is well."""
    routes = observed.routes if table == MAIN else observed.tables
    found = [
        route
        for route in routes
        if (route.family, route.table, route.destination) == (family, table, destination)
        and route.interface in names
        and not (route.ours or route.linkdown)
    ]
    return min(found, key=lambda route: (names.index(route.interface), route.metric), default=None)


def _led(observed: Observation, state: State, way: Way, default_route: Route) -> Route | None:
    """Return a lost uplink's route as the carrier can have it, None where it has to stay.

    By the same gateway where both are on its LAN; else by the carrier's own. What needs no
    gateway is a neighbour's: it is sought on the carrier's LAN, if that is the same; behind
    an uplink without any gateway (a modem, a tunnel), it is like all else out there.
    """
    chosen, family = default_route.interface, way.family
    led = replace(default_route, destination=way.destination, table=way.table)
    lan = _shared_lan(observed, state, way.interface, chosen, family)
    if way.gateway:
        linked = way.gateway.startswith("fe80:") and bool(lan)
        if way.gateway != default_route.gateway and (linked or _is_in(way.gateway, lan)):
            return replace(led, gateway=way.gateway, onlink=False)
        return led
    if lan:
        return replace(led, gateway="", onlink=False, mtu=0)
    theirs = observed.default_route(way.interface, family)
    return led if theirs and not theirs.gateway else None


def _shared_lan(
    observed: Observation, state: State, lost: str, chosen: str, family: int
) -> list[str]:
    """Return the prefixes of the carrier in which a lost uplink has, or had, an address."""
    theirs = [
        one.address
        for one in state.known_addresses
        if (one.interface, one.family) == (lost, family)
    ]
    return [
        route.destination
        for route in observed.connected(chosen, family)
        if any(contains(route.destination, address) for address in theirs)
    ]


def _is_in(address: str, prefixes: list[str]) -> bool:
    return any(contains(prefix, address) for prefix in prefixes)
