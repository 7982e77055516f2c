"""The kernel's tables, and what a change does to them: one by one, as netlink would do it."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from netfail_hooks.names import FAMILIES
from netfail_hooks.names import contains as lies_in
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
    FlushNeighbours,
    LimitSubflows,
    MarkEndpoint,
    SetMetric,
    SetRoute,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
)
from netfail_hooks.policy.facts import (
    FOREVER,
    KERNEL,
    MAIN,
    Address,
    Counted,
    Endpoint,
    Link,
    Neighbour,
    Observation,
    Route,
    Rule,
    Sysctl,
    Taken,
)
from netfail_hooks.policy.sysctls import ANSWERS, arp_ignore, timers, wanted
from netfail_hooks.values import replace

_USUAL = "30000"  # a NIC that was just plugged in has the kernel's own timers


@dataclass(slots=True)
class Nic:
    """A network interface; what it is plugged into outlives it."""

    index: int
    up: bool = True
    losses: int = 0


class Kernel:
    """Uplinks' interfaces, addresses (each with its end, 0 for never) and routes."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.nics = {name: Nic(index) for index, name in enumerate(names, start=2)}
        self.cables = dict.fromkeys(names, True)
        self.addresses: list[tuple[Address, int]] = []
        self.routes: list[Route] = []  # of all tables; of other people's too
        self.rules: list[Rule] = []  # but the kernel's own
        self.sysctls = {s.key: s.setting for name in names for s in wanted(name)}
        self.sysctls |= dict.fromkeys(map(arp_ignore, names), ANSWERS)
        self.sysctls |= {s.key: s.setting for s in timers("on", names)}
        self.neighbours: list[Neighbour] = []  # that are kept asked, or fixed
        self.endpoints: list[Endpoint] = []  # of Multipath TCP
        self.subflows = 2
        self.resolved: set[str] = set()
        self.waiting: set[str] = set()
        # Whether the config has a use for them:
        self.counts = self.tells_hour = self.tells_day = False
        self._carried = dict.fromkeys(names, 0)

    # What happens to links

    def carry(self, name: str, size: int) -> None:
        """Count bytes that an interface has received or sent; a new one begins at none."""
        self._carried[name] += size

    def has_carrier(self, name: str) -> bool:
        """Tell whether packets can leave by an interface."""
        nic = self.nics.get(name)
        return nic is not None and nic.up and self.cables[name]

    def plug(self, name: str, *, cable: bool) -> None:
        """Put the cable in or pull it; routes stay, marked ``linkdown``."""
        self._count(name, self.cables[name] and not cable)
        self.cables[name] = cable
        self._flush(name)

    def switch(self, name: str, *, up: bool) -> None:
        """Set a link up or down: down, it loses its routes and its IPv6 addresses."""
        nic = self.nics.get(name)
        if nic is None or nic.up == up:
            return
        self._count(name, not up)
        nic.up = up
        self._flush(name)
        if not up:
            self.routes = [route for route in self.routes if route.interface != name]
            for address, _ in list(self.addresses):
                if address.interface == name and address.family == 6:
                    self.drop_address(address)

    def remove(self, name: str) -> None:
        """Take an interface out of the machine."""
        if self.nics.pop(name, None):
            self._flush(name)
            self.routes = [route for route in self.routes if route.interface != name]
            for address, _ in list(self.addresses):
                if address.interface == name:
                    self.drop_address(address)

    def insert(self, name: str) -> None:
        """Put an interface into the machine again: another number, no memory of losses."""
        if name not in self.nics:
            self.nics[name] = Nic(max((n.index for n in self.nics.values()), default=1) + 1)
            self.sysctls[arp_ignore(name)] = ANSWERS
            self.sysctls |= {s.key: _USUAL for s in timers("on", (name,)) if name in s.key}

    def expire(self, now: int) -> None:
        """Let addresses go whose lifetime is over."""
        for address, end in list(self.addresses):
            if end and end <= now:
                self.drop_address(address)

    def _flush(self, name: str) -> None:
        """Forget the neighbours of an interface without carrier (neigh_carrier_down())."""
        if not self.has_carrier(name):
            self.resolved.discard(name)
            self.waiting.discard(name)
            self.neighbours = [one for one in self.neighbours if one.interface != name]

    def _count(self, name: str, lost: bool) -> None:  # noqa: FBT001 - one question
        if lost and self.has_carrier(name):
            self.nics[name].losses += 1

    # What we and networkd do

    def add_address(self, address: Address, end: int = 0) -> None:
        """Add an address or renew its lifetime (NLM_F_REPLACE)."""
        if address.interface not in self.nics:
            raise OSError(errno.ENODEV, "no such device")
        if address.family == 6 and not self.nics[address.interface].up:
            return  # the kernel takes it and forgets it at once
        self.addresses = [
            (a, e) for a, e in self.addresses if _same_address(a) != _same_address(address)
        ]
        self.addresses.append((address, end))

    def drop_address(self, gone: Address) -> None:
        """Drop an address and its prefix; IPv4 routes with a source that is gone go too."""
        key = _same_address(gone)
        self.addresses = [(a, e) for a, e in self.addresses if _same_address(a) != key]
        self.routes = [route for route in self.routes if not _is_prefix_of(route, gone)]
        if gone.family == 4 and not self._is_local(gone.address):
            self.routes = [route for route in self.routes if route.source != gone.address]

    def set_metric(self, key: tuple[str, str, int], metric: int) -> None:
        """Give an address, and the connected route that the kernel made for it, a metric."""
        for at, (held, end) in enumerate(self.addresses):
            if (
                held.interface,
                held.address,
                held.length,
            ) != key or held.metric < 0:
                continue
            self.addresses[at] = (replace(held, metric=metric), end)
            own = (held.interface, held.address, KERNEL, held.metric)
            self.routes = [
                replace(r, metric=metric)
                if (r.interface, r.source, r.protocol, r.metric) == own
                else r
                for r in self.routes
            ]

    def set_route(self, route: Route) -> None:
        """Add a route in a place that is free (NLM_F_EXCL), or before IPv4's without a metric."""
        self._refuse(route)
        place = _place(route)
        if route.metric == 0 and route.family == 4:
            self.lead(route)
        elif any(_place(other) == place for other in self.routes):
            raise OSError(errno.EEXIST, "file exists")
        else:
            self.routes.append(replace(route, linkdown=False))

    def lead(self, route: Route) -> None:
        """Add a route ahead of those of its metric (install/diversion.py), and in place of none."""
        self._refuse(route)
        self.routes.insert(0, replace(route, linkdown=False))

    def drop_route(self, route: Route) -> None:
        """Drop the one route that all of this fits."""
        for other in self.routes:
            if replace(other, linkdown=False) == replace(route, linkdown=False):
                self.routes.remove(other)
                return
        raise OSError(errno.ESRCH, "no such route")

    def _refuse(self, route: Route) -> None:
        nic = self.nics.get(route.interface)
        if nic is None:
            raise OSError(errno.ENODEV, "no such device")
        if not nic.up:
            raise OSError(errno.ENETDOWN, "network is down")
        if route.source and not self._is_local(route.source):
            raise OSError(errno.EINVAL, "no such source address")
        if route.gateway and not route.onlink and not route.gateway.startswith("fe80:"):
            near = any(
                other.family == route.family
                and other.interface == route.interface
                and other.table == MAIN
                and not other.gateway
                and other.destination != "default"
                and lies_in(other.destination, route.gateway)
                for other in self.routes
            )
            if not near:
                raise OSError(errno.ENETUNREACH, "nexthop has invalid gateway")

    def _is_local(self, address: str) -> bool:
        return any(a.address == address for a, _ in self.addresses)

    def make(self, change: Change, now: int) -> None:
        """Make one of our changes. Raises OSError where the kernel would refuse."""
        match change:
            case SetRoute() | DropRoute():
                make = self.set_route if isinstance(change, SetRoute) else self.drop_route
                make(change.route)
            case AddRule() | DropRule():
                self._make_rule(change)
            case AddAddress(address):
                self.add_address(
                    address, 0 if address.valid == FOREVER else now + address.valid * 1000
                )
            case DropAddress(address):
                self.drop_address(address)
            case SetMetric(interface, address, length, metric):
                self.set_metric((interface, address, length), metric)
            case SetSysctl(sysctl):
                self.sysctls[sysctl.key] = sysctl.setting
            case FlushNeighbours() | WatchGateway() | UnwatchGateway():
                self._make_neighbour(change)
            case AddEndpoint() | MarkEndpoint() | DropEndpoint() | LimitSubflows():
                self._make_endpoint(change)
            case Announce() | CloseConnections():
                pass
            case _:
                raise AssertionError(f"not a change of this mode: {change}")

    def _make_neighbour(self, change: FlushNeighbours | WatchGateway | UnwatchGateway) -> None:
        match change:
            case FlushNeighbours(interface):
                self.resolved.discard(interface)
                self.waiting.discard(interface)
                self.neighbours = [
                    one
                    for one in self.neighbours
                    if (one.interface, one.family, one.ours) != (interface, 4, True)
                ]
            case WatchGateway(neighbour):
                if neighbour.interface not in self.nics:
                    raise OSError(errno.ENODEV, "no such device")
                self.neighbours = [one for one in self.neighbours if one != neighbour]
                self.neighbours.append(neighbour)
            case UnwatchGateway(neighbour):
                if neighbour not in self.neighbours:
                    raise OSError(errno.ENOENT, "no such neighbour")
                self.neighbours.remove(neighbour)

    def _make_endpoint(
        self, change: AddEndpoint | MarkEndpoint | DropEndpoint | LimitSubflows
    ) -> None:
        """Do as net/mptcp/pm_kernel.c: an address and a number are there once, and 8 in all."""
        if isinstance(change, LimitSubflows):
            self.subflows = change.subflows
            return
        wanted = change.endpoint
        there = [one for one in self.endpoints if one.address == wanted.address]
        match change:
            case AddEndpoint():
                if len(self.endpoints) >= 8:
                    raise OSError(errno.ERANGE, "too many")
                if any(one.number == wanted.number for one in self.endpoints):
                    raise OSError(errno.EBUSY, "its number is taken")
                if there:
                    implicit = there[0].implicit
                    raise OSError(errno.EINVAL if implicit else errno.EEXIST, "it is there")
                self.endpoints.append(wanted)
            case MarkEndpoint():
                if not there:
                    raise OSError(errno.EINVAL, "no such endpoint")
                at = self.endpoints.index(there[0])
                self.endpoints[at] = replace(there[0], backup=wanted.backup)
            case DropEndpoint():
                if wanted not in self.endpoints:
                    raise OSError(errno.ENOENT, "no such endpoint")
                self.endpoints.remove(wanted)

    def _make_rule(self, change: AddRule | DropRule) -> None:
        if isinstance(change, DropRule):
            self.rules.remove(change.rule)
        elif change.rule in self.rules:
            raise OSError(errno.EEXIST, "file exists")
        else:
            self.rules.append(change.rule)

    # What it shows

    def look(self, now: int) -> Observation:
        """Return all that we would see."""
        links = tuple(
            Link(name, nic.index, nic.up, self.has_carrier(name), nic.losses, f"02::{nic.index}")
            for name, nic in ((n, self.nics[n]) for n in self.names if n in self.nics)
        )
        shown = [
            self.shown(route)
            for family in FAMILIES
            for route in self.routes
            if route.family == family
        ]
        known = [route for route in shown if route.interface in self.cables or route.ours]
        looked_up = {(rule.family, rule.table) for rule in self.rules}
        return Observation(
            now=now,
            links=links,
            addresses=tuple(_shown(address, end, now) for address, end in self.addresses),
            routes=tuple(
                route
                for route in shown
                if route.table == MAIN and (route in known or route.destination == "default")
            ),
            sysctls=tuple(
                Sysctl(key, setting)
                for key, setting in self.sysctls.items()
                if key.split("/")[2] in (*self.nics, "default")
            ),
            resolved=tuple(sorted(self.resolved & self.nics.keys())),
            waiting=tuple(sorted(self.waiting & self.nics.keys())),
            rules=tuple(self.rules),
            ruled=1,
            neighbours=tuple(self.neighbours),
            watches=1,
            local=now // 1000 % 86400 if self.tells_hour else -1,
            day=self.day(now) if self.tells_day else 0,
            counted=tuple(
                Counted(name, self.nics[name].index, self._carried[name])
                for name in (self.names if self.counts else ())
                if name in self.nics
            ),
            endpoints=tuple(self.endpoints),
            subflows=self.subflows,
            tables=tuple(
                route
                for route in known
                if route.table != MAIN and (route.family, route.table) in looked_up
            ),
            taken=tuple(
                Taken(route.family, route.destination, route.metric, route.table)
                for route in shown
                if route not in known and (route.table != MAIN or route.destination != "default")
            ),
        )

    @staticmethod
    def day(now: int) -> int:
        """Return which day it is, as a number that grows."""
        return 20260101 + now // 86_400_000

    def shown(self, route: Route) -> Route:
        """Return a route with the mark that the kernel puts on those without carrier."""
        if route.interface not in self.cables or self.has_carrier(route.interface):
            return route
        return replace(route, linkdown=True)

    def way(self, family: int, address: str = "", source: str = "", *, all_: bool = False) -> str:
        """Return the uplink that the kernel would send by, "" for none.

        ``all_``: also where that is no uplink, but somebody else's interface.
        """
        route = self.route(family, address, source, all_=all_)
        return route.interface if route else ""

    def route(
        self, family: int, address: str = "", source: str = "", *, all_: bool = False
    ) -> Route | None:
        """Return the route that the kernel would send by: rule by rule (ip-rule(8))."""
        main = Rule(family, 32766, MAIN)
        for rule in sorted([*self.rules, main], key=lambda rule: rule.priority):
            if rule.family != family or (rule.sender and rule.sender.partition("/")[0] != source):
                continue
            if answer := self.look_up(family, rule.table, address, all_=all_, whole=rule.whole):
                return answer
        return None

    def look_up(
        self, family: int, table: int, address: str = "", *, all_: bool = False, whole: bool = True
    ) -> Route | None:
        """Return the best route of a table: the most precise, then the least metric."""
        best, rank = None, (-1, 0)
        for route in self.routes:
            if (route.family, route.table) != (family, table):
                continue
            if not all_ and route.interface not in self.cables:
                continue
            length = -1
            if route.destination != "default":
                if not address or not lies_in(route.destination, address):
                    continue
                length = int(route.destination.partition("/")[2])
            elif not whole:
                continue
            key = (-length, route.metric)
            dead = route.interface in self.cables and not self.has_carrier(route.interface)
            if not dead and (best is None or key < rank):
                best, rank = route, key
        return best


def _place(route: Route) -> tuple[object, ...]:
    return route.family, route.table, route.destination, route.metric


def _same_address(address: Address) -> tuple[object, ...]:
    """An interface has an address once for IPv6, once for each length for IPv4."""
    length = address.length if address.family == 4 else 0
    return address.interface, address.address, length


def _is_prefix_of(route: Route, address: Address) -> bool:
    return (
        (route.interface, route.family) == (address.interface, address.family)
        and route.destination.endswith(f"/{address.length}")
        and not (route.gateway or route.ours)
        and lies_in(route.destination, address.address)
    )


def _shown(address: Address, end: int, now: int) -> Address:
    if not end:
        return address
    left = max((end - now) // 1000, 0)
    return replace(address, valid=left, preferred=min(address.preferred, left))
