"""Break what decides, and what reads and tells, in every small way; see that a test notices.

python -m tests.mutation             every module
python -m tests.mutation health      one, or several

Survivors that tests/mutation/known.md explains are counted apart. One of them that is noticed
after all, or a module whose tests fail with nothing broken, ends it badly.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import re
import signal
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutation.mutants import Mutant, mutants

_HERE = os.path.dirname(__file__)
_PATIENCE = 60  # seconds for the tests of one mutant; one that hangs is noticed
_LIVES = 10  # of the model, after the unit tests


@dataclass(frozen=True)
class Target:
    """A module's tests (files of tests/), whether the model is one, and which functions count."""

    tests: tuple[str, ...]
    model: bool = False
    only: tuple[str, ...] = ()


# Left out: rtnetlink, where what is wrong mostly waits for an answer that never comes, a minute a
# mutant. Not judged yet: imagined, networks, manifest.
TARGETS = {
    "health": Target(("test_health", "test_choose"), model=True),
    "choose": Target(("test_choose", "test_answers"), model=True),
    "decide": Target(("test_decide", "test_choose"), model=True),
    "detour": Target(("test_detour",), only=("Detour", "plan", "_other", "_is_useful", "_METRICS")),
    "plan": Target(("test_plan",)),
    "sharing": Target(("test_sharing",)),
    "bond_decide": Target(("test_bond_decide",)),
    "bond_files": Target(("test_bond_files",)),
    "bond_facts": Target(("test_bond_decide", "test_config")),
    "facts": Target(("test_facts", "test_bond_decide", "test_recording")),
    "memory": Target(("test_memory", "test_choose")),
    "config": Target(("test_config_edges", "test_config", "test_choose")),
    "config_bond": Target(("test_config_edges", "test_config")),
    "config_uplink": Target(("test_config_edges", "test_config", "test_docs")),
    "config_file": Target(("test_config_edges", "test_config", "test_docs")),
    "config_choice": Target(("test_config_choice", "test_install")),
    "record": Target(("test_record", "test_log")),
    "sysctls": Target(("test_sysctls",)),
    "since": Target(("test_log",)),
    "metrics_text": Target(("test_metrics",)),
    "recording": Target(("test_recording",)),
    "pulse_result": Target(("test_pulse_result",)),
    "networkfile": Target(("test_networkfile",)),
    "takeover": Target(("test_takeover",)),
    "leads_out": Target(("test_leads_out", "test_doctor_rules")),
    "doctor_rules_services": Target(("test_doctor_mends", "test_doctor_rules")),
    "doctor_rules_setup": Target(("test_doctor_mends", "test_doctor_rules")),
    "doctor_rules_routes": Target(("test_doctor_mends", "test_doctor_rules")),
    "doctor_rules_uplinks": Target(("test_doctor_mends", "test_doctor_rules")),
    "probe": Target(("test_probe",)),
    "announce": Target(("test_announce",)),
    "probe_gateway": Target(
        ("test_fuzz_packets", "test_wires"), only=("is_reply", "is_advertisement", "_only")
    ),
    "probe_targets": Target(("test_fuzz_packets", "test_wires")),
    "names": Target(("test_hook",)),
    "status_report": Target(("test_status",)),
    "tally": Target(("test_metrics",)),
    "match": Target(("test_match",)),
    "redact": Target(("test_bundle",)),
    "redact_network": Target(("test_bundle",)),
    "steps": Target(("test_steps",)),
    "repeat": Target(("test_repeat",)),
    "timeline": Target(("test_timeline",)),
    "timeline_axis": Target(("test_timeline_axis",)),
    "timeline_text": Target(("test_timeline",)),
    "timeline_svg": Target(("test_timeline",)),
    "status_text": Target(("test_status",)),
    "bond_status": Target(("test_bond_status",)),
    "apply": Target(("test_apply",)),
    "metric": Target(("test_apply",)),
    "observe": Target(("test_observe",)),
    "neighbours": Target(("test_observe",)),
    "events": Target(("test_log",)),
    "asked": Target(("test_asked",)),
    "asked_bond": Target(("test_asked",)),
    "bond_observe": Target(("test_bond_observe",)),
    "bond_apply": Target(("test_bond_observe",)),
}


@dataclass(frozen=True)
class Outcome:
    """How a module's mutants fared, told as known.md names them: "module: mutant"."""

    tried: int
    lived: int
    new: tuple[str, ...]  # that live, and nobody explained why
    stale: tuple[str, ...]  # that are noticed, though it is explained why they are not


def main() -> int:
    """Return 1 where a mutant survives that nobody explained, or one is explained in vain."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*TARGETS, []], metavar="MODULE")
    args = parser.parse_args()
    _warm_up()
    outcomes = []
    for module in args.modules or TARGETS:
        if not survives(module, right(module)):
            print(f"{module}: its tests fail with nothing broken, so they prove nothing")
            return 1
        began = time.monotonic()
        found = fate(module)
        outcomes.append(found)
        took = time.monotonic() - began
        print(f"{module}: {found.tried} mutants, {found.lived} survive, {took:.0f} s", flush=True)
        for one in found.new:
            print(f"    survives: {one}", flush=True)
        for one in found.stale:
            print(f"    noticed, though known.md explains it: {one}", flush=True)
    tried, lived = (sum(getattr(one, what) for one in outcomes) for what in ("tried", "lived"))
    wrong = sum(len(one.new) + len(one.stale) for one in outcomes)
    share = 100 * (tried - lived) / tried
    print(f"{tried} mutants, {share:.1f} % noticed, {lived} survive, {wrong} not as known.md says")
    return 1 if wrong else 0


def fate(module: str) -> Outcome:
    """Try every mutant of a module."""
    living: dict[str, bool] = {}
    lines: dict[str, int] = {}
    for mutant in of(module):
        name = f"{module}: {mutant.name}"
        living[name], lines[name] = survives(module, mutant.tree), mutant.line
    explained = known()
    return Outcome(
        tried=len(living),
        lived=sum(living.values()),
        new=tuple(
            f"{name} (line {lines[name]})"
            for name, lives in living.items()
            if lives and name not in explained
        ),
        stale=tuple(name for name, lives in living.items() if not lives and name in explained),
    )


def _warm_up() -> None:
    """Load pytest and its plugins ahead of all the forks, and nothing of ours."""
    import pytest

    sys.dont_write_bytecode = True
    with open(os.devnull, "w", encoding="ascii") as silence, contextlib.redirect_stdout(silence):
        pytest.main(["--collect-only", "-q", "-n0", "-p", "no:cacheprovider", _HERE])
    from hypothesis import Phase, settings

    # To see that something fails is enough here; to shrink it takes a minute.
    settings.register_profile("mutation", phases=(Phase.explicit, Phase.generate))


def of(module: str) -> Iterator[Mutant]:
    """Yield a module's mutants."""
    with open(_source(module), encoding="utf-8") as file:
        return mutants(file.read(), TARGETS[module].only)


def right(module: str) -> ast.Module:
    """Return a module as it is."""
    with open(_source(module), encoding="utf-8") as file:
        return ast.parse(file.read())


def known() -> set[str]:
    """Return the survivors that known.md explains."""
    with open(f"{_HERE}/known.md", encoding="utf-8") as file:
        return set(re.findall(r"^- `(.*)`", file.read(), re.MULTILINE))


def _source(module: str) -> str:
    return os.path.join(os.path.dirname(os.path.dirname(_HERE)), "netfail_hooks", f"{module}.py")


def survives(module: str, tree: ast.Module) -> bool:
    """Tell whether a module's tests pass with another tree in its place."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(_PATIENCE)
            silence = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(silence, number)
            status = 0 if _passes(module, tree) else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _passes(module: str, tree: ast.Module) -> bool:
    import pytest

    _put(module, tree)
    target = TARGETS[module]
    files = [f"tests/{name}.py" for name in target.tests]
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
    if pytest.main([*options, *files]):
        return False
    if target.model:
        from tests.model.__main__ import first_broken

        return first_broken(range(1, 1 + _LIVES)) is None
    return True


def _put(module: str, tree: ast.Module) -> None:
    import netfail_hooks

    name = f"netfail_hooks.{module}"
    wrong = types.ModuleType(name)
    wrong.__file__ = _source(module)
    sys.modules[name] = wrong
    setattr(netfail_hooks, module, wrong)
    exec(compile(tree, wrong.__file__, "exec"), wrong.__dict__)  # noqa: S102 - our own, broken


if __name__ == "__main__":
    sys.exit(main())
