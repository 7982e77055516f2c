"""Ask targets all the time, by whichever uplink the kernel takes, and note which that is.

An echo twenty times a second, a TCP connection whose other side has to say each second that it is
there (keep-alive, tcp(7)), and the kernel's own answer which way packets would go.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Self

from netfail_hooks.config import Target
from netfail_hooks.kernel.lookup import look_up
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.lab.traffic_result import Window, flow
from netfail_hooks.probe.targets import is_echo_reply
from netfail_hooks.recorder.drills import Flow

STEP = 0.05  # seconds between two echoes
_LAST = 1.0  # seconds for an answer that is under way
_KINDS = {4: (socket.AF_INET, socket.IPPROTO_ICMP, 8), 6: (socket.AF_INET6, 58, 128)}
_LAST_ACK = 8 + 12 * 4  # tcpi_last_ack_recv in struct tcp_info, linux/tcp.h
_CONNECTS = 2.0  # seconds for the other side to accept


class _Echo:
    """A stream of echoes."""

    def __init__(self, target: Target) -> None:
        self.target = target
        family, protocol, self._kind = _KINDS[target.family]
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self.socket = socket.socket(family, kind, protocol)
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self.sent: list[float] = []
        self.answered: dict[int, float] = {}

    def ask(self) -> None:
        number = len(self.sent) & 0xFFFF
        head = struct.pack("!BBHHH", self._kind, 0, 0, self._identifier, number)
        if self.target.family == 4:  # of ICMPv6 the kernel makes the sum (RFC 3542, section 3.1)
            head = head[:2] + struct.pack("!H", checksum(head)) + head[4:]
        self.sent.append(time.monotonic())
        with contextlib.suppress(OSError):  # what cannot be sent is lost
            self.socket.sendto(head, (self.target.address, 0))

    def hear(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, (sender, *_) = self.socket.recvfrom(256)
                mine = is_echo_reply(packet, self.target.family, self._identifier, len(self.sent))
                if mine and sender.partition("%")[0] == self.target.address:
                    at = packet[0] % 16 * 4 if self.target.family == 4 else 0
                    number = int.from_bytes(packet[at + 6 : at + 8], "big")
                    self.answered.setdefault(number, time.monotonic())

    def flow(self, fault: Window, back: Window) -> Flow:
        tally = {"sent": self.sent, "answered": self.answered.items()}
        found = flow("echo", tally, [fault], "answered")
        later = flow("echo", tally, [back], "answered")
        outage = round(found.outage_ms)
        return Flow("echo", self.target.address, found.total, found.lost, outage, later.lost)

    def answers(self, since: float, until: float) -> bool:
        """Tell whether an answer came in a span of time."""
        return any(since <= when < until for when in self.answered.values())


class _Connection:
    """A TCP connection that is held open. Raises OSError where it is not accepted."""

    def __init__(self, target: Target) -> None:
        self.target = target
        family = socket.AF_INET if target.family == 4 else socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self.socket.settimeout(_CONNECTS)
            self.socket.connect((target.address, target.port))
            self.socket.settimeout(0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
                self.socket.setsockopt(socket.IPPROTO_TCP, option, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 127)
        except OSError:
            self.socket.close()
            raise
        self.alive, self.stall = True, 0

    def look(self) -> None:
        """Note how long the other side has said nothing, and whether the connection ended."""
        if not self.alive:
            return
        told = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_ACK + 4)
        silent = int.from_bytes(told[_LAST_ACK:], sys.byteorder)
        self.stall = max(self.stall, silent)
        try:
            self.alive = self.socket.recv(4096) != b""
        except BlockingIOError:
            pass
        except OSError:
            self.alive = False

    def flow(self) -> Flow:
        return Flow("tcp", str(self.target), 1, int(not self.alive), self.stall, alive=self.alive)


class Traffic:
    """What flows from entering the context until leaving it.

    ``destinations`` are addresses by family for which to look up the way; ``moved`` is called with
    a family and the interface whenever that is another one.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        destinations: dict[int, str],
        moved: Callable[[int, str], None],
    ) -> None:
        self._destinations, self._moved = destinations, moved
        self._echoes = [_Echo(target) for target in targets if not target.port]
        self._connections: list[_Connection] = []
        for target in targets:
            if target.port:
                with contextlib.suppress(OSError):
                    self._connections.append(_Connection(target))
        self.ways: dict[int, list[tuple[float, str]]] = {family: [] for family in destinations}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for echo in self._echoes:
            echo.socket.close()
        for connection in self._connections:
            connection.socket.close()

    def flows(self, fault: Window, back: Window) -> tuple[Flow, ...]:
        """Return what was lost in the time with the fault, and on the way back."""
        echoes = [echo.flow(fault, back) for echo in self._echoes]
        return (*echoes, *(connection.flow() for connection in self._connections))

    def silent(self, since: float, until: float) -> tuple[str, ...]:
        """Return the targets of which no answer came in a span of time."""
        return tuple(echo.target.address for echo in self._echoes if not echo.answers(since, until))

    def way(self, family: int) -> str:
        """Return which interface the kernel sends by now, "" for none."""
        return self.ways[family][-1][1] if self.ways[family] else ""

    def _work(self) -> None:
        due, last = 0.0, 0.0
        with Netlink() as netlink:
            while not last or time.monotonic() < last:
                if self._ended.is_set() and not last:
                    last = time.monotonic() + _LAST
                now = time.monotonic()
                if now >= due and not last:
                    due = max(due + STEP, now)
                    for echo in self._echoes:
                        echo.ask()
                    for connection in self._connections:
                        connection.look()
                self._look_up(netlink)
                ready, _, _ = select.select([e.socket for e in self._echoes], [], [], STEP / 5)
                for echo in self._echoes:
                    if echo.socket in ready:
                        echo.hear()

    def _look_up(self, netlink: Netlink) -> None:
        for family, destination in self._destinations.items():
            try:
                found = look_up(netlink, family, destination)
            except OSError:
                continue
            name, known = found.interface if found else "", self.ways[family]
            if not known or known[-1][1] != name:
                known.append((time.monotonic(), name))
                self._moved(family, name)


def checksum(data: bytes) -> int:
    """Return the sum that ICMP has of a message of an even length (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
