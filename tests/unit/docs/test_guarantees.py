"""Each promise of docs/how/guarantees.md names tests that there are; no fault test lacks one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache

import pytest

from tests.support import ROOT
from tests.vm.scenarios import SCENARIOS

TEXT = (ROOT / "docs/how/guarantees.md").read_text(encoding="utf-8")
RECIPES = (ROOT / "docs/use/recipes.md").read_text(encoding="utf-8")
FAULTS = [
    path
    for path in sorted(ROOT.glob("tests/**/test_*.py"))
    if re.search(r"mark\.faults\b", path.read_text(encoding="utf-8"))
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
IN_RECIPES = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", RECIPES)))


@cache
def _defined(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), sorted({*NAMED, *IN_RECIPES}))
def test_a_named_test_is_there(path: str, name: str) -> None:
    assert name in _defined(path)


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in FAULTS])
def test_every_file_of_fault_tests_is_named(path: str) -> None:
    assert path in {named for named, _ in NAMED}


@pytest.mark.parametrize("recipe", re.split(r"^## ", RECIPES, flags=re.MULTILINE)[1:])
def test_every_recipe_says_what_to_type_what_shows_it_and_what_will_not_be(recipe: str) -> None:
    assert "```sh\n" in recipe
    assert "- **Not**" in recipe
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", recipe)


def test_every_scenario_in_a_recipe_is_one() -> None:
    known = {scenario.name for scenario in SCENARIOS}
    named = set(re.findall(r"`(?:--scenario )?(reboot-[\w-]+|udev)`", RECIPES))
    assert named
    assert named <= known


def test_there_are_fault_tests() -> None:
    assert len(FAULTS) > 9


def test_every_invariant_has_tests() -> None:
    parts = re.split(r"^\*\*(I\d)\. ", TEXT.partition("\n## What")[0], flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(told) == [f"I{number}" for number in range(1, 10)]
    assert all("::test_" in text for text in told.values())


def test_every_promise_of_the_table_has_one() -> None:
    rows = [row for row in TEXT.splitlines() if row.startswith("| ")]
    rows = [row for row in rows if row != "| promise | test |"]
    assert rows
    assert all(re.search(r"\| `tests/[\w/]+\.py::test_\w+` \|$", row) for row in rows)


@pytest.mark.parametrize("module", re.findall(r"^python -m (tools[\w.]+)", TEXT, re.MULTILINE))
def test_a_named_command_is_there(module: str) -> None:
    path = ROOT / module.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.parametrize("words", re.findall(r"^pytest (tests/.*?)(?: +#.*)?$", TEXT, re.MULTILINE))
def test_a_named_run_of_pytest_has_its_place_and_its_options(words: str) -> None:
    collecting = [sys.executable, "-m", "pytest", "--collect-only", "-q", *words.split()]
    done = subprocess.run(collecting, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
