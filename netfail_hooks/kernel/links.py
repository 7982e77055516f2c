"""Interfaces for install: found, taken away, set up again. rtnetlink(7), struct ifinfomsg."""

from __future__ import annotations

import errno
import struct

from netfail_hooks.kernel import netlink as rt

_INFO, _UP = "=BxHiII", 0x1  # linux/if.h, IFF_UP


def index_of(netlink: rt.Netlink, name: str) -> int:
    """Return an interface's number, 0 for none. Raises OSError."""
    body = bytes(16) + rt.attribute(rt.IFLA_IFNAME, name.encode() + b"\0")
    return _found(netlink, body)


def is_there(netlink: rt.Netlink, index: int) -> bool:
    """Tell whether there is an interface of a number. Raises OSError."""
    return _found(netlink, struct.pack(_INFO, 0, 0, index, 0, 0)) == index


def delete(netlink: rt.Netlink, index: int) -> None:
    """Take an interface away. Raises OSError."""
    netlink.change(rt.DELLINK, 0, struct.pack(_INFO, 0, 0, index, 0, 0))


def set_up(netlink: rt.Netlink, index: int) -> None:
    """Set an interface up, as ``ip link set up`` does. Raises OSError."""
    netlink.change(rt.NEWLINK, 0, struct.pack(_INFO, 0, 0, index, _UP, _UP))


def _found(netlink: rt.Netlink, body: bytes) -> int:
    try:
        index: int = struct.unpack_from("=i", netlink.get(rt.GETLINK, body), 4)[0]
    except rt.NetlinkError as error:
        if error.errno == errno.ENODEV:
            return 0
        raise
    return index
