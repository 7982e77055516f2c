"""The network around the throw-away host: routers, a neighbour, and a socket for each uplink.

``lan`` is the routers' network namespace: a bridge a segment, a far address that each of them
reaches, and an empty bridge where a port goes to lose its gateway while its link stays up.
``station`` is another host on the first segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FAR = "198.51.100.1"  # RFC 5737, a documentation address
FAR6 = "2001:db8:ffff::1"  # RFC 3849
STATION = "192.168.1.7"
STATION6 = "fd00:1::7"
_HOST_PARTS = (252, *range(25, 64))
_FIRST_PORT = 1000  # a port's index minus its uplink's; see connect()


@dataclass(frozen=True)
class Port:
    """An uplink of the host: its name, its place in the list, and the segment it is in."""

    name: str
    rank: int
    segment: int = 0

    @property
    def peer(self) -> str:
        """Return the name of the other end of its cable, in ``lan``."""
        return f"port{self.rank}"

    @property
    def host(self) -> str:
        """Return its IPv4 address, as how-to's files give it (.252 and .25)."""
        return f"{network(self.segment)}.{_HOST_PARTS[self.rank]}"

    @property
    def host6(self) -> str:
        """Return its IPv6 address."""
        return f"{network6(self.segment)}::{_HOST_PARTS[self.rank]}"

    @property
    def mac(self) -> str:
        """Return its fixed hardware address: an adapter plugged in again is the same one."""
        return f"02:00:00:00:00:{self.rank + 16:02x}"


def network(segment: int) -> str:
    """Return the first three numbers of a segment's /24."""
    return "192.168.1" if segment == 0 else f"10.0.{segment}"


def network6(segment: int) -> str:
    """Return the first part of a segment's /64."""
    return "fd00:1" if segment == 0 else f"fd00:10:{segment}"


def gateway(segment: int) -> str:
    """Return the IPv4 address of a segment's router."""
    return f"{network(segment)}.1"


def gateway6(segment: int) -> str:
    """Return the IPv6 address of a segment's router."""
    return f"{network6(segment)}::1"


def build(ports: Sequence[Port], *, dad: bool) -> str:
    """Return the shell commands that build it all, run in the host's network namespace."""
    segments = sorted({0, *(port.segment for port in ports)})
    lines = [
        _host_settings(dad=dad),
        "ip link set lo up",
        surroundings(segments),
        *(line for port in ports for line in connect(port, index=0)),
    ]
    return "\n".join(lines)


def surroundings(segments: Sequence[int]) -> str:
    """Return the shell commands for all but the host and its cables."""
    lines = [
        "ip netns add lan; ip netns add station",
        'in_lan() { ip netns exec lan sh -c "$1"; }',
        f"in_lan '{_router_settings()}'",
        "ip -n lan link set lo up; ip -n station link set lo up",
        "ip -n lan link add dead type bridge mcast_snooping 0",
        "in_lan 'printf 1 >/proc/sys/net/ipv6/conf/dead/disable_ipv6'",
        "ip -n lan link set dead up",
        f"ip -n lan address add {FAR}/32 dev lo; ip -n lan address add {FAR6}/128 dev lo nodad",
        *(line for segment in segments for line in _segment(segment)),
        *_station(),
    ]
    return "\n".join(lines)


def connect(port: Port, *, index: int) -> list[str]:
    """Return the commands that plug an adapter in: a new device, down, its cable in.

    ``index`` counts how often it was plugged in. The two ends get different interface numbers:
    the kernel reports a carrier at once only where a device's number is not its peer's
    (``linkwatch_urgent_event()`` in net/core/link_watch.c), else up to a second late.
    """
    number = 10 + port.rank + len(_HOST_PARTS) * index
    device = f"{port.name} index {number} address {port.mac}"
    peer = f"{port.peer} index {_FIRST_PORT + number} netns lan"
    return [
        f"ip link add {device} type veth peer name {peer}",
        f"ip -n lan link set {port.peer} addrgenmode none master lan{port.segment} up",
    ]


def _segment(segment: int) -> list[str]:
    """Return the commands for one bridge with its router.

    Its hardware address is fixed: a bridge otherwise takes its lowest port's, which leaves
    with the port.
    """
    name = f"lan{segment}"
    mac = f"02:00:00:00:01:{segment:02x}"
    return [
        f"ip -n lan link add {name} address {mac} type bridge mcast_snooping 0",
        f"ip -n lan address add {gateway(segment)}/24 dev {name}",
        f"ip -n lan address add {gateway6(segment)}/64 dev {name} nodad",
        f"ip -n lan link set {name} up",
    ]


def _station() -> list[str]:
    peer = "port-station index 900 netns lan"
    return [
        f"ip -n station link add station0 index 2 type veth peer name {peer}",
        "ip -n lan link set port-station addrgenmode none master lan0 up",
        f"ip -n station address add {STATION}/24 dev station0",
        f"ip -n station address add {STATION6}/64 dev station0 nodad",
        "ip -n station link set station0 up",
        f"ip -n station route add default via {gateway(0)}",
        f"ip -n station route add default via {gateway6(0)}",
    ]


def _router_settings() -> str:
    """Return the settings of ``lan``. ``arp_ignore=1``: a port that has left the LAN must not
    get an answer for the router's address (the kernel's weak host model).
    """  # noqa: D205 - one thought
    values = {
        "ipv4/ip_forward": 1,
        "ipv6/conf/all/forwarding": 1,
        "ipv6/conf/default/accept_dad": 0,
        "ipv4/conf/all/arp_ignore": 1,
        "ipv4/conf/all/rp_filter": 0,
        "ipv4/conf/default/rp_filter": 0,
    }
    return "; ".join(f"printf {value} >/proc/sys/net/{key}" for key, value in values.items())


def _host_settings(*, dad: bool) -> str:
    """Return the settings of the host before it has an interface: the kernel's own defaults.

    A new network namespace inherits the machine's IPv4 settings, our own among them perhaps
    (``devconf_inherit_init_net`` in the kernel's Documentation/admin-guide/sysctl/net.rst).
    Without duplicate address detection an IPv6 address serves at once instead of after a second.
    """
    names = (
        "ignore_routes_with_linkdown",
        "arp_ignore",
        "arp_announce",
        "arp_filter",
        "rp_filter",
        "arp_notify",
        "arp_accept",
        "forwarding",
    )
    lines = [
        f"printf 0 >/proc/sys/net/ipv4/conf/{which}/{name}"
        for which in ("all", "default")
        for name in names
    ]
    lines.append(f"printf {int(dad)} >/proc/sys/net/ipv6/conf/default/accept_dad")
    return "\n".join(lines)
