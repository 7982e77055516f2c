"""What the demo prints, from what it measured."""

from __future__ import annotations

import tomllib

import pytest

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
    never = Outcome("router dead", -1, 900, 900, 9000.0, 9000.0, connections=2, alive=1)
    lines = summary([_CHAPTER, Chapter("The router", (never,), 1.0, {}, ())], "sudo ./install.sh")
    assert any("12 ms" in line and "1 of 900" in line and "2 of 2 alive" in line for line in lines)
    assert any("never" in line and "1 of 2 alive" in line for line in lines)
    assert "Next: sudo ./install.sh --primary eth0 --backup wlan0 --dry-run" in lines
    assert lines[-1] == "NOT WELL: The router: router dead"
    assert not [line for line in summary([_CHAPTER], "") if line.startswith("NOT WELL")]


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
