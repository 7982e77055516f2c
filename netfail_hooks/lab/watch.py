"""Watch a lab's default routes: whether there is one at every instant, and by which uplink.

    with lab.watch() as watch:
        lab.cable_out("eth0")
    assert watch.gaps(4) == []
    assert watch.used("wlan0", 4)

The record is the kernel's own, event by event, so a gap of microseconds is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from netfail_hooks.errors import Problem
from netfail_hooks.lab import watch_agent
from netfail_hooks.lab.host import Host
from netfail_hooks.lab.namespaces import until
from netfail_hooks.paths import package_home

Span = tuple[float, float]  # ``time.monotonic`` seconds
Key = tuple[int, int, int]  # a default route: family, metric, interface number
_START = "import sys; sys.path.append({!r}); from {} import main; main()"


@dataclass(frozen=True)
class Moment:
    """The default routes from ``when`` on, and the interfaces that the kernel sends by."""

    when: float
    routes: frozenset[Key]
    links: frozenset[int]

    def best(self, family: int) -> int:
        """Return the number of the interface that default routes of a family lead to, 0: none."""
        usable = [r for r in self.routes if r[0] == family and r[2] in self.links]
        return min(usable, key=lambda route: route[1])[2] if usable else 0


class Watch:
    """A record of the host's default routes, from entering the context until leaving it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._names: dict[int, str] = {}
        self._agent: subprocess.Popen[bytes] | None = None
        self._log = f"{host.root}/run/lab/watch.{id(self)}"
        self.moments: tuple[Moment, ...] = ()
        self._end = 0.0

    def __enter__(self) -> Self:
        start = _START.format(package_home(), watch_agent.__name__)
        with open(self._log, "wb") as log:
            self._agent = self._host.namespaces.popen(
                [sys.executable, "-IS", "-c", start], output=log
            )
        self._note_names()
        until(lambda: os.path.getsize(self._log) > 0, "the kernel's first message")
        return self

    def __exit__(self, *_: object) -> None:
        self._note_names()
        assert self._agent is not None  # noqa: S101 - __enter__ has set it
        self._agent.communicate()
        with open(self._log, encoding="utf-8") as log:
            record = log.read()
        if self._agent.returncode:
            raise Problem(f"lab: watch ended early: {record}")
        entries = [json.loads(line) for line in record.splitlines()]
        self._end = entries[-1][0]
        self.moments = tuple(story(entries))

    def gaps(self, family: int) -> list[Span]:
        """Return the spans without any usable default route."""
        return self._spans(family, {0})

    def used(self, interface: str, family: int) -> list[Span]:
        """Return the spans in which the default route led to an interface."""
        return self._spans(
            family, {number for number, name in self._names.items() if name == interface}
        )

    def _spans(self, family: int, numbers: set[int]) -> list[Span]:
        ends = [moment.when for moment in self.moments[1:]] + [self._end]
        spans: list[Span] = []
        for moment, end in zip(self.moments, ends, strict=True):
            if moment.best(family) not in numbers:
                continue
            if spans and spans[-1][1] == moment.when:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((moment.when, end))
        return spans

    def _note_names(self) -> None:
        shown = self._host.run("ip", "-json", "link")
        self._names |= {link["ifindex"]: link["ifname"] for link in json.loads(shown.stdout)}


def story(entries: Sequence[Sequence[Any]]) -> Iterator[Moment]:
    """Yield a moment for each entry of the agent's record. Pure."""
    routes: frozenset[Key] = frozenset()
    links: frozenset[int] = frozenset()
    for when, kind, *rest in entries:
        if kind == "all":
            routes = frozenset((family, metric, number) for family, metric, number in rest[0])
            links = frozenset(number for number, usable in rest[1] if usable)
        elif kind == "link":
            links = links | {rest[0]} if rest[1] else links - {rest[0]}
        else:
            new, family, metric, number, replaces = rest
            key = (family, metric, number)
            if new and replaces:
                routes = frozenset(r for r in routes if r[:2] != key[:2])
            routes = routes | {key} if new else routes - {key}
        yield Moment(when, routes, links)
