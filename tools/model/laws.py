"""What must hold after a whole run, and where everything ends that is left alone."""

from __future__ import annotations

from netfail_hooks.config import DISABLE, USE
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.changes import (
    AddAddress,
    AddEndpoint,
    AddRule,
    Announce,
    Change,
    CloseConnections,
    DropAddress,
    DropEndpoint,
    DropRoute,
    DropRule,
    MarkEndpoint,
    SetMetric,
    SetRoute,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
)
from netfail_hooks.policy.crowd import LEARNT
from netfail_hooks.policy.facts import MAIN, OWN_TABLES, PROTOCOL, Observation
from netfail_hooks.policy.multipath import MOST, NUMBERS
from netfail_hooks.policy.sources import ADDRESSES as SOURCES
from netfail_hooks.policy.state import Crowded, parse, render
from netfail_hooks.values import replace
from tools.model.ghost import BrokenError, is_time
from tools.model.machine import VIRTUAL, Machine
from tools.model.networkd import Net


def allowed(machine: Machine, change: Change) -> None:
    """Raise BrokenError where a change touches what isn't ours, or a foreign interface."""
    _allowed_endpoint(change)
    match change:
        case SetRoute(route) if route.interface not in machine.config.names():
            raise BrokenError(f"I6: no uplink: {change}")
        case SetRoute(route) | DropRoute(route) if route.protocol != PROTOCOL:
            raise BrokenError(f"I6: not ours: {change}")
        case AddAddress(address) | DropAddress(address) if not address.ours:
            raise BrokenError(f"I6: not ours: {change}")
        case AddRule(rule) | DropRule(rule) if rule.protocol != PROTOCOL:
            raise BrokenError(f"I6: not ours: {change}")
        case AddAddress(address) if is_virtual(machine, address.address):
            raise BrokenError(f"I11: somebody else's: {change}")
        case Announce(_, _, address) | CloseConnections(_, address) if is_virtual(machine, address):
            raise BrokenError(f"I11: somebody else's: {change}")
        case UnwatchGateway(neighbour) if not neighbour.ours:
            raise BrokenError(f"I6: not ours: {change}")
        case WatchGateway(neighbour) if replace(neighbour, ours=False) in machine.kernel.neighbours:
            raise BrokenError(f"I11: its address is fixed: {change}")
        case SetMetric(interface, address) if address not in {
            net.address for net in machine.networkd.of(interface) if net.kind == "static"
        }:
            raise BrokenError(f"I6: not networkd's: {change}")


def _allowed_endpoint(change: Change) -> None:
    match change:
        case AddEndpoint(one) | MarkEndpoint(one) if not (one.ours and one.number in NUMBERS):
            raise BrokenError(f"I6: not ours: {change}")
        case DropEndpoint(one) if not (one.ours or one.implicit):
            raise BrokenError(f"I6: not ours: {change}")


def counted(machine: Machine, observed: Observation) -> None:
    """Raise BrokenError where another sum is told of a metered uplink than it carried today.

    That is while it had the traffic, as far as it was the same adapter; what was kept comes back
    after a boot. ``observed`` is what the run saw whose state was saved last.
    """
    there = {count.interface: count.index for count in observed.counted}
    told = {one.interface: one for one in machine.state.metered}
    for name in (uplink.interface for uplink in machine.config.uplinks if uplink.metered):
        day, size = machine.carried.get(name, (observed.day, 0))
        size = size if day == observed.day else 0
        if name in there:
            flowed = machine.flowed.pop(name, 0)
            size += flowed if machine.counting.get(name) == there[name] else 0
            machine.counting[name] = there[name]
        machine.carried[name] = (observed.day, size)
        one = told.get(name)
        if (one.bytes if one else 0) != size or (one and one.day != observed.day):
            raise BrokenError(f"I13: {name} carried {size} today: {one}")


def is_virtual(machine: Machine, address: str) -> bool:
    """Tell whether an address is one that somebody like keepalived moves."""
    return address in {net.host_at(VIRTUAL) for net in machine.networkd.nets}


def bounded(machine: Machine, *, written: bool) -> None:
    """Raise BrokenError where the state grows, or does not survive being written."""
    state, names = machine.state, len(machine.config.names())
    sizes = (len(state.uplinks), len(state.known_addresses), len(state.owners), len(state.ways))
    crowd = LEARNT * names  # whatever somebody advertises
    most = (2 * names, 6 * names + crowd, 6 * names + crowd, 10 * names)
    if (
        len(state.active) != 2
        or len(state.multipath) > 1
        or any(s > m for s, m in zip(sizes, most, strict=True))
    ):
        raise BrokenError(f"I5: memory grows: {sizes}")
    if written and parse(render(state)) != state:
        raise BrokenError("I5: memory is not read as it was written")


def lan_follows(machine: Machine, family: int) -> None:
    """Raise BrokenError where a lost uplink's LAN or addresses don't follow the traffic."""
    chosen = machine.state.active_uplink(family)
    nets = {net.name: net for net in machine.networkd.nets if net.family == family and net.kind}
    if chosen not in nets or machine.ghost.of[chosen, family].bad:
        return
    here = nets[chosen]
    there = {a.address for a, _ in machine.kernel.addresses if a.interface == chosen}
    for name, net in nets.items():
        lost = machine.ghost.of[name, family].lost and not machine.ghost.may(name, family)
        if name == chosen or net.lan != here.lan or not lost:
            continue
        for host in {*here.routers, here.host_at(200)} - {"fe80::1"}:
            if machine.kernel.way(family, host) == name:
                raise BrokenError(f"I2: {host} is sent for by {name}, not by {chosen}")
        # Only a part of a crowd is looked at (policy/crowd.py): the rest may tell its LAN.
        crowded = Crowded(chosen, family) in machine.state.crowded
        follows = machine.config.follow_addresses and not crowded
        for known in machine.state.known_addresses if follows else ():
            own = (known.interface, known.family) == (name, family)
            if own and contains(here.prefix, known.address) and known.address not in there:
                raise BrokenError(f"I2: {known.address} of {name} doesn't follow to {chosen}")


def router_answers(machine: Machine, family: int) -> None:
    """Raise BrokenError where traffic goes by a router that was silent while another answered."""
    chosen = machine.state.active_uplink(family)
    silent = machine.ghost.silent.get((chosen, family), ())
    ways = [
        r
        for r in machine.kernel.routes
        if (r.interface, r.family, r.table, r.destination) == (chosen, family, MAIN, "default")
    ]
    best = [r for r in ways if r.metric == min(way.metric for way in ways)]
    bad = [r.gateway for r in best if r.gateway in silent]
    if bad and any(r.gateway not in silent for r in ways):
        raise BrokenError(f"I2: IPv{family} by the router {bad[0]} of {chosen}, which is silent")


def routes_follow(machine: Machine, family: int) -> None:
    """Raise BrokenError where a route by a lost uplink is left, or leads to the wrong router."""
    chosen = machine.state.active_uplink(family)
    nets = {net.name: net for net in machine.networkd.nets if net.family == family and net.kind}
    if chosen not in nets or machine.ghost.of[chosen, family].bad:
        return
    here = nets[chosen]
    for name, net in nets.items():
        lost = machine.ghost.of[name, family].lost and not machine.ghost.may(name, family)
        if name == chosen or not lost:
            continue
        for extra in net.extras():
            if not extra.gateway and net.lan != here.lan:
                continue  # neighbours behind the lost uplink: nobody else reaches them
            address = extra.destination.partition("/")[0].replace("default", "")
            used = machine.kernel.look_up(family, extra.table, address)
            if used and used.interface == name:
                raise BrokenError(f"I2: {extra.destination} of {name} is left on it")
            if not used or (used.interface, used.destination) != (chosen, extra.destination):
                continue
            others = [
                r
                for n in nets.values()
                if n.name != name
                for r in n.extras()
                if (r.table, r.destination) == (extra.table, extra.destination)
            ]
            near = net.lan == here.lan and _has(machine, here) and _has(machine, net)
            if near and not others and extra.gateway not in ("", used.gateway):
                raise BrokenError(f"I2: {extra.destination} by {used.gateway}: {extra.gateway}")


def _has(machine: Machine, net: Net) -> bool:
    """Tell whether it is known that an uplink has, or had, its address on its LAN."""
    return any(
        (known.interface, known.address) == (net.name, net.address)
        for known in machine.state.known_addresses
    )


def sources_stay(machine: Machine, family: int) -> None:
    """Raise BrokenError where what has a standby's address leaves by another subnet's uplink."""
    chosen = machine.state.active_uplink(family)
    nets = {net.name: net for net in machine.networkd.nets if net.family == family and net.kind}
    if machine.kernel.way(family, all_=True) not in machine.config.names():
        return  # somebody else's default route comes first: all goes there
    for name, net in nets.items():
        here = nets.get(chosen)
        if here is None or name == chosen or here.lan == net.lan or net.more & 8:
            continue
        observed = machine.kernel.look(machine.now)
        own = [a.address for a in observed.own_addresses(name, family)]
        ghost = machine.ghost
        must = ghost.must(name, family) or ghost.answers_badly(name, family)
        if not must or net.address not in own:
            continue
        if len(own) > SOURCES:
            continue  # a crowd may have been there before it
        far = "8.8.8.8" if family == 4 else "2001:db8::8"
        twins = [twin for twin, other in nets.items() if other.address == net.address]
        if (
            observed.connected(chosen, family)
            and machine.kernel.way(family, far, net.address) not in twins
        ):
            raise BrokenError(f"I2: what has {net.address} does not leave by {name}")


def foreign_first(machine: Machine, family: int) -> None:
    """Raise BrokenError where ours comes before somebody else's that precedes all uplinks."""
    uplinks = machine.config.names()
    first = machine.config.uplinks[0].metric
    for route in machine.kernel.routes:
        if route.family != family or route.ours or route.interface in uplinks:
            continue
        rivals = [
            r
            for r in machine.kernel.routes
            if (r.family, r.table, r.destination) == (route.family, route.table, route.destination)
        ]
        metrics = [r.metric for r in rivals if r.interface in uplinks and not r.ours]
        metrics += [
            r.metric
            for net in machine.networkd.nets
            if net.kind
            for r in net.extras()
            if (r.family, r.table, r.destination) == (route.family, route.table, route.destination)
        ]
        for own in rivals:
            if own.ours and own.metric <= route.metric < min([first, *metrics]):
                raise BrokenError(f"I11: {own} comes before {route}")


def gateways_are_watched(machine: Machine, family: int) -> None:
    """Raise BrokenError where a gateway that answers is not watched, or any other is."""
    chosen = machine.state.active_uplink(family)
    watched = {
        (one.interface, one.address)
        for one in machine.kernel.neighbours
        if one.ours and one.family == family
    }
    if strays := [one for one in watched if one[0] != chosen]:
        raise BrokenError(f"I9: watched off the active uplink, so its traffic comes here: {strays}")
    uplink = next((one for one in machine.config.uplinks if one.interface == chosen), None)
    judged = machine.state.uplink_state(chosen, family)
    if judged and judged.reason and not judged.is_poor and watched:
        raise BrokenError(f"I10: the kernel tells again and again of {watched}: {judged.reason}")
    if not (uplink and uplink.gateway and judged and not judged.reason):
        return
    routes = [
        r
        for r in machine.kernel.routes
        if (r.interface, r.family, r.table, r.destination) == (chosen, family, MAIN, "default")
        and not r.ours
    ]
    silent = machine.ghost.silent.get((chosen, family), ())
    fixed = {(one.interface, one.address) for one in machine.kernel.neighbours if not one.ours}
    for route in routes:
        first = route.metric == min(r.metric for r in routes)
        left_out = route.gateway in ("", *silent)
        if first and not left_out and (chosen, route.gateway) not in watched | fixed:
            raise BrokenError(f"I2: nobody watches {route.gateway} on {chosen}")


def endpoints_follow(machine: Machine, family: int) -> None:
    """Raise BrokenError where an endpoint of Multipath TCP is not as its uplink is."""
    ours = [one for one in machine.kernel.endpoints if one.ours and one.family == family]
    led_away = _is_led_away(machine, family)
    machine.marked |= bool(machine.state.multipath)
    if not machine.config.multipath_tcp or (led_away and not machine.crowded):
        if ours and machine.marked:
            raise BrokenError(f"I6: endpoints that nobody wants: {ours}")
        return
    chosen, homes = machine.state.active_uplink(family), _homes(machine, family)
    for endpoint in ours:
        at = homes.get(endpoint.address, set())
        if not at or endpoint.backup == (chosen in at):
            raise BrokenError(f"I2: {endpoint} of {at}, and traffic goes by {chosen}")
        if chosen not in at and not any(_serves(machine, name, family) for name in at):
            raise BrokenError(f"I3: {endpoint} of {at}, which does not serve")
    addresses = {address for address, at in homes.items() if chosen in at}
    theirs = {one.address for one in machine.kernel.endpoints if not one.ours}
    way = any(
        (r.interface, r.family, r.destination, r.table) == (chosen, family, "default", MAIN)
        and not r.ours
        for r in machine.kernel.routes
    )
    full = len(machine.kernel.endpoints) >= MOST or machine.crowded or led_away
    there = addresses & {one.address for one in ours}
    if way and addresses and not (there or full or addresses & theirs):
        raise BrokenError(f"I2: no endpoint of {chosen}, by which the traffic goes")


def _serves(machine: Machine, name: str, family: int) -> bool:
    ghost = machine.ghost
    return not ghost.is_bad(name, family) or ghost.answers_badly(name, family)


def _homes(machine: Machine, family: int) -> dict[str, set[str]]:
    """Return on which uplinks each address is that networkd set."""
    homes: dict[str, set[str]] = {}
    for address, _ in machine.kernel.addresses:
        if address.family == family and not (address.ours or address.foreign):
            homes.setdefault(address.address, set()).add(address.interface)
    return homes


def _is_led_away(machine: Machine, family: int) -> bool:
    """Tell whether somebody else's default route comes before those of all uplinks."""
    first = min(uplink.metric for uplink in machine.config.uplinks)
    return any(
        (r.family, r.table, r.destination) == (family, MAIN, "default")
        and r.interface not in machine.config.names()
        and r.metric < first
        for r in machine.kernel.routes
    )


def is_found(machine: Machine) -> None:
    """Raise BrokenError where whoever asks a LAN for an address of ours, or did, misses us (I9)."""
    lan, state = machine.lan, machine.state
    homes = {known.address: lan.of[known.interface] for known in state.known_addresses}
    for answer in state.owners:
        who, family, address = answer.interface, answer.family, answer.address
        if not who or homes.get(address) != lan.of[who] or not lan.hears(who, family):
            continue
        if not state.active_uplink(family):
            continue  # nobody has a way out: who answered last may not even have an address
        answerers = lan.answerers(lan.of[who], family, address)
        if lan.is_local(address) and (who not in answerers or (family == 4 and answerers != [who])):
            raise BrokenError(f"I9: {address} is answered for by {answerers}, not by {who} alone")
        believed = lan.beliefs.get((lan.of[who], address), who)
        lost = machine.ghost.is_bad(believed, family) and not lan.hears(believed, family)
        unknown = machine.ghost.is_bad(who, family)  # it works again, and nobody knows
        if lost and not unknown and (lan.of[who], address) not in lan.doubts:
            raise BrokenError(f"I9: the LAN believes {address} at {believed}, which is lost: {who}")


def still_found(machine: Machine, before: set[tuple[int, str]], change: Change) -> None:
    """Raise BrokenError where one falls silent before another answers."""
    if isinstance(change, SetSysctl) and (lost := before - machine.lan.found()):
        raise BrokenError(f"I9: nobody answers for {lost} after: {change}")


def ended(machine: Machine, observed: Observation) -> None:
    """Raise BrokenError where it all ended, after time enough, elsewhere than the truth asks."""
    for family in FAMILIES:
        right, way = _truth(machine, observed, family), machine.kernel.way(family)
        stays = _is_to_wait(machine, observed) and machine.ghost.may(way, family)
        if right not in ("", way) and not stays:
            raise BrokenError(f"I4: IPv{family} ends on {way}, not on {right}")
    moved_by_hand = machine.config.orders or _is_to_wait(machine, observed)
    if not (machine.sick or machine.silent or machine.poor or moved_by_hand) and all(
        _is_whole(machine, observed, net) for net in machine.networkd.nets
    ):
        routes = [
            str(SetRoute(route))
            for route in (*observed.routes, *observed.tables)
            if route.ours and route.table not in OWN_TABLES
        ]
        moved = [str(AddAddress(address)) for address in observed.addresses if address.ours]
        if routes or moved:
            raise BrokenError(f"I6: all is well, yet ours is {routes + moved}")


def _is_to_wait(machine: Machine, observed: Observation) -> bool:
    """Tell whether traffic may stay where it is; nothing has flown for long enough by now."""
    return machine.config.failback == "manual" or not is_time(machine.config, observed)


def _truth(machine: Machine, observed: Observation, family: int) -> str:
    """Return the uplink asked for by hand if it works, else the best that does, or has carrier."""
    bad = {
        name
        for name in machine.config.names()
        if (name, family) in machine.sick or machine.is_cut_off(name, family)
    }
    disabled = machine.config.ordered(DISABLE, machine.now)
    wanted = machine.config.ordered(USE, machine.now)
    ways = [
        uplink
        for uplink in machine.config.uplinks
        if machine.kernel.has_carrier(uplink.interface)
        and observed.default_route(uplink.interface, family)
    ]
    healthy = [
        uplink
        for uplink in ways
        if observed.all_addresses(uplink.interface, family)
        and uplink.interface not in disabled
        and not (uplink.interface in bad and machine.ghost.asks(observed, uplink.interface, family))
    ]
    measured = machine.config.uplinks[0].measured
    good = [
        u
        for u in healthy
        if not (measured and (u.interface, family) in machine.poor)
        or not machine.ghost.asks(observed, u.interface, family)
    ]
    if healthy and not good:
        return ""  # which of those that answer badly depends on where the traffic was
    names = [uplink.interface for uplink in good or ways]
    names.sort(key=disabled.__contains__)
    asked = [name for name in wanted if healthy and name in names]
    return next(iter([*asked, *names]), "")


def _is_whole(machine: Machine, observed: Observation, net: Net) -> bool:
    addressed = observed.all_addresses(net.name, net.family)
    default_route = observed.default_route(net.name, net.family)
    return not net.kind or bool(
        machine.kernel.has_carrier(net.name) and addressed and default_route
    )
