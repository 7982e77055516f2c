"""Break what decides, and what reads and tells, in every small way; see that a test notices.

python -m tools.mutation             every module
python -m tools.mutation health      one, or several

Survivors that tools/mutation/known.md explains are counted apart. One of them that is noticed
after all, or a module whose tests fail with nothing broken, ends it badly.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.abc
import os
import re
import signal
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec

from tools.mutation.mutants import Mutant, mutants

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))
_PATIENCE = 60  # seconds for the tests of one mutant; one that hangs is noticed
_LIVES = 10  # of the model, after the unit tests


@dataclass(frozen=True)
class Target:
    """A module's tests (below tests/unit/), whether the model is one, and which functions count."""

    tests: tuple[str, ...]
    model: bool = False
    only: tuple[str, ...] = ()


# Left out: kernel.netlink, where what is wrong mostly waits for an answer that never comes, a
# minute a mutant. Not judged yet: replay.simulated, install.networks.routes, install.manifest.
TARGETS = {
    "policy.health": Target(("policy/test_health", "policy/test_choose"), model=True),
    "policy.choose": Target(
        ("policy/test_choose", "policy/test_answers", "policy/test_answering"), model=True
    ),
    "policy.routes": Target(
        ("policy/test_routes", "policy/test_choose", "policy/test_ways"), model=True
    ),
    "policy.changes": Target(
        ("policy/test_changes",),
        only=("stays", "_answering", "_of_endpoint"),
    ),
    "policy.patience": Target(("policy/test_patience",)),
    "policy.metering": Target(("policy/test_metering",)),
    "drill.plan": Target(("drill/test_plan",)),
    "policy.multipath": Target(("policy/test_multipath",), model=True),
    "policy.places": Target(("policy/test_places",), model=True),
    "policy.ways": Target(("policy/test_ways",), model=True),
    "policy.sources": Target(("policy/test_ways",), model=True),
    "policy.answering": Target(("policy/test_answering",), model=True),
    "install.diversion": Target(
        ("install/test_diversion",),
        only=("Diversion", "route_plan", "_other", "_in_use", "_ahead"),
    ),
    "install.plan": Target(("install/test_plan",)),
    "networkd.settling": Target(
        ("networkd/test_settling", "install/test_diversion"), only=("Return", "is_useful")
    ),
    "kernel.heard": Target(("kernel/test_heard",), only=("messages",)),
    "networkd.sharing": Target(("networkd/test_sharing",)),
    "policy.bond": Target(("policy/test_bond",)),
    "install.networks.bond": Target(("install/networks/test_bond",)),
    "policy.facts": Target(
        ("policy/test_bond", "config/test_config", "policy/test_facts", "recorder/test_recording")
    ),
    "policy.state": Target(("policy/test_state", "policy/test_choose", "policy/test_patience")),
    "config.cache": Target(
        ("config/test_edges", "config/test_config", "config/test_settings", "policy/test_choose")
    ),
    "config.settings": Target(
        (
            "config/test_edges",
            "config/test_config",
            "config/test_settings",
            "docs/test_docs",
            "install/test_options",
        )
    ),
    "config.kinds": Target(("config/test_edges", "config/test_config", "docs/test_docs")),
    "config.file": Target(
        ("config/test_edges", "config/test_config", "config/test_settings", "docs/test_docs")
    ),
    "install.config": Target(
        ("install/test_config", "install/test_amended", "install/test_installer")
    ),
    "config.toml_text": Target(
        ("config/test_toml_text", "install/test_config", "install/test_amended")
    ),
    "recorder": Target(("recorder/test_record", "recorder/test_repeat", "cli/test_log")),
    "policy.quality": Target(("policy/test_quality", "policy/test_quality_edges"), model=True),
    "policy.watch": Target(("policy/test_watch",), model=True),
    "policy.sysctls": Target(("policy/test_sysctls",)),
    "cli.parse_time": Target(("cli/test_log",)),
    "metrics.text": Target(("metrics/test_metrics",)),
    "recorder.recording": Target(("recorder/test_recording",)),
    "lab.traffic_result": Target(("lab/test_traffic_result",)),
    "networkd.file": Target(
        ("networkd/test_file", "networkd/test_default_route", "doctor/test_rules")
    ),
    "networkd.takeover": Target(("networkd/test_takeover",)),
    "doctor.rules": Target(("doctor/test_fixes", "doctor/test_rules")),
    "doctor.rules.services": Target(("doctor/test_fixes", "doctor/test_rules")),
    "doctor.rules.setup": Target(("doctor/test_fixes", "doctor/test_rules")),
    "doctor.rules.routes": Target(("doctor/test_fixes", "doctor/test_rules")),
    "doctor.rules.uplinks": Target(("doctor/test_fixes", "doctor/test_rules")),
    "probe": Target(("probe/test_probe", "probe/test_targets")),
    "kernel.announce": Target(("kernel/test_announce",)),
    "probe.gateway": Target(
        ("probe/test_fuzz_packets", "probe/test_wires"),
        only=("is_reply", "is_advertisement", "_only"),
    ),
    "probe.measure": Target(("probe/test_measure",)),
    "probe.name_server": Target(("probe/test_name_server",)),
    "probe.targets": Target(("probe/test_fuzz_packets", "probe/test_wires")),
    "names": Target(("test_hook",)),
    "status.report": Target(("status/test_status",)),
    "recorder.counters": Target(("metrics/test_metrics",)),
    "networkd.match": Target(("networkd/test_match",)),
    "bundle.redact": Target(("bundle/test_bundle",)),
    "bundle.network_files": Target(("bundle/test_bundle",)),
    "replay.events": Target(("replay/test_events",)),
    "recorder.repeat": Target(("recorder/test_repeat",)),
    "recorder.jsonline": Target(("recorder/test_jsonline",)),
    "timeline": Target(("timeline/test_timeline",)),
    "timeline.axis": Target(("timeline/test_axis",)),
    "timeline.text": Target(("timeline/test_timeline",)),
    "timeline.svg": Target(("timeline/test_timeline",)),
    "status.text": Target(("status/test_status",)),
    "status.bond": Target(("status/test_bond",)),
    "kernel.apply": Target(("kernel/test_apply", "kernel/test_observe")),
    "kernel.observe": Target(("kernel/test_observe",)),
    "recorder.events": Target(("cli/test_log",)),
    "install.options": Target(("install/test_options",)),
    "kernel.bond": Target(("kernel/test_bond",)),
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
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
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

    # To see that something fails is enough here; to shrink it takes a minute. And no deadline: on
    # a busy machine a slow example is no fault, of the code least of all.
    settings.register_profile("mutation", phases=(Phase.explicit, Phase.generate), deadline=None)


def of(module: str) -> Iterator[Mutant]:
    """Yield a module's mutants."""
    with open(source(module), encoding="utf-8") as file:
        return mutants(file.read(), TARGETS[module].only)


def right(module: str) -> ast.Module:
    """Return a module as it is."""
    with open(source(module), encoding="utf-8") as file:
        return ast.parse(file.read())


def known() -> set[str]:
    """Return the survivors that known.md explains."""
    with open(f"{_HERE}/known.md", encoding="utf-8") as file:
        return set(re.findall(r"^- `(.*)`", file.read(), re.MULTILINE))


def source(module: str) -> str:
    """Return the file of a module, by its name below the package."""
    path = os.path.join(_ROOT, "netfail_hooks", *module.split("."))
    return f"{path}/__init__.py" if os.path.isdir(path) else f"{path}.py"


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
    files = [f"tests/unit/{name}.py" for name in target.tests]
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
    if pytest.main([*options, *files]):
        return False
    if target.model:
        from tools.model.__main__ import first_broken

        return first_broken(range(1, 1 + _LIVES)) is None
    return True


class _Wrong(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and runs another tree as its code."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        package = self._path.endswith("/__init__.py")
        spec = ModuleSpec(fullname, self, origin=self._path, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(self._path)]
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._tree, self._path, "exec"), module.__dict__)  # noqa: S102 - our own, broken


def _put(module: str, tree: ast.Module) -> None:
    """Let the tree be what is imported as a module, by its own package and by all others.

    To replace it afterwards would be too late: a package that imports what is in it, as
    ``doctor.rules`` does its rules, would keep the right one.
    """
    sys.meta_path.insert(0, _Wrong(f"netfail_hooks.{module}", source(module), tree))
    importlib.import_module(f"netfail_hooks.{module}")


if __name__ == "__main__":
    sys.exit(main())
