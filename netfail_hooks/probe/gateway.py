"""Ask a gateway whether it is there: ARP for IPv4, neighbour solicitation for IPv6.

ARP requests have no sender address, like RFC 5227's probes: neighbours note no address for this
NIC, so asking through a standby uplink draws no traffic to it. A gateway that does not answer such
a request is asked with our address the next time, if the traffic belongs on this uplink anyway.
"""

from __future__ import annotations

import select
import struct
from _socket import (
    AF_INET,
    AF_INET6,
    AF_PACKET,
    IPPROTO_ICMPV6,
    IPPROTO_IPV6,
    IPV6_HOPLIMIT,
    IPV6_MULTICAST_HOPS,
    IPV6_RECVHOPLIMIT,
    SO_BINDTODEVICE,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOL_SOCKET,
    inet_ntop,
    inet_pton,
    socket,
)

from netfail_hooks.kernel.announce import SOLICITED_NODE, SOURCE_LINK, arp_request, link_option
from netfail_hooks.policy.facts import Link

_ETH_ARP, _ARP_REPLY = 0x0806, b"\0\2"
_ICMP6_FILTER, _SOLICITATION, _ADVERTISEMENT = 1, 135, 136
_TARGET_LINK = 2  # RFC 4861, section 4.6.1
_HOPS = 255  # RFC 4861, section 7.1: an advertisement of fewer has crossed a router
_READS = 64  # frames at a time: a flooded LAN must not hold us up


class _Arp:
    events = select.POLLIN

    def __init__(self, link: Link, gateway: str, own: str) -> None:
        self.name = f"gateway {gateway} (ARP)"
        self.hardware = ""
        self._mac = bytes.fromhex(link.mac.replace(":", ""))
        self._gateway = inet_pton(AF_INET, gateway)
        self._senders = [bytes(4), *([inet_pton(AF_INET, own)] if own else [])]
        kind = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC
        self._socket = socket(AF_PACKET, kind, 0)
        self._socket.bind((link.name, _ETH_ARP))
        self.fileno = self._socket.fileno
        self.close = self._socket.close

    def ask(self) -> None:
        sender = self._senders.pop(0) if len(self._senders) > 1 else self._senders[0]
        self._socket.send(arp_request(self._mac, sender, self._gateway))

    def answered(self) -> bool:
        for _ in range(_READS):
            try:
                frame = self._socket.recv(128)
            except BlockingIOError:
                return False
            if is_reply(frame, self._mac, self._gateway):
                self.hardware = frame[22:28].hex(":")
                return True
        return False


class _Neighbour:
    events = select.POLLIN

    def __init__(self, link: Link, gateway: str) -> None:
        self.name = f"gateway {gateway} (neighbour discovery)"
        self.hardware = ""
        self._gateway = inet_pton(AF_INET6, gateway)
        mac = bytes.fromhex(link.mac.replace(":", ""))
        head = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0)
        self._question = head + self._gateway + link_option(SOURCE_LINK, mac)
        self._group = inet_ntop(AF_INET6, SOLICITED_NODE + self._gateway[-3:])
        self._index = link.index
        self._socket = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6)
        self._socket.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, link.name.encode() + b"\0")
        self._socket.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, _HOPS)
        self._socket.setsockopt(IPPROTO_ICMPV6, _ICMP6_FILTER, _only(_ADVERTISEMENT))
        self._socket.setsockopt(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
        self.fileno = self._socket.fileno
        self.close = self._socket.close

    def ask(self) -> None:
        self._socket.sendto(self._question, (self._group, 0, 0, self._index))

    def answered(self) -> bool:
        for _ in range(_READS):
            try:
                message, control, _, _ = self._socket.recvmsg(256, 64)
            except BlockingIOError:
                return False
            if is_advertisement(message, control, self._gateway):
                self.hardware = advertised(message)
                return True
        return False


def gateway_wire(link: Link, gateway: str, own: str) -> _Arp | _Neighbour:
    """Return the socket that asks a gateway through a link. Raises OSError.

    ``own`` is the address to ask with if it does not answer otherwise, "" for none.
    """
    return _Neighbour(link, gateway) if ":" in gateway else _Arp(link, gateway, own)


def is_reply(frame: bytes, mac: bytes, gateway: bytes) -> bool:
    """Tell whether a frame is the gateway's ARP reply to us: nobody else's counts."""
    return (
        frame[0:6] == mac
        and frame[14:22] == b"\0\1\x08\0\6\4" + _ARP_REPLY
        and frame[28:32] == gateway
        and frame[32:38] == mac
        and len(frame) >= 42
    )


def is_advertisement(message: bytes, control: list[tuple[int, int, bytes]], gateway: bytes) -> bool:
    """Tell whether a message is the gateway's own advertisement, sent on our link."""
    near = any(
        level == IPPROTO_IPV6 and kind == IPV6_HOPLIMIT and data == struct.pack("=i", _HOPS)
        for level, kind, data in control
    )
    return near and message[:1] == bytes([_ADVERTISEMENT]) and message[8:24] == gateway


def advertised(message: bytes) -> str:
    """Return the hardware address that an advertisement tells, "" for none.

    It need not: who asks one neighbour alone knows it already (RFC 4861, section 4.4). Its options
    follow each other, with their lengths in units of 8 octets (section 4.6).
    """
    rest = message[24:]
    while len(rest) >= 8 and rest[1]:
        if rest[0] == _TARGET_LINK and rest[1] == 1:
            return rest[2:8].hex(":")
        rest = rest[rest[1] * 8 :]
    return ""


def _only(kind: int) -> bytes:
    """Return a filter that lets one ICMPv6 type through; a set bit blocks (RFC 3542, 3.2)."""
    blocked = [0xFFFFFFFF] * 8
    blocked[kind >> 5] &= ~(1 << (kind & 31))
    return struct.pack("=8I", *blocked)
