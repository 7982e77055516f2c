"""The few rtnetlink(7) messages that a hook needs, read and written with struct.

pyroute2 does all this better, but costs 150 ms of CPU to import (1.5 s on a Raspberry Pi 3),
ten times the rest of a hook, while packets are lost; ``bench/startup`` shows it. We use it
wherever nothing waits. ``_socket`` is the C half of ``socket``, whose Python half (enum,
selectors) costs 6 ms more. Message layouts: rtnetlink(7), netlink(7), linux/if_addr.h.
"""

from __future__ import annotations

import os
import struct
import sys
from _socket import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    SOCK_CLOEXEC,
    SOCK_RAW,
    inet_ntop,
    inet_pton,
    socket,
)
from errno import EAFNOSUPPORT, ENOBUFS, ENODEV, ENOENT, EOPNOTSUPP

from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

FAMILIES = {4: AF_INET, 6: AF_INET6}
FAMILY_NUMBERS = {AF_INET: 4, AF_INET6: 6}

# linux/netlink.h
NETLINK_ROUTE, NETLINK_GENERIC, SOL_NETLINK, NETLINK_GET_STRICT_CHK = 0, 16, 270, 12
NLMSG_ERROR, NLMSG_DONE = 2, 3
F_REQUEST, F_ACK, F_DUMP_INTR, F_REPLACE, F_DUMP, F_CREATE = 0x1, 0x4, 0x10, 0x100, 0x300, 0x400
F_EXCL = 0x200
# linux/rtnetlink.h
NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, GETADDR = 16, 17, 18, 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
NEWRULE, DELRULE, GETRULE = 32, 33, 34
TABLE_MAIN, SCOPE_UNIVERSE, SCOPE_LINK, UNICAST = 254, 0, 253, 1
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC = 1, 2, 4, 5, 6, 7
RTA_METRICS, RTA_MULTIPATH, RTA_TABLE, RTAX_MTU, RTNH_F_ONLINK = 8, 9, 15, 2, 0x4
RTA_VIA = 18
# linux/if_link.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO = 1, 3, 10, 16, 18
IFLA_CARRIER_DOWN, OPER_UNKNOWN, OPER_UP = 48, 0, 6  # RFC 2863
# linux/if_addr.h
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 6, 8
IFA_RT_PRIORITY, IFA_PROTO, IFA_F_NOPREFIXROUTE = 9, 11, 0x200
# Set on an address that was made of an advertised prefix, for the kernel's temporary ones
IFA_F_MANAGETEMPADDR = 0x100
# linux/fib_rules.h
FRA_SRC, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_PROTOCOL = 2, 6, 14, 15, 21

TIMEOUT = 2.0  # seconds the kernel has for an answer; it needs a fraction of a millisecond
_BUFFER = 1 << 17
_DUMP_TRIES = 5

Attributes = dict[int, bytes]
_head = struct.Struct("=HH").unpack_from  # of an attribute


class NetlinkError(OSError):
    """The kernel refused a request; ``errno`` says why."""


class CrowdedError(Exception):
    """There is more than was asked for. ``bodies`` are the first objects."""

    def __init__(self, bodies: list[bytes]) -> None:
        super().__init__(f"more than {len(bodies)} objects")
        self.bodies = bodies


class Netlink:
    """A conversation with the kernel's routing tables. Use it as a context manager.

    ``protocol``: or with another part of the kernel (multipath.py).
    ``crowded``: kinds of which there was more than was asked for. ``heard``: a socket that has
    heard of every change since the first of these was found (heard.py).
    """

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self._protocol = protocol
        self._socket = _connected(protocol)
        self._sequence = 0
        self.crowded: set[int] = set()
        self.heard: socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        if self.heard:
            self.heard.close()

    @property
    def port(self) -> int:
        """Return the number by which the kernel tells others who had something done."""
        number: int = self._socket.getsockname()[0]
        return number

    def dump(
        self, kind: int, body: bytes, *, most: int = 0, needles: tuple[bytes, ...] = ()
    ) -> list[bytes]:
        """Return the bodies of all objects of a kind. Raises NetlinkError, TimeoutError.

        With ``most`` no more than that many bytes are read, and one buffer; raises CrowdedError
        where there is more. With ``needles`` only those in which one of them occurs are returned.
        """
        bodies: list[bytes] = []
        for left in reversed(range(_DUMP_TRIES)):
            try:
                bodies, interrupted = self._converse(kind, F_REQUEST | F_DUMP, body, most, needles)
            except CrowdedError:
                self._renew()
                self.crowded.add(kind)
                raise
            except OSError as error:
                if error.errno != ENOBUFS or not left:
                    if not isinstance(error, NetlinkError):
                        self._renew()  # else nothing could be asked for, of no family
                    raise
                self._drain()
                continue
            if not interrupted:
                break
        return bodies

    def _renew(self) -> None:
        """Ask afresh: the kernel ends a dump only with its last object, or with its socket."""
        self._socket.close()
        self._socket = _connected(self._protocol)

    def _drain(self) -> None:
        """Read what is left of a dump that failed: until its end the kernel begins no other."""
        self._socket.settimeout(0)
        try:
            while self._socket.recv(_BUFFER):
                pass
        except OSError:
            pass  # nothing is left (EAGAIN), or the next try will tell
        finally:
            self._socket.settimeout(TIMEOUT)

    def get(self, kind: int, body: bytes) -> bytes:
        """Return the body of one object. Raises NetlinkError (ENODEV and the like)."""
        return self._converse(kind, F_REQUEST, body)[0][0]

    def change(self, kind: int, flags: int, body: bytes) -> None:
        """Have the kernel change something. Raises NetlinkError."""
        self._converse(kind, F_REQUEST | F_ACK | flags, body)

    def _converse(
        self, kind: int, flags: int, body: bytes, most: int = 0, needles: tuple[bytes, ...] = ()
    ) -> tuple[list[bytes], bool]:
        self._sequence += 1
        header = struct.pack("=IHHII", 16 + len(body), kind, flags, self._sequence, 0)
        # Another system call for what changes something, so that strace tells the two apart.
        if flags & F_ACK:
            self._socket.sendmsg((header, body))
        else:
            self._socket.send(header + body)
        bodies: list[bytes] = []
        interrupted = False
        read = 0
        while True:
            if most and read > most:
                raise CrowdedError(bodies)
            data = self._socket.recv(_BUFFER)
            read += len(data)
            if needles and _is_passed_over(data, needles):
                # Only the first object of a buffer can bear the flag: between two of them a table
                # may change (nl_dump_check_consistent() in include/net/netlink.h).
                flagged = int.from_bytes(data[6:8], sys.byteorder)
                interrupted |= bool(flagged & F_DUMP_INTR)
                continue
            at = 0
            while at < len(data):
                size, answer, answered, sequence, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + size]
                at += size + 3 & ~3
                if sequence != self._sequence:
                    continue  # the tail of a conversation that timed out
                interrupted |= bool(answered & F_DUMP_INTR)
                if answer in (NLMSG_ERROR, NLMSG_DONE):
                    _raise_refusal(payload)
                    return bodies, interrupted
                if needles and not any(needle in payload for needle in needles):
                    continue
                bodies.append(payload)
                if not flags & (F_DUMP | F_ACK):
                    return bodies, interrupted


def table_request(family: int, table: int, protocol: int = 0) -> bytes:
    """Return what asks for the routes of a table, all or those of a protocol."""
    low = table if table < 256 else 0
    request = struct.pack("=BBBBBBBBI", FAMILIES[family], 0, 0, 0, low, protocol, 0, 0, 0)
    return request if low else request + number(RTA_TABLE, table)


def dumped(
    netlink: Netlink,
    kind: int,
    request: bytes,
    *,
    most: int = 0,
    needles: tuple[bytes, ...] = (),
) -> list[bytes]:
    """Return what there is, nothing where there is no such table or interface, or no rules.

    Even the main table is there only from its first route on. Raises CrowdedError.
    """
    try:
        return netlink.dump(kind, request, most=most, needles=needles)
    except NetlinkError as error:
        if error.errno in (ENOENT, ENODEV, EOPNOTSUPP, EAFNOSUPPORT):
            return []
        raise


def _connected(protocol: int) -> socket:
    connected = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
    # Strict checking makes the kernel filter what it dumps, by what the request's head and
    # attributes say (netlink(7)): routes by table, interface and protocol, addresses by interface.
    connected.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    connected.settimeout(TIMEOUT)
    return connected


def _is_passed_over(data: bytes, needles: tuple[bytes, ...]) -> bool:
    """Tell whether a buffer of a dump has none of the needles, nor the dump's end or a refusal.

    The end comes last in its buffer, with four bytes of its own (netlink_dump_done() in
    net/netlink/af_netlink.c). So a buffer costs a search in C, however many objects it has.
    """
    if any(needle in data for needle in needles):
        return False
    return not {NLMSG_ERROR, NLMSG_DONE} & {
        int.from_bytes(data[4:6], sys.byteorder),
        int.from_bytes(data[-16:-14], sys.byteorder),
    }


def _raise_refusal(payload: bytes) -> None:
    code = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
    if code:
        raise NetlinkError(code, os.strerror(code))


def attribute(kind: int, data: bytes) -> bytes:
    """Return one encoded attribute, padded (linux/netlink.h, struct nlattr)."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def number(kind: int, data: int) -> bytes:
    """Return an attribute that holds an unsigned 32-bit number."""
    return attribute(kind, struct.pack("=I", data))


def attributes(data: bytes, at: int = 0) -> Attributes:
    """Return the attributes in ``data`` from offset ``at``, the last of a kind winning."""
    result = {}
    end = len(data) - 4
    while at <= end:
        size, kind = _head(data, at)
        if size < 4:
            break
        result[kind & 0x3FFF] = data[at + 4 : at + size]
        at += size + 3 & ~3  # aligned; a function's call would cost as much as the rest
    return result


def parted(several: Attributes) -> list[tuple[int, int, Attributes]]:
    """Return interface, flags and attributes of each hop of a route with several.

    struct rtnexthop, rtnetlink(7); of other routes there are none.
    """
    data, found = several.get(RTA_MULTIPATH, b""), []
    while len(data) >= 8:
        size, marks, _, index = struct.unpack_from("=HBBi", data)
        found.append((index, marks, attributes(data[8:size])))
        data = data[max(size, 8) + 3 & ~3 :]
    return found


def router(several: Attributes) -> str:
    """Return the address of a route's router, "" for none; of an IPv4 route it may be of IPv6.

    Then it is in struct rtvia, behind its family (linux/rtnetlink.h).
    """
    address = several.get(RTA_GATEWAY) or several.get(RTA_VIA, b"")[2:]
    return text(6 if len(address) == 16 else 4, address)


def to_router(family: int, address: str) -> bytes:
    """Return the attribute of a route of a family that leads to a router."""
    if family == 4 and ":" in address:
        return attribute(RTA_VIA, struct.pack("=H", AF_INET6) + packed(6, address))
    return attribute(RTA_GATEWAY, packed(family, address))


def whole(data: bytes | None) -> int:
    """Return the unsigned number in an attribute of 1 to 8 bytes; 0 for an absent one."""
    return int.from_bytes(data or b"", sys.byteorder)


def text(family: int, packed: bytes | None) -> str:
    """Return an address as people write it; "" for an absent one."""
    return inet_ntop(FAMILIES[family], packed) if packed else ""


def packed(family: int, address: str) -> bytes:
    """Return an address as the kernel has it."""
    return inet_pton(FAMILIES[family], address)
