"""Gateways that the kernel keeps asking, marked as ours: read, set and taken away.

The entry has our protocol number (NDA_PROTOCOL, as ``ip neigh`` shows it: "managed proto 157"), so
nobody else's is ever taken for one of ours, and the filter of ``kernel/ear.py`` knows it by that.
"""

from __future__ import annotations

import os
import struct
import time

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import PROTOCOL, Neighbour
from netfail_hooks.policy.watch import RELEASE
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# linux/neighbour.h
_NDMSG = "=BBHiHBB"
NDA_DST, NDA_PROTOCOL, NDA_FLAGS_EXT, NTF_EXT_MANAGED, _PERMANENT = 1, 12, 15, 1, 0x80
_NDA_CACHEINFO = 3
_REACHABLE = 0x02
_OURS = struct.pack("=HHB", 5, NDA_PROTOCOL, PROTOCOL)
_MANAGED = struct.pack("=HHI", 8, NDA_FLAGS_EXT, NTF_EXT_MANAGED)


def can_watch() -> bool:
    """Tell whether the kernel keeps asking, and as often as we say.

    One that does not know the flag ignores it, so its release has to tell.
    """
    major, _, rest = os.uname().release.partition(".")
    minor = rest[:2] if rest[:2].isdigit() else rest[:1]
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= RELEASE


def kept(bodies: Iterable[bytes], names: dict[int, str]) -> tuple[Neighbour, ...]:
    """Return the neighbours that are kept asked, or fixed; those of others on uplinks alone.

    An interface that is no uplink is "#" and its number.
    """
    result = []
    for body in bodies:
        managed = _MANAGED in body
        if not (managed or body[8] & _PERMANENT):  # the low byte of ndm_state
            continue
        kind, _, _, index, state, _, _ = struct.unpack_from(_NDMSG, body)
        family = rt.FAMILY_NUMBERS.get(kind)
        ours = managed and _OURS in body
        if family and (ours or (index in names and (managed or state & _PERMANENT))):
            name = names.get(index, f"#{index}")
            address = rt.text(family, rt.attributes(body, 12)[NDA_DST])
            result.append(Neighbour(name, family, address, ours))
    return tuple(result)


def watch(netlink: rt.Netlink, neighbour: Neighbour, index: int) -> None:
    """Have the kernel keep asking; what it knows of that neighbour stays. Raises NetlinkError."""
    body = _body(neighbour, index)
    body += rt.number(NDA_FLAGS_EXT, NTF_EXT_MANAGED) + rt.attribute(
        NDA_PROTOCOL, bytes([PROTOCOL])
    )
    netlink.change(rt.NEWNEIGH, rt.F_CREATE | rt.F_REPLACE, body)


def unwatch(netlink: rt.Netlink, neighbour: Neighbour, index: int) -> None:
    """Have it ask no more, and forget that neighbour. Raises NetlinkError."""
    netlink.change(rt.DELNEIGH, 0, _body(neighbour, index))


def answered(netlink: rt.Netlink, neighbour: Neighbour, index: int, since: float) -> bool:
    """Tell whether a neighbour that we have the kernel ask has answered it (monotonic seconds).

    For a while it counts as there (NUD_REACHABLE) by an older answer, and so it may by what
    somebody else asks. How long ago the last sign of life was, the kernel tells in whole ticks
    (neigh_fill_info() in net/core/neighbour.c): it may be all but one older.
    """
    try:
        body = netlink.get(rt.GETNEIGH, _body(neighbour, index))
    except rt.NetlinkError:
        return False  # it has forgotten that neighbour
    state: int = struct.unpack_from(_NDMSG, body)[4]
    if not (state & _REACHABLE and _MANAGED in body and _OURS in body):
        return False
    (confirmed,) = struct.unpack_from("=I", rt.attributes(body, 12)[_NDA_CACHEINFO])
    passed = time.monotonic() - since
    return bool((confirmed + 1) / os.sysconf("SC_CLK_TCK") <= passed)


def _body(neighbour: Neighbour, index: int) -> bytes:
    packed = rt.packed(neighbour.family, neighbour.address)
    header = struct.pack(_NDMSG, rt.FAMILIES[neighbour.family], 0, 0, index, 0, 0, 0)
    return header + rt.attribute(NDA_DST, packed)
