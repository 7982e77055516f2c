"""Tell a LAN where an address is now: build the frames, and send them by one socket.

IPv4: a gratuitous ARP request and reply (RFC 5227, section 3; Linux takes the reply as
gratuitous only if both hardware addresses are ours, ``arp_is_garp()`` in net/ipv4/arp.c), and
an ARP request to the gateway, which has to note its sender (RFC 826).
IPv6: an unsolicited neighbour advertisement with the override flag (RFC 4861, section 7.2.6),
and a solicitation to the gateway with our link-layer address.
"""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6, AF_PACKET, SOCK_CLOEXEC, SOCK_RAW, inet_pton, socket

from netfail_hooks.names import family_of_address
from netfail_hooks.policy.changes import Announce
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_ETH_ARP, _ETH_IPV6 = 0x0806, 0x86DD
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_SOLICITATION, _ADVERTISEMENT, _ICMPV6 = 135, 136, 58
_OVERRIDE = 0x20000000
SOURCE_LINK, _TARGET_LINK = 1, 2  # RFC 4861, section 4.6.1
_ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")


class Announcer:
    """Sends announcements by one packet socket. Use it as a context manager.

    All announcements share one socket, closed last: the kernel takes 10 to 20 ms to close it (it
    waits until no processor can still be using it), and the next announcement would wait for that.
    """

    def __init__(self) -> None:
        self._socket: socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._socket.close()

    def send(self, announcement: Announce) -> None:
        """Send an announcement. Raises OSError (no such interface, no capability)."""
        if self._socket is None:
            self._socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
        for frame in frames(announcement):
            # sendmsg(), as wherever we change something: see kernel/netlink.py.
            self._socket.sendmsg((frame,), (), 0, (announcement.interface, 0))


def frames(announcement: Announce) -> list[bytes]:
    """Return the Ethernet frames of an announcement; none without a hardware address."""
    mac = bytes.fromhex(announcement.mac.replace(":", ""))
    if len(mac) != 6:
        return []
    kind = AF_INET if announcement.family == 4 else AF_INET6
    address = inet_pton(kind, announcement.address)
    # A router of the other family (names.is_router()) hears of it as all the LAN does.
    told = announcement.gateway and family_of_address(announcement.gateway) == announcement.family
    gateway = inet_pton(kind, announcement.gateway) if told else b""
    build = _arp if announcement.family == 4 else _neighbour
    return build(mac, address, gateway)


def _arp(mac: bytes, address: bytes, gateway: bytes) -> list[bytes]:
    directed = [arp_request(mac, address, gateway)] if gateway else []
    reply = _arp_frame(_REPLY, mac, address, mac, address)
    return [*directed, arp_request(mac, address, address), reply]


def arp_request(mac: bytes, sender: bytes, target: bytes) -> bytes:
    """Return a broadcast frame that asks who has ``target``."""
    return _arp_frame(_REQUEST, mac, sender, bytes(6), target)


def _arp_frame(
    operation: int, mac: bytes, sender: bytes, target_mac: bytes, target: bytes
) -> bytes:
    ethernet = _BROADCAST + mac + struct.pack("!H", _ETH_ARP)
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return (ethernet + head + mac + sender + target_mac + target).ljust(60, b"\0")


def _neighbour(mac: bytes, address: bytes, gateway: bytes) -> list[bytes]:
    advertisement = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, _OVERRIDE) + address
    result = [_icmpv6(mac, address, _ALL_NODES, advertisement + link_option(_TARGET_LINK, mac))]
    if gateway:
        question = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + gateway
        group = SOLICITED_NODE + gateway[-3:]
        result.append(_icmpv6(mac, address, group, question + link_option(SOURCE_LINK, mac)))
    return result


def link_option(kind: int, mac: bytes) -> bytes:
    """Return a neighbour discovery option with a link-layer address."""
    return struct.pack("!BB", kind, 1) + mac


def _icmpv6(mac: bytes, source: bytes, group: bytes, message: bytes) -> bytes:
    """Wrap a message for a multicast group (RFC 2464, section 7; hop limit as RFC 4861 asks)."""
    pseudo = source + group + struct.pack("!II", len(message), _ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    ip = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 255) + source + group
    return b"\x33\x33" + group[-4:] + mac + struct.pack("!H", _ETH_IPV6) + ip + message


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of data that is not all zeros.

    Adding each carry again is the same as counting modulo 0xFFFF.
    """
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return -total % 0xFFFF
