"""A whole run: every contender, every fault, as often as asked, and what it all costs."""

from __future__ import annotations

import compileall
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench import cost
from bench.contenders import Contender
from bench.faults import FAULTS, Fault
from bench.machine import machine
from bench.measure import Patience, measure
from bench.results import Cost, Results, Sample
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.paths import package_home

_PROBING = "/proc/sys/net/ipv4/neigh/default/interval_probe_time_ms"
_ALIKE = (0, 1000)  # of those that rest beside each other
QUICK = Patience(told=8, untold=7, back=20, least=2.5)
THOROUGH = Patience(told=20, untold=80, back=30, least=12)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure; ``rest``: seconds for what it costs, 0 for not.

    ``at_once`` is how many hosts may be there at a time: each is idle but for its traffic.
    """

    contenders: Sequence[Contender]
    faults: Sequence[Fault] = FAULTS
    patience: Patience = QUICK
    repeat: int = 1
    back: bool = True
    rest: int = 0
    at_once: int = 1


@contextlib.contextmanager
def probing(milliseconds: int) -> Iterator[None]:
    """Have the kernel turn to the neighbours that it watches so often meanwhile; 0: as it does.

    Install sets that, but the setting is the machine's: a lab has none (neigh_sysctl_register() in
    net/core/neighbour.c). No neighbour of the machine's own is watched, so nothing is asked more.
    """
    former = read_text(_PROBING).strip()
    if not milliseconds or not former:
        yield
        return
    _set(str(milliseconds))
    time.sleep(int(former) / 1000)  # the turn that was waited for already
    try:
        yield
    finally:
        _set(former)


def _set(milliseconds: str) -> None:
    with open(_PROBING, "w", encoding="ascii") as setting:
        setting.write(milliseconds)


def compiled() -> None:
    """Make byte code, as pip and a package's installation do; a lab's file system is read-only.

    Without it a hook and a check take twice as long and thrice the CPU time (docs/how/speed.md).
    """
    compileall.compile_dir(os.path.join(package_home(), "netfail_hooks"), quiet=1)


def starts() -> Results:
    """Measure what starts and ends at once: hook, check, Python alone. Raises Problem."""
    return Results(machine(), time.strftime("%Y-%m-%d"), startups=tuple(cost.startups()))


def results(plan: Plan) -> Results:
    """Measure all; a contender that cannot be set up is absent, with the reason."""
    absent: dict[str, str] = {}
    found: list[list[Sample]] = []
    for pace in sorted({one.probing for one in plan.contenders}):
        tasks = [
            (contender, fault, (number + 0.5) / plan.repeat)
            for contender in plan.contenders
            if contender.probing == pace
            for fault in plan.faults
            if not contender.only or fault.name in contender.only
            for number in range(plan.repeat)
        ]
        with probing(pace), ThreadPoolExecutor(plan.at_once) as pool:
            found += pool.map(lambda task: _once(plan, absent, *task), tasks)
    ready = [one for one in plan.contenders if one.key not in absent and one.probing in _ALIKE]
    costs: list[Cost] = []
    if plan.rest and ready:
        _say(f"at rest for {plan.rest} s")
        with probing(max(_ALIKE)):
            costs = cost.measure(ready, plan.rest)
    samples = tuple(sample for few in found for sample in few)
    return Results(
        machine(), time.strftime("%Y-%m-%d"), samples, tuple(costs), absent=tuple(absent.items())
    )


def _once(
    plan: Plan, absent: dict[str, str], contender: Contender, fault: Fault, phase: float
) -> list[Sample]:
    """Measure a fault once, at that place in the contender's period; none if it is absent."""
    if contender.key in absent:
        return []
    began = time.monotonic()
    try:
        found = measure(contender, fault, plan.patience, phase=phase, back=plan.back)
    except Problem as problem:
        absent[contender.key] = str(problem).splitlines()[0]
        _say(f"{contender.title}: {absent[contender.key]}")
        return []
    told = ", ".join(f"{sample.fault} {sample.outage}" for sample in found)
    _say(f"{contender.title}: {told} ({time.monotonic() - began:.0f} s)")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
