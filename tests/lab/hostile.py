"""Runs on the LAN's side: says whatever a hostile host could say, until its input ends.

``hostile.py SEED PREFIXES`` sends router advertisements to each port until so many prefixes were
named there, writes a line, and goes on with all kinds of frames, their fields drawn at random. What
cannot be told from the router itself is left out: ARP and neighbour advertisements in its name.
"""

from __future__ import annotations

import random
import select
import struct
import sys
from socket import AF_INET6, AF_PACKET, SOCK_RAW, inet_pton, socket

PORTS = ("port0", "port1")
LAN = bytes.fromhex("c0a801")  # 192.168.1.
NODES6, NODES = inet_pton(AF_INET6, "ff02::1"), bytes.fromhex("333300000001")
PACE, BURST = 0.02, 12  # seconds; frames
PER_FRAME = 40


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


class Hostile:
    """A host that means ill; every draw is its seed's."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - to be drawn again, not a secret
        self.routers = [self.local() for _ in range(40)]

    def local(self) -> bytes:
        """Return a link-local address that is not the router's."""
        return bytes.fromhex("fe80000000000000") + self.rng.randbytes(7) + b"\x99"

    def mac(self) -> bytes:
        return b"\x06" + self.rng.randbytes(5)

    def icmp6(self, message: bytes, source: bytes, target: bytes = NODES6) -> bytes:
        """Return a frame with an ICMPv6 message to all nodes."""
        pseudo = source + target + struct.pack("!II", len(message), 58)
        message = message[:2] + checksum(pseudo + message) + message[4:]
        head = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + target
        return NODES + self.mac() + b"\x86\xdd" + head + message

    def prefix(self) -> bytes:
        """Return a prefix option (RFC 4861, 4.6.2), mostly one that makes an address."""
        rng = self.rng
        usual = rng.random() < 0.95
        length = 64 if usual else rng.randrange(129)
        flags = 0xC0 if usual else rng.randrange(256)
        valid = rng.choice((7200, 86400, 2**32 - 1)) if usual else rng.randrange(2**32)
        prefix = b"\xfd" + rng.randbytes(7) + (bytes(8) if usual else rng.randbytes(8))
        return struct.pack("!BBBBII4x", 3, 4, length, flags, valid, valid // 2) + prefix

    def advertisement(self, prefixes: int) -> bytes:
        """Return a router advertisement."""
        rng = self.rng
        options = b"".join(self.prefix() for _ in range(prefixes))
        if rng.random() < 0.3:  # a route (RFC 4191)
            options += struct.pack("!BBBBI", 24, 2, 64, rng.choice((0, 8, 24)), 3600)
            options += b"\xfd" + rng.randbytes(7)
        if rng.random() < 0.2:  # name servers (RFC 8106)
            options += struct.pack("!BBHI", 25, 3, 0, 600) + rng.randbytes(16)
        if rng.random() < 0.1:
            options += rng.randbytes(8 * rng.randrange(1, 6))
        lifetime = rng.choice((0, 0, 0, 60, 9000))
        head = struct.pack("!BBHBBHII", 134, 0, 0, 64, rng.choice((0, 8, 24)), lifetime, 0, 0)
        return self.icmp6(head + options, rng.choice(self.routers))

    def neighbour(self) -> bytes:
        """Return a solicitation, an advertisement or a redirect of somebody else's."""
        kind = self.rng.choice((135, 136, 137))
        return self.icmp6(
            struct.pack("!BBHI", kind, 0, 0, self.rng.randrange(2**32))
            + self.local()
            + self.rng.randbytes(8 * self.rng.randrange(4)),
            self.local(),
        )

    def arp(self) -> bytes:
        rng, mac = self.rng, self.mac()
        sender = (
            LAN + bytes([rng.randrange(20, 200)])
            if rng.random() < 0.8
            else b"\x0a" + rng.randbytes(3)
        )
        target = LAN + bytes([rng.randrange(1, 255)])
        operation = rng.choice((1, 1, 2, 2, rng.randrange(65536)))
        head = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
        return (b"\xff" * 6 + mac + head + mac + sender + rng.randbytes(6) + target).ljust(
            60, b"\0"
        )

    def ipv4(self, protocol: int, payload: bytes) -> bytes:
        source = LAN + bytes([self.rng.randrange(20, 200)])
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
        head += source + b"\xff" * 4
        head = head[:10] + checksum(head) + head[12:]
        return b"\xff" * 6 + self.mac() + b"\x08\0" + head + payload

    def icmp(self) -> bytes:
        message = bytes([self.rng.randrange(256), self.rng.randrange(8), 0, 0])
        message += self.rng.randbytes(self.rng.randrange(4, 64))
        return self.ipv4(1, message[:2] + checksum(message) + message[4:])

    def dhcp(self) -> bytes:
        """Return an offer, a lease or a refusal (RFC 2131) with options drawn at random."""
        rng = self.rng
        head = struct.pack("!BBBBIHH", 2, 1, 6, 0, rng.randrange(2**32), 0, 0)
        body = head + rng.randbytes(16) + bytes.fromhex("020000000010") + bytes(10 + 192)
        body += bytes.fromhex("63825363") + bytes([53, 1, rng.choice((2, 5, 6))])
        for _ in range(rng.randrange(20)):
            option = rng.randbytes(rng.randrange(64))
            body += bytes(
                [rng.choice((1, 3, 6, 33, 51, 54, 121, rng.randrange(1, 255))), len(option)]
            )
            body += option
        body += b"\xff"
        return self.ipv4(17, struct.pack("!HHHH", 67, 68, 8 + len(body), 0) + body)

    def frame(self) -> bytes:
        """Return a frame of any kind."""
        kinds = (self.neighbour, self.arp, self.icmp, self.dhcp)
        if self.rng.random() < 0.05:
            return self.advertisement(self.rng.randrange(4))
        return self.rng.choice(kinds)()


def main() -> None:
    seed, prefixes = (int(word) for word in sys.argv[1:])
    hostile = Hostile(seed)
    ports = [socket(AF_PACKET, SOCK_RAW) for _ in PORTS]
    for port, name in zip(ports, PORTS, strict=True):
        port.bind((name, 0))
    named = 0
    while named < prefixes and not select.select([0], [], [], PACE)[0]:
        for _ in range(2):
            frame = hostile.advertisement(PER_FRAME)
            named += PER_FRAME
            for port in ports:
                port.send(frame)
    print("begun", flush=True)
    while not select.select([0], [], [], PACE)[0]:
        for _ in range(BURST):
            frame = hostile.frame()
            for port in ports:
                try:
                    port.send(frame)
                except OSError:  # its cable is out
                    continue


if __name__ == "__main__":
    main()
