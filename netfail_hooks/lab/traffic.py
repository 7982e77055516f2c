"""Measure what gets through while something breaks: datagrams every 5 ms, open TCP connections.

    with lab.traffic() as traffic:
        lab.cable_out("eth0")
    assert traffic.result().lost("out") <= 2

Streams: ``out`` (host to a far server, source left to the kernel), ``bound`` (the same from the
first uplink's address), ``gateway`` (host to its router), ``in`` (a neighbour to the first
uplink's address). Each datagram is answered: ``lost`` counts those that did not arrive,
``unanswered`` those whose answer did not. Conversations: ``tcp-out`` (from the first uplink's
address to the far server), ``tcp-in`` (the neighbour to that address). With ``ipv6`` the same
again, as ``out6``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

from netfail_hooks.errors import Problem
from netfail_hooks.lab import topology, traffic_agent
from netfail_hooks.lab.faults import Faults
from netfail_hooks.lab.traffic_result import Result, Window, flow, talk, without

_DRAIN = 0.1  # seconds for datagrams that are under way
_PLACES = ("", "lan", "station")  # network namespaces; "" is the host


class Traffic:
    """A measurement: traffic flows from entering the context until leaving it.

    ``address`` is the host's address that neighbours send to and bound sockets use, by default
    the first uplink's; ``interval`` the seconds between two datagrams of a stream.
    Raises Problem if a part of it does not start.
    """

    def __init__(
        self,
        host: Faults,
        *,
        ipv6: bool = False,
        address: str = "",
        address6: str = "",
        interval: float = traffic_agent.INTERVAL,
    ) -> None:
        self._host = host
        first = next(iter(host.ports.values()))
        self._tasks: dict[str, Any] = {
            place: {**_no_task(), "interval": interval} for place in _PLACES
        }
        self._names: list[str] = []
        self._plan("", topology.FAR, topology.gateway(first.segment), address or first.host)
        if ipv6:
            self._plan(
                "6", topology.FAR6, topology.gateway6(first.segment), address6 or first.host6
            )
        self._agents: dict[str, subprocess.Popen[bytes]] = {}
        self._tallies: dict[str, dict[str, Any]] = {}
        self.window: Window = (0.0, 0.0)

    def _plan(self, suffix: str, far: str, gateway: str, own: str) -> None:
        """Give each network its part of the four streams and two conversations."""
        port = 6000 if suffix else 5000
        every = "::" if suffix else "0.0.0.0"  # noqa: S104 - of a throw-away network
        for number, (name, sender, to, source) in enumerate(
            (
                ("out", "", far, ""),
                ("bound", "", far, own),
                ("gateway", "", gateway, ""),
                ("in", "station", own, ""),
            )
        ):
            receiver = "lan" if sender == "" else ""
            there = {"name": name + suffix, "to": to, "port": port + number, "source": source}
            self._tasks[sender]["send"].append(there)
            here = {"name": name + suffix, "at": to, "port": port + number}
            self._tasks[receiver]["count"].append(here)
            self._names.append(name + suffix)
        for number, (name, caller, to, source) in enumerate(
            (
                ("tcp-out", "", far, own),
                ("tcp-in", "station", own, ""),
            )
        ):
            answerer = "lan" if caller == "" else ""
            there = {"name": name + suffix, "to": to, "port": port + 100 + number, "source": source}
            self._tasks[caller]["talk"].append(there)
            self._tasks[answerer]["serve"].append({"at": every, "port": port + 100 + number})

    def __enter__(self) -> Self:
        for place in _PLACES:
            self._agents[place] = self._host.namespaces.popen(
                [
                    "sh",
                    "-c",
                    'exec "$@" 2>>/run/lab/traffic.log',
                    "sh",
                    sys.executable,
                    "-I",
                    "-S",
                    os.path.abspath(traffic_agent.__file__),
                    json.dumps(self._tasks[place]),
                ],
                netns=place,
            )
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
                raise Problem(
                    f"lab: traffic ended early: {self._host.read('/run/lab/traffic.log')}"
                )

    def _end(self) -> list[bytes]:
        return [agent.communicate()[0] for agent in self._agents.values()]

    def result(self, *, between: Window | None = None, excluding: Sequence[Window] = ()) -> Result:
        """Return what was measured, between two moments (``time.monotonic``) or throughout.

        ``excluding`` leaves spans out, such as one without any uplink.
        """
        spans = list(without(between or self.window, excluding))
        flows = [flow(name, self._tallies[name], spans) for name in self._names]
        trips = [flow(name, self._tallies[name], spans, "answered") for name in self._names]
        talks = [
            talk(name, tally, spans, self.window[1])
            for name, tally in self._tallies.items()
            if name not in self._names
        ]
        return Result(tuple(flows), tuple(talks), tuple(trips))

    def pause(self, between: Window) -> float:
        """Return the longest time in which a stream sent nothing, as on a busy machine, in s."""
        begin, end = between
        sent: list[list[float]] = [self._tallies[name]["sent"] for name in self._names]
        return max(
            late - early
            for times in sent
            for early, late in pairwise(times)
            if early < end and late > begin
        )


def _no_task() -> dict[str, list[dict[str, Any]]]:
    return {"send": [], "count": [], "talk": [], "serve": []}
