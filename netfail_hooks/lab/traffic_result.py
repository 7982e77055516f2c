"""What the traffic showed: datagrams lost, how long none got through, whether TCP lives.

An outage lasts from the sending of the first datagram that did not get through, or was late, to
the next arrival. So it is no outage if a sender stood still on a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Window = tuple[float, float]


@dataclass(frozen=True)
class Flow:
    """One stream of datagrams: how many, how many lost, the longest outage."""

    name: str
    total: int
    lost: int
    outage_ms: float


@dataclass(frozen=True)
class Connection:
    """One TCP connection: its exchanges, the longest wait for an answer, whether it lives."""

    name: str
    exchanges: int
    stall_ms: float
    alive: bool
    error: str


@dataclass(frozen=True)
class Result:
    """What was measured; ``trips`` are the streams once more, there and back."""

    flows: tuple[Flow, ...]
    talks: tuple[Connection, ...]
    trips: tuple[Flow, ...] = ()

    def flow(self, name: str) -> Flow:
        """Return one stream by name."""
        return next(flow for flow in self.flows if flow.name == name)

    def talk(self, name: str) -> Connection:
        """Return one conversation by name."""
        return next(talk for talk in self.talks if talk.name == name)

    def lost(self, name: str = "") -> int:
        """Return the datagrams lost of one stream, or of the worst one."""
        return self.flow(name).lost if name else max(flow.lost for flow in self.flows)

    def trip(self, name: str) -> Flow:
        """Return one stream by name, there and back."""
        return next(trip for trip in self.trips if trip.name == name)

    def unanswered(self, name: str = "") -> int:
        """Return the datagrams of a stream, or of the worst one, to which no answer came."""
        return self.trip(name).lost if name else max(trip.lost for trip in self.trips)

    @property
    def all_alive(self) -> bool:
        """Tell whether each connection survived."""
        return all(talk.alive for talk in self.talks)

    @property
    def stall_ms(self) -> float:
        """Return the longest wait of any connection."""
        return max((talk.stall_ms for talk in self.talks), default=0.0)

    def __str__(self) -> str:
        lines = [
            f"{f.name}: {f.lost} of {f.total} lost, outage {f.outage_ms:.0f} ms" for f in self.flows
        ]
        lines += [
            f"{t.name} and back: {t.lost} of {t.total} lost, outage {t.outage_ms:.0f} ms"
            for t in self.trips
        ]
        lines += [
            f"{t.name}: {'alive' if t.alive else 'dead'} after {t.exchanges} exchanges, "
            f"stall {t.stall_ms:.0f} ms{t.error and ', ' + t.error}"
            for t in self.talks
        ]
        return "\n".join(lines)


def without(whole: Window, excluded: Sequence[Window]) -> Iterator[Window]:
    """Yield what remains of ``whole``, in order."""
    begin, end = whole
    for low, high in sorted(excluded):
        if low > begin:
            yield begin, min(low, end)
        begin = max(begin, high)
    if begin < end:
        yield begin, end


def flow(name: str, tally: dict[str, Any], spans: Sequence[Window], arrival: str = "got") -> Flow:
    """Judge a stream; a datagram counts for the span in which it was sent.

    ``tally``: ``sent`` (seconds, by number); ``got``, and ``answered`` as another ``arrival``
    (pairs of number and seconds).
    """
    sent, got = tally["sent"], dict(tally[arrival])
    total = lost = 0
    outage = 0.0
    for begin, end in spans:
        times = [(when, got.get(number)) for number, when in enumerate(sent) if begin <= when < end]
        total += len(times)
        lost += sum(arrived is None for _, arrived in times)
        outage = max(outage, _outage(times))
    return Flow(name, total, lost, round(outage * 1000, 1))


def _outage(times: Sequence[tuple[float, float | None]]) -> float:
    """Return the longest time in which no datagram that was under way arrived, in seconds.

    ``times``: when each was sent, in order, and when it arrived. Loss at the end counts until the
    last was sent.
    """
    longest, soonest = 0.0, times[-1][0] if times else 0.0
    some = False  # whether any that was sent later arrived
    for when, arrived in reversed(times):
        if arrived is not None:
            soonest, some = min(arrived, soonest) if some else arrived, True
        longest = max(longest, soonest - when)
    return longest


def talk(name: str, tally: dict[str, Any], spans: Sequence[Window], end: float) -> Connection:
    """Judge a conversation; an exchange counts for the span in which its question was asked."""
    exchanges, error = tally["exchanges"], tally["error"]
    waits = [
        (answered or max(end, asked)) - asked
        for asked, answered in exchanges
        if any(low <= asked < high for low, high in spans)
    ]
    alive = not error and bool(exchanges) and exchanges[-1][1] > 0
    return Connection(name, len(waits), round(max(waits, default=0.0) * 1000, 1), alive, error)
