"""Ask the kernel by which route it would send a packet. Nothing is sent."""

from __future__ import annotations

import struct
from socket import if_indextoname

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.observe import routes_of
from netfail_hooks.policy.facts import PROTOCOL, Route
from netfail_hooks.values import value

# Looked up where no target is configured: addresses that can only lie beyond the gateway. They
# are looked up in our own routing tables and get no packet.
_ANYWHERE = {4: "1.1.1.1", 6: "2606:4700:4700::1111"}
_BITS = {4: 32, 6: 128}


@value
class RouteLookup:
    """How the kernel would reach ``destination``: out of which interface, from what address."""

    destination: str
    interface: str
    gateway: str
    source: str


def destination(config: Config, family: int) -> str:
    """Return a real destination beyond the gateway: a configured target, where there is one."""
    targets = (target for uplink in config.uplinks for target in uplink.targets)
    addresses = (target.address for target in targets if target.family == family)
    named = next(filter(None, addresses), "")
    return named or _ANYWHERE[family]


def look_up(netlink: rt.Netlink, family: int, address: str, source: str = "") -> RouteLookup | None:
    """Return the kernel's answer (RTM_GETROUTE, rtnetlink(7)), None where it has no route.

    It heeds the policy rules as well: those may send packets with ``source`` elsewhere.
    """
    bits = _BITS[family]
    header = struct.pack(
        "=BBBBBBBBI", rt.FAMILIES[family], bits, bits if source else 0, 0, 0, 0, 0, 0, 0
    )
    body = header + rt.attribute(rt.RTA_DST, rt.packed(family, address))
    if source:
        body += rt.attribute(rt.RTA_SRC, rt.packed(family, source))
    try:
        answer = netlink.get(rt.GETROUTE, body)
    except rt.NetlinkError:
        return None  # ENETUNREACH, EHOSTUNREACH, or whatever an unreachable route was given
    kind = answer[7]
    attributes = rt.attributes(answer, 12)
    if kind != rt.UNICAST:
        return None
    return RouteLookup(
        destination=address,
        interface=if_indextoname(rt.whole(attributes.get(rt.RTA_OIF))),
        gateway=rt.router(attributes),
        source=rt.text(family, attributes.get(rt.RTA_PREFSRC)),
    )


def everywhere(netlink: rt.Netlink) -> list[Route]:
    """Return our routes in all tables, also those that no rule looks up any more.

    Their interfaces are "#" and a number.
    """
    result: list[Route] = []
    for family, kind in rt.FAMILIES.items():
        request = struct.pack("=BBBBBBBBI", kind, 0, 0, 0, 0, PROTOCOL, 0, 0, 0)
        attributes = (rt.attributes(body, 12) for body in rt.dumped(netlink, rt.GETROUTE, request))
        tables = dict.fromkeys(rt.whole(route.get(rt.RTA_TABLE)) for route in attributes)
        for table in tables:
            routes, _ = routes_of(netlink, {}, family, table)
            result += [route for route in routes if route.ours]
    return result
