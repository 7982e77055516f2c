"""What an interface has of addresses and routes, kept as the kernel tells it, and put back.

For install alone, where who should put it back, networkd, does not answer. So nothing is made of
it but what the kernel needs to make the same again: metrics, protocols, preferred sources, MTUs
and what else there is go back as they came. A bond that was made meanwhile goes.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from socket import if_indextoname, if_nametoindex

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.netlink import dumped, parted
from netfail_hooks.policy.facts import FOREVER, PROTOCOL

_ADDRESS, _ROUTE, _LINK = "=BBBBI", "=BBBBBBBBI", "=BxHiII"
_UP = 0x1  # linux/if.h, IFF_UP
# linux/if_addr.h: of the flags those that are somebody's wish; the others the kernel sets itself.
_IFA_F_TEMPORARY, _IFA_F_NODAD, _IFA_BROADCAST = 0x01, 0x02, 4
_WISHES = 0x02 | rt.IFA_F_MANAGETEMPADDR | rt.IFA_F_NOPREFIXROUTE | 0x400  # IFA_F_MCAUTOJOIN
_ADDRESS_PARTS = (
    rt.IFA_LOCAL,
    rt.IFA_ADDRESS,
    _IFA_BROADCAST,
    rt.IFA_LABEL,
    rt.IFA_RT_PRIORITY,
    rt.IFA_PROTO,
)
# linux/rtnetlink.h
_RTM_F_CLONED, _TABLE_LOCAL, _F_APPEND = 0x200, 255, 0x800
_RTA_CACHEINFO, _RTA_EXPIRES, _RTA_NH_ID = 12, 23, 30
_EXPIRES_AT, _TICKS = 8, 100  # rta_expires in struct rta_cacheinfo, in USER_HZ
_OF_A_NEXTHOP = (rt.RTA_OIF, rt.RTA_GATEWAY, rt.RTA_MULTIPATH, rt.RTA_VIA)
_NETWORKD = (2, 4, 9, 16)  # RTPROT_KERNEL, _STATIC, _RA, _DHCP: all that it marks its routes with

_GONE = (errno.ESRCH, errno.EADDRNOTAVAIL)  # with an address its routes go

Parts = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An address or a route: header and attributes without what changes by itself.

    ``seconds`` it had to live, FOREVER for no end; ``preferred`` of them, an address alone.
    ``behind`` another route to the same place it must be put.
    """

    kind: int
    header: bytes
    parts: Parts
    seconds: int = FOREVER
    preferred: int = FOREVER
    behind: bool = False

    @property
    def identity(self) -> tuple[int, bytes, Parts]:
        """Return what tells it from others."""
        return self.kind, self.header, self.parts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The addresses and routes of an interface, ours left out, and when (monotonic)."""

    index: int
    items: tuple[Item, ...]
    taken: float


def take(netlink: rt.Netlink, index: int) -> Snapshot:
    """Return what an interface has now. Raises OSError."""
    items = (*_addresses(netlink, index), *_routes(netlink, index))
    return Snapshot(index, items, time.monotonic())


def missing(netlink: rt.Netlink, snapshot: Snapshot) -> list[Item]:
    """Return what an interface had and has no more. Raises OSError."""
    now = {item.identity for item in take(netlink, snapshot.index).items}
    return [item for item in snapshot.items if item.identity not in now]


def moved(snapshot: Snapshot, index: int) -> Snapshot:
    """Return what another interface is to have in this one's stead, which is gone."""
    items = []
    for item in snapshot.items:
        header = item.header
        if item.kind == rt.NEWADDR:
            header = struct.pack(_ADDRESS, *struct.unpack(_ADDRESS, header)[:4], index)
        parts = tuple(
            (number, struct.pack("=i", index) if _is_interface(item, number) else data)
            for number, data in item.parts
            if not (item.kind == rt.NEWADDR and number == rt.IFA_LABEL)  # has the old one's name
        )
        items.append(replace(item, header=header, parts=parts))
    return Snapshot(index, tuple(items), snapshot.taken)


def _is_interface(item: Item, number: int) -> bool:
    return item.kind == rt.NEWROUTE and number == rt.RTA_OIF


def put_back(netlink: rt.Netlink, snapshot: Snapshot, *, exactly: bool = False) -> list[str]:
    """Give an interface what it had again; return what the kernel refused.

    ``exactly``: and take away what networkd gave it since. Raises OSError.
    """
    refused = []
    if exactly:
        for item in _in_the_way(missing(netlink, snapshot), take(netlink, snapshot.index).items):
            refused += _try(netlink, rt.DELADDR, item, 0)
    for kind in (rt.NEWADDR, rt.NEWROUTE):  # with an address the kernel makes routes itself
        lacking = [item for item in missing(netlink, snapshot) if item.kind == kind]
        # A gateway must be within reach.
        for item in sorted(lacking, key=_has_gateway):
            refused += _try(netlink, kind, item, time.monotonic() - snapshot.taken)
    if exactly:
        known = {item.identity for item in snapshot.items}
        for item in take(netlink, snapshot.index).items:
            if item.identity not in known and _is_networkds(item):
                refused += _try(netlink, item.kind + 1, item, 0)
    return refused


def _in_the_way(lost: Sequence[Item], there: Sequence[Item]) -> list[Item]:
    """Return the addresses that are there otherwise than they were, the last made first.

    The kernel changes neither each flag nor the metric of an address. Nor, of several IPv4 ones,
    their order: the first is the one that is sent from. So then all of them go.
    """
    places = {_place(item) for item in lost if item.kind == rt.NEWADDR}
    found = [item for item in there if item.kind == rt.NEWADDR]
    families = {item.header[0] for item in found if _place(item) in places}
    four = rt.FAMILIES[4]
    return [
        item
        for item in reversed(found)
        if _place(item) in places or item.header[0] == four in families
    ]


def _try(netlink: rt.Netlink, kind: int, item: Item, passed: float) -> list[str]:
    flags = 0
    if kind == rt.NEWADDR:
        flags = rt.F_CREATE | rt.F_REPLACE
    elif kind == rt.NEWROUTE:
        flags = rt.F_CREATE | (_F_APPEND if item.behind else 0)
    seconds, preferred = _left(item.seconds, passed), _left(item.preferred, passed)
    if not seconds:
        return []  # it would be gone by now
    body = item.header + b"".join(rt.attribute(number, data) for number, data in item.parts)
    if kind == rt.NEWADDR:
        body += rt.attribute(rt.IFA_CACHEINFO, struct.pack("=IIII", preferred, seconds, 0, 0))
    elif kind == rt.NEWROUTE and seconds != FOREVER:
        body += rt.number(_RTA_EXPIRES, seconds)
    try:
        if kind == rt.NEWADDR and item.header[0] == rt.FAMILIES[6]:
            # Nobody else has had it meanwhile: no duplicate address detection, which takes a
            # second. The kernel takes the wish back without making up for it (the last
            # attribute of a kind counts).
            netlink.change(kind, flags, body + rt.number(rt.IFA_FLAGS, _wish(item) | _IFA_F_NODAD))
        netlink.change(kind, flags, body)
    except OSError as error:
        gone = kind in (rt.DELADDR, rt.DELROUTE) and error.errno in _GONE
        return [] if gone else [str(error.strerror)]
    return []


def _wish(item: Item) -> int:
    return rt.whole(dict(item.parts)[rt.IFA_FLAGS])


def _left(seconds: int, passed: float) -> int:
    return seconds if seconds == FOREVER else max(0, seconds - int(passed))


def _place(item: Item) -> tuple[bytes, bytes]:
    return item.header, dict(item.parts)[rt.IFA_ADDRESS]


def _has_gateway(item: Item) -> bool:
    hops = (*_OF_A_NEXTHOP[1:], _RTA_NH_ID)
    return item.kind == rt.NEWROUTE and any(number in hops for number, _ in item.parts)


def _is_networkds(item: Item) -> bool:
    """Tell whether networkd, or the kernel for it, may have made an address or a route."""
    return item.kind == rt.NEWADDR or item.header[5] in _NETWORKD


def _addresses(netlink: rt.Netlink, index: int) -> list[Item]:
    items = []
    for body in netlink.dump(rt.GETADDR, bytes(8)):
        family, length, _, scope, where = struct.unpack_from(_ADDRESS, body)
        attributes = rt.attributes(body, 8)
        flags = rt.whole(attributes.get(rt.IFA_FLAGS))
        is_six = family == rt.FAMILIES[6]
        ours = rt.whole(attributes.get(rt.IFA_PROTO)) == PROTOCOL
        if where != index or ours or (is_six and flags & _IFA_F_TEMPORARY):
            continue
        parts = [(number, attributes[number]) for number in _ADDRESS_PARTS if number in attributes]
        parts.append((rt.IFA_FLAGS, struct.pack("=I", flags & _WISHES)))
        preferred, valid = struct.unpack_from("=II", attributes[rt.IFA_CACHEINFO])
        header = struct.pack(_ADDRESS, family, length, 0, scope, index)
        items.append(Item(rt.NEWADDR, header, tuple(parts), valid, preferred))
    return items


def _routes(netlink: rt.Netlink, index: int) -> list[Item]:
    items: list[Item] = []
    for family in rt.FAMILIES.values():
        request = struct.pack(_ROUTE, family, 0, 0, 0, 0, 0, 0, 0, 0)  # of every table
        taken: set[tuple[object, ...]] = set()
        for body in dumped(netlink, rt.GETROUTE, request):
            header = struct.unpack_from(_ROUTE, body)
            _, length, source, tos, table, protocol, scope, kind, flags = header
            attributes = rt.attributes(body, 12)
            place = (length, tos, *map(attributes.get, (rt.RTA_DST, rt.RTA_TABLE, rt.RTA_PRIORITY)))
            behind = place in taken and family == rt.FAMILIES[4]
            taken.add(place)
            of_others = table == _TABLE_LOCAL or flags & _RTM_F_CLONED or protocol == PROTOCOL
            if of_others or not _leads_by(attributes, index):
                continue
            for hop, marks in _single(attributes, flags, index, family):
                again = struct.pack(
                    _ROUTE,
                    family,
                    length,
                    source,
                    tos,
                    table,
                    protocol,
                    scope,
                    kind,
                    marks & rt.RTNH_F_ONLINK,
                )
                items.append(Item(rt.NEWROUTE, again, *_life(hop), behind=behind))
    return items


def _single(
    attributes: rt.Attributes, flags: int, index: int, family: int
) -> list[tuple[rt.Attributes, int]]:
    """Return a route with its flags: an IPv6 one of several hops as one by each that is ours.

    The kernel joins such routes and parts them again as they come and go
    (fib6_add_rt2node() in net/ipv6/ip6_fib.c).
    """
    if family == rt.FAMILIES[4] or rt.RTA_MULTIPATH not in attributes:
        return [(attributes, flags)]
    rest = {number: data for number, data in attributes.items() if number != rt.RTA_MULTIPATH}
    return [
        ({**rest, **parts, rt.RTA_OIF: struct.pack("=i", index)}, marks)
        for where, marks, parts in parted(attributes)
        if where == index
    ]


def _life(attributes: rt.Attributes) -> tuple[Parts, int]:
    """Return a route's attributes that can be given to the kernel, and how long it has to live."""
    left = _OF_A_NEXTHOP if _RTA_NH_ID in attributes else ()
    cache = attributes.get(_RTA_CACHEINFO, b"")
    ticks = struct.unpack_from("=i", cache, _EXPIRES_AT)[0] if len(cache) > _EXPIRES_AT + 3 else 0
    return tuple(
        (number, data)
        for number, data in sorted(attributes.items())
        if number not in (_RTA_CACHEINFO, _RTA_EXPIRES, *left)
    ), (max(1, ticks // _TICKS) if ticks > 0 else FOREVER)


def _leads_by(attributes: rt.Attributes, index: int) -> bool:
    if rt.whole(attributes.get(rt.RTA_OIF)) == index:
        return True
    return any(where == index for where, _, _ in parted(attributes))


def index_of(name: str) -> int:
    """Return an interface's number, 0 for none."""
    try:
        return if_nametoindex(name)
    except OSError:
        return 0


def is_there(index: int) -> bool:
    """Tell whether there is an interface of a number."""
    try:
        return bool(if_indextoname(index))
    except OSError:
        return False


def delete(netlink: rt.Netlink, index: int) -> None:
    """Take an interface away. Raises OSError."""
    netlink.change(rt.DELLINK, 0, struct.pack(_LINK, 0, 0, index, 0, 0))


def set_up(netlink: rt.Netlink, index: int) -> None:
    """Set an interface up, as ``ip link set up`` does. Raises OSError."""
    netlink.change(rt.NEWLINK, 0, struct.pack(_LINK, 0, 0, index, _UP, _UP))
