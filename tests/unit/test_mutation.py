"""What known.md explains are mutants that there are, and the mutants are wrong."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

from tests.support import ROOT
from tools.mutation.__main__ import TARGETS, known, of, source
from tools.mutation.mutants import mutants


def test_each_explained_mutant_is_still_made() -> None:
    explained = known()
    modules = {one.partition(":")[0] for one in explained}
    made = {f"{module}: {mutant.name}" for module in modules for mutant in of(module)}
    assert explained - made == set()


def test_the_tests_of_each_module_are_there() -> None:
    for module, target in TARGETS.items():
        assert os.path.exists(source(module))
        assert all((ROOT / f"tests/unit/{name}.py").exists() for name in target.tests)


def test_each_function_that_counts_is_there() -> None:
    for module, target in TARGETS.items():
        broken = {re.split("[.:]", mutant.name)[0] for mutant in of(module)} if target.only else ()
        assert set(target.only) <= set(broken), module


# A process of its own, in which nothing of ours is loaded yet.
JUDGE = """
import ast, sys
from tools.mutation import __main__ as tester
sys.argv[1:] = ["policy.sysctls"]
right, known = tester.right, tester.known
tester.right = lambda module: ast.parse("1 / 0")
assert tester.main() == 1
tester.right = right
mutant = next(tester.of("policy.sysctls"))
tester.known = lambda: {f"policy.sysctls: {mutant.name}"}
assert tester.main() == 1
"""


def test_tests_that_fail_anyway_and_needless_explanations_are_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", JUDGE], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second, stale, _ = done.stdout.splitlines()
    assert first == "policy.sysctls: its tests fail with nothing broken, so they prove nothing"
    assert second.startswith("policy.sysctls: 21 mutants, 0 survive")
    assert stale.startswith("    noticed, though known.md explains it: policy.sysctls: ")


def test_each_mutant_is_another_program() -> None:
    body = "if a and not b:\n        return a < 1 and b + 2\n    return any((*a, b))"
    source = f"def f(a, b):\n    {body}\n"
    trees = [ast.unparse(one.tree) for one in mutants(source)]
    assert len(set(trees)) == len(trees) == 11
    assert ast.unparse(ast.parse(source)) not in trees


HOLDERS = """
import ast, gc, os, sys, types
from tools.mutation.__main__ import TARGETS, _put, right, source
for module in TARGETS:
    if os.fork() == 0:
        _put(module, ast.parse(ast.unparse(right(module)) + "\\nMUTANT = True"))
        wrong = vars(sys.modules["netfail_hooks." + module])
        functions = [one for one in gc.get_objects() if isinstance(one, types.FunctionType)]
        ours = [one for one in functions if one.__code__.co_filename == source(module)]
        os._exit(not wrong["MUTANT"] or any(one.__globals__ is not wrong for one in ours))
    if os.wait()[1]:
        print(module)
"""


def test_nobody_keeps_the_right_module_where_a_mutant_is_put() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLDERS], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
