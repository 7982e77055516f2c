"""Medians, tables and the picture of bench/run, from made-up samples."""

from __future__ import annotations

import os
import runpy
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench import table, uml
from bench.contenders import CONTENDERS
from bench.faults import FAULTS, IDLE, RETURN
from bench.measure import outage
from bench.picture import picture
from bench.results import Cost, Outage, Results, Sample, StartUp, dump, load, median, merged
from bench.suite import THOROUGH, Plan
from netfail_hooks.lab.traffic_result import Flow, Result
from netfail_hooks.paths import package_home

INSTRUCTIONS = runpy.run_path(os.path.join(package_home(), "bench", "instructions"))
TITLES = {"other": "two <files>", "ours": "netfail-hooks", "gone": "a bond"}
OURS = ["ours"]
SVG = "{http://www.w3.org/2000/svg}"


def _sample(
    contender: str, fault: str, ms: float, *, own: float = -1, over: bool = False
) -> Sample:
    new = Outage(over=False, ms=ms)
    worse = Outage(over=over, ms=ms if own < 0 else own)
    return Sample(contender, fault, new, worse, 7, 600, 0 if over else 2, 2, 12.5)


RESULTS = Results(
    "a machine",
    "2026-11-25",
    samples=(
        _sample("other", "cable out", 20, own=3000, over=True),
        _sample("ours", "cable out", 5),
        _sample("ours", "failback", 90),
        _sample("other", "failback", 20),
    ),
    costs=(Cost("other", 18.4, 30, "networkd", 0.1, 720), Cost("ours", 0, 28.5, "", 43, 9000)),
    startups=(StartUp("bash and ip", 7.8, 6.3),),
    absent=(("gone", "no bonding driver"),),
)


def test_json_gives_back_what_it_was_given() -> None:
    assert load(dump(RESULTS)) == RESULTS


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        load(dump(RESULTS).replace('"schema": 1', '"schema": 2'))


def test_counts_are_compared_with_earlier_ones() -> None:
    told = INSTRUCTIONS["_compared"](
        {"hook": 73_500_000, "gone": 1_000_000}, {"hook": 47_600_000, "new": 20_000_000}
    )
    assert [line.split() for line in told.splitlines()] == [
        ["before", "now", "change"],
        ["hook", "73.5", "47.6", "-35.2%"],
        ["gone", "1.0", "-", "-"],
        ["new", "-", "20.0", "-"],
    ]


def test_of_several_rounds_the_median_counts() -> None:
    rounds = [{"hook": 3, "check": 9}, {"hook": 1, "check": 8}, {"hook": 2, "check": 7}]
    assert INSTRUCTIONS["_median"](rounds) == {"hook": 2, "check": 8}


@pytest.mark.parametrize("text", [None, "", "[]", "3", '{"hook": null}', '{"hook": "x"}'])
def test_what_holds_no_counts_is_told_before_any_are_made(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
) -> None:
    path = tmp_path / "counts.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["bench/instructions", "--against", str(path)])
    assert INSTRUCTIONS["main"]() == 1
    said = capsys.readouterr().err
    assert str(path) in said
    assert said.count("\n") == 1


def test_without_valgrind_it_says_where_to_have_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INSTRUCTIONS["main"].__globals__, "SEARCH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["bench/instructions"])
    assert INSTRUCTIONS["main"]() == 1
    told = "bench/instructions: valgrind is not installed: apt install valgrind\n"
    assert capsys.readouterr().err == told


def test_an_outage_that_did_not_end_is_longer_than_any_that_did() -> None:
    assert Outage(over=True, ms=8000) > Outage(over=False, ms=50_000)
    assert str(Outage(over=True, ms=8040)) == "> 8.0 s"
    assert str(Outage(over=False, ms=999)) == "999 ms"


@pytest.mark.parametrize(("lost", "over"), [(0, False), (2, False), (50, True), (100, True)])
def test_an_outage_lasts_as_long_as_a_part_is_lost(lost: int, over: bool) -> None:  # noqa: FBT001
    whole = Result((Flow("out", 1000, lost, 17.0), Flow("in", 1000, 0, 4.0)), ())
    last = Result((Flow("out", 100, lost, 0.0), Flow("in", 100, 0, 0.0)), ())
    found = outage(whole, last, ("out", "in"), (10.0, 12.5))
    assert found == Outage(over=over, ms=2500 if over else 17)


def test_medians_are_taken_of_each_figure_and_half_dead_is_dead() -> None:
    samples = [_sample("a", "cable out", ms) for ms in (1, 900, 5)]
    samples.append(_sample("a", "cable out", 7, own=3000, over=True))
    found = median(samples)
    assert found.new.ms == 7
    assert not found.own.over
    assert median(samples[-1:] + samples[:1]).alive == 0


def test_runs_are_merged_and_whoever_ran_once_is_not_absent() -> None:
    later = replace(RESULTS, samples=(_sample("gone", "cable out", 300),), costs=(), absent=())
    both = merged([RESULTS, later])
    assert len(both.samples) == 5
    assert both.absent == ()
    assert both.machine == "a machine"
    assert both.runs("gone", "cable out") == 1
    assert merged([RESULTS, RESULTS]).runs("ours", "failback") == 2


def test_whoever_failed_half_way_in_the_only_run_has_its_reason() -> None:
    half = replace(RESULTS, absent=(("other", "no way out"),))
    assert merged([half, Results("a machine", "2026-11-25")]).absent == half.absent


def test_user_mode_linux_is_told_all_of_the_plan() -> None:
    plan = Plan(list(CONTENDERS[:2]), list(FAULTS[1:]), THOROUGH, repeat=3, back=False, rest=7)
    assert uml.plan_of(uml.written(plan)) == plan


def test_what_user_mode_linux_measured_is_told_with_what_it_is() -> None:
    inside = replace(RESULTS, machine="1 x cpu, Linux 6.1, systemd 252", notes=(("start", "57"),))
    found = uml.as_here(inside, here=15.4)
    assert (found.samples, found.costs) == (inside.samples, inside.costs)
    notes = dict(found.notes)
    assert set(notes) == {"other", "ours"}
    assert notes["ours"].startswith("measured in user-mode-linux (Linux 6.1), where 57 ms go by")
    assert notes["ours"].endswith("that are 15 ms outside")


def test_what_was_not_measured_of_a_cost_is_told() -> None:
    some = replace(RESULTS, costs=(Cost("ours", 0, 28.5, "networkd"),))
    for made in (table.text(some, TITLES), table.markdown(some, TITLES)):
        assert made.count("not measured") >= 2
    rows = table.summary(some, TITLES).splitlines()
    assert next(row for row in rows if "netfail-hooks" in row).endswith("| not measured |")


def test_the_tables_tell_everything() -> None:
    shown = table.text(RESULTS, TITLES)
    for part in (
        "> 3.0 s",
        "7 of 600",
        "2 of 2",
        "18.4 MiB",
        "none",
        "9000",
        "7.8 ms",
        "Not run: a bond: no bonding driver.",
    ):
        assert part in shown
        assert part in table.markdown(RESULTS, TITLES)


def test_answers_have_a_column_where_they_were_counted() -> None:
    assert "no answer" not in table.text(RESULTS, TITLES).lower()
    first, *rest = RESULTS.samples
    counted = replace(RESULTS, samples=(replace(first, unanswered=123), *rest))
    for made in (table.text(counted, TITLES), table.markdown(counted, TITLES)):
        assert "no answer" in made
        assert "123" in made
        assert "not measured" in made, "of the others"
    blocks = [one.splitlines() for one in table.markdown(counted, TITLES).split("\n\n")]
    assert all(len({line.count("|") for line in one}) == 1 for one in blocks if one[0][:1] == "|")
    assert median([replace(first, unanswered=one) for one in (3, 1, 2)]).unanswered == 2
    assert load(dump(counted)) == counted


def test_a_row_of_a_markdown_table_has_as_many_cells_as_its_head() -> None:
    for made in (table.markdown(RESULTS, TITLES), table.summary(RESULTS, TITLES)):
        blocks = [block.splitlines() for block in made.split("\n\n") if block.startswith("|")]
        assert blocks
        for block in blocks:
            assert len({line.count("|") for line in block}) == 1


def test_where_nothing_is_sent_only_how_long_it_took_is_told() -> None:
    took = Outage(over=False, ms=1050)
    idle = replace(
        RESULTS,
        samples=(
            *RESULTS.samples,
            *(Sample("ours", name, took, took, 0, 0, 0, 0, 0.0) for name in (IDLE, RETURN)),
        ),
    )
    made = table.markdown(idle, TITLES)
    for name in ("Dead gateway, idle", "Return"):
        rows = made.partition(f"## {name}\n\n")[2].splitlines()
        assert rows[0] == "| | took | runs |"
        assert rows[2] == "| netfail-hooks | 1.1 s | 1 |"
    assert "| 1.1 s |" in table.summary(idle, TITLES)
    assert RETURN not in table.summary(idle, TITLES).splitlines()[0]
    assert "1.1 s</text>" in picture(idle, TITLES, OURS)


def test_contenders_that_the_kernel_watches_for_are_booted_and_others_alike_at_rest() -> None:
    booted = {one.key for one in CONTENDERS if one.booted}
    assert booted == {"ours", "oursfast", "oursquiet", "ourslines"}
    assert all(bool(one.probing) == one.booted for one in CONTENDERS)


def test_where_ours_is_not_first_is_told_and_no_more() -> None:
    assert table.losses(RESULTS, OURS, TITLES) == [
        "failback, new traffic: two <files> 20 ms, ours 90 ms",
        "failback, its address: two <files> 20 ms, ours 90 ms",
    ]
    slow = replace(
        RESULTS, samples=(_sample("ours", "cable out", 49), _sample("other", "cable out", 20))
    )
    assert table.losses(slow, OURS, TITLES) == []
    never = replace(
        RESULTS,
        samples=(
            _sample("ours", "cable out", 5, own=10, over=True),
            _sample("other", "cable out", 5, own=9000),
        ),
    )
    assert table.losses(never, OURS, TITLES) == [
        "cable out, its address: two <files> 9.0 s, ours > 10 ms"
    ]


def test_the_picture_is_a_picture_for_light_and_dark() -> None:
    drawn = picture(RESULTS, TITLES, OURS)
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    bars = [path for path in root.iter(f"{SVG}path") if path.get("class") != "grid"]
    assert [bar.get("class") for bar in bars] == ["dead", "ours", "other", "ours"]
    assert "prefers-color-scheme: dark" in drawn
    assert "two &lt;files&gt;" in drawn


def test_what_is_to_be_known_fits_into_the_picture() -> None:
    long = replace(RESULTS, notes=(("ours", "a word and " * 40),))
    root = ET.fromstring(picture(long, TITLES, OURS))  # noqa: S314 - our own
    words = [text for text in root.iter(f"{SVG}text") if "a word" in (text.text or "")]
    assert len(words) == 4
    assert len({text.get("y") for text in words}) == 4
    assert float(words[-1].get("y") or 0) < float(root.get("height") or 0)


def test_a_longer_outage_has_a_longer_bar() -> None:
    def ends(ms: float) -> float:
        one = replace(RESULTS, samples=(_sample("other", "cable out", ms),))
        root = ET.fromstring(picture(one, TITLES, OURS))  # noqa: S314 - our own
        bar = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "other")
        return float((bar.get("d") or "").partition("H")[2].partition("v")[0])

    lengths = [ends(ms) for ms in (0, 10, 100, 8000, 60_000)]
    assert lengths == sorted(set(lengths))
