"""A simulated machine: what the kernel would show for a list of events. Pure.

All uplinks are on one LAN, with both families; our changes take effect in it.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import (
    AddAddress,
    Change,
    DropAddress,
    DropRoute,
    SetRoute,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
)
from netfail_hooks.policy.facts import Address, Link, Neighbour, Observation, Result, Route, Sysctl
from netfail_hooks.policy.health import can_ask
from netfail_hooks.policy.sysctls import ANSWERS, arp_ignore, wanted
from netfail_hooks.replay.events import DEAD
from netfail_hooks.values import replace

_PREFIX = {4: "192.168.1.0/24", 6: "fd00:1::/64"}
_GATEWAY = {4: "192.168.1.1", 6: "fd00:1::1"}
_ADDRESS = {4: "192.168.1.{}", 6: "fd00:1::{}"}
_FIRST_HOST = 50
_KERNEL, _STATIC = 2, 4  # route protocols, linux/rtnetlink.h

_GONE = ("missing", "linger")
_NO_CARRIER = ("no-carrier", "off", "dormant")
_LINK_LOCAL = ("degraded", "carrier")  # no address but a link-local one
# States that say how far networkd is, not how the link is: nothing moves.
_AS_BEFORE = (
    "configuring",
    "degraded-carrier",
    "enslaved",
    "failed",
    "initialized",
    "pending",
    "unmanaged",
)


class Simulated:
    """Uplinks, each in a state, and the routes and addresses of our own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._states = dict.fromkeys(config.names(), "routable")
        self._losses = dict.fromkeys(config.names(), 0)
        self._routes: list[Route] = []
        self._neighbours: list[Neighbour] = []
        self._addresses: list[Address] = []
        self._sysctls = {s.key: s.setting for name in config.names() for s in wanted(name)}
        self._sysctls |= dict.fromkeys(map(arp_ignore, config.names()), ANSWERS)
        self.now = 0

    def enter(self, interface: str, state: str) -> None:
        """Bring an uplink into a state."""
        if state in _AS_BEFORE:
            return
        if self._has_carrier(interface) and (state in _NO_CARRIER or state in _GONE):
            self._losses[interface] += 1
        self._states[interface] = state
        if not self._has_carrier(interface):
            self._neighbours = [one for one in self._neighbours if one.interface != interface]
        if state in _GONE or state == "off":
            self._routes = [r for r in self._routes if r.interface != interface]
            self._addresses = [a for a in self._addresses if a.interface != interface]

    def observe(self) -> Observation:
        """Return what the kernel would show."""
        names = [name for name, state in self._states.items() if state not in _GONE]
        ours = [replace(r, linkdown=not self._has_carrier(r.interface)) for r in self._routes]
        return Observation(
            now=self.now,
            links=tuple(self._link(name) for name in names),
            addresses=(*(a for name in names for a in self._own(name)), *self._addresses),
            routes=(*(r for name in names for r in self._networkds(name)), *ours),
            ruled=1,
            neighbours=tuple(self._neighbours),
            watches=1,
            sysctls=tuple(
                Sysctl(key, setting)
                for key, setting in self._sysctls.items()
                if key.split("/")[2] in names
            ),
        )

    def probes(self) -> tuple[Result, ...]:
        """Return what a round of probes would bring."""
        observed = self.observe()
        return tuple(
            Result(uplink.interface, family, True, 1, 500, "")  # noqa: FBT003 - healthy
            if self._states[uplink.interface] != DEAD
            else Result(
                uplink.interface,
                family,
                False,  # noqa: FBT003
                uplink.failures,
                0,
                f"no answer from gateway {_GATEWAY[family]}",
            )
            for uplink in self._config.uplinks
            for family in FAMILIES
            if self._own(uplink.interface) and self._has_carrier(uplink.interface)
            if can_ask(uplink, observed, family)
        )

    def make(self, change: Change) -> None:
        """Let one of our changes take effect."""
        match change:
            case SetRoute(route):
                self._drop(route)
                self._routes.append(route)
            case DropRoute(route):
                self._drop(route)
            case AddAddress(address):
                self._addresses.append(address)
            case SetSysctl(sysctl):
                self._sysctls[sysctl.key] = sysctl.setting
            case WatchGateway(neighbour):
                self._neighbours.append(neighbour)
            case UnwatchGateway(neighbour):
                self._neighbours.remove(neighbour)
            case DropAddress(address):
                self._addresses = [a for a in self._addresses if a != address]

    def _drop(self, route: Route) -> None:
        self._routes = [r for r in self._routes if _place(r) != _place(route)]

    def _has_carrier(self, name: str) -> bool:
        return self._states[name] not in (*_NO_CARRIER, *_GONE)

    def _link(self, name: str) -> Link:
        index = self._config.names().index(name) + 2
        carrier, up = self._has_carrier(name), self._states[name] != "off"
        mac = f"02:00:00:00:00:{index:02x}"
        return Link(name, index, up, carrier, self._losses[name], mac)

    def _own(self, name: str) -> list[Address]:
        """Return networkd's addresses: a downed link keeps only its IPv4 ones (ip-link(8))."""
        state = self._states[name]
        if state in (*_GONE, *_LINK_LOCAL):
            return []
        host = _FIRST_HOST + self._config.names().index(name)
        four = Address(name, 4, _ADDRESS[4].format(host), 24)
        return [four] if state == "off" else [four, Address(name, 6, _ADDRESS[6].format(host), 64)]

    def _networkds(self, name: str) -> list[Route]:
        if self._states[name] == "off" or not self._own(name):
            return []
        metric = next(u.metric for u in self._config.uplinks if u.interface == name)
        down = not self._has_carrier(name)
        return [
            route
            for family in FAMILIES
            for route in (
                Route(name, family, _PREFIX[family], metric, protocol=_KERNEL, linkdown=down),
                Route(
                    name,
                    family,
                    "default",
                    metric,
                    _GATEWAY[family],
                    protocol=_STATIC,
                    linkdown=down,
                ),
            )
        ]


def _place(route: Route) -> tuple[object, ...]:
    return route.family, route.destination, route.metric
