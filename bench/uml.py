"""Bonds in user-mode-linux, whose kernel has the driver, where this machine's has not."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from bench import cost, suite
from bench.contenders import CONTENDERS
from bench.faults import FAULTS
from bench.machine import machine
from bench.measure import Patience
from bench.results import Results, dump, load, merged
from bench.suite import Plan
from tests.uml.boot import boot, slowness

_BOOT, _EACH = 120, 60  # seconds at most: to boot and rest, and for a fault
_PLAN = "plan.json"
_START = "start"  # the note of how slow it is in there


def bonds(plan: Plan) -> Results:
    """Measure the plan's bonds in it; absent, with the reason, if that can't be.

    With two hosts at once in two of them, as each has one processor, not the same one.
    """
    print("bonds in user-mode-linux", file=sys.stderr, flush=True)
    parts = [plan]
    if plan.at_once > 1 and len(plan.faults) > 1:
        parts = [
            replace(plan, faults=plan.faults[1:], rest=0),
            replace(plan, faults=plan.faults[:1]),
        ]
    here = slowness()
    with ThreadPoolExecutor(len(parts)) as pool:
        found = pool.map(_booted, parts, range(len(parts)))
        return merged([as_here(one, here) for one in found])


def _booted(plan: Plan, processor: int) -> Results:
    """Measure a plan in a machine of its own; absent, with the reason, if it can't be booted."""
    seconds = _BOOT + plan.rest + _EACH * len(plan.contenders) * len(plan.faults) * plan.repeat
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, _PLAN).write_text(written(plan), encoding="utf-8")
        try:
            found = boot(Path(directory), "bench.uml", seconds, processor)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            said = (str(error).strip().splitlines() or ["it did not boot"])[-1]
            why = f"this kernel has no bonding driver, and in user-mode-linux: {said}"
            return Results(
                machine(),
                time.strftime("%Y-%m-%d"),
                absent=tuple((one.key, why) for one in plan.contenders),
            )
    inside = load(json.dumps(found))
    for key, why in inside.absent:
        print(f"{key}, in user-mode-linux: {why}", file=sys.stderr, flush=True)
    return inside


def as_here(inside: Results, here: float) -> Results:
    """Return what was measured in it as of this machine, and what is to be known of it.

    ``here`` are the milliseconds of what comes before a hook's decision, outside.
    """
    there = dict(inside.notes).get(_START)
    if there is None:
        return inside
    kernel = inside.machine.split(", ")[1]
    note = (
        f"measured in user-mode-linux ({kernel}), where {there} ms go by before a hook's "
        f"decision that are {here:.0f} ms outside"
    )
    keys = dict.fromkeys(
        [sample.contender for sample in inside.samples] + [one.contender for one in inside.costs]
    )
    return replace(inside, machine=machine(), notes=tuple((key, note) for key in keys))


def written(plan: Plan) -> str:
    """Return what :func:`plan_of` reads; all but ``at_once``, as there is one processor."""
    return json.dumps(
        {
            "contenders": [one.key for one in plan.contenders],
            "faults": [one.name for one in plan.faults],
            "patience": asdict(plan.patience),
            "repeat": plan.repeat,
            "back": plan.back,
            "rest": plan.rest,
        }
    )


def plan_of(text: str) -> Plan:
    """Return what was written."""
    whole = json.loads(text)
    return Plan(
        [one for one in CONTENDERS if one.key in whole["contenders"]],
        [one for one in FAULTS if one.name in whole["faults"]],
        Patience(**whole["patience"]),
        whole["repeat"],
        whole["back"],
        whole["rest"],
    )


def main(out: str) -> int:
    """Measure the plan that lies beside ``out``, here inside; of what it costs, memory alone.

    The same process takes several times as much CPU in there.
    """
    plan = plan_of(Path(out).with_name(_PLAN).read_text(encoding="utf-8"))
    results = suite.results(replace(plan, rest=0))
    if plan.rest:
        absent = dict(results.absent)
        ready = [one for one in plan.contenders if one.key not in absent]
        results = replace(results, costs=tuple(cost.state(ready)))
    results = replace(results, notes=((_START, f"{slowness():.0f}"),))
    Path(out).write_text(dump(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
