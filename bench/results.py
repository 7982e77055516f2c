"""What was measured: samples of each contender and fault, their medians, and the JSON of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True, order=True)
class Outage:
    """An outage in milliseconds; ``over``: it had not ended when we stopped looking."""

    over: bool
    ms: float

    def __str__(self) -> str:
        return f"{'> ' if self.over else ''}{_time(self.ms)}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One fault, once.

    ``new`` is the outage of traffic that may take any address, ``own`` that of traffic from and
    to the first uplink's address; ``lost`` the datagrams lost of the worst stream, of ``total``;
    ``unanswered`` those of the worst stream to which no answer came, -1 where nobody counted.
    """

    contender: str
    fault: str
    new: Outage
    own: Outage
    lost: int
    total: int
    alive: int
    connections: int
    stall_ms: float
    unanswered: int = -1

    @property
    def outage(self) -> Outage:
        """Return the worse of both outages."""
        return max(self.new, self.own)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a contender takes while all is well.

    ``own_mib`` is resident all the time because of it, ``all_mib`` with what it needs besides
    (``needs``); CPU seconds and wake-ups are those of all of it, in an hour, None if not measured.
    """

    contender: str
    own_mib: float
    all_mib: float
    needs: str
    cpu_s: float | None = None
    wakeups: int | None = None


@dataclass(frozen=True, slots=True)
class StartUp:
    """What a hook or check that has nothing to do costs: CPU and wall time, medians."""

    name: str
    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run: where, when, what came of it, who could not run and why, what to know."""

    machine: str
    made: str
    samples: tuple[Sample, ...] = ()
    costs: tuple[Cost, ...] = ()
    startups: tuple[StartUp, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def row(self, contender: str, fault: str) -> Sample | None:
        """Return the medians of a contender and a fault, None if it was not tried."""
        found = [s for s in self.samples if (s.contender, s.fault) == (contender, fault)]
        return median(found) if found else None

    def cost(self, contender: str) -> Cost | None:
        """Return what a contender costs, None if it was not measured."""
        return next((cost for cost in self.costs if cost.contender == contender), None)

    def runs(self, contender: str, fault: str) -> int:
        """Return how often a contender and a fault were measured."""
        return sum((s.contender, s.fault) == (contender, fault) for s in self.samples)


def median(samples: Sequence[Sample]) -> Sample:
    """Return the medians, each of its own: the higher one of an even number."""
    middle = len(samples) // 2
    new, own = (sorted(getattr(s, name) for s in samples)[middle] for name in ("new", "own"))
    lost, total = (sorted(getattr(s, name) for s in samples)[middle] for name in ("lost", "total"))
    stall = sorted(sample.stall_ms for sample in samples)[middle]
    unanswered = sorted(sample.unanswered for sample in samples)[middle]
    # Of connections the lower one: half of them dead is not alive.
    alive = sorted(sample.alive for sample in samples)[(len(samples) - 1) // 2]
    first = samples[0]
    return Sample(
        first.contender,
        first.fault,
        new,
        own,
        lost,
        total,
        alive,
        first.connections,
        stall,
        unanswered,
    )


def merged(parts: Sequence[Results]) -> Results:
    """Return several runs as one; of costs and reasons the last word counts.

    Whoever could not run has a reason, unless another of the runs has samples of it.
    """
    costs = {cost.contender: cost for part in parts for cost in part.costs}
    startups = {one.name: one for part in parts for one in part.startups}
    samples = tuple(sample for part in parts for sample in part.samples)
    observed = [{sample.contender for sample in part.samples} for part in parts]
    notes = {name: note for part in parts for name, note in part.notes}
    absent = {
        name: why
        for place, part in enumerate(parts)
        for name, why in part.absent
        if not any(name in others for others in observed[:place] + observed[place + 1 :])
    }
    return Results(
        "; ".join(dict.fromkeys(part.machine for part in parts)),
        "; ".join(dict.fromkeys(part.made for part in parts)),
        samples,
        tuple(costs.values()),
        tuple(startups.values()),
        tuple(absent.items()),
        tuple(notes.items()),
    )


def dump(results: Results) -> str:
    """Return it as JSON, a sample a line."""
    whole = {"schema": SCHEMA, **asdict(results)}
    lists = {key: value for key, value in whole.items() if isinstance(value, tuple)}
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in whole.items() if k not in lists]
    for key, entries in lists.items():
        inner = ",\n  ".join(json.dumps(entry) for entry in entries)
        lines.append(f" {json.dumps(key)}: [" + (f"\n  {inner}\n ]" if entries else "]"))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(text: str) -> Results:
    """Return what :func:`dump` wrote. Raises ValueError on another schema."""
    whole = json.loads(text)
    if whole.pop("schema") != SCHEMA:
        raise ValueError("made by another version of bench/run")
    return Results(
        whole["machine"],
        whole["made"],
        tuple(_sample(entry) for entry in whole["samples"]),
        tuple(Cost(**entry) for entry in whole["costs"]),
        tuple(StartUp(**entry) for entry in whole["startups"]),
        tuple((name, why) for name, why in whole["absent"]),
        tuple((name, note) for name, note in whole["notes"]),
    )


def _sample(entry: Mapping[str, Any]) -> Sample:
    return Sample(**{**entry, "new": Outage(**entry["new"]), "own": Outage(**entry["own"])})


def _time(ms: float) -> str:
    """Return a time for people."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
