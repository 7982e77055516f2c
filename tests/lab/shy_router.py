"""Runs on the LAN's side: a router that advertises itself only to whoever asks. Until input ends.

It writes a line once it has begun, and how often it was asked once it has ended.
"""

from __future__ import annotations

import select
import struct
from socket import (
    AF_INET6,
    IPPROTO_ICMPV6,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_MULTICAST_HOPS,
    SOCK_RAW,
    if_nametoindex,
    inet_pton,
    socket,
)

_NAME, _PREFIX = "lan0", "fd00:1::"
_SOLICITATION, _ADVERTISEMENT = 133, 134  # RFC 4861, sections 4.1 and 4.2
_LIFETIME = 1800  # seconds
_ON_LINK_AND_TO_MAKE_ADDRESSES_OF = 0xC0  # section 4.6.2


def advertisement() -> bytes:
    """Return what it says of itself, and of its prefix."""
    prefix = struct.pack(
        "!BBBBIII", 3, 4, 64, _ON_LINK_AND_TO_MAKE_ADDRESSES_OF, _LIFETIME, _LIFETIME, 0
    ) + inet_pton(AF_INET6, _PREFIX)
    return struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, 64, 0, _LIFETIME, 0, 0) + prefix


def main() -> None:
    index, asked = if_nametoindex(_NAME), 0
    wire = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
    wire.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255)
    group = inet_pton(AF_INET6, "ff02::2") + struct.pack("@I", index)
    wire.setsockopt(IPPROTO_IPV6, IPV6_JOIN_GROUP, group)
    print("begun", flush=True)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wire, select.POLLIN)
    while 0 not in dict(poll.poll()):
        if wire.recv(1500)[0] == _SOLICITATION:
            wire.sendto(advertisement(), ("ff02::1", 0, 0, index))
            asked += 1
    print(asked, flush=True)


if __name__ == "__main__":
    main()
