"""Runs inside a lab: writes down every default route and link that the kernel tells of.

One JSON list a line on standard output: ``[when, "route", new, family, metric, interface,
replaces]``, ``[when, "link", interface number, usable]`` or ``[when, "all", routes, links]``.
The kernel removes IPv4 routes without a word when their link or address goes
(``fib_sync_down_dev()``, net/ipv4/fib_semantics.c), so those are followed by a look at all.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import time
from collections.abc import Iterator
from socket import AF_INET6, AF_NETLINK, SO_RCVBUF, SOCK_RAW, SOL_SOCKET, socket

from netfail_hooks.kernel import netlink as rt

_LINK, _ADDRESS4, _ROUTE4, _ROUTE6 = 0x1, 0x10, 0x40, 0x400  # linux/rtnetlink.h, RTMGRP_*
_SO_RCVBUFFORCE, _ENOUGH = 33, 1 << 24
_UP = 1  # IFF_UP (linux/if.h)


def main() -> None:
    """Write until standard input ends."""
    kernel = socket(AF_NETLINK, SOCK_RAW, rt.NETLINK_ROUTE)
    try:
        kernel.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, _ENOUGH)
    except PermissionError:
        kernel.setsockopt(SOL_SOCKET, SO_RCVBUF, _ENOUGH)
    kernel.bind((0, _LINK | _ADDRESS4 | _ROUTE4 | _ROUTE6))
    _tell(_all())
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    waiting.register(kernel, select.POLLIN)
    ended = False
    while not ended:
        ready = {descriptor for descriptor, _ in waiting.poll()}
        ended = 0 in ready
        while select.select([kernel], [], [], 0)[0]:
            for entry in _read(kernel.recv(1 << 17)):
                _tell(entry)
    _tell(_all())


def _read(data: bytes) -> Iterator[list[object]]:
    at = 0
    while at < len(data):
        size, kind, flags = struct.unpack_from("=IHH", data, at)
        body = data[at + 16 : at + size]
        at += size + 3 & ~3
        if kind in (rt.NEWROUTE, rt.DELROUTE):
            for rank, route in enumerate(_routes(body)):  # the first hop replaces, others join it
                replaces = bool(flags & rt.F_REPLACE) and not rank
                yield ["route", kind == rt.NEWROUTE, *route, replaces]
        elif kind in (rt.NEWLINK, rt.DELLINK):
            number, usable = _link(body)
            yield ["link", number, usable and kind != rt.DELLINK]
            if not usable:
                yield _all()
        elif kind == rt.DELADDR:
            yield _all()


def _routes(body: bytes) -> list[list[int]]:
    """Return family, metric and interface of a default route of the main table, for each hop."""
    family, length, _, _, table, _, _, kind, _ = struct.unpack_from("=BBBBBBBBI", body)
    if length or table != rt.TABLE_MAIN or kind != rt.UNICAST:
        return []
    attributes = rt.attributes(body, 12)
    head = [6 if family == AF_INET6 else 4, rt.whole(attributes.get(rt.RTA_PRIORITY))]
    return [[*head, number] for number in _hops(attributes)]


def _hops(attributes: rt.Attributes) -> Iterator[int]:
    """Yield where a route leads: IPv6 shows routes of one metric together (struct rtnexthop)."""
    several = attributes.get(rt.RTA_MULTIPATH)
    if several is None:
        yield rt.whole(attributes.get(rt.RTA_OIF))
    while several and len(several) >= 8:
        size, _, _, number = struct.unpack_from("=HBBi", several)
        yield number
        several = several[max(size, 8) + 3 & ~3 :]


def _link(body: bytes) -> tuple[int, bool]:
    """Return an interface's number, and whether the kernel sends by it."""
    number, flags = struct.unpack_from("=iI", body, 4)
    state = rt.whole(rt.attributes(body, 16).get(rt.IFLA_OPERSTATE))
    return number, bool(flags & _UP) and state in (rt.OPER_UNKNOWN, rt.OPER_UP)


def _all() -> list[object]:
    routes: list[list[int]] = []
    with rt.Netlink() as kernel:
        for kind in rt.FAMILIES.values():
            wanted = struct.pack("=BBBBBBBBI", kind, 0, 0, 0, rt.TABLE_MAIN, 0, 0, 0, 0)
            for body in kernel.dump(rt.GETROUTE, wanted):
                routes += _routes(body)
        links = [_link(body) for body in kernel.dump(rt.GETLINK, bytes(16))]
    return ["all", routes, links]


def _tell(entry: list[object]) -> None:
    line = json.dumps([time.monotonic(), *entry]) + "\n"
    os.write(1, line.encode("ascii"))


if __name__ == "__main__":
    main()
    sys.exit(0)
