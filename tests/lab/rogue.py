"""Runs on the LAN's side: a DHCP server that means ill, and whose leases are taken.

``rogue.py SEED PORT`` answers whoever asks at a port until its input ends, with options drawn at
random (RFC 2131, RFC 2132, RFC 3442): leases of seconds, another router each time, networks and
MTUs that make no sense, routes by the hundred, names that no terminal should see. It leads nobody
to FAR: where a machine is told to send that, it sends it.
"""

from __future__ import annotations

import random
import select
import struct
import sys
from socket import AF_PACKET, SOCK_RAW, socket

ETH_P_ALL = 3  # a bridge takes what its ports hear before others have their turn
ROUTER, CLIENT = bytes([192, 168, 1, 1]), bytes([192, 168, 1, 252])
COOKIE = bytes.fromhex("63825363")
SERVER_PORT, CLIENT_PORT = 67, 68
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
MOST = 8500  # bytes of options: a jumbo frame's


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def option(kind: int, data: bytes) -> bytes:
    """Return an option, a long one in several that belong together (RFC 3396)."""
    parts = [data[at : at + 252] for at in range(0, len(data), 252)] or [b""]
    return b"".join(bytes([kind, len(part)]) + part for part in parts)


class Rogue:
    """A server that means ill; every draw is its seed's."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - to be drawn again, not a secret

    def router(self) -> bytes:
        """Return the true router, or one that is mute, not of this LAN, or no router at all."""
        rng = self.rng
        odd = (bytes([10, 99, 0, 1]), CLIENT, bytes(4), b"\xff" * 4, rng.randbytes(4))
        mute = bytes([192, 168, 1, rng.randrange(200, 250)])
        return rng.choice((ROUTER, ROUTER, ROUTER, mute, rng.choice(odd)))

    def routes(self) -> bytes:
        """Return classless routes (RFC 3442) to private networks, and at times to all.

        The bits of a host are none: networkd 252 would ask the kernel for such a route as it is, be
        refused, and set the whole link up no more (SETTING "failed"), its IPv6 included.
        """
        rng = self.rng
        number = rng.choice((0, 0, 3, 100, 1200))
        found = bytes([0]) + self.router() if number and rng.random() < 0.7 else b""
        for _ in range(number):
            length = rng.choice((12, 16, 24, 24, 32))
            network = (10 << 24 | rng.getrandbits(24)) >> 32 - length << 32 - length
            found += bytes([length]) + struct.pack("!I", network)[: (length + 7) // 8]
            found += self.router()
        return found

    def text(self) -> bytes:
        """Return a name with what no terminal should see."""
        rng = self.rng
        kinds = (b"\x1b]0;owned\x07", b"\x1b[2J", b"host\n", b"\xe2\x80\xae", rng.randbytes(20))
        return rng.choice((b"lan", rng.choice(kinds) + b".lan"))

    def options(self) -> bytes:
        """Return what a lease brings along."""
        rng = self.rng
        found = option(
            51, struct.pack("!I", rng.choice((2, 2, 2, 4, 4, 4, 8, 8, 8, 3600, 0, 2**32 - 1)))
        )
        mask = rng.choice((24, 24, 24, 24, 8, 31, 32, 0))
        found += option(1, struct.pack("!I", 0xFFFFFFFF << 32 - mask & 0xFFFFFFFF))
        found += option(3, b"".join(self.router() for _ in range(rng.choice((1, 1, 2, 40)))))
        if rng.random() < 0.5:
            found += option(26, struct.pack("!H", rng.choice((0, 68, 576, 1280, 1500, 65535))))
        if rng.random() < 0.5:
            found += option(6, rng.randbytes(4 * rng.randrange(1, 60)))
        for kind in (12, 15, 119):
            if rng.random() < 0.5:
                found += option(kind, self.text())
        if rng.random() < 0.3:
            found += option(33, b"".join(b"\x0a" + rng.randbytes(7) for _ in range(30)))
        if routes := self.routes():
            found += option(121, routes)
        for _ in range(rng.randrange(4)):
            found += option(rng.randrange(128, 254), rng.randbytes(rng.randrange(200)))
        return found[:MOST]

    def answer(self, asked: bytes) -> bytes:
        """Return the frame that answers a client's, b"" for none."""
        at = 14 + (asked[14] & 15) * 4
        ports, body = asked[at : at + 4], asked[at + 8 :]
        kind = body.find(b"\x35\x01", 240)  # its first option is which message it is
        if asked[23] != 17 or ports[2:] != struct.pack("!H", SERVER_PORT) or kind < 0:
            return b""
        message = {DISCOVER: OFFER, REQUEST: ACK}.get(body[kind + 2], 0)
        if message == ACK and self.rng.random() < 0.1:
            message = NAK
        if not message or len(body) < 240:
            return b""
        head = b"\x02\x01\x06\0" + body[4:8] + bytes(8) + CLIENT + bytes(8) + body[28:44]
        head += bytes(192) + COOKIE + option(53, bytes([message])) + option(54, ROUTER)
        data = head + (b"" if message == NAK else self.options()) + b"\xff"
        udp = struct.pack("!HHHH", SERVER_PORT, CLIENT_PORT, 8 + len(data), 0) + data
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
        ip += ROUTER + b"\xff" * 4
        ip = ip[:10] + checksum(ip) + ip[12:]
        return body[28:34] + bytes.fromhex("020000000199") + b"\x08\0" + ip + udp


def main() -> None:
    seed, name = sys.argv[1:]
    rogue, port = Rogue(int(seed)), socket(AF_PACKET, SOCK_RAW)
    port.bind((name, ETH_P_ALL))
    print("begun", flush=True)
    leases = 0
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(port, select.POLLIN)
    while 0 not in dict(poll.poll()):
        try:
            if frame := rogue.answer(port.recv(1 << 16)):
                leases += port.send(frame) > 0
        except OSError:  # its cable is out
            continue
    print(leases, flush=True)


if __name__ == "__main__":
    main()
