"""Break the pure modules in every small way, and see that a test notices.

python -m tests.mutation             every module
python -m tests.mutation health      one, or several

Survivors that tests/mutation/known.md explains are counted apart.
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


TARGETS = {
    "health": Target(("test_health", "test_choose"), model=True),
    "choose": Target(("test_choose", "test_answers"), model=True),
    "decide": Target(("test_decide", "test_choose"), model=True),
    "detour": Target(("test_detour",), only=("Detour", "plan", "_other", "_METRICS")),
    "plan": Target(("test_plan",)),
    "sharing": Target(("test_sharing",)),
    "bond_decide": Target(("test_bond_decide",)),
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
}


def main() -> int:
    """Return 1 where a mutant survives that nobody explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*TARGETS, []], metavar="MODULE")
    args = parser.parse_args()
    _warm_up()
    explained = known()
    tried = lived = unexplained = 0
    for module in args.modules or TARGETS:
        began = time.monotonic()
        whole = list(of(module))
        survivors = [mutant for mutant in whole if survives(module, mutant)]
        tried += len(whole)
        new = [one for one in survivors if f"{module}: {one.name}" not in explained]
        lived, unexplained = lived + len(survivors), unexplained + len(new)
        took = time.monotonic() - began
        print(f"{module}: {len(whole)} mutants, {len(survivors)} survive, {took:.0f} s", flush=True)
        for one in new:
            print(f"    line {one.line}: {module}: {one.name}", flush=True)
    share = 100 * (tried - lived) / tried
    print(f"{tried} mutants, {share:.1f} % noticed, {lived} survive, {unexplained} unexplained")
    return 1 if unexplained else 0


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


def known() -> set[str]:
    """Return the survivors that known.md explains."""
    with open(f"{_HERE}/known.md", encoding="utf-8") as file:
        return set(re.findall(r"^- `(.*)`", file.read(), re.MULTILINE))


def _source(module: str) -> str:
    return os.path.join(os.path.dirname(os.path.dirname(_HERE)), "netfail_hooks", f"{module}.py")


def survives(module: str, mutant: Mutant) -> bool:
    """Tell whether a module's tests pass with a mutant in its place."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(_PATIENCE)
            silence = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(silence, number)
            status = 0 if _passes(module, mutant.tree) else 1
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
