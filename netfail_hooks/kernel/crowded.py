"""Ask the kernel for less, where routes, addresses or neighbours are too many to read them all.

Its own filters leave out what is not the uplinks' (netlink(7), NETLINK_GET_STRICT_CHK): to pass
over a route costs the kernel a tenth of what it costs to tell of it, and us nothing. Loaded only
where there is much.
"""

from __future__ import annotations

import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.heard import listen
from netfail_hooks.kernel.netlink import dumped, parted, table_request
from netfail_hooks.policy.facts import MAIN
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NDA_IFINDEX = 8  # linux/neighbour.h
_FIB_MATCH = 0x2000  # RTM_F_FIB_MATCH: the route that leads to an address, not that address
# IANA has given 4000::/3 to nobody: however much of the internet a table has, no route but a
# default one leads there. It is looked up, nothing is sent.
NOWHERE = "4000::1"


def routes(
    netlink: rt.Netlink,
    indexes: Iterable[int],
    where: tuple[int, int],
    first: list[bytes],
) -> list[bytes]:
    """Return the routes of the uplinks, and the default ones of others that come before them.

    ``where`` is a family and a table, ``first`` are the first of its routes: IPv4's default ones
    among them, as its table is walked by destination, from 0.0.0.0 on (fib_table_dump() in
    net/ipv4/fib_trie.c). IPv6's come last (fib6_walk_continue() in net/ipv6/ip6_fib.c): so the
    kernel is asked for the one that it would take.
    """
    _listen(netlink)
    wanted = tuple(indexes)
    bodies = [body for body in first if not body[1]]
    if where == (6, MAIN):
        bodies += _default_of_others(netlink, wanted)
    for index in wanted:
        by_interface = table_request(*where) + rt.number(rt.RTA_OIF, index)
        bodies += dumped(netlink, rt.GETROUTE, by_interface)
    return list(dict.fromkeys(bodies))  # each once: one of several hops is several uplinks'


def addresses(netlink: rt.Netlink, indexes: Iterable[int]) -> list[bytes]:
    """Return the addresses of the uplinks."""
    _listen(netlink)
    bodies = []
    for index in indexes:
        bodies += dumped(netlink, rt.GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, index))
    return bodies


def neighbours(netlink: rt.Netlink, request: bytes, indexes: Iterable[int]) -> list[bytes]:
    """Return the neighbours of some interfaces."""
    _listen(netlink)
    bodies = []
    for index in indexes:
        bodies += dumped(netlink, rt.GETNEIGH, request + rt.number(_NDA_IFINDEX, index))
    return bodies


def _listen(netlink: rt.Netlink) -> None:
    """Hear of changes from now on: where there are none, nobody has to look a second time."""
    if netlink.heard is None:
        netlink.heard = listen()


def leads_to(netlink: rt.Netlink, family: int, address: str) -> bytes | None:
    """Return the route by which the kernel would reach an address now; None for none."""
    packed = rt.packed(family, address)
    request = struct.pack(
        "=BBBBBBBBI", rt.FAMILIES[family], 8 * len(packed), 0, 0, 0, 0, 0, 0, _FIB_MATCH
    )
    try:
        return netlink.get(rt.GETROUTE, request + rt.attribute(rt.RTA_DST, packed))
    except rt.NetlinkError:
        return None


def _default_of_others(netlink: rt.Netlink, indexes: tuple[int, ...]) -> list[bytes]:
    """Return IPv6's default route if the one that the kernel would take is no uplink's."""
    body = leads_to(netlink, 6, NOWHERE)
    if body is None or body[1]:
        return []
    attributes = rt.attributes(body, 12)
    hops = {rt.whole(attributes.get(rt.RTA_OIF)), *(index for index, _, _ in parted(attributes))}
    of_others = hops.isdisjoint(indexes)
    return [body] if of_others and rt.whole(attributes.get(rt.RTA_TABLE)) == MAIN else []
