"""The timeline: from recorded lines to spans, and how they are drawn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from netfail_hooks import cli, recorder
from netfail_hooks.cli import log
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import Run
from netfail_hooks.terminal import speaks_utf8
from netfail_hooks.timeline import (
    Now,
    Point,
    Span,
    State,
    Timeline,
    Track,
    moments,
    point,
    svg,
    timeline,
    window,
)
from netfail_hooks.timeline import text as timeline_text
from netfail_hooks.values import replace
from tests.support.runs import look, probe
from tests.support.world import World, config_of

T = 1_800_000_000.0  # a whole minute
UP, CARRIES = State("up", carries=False), State("up", carries=True)
HELD, DOWN = State("recovering", carries=False), State("down", carries=False)
ETH, WLAN = {"eth0": CARRIES, "wlan0": UP}, {"eth0": DOWN, "wlan0": CARRIES}
BACK = {"eth0": HELD, "wlan0": CARRIES}


def _point(at: float, after: dict[str, State], **more: object) -> Point:
    known = {"time": T + at, "boot": "a", "clock": 1000 + at, "before": {}}
    return Point(**{**known, "uplinks": ("eth0", "wlan0"), "after": after, **more})  # type: ignore[arg-type]


def _now(at: float, boot: str = "a", clock: float = 1000) -> Now:
    return Now(T + at, boot, clock + at)


def _told(found: Timeline) -> dict[str, list[tuple[float, float, str, bool]]]:
    return {
        track.name: [
            (one.begin - T, one.end - T, one.state.state, one.state.carries) for one in track.spans
        ]
        for track in found.tracks
    }


def test_a_fire_drill_is_marked_as_one() -> None:
    points = [_point(0, ETH), _point(40, WLAN, drill=True), _point(90, ETH)]
    found = timeline(points, _now(100), T)
    assert found.drills == (T + 40,)
    assert timeline(points, _now(100), T + 41).drills == ()
    shown = timeline_text.render(found, 60, utf8=False).splitlines()
    (mark,) = [line for line in shown if line.startswith("drill")]
    assert mark.count("^") == 1
    assert not any(line.startswith("boot") for line in shown)
    run = probe(World(config_of("eth0", "wlan0")), "timer (drill)")
    assert point(recorder.line(run)).drill
    assert not point(recorder.line(replace(run, trigger="timer"))).drill


def test_each_change_begins_a_span() -> None:
    points = [_point(0, ETH), _point(40, WLAN), _point(50, BACK), _point(60, ETH)]
    found = timeline(points, _now(100), T)
    assert _told(found) == {
        "eth0": [
            (0, 40, "up", True),
            (40, 50, "down", False),
            (50, 60, "recovering", False),
            (60, 100, "up", True),
        ],
        "wlan0": [(0, 40, "up", False), (40, 60, "up", True), (60, 100, "up", False)],
    }
    assert [track.share for track in found.tracks] == [0.8, 0.2]


def test_a_window_begins_and_ends_within_a_span() -> None:
    found = timeline([_point(0, ETH), _point(40, WLAN)], _now(100), T + 30)
    assert _told(found)["eth0"] == [(30, 40, "up", True), (40, 100, "down", False)]


def test_what_was_before_the_first_line_is_drawn_as_that_line_knew_it() -> None:
    found = timeline([_point(40, WLAN, before=ETH)], _now(100), T)
    assert _told(found)["eth0"] == [(0, 40, "up", True), (40, 100, "down", False)]
    late = timeline([_point(40, WLAN, before=ETH, clock=10)], _now(100, clock=-30), T)
    assert _told(late)["eth0"][0] == (30, 40, "up", True)  # the machine was off until then


def test_a_state_counts_until_the_next_boot() -> None:
    points = [_point(0, ETH), _point(50, WLAN, boot="b", clock=5)]
    found = timeline(points, _now(100, "b", -45), T)
    assert _told(found)["eth0"] == [(0, 45, "up", True), (50, 100, "down", False)]
    assert found.boots == (T + 45,)
    assert found.tracks[0].share == 45 / 95  # of what is known


def test_nothing_is_known_of_a_boot_without_a_line() -> None:
    found = timeline([_point(0, ETH)], _now(100, "b", -60), T)
    assert _told(found)["eth0"] == [(0, 60, "up", True)]
    assert found.boots == (T + 60,)


def test_a_boot_at_the_beginning_is_in_the_window() -> None:
    points = [_point(0, ETH), _point(50, WLAN, boot="b", clock=5)]
    assert timeline(points, _now(100, "b", -45), T + 45).boots == (T + 45,)
    assert timeline(points, _now(100, "b", -45), T + 46).boots == ()


def test_an_uplink_that_was_never_well_is_not_drawn() -> None:
    absent = State("absent", carries=False)
    found = timeline([_point(0, {"eth0": CARRIES, "wlan0": absent})], _now(100), T)
    assert _told(found) == {"eth0": [(0, 100, "up", True)], "wlan0": []}
    assert [track.share for track in found.tracks] == [1, 0]


def test_of_no_time_nothing_is_shared() -> None:
    found = timeline([_point(0, ETH)], _now(100), T + 100)
    assert [track.share for track in found.tracks] == [0, 0]


def test_uplinks_go_by_rank_then_those_that_are_none_any_more() -> None:
    points = [
        _point(0, {"usb0": CARRIES, "eth0": UP}, uplinks=("usb0", "eth0")),
        _point(50, {"wlan0": CARRIES, "eth0": UP}, uplinks=("wlan0", "eth0")),
    ]
    assert list(_told(timeline(points, _now(100), T))) == ["wlan0", "eth0", "usb0"]
    assert list(_told(timeline(points, _now(100), T + 60))) == ["wlan0", "eth0"]


@pytest.mark.parametrize(
    ("points", "now", "at"),
    [
        # The clock was put right between two points of one boot.
        ([_point(-9e6, ETH, clock=10), _point(50, WLAN, clock=60)], _now(100, clock=10), [0, 50]),
        ([_point(-9e6, ETH, clock=10), _point(-9e6, WLAN, clock=60)], _now(100, clock=10), [0, 50]),
        # One boot's clock was in the future all the time: no later than what came after it.
        ([_point(9e6, ETH), _point(50, WLAN, boot="b", clock=5)], _now(100, "b", -45), [50, 50]),
        ([_point(9e6, ETH)], _now(100, "b", 50), [100]),
        ([], _now(100), []),
    ],
)
def test_a_wrong_wall_clock_does_not_tear_the_line(
    points: list[Point], now: Now, at: list[float]
) -> None:
    assert [one - T for one in moments(points, now)] == at
    found = timeline(points, now, T)
    for track in found.tracks:
        assert all(one.begin < one.end for one in track.spans)


@pytest.mark.parametrize(
    ("earliest", "last", "begin"),
    [
        (None, None, -5),
        (None, 1, 58),
        (None, 2, 37),
        (None, 9, -5),
        (None, 0, 100),
        (30, None, 30),
        (30, 9, 37),
        (30, 1, 58),
        (40, 9, 37),
        (200, None, 200),
        (200, 3, 100),
        (-3, None, -3),
        (-300, None, -5),
        (-1e9, None, -5),
    ],
)
def test_the_window_goes_by_since_and_lines(
    earliest: float | None, last: int | None, begin: float
) -> None:
    points = [_point(0, ETH), _point(40, WLAN), _point(60, ETH)]
    found = window(points, _now(100), None if earliest is None else T + earliest, last)
    assert found - T == pytest.approx(begin, abs=1e-6)


def test_a_window_shows_a_second_of_what_was_before() -> None:
    assert window([_point(99, ETH)], _now(100), None, None) == T + 98


@pytest.mark.parametrize("before", [{}, {"eth0": State("absent", carries=False)}, ETH])
def test_no_window_is_nearly_empty_however_early_it_is_to_begin(before: dict[str, State]) -> None:
    """What is drawn takes nine tenths of it: from the first point, or from a boot known of."""
    points = [_point(0, ETH, before=before), _point(40, WLAN, before=ETH)]
    for asked in (1e3, 1e5, 1e7):
        found = timeline(points, _now(100), window(points, _now(100), T - asked, None))
        first = min(track.spans[0].begin for track in found.tracks)
        assert found.end - first >= 0.9 * (found.end - found.begin)
        assert first == (T if before != ETH else max(T - 1000, found.begin))


# --- from a line --------------------------------------------------------------------------------


def _line(run: Run, at: float = 0, boot: str = "a") -> str:
    entry = json.loads(recorder.line(run))
    moment = datetime.fromtimestamp(T + at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(entry | {"time": moment, "boot": boot})


def _world() -> World:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    return world


def test_a_line_tells_how_all_stand() -> None:
    world = _world()
    found = point(_line(look(world, "eth0", "no-carrier")))
    assert (found.time, found.boot, found.clock) == (T, "a", 1001)
    assert found.uplinks == ("eth0", "wlan0")
    assert (found.before, found.after) == (ETH, WLAN)


def test_of_the_families_that_it_carries_the_worst_counts() -> None:
    run = look(_world(), "eth0", "no-carrier")
    six = run.after.uplink_state("eth0", 6)
    others = tuple(one for one in run.after.uplinks if one != six)
    both = replace(run.after, uplinks=(*others, replace(six, state="recovering")))
    assert point(_line(replace(run, after=both))).after["eth0"] == DOWN
    active = tuple(
        replace(one, interface="eth0") if one.family == 6 else one for one in both.active
    )
    apart = replace(both, active=active)
    found = point(_line(replace(run, after=apart)))
    assert found.after["eth0"] == State("recovering", carries=True)
    # Each of them has traffic, so together they have it for more than the whole time.
    now = Now(found.time + 10, found.boot, found.clock + 10)
    assert [track.share for track in timeline([found], now, found.time).tracks] == [1, 1]


@pytest.mark.parametrize(
    "spoil",
    [
        {"after": None},
        {"before": {"active": [], "uplinks": [3]}},
        {"observed": {}},
        {"config": {"uplinks": [{"interface": "\x1b[2J"}]}},
        {"observed": {"now": []}},
        {"after": {"active": [], "uplinks": [{"interface": "e", "family": 4, "state": "x"}]}},
        {"observed": {"now": 1e999}},
        {"boot": None, "time": 7},
    ],
)
def test_a_foreign_line_is_no_point(spoil: dict[str, object]) -> None:
    entry = json.loads(_line(look(_world(), "eth0", "no-carrier")))
    with pytest.raises(ValueError, match="not"):
        point(json.dumps(entry | spoil))


# --- drawn --------------------------------------------------------------------------------------


def _drawing(*spans: tuple[float, float, State]) -> Timeline:
    one = Track("eth0", tuple(Span(T + begin, T + end, state) for begin, end, state in spans), 0.5)
    return Timeline(T, T + 100, (one,), ())


@pytest.mark.parametrize(
    ("spans", "row"),
    [
        ([(0, 100, CARRIES)], "##########"),
        ([(0, 50, CARRIES), (50, 100, DOWN)], "#####xxxxx"),
        ([(0, 44, CARRIES), (44, 45, DOWN), (45, 100, HELD)], "####x~~~~~"),
        ([(0, 50, CARRIES), (50, 50.001, DOWN), (50.001, 100, CARRIES)], "#####x####"),
        ([(0, 99.999, UP), (99.999, 100, DOWN)], "---------x"),
        ([(0, 3, UP), (3, 6, CARRIES), (6, 30, UP)], "#--       "),
        (
            [(20, 30, State("down", carries=True)), (30, 40, State("recovering", carries=True))],
            "  @%      ",
        ),
        ([], "          "),
    ],
)
def test_a_column_shows_the_gravest_state_in_it(
    spans: list[tuple[float, float, State]], row: str
) -> None:
    found = _drawing(*spans)
    cells = timeline_text.cells(found.tracks[0], found, 10)
    signs = {
        UP: "-",
        CARRIES: "#",
        HELD: "~",
        DOWN: "x",
        State("down", carries=True): "@",
        State("recovering", carries=True): "%",
    }
    assert "".join(signs.get(one, " ") for one in cells) == row


_PICTURE = """\
2027-01-15 08:00:00 to 08:10:00: 10 min; each column is 10 s
eth0   ███████████████████████▓▓▓▓▓▓▓███████xxxxxxxxxxxxx░░░░░░████  70 %
wlan0  ─────────────────────────────────────███████████████████────  30 %
       │08:00      │08:02      │08:04      │08:06      │08:08     │08:10
boot               ▲
█ carries the traffic   ▓ carries it while recovering   ─ up
░ recovering   x down   right: time with traffic, IPv4 or IPv6"""
_STAY = State("recovering", carries=True)
_HISTORY = [
    _point(0, ETH),
    _point(234, {"eth0": _STAY, "wlan0": UP}),
    _point(294, ETH),
    _point(371, WLAN),
    _point(493, BACK),
    _point(552, ETH),
]


def _story() -> Timeline:
    found = timeline(_HISTORY, _now(600), T)
    return Timeline(found.begin, found.end, found.tracks, (T + 125,))


def test_how_it_reads() -> None:
    text = timeline_text.render(_story(), 73, zone=UTC)
    assert text == _PICTURE
    plain = timeline_text.render(_story(), 73, utf8=False, zone=UTC)
    assert plain.isascii()
    assert plain == text.translate(str.maketrans("█▓─░│▲", "#%-~|^"))


def test_colour_changes_no_character() -> None:
    painted = timeline_text.render(_story(), 73, colour=True, zone=UTC)
    assert "\033[31mxxxxxxxxxxxxx\033[0m\033[33m░" in painted
    assert re.sub(r"\033\[\d+m", "", painted) == _PICTURE


@pytest.mark.parametrize("width", [1, 40, 60, 80, 133, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for begin in (T + 598, T + 300, T - 86400 * 3, T - 86400 * 4000):
        text = timeline_text.render(timeline(_HISTORY, _now(600), begin), width, zone=UTC)
        assert max(map(len, text.splitlines())) <= max(width, 38)
        assert text.splitlines()[-1].endswith("time with traffic, IPv4 or IPv6"), "what 70 % is"


_AFTER_3_S = """\
2027-01-15 08:00:03 to 08:01:03: 1 min; each column is 1 s
eth0                                                                50 %
                  │08:00:15      │08:00:30      │08:00:45      │08:01:00
right: time with traffic, IPv4 or IPv6"""


def test_a_column_may_be_a_second_and_a_label_may_end_with_the_line() -> None:
    found = Timeline(T + 3, T + 63, _drawing().tracks, ())
    assert timeline_text.render(found, 72, zone=UTC).rstrip() == _AFTER_3_S


def test_labels_are_a_dozen_columns_apart() -> None:
    found = Timeline(T, T + 420, _drawing().tracks, ())
    axis = timeline_text.render(found, 72, zone=UTC).splitlines()[2]
    assert re.findall(r"[\d:]+", axis) == ["08:00", "08:02", "08:04", "08:06"]


def test_labels_of_a_lifetime_do_not_touch() -> None:
    for width in range(60, 120):
        found = Timeline(T - 86400 * 30_000, T, _drawing().tracks, ())
        drawn = timeline_text.render(found, width, zone=UTC).splitlines()
        (axis,) = (line for line in drawn if re.match(" +│", line))
        assert re.fullmatch(r" +(│\d{4}-\d\d-\d\d +)+│?[\d-]+", axis)


def test_the_legend_takes_a_line_if_it_fits() -> None:
    legend = "   ".join(_PICTURE.splitlines()[-2:])
    for width, lines in ((len(legend), 6), (len(legend) - 1, 7)):
        assert len(timeline_text.render(_story(), width, zone=UTC).splitlines()) == lines


@pytest.mark.parametrize(("share", "told"), [(0, "0"), (0.001, "1"), (0.999, "99"), (1, "100")])
def test_none_and_all_are_told_only_where_it_is_so(share: float, told: str) -> None:
    found = Timeline(T, T + 10, (Track("eth0", (), share),), ())
    assert f" {told} %" in timeline_text.render(found, 80, zone=UTC)


def _parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


def test_the_picture_is_whole_and_scales() -> None:
    root = _parsed(svg.render(_story(), UTC))
    assert root.get("viewBox") == "0 0 960 212"
    space = {"s": "http://www.w3.org/2000/svg"}
    hints = [one.text for one in root.findall(".//s:rect/s:title", space)]
    assert "eth0 down: 2027-01-15 08:06:11 to 2027-01-15 08:08:13, 2 min 2 s" in hints
    assert len(hints) == sum(len(track.spans) for track in _story().tracks)
    style = root.findtext("s:style", "", space)
    assert "@media (prefers-color-scheme: dark)" in style
    classes = {one.get("class") for one in root.iter() if one.get("class")}
    assert all(f".{one} " in style or f".{one}," in style for one in classes)


def test_a_short_outage_is_seen_in_the_picture() -> None:
    track = Track("a<b", (Span(T, T + 9e6, CARRIES), Span(T + 5, T + 6, DOWN)), 1)
    root = _parsed(svg.render(Timeline(T, T + 9e6, (track,), ()), UTC))
    *_, last = [one for one in root.iter() if one.tag.endswith("rect") and len(one)]
    assert (last.get("class"), last.get("width")) == ("down", "1.5")


def test_the_picture_is_to_scale() -> None:
    points = [_point(0, ETH), _point(25, {"eth0": HELD, "wlan0": CARRIES})]
    root = _parsed(svg.render(timeline(points, _now(100), T), UTC))
    bars = [
        (one.get("class"), *(float(one.get(key, "")) for key in ("x", "y", "width", "height")))
        for one in root.iter()
        if one.tag.endswith("rect") and one.get("x")
    ]
    assert bars == [
        ("up", 160, 64, 180, 24),
        ("recovering", 340, 73, 540, 6),
        ("up", 160, 113, 180, 6),
        ("up", 340, 104, 540, 24),
        # the legend
        ("up", 160, 175, 28, 24),
        ("up", 340, 184, 28, 6),
        ("recovering", 520, 184, 28, 6),
        ("down", 700, 184, 28, 6),
    ]


@pytest.mark.parametrize("frame", [svg.WIDE, svg.NARROW], ids=["wide", "narrow"])
def test_any_name_of_an_interface_fits_the_picture(frame: svg.Frame) -> None:
    """One that is longer, for what can't be seen in it, is squeezed."""
    for name, fits in (("w" * 15, True), ("enx00e04c680001", True), ("\\u202e" * 15, False)):
        track = Track(name, (Span(T, T + 9, CARRIES),), 1)
        drawn = svg.inline(Timeline(T, T + 9, (track,), ()), frame)
        assert ("textLength" not in drawn) is fits, name


@pytest.mark.parametrize(
    ("share", "told"),
    [(1, "100.0"), (0.99999, "99.9"), (0.5, "50.0"), (0.00001, "0.1"), (0, "0.0")],
)
def test_a_share_is_whole_or_none_only_if_it_is(share: float, told: str) -> None:
    drawn = svg.render(Timeline(T, T + 9, (Track("eth0", (Span(T, T + 9, UP),), share),), ()))
    assert f">{told} %</text>" in drawn


def test_the_picture_has_no_more_marks_than_are_read_well() -> None:
    for length, marked in ((480, 5), (420, 8)):
        root = _parsed(svg.render(Timeline(T, T + length, (), ()), UTC))
        assert len([one for one in root.iter() if one.get("class") == "line"]) == marked


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log's directory of a machine with three lines of this boot, ten seconds ago."""
    monkeypatch.setattr(log, "Paths", lambda: Paths(str(tmp_path)))
    directory = Path(Paths(str(tmp_path)).log)
    directory.mkdir(parents=True)
    world = _world()
    runs = [look(world, "eth0", "no-carrier"), look(world, "eth0", "routable")]
    world.now += 7000
    runs.append(probe(world, "timer"))
    clock = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6 - 10_000 - runs[0].observed.now
    moved = (
        replace(run, observed=replace(run.observed, now=run.observed.now + clock)) for run in runs
    )
    (directory / "events.jsonl").write_text("".join(recorder.line(run) for run in moved))
    (directory / "events.jsonl").chmod(0o640)  # as recorder.write does
    return directory


def test_a_picture_is_put_nowhere_else(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim, picture = machine / "victim", machine / "picture.svg"
    victim.write_text("precious")
    picture.symlink_to(victim)
    assert cli.entry(["log", "--svg", str(picture)]) == 1
    assert "picture.svg: a symbolic link" in capsys.readouterr().err
    picture.unlink()
    picture.hardlink_to(victim)
    assert cli.entry(["log", "--svg", str(picture)]) == 0
    assert victim.read_text() == "precious"
    assert picture.read_text().startswith("<svg")


def _rows(text: str) -> dict[str, str]:
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def test_the_command_draws_plainly_into_a_pipe(
    machine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with (machine / "events.jsonl").open("a") as file:
        file.write("damaged\n{half")
    assert cli.entry(["log", "--timeline"]) == 0
    out, err = capsys.readouterr()
    rows = _rows(out)
    assert "\033" not in out
    assert max(len(line) for line in rows["eth0"].splitlines()) <= 60
    assert re.search(r"[#█]+x+", rows["eth0"])
    assert re.search(r"[-─]+[#█]+", rows["wlan0"])
    assert err == "netfail-hooks: 2 damaged lines skipped\n"


@pytest.mark.parametrize("options", [["-n", "0"], ["--since", "2100-01-01"]])
def test_an_empty_window_is_said(
    machine: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    picture = machine / "picture.svg"
    assert cli.entry(["log", "--svg", str(picture), *options]) == 0
    assert capsys.readouterr().err.startswith("netfail-hooks: no transitions recorded")
    assert not picture.exists()


def test_a_quiet_time_is_drawn_too(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (machine / "events.jsonl").read_text().splitlines()[0]
    (machine / "events.jsonl").write_text(line + "\n")
    time.sleep(0.05)
    assert cli.entry(["log", "--timeline", "--since", "1 s"]) == 0
    assert re.fullmatch(r"wlan0  +[#█]+ +100 %", _rows(capsys.readouterr().out)["wlan0"])


def test_the_command_makes_a_picture(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = machine / "picture.svg"
    assert cli.entry(["log", "--svg", str(picture), "--timeline", "-n", "2"]) == 0
    assert cli.entry(["log", "--svg", "-"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in (picture.read_text(), out):
        assert _parsed(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert picture.stat().st_mode & 0o777 == 0o640  # as its recording
    picture.chmod(0o664)
    assert cli.entry(["log", "--svg", str(picture)]) == 0
    assert picture.stat().st_mode & 0o777 == 0o664  # as a person wants it
    assert cli.entry(["log", "--svg", str(machine / "none" / "x")]) == 1
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--timeline", "--json"], "--json and --timeline exclude each other"),
        (["--svg", "x", "--json"], "leave --json or --bundle out"),
        (["--timeline", "--follow"], "a drawing can't be followed"),
    ],
)
def test_what_does_not_go_together(
    capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert cli.entry(["log", *options]) == 2
    assert told in capsys.readouterr().err


# --- what a terminal can show -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "encoding", "output", "can"),
    [
        ({"LANG": "de_DE.UTF-8"}, "UTF-8", "utf-8", True),
        ({"LANG": "C.UTF-8"}, "UTF-8", "UTF8", True),
        ({"LC_ALL": "en_US.utf8", "LANG": "C"}, "UTF-8", "utf-8", True),
        ({"LC_CTYPE": "id_ID.UTF-8"}, "UTF-8", "utf-8", True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "ANSI_X3.4-1968", "utf-8", False),
        ({"LANG": "de_DE"}, "ISO-8859-1", "iso8859-1", False),
        ({"LANG": "de_DE.UTF-8"}, "UTF-8", "ascii", False),
        ({"LANG": "de_DE.UTF-8"}, "odd", "utf-8", False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "UTF-8", "utf-8", False),
        ({"LC_CTYPE": "C.UTF-8"}, "UTF-8", "utf-8", False),
        ({}, "UTF-8", "utf-8", False),
    ],
)
def test_utf8_is_what_the_locale_says(
    environment: dict[str, str], encoding: str, output: str, *, can: bool
) -> None:
    assert speaks_utf8(environment, encoding, output) is can


@pytest.mark.parametrize(
    ("environment", "can"),
    [({"LC_ALL": "C.UTF-8"}, True), ({"LC_ALL": "C"}, False), ({"LANG": "C"}, False), ({}, False)],
)
def test_a_real_locale_is_seen(environment: dict[str, str], *, can: bool) -> None:
    program = "from netfail_hooks.terminal import utf8; print(utf8())"
    clean = {key: text for key, text in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{can}\n"
