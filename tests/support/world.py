"""A model of a machine: what the kernel would show us, and what our changes would do to it."""

from __future__ import annotations

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy import decide, next_state
from netfail_hooks.policy.changes import (
    AddAddress,
    AddEndpoint,
    AddRule,
    Change,
    DropAddress,
    DropEndpoint,
    DropRoute,
    DropRule,
    FlushNeighbours,
    LimitSubflows,
    MarkEndpoint,
    SetRoute,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
)
from netfail_hooks.policy.facts import (
    MAIN,
    Address,
    Endpoint,
    Link,
    Neighbour,
    Observation,
    Result,
    Route,
    Rule,
    Sysctl,
)
from netfail_hooks.policy.state import State
from netfail_hooks.policy.sysctls import wanted
from netfail_hooks.values import replace

STATES = ("routable", "no-carrier", "off", "missing", "degraded")
SECOND = 1000


def config_of(*names: str, hold_down: int = 10, **more: int) -> Config:
    return Config(uplinks=default_metrics(names), hold_down=hold_down, **more)  # type: ignore[arg-type]


class World:
    """Uplinks on one LAN (or, where named in ``apart``, each on its own), and our routes."""

    def __init__(
        self,
        config: Config,
        *,
        apart: tuple[str, ...] = (),
        families: tuple[int, ...] = FAMILIES,
        broken: tuple[str, ...] = (),
        shares: bool = False,
    ) -> None:
        self.config = config
        self.apart = apart
        self.families = families
        self.shares = shares  # the .network files give every uplink all IPv4 addresses
        self.resolved: set[str] = set()
        self.waiting: set[str] = set()
        self.neighbours: list[Neighbour] = []
        self.watches = -1  # 1 for a kernel that can
        self.no_local: tuple[str, ...] = ()
        self.endpoints: list[Endpoint] = []
        self.subflows = 2
        self.now = 1_000_000
        self.states = dict.fromkeys(config.names(), "routable")
        self.losses = dict.fromkeys(config.names(), 0)
        self.routes: list[Route] = []
        self.tables: list[Route] = []  # in other tables than main
        self.rules: list[Rule] = []
        self.theirs: list[Route] = []  # routes of uplinks beside networkd's usual ones
        self.addresses: list[Address] = []
        self.sysctls = {s.key: s.setting for name in config.names() for s in wanted(name)}
        self.sysctls.update(dict.fromkeys(broken, "0"))
        self.finer: dict[str, list[str]] = {}  # more connected routes, as DHCP brings
        self.sick: set[str] = set()  # link up, nothing behind it
        self.state = State()
        self.done: tuple[Change, ...] = ()
        self.trail: list[Change] = []

    def subnet(self, name: str, family: int) -> str:
        rank = self.config.names().index(name) if name in self.apart else 0
        return f"192.168.{rank + 1}." if family == 4 else f"fd00:{rank + 1}::"

    def address(self, name: str, family: int) -> str:
        return f"{self.subnet(name, family)}{50 + self.config.names().index(name)}"

    def event(self, name: str, state: str) -> None:
        """Bring an uplink into a state, as the kernel would, our routes with it."""
        if self.states[name] == "routable" and state in ("no-carrier", "off", "missing"):
            self.losses[name] += 1
        if state in ("off", "missing"):
            self.routes = [r for r in self.routes if r.interface != name]
            self.addresses = [a for a in self.addresses if a.interface != name]
        self.states[name] = state
        if state != "routable":
            self.neighbours = [one for one in self.neighbours if one.interface != name]

    def look(self) -> Observation:
        present = [name for name in self.states if self.states[name] != "missing"]
        return Observation(
            now=self.now,
            links=tuple(self._link(name) for name in present),
            addresses=(*(a for name in present for a in self._own(name)), *self.addresses),
            routes=(*(r for name in present for r in self._networkds(name)), *self._ours()),
            sysctls=tuple(Sysctl(key, setting) for key, setting in self.sysctls.items()),
            resolved=tuple(sorted(self.resolved)),
            waiting=tuple(sorted(self.waiting)),
            rules=tuple(self.rules),
            tables=tuple(self.tables),
            ruled=1,
            neighbours=tuple(self.neighbours),
            watches=self.watches,
            no_local=self.no_local,
            endpoints=tuple(self.endpoints),
            subflows=self.subflows,
        )

    def results(self) -> tuple[Result, ...]:
        """Return what a round of probes would bring now."""
        return tuple(
            Result(name, family, name not in self.sick, 1, 400, "mute" if name in self.sick else "")
            for name, state in self.states.items()
            for family in self.families
            if state == "routable"
        )

    def reconcile(self, *, probe: bool = True) -> tuple[Change, ...]:
        """Run the pure core once and make its changes, one by one."""
        observed = self.look()
        if probe:
            observed = replace(observed, probes=self.results())
        after = next_state(self.config, observed, self.state)
        self.done = decide(self.config, observed, self.state, after)
        self.state = after
        for change in self.done:
            self.make(change)
        return self.done

    def make(self, change: Change) -> None:
        match change:
            case AddRule() | DropRule():
                self._make_rule(change)
            case SetRoute(route) | DropRoute(route) if route.table != MAIN:
                tables = [r for r in self.tables if r != route]
                self.tables = [*tables, route] if isinstance(change, SetRoute) else tables
            case SetRoute(route):
                self.routes = [r for r in self.routes if not _same_place(r, route)] + [route]
            case DropRoute(route):
                gone = (route.interface, route.family, route.destination, route.metric)
                self.routes = [
                    r
                    for r in self.routes
                    if (r.interface, r.family, r.destination, r.metric) != gone
                ]
            case AddAddress(address):
                self.addresses.append(address)
            case DropAddress(address):
                self.addresses = [a for a in self.addresses if a != address]
            case SetSysctl(sysctl):
                self.sysctls[sysctl.key] = sysctl.setting
            case FlushNeighbours() | WatchGateway() | UnwatchGateway():
                self._make_neighbour(change)
            case _:
                self._make_endpoint(change)
        self.trail.append(change)

    def _make_neighbour(self, change: FlushNeighbours | WatchGateway | UnwatchGateway) -> None:
        match change:
            case FlushNeighbours(interface):
                self.resolved.discard(interface)
                self.waiting.discard(interface)
            case WatchGateway(neighbour):
                self.neighbours.append(neighbour)
            case UnwatchGateway(neighbour):
                self.neighbours.remove(neighbour)

    def _make_endpoint(self, change: Change) -> None:
        match change:
            case LimitSubflows(subflows):
                self.subflows = subflows
            case AddEndpoint(one) | MarkEndpoint(one) | DropEndpoint(one):
                kept = [other for other in self.endpoints if other.number != one.number]
                self.endpoints = kept if isinstance(change, DropEndpoint) else [*kept, one]

    def _make_rule(self, change: AddRule | DropRule) -> None:
        rules = [one for one in self.rules if one != change.rule]
        self.rules = [*rules, change.rule] if isinstance(change, AddRule) else rules

    def way(self, family: int = 4) -> str:
        """Return the uplink that the kernel would send by, "" for none."""
        observed = self.look()
        alive = [
            r
            for r in observed.routes
            if r.family == family and r.destination == "default" and not r.linkdown
        ]
        return min(alive, key=lambda r: r.metric).interface if alive else ""

    def _link(self, name: str) -> Link:
        state = self.states[name]
        index = self.config.names().index(name) + 2
        carrier = state in ("routable", "degraded")
        mac = f"02:00:00:00:00:{index:02x}"
        return Link(name, index, state != "off", carrier, self.losses[name], mac)

    def _own(self, name: str) -> list[Address]:
        kept = {"routable": FAMILIES, "no-carrier": FAMILIES, "off": (4,)}
        families = [f for f in self.families if f in kept.get(self.states[name], ())]
        own = [Address(name, f, self.address(name, f), 24 if f == 4 else 64) for f in families]
        return own + self._shared(name)

    def _shared(self, name: str) -> list[Address]:
        """Return the other uplinks' IPv4 addresses on the same LAN, which stay when ours go."""
        return [
            Address(name, 4, self.address(other, 4), 32, shared=True)
            for other in self.config.names()
            if self.shares and 4 in self.families and other != name
            if self.subnet(name, 4) == self.subnet(other, 4)
        ]

    def _networkds(self, name: str) -> list[Route]:
        state = self.states[name]
        if state == "off":
            return []
        metric = next(u.metric for u in self.config.uplinks if u.interface == name)
        found = []
        for family in self.families:
            subnet = self.subnet(name, family)
            prefix = subnet + ("0/24" if family == 4 else "/64")
            down = state == "no-carrier"
            if state != "degraded":
                source = self.address(name, family) if family == 4 else ""  # IPv6 has none
                kernel = Route(name, family, prefix, metric, source=source, protocol=2)
                found.append(replace(kernel, linkdown=down))
            finer = self.finer.get(name, []) if family == 4 else []
            found += [Route(name, 4, one, metric, protocol=16, linkdown=down) for one in finer]
            gateway = subnet + "1"
            found += [
                replace(r, linkdown=down)
                for r in self.theirs
                if (r.interface, r.family) == (name, family)
            ]
            found.append(Route(name, family, "default", metric, gateway, protocol=4, linkdown=down))
        return found

    def _ours(self) -> list[Route]:
        return [replace(r, linkdown=self.states[r.interface] == "no-carrier") for r in self.routes]


def _same_place(one: Route, other: Route) -> bool:
    return (one.family, one.destination, one.metric) == (
        other.family,
        other.destination,
        other.metric,
    )
