"""The figures that documents tell in words are those of docs/how/bench.json."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from bench.contenders import CONTENDERS
from bench.faults import CABLE, DEAD, DOWN, IDLE, NAMES
from bench.results import load
from tests.support import ROOT

FOUND = load((ROOT / "docs/how/bench.json").read_text(encoding="utf-8"))
CPU = {one.name: one.cpu_ms for one in FOUND.startups}
PYTHON, HOOK, CHECK = "python3 -I -S -c pass", "hook, an uplink", "check, all well"


def _seconds(contender: str, fault: str) -> str:
    """Return the worse outage as words tell it, in seconds."""
    row = FOUND.row(contender, fault)
    assert row is not None
    assert not row.outage.over
    return f"{row.outage.ms / 1000:.1f}"


def _span(contender: str, *faults: str) -> str:
    return " to ".join(sorted({_seconds(contender, fault) for fault in faults}))


def _cpu(contender: str) -> float:
    cost = FOUND.cost(contender)
    assert cost is not None
    assert cost.cpu_s is not None
    return cost.cpu_s


def _more_mib(contender: str, other: str) -> float:
    one, two = FOUND.cost(contender), FOUND.cost(other)
    assert one is not None
    assert two is not None
    return one.all_mib - two.all_mib


COSTS = "docs/how/costs.md"
DEAD_BOND = _seconds("oursbond", DEAD)
CPU_TOLD = tuple(f"{_cpu(key):.1f}" for key in ("ours", "oursquiet", "howto"))
DEAD_ROUTES = tuple(_seconds(key, fault) for key in ("ours", "oursfast") for fault in (DEAD, IDLE))
RUNS = max(FOUND.runs("ours", name) for name in NAMES)


@pytest.mark.parametrize(
    ("file", "pattern", "figures"),
    [
        (
            COSTS,
            r"mode `bond`\*\*: ([\d. to]+) s where a bond with the MII monitor needs (\S+) s",
            (_span("oursbond", CABLE, DOWN), _span("mii", CABLE, DOWN)),
        ),
        (
            COSTS,
            r"(\S+) s with traffic, (\S+) s until .*; with `watch = \"fast\"` (\S+) and (\S+) s\.",
            DEAD_ROUTES,
        ),
        (COSTS, r"Mode `bond`: (\S+) s\.", (DEAD_BOND,)),
        (COSTS, r"a dead gateway then costs (\S+) s\.", (DEAD_BOND,)),
        (
            COSTS,
            r"included: (\S+) CPU seconds, (\S+) with `interval = 0`, (\S+) for the two files",
            CPU_TOLD,
        ),
        (COSTS, r"which is one: (\d+) MiB", (f"{_more_mib('ours', 'howto'):.0f}",)),
        (
            COSTS,
            r"takes (\d+) ms of CPU there, one of bash and `ip` (\d+) ms",
            (f"{CPU[HOOK]:.0f}", f"{CPU['bash and ip']:.0f}"),
        ),
        ("docs/use/choosing.md", r"a dead gateway costs (\S+) s instead", (DEAD_BOND,)),
        ("docs/use/bond.md", r"pulled cable \|[^|]*\| (\S+) s", (_seconds("oursbond", CABLE),)),
        ("docs/use/bond.md", r"dead gateway \|[^|]*\| (\S+) s \(the kernel\)", (DEAD_BOND,)),
    ],
)
def test_what_words_tell_was_measured(file: str, pattern: str, figures: Sequence[str]) -> None:
    text = " ".join((ROOT / file).read_text(encoding="utf-8").split())
    told = re.search(pattern, text)
    assert told, pattern
    assert [figure.replace(",", ".") for figure in told.groups()] == list(figures)


def test_a_median_is_of_as_many_runs_as_is_told() -> None:
    costs = " ".join((ROOT / COSTS).read_text(encoding="utf-8").split())
    told = "each by `sudo .venv/bin/python bench/run --quick --json F`"
    assert f"Of {RUNS} runs the worse, {told}" in costs
    for one in CONTENDERS:
        for fault in NAMES:
            assert FOUND.runs(one.key, fault) in (0, RUNS), (one.key, fault)


def test_a_start_costs_what_the_document_on_speed_tells() -> None:
    """Ratios to Python alone; a machine's moods change them by less than a sixth."""
    speed = (ROOT / "docs/how/speed.md").read_text(encoding="utf-8")
    for name in (HOOK, CHECK):
        told = re.search(rf"^{re.escape(name)} +[\d.]+ +([\d.]+)", speed, re.MULTILINE)
        assert told, name
        assert CPU[name] / CPU[PYTHON] == pytest.approx(float(told[1]), rel=1 / 6)
    works = " ".join((ROOT / "docs/how/how-it-works.md").read_text(encoding="utf-8").split())
    assert "about as much as starting Python twice over" in works
    assert round(CPU[CHECK] / CPU[PYTHON]) == 2
    # 60 checks an hour, each in a sandbox, after a minute that leaves caches cold.
    checks = _cpu("ours") - _cpu("oursquiet")
    assert 1 < checks / (60 * CPU[CHECK] / 1000) < 4
