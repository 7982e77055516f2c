"""What the demo prints, from what it measured."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.cli import demo
from netfail_hooks.demo.story import COLUMNS, Chapter, Outcome
from netfail_hooks.demo.text import head, strips, summary
from netfail_hooks.lab.namespaces import _refused

_WELL = Outcome(
    "cable out", moved_ms=12, sent=900, lost=1, outage_ms=7.2, stall_ms=3.4, connections=2, alive=2
)
_HALF = COLUMNS // 2
_CHAPTER = Chapter(
    "The cable",
    (_WELL,),
    100.0,
    {"eth0": (True,) * _HALF + (False,) * _HALF, "wlan0": (False,) * _HALF + (True,) * _HALF},
    (0,) * _HALF + (1,) + (0,) * (_HALF - 1),
)


def test_strips_show_who_carried_the_traffic_and_what_was_lost() -> None:
    _, first, second, lost, scale = strips(_CHAPTER)
    assert first.split() == ["eth0", "#" * _HALF + "." * _HALF]
    assert second.split() == ["wlan0", "." * _HALF + "#" * _HALF]
    assert lost.split() == ["lost", "." * _HALF + "x" + "." * (_HALF - 1)]
    assert scale.endswith("6.0 s")
    assert len(scale) == len(first)


def test_blocks_and_colours_only_where_they_can_be_shown() -> None:
    fine = "\n".join(strips(_CHAPTER, colour=True, utf8=True))
    assert "█" in fine
    assert "\033[31m" in fine
    plain = "\n".join(strips(_CHAPTER))
    assert plain.isascii()
    assert "\033" not in plain


def test_the_table_has_each_act_and_names_what_went_wrong() -> None:
    late = Outcome("router dead", -1, 900, 900, 9000.0, 9000.0, connections=2, alive=1)
    lines = summary([_CHAPTER, Chapter("The router", (late,), 1.0, {}, ())], "sudo ./install.sh")
    assert any("12 ms" in line and "1 of 900" in line and "2 of 2 alive" in line for line in lines)
    assert any("over 20 s" in line and "1 of 2 alive" in line for line in lines)
    assert (
        "NOT WELL: The router: router dead: the traffic was not where it belongs after 20 s"
    ) in lines


_INSTALL = "Next: sudo ./install.sh --primary eth0 --backup wlan0 --dry-run"
_OUTCOMES = st.builds(
    Outcome,
    title=st.sampled_from(["cable out", "cable in"]),
    moved_ms=st.integers(-1, 25_000) | st.just(-1),
    sent=st.integers(0, 5000),
    lost=st.integers(0, 5000),
    outage_ms=st.floats(0, 20_000),
    stall_ms=st.floats(0, 20_000),
    connections=st.just(2),
    alive=st.integers(0, 2),
    start_ms=st.integers(5, 20_000) | st.integers(5, 600),
)
_CHAPTERS = st.builds(
    Chapter,
    title=st.just("The cable"),
    acts=st.lists(_OUTCOMES, min_size=1, max_size=3).map(tuple),
    span_ms=st.just(1.0),
    active=st.just({}),
    losses=st.just(()),
)


@given(st.lists(_CHAPTERS, min_size=1, max_size=4))
def test_install_is_the_next_step_only_where_all_went_well_and_each_failure_has_its_reason(
    chapters: list[Chapter],
) -> None:
    lines = summary(chapters, "sudo ./install.sh")
    bad = [act for chapter in chapters for act in chapter.acts if not act.healthy]
    assert (_INSTALL in lines) is (not bad)
    ours = [act for act in bad if act.start_ms < 500]  # the others are the machine's
    told = [line.split(": ") for line in lines if line.startswith("NOT WELL")]
    assert [title for _, _, title, _ in told] == [act.title for act in ours]
    assert "TOO SLOW" not in "".join(lines)
    assert sum("not where it belongs" in line or "died" in line for line in lines) == len(ours)
    for act, (_, _, _, reason) in zip(ours, told, strict=True):
        assert reason == (
            "the traffic was not where it belongs after 20 s"
            if act.moved_ms < 0
            else f"{2 - act.alive} of 2 connections died"
        )
    # On a machine that is too slow a failure tells nothing, and is nothing to report.
    slow = any(chapter.too_slow for chapter in chapters)
    assert slow is any(act.start_ms >= 500 for act in bad)
    assert any("report it" in line for line in lines) is (bool(bad) and not slow)


@pytest.mark.parametrize(
    ("said", "user", "hint"),
    [
        ("unshare: unshare failed: Operation not permitted", True, "forbids user namespaces"),
        ("unshare: write failed /proc/self/uid_map: Operation not permitted", True, "forbids user"),
        ("mount of /sys failed: Operation not permitted", True, "run it with sudo; in a container"),
        (
            "unshare: mount /proc failed: Operation not permitted",
            True,
            "in a container, on a machine",
        ),
        ("mount: /run: permission denied", False, "root without CAP_SYS_ADMIN"),
    ],
)
def test_what_was_refused_is_told_with_what_to_try(said: str, hint: str, *, user: bool) -> None:
    problem = _refused(said, user=user)
    assert said in str(problem)
    assert hint in str(problem)
    assert ("forbids" in str(problem)) is ("forbids" in hint)


def test_the_head_says_what_is_real() -> None:
    assert "systemd-networkd and networkd-dispatcher, and the hooks" in head("", 1)[0]
    assert "without systemd-networkd (not root)" in head("not root", 1)[0]


def test_beforehand_it_says_why_a_later_hold_down_is_longer() -> None:
    seconds = tomllib.loads(demo._CONFIG)["hold_down"]["seconds"]
    told = " ".join(head("", 1))
    assert f"a hold-down of {seconds} s, to keep it short" in told
    assert f"doubles each time the uplink is lost again ({seconds * 2} s, {seconds * 4} s)" in told
