"""Decide what to change. Pure: the same input gives the same changes, in the same order.

The order is make before break: settings, who has to answer, new addresses and routes; then the
others fall silent, and the LAN is told; then what is no longer wanted goes. A run killed anywhere
between leaves a usable route. A rule of ours comes before the routes in its table and goes after
them: what is in a table is seen only while a rule looks it up, so a killed run's would stay.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy import answering, watch
from netfail_hooks.policy.changes import (
    AddAddress,
    Change,
    CloseConnections,
    DropAddress,
    DropRoute,
    FlushNeighbours,
    SetMetric,
    SetRoute,
    SetSysctl,
    family_of,
)
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import (
    FOREVER,
    KERNEL,
    OWN_TABLES,
    PROTOCOL,
    Address,
    Observation,
    Route,
)
from netfail_hooks.policy.prefixes import Addresses, Prefixes
from netfail_hooks.policy.state import AddressOwner, KnownAddress, State
from netfail_hooks.policy.sysctls import timers, wanted
from netfail_hooks.values import replace


def decide(
    config: Config, observed: Observation, before: State, after: State
) -> tuple[Change, ...]:
    """Return the changes that make the kernel agree with what we think (``after``)."""
    added, dropped, sideways = _sideways(config, observed, after)
    routes = [route for family in FAMILIES for route in override(config, observed, after, family)]
    # The next hops of these may be within the LAN's override, so they come after it.
    routes += _following_routes(config, observed, after)
    routes += sideways
    addresses = [
        address for family in FAMILIES for address in followers(config, observed, after, family)
    ]
    our_routes = _last_first(
        [route for route in (*observed.routes, *observed.tables) if route.ours]
    )
    our_addresses = [address for address in observed.addresses if address.ours]
    have = {(a.interface, a.address) for a in our_addresses}
    want = {(a.interface, a.address) for a in addresses}
    moved = [AddAddress(a) for a in addresses if (a.interface, a.address) not in have]
    present = {(route.form, route.metric) for route in our_routes}
    wanted_forms = {(route.form, route.metric) for route in routes}
    new = [route for route in routes if (route.form, route.metric) not in present]
    old = [route for route in our_routes if (route.form, route.metric) not in wanted_forms]
    flushes = _flushes(config, observed, after)
    quiet = answering.silent(config, observed, after)
    unwatched, watched = watch.moved(config, observed, after)
    changes = (
        *_settings(config, observed),
        *answering.opened(config, observed, after, quiet),
        *moved,
        *(SetRoute(route) for route in new if route.table not in OWN_TABLES),
        *added,
        *(SetRoute(route) for route in new if route.table in OWN_TABLES),
        *_metrics(config, observed, after),
        *answering.closed(observed, quiet),
        *unwatched,  # before the LAN is told: its questions would tell it otherwise
        *answering.announcements(observed, before, after, quiet, [*flushes, *moved]),
        *(DropRoute(route) for route in old if route.table in OWN_TABLES),
        *dropped,
        *(DropRoute(route) for route in old if route.table not in OWN_TABLES),
        *(DropAddress(a) for a in our_addresses if (a.interface, a.address) not in want),
        *_endings(config, observed, before, after),
        *flushes,
        *watched,
    )
    return (*_of(4, changes), *_of(6, changes)) if changes else ()


def _of(family: int, changes: tuple[Change, ...]) -> list[Change]:
    """Return a family's changes; those of settings, and of what waits for neighbours, are IPv4's.

    No change of one family needs one of the other. So IPv4's, the whole order of them, are made
    before IPv6's, of which there may be many: a LAN says how many by its advertisements.
    """
    return [change for change in changes if (family_of(change) == 6) == (family == 6)]


def _sideways(
    config: Config, observed: Observation, after: State
) -> tuple[list[Change], list[Change], list[Route]]:
    """Return rules of ours to add and to drop, and what they look up; none on one LAN."""
    apart = any(
        known.interface != chosen and not is_local_to(observed, chosen, known.family, known.address)
        for known in after.known_addresses
        if (chosen := after.active_uplink(known.family))
    )
    if not (apart or observed.rules):
        return [], [], []
    from netfail_hooks.policy.sources import sideways

    return sideways(config, observed, after)


def _following_routes(config: Config, observed: Observation, after: State) -> list[Route]:
    """Return our routes in place of those that lost uplinks have beside their default ones."""
    if not after.ways:
        return []
    from netfail_hooks.policy.ways import following_routes as following

    return [route for family in FAMILIES for route in following(config, observed, after, family)]


def _last_first(routes: list[Route]) -> list[Route]:
    """Return routes so that the one in use is dropped last: none takes over that goes next."""
    return sorted(routes, key=lambda route: -route.metric)


def override(config: Config, observed: Observation, state: State, family: int) -> list[Route]:
    """Return the routes of our own that a family needs now: none when all is well."""
    chosen = state.active_uplink(family)
    silent = state.silent_routers(chosen, family)
    default_route = observed.answering_route(chosen, family, silent) if chosen else None
    if default_route is None:
        return []
    lan: list[Route] = []
    if _differs(config, observed, state, family):
        lan = _on_lan(config, observed, state, chosen, family)
    elif not _is_by_a_silent_router(observed, state, chosen, family):
        return []
    from netfail_hooks.policy.places import place  # nobody needs it while all is well

    beaten = min(uplink.metric for uplink in config.uplinks)
    wanted = (
        place(config, observed, replace(route, protocol=PROTOCOL, linkdown=False), beaten)
        for route in (*lan, default_route)
    )
    return [route for route in wanted if route]


def _is_by_a_silent_router(observed: Observation, state: State, name: str, family: int) -> bool:
    """Tell whether the kernel sends some of an uplink's traffic by a router that is silent.

    A router counts as silent only while another one answers (``Result.silent``).
    """
    silent = state.silent_routers(name, family)
    gateways = [route.gateway for route in observed.default_routes(name, family)]
    return any(gateway in silent for gateway in gateways) and any(
        gateway not in silent for gateway in gateways
    )


def _on_lan(
    config: Config, observed: Observation, state: State, chosen: str, family: int
) -> list[Route]:
    """Return the connected routes of the LAN that the active uplink shares with other uplinks.

    A route of another uplink within such a prefix would win by its length: networkd adds a route
    to the gateway alone to what DHCP says. So the active uplink needs the same.
    """
    others = Addresses(
        known.address
        for known in state.known_addresses
        if known.interface != chosen and known.family == family
    )
    near = observed.connected(chosen, family)
    shared = {route.destination: route for route in near if others.any_in(route.destination)}
    lan = list(shared.values())
    around = Prefixes(shared)
    for name in config.names() if lan else ():
        for other in observed.connected(name, family) if name != chosen else ():
            if other.destination not in shared:
                place = around.first_around(other.destination)
                if place >= 0:
                    shared[other.destination] = replace(lan[place], destination=other.destination)
    return list(shared.values())


def followers(config: Config, observed: Observation, state: State, family: int) -> list[Address]:
    """Return the addresses that the active uplink must have on behalf of lost ones."""
    chosen = state.active_uplink(family)
    if not chosen or not config.follow_addresses:
        return []
    there = {
        address.address
        for address in observed.addresses
        if address.interface == chosen and not address.ours
    }
    result = {}
    for known in state.known_addresses:
        uplink_state = state.uplink_state(known.interface, family)
        lost = uplink_state is not None and uplink_state.state != "up"
        if (
            known.family != family
            or known.interface == chosen
            or known.address in there
            or not lost
        ):
            continue
        if is_local_to(observed, chosen, family, known.address):
            result[known.address] = _moved(known, chosen, observed.now)
    return list(result.values())


def _moved(known: KnownAddress, chosen: str, now: int) -> Address:
    left = FOREVER if not known.expires else max((known.expires - now) // 1000, 1)
    if known.family == 4:
        return Address(chosen, 4, known.address, 32, ours=True, preferred=left, valid=left)
    # Deprecated: old connections go on, new ones choose the uplink's own (RFC 6724, rule 3).
    return Address(chosen, 6, known.address, 128, ours=True, preferred=0, valid=left)


def _differs(config: Config, observed: Observation, state: State, family: int) -> bool:
    """Tell whether the kernel, left alone, would use another uplink, now or on its return."""
    chosen = state.active_uplink(family)
    names = config.names()
    for rank, name in enumerate(names):
        uplink_state = state.uplink_state(name, family)
        lost = uplink_state is not None and uplink_state.is_lost
        first = rank < names.index(chosen)
        if lost and (first or _is_finer(config, observed, state, name, family)):
            return True
    # A route that somebody else put first, as a VPN does, says nothing of the order behind it.
    alive = [r for r in observed.defaults(family) if not r.linkdown and r.interface in names]
    return any(r.interface != chosen for r in alive if r.metric == alive[0].metric)


def _is_finer(config: Config, observed: Observation, state: State, name: str, family: int) -> bool:
    """Tell whether a standby has a longer prefix within the active uplink's LAN than it has.

    A standby with DHCP has a route to the router alone. While nobody answers there, an active
    uplink without such a route would not reach the router, nor a name server on it.
    """
    chosen = state.active_uplink(family)
    finer = {route.destination for route in observed.connected(name, family)}
    finer.difference_update(route.destination for route in observed.connected(chosen, family))
    lan = _on_lan(config, observed, state, chosen, family)
    return any(route.destination in finer for route in lan)


def _metrics(config: Config, observed: Observation, after: State) -> list[Change]:
    """Give connected routes their uplink's metric where networkd forgot it.

    Up to systemd 252 it does for static addresses when it is restarted
    (github.com/systemd/systemd/issues/25843). With 0, uplinks on one LAN are alike to the kernel,
    and no override of ours comes before them. An uplink alone on its LAN is left as it is. The
    active uplink is last, so that its LAN stays with it. IPv6 has 256 then, and overrides come
    before that.
    """
    forgotten = {
        uplink.interface: [
            address
            for address in observed.own_addresses(uplink.interface, 4)
            if address.metric == 0 != uplink.metric
        ]
        for uplink in config.uplinks
    }
    if not any(forgotten.values()):
        return []
    shared = _on_shared_lan(config, observed)
    chosen = after.active_uplink(4)
    order = [uplink for uplink in reversed(config.uplinks) if uplink.interface != chosen]
    order += [uplink for uplink in config.uplinks if uplink.interface == chosen]
    return [
        SetMetric(uplink.interface, address.address, address.length, uplink.metric)
        for uplink in order
        for address in forgotten[uplink.interface]
        if (uplink.interface, address.address, address.length) in shared
    ]


def _on_shared_lan(config: Config, observed: Observation) -> set[tuple[str, str, int]]:
    """Return the IPv4 addresses whose own connected route has metric 0, and another uplink it, too.

    Of each its interface, itself, and the length of its prefix.
    """
    whose: dict[str, set[str]] = {}
    for name in config.names():
        for route in observed.connected(name, 4):
            whose.setdefault(route.destination, set()).add(name)
    return {
        (name, route.source, int(route.destination.partition("/")[2]))
        for name in config.names()
        for route in observed.connected(name, 4)
        if (route.protocol, route.metric) == (KERNEL, 0)
        and len(whose[route.destination]) > 1
        and route.source
        and contains(route.destination, route.source)
    }


def _settings(config: Config, observed: Observation) -> list[Change]:
    current = {sysctl.key: sysctl.setting for sysctl in observed.sysctls}
    return [
        SetSysctl(setting)
        for setting in (
            *(one for name in config.names() for one in wanted(name)),
            *timers(config.watch, config.names()),
        )
        if current.get(setting.key, setting.setting) != setting.setting
    ]


def _endings(config: Config, observed: Observation, before: State, after: State) -> list[Change]:
    """End connections that can't go on: their address is out of reach, or not ours any more.

    Or the traffic has left its uplink for another subnet, on a kernel without policy rules, which
    would keep packets with the address there (policy/sources.py).
    """
    if not config.close_connections:
        return []
    now = {owner.address: owner for owner in after.owners}
    there = {address.address for address in observed.addresses}
    result: list[Change] = []
    for old in before.owners:
        new = now.get(old.address)
        gone = new is None and old.address not in there and observed.ruled >= 0
        lost = new is not None and old.interface and not new.interface
        if gone or lost or (new and observed.ruled == 0 and _is_left(observed, before, after, new)):
            result.append(CloseConnections(old.family, old.address))
    return result


def _is_left(observed: Observation, before: State, after: State, owner: AddressOwner) -> bool:
    left, chosen = before.active_uplink(owner.family), after.active_uplink(owner.family)
    moved = chosen not in ("", left) and owner.interface == left
    return moved and not is_local_to(observed, chosen, owner.family, owner.address)


def _flushes(config: Config, observed: Observation, after: State) -> list[FlushNeighbours]:
    """Flush what standbys know of the active uplink's LAN, and what waits on lost uplinks.

    A standby that has none of networkd's addresses may be on that LAN: it can speak there all the
    same, by somebody else's address or for a socket bound to it.
    """
    active = {family: after.active_uplink(family) for family in FAMILIES}
    own = [address.address for address in observed.own_addresses(active[4], 4)]
    return [
        FlushNeighbours(name)
        for name in config.names()
        if (name in observed.resolved and name != active[4] and _may_share(observed, name, own))
        or (name in observed.waiting and name not in active.values() and not _is_well(after, name))
    ]


def _may_share(observed: Observation, name: str, addresses: list[str]) -> bool:
    """Tell whether an uplink may be on the LAN of IPv4 addresses."""
    if not observed.own_addresses(name, 4):
        return bool(addresses)
    return any(is_local_to(observed, name, 4, address) for address in addresses)


def _is_well(after: State, name: str) -> bool:
    return any(
        uplink_state.interface == name and uplink_state.state == "up"
        for uplink_state in after.uplinks
    )
