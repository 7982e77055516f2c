"""systemd-networkd, as far as it moves routes and addresses of uplinks that we set up."""

from __future__ import annotations

from dataclasses import dataclass

from netfail_hooks.policy.facts import NO_ROUTE, Address, Route
from netfail_hooks.values import replace
from tools.model.kernel import Kernel

LEASE = 3_600_000  # ms
CROWDED = 600_000  # ms that an unwanted address lives
KINDS = {4: ("", "static", "dhcp", "raw", "twin"), 6: ("", "static", "ra", "raw", "twin")}
_PROTOCOLS = {"static": 4, "raw": 4, "twin": 4, "dhcp": 16, "ra": 9}  # linux/rtnetlink.h
_KERNEL = 2


@dataclass(slots=True)
class Net:
    """What one uplink gets in one family: from its file, a DHCP server, or a router."""

    name: str
    family: int
    kind: str
    lan: int
    host: int
    metric: int
    served: bool = True  # the server answers; the router calls itself one
    more: int = 0  # routes beside the default one: a bit each, see ``extras``

    @property
    def prefix(self) -> str:
        """Return the LAN's prefix."""
        return f"192.168.{self.lan}.0/24" if self.family == 4 else f"fd00:{self.lan}::/64"

    @property
    def gateway(self) -> str:
        """Return the router; its advertisements come from a link-local address.

        A raw-ip modem has none: all is said to be on its link.
        """
        if self.kind == "raw":
            return ""
        if self.kind == "ra":
            return "fe80::1"
        return self.host_at(1)

    @property
    def routers(self) -> tuple[str, ...]:
        """Return all routers of its link: of one metric, each in use."""
        return (self.gateway, self.host_at(2)) if self.kind == "twin" else (self.gateway,)

    @property
    def address(self) -> str:
        """Return this host's own address."""
        return self.host_at(self.host)

    def extras(self) -> list[Route]:
        """Return its routes beside the default one."""
        far = "203.0.113.9/32" if self.family == 4 else "2001:db8:53::9/128"
        wide = "10.50.0.0/16" if self.family == 4 else "fd50::/16"
        near = "10.60.0.0/16" if self.family == 4 else "fd60::/16"
        own = Route(
            self.name, self.family, far, self.metric, self.gateway, protocol=_PROTOCOLS[self.kind]
        )
        routes = {
            1: own,  # a name server's, from DHCP
            2: replace(own, destination=wide, gateway=self.host_at(7)),  # a second router's
            4: replace(own, destination=near, gateway=""),  # on the link
            8: replace(own, destination="default", table=self.table),
        }
        metric = (0 if self.family == 4 else 20) if self.more & 16 else self.metric
        return [replace(r, metric=metric) for bit, r in routes.items() if self.more & bit]

    @property
    def table(self) -> int:
        """Return the number of the user's own table for this uplink."""
        return 1000 + self.metric

    def host_at(self, number: int) -> str:
        """Return the address of a host of the LAN."""
        head = f"192.168.{self.lan}." if self.family == 4 else f"fd00:{self.lan}::"
        return f"{head}{number}"


class Networkd:
    """It acts when told to: events and timers are the model's business."""

    def __init__(self, kernel: Kernel, nets: list[Net]) -> None:
        self._kernel = kernel
        self.nets = nets

    def of(self, name: str) -> list[Net]:
        """Return what an uplink gets."""
        return [net for net in self.nets if net.name == name and net.kind]

    def configure(self, name: str, now: int) -> None:
        """Bring an uplink to what its file says; what is there already is added again."""
        nic = self._kernel.nics.get(name)
        if nic is None or not nic.up:
            return
        for net in self.of(name):
            if net.kind == "static" or (self._kernel.has_carrier(name) and net.served):
                self._add(net, now)

    def _add(self, net: Net, now: int) -> None:
        end = 0 if net.kind == "static" else now + LEASE
        length = 24 if net.family == 4 else 64
        source = ""
        metric = net.metric if net.family == 4 else NO_ROUTE
        self._kernel.set_metric((net.name, net.address, length), metric)
        own = Address(net.name, net.family, net.address, length, metric=metric)
        self._kernel.add_address(own, end)
        if net.family == 4:
            source = net.address
            for other in self._sharing(net):
                if other is not net:
                    self._kernel.add_address(Address(net.name, 4, other.address, 32, shared=True))
        protocol = _PROTOCOLS[net.kind]
        connected = Route(
            net.name,
            net.family,
            net.prefix,
            net.metric,
            source=source,
            protocol=9 if net.kind == "ra" else _KERNEL,
        )
        self._put(connected)
        if net.kind == "dhcp":
            self._put(replace(connected, destination=f"{net.gateway}/32", protocol=protocol))
        shared = self._sharing(net)
        if net.family == 4 and len(shared) > 1:
            source = shared[0].address
        for gateway in net.routers:
            self._put(
                Route(
                    net.name,
                    net.family,
                    "default",
                    net.metric,
                    gateway,
                    source=source,
                    protocol=protocol,
                )
            )

        for route in net.extras():
            self._put(route)

    def crowd(self, net: Net, now: int, much: int) -> None:
        """Add so many addresses and prefixes that somebody advertised."""
        for number in range(much):
            prefix = f"fd77:{number % 7}:{number}::"
            address = f"{prefix}{net.host}"
            self._kernel.add_address(
                Address(net.name, 6, address, 64, metric=NO_ROUTE), now + CROWDED
            )
            self._put(Route(net.name, 6, f"{prefix}/64", net.metric, protocol=9))

    def restart(self) -> None:
        """Start again, as up to systemd 252: of static IPv4 addresses the metric is forgotten."""
        for net in self.nets:
            if (net.family, net.kind) == (4, "static"):
                self._kernel.set_metric((net.name, net.address, 24), 0)

    def _sharing(self, net: Net) -> list[Net]:
        """Return the uplinks whose static IPv4 addresses our files share (networkd/sharing.py)."""
        if (net.family, net.kind) != (4, "static"):
            return []
        return [
            other
            for other in self.nets
            if (other.family, other.kind, other.lan) == (4, "static", net.lan)
        ]

    def _put(self, route: Route) -> None:
        place = (
            route.interface,
            route.family,
            route.table,
            route.destination,
            route.metric,
            route.gateway,
        )
        self._kernel.routes = [
            r
            for r in self._kernel.routes
            if (r.interface, r.family, r.table, r.destination, r.metric, r.gateway) != place
            or r.ours
        ]
        self._kernel.routes.append(route)

    def reconfigure(self, name: str) -> None:
        """Drop all that an uplink has, our routes too, as ``networkctl reconfigure`` begins."""
        self._kernel.routes = [route for route in self._kernel.routes if route.interface != name]
        for address, _ in list(self._kernel.addresses):
            if address.interface == name:
                self._kernel.drop_address(address)

    def expire(self, now: int) -> None:
        """Let leases go that ended, and addresses of ours whose lifetime is over."""
        for address, end in self._kernel.addresses:
            for net in self.nets if end and end <= now else ():
                if (net.name, net.address) == (address.interface, address.address):
                    self.lose_lease(net)
        crowded = {(a.interface, a.address) for a, _ in self._kernel.addresses if _is_unwanted(a)}
        self._kernel.expire(now)
        left = {(a.interface, a.address) for a, _ in self._kernel.addresses if _is_unwanted(a)}
        gone = {(name, f"{text.partition('::')[0]}::/64") for name, text in crowded - left}
        self._kernel.routes = [
            r for r in self._kernel.routes if (r.interface, r.destination) not in gone or r.ours
        ]

    def lose_lease(self, net: Net) -> None:
        """Drop what a DHCP server gave or a router advertised."""
        interface_family = (net.name, net.family)
        self._kernel.routes = [
            r for r in self._kernel.routes if (r.interface, r.family) != interface_family or r.ours
        ]
        for address, _ in list(self._kernel.addresses):
            key = (address.interface, address.family, address.address)
            if key == (*interface_family, net.address) and not address.ours:
                self._kernel.drop_address(address)

    def lose_router(self, net: Net) -> None:
        """Drop the default route alone: a router's lifetime of zero (RFC 4861, 4.2)."""
        self._kernel.routes = [
            r
            for r in self._kernel.routes
            if (r.interface, r.family, r.destination) != (net.name, net.family, "default") or r.ours
        ]


def _is_unwanted(address: Address) -> bool:
    """Tell whether somebody else advertised an address's prefix (``crowd``)."""
    return address.address.startswith("fd77:") and not address.ours
