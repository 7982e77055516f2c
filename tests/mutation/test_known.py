"""What known.md explains are mutants that there are, and the mutants are wrong."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.mutation.__main__ import TARGETS, known, of
from tests.mutation.mutants import mutants

ROOT = Path(__file__).resolve().parent.parent.parent


def test_each_explained_mutant_is_still_made() -> None:
    explained = known()
    modules = {one.partition(":")[0] for one in explained}
    made = {f"{module}: {mutant.name}" for module in modules for mutant in of(module)}
    assert explained - made == set()


def test_the_tests_of_each_module_are_there() -> None:
    for module, target in TARGETS.items():
        assert (ROOT / f"netfail_hooks/{module}.py").exists()
        assert all((ROOT / f"tests/{name}.py").exists() for name in target.tests)


def test_each_mutant_is_another_program() -> None:
    body = "if a and not b:\n        return a < 1 and b + 2\n    return any((*a, b))"
    source = f"def f(a, b):\n    {body}\n"
    trees = [ast.unparse(one.tree) for one in mutants(source)]
    assert len(set(trees)) == len(trees) == 11
    assert ast.unparse(ast.parse(source)) not in trees
