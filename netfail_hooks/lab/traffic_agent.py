"""The part of the traffic in one network: sends, counts, answers, and asks by TCP.

A program by itself: its task is JSON in the first argument, its orders are lines on standard
input (``go``, ``stop``, ``end``), its answers lines on standard output (``ready``, ``flowing``,
``stopped``, then the tallies as JSON). One loop, no threads: a few streams at 200 a second.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

INTERVAL = 0.005
TALK_INTERVAL = 0.01
SETTLE = 1.0  # seconds that a conversation may take for its last answer
_FORM = struct.Struct("!Q")
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78  # linux/in.h, linux/in6.h
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_STAMP = struct.Struct("@ll")  # struct timespec


class Sender:
    """Sends numbered datagrams at a fixed pace; one that the kernel refuses counts as lost.

    ``listen`` is called with the socket by which answers come back.
    """

    def __init__(
        self, task: dict[str, Any], listen: Callable[[socket.socket, Callable[[], None]], object]
    ) -> None:
        self.name = task["name"]
        self._task = task
        self._to = (task["to"], task["port"])
        self._listen = listen
        self._socket: socket.socket | None = None
        self.times: list[float] = []
        self.answers: dict[int, float] = {}

    def due(self, now: float) -> None:
        """Send the next datagram, from a socket that is made once its source address is there."""
        with contextlib.suppress(OSError):
            if self._socket is None:
                self._socket = _socket(self._to[0], socket.SOCK_DGRAM, self._task["source"])
                self._listen(self._socket, self.ready)
            self._socket.sendto(_FORM.pack(len(self.times)), self._to)
        self.times.append(now)

    def ready(self) -> None:
        """Take the answers that have come; an error that came belongs to a datagram sent before."""
        with contextlib.suppress(OSError):
            while self._socket:
                number, _, arrived = receive(self._socket)
                self.answers.setdefault(number, arrived)

    def tally(self) -> dict[str, Any]:
        """Return when each datagram was sent, and when its answer came."""
        return {"sent": self.times, "answered": sorted(self.answers.items())}


class Counter:
    """Counts datagrams that arrive, each number once, and answers each from its destination."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.name = task["name"]
        self.socket = _socket(task["at"], socket.SOCK_DGRAM, task["at"], task["port"], free=True)
        self.got: dict[int, float] = {}

    def ready(self) -> None:
        """Take what has arrived."""
        with contextlib.suppress(BlockingIOError):
            while True:
                number, sender, arrived = receive(self.socket)
                self.got.setdefault(number, arrived)
                with contextlib.suppress(OSError):
                    self.socket.sendto(_FORM.pack(number), sender)

    def tally(self) -> dict[str, Any]:
        """Return when each number arrived."""
        return {"got": sorted(self.got.items())}


class Talker:
    """One TCP connection: a question, its answer, a pause, the next question."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.name = task["name"]
        self._to = (task["to"], task["port"])
        self._task = task
        self._asked = 0.0  # when the open question was asked, 0 for none
        self._next = 0.0
        self.connected = False
        self.error = ""
        self.exchanges: list[tuple[float, float]] = []  # asked, answered
        self.socket = _socket(task["to"], socket.SOCK_STREAM)

    def connect(self) -> None:
        """Begin."""
        if self._task["source"]:
            self._guard(lambda: self.socket.bind((self._task["source"], 0)))
        self._guard(lambda: self.socket.connect(self._to))

    def due(self, now: float) -> None:
        """Ask, if the pause is over and no question is open."""
        if self.connected and not self.error and not self._asked and now >= self._next:
            self._asked = now
            self._guard(lambda: self.socket.send(b"12345678"))

    def ready(self) -> None:
        """Take the answer, or learn that the connection stands or is dead."""
        self._guard(self._read)

    def writable(self) -> None:
        """Note whether connecting failed."""
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.error = f"connect: errno {error}"
        self.connected = not error

    def _read(self) -> None:
        if not self.socket.recv(64):
            self.error = "closed by the other side"
        elif self._asked:
            now = time.monotonic()
            self.exchanges.append((self._asked, now))
            self._asked, self._next = 0.0, self._asked + TALK_INTERVAL

    def _guard(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = self.error or str(error)

    @property
    def settled(self) -> bool:
        """Tell whether nothing is expected any more."""
        return bool(self.error) or not self._asked

    def tally(self) -> dict[str, Any]:
        """Return each exchange, the open one without an answer, and what ended the connection."""
        pending = [(self._asked, 0.0)] if self._asked else []
        return {
            "exchanges": self.exchanges + pending,
            "error": self.error or ("" if self.connected else "never connected"),
        }


class Agent:
    """All roles of one network, and the loop."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.selector = selectors.DefaultSelector()
        self.interval = task.get("interval", INTERVAL)
        self.senders = [Sender(stream, self._listen) for stream in task["send"]]
        self.counters = [Counter(stream) for stream in task["count"]]
        self.talkers = [Talker(connection) for connection in task["talk"]]
        for counter in self.counters:
            self.selector.register(counter.socket, selectors.EVENT_READ, counter.ready)
        for service in task["serve"]:
            listener = _socket(service["at"], socket.SOCK_STREAM, service["at"], service["port"])
            listener.listen()
            accept = partial(self._accept, listener)
            self.selector.register(listener, selectors.EVENT_READ, accept)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._order)
        self.phase = "waiting"
        self.since = 0.0
        self.flowing = False

    def run(self) -> None:
        """Serve until told to end."""
        say("ready")
        due = 0.0
        while self.phase != "ended":
            now = time.monotonic()
            if self.phase == "going" and now >= due:
                # However late, catch up with one datagram only.
                due = max(due + self.interval, now - self.interval)
                for sender in self.senders:
                    sender.due(now)
            if self.phase == "going":
                for talker in self.talkers:
                    talker.due(now)
            self._tell(now)
            wait = max(0.0, due - time.monotonic()) if self.phase == "going" else 0.02
            for key, _ in self.selector.select(wait):
                key.data()
        roles: list[Any] = [*self.senders, *self.counters, *self.talkers]
        print(json.dumps({role.name: role.tally() for role in roles}), flush=True)

    def _listen(self, made: socket.socket, ready: Callable[[], None]) -> None:
        self.selector.register(made, selectors.EVENT_READ, ready)

    def _tell(self, now: float) -> None:
        """Say once that all flows, and once that the last conversation is over."""
        if (
            self.phase != "waiting"
            and not self.flowing
            and (now > self.since + 2 or self._all_flow())
        ):
            self.flowing = True
            say("flowing")
        settled = all(talker.settled for talker in self.talkers)
        if self.phase == "stopping" and (settled or now > self.since + SETTLE):
            self.phase = "stopped"
            say("stopped")

    def _all_flow(self) -> bool:
        received = [
            *(counter.got for counter in self.counters),
            *(counter.answers for counter in self.senders),
        ]
        return all(received) and all(talker.error or talker.exchanges for talker in self.talkers)

    def _order(self) -> None:
        order = sys.stdin.readline().strip()
        self.since = time.monotonic()
        if order == "go":
            self.phase = "going"
            for talker in self.talkers:
                talker.connect()
                if not talker.error:
                    self.selector.register(
                        talker.socket, selectors.EVENT_WRITE, partial(self._connected, talker)
                    )
        elif order == "stop":
            self.phase = "stopping"
        else:  # "end", or the end of the file: our parent is gone
            self.phase = "ended"

    def _connected(self, talker: Talker) -> None:
        talker.writable()
        self.selector.unregister(talker.socket)
        if not talker.error:
            self.selector.register(
                talker.socket, selectors.EVENT_READ, partial(self._heard, talker)
            )

    def _heard(self, talker: Talker) -> None:
        if self.phase != "stopped":  # the other side may end before us, and that is no loss
            talker.ready()
        if talker.error or self.phase == "stopped":
            self.selector.unregister(talker.socket)

    def _accept(self, listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.settimeout(0)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(peer, selectors.EVENT_READ, partial(self._answer, peer))

    def _answer(self, peer: socket.socket) -> None:
        try:
            data = peer.recv(64)
            if data:
                peer.send(data)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(peer)
            peer.close()


def receive(at: socket.socket) -> tuple[int, Any, float]:
    """Return a datagram's number, its sender, and when the kernel had it. Raises OSError.

    The kernel's time of arrival (SO_TIMESTAMPNS in socket(7)): on a busy machine this program may
    read it much later, and the network is not to blame for that.
    """
    data, extras, _, sender = at.recvmsg(_FORM.size, socket.CMSG_SPACE(_STAMP.size))
    now, today = time.monotonic(), time.time()
    waited = 0.0
    for level, kind, stamp in extras:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _STAMP.unpack(stamp)
            waited = max(0.0, today - seconds - nanoseconds / 1e9)
    return _FORM.unpack(data)[0], sender, now - waited


def say(word: str) -> None:
    """Answer our parent."""
    print(word, flush=True)


def _socket(
    other: str, kind: socket.SocketKind, source: str = "", port: int = 0, *, free: bool = False
) -> socket.socket:
    """Return a socket of the address family of ``other``, bound if there is a source or port.

    Raises OSError where the source address is not ours (now), unless it is ``free`` not to be.
    """
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    made = socket.socket(family, kind)
    made.settimeout(0)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if source or port:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if free and family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        elif free:
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        try:
            made.bind((source, port))
        except OSError:
            made.close()
            raise
    return made


if __name__ == "__main__":
    Agent(json.loads(sys.argv[1])).run()
