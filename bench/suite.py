"""A whole run: every contender, every fault, as often as asked, and what it all costs."""

from __future__ import annotations

import compileall
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import cost
from bench.contenders import Contender
from bench.faults import FAULTS, Fault
from bench.machine import machine
from bench.measure import Patience, measure
from bench.results import Results, Sample
from netfail_hooks.errors import Problem
from netfail_hooks.sandbox_holder import package_home

QUICK = Patience(told=8, untold=7, back=20, least=2.5)
THOROUGH = Patience(told=20, untold=80, back=30, least=12)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure; ``rest``: seconds for what it costs, 0 for not."""

    contenders: Sequence[Contender]
    faults: Sequence[Fault] = FAULTS
    patience: Patience = QUICK
    repeat: int = 1
    back: bool = True
    rest: int = 0


def compiled() -> None:
    """Make byte code, as pip and a package's installation do; a lab's file system is read-only.

    Without it a hook and a check take twice as long and thrice the CPU time (docs/speed.md).
    """
    compileall.compile_dir(os.path.join(package_home(), "netfail_hooks"), quiet=1)


def results(plan: Plan) -> Results:
    """Measure all; a contender that cannot be set up is absent, with the reason."""
    samples: list[Sample] = []
    absent: dict[str, str] = {}
    for contender in plan.contenders:
        try:
            for fault in plan.faults:
                if contender.only and fault.name not in contender.only:
                    continue
                samples += _repeated(plan, contender, fault)
        except Problem as problem:
            absent[contender.key] = str(problem).splitlines()[0]
            _say(f"{contender.title}: {absent[contender.key]}")
    costs, startups = [], []
    if plan.rest:
        _say(f"at rest for {plan.rest} s")
        ready = [one for one in plan.contenders if one.key not in absent]
        costs, startups = cost.measure(ready, plan.rest), cost.startups()
    return Results(machine(), time.strftime("%Y-%m-%d"), tuple(samples), tuple(costs),
                   tuple(startups), tuple(absent.items()))  # fmt: skip


def _repeated(plan: Plan, contender: Contender, fault: Fault) -> list[Sample]:
    """Measure one fault as often as asked, spread over the contender's period."""
    found: list[Sample] = []
    for number in range(plan.repeat):
        began = time.monotonic()
        phase = (number + 0.5) / plan.repeat
        new = measure(contender, fault, plan.patience, phase=phase, back=plan.back)
        told = ", ".join(f"{sample.fault} {sample.outage}" for sample in new)
        _say(f"{contender.title}: {told} ({time.monotonic() - began:.0f} s)")
        found += new
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
