"""The kernel's neighbours, and which of them are in the way of a failover.

A standby must not know any IPv4 neighbour: where the kernel has to resolve one first, it
broadcasts an ARP request whose sender is the address of the packet that waits (ip-sysctl.rst,
``arp_announce`` 0). So when the traffic moves to it, the first packet itself tells the LAN
where its address is now, in less than a millisecond, long before any hook can start.

On a lost uplink packets must not wait for a neighbour: the kernel holds them for three seconds
(ip-sysctl.rst, ``mcast_solicit``), and TCP sends nothing again that is still being held.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_UNSPEC

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/neighbour.h: struct ndmsg; REACHABLE, STALE, DELAY and PROBE have a hardware address
# that was learnt; PERMANENT and NOARP are somebody's will.
_NDMSG, _NDA_DST = "=BBHiHBB", 1
_INCOMPLETE, _LEARNT = 0x01, 0x02 | 0x04 | 0x08 | 0x10


def in_the_way(netlink: rt.Netlink) -> tuple[set[int], set[int]]:
    """Return the interfaces on which an IPv4 neighbour was learnt, and where packets wait."""
    learnt, waiting = set(), set()
    for family, index, state, _ in _neighbours(netlink):
        if state & _INCOMPLETE:
            waiting.add(index)
        elif family == AF_INET:
            learnt.add(index)
    return learnt, waiting


def forget(netlink: rt.Netlink, index: int) -> None:
    """Make the kernel forget those of an interface; what waits is dropped. Raises OSError."""
    for family, where, state, address in list(_neighbours(netlink)):
        if where == index and (family == AF_INET or state & _INCOMPLETE):
            body = struct.pack(_NDMSG, family, 0, 0, index, 0, 0, 0)
            netlink.change(rt.DELNEIGH, 0, body + rt.attribute(_NDA_DST, address))


def _neighbours(netlink: rt.Netlink) -> Iterator[tuple[int, int, int, bytes]]:
    for body in netlink.dump(rt.GETNEIGH, struct.pack(_NDMSG, AF_UNSPEC, 0, 0, 0, 0, 0, 0)):
        family, _, _, index, state, _, _ = struct.unpack_from(_NDMSG, body)
        if state & (_LEARNT | _INCOMPLETE):
            yield family, index, state, rt.attributes(body, 12)[_NDA_DST]
