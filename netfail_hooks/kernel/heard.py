"""Hear what the kernel tells everybody of: links, addresses, routes and rules that change.

rtnetlink(7) has these messages. Loaded by install, and by hooks and checks where there is much.
"""

from __future__ import annotations

import struct
from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket

from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# linux/rtnetlink.h, enum rtnetlink_groups
ADDRESSES = (5, 9)  # IPV4_IFADDR, IPV6_IFADDR
# LINK, IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_IFINFO, IPV6_RULE, NEXTHOP
ALL = (*ADDRESSES, 1, 7, 8, 11, 12, 19, 32)
_ROUTE, _BUFFER = 0, 1 << 17  # NETLINK_ROUTE


def listen(groups: Iterable[int] = ALL) -> socket:
    """Return a socket that hears all that is told from now on. Raises OSError."""
    heard = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, _ROUTE)
    try:
        heard.bind((0, sum(1 << group - 1 for group in groups)))
        heard.settimeout(0)
    except OSError:
        heard.close()
        raise
    return heard


def messages(heard: socket) -> list[tuple[int, int, bytes]] | None:
    """Return what was told since the last call; None where that was more than could be kept.

    Of each message the kind, the port of the socket that had it done, 0 for the kernel by itself,
    and the body.
    """
    found: list[tuple[int, int, bytes]] = []
    while True:
        try:
            data = heard.recv(_BUFFER)
        except BlockingIOError:
            return found
        except OSError:  # ENOBUFS
            return None
        at = 0
        while at < len(data):
            size, kind, _, _, port = struct.unpack_from("=IHHII", data, at)
            found.append((kind, port, data[at + 16 : at + size]))
            at += size + 3 & ~3
