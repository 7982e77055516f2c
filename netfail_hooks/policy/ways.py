"""Which routes of a lost uplink, beside its default one, follow the traffic, and where. Pure.

Such as a DHCP server's to name servers off the LAN, classless static routes (RFC 3442, option
121), a ``[Route]`` of the user's, a VPN's route to its own other end, a second router on the LAN;
and the default routes in tables of the user's own that policy rules look up. None of them leaves
a dead uplink by itself while the link is up. Those of a dead link are skipped, so the traffic
would go to the default route's router, which may not know the destination.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import MAIN, OWN_TABLES, PROTOCOL, Observation, Route, is_within
from netfail_hooks.policy.health import NO_GATEWAY
from netfail_hooks.policy.places import place
from netfail_hooks.policy.prefixes import Addresses, Prefixes
from netfail_hooks.policy.state import FOLLOWING, State, Way
from netfail_hooks.values import replace

# RTPROT_BOOT (ip-route(8) by hand, VPNs), _STATIC, _RA and _DHCP (linux/rtnetlink.h). The kernel's
# own come with an address; a routing daemon moves its own.
_MAKERS = (3, 4, 9, 16)


def ways(config: Config, observed: Observation, state: State) -> tuple[Way, ...]:
    """Return the routes of each uplink that would follow: those it has, or had when last seen."""
    by_uplink: dict[tuple[str, int], list[Way]] = {}
    for route in (*observed.routes, *observed.tables):
        if route.ours:
            continue
        following = by_uplink.setdefault((route.interface, route.family), [])
        if _may_follow(route) and not observed.is_own_lan(route):
            following.append(
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
            if link and link.up and (name, family) in by_uplink:
                result += _first(by_uplink[name, family], state)
            else:  # link down, gone, or being set up
                result += [w for w in state.ways if (w.interface, w.family) == (name, family)]
    return tuple(result)


def _first(following: list[Way], state: State) -> list[Way]:
    """Return as many as may follow: the tables' default routes first, then those known before."""
    if len(following) <= FOLLOWING:
        return following
    known = frozenset(state.ways)
    ranked = sorted(following, key=lambda way: (way.destination != "default", way not in known))
    first = frozenset(ranked[:FOLLOWING])
    return [way for way in following if way in first]


def _may_follow(route: Route) -> bool:
    additional = route.table != MAIN or route.destination != "default"
    return additional and route.protocol in _MAKERS and route.table not in OWN_TABLES


def following_routes(
    config: Config, observed: Observation, state: State, family: int
) -> list[Route]:
    """Return our routes in place of those of lost uplinks, except the default ones."""
    if not state.ways:
        return []
    chosen = state.active_uplink(family)
    silent = state.silent_routers(chosen, family)
    default_route = observed.answering_route(chosen, family, silent) if chosen else None
    if default_route is None:
        return []
    lost = [name for name in config.names() if name != chosen and _is_lost(state, name, family)]
    stay = {uplink.interface: uplink.stay for uplink in config.uplinks}
    lans = _shared_lans(observed, state, chosen, family)
    sought: dict[tuple[int, str], list[Way]] = {}
    for way in state.ways:
        if way.family != family or way.interface not in lost or _stays(way, stay):
            continue
        if not _is_of_lan(way, lans):
            sought.setdefault((way.table, way.destination), []).append(way)
    healthy = [name for name in config.names() if name == chosen or _is_up(state, name, family)]
    result = []
    for (table, destination), lost_ways in sought.items():
        own = _best(observed, healthy, family, table, destination)
        beaten = min(way.metric for way in lost_ways)
        if own and own.metric < beaten:
            continue  # it wins as it is
        candidates = (_led(observed, lans, way, default_route) for way in lost_ways)
        route = own or next((led for led in candidates if led), None)
        if route is None:
            continue
        ours = replace(route, protocol=PROTOCOL, linkdown=False)
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
    uplink_state = state.uplink_state(name, family)
    judged = uplink_state and (uplink_state.state, uplink_state.reason)
    leads = judged == ("absent", NO_GATEWAY)
    return not (leads or _is_up(state, name, family))


def _stays(way: Way, stay: dict[str, tuple[str, ...]]) -> bool:
    everything = "::/0" if way.family == 6 else "0.0.0.0/0"
    prefix = everything if way.destination == "default" else way.destination
    return any(is_within(prefix, staying) for staying in stay.get(way.interface, ()))


def _is_of_lan(way: Way, lans: dict[str, Prefixes]) -> bool:
    """Tell whether a route is a part of a LAN that goes with the default route."""
    return (
        way.table == MAIN
        and not way.gateway
        and any(lan.first_around(way.destination) >= 0 for lan in lans.values())
    )


def _best(
    observed: Observation, names: list[str], family: int, table: int, destination: str
) -> Route | None:
    """Return networkd's or the user's own route to a destination by the best healthy uplink."""
    candidates = [
        route
        for route in observed.routes_to(family, table, destination)
        if route.interface in names and not (route.ours or route.linkdown)
    ]
    return min(
        candidates, key=lambda route: (names.index(route.interface), route.metric), default=None
    )


def _led(
    observed: Observation, lans: dict[str, Prefixes], way: Way, default_route: Route
) -> Route | None:
    """Return a lost uplink's route as the active uplink can have it, None where it has to stay.

    It goes by the same gateway where both uplinks are on its LAN; else by the active uplink's own.
    A destination without a gateway is a neighbour: it is sought on the active uplink's LAN, if that
    is the same. Behind an uplink without any gateway (a modem, a tunnel) it is like any other
    destination out there.
    """
    led = replace(default_route, destination=way.destination, table=way.table)
    lan = lans.get(way.interface)
    if way.gateway:
        linked = way.gateway.startswith("fe80:") and lan is not None
        near = linked or (lan is not None and way.gateway in lan)
        if way.gateway != default_route.gateway and near:
            return replace(led, gateway=way.gateway, onlink=False)
        return led
    if lan:
        return replace(led, gateway="", onlink=False, mtu=0)
    lost_default = observed.default_route(way.interface, way.family)
    return led if lost_default and not lost_default.gateway else None


def _shared_lans(
    observed: Observation, state: State, chosen: str, family: int
) -> dict[str, Prefixes]:
    """Return the prefixes of the active uplink in which others have, or had, an address.

    By the name of the other one; none is empty.
    """
    addresses: dict[str, list[str]] = {}
    for known in state.known_addresses:
        if known.interface != chosen and known.family == family:
            addresses.setdefault(known.interface, []).append(known.address)
    lans = {}
    for name, texts in addresses.items():
        own = Addresses(texts)
        near = (route.destination for route in observed.connected(chosen, family))
        lan = [destination for destination in near if own.any_in(destination)]
        if lan:
            lans[name] = Prefixes(lan)
    return lans
