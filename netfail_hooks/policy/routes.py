"""Decide what to change. Pure: the same input gives the same changes, in the same order.

The order is make before break: settings, new addresses and routes, announcements; then what
is no longer wanted goes. A run killed anywhere between leaves a usable route.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.changes import (
    AddAddress,
    Announce,
    Change,
    DropAddress,
    DropRoute,
    EndFlows,
    Forget,
    SetMetric,
    SetRoute,
    SetSysctl,
)
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import FOREVER, KERNEL, PROTOCOL, Address, Observation, Route
from netfail_hooks.policy.memory import Kept, Memory
from netfail_hooks.policy.sysctls import wanted
from netfail_hooks.values import replace


def decide(config: Config, seen: Observation, before: Memory, after: Memory) -> tuple[Change, ...]:
    """Return the changes that make the kernel agree with what we think (``after``)."""
    routes = [route for family in FAMILIES for route in override(config, seen, after, family)]
    addresses = [one for family in FAMILIES for one in followers(config, seen, after, family)]
    our_routes = [route for route in seen.routes if route.ours]
    our_addresses = [address for address in seen.addresses if address.ours]
    have = {(a.interface, a.address) for a in our_addresses}
    want = {(a.interface, a.address) for a in addresses}
    present = {_form(route) for route in our_routes}
    places = {_place(route) for route in routes}
    return (
        *_settings(config, seen),
        *(AddAddress(a) for a in addresses if (a.interface, a.address) not in have),
        *(SetRoute(route) for route in routes if _form(route) not in present),
        *_metrics(config, seen, after),
        *_announcements(seen, before, after),
        *(DropRoute(route) for route in our_routes if _place(route) not in places),
        *(DropAddress(a) for a in our_addresses if (a.interface, a.address) not in want),
        *_endings(config, before, after),
        *_forgettings(config, seen, after),
    )


def override(config: Config, seen: Observation, memory: Memory, family: int) -> list[Route]:
    """Return the routes of our own that a family needs now: none when all is well."""
    chosen = memory.carrier(family)
    way_out = seen.way_out(chosen, family) if chosen else None
    if way_out is None or not _differs(config, seen, memory, family):
        return []
    return [
        replace(route, metric=config.override_metric, protocol=PROTOCOL, linkdown=False)
        for route in (*_on_lan(config, seen, memory, chosen, family), way_out)
    ]


def _on_lan(
    config: Config, seen: Observation, memory: Memory, chosen: str, family: int
) -> list[Route]:
    """Return the connected routes of the LAN that the carrier shares with other uplinks.

    What another uplink has within such a prefix would win by its length: networkd adds a route
    to the gateway alone to what DHCP says. So the carrier needs the same.
    """
    near = seen.connected(chosen, family)
    found = {r.destination: r for r in near if _is_shared(r, chosen, memory)}
    for name in config.names():
        for other in seen.connected(name, family) if name != chosen else ():
            for prefix in list(found.values()):
                if _is_within(other.destination, prefix.destination):
                    found.setdefault(
                        other.destination, replace(prefix, destination=other.destination)
                    )
    return list(found.values())


def _is_within(inner: str, outer: str) -> bool:
    address, _, length = inner.partition("/")
    return contains(outer, address) and int(length) > int(outer.partition("/")[2])


def followers(config: Config, seen: Observation, memory: Memory, family: int) -> list[Address]:
    """Return the addresses that the carrier must have on behalf of lost uplinks."""
    chosen = memory.carrier(family)
    if not chosen or not config.follow_addresses:
        return []
    there = {one.address for one in seen.addresses if one.interface == chosen and not one.ours}
    result = {}
    for kept in memory.kept:
        standing = memory.standing(kept.interface, family)
        lost = standing is not None and standing.verdict != "up"
        if kept.family != family or kept.interface == chosen or kept.address in there or not lost:
            continue
        if is_local_to(seen, chosen, family, kept.address):
            result[kept.address] = _moved(kept, chosen, seen.now)
    return list(result.values())


def _moved(kept: Kept, chosen: str, now: int) -> Address:
    left = FOREVER if not kept.expires else max((kept.expires - now) // 1000, 1)
    if kept.family == 4:
        return Address(chosen, 4, kept.address, 32, ours=True, preferred=left, valid=left)
    # Deprecated: old connections go on, new ones choose the uplink's own (RFC 6724, rule 3).
    return Address(chosen, 6, kept.address, 128, ours=True, preferred=0, valid=left)


def _differs(config: Config, seen: Observation, memory: Memory, family: int) -> bool:
    """Tell whether the kernel, left alone, would use another uplink, now or on its return."""
    chosen = memory.carrier(family)
    names = config.names()
    for rank, name in enumerate(names):
        standing = memory.standing(name, family)
        lost = standing is not None and standing.is_lost
        first = rank < names.index(chosen)
        if lost and (first or _is_finer(config, seen, memory, name, family)):
            return True
    alive = [route for route in seen.defaults(family) if not route.linkdown]
    best = [route.interface for route in alive if route.metric == alive[0].metric]
    return any(name != chosen and name in names for name in best)


def _is_finer(config: Config, seen: Observation, memory: Memory, name: str, family: int) -> bool:
    """Tell whether a standby has a longer prefix within the carrier's LAN than the carrier.

    A standby from DHCP has a route to the router alone. While nobody answers there, a carrier
    without one would not reach the router, nor a name server on it.
    """
    chosen = memory.carrier(family)
    theirs = {route.destination for route in seen.connected(name, family)}
    theirs.difference_update(route.destination for route in seen.connected(chosen, family))
    lan = _on_lan(config, seen, memory, chosen, family)
    return any(route.destination in theirs for route in lan)


def _is_shared(route: Route, chosen: str, memory: Memory) -> bool:
    return any(
        kept.interface != chosen
        and kept.family == route.family
        and contains(route.destination, kept.address)
        for kept in memory.kept
    )


def _metrics(config: Config, seen: Observation, after: Memory) -> list[Change]:
    """Give connected routes their uplink's metric where networkd forgot it.

    Up to systemd 252 it does for static addresses when it is restarted
    (github.com/systemd/systemd/issues/25843). With 0, uplinks on one LAN are alike to the kernel,
    and no override of ours comes before them. What is alone on its LAN is left as it is. The
    carrier is last, so that its LAN stays with it. IPv6 has 256 then, which overrides come before.
    """
    chosen = after.carrier(4)
    order = [one for one in reversed(config.uplinks) if one.interface != chosen]
    order += [one for one in config.uplinks if one.interface == chosen]
    return [
        SetMetric(one.interface, address.address, address.length, one.metric)
        for one in order
        for address in seen.own_addresses(one.interface, 4)
        if address.metric == 0 != one.metric and _is_on_shared_lan(config, seen, address)
    ]


def _is_on_shared_lan(config: Config, seen: Observation, address: Address) -> bool:
    """Tell whether an address's own connected route has metric 0, and another uplink that LAN."""
    lan = [
        route.destination
        for route in seen.connected(address.interface, 4)
        if (route.protocol, route.source, route.metric) == (KERNEL, address.address, 0)
        and contains(route.destination, address.address)
        and route.destination.endswith(f"/{address.length}")
    ]
    return any(
        route.destination in lan
        for name in config.names()
        if name != address.interface
        for route in seen.connected(name, 4)
    )


def _settings(config: Config, seen: Observation) -> list[Change]:
    found = {sysctl.key: sysctl.setting for sysctl in seen.sysctls}
    return [
        SetSysctl(setting)
        for name in config.names()
        for setting in wanted(name)
        if found.get(setting.key, setting.setting) != setting.setting
    ]


def _announcements(seen: Observation, before: Memory, after: Memory) -> list[Change]:
    known = {answer.address: answer.interface for answer in before.answers}
    result: list[Change] = []
    for answer in after.answers:
        link = seen.link(answer.interface)
        if not link or known.get(answer.address) == answer.interface:
            continue
        way_out = seen.way_out(answer.interface, answer.family)
        gateway = way_out.gateway if way_out else ""
        result.append(Announce(answer.interface, answer.family, answer.address, link.mac, gateway))
    return result


def _endings(config: Config, before: Memory, after: Memory) -> list[Change]:
    known = {answer.address: answer.interface for answer in before.answers}
    return [
        EndFlows(answer.family, answer.address)
        for answer in after.answers
        if config.end_flows and not answer.interface and known.get(answer.address)
    ]


def _forgettings(config: Config, seen: Observation, after: Memory) -> list[Change]:
    """Forget what standbys know of the carrier's LAN, and what waits on lost uplinks."""
    idle = [name for name in config.names() if name not in map(after.carrier, FAMILIES)]
    own = [address.address for address in seen.own_addresses(after.carrier(4), 4)]
    return [
        Forget(name)
        for name in idle
        if (name in seen.resolved and any(is_local_to(seen, name, 4, one) for one in own))
        or (name in seen.waiting and not _is_well(after, name))
    ]


def _is_well(after: Memory, name: str) -> bool:
    return any(one.interface == name and one.verdict == "up" for one in after.standings)


def _place(route: Route) -> tuple[object, ...]:
    """Name the place a route takes in the table; IPv6 keeps one for each interface."""
    where = route.interface if route.family == 6 else ""
    return route.family, route.destination, route.metric, where


def _form(route: Route) -> tuple[object, ...]:
    return (*_place(route), route.interface, route.gateway, route.source, route.onlink, route.mtu)
