"""Ask for routers (RFC 4861, 6.3.7) where an uplink has lost its IPv6 gateway, and not its link.

systemd-networkd gives an advertised route a nexthop of its own since version 256, and the kernel
removes those with the carrier, routes and all (nh_netdev_event() in net/ipv4/nexthop.c). networkd,
which ignores that loss for us, asks no router again, so until one next advertises itself, half an
hour later at worst (section 6.2.1), the uplink would be without a gateway. The answer is networkd's
to hear, whoever asked.
"""

from __future__ import annotations

import struct
from _socket import (
    AF_INET6,
    IPPROTO_ICMPV6,
    IPPROTO_IPV6,
    IPV6_MULTICAST_HOPS,
    SO_BINDTODEVICE,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)

from netfail_hooks.config import Config
from netfail_hooks.kernel.announce import SOURCE_LINK, link_option
from netfail_hooks.policy.facts import Link, Observation
from netfail_hooks.policy.health import NO_GATEWAY, unusable_reason
from netfail_hooks.policy.state import State

_ROUTERS = "ff02::2"
_SOLICITATION = 133
_HOPS = 255  # a router drops one of fewer (section 6.1.1)


def missed(config: Config, observed: Observation, state: State) -> list[Link]:
    """Return the links of uplinks that had an IPv6 gateway since boot, and lack just that."""
    result = []
    for uplink in config.uplinks:
        known = state.uplink_state(uplink.interface, 6)
        link = observed.link(uplink.interface)
        had = known is not None and known.state != "absent"
        if had and link and unusable_reason(observed, uplink.interface, 6) == NO_GATEWAY:
            result.append(link)
    return result


def ask(link: Link) -> None:
    """Ask all routers of a link to advertise themselves. Raises OSError."""
    mac = bytes.fromhex(link.mac.replace(":", ""))
    option = link_option(SOURCE_LINK, mac) if len(mac) == 6 else b""
    question = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + option
    wire = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6)
    try:
        wire.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, link.name.encode() + b"\0")
        wire.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, _HOPS)
        wire.sendto(question, (_ROUTERS, 0, 0, link.index))
    finally:
        wire.close()
