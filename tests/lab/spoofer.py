"""Runs on the LAN's side: says things that must not count, or plays a router. Until input ends.

``spoofer.py KIND`` writes a line once it has begun. The uplink asked is eth0, its port port0.
"""

from __future__ import annotations

import select
import struct
import sys
from socket import AF_INET, AF_INET6, AF_PACKET, SOCK_RAW, htons, inet_pton, socket

_ALL, _PACE = 3, 0.005  # linux/if_ether.h, ETH_P_ALL; seconds
ETH0, ROUTER = bytes.fromhex("020000000010"), bytes.fromhex("020000000100")
OTHER = bytes.fromhex("020000000099")
GATEWAY, STATION, HOST = (inet_pton(AF_INET, f"192.168.1.{n}") for n in (1, 7, 252))
GATEWAY6, OTHER6, HOST6 = (inet_pton(AF_INET6, f"fd00:1::{n}") for n in ("1", "7", "252"))


def arp(operation: int, sender: bytes, *, to: bytes = ETH0, asked: bytes = ETH0) -> bytes:
    """Return an ARP frame from the router's hardware address."""
    head = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return (to + ROUTER + head + ROUTER + sender + asked + HOST).ljust(60, b"\0")


def advertisement(target: bytes, hops: int) -> bytes:
    """Return a neighbour advertisement to eth0's address."""
    message = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + target + b"\2\1" + ROUTER
    pseudo = target + HOST6 + struct.pack("!II", len(message), 58)
    message = message[:2] + checksum(pseudo + message) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), 58, hops) + target + HOST6
    return ETH0 + ROUTER + b"\x86\xdd" + head + message


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


# Each is sent over and over by the port named.
SAYINGS: dict[str, list[tuple[str, bytes]]] = {
    "wrong": [
        ("port0", arp(2, STATION)),
        ("port0", arp(2, GATEWAY)[:40]),
        ("port0", arp(2, GATEWAY)[:20]),
        ("port0", arp(2, STATION).ljust(1400, b"\x08")),
        ("port0", arp(2, GATEWAY, asked=OTHER)),
        ("port0", arp(1, GATEWAY)),
        ("port0", ETH0 + ROUTER + b"\x08\x06"),
        ("port1", arp(2, GATEWAY)),
        ("port1", arp(2, GATEWAY, to=b"\xff" * 6)),
        ("port0", advertisement(GATEWAY6, 64)),
        ("port0", advertisement(OTHER6, 255)),
        ("port0", advertisement(GATEWAY6, 255)[:60]),
    ],
    "right": [("port0", arp(2, GATEWAY)), ("port0", advertisement(GATEWAY6, 255))],
}


def say(kind: str) -> None:
    """Send what a kind consists of, again and again."""
    ports = {name: socket(AF_PACKET, SOCK_RAW) for name in ("port0", "port1")}
    for name, port in ports.items():
        port.bind((name, 0))
    while not select.select([0], [], [], _PACE)[0]:
        for name, frame in SAYINGS[kind]:
            ports[name].send(frame)


def route(source: str, by: int) -> None:
    """Answer for the gateway, and every echo in the name of ``source``, its identifier off."""
    port = socket(AF_PACKET, SOCK_RAW, htons(_ALL))
    port.bind(("port0", _ALL))
    while True:
        if 0 in select.select([0, port.fileno()], [], [])[0]:
            return
        frame = port.recv(2048)
        if frame[6:12] != ETH0:
            continue
        if frame[12:14] == b"\x08\x06" and frame[38:42] == GATEWAY:
            port.send(arp(2, GATEWAY))
        elif frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34] == 8:
            port.send(_echo(frame, inet_pton(AF_INET, source), by))


def _echo(frame: bytes, source: bytes, by: int) -> bytes:
    """Return the reply to an echo request."""
    (identifier,) = struct.unpack_from("!H", frame, 38)
    message = struct.pack("!BBHH", 0, 0, 0, (identifier + by) & 0xFFFF) + frame[40:]
    message = message[:2] + checksum(message + bytes(len(message) % 2)) + message[4:]
    head = frame[14:24] + b"\0\0" + source + frame[26:30]
    head = head[:10] + checksum(head) + head[12:]
    return ETH0 + ROUTER + b"\x08\0" + head + message


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print("begun", flush=True)
    if what == "router":
        route(rest[0], int(rest[1]))
    else:
        say(what)
