"""The kernel's IPv4 neighbours, and why a standby uplink must not know any.

Where the kernel has to resolve a neighbour first, it broadcasts an ARP request whose sender is
the address of the packet that waits (ip-sysctl.rst, ``arp_announce`` 0). So when the traffic
moves to an uplink that knows no neighbour, the first packet itself tells the LAN where its
address is now, in less than a millisecond, long before any hook can start.
"""

from __future__ import annotations

import struct
from _socket import AF_INET

from netfail_hooks import rtnetlink as rt
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/neighbour.h: struct ndmsg; REACHABLE, STALE, DELAY and PROBE have a hardware address
# that was learnt; PERMANENT and NOARP are somebody's will.
_NDMSG, _NDA_DST = "=BBHiHBB", 1
_LEARNT = 0x02 | 0x04 | 0x08 | 0x10


def resolved(netlink: rt.Netlink) -> set[int]:
    """Return the indexes of the interfaces on which a neighbour's address was learnt."""
    return {index for index, _ in _learnt(netlink)}


def forget(netlink: rt.Netlink, index: int) -> None:
    """Make the kernel forget what it learnt on an interface. Raises OSError."""
    for where, address in list(_learnt(netlink)):
        if where == index:
            body = struct.pack(_NDMSG, AF_INET, 0, 0, index, 0, 0, 0)
            netlink.change(rt.DELNEIGH, 0, body + rt.attribute(_NDA_DST, address))


def _learnt(netlink: rt.Netlink) -> Iterator[tuple[int, bytes]]:
    for body in netlink.dump(rt.GETNEIGH, struct.pack(_NDMSG, AF_INET, 0, 0, 0, 0, 0, 0)):
        _, _, _, index, state, _, _ = struct.unpack_from(_NDMSG, body)
        if state & _LEARNT:
            yield index, rt.attributes(body, 12)[_NDA_DST]
