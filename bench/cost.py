"""What a contender takes while all is well: memory, CPU and wake-ups.

Each has a machine booted by systemd. CPU is all that ran there in a rest: the service manager and
what it reaps, so all that it starts, journal, bus, network manager, dispatcher, daemons. Kernel
threads are the whole computer's, and not in it. Memory and wake-ups are those of the contender's
daemons, and of rounds, which are run by themselves and multiplied. What bonds take is not measured
so: where a kernel lacks them they run in another (uml.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contenders import Contender
from bench.results import Cost, StartUp
from bench.stage import Stage
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text

_HOUR = 3600
_SETTLE, _SETTLED = 3.0, 30.0  # seconds: a look at what daemons still do at their start, all looks
_CALM = 12  # switches of a process in a look, at most
_RUNS = 10  # of a round
_STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "startup")
# Runs a command once, which may compile the config, then a few times; prints the switches of one
# run, by getrusage(2).
_ROUND = """
import os, resource, sys
runs, argv = int(sys.argv[1]), sys.argv[2:]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_nvcsw + usage.ru_nivcsw
def run():
    os.waitpid(os.posix_spawnp(argv[0], argv, os.environ, file_actions=quiet), 0)
run()
before = used()
for _ in range(runs):
    run()
print((used() - before) / runs)
"""


@dataclass(frozen=True, slots=True)
class _Used:
    """What processes have used since they began, and what they hold."""

    cpu_s: float
    switches: int
    mib: float


def measure(contenders: Sequence[Contender], seconds: int) -> list[Cost]:
    """Measure everybody's rest, all at once; of bonds what they hold. Raises Problem.

    A multiple of a timer's period has each round in it that belongs there.
    """
    bonds = [one for one in contenders if one.bond]
    others = [one for one in contenders if not one.bond]
    with _resting(others, booted=True) as pairs:
        before = _settled(pairs)
        all_before = [_whole_cpu(stage) for _, stage in pairs]
        time.sleep(seconds)
        all_after = [_whole_cpu(stage) for _, stage in pairs]
        hour = _HOUR / seconds
        costs = [
            replace(_cost(contender, stage, was, seconds), cpu_s=round((after - earlier) * hour, 1))
            for (contender, stage), was, earlier, after in zip(
                pairs, before, all_before, all_after, strict=True
            )
        ]
    return costs + (state(bonds) if bonds else [])


def state(contenders: Sequence[Contender]) -> list[Cost]:
    """Measure what everybody holds at rest, and no more. Raises Problem."""
    with _resting(contenders, booted=False) as pairs:
        return [
            _held(contender, stage, held)
            for (contender, stage), held in zip(pairs, _settled(pairs), strict=True)
        ]


@contextlib.contextmanager
def _resting(
    contenders: Sequence[Contender], *, booted: bool
) -> Iterator[list[tuple[Contender, Stage]]]:
    with contextlib.ExitStack() as stack:
        pairs = [(contender, stack.enter_context(Stage(booted=booted))) for contender in contenders]
        for contender, stage in pairs:
            contender.prepare(stage)
        yield pairs


def _settled(pairs: Sequence[tuple[Contender, Stage]]) -> list[dict[int, _Used]]:
    """Wait until no daemon does what it does at its start; return what each had used by then."""
    end = time.monotonic() + _SETTLED
    now = [_processes(contender, stage) for contender, stage in pairs]
    while True:
        before = now
        time.sleep(_SETTLE)
        now = [_processes(contender, stage) for contender, stage in pairs]
        calm = all(
            used.switches - was[pid].switches <= _CALM
            for was, new in zip(before, now, strict=True)
            for pid, used in new.items()
            if pid in was
        )
        if calm or time.monotonic() > end:
            return now


def _cost(contender: Contender, stage: Stage, before: Mapping[int, _Used], seconds: int) -> Cost:
    now = _processes(contender, stage)
    stayed = [pid for pid in now if pid in before]
    switches = sum(now[pid].switches - before[pid].switches for pid in stayed) * _HOUR / seconds
    if contender.rounds:
        often = contender.rounds * _HOUR / (contender.every or contender.period)
        switches += often * _round(contender, stage)
    held = _held(contender, stage, {pid: now[pid] for pid in stayed})
    return replace(held, wakeups=round(switches))


def _held(contender: Contender, stage: Stage, now: Mapping[int, _Used]) -> Cost:
    own = {pid for name in contender.resident for pid in _tree(stage, name)}
    return Cost(
        contender.key,
        round(sum(used.mib for pid, used in now.items() if pid in own), 1),
        round(sum(used.mib for used in now.values()), 1),
        ", ".join(contender.needs),
    )


def _processes(contender: Contender, stage: Stage) -> dict[int, _Used]:
    """Return what each process of a contender has used, and of what it needs."""
    names = (*contender.resident, *contender.needs)
    found = {pid: _used(stage, pid) for name in names for pid in _tree(stage, name)}
    return {pid: used for pid, used in found.items() if used is not None}


def _tree(stage: Stage, name: str) -> list[int]:
    """Return a daemon's process and those below it."""
    parents = {}
    for entry in os.listdir(f"{stage.lab.root}/proc"):
        stat = read_text(f"{stage.lab.root}/proc/{entry}/stat") if entry.isdigit() else ""
        if stat:
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found = [stage.pid(name)]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _used(stage: Stage, pid: int) -> _Used | None:
    """Return what a process has used; None if it has ended."""
    place = f"{stage.lab.root}/proc/{pid}"
    try:
        tasks = os.listdir(f"{place}/task")
    except FileNotFoundError:
        return None
    nanoseconds = switches = 0
    for task in tasks:
        nanoseconds += int((read_text(f"{place}/task/{task}/schedstat").split() or ["0"])[0])
        status = read_text(f"{place}/task/{task}/status").splitlines()
        switches += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    resident = [line for line in read_text(f"{place}/status").splitlines() if "VmRSS" in line]
    kibibytes = int(resident[0].split()[1]) if resident else 0
    return _Used(nanoseconds / 1e9, switches, kibibytes / 1024)


def _whole_cpu(stage: Stage) -> float:
    """Return the CPU seconds of all that runs on a machine, and of what has ended there.

    Nanoseconds of whoever runs; of whom they have reaped, ticks of 10 ms (proc(5), ``cutime``).
    """
    seconds = 0.0
    for entry in os.listdir(f"{stage.lab.root}/proc"):
        stat = read_text(f"{stage.lab.root}/proc/{entry}/stat") if entry.isdigit() else ""
        used = _used(stage, int(entry)) if stat else None
        if used:
            reaped = sum(int(ticks) for ticks in stat.rpartition(")")[2].split()[13:15])
            seconds += used.cpu_s + reaped / os.sysconf("SC_CLK_TCK")
    return seconds


def _round(contender: Contender, stage: Stage) -> float:
    """Return the switches of one round. Raises Problem."""
    argv = [sys.executable, "-I", "-S", "-c", _ROUND, str(_RUNS), *contender.a_round(stage)]
    done = stage.lab.run(*argv, seconds=60)
    if done.returncode:
        raise Problem(f"a round of {contender.title}: {done.stderr.strip()}")
    return float(done.stdout)


def startups() -> list[StartUp]:
    """Return what bench/startup tells. Raises Problem."""
    command = [sys.executable, _STARTUP, "--json", "-n", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"bench/startup: {done.stderr.strip()}")
    return [StartUp(one["name"], one["cpu_ms"], one["wall_ms"]) for one in json.loads(done.stdout)]
