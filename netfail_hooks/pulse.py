"""What gets through while something breaks: datagrams every 5 ms, and open TCP connections.

    with lab.pulse() as pulse:
        lab.cable_out("eth0")
    assert pulse.result().lost("out") <= 2

Streams: ``out`` (host to a far server, source left to the kernel), ``bound`` (the same from the
first uplink's address), ``gateway`` (host to its router), ``in`` (a neighbour to the first
uplink's address). Conversations: ``tcp-out`` (from the first uplink's address to the far
server), ``tcp-in`` (the neighbour to that address). With ``ipv6`` the same again, as ``out6``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from netfail_hooks import pulse_agent, sandbox_lan
from netfail_hooks.errors import Problem

if TYPE_CHECKING:
    from netfail_hooks.sandbox import Lab

Window = tuple[float, float]
_DRAIN = 0.1  # seconds for what is under way
_PLACES = ("", "lan", "station")  # network namespaces; "" is the host


@dataclass(frozen=True)
class Flow:
    """One stream of datagrams: how many, how many lost, the longest silence beyond the pace."""

    name: str
    total: int
    lost: int
    outage_ms: float


@dataclass(frozen=True)
class Talk:
    """One TCP connection: its exchanges, the longest wait for an answer, whether it lives."""

    name: str
    exchanges: int
    stall_ms: float
    alive: bool
    error: str


@dataclass(frozen=True)
class Result:
    """What a pulse measured."""

    flows: tuple[Flow, ...]
    talks: tuple[Talk, ...]

    def flow(self, name: str) -> Flow:
        """Return one stream by name."""
        return next(flow for flow in self.flows if flow.name == name)

    def talk(self, name: str) -> Talk:
        """Return one conversation by name."""
        return next(talk for talk in self.talks if talk.name == name)

    def lost(self, name: str = "") -> int:
        """Return the datagrams lost of one stream, or of the worst one."""
        return self.flow(name).lost if name else max(flow.lost for flow in self.flows)

    @property
    def all_alive(self) -> bool:
        """Tell whether each connection survived."""
        return all(talk.alive for talk in self.talks)

    @property
    def stall_ms(self) -> float:
        """Return the longest wait of any connection."""
        return max((talk.stall_ms for talk in self.talks), default=0.0)

    def __str__(self) -> str:
        lines = [f"{f.name}: {f.lost} of {f.total} lost, outage {f.outage_ms:.0f} ms"
                 for f in self.flows]  # fmt: skip
        lines += [f"{t.name}: {'alive' if t.alive else 'dead'} after {t.exchanges} exchanges, "
                  f"stall {t.stall_ms:.0f} ms{t.error and ', ' + t.error}"
                  for t in self.talks]  # fmt: skip
        return "\n".join(lines)


class Pulse:
    """A measurement: flows from entering the context until leaving it.

    ``address`` is the host's address that neighbours send to and bound sockets use, by default
    the first uplink's; ``interval`` the seconds between two datagrams of a stream.
    Raises Problem if a part of it does not start.
    """

    def __init__(
        self, lab: Lab, *, ipv6: bool = False, address: str = "", address6: str = "",
        interval: float = pulse_agent.INTERVAL,
    ) -> None:  # fmt: skip
        self._lab = lab
        first = next(iter(lab.plugs.values()))
        self._interval = interval
        self._tasks: dict[str, Any] = {
            place: {**_no_task(), "interval": interval} for place in _PLACES
        }
        self._names: list[str] = []
        self._plan("", sandbox_lan.FAR, sandbox_lan.gateway(first.segment), address or first.host)
        if ipv6:
            self._plan("6", sandbox_lan.FAR6, sandbox_lan.gateway6(first.segment),
                       address6 or first.host6)  # fmt: skip
        self._agents: dict[str, subprocess.Popen[bytes]] = {}
        self._tallies: dict[str, dict[str, Any]] = {}
        self.window: Window = (0.0, 0.0)

    def _plan(self, suffix: str, far: str, gateway: str, own: str) -> None:
        """Give each network its part of the four streams and two conversations."""
        port = 6000 if suffix else 5000
        every = "::" if suffix else "0.0.0.0"  # noqa: S104 - of a throw-away network
        for number, (name, sender, to, source) in enumerate((
            ("out", "", far, ""),
            ("bound", "", far, own),
            ("gateway", "", gateway, ""),
            ("in", "station", own, ""),
        )):  # fmt: skip
            receiver = "lan" if sender == "" else ""
            there = {"name": name + suffix, "to": to, "port": port + number, "source": source}
            self._tasks[sender]["send"].append(there)
            here = {"name": name + suffix, "at": every, "port": port + number}
            self._tasks[receiver]["count"].append(here)
            self._names.append(name + suffix)
        for number, (name, caller, to, source) in enumerate((
            ("tcp-out", "", far, own),
            ("tcp-in", "station", own, ""),
        )):  # fmt: skip
            answerer = "lan" if caller == "" else ""
            there = {"name": name + suffix, "to": to, "port": port + 100 + number,
                     "source": source}  # fmt: skip
            self._tasks[caller]["talk"].append(there)
            self._tasks[answerer]["serve"].append({"at": every, "port": port + 100 + number})

    def __enter__(self) -> Self:
        for place in _PLACES:
            self._agents[place] = self._lab.holder.popen(
                ["sh", "-c", 'exec "$@" 2>>/run/lab/pulse.log', "sh", sys.executable, "-I", "-S",
                 os.path.abspath(pulse_agent.__file__), json.dumps(self._tasks[place])],
                netns=place,
            )  # fmt: skip
        try:
            self._all(None, "ready")
            self._all("go", "flowing")
        except Problem:
            self._end()
            raise
        self.window = (time.monotonic(), 0.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.window = (self.window[0], time.monotonic())
        if kind is not None:
            self._end()
            return
        self._all("stop", "stopped")
        time.sleep(_DRAIN)
        for line in self._end():
            for name, tally in json.loads(line or "{}").items():
                self._tallies.setdefault(name, {}).update(tally)

    def _all(self, order: str | None, answer: str) -> None:
        """Give every agent an order and wait for its answer."""
        for agent in self._agents.values():
            assert agent.stdin is not None  # noqa: S101 - tells mypy what PIPE means
            if order is not None:
                agent.stdin.write(f"{order}\n".encode())
                agent.stdin.flush()
        for agent in self._agents.values():
            assert agent.stdout is not None  # noqa: S101 - the same
            if agent.stdout.readline() != f"{answer}\n".encode():
                raise Problem(f"lab: pulse ended early: {self._lab.read('/run/lab/pulse.log')}")

    def _end(self) -> list[bytes]:
        return [agent.communicate()[0] for agent in self._agents.values()]

    def result(
        self, *, between: Window | None = None, excluding: Sequence[Window] = ()
    ) -> Result:
        """Return what was measured, between two moments (``time.monotonic``) or throughout.

        ``excluding`` leaves spans out, such as one without any uplink.
        """
        spans = list(_without(between or self.window, excluding))
        flows, talks = [], []
        for name, tally in self._tallies.items():
            if name in self._names:
                flows.append(_flow(name, tally, self._interval, spans))
            else:
                talks.append(_talk(name, tally, spans, self.window[1]))
        order = {name: place for place, name in enumerate(self._names)}
        return Result(tuple(sorted(flows, key=lambda flow: order[flow.name])), tuple(talks))


def _no_task() -> dict[str, list[dict[str, Any]]]:
    return {"send": [], "count": [], "talk": [], "serve": []}


def _without(whole: Window, excluded: Sequence[Window]) -> Iterator[Window]:
    """Yield what remains of ``whole``, in order."""
    begin, end = whole
    for low, high in sorted(excluded):
        if low > begin:
            yield begin, min(low, end)
        begin = max(begin, high)
    if begin < end:
        yield begin, end


def _flow(name: str, tally: dict[str, Any], pace: float, spans: list[Window]) -> Flow:
    sent, got = tally["sent"], dict(tally["got"])
    total = lost = 0
    outage = 0.0
    for begin, end in spans:
        numbers = [number for number, when in enumerate(sent) if begin <= when < end]
        arrivals = sorted(got[number] for number in numbers if number in got)
        total += len(numbers)
        lost += len(numbers) - len(arrivals)
        if numbers:
            marks = [begin, *arrivals, max(sent[numbers[-1]], *arrivals[-1:], begin)]
            silence = max(b - a for a, b in pairwise(marks))
            outage = max(outage, silence - pace)
    return Flow(name, total, lost, round(max(0.0, outage) * 1000, 1))


def _talk(name: str, tally: dict[str, Any], spans: list[Window], end: float) -> Talk:
    """Judge a conversation; an exchange counts for the span in which its question was asked."""
    exchanges, error = tally["exchanges"], tally["error"]
    waits = [
        (answered or max(end, asked)) - asked
        for asked, answered in exchanges
        if any(low <= asked < high for low, high in spans)
    ]
    alive = not error and bool(exchanges) and exchanges[-1][1] > 0
    return Talk(name, len(waits), round(max(waits, default=0.0) * 1000, 1), alive, error)
