"""What install and uninstall are at is told while it lasts, and for how long that may be."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import process
from netfail_hooks.terminal import progress
from netfail_hooks.terminal.progress import doing, lasting, shown
from tests.support import ROOT

INSTALL = ROOT / "netfail_hooks/install"
# Steps of which nobody knows how long they are, and why.
_UNBOUNDED = {
    "goes back to": "what its manager is told, and what is waited for, have their own most",
    "asking each uplink's gateway": "as many as the config names, each with its own timeout",
}


def _steps() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(INSTALL.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "doing":
                yield str(path.relative_to(INSTALL)), node


def test_each_step_says_how_long_at_most_or_nobody_knows() -> None:
    found = list(_steps())
    assert len(found) > 12
    for place, call in found:
        text = ast.unparse(call.args[0])
        assert len(call.args) > 1 or any(word in text for word in _UNBOUNDED), f"{place}: {text}"


def test_what_is_waited_for_is_named_for_whoever_reads_it_alone() -> None:
    """As "no way out by eth0 yet"; of "no end yet" nobody knows of what."""
    words = [
        ast.unparse(node.args[2]).strip("f'\"")
        for path in sorted(INSTALL.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "wait_until"
    ]
    assert len(words) > 12
    alone = [word for word in words if word in ("end", "way out", "readiness", "beginning")]
    assert alone in ([], ["way out"]), "that inside doing() of its own"


def _still() -> float:
    """Return the time of a clock that stands: of most others a second more is a little less."""
    return 100.0


def _line(seconds: float) -> str:
    """Return the line as it is after so many seconds."""
    step = next(one for one in reversed(progress._shown[0].steps) if seconds >= one.after)
    return step.line(step.began + seconds, 200)


@given(
    named=st.lists(
        st.tuples(st.sampled_from(["eth0 goes over", "wlan0"]), st.integers(0, 90)), max_size=3
    ),
    most=st.integers(1, 60),
)
def test_what_runs_is_named_where_no_step_says_how_long(
    named: list[tuple[str, int]], most: int
) -> None:
    with shown("installing", clock=_still), _inside(named):
        outer = _line(9)
        with lasting("running nmcli", most):
            assert _line(progress._LASTS / 2) == outer.replace(": 9 s", ": 0 s"), "it may be over"
            if named and named[-1][1]:
                assert _line(9) == outer
            else:
                assert _line(9) == f"running nmcli: 9 s of at most {most}"
        assert _line(9) == outer


class _Inside:
    def __init__(self, named: list[tuple[str, int]]) -> None:
        self._steps = [doing(*one) for one in named]

    def __enter__(self) -> None:
        for step in self._steps:
            step.__enter__()

    def __exit__(self, *reason: object) -> None:
        for step in reversed(self._steps):
            step.__exit__(None, None, None)


def _inside(named: list[tuple[str, int]]) -> _Inside:
    return _Inside(named)


def test_each_program_and_each_wait_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    push = progress._Line.push

    def noted(line: progress._Line, text: str, most: float, **how: object) -> object:
        told.append((text, most))
        return push(line, text, most, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(progress._Line, "push", noted)
    seconds = 7
    until = time.monotonic() + 0.05
    with shown("uninstalling"):
        process.run(sys.executable, "-c", "", seconds=seconds)
        process.wait_until(lambda: time.monotonic() > until, seconds, "way out by eth0")
    assert told[1:] == [
        (f"running {sys.executable} -c ", seconds),
        ("no way out by eth0 yet", seconds),
    ]
