"""Ask the kernel which way it would send a packet. Nothing is sent."""

from __future__ import annotations

import struct
from socket import if_indextoname

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.values import value

# Where nobody named a target: an address that can only lie beyond the gateway. It is looked
# up in our own routing table and gets no packet.
_ANYWHERE = {4: "1.1.1.1", 6: "2606:4700:4700::1111"}
_BITS = {4: 32, 6: 128}
# linux/rtnetlink.h
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7


@value
class RouteLookup:
    """How the kernel would reach ``destination``: out of which interface, from what address."""

    destination: str
    interface: str
    gateway: str
    source: str


def destination(config: Config, family: int) -> str:
    """Return a real destination beyond the gateway: a configured target's, where there is one."""
    targets = (target for uplink in config.uplinks for target in uplink.targets)
    named = next((target.address for target in targets if target.family == family), "")
    return named or _ANYWHERE[family]


def look_up(netlink: rt.Netlink, family: int, address: str) -> RouteLookup | None:
    """Return the kernel's answer (RTM_GETROUTE, rtnetlink(7)), None where it has no way."""
    header = struct.pack("=BBBBBBBBI", rt.FAMILIES[family], _BITS[family], 0, 0, 0, 0, 0, 0, 0)
    body = header + rt.attribute(_RTA_DST, rt.packed(family, address))
    try:
        answer = netlink.get(rt.GETROUTE, body)
    except rt.NetlinkError:
        return None  # ENETUNREACH, EHOSTUNREACH, or whatever an unreachable route was given
    kind = answer[7]
    found = rt.attributes(answer, 12)
    if kind != rt.UNICAST:
        return None
    return RouteLookup(
        destination=address,
        interface=if_indextoname(rt.whole(found.get(_RTA_OIF))),
        gateway=rt.text(family, found.get(_RTA_GATEWAY)),
        source=rt.text(family, found.get(_RTA_PREFSRC)),
    )
