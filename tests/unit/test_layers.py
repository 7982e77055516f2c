"""Who may import whom: the floors of docs/dev/architecture.md, downwards only, and no circle."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import netfail_hooks
from tests.support import ROOT

PACKAGE = ROOT / "netfail_hooks"
PICTURE = (ROOT / "docs/dev/architecture.md").read_text(encoding="utf-8")
# "10  doctor/  replay/": a floor's number, and the rooms on it.
FLOORS = {
    room.rstrip("/").removesuffix(".py"): int(floor)
    for floor, rooms in re.findall(r"^ *(\d+)  (\S.*?)(?:   .*)?$", PICTURE, re.MULTILINE)
    for room in rooms.split()
}
# Values and names: what decides may hold no file, socket, clock or process.
PURE = {"__future__", "collections.abc", "typing"}
PURE_OURS = re.compile(r"netfail_hooks\.(config|names|values|policy(\.\w+)?)")


@cache
def modules() -> dict[str, Path]:
    paths = PACKAGE.rglob("*.py")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def room(module: str) -> str:
    """Return the folder, or the file at the root, that a module is (in)."""
    return module.split(".")[1]


@cache
def imported(module: str) -> frozenset[str]:
    """Return all that a module imports, lazily and for annotations too.

    What only an annotation needs ties two files together just as much for whoever reads them.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module}: a relative import"
            found |= {_meant(node.module, name.name) for name in node.names}
    return frozenset(found)


def _meant(module: str, name: str) -> str:
    """Return the module of ``from module import name``."""
    for full in (f"{module}.{name}", f"{module}.{name}.__init__", f"{module}.__init__"):
        if full in modules():
            return full
    return module


def ours(module: str) -> Iterator[str]:
    return (each for each in imported(module) if each in modules())


def test_every_room_has_a_floor_and_every_floor_its_rooms() -> None:
    assert {room(module) for module in modules()} == set(FLOORS)


@pytest.mark.parametrize("module", modules())
def test_imports_lead_downwards(module: str) -> None:
    here = FLOORS[room(module)]
    others = [each for each in ours(module) if room(each) != room(module)]
    assert [each for each in others if FLOORS[room(each)] >= here] == []


def test_every_place_that_the_map_names_is_there() -> None:
    maps = PICTURE + (netfail_hooks.__doc__ or "")
    places = set(re.findall(r"(?<![\w/.])(?:[\w-]+/)*[\w-]+(?:\.py|/)(?![\w/])", maps))
    assert len(places) > 50
    for place in places - {"cli/NAME.py"}:
        assert any((start / place).exists() for start in (PACKAGE, ROOT)), place


def test_the_program_needs_nothing_of_what_tests_it() -> None:
    outside = {"tests", "tools", "bench", "hooks"}
    for module in modules():
        assert not outside & {each.partition(".")[0] for each in imported(module)}, module


def test_no_import_comes_back() -> None:
    graph = {module: set(ours(module)) - {module} for module in modules()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", [each for each in modules() if room(each) == "policy"])
def test_what_decides_touches_nothing(module: str) -> None:
    for each in imported(module):
        assert each in PURE or PURE_OURS.fullmatch(each.removesuffix(".__init__")), each
    names = {
        node.id
        for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }
    assert not names & {"open", "print", "input", "eval", "exec", "__import__"}


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 16
    for folder in {path.parent for path in modules().values()}:
        assert len(list(folder.glob("*.py"))) <= 20, folder
