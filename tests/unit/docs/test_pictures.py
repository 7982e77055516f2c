"""Pictures of the documents: all of it is in them, it can be read, and causes come before effects.

By widths of letters; tests/browser/test_pictures.py asks a real browser.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.demo_picture import TOLD, UPLINKS, film, picture
from tests.support import ROOT
from tests.support.lettering import width

PICTURES = sorted((ROOT / "docs").rglob("*.svg"))
_README = ROOT / "docs/how/demo.svg"
_PHONE = 328  # pixels that GitHub leaves a picture on a phone of 360
_LEAST = 11  # pixels of a letter's size that can be read
_SVG = "{http://www.w3.org/2000/svg}"


class Text(NamedTuple):
    """A text, from where to where it is drawn at most, and its size."""

    text: str
    left: float
    right: float
    size: float


def _texts(drawn: str) -> Iterator[Text]:
    root = ET.fromstring(drawn)  # noqa: S314 - of our own
    style = root.findtext(f"{_SVG}style") or ""
    usual = re.search(r"^text \{ font: (\d+)px", style, re.MULTILINE)
    assert usual
    sizes = dict(re.findall(r"\.(\S+) \{[^}]*font-size: (\d+)px", style))
    bold = re.findall(r"\.(\S+) \{[^}]*font-weight: 600", style)
    for one in root.iter(f"{_SVG}text"):
        kinds = one.get("class", "").split()
        size = float(next((sizes[kind] for kind in kinds if kind in sizes), usual[1]))
        takes = width(one.text or "", size, bold=any(kind in bold for kind in kinds))
        anchor = one.get("text-anchor", "start")
        left = float(one.get("x", 0)) - takes * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        yield Text(one.text or "", left, left + takes, size)


def _wide(drawn: str) -> float:
    box = re.search(r'viewBox="0 0 (\d+) \d+"', drawn)
    assert box
    return float(box[1])


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: str(path.stem))
def test_nothing_is_drawn_outside(path: Path) -> None:
    drawn = path.read_text(encoding="utf-8")
    texts = list(_texts(drawn))
    assert len(texts) > 10
    assert [one for one in texts if one.left < 0 or one.right > _wide(drawn)] == []


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: str(path.stem))
def test_it_has_a_background_of_its_own_light_and_dark(path: Path) -> None:
    """A page may be dark where the machine is light: then text would be as dark as the page."""
    drawn = path.read_text(encoding="utf-8")
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', drawn)
    first = re.search(r"<(rect|path|text|g)\b[^>]*>", drawn)
    assert box
    assert first
    assert f'class="back" width="{box[1]}" height="{box[2]}"' in first[0]
    light, _, dark = drawn.partition("prefers-color-scheme: dark")
    fills = [re.findall(r"\.back \{ fill: (#\w{6})", part) for part in (light, dark)]
    assert [len(found) for found in fills] == [1, 1]
    assert fills[0] != fills[1]


def test_the_picture_of_readme_can_be_read_on_a_phone() -> None:
    drawn = _README.read_text(encoding="utf-8")
    scale = _PHONE / _wide(drawn)
    assert [one for one in _texts(drawn) if one.size * scale < _LEAST] == []


@st.composite
def _chapters(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw runs: when acts begin, and when each datagram was lost; strips and acts say the same."""
    found = []
    for story in TOLD:
        columns = draw(st.integers(1, 60))
        whole = draw(st.integers(columns, 20_000))  # ms
        begins = sorted(draw(st.lists(st.integers(0, whole), min_size=2, max_size=2)))
        lost = draw(st.lists(st.integers(0, whole - 1), max_size=30))
        span = whole / columns
        ends = [*begins[1:], whole + 1]
        found.append(
            {
                "title": story.title,
                "span_ms": span,
                "losses": [
                    sum(span * k <= at < span * (k + 1) for at in lost) for k in range(columns)
                ],
                "active": {name: [True] * columns for name in UPLINKS},
                "acts": [
                    {
                        "began_ms": begin,
                        "lost": sum(begin <= at < end for at in lost),
                        "sent": 99,
                        "moved_ms": 1,
                        "alive": 2,
                        "connections": 2,
                    }
                    for begin, end in zip(begins, ends, strict=True)
                ],
            }
        )
    return found


@given(_chapters())
def test_what_an_act_cost_is_drawn_after_it_and_before_the_next(
    chapters: list[dict[str, Any]],
) -> None:
    shown = film({"chapters": chapters})
    assert list(shown.edges) == sorted(shown.edges)
    assert len(shown.losses) == len(shown.edges) - 1
    bounds = [moment.at for moment in shown.moments]
    per_chapter = len(shown.moments) // len(chapters)
    for number, moment in enumerate(shown.moments):
        last = number % per_chapter == per_chapter - 1
        chapter = chapters[number // per_chapter]
        began = moment.at - moment.outcome["began_ms"] / 1000
        end = began + chapter["span_ms"] * len(chapter["losses"]) / 1000
        until = end if last else bounds[number + 1]
        drawn = sum(
            lost
            for lost, low, high in zip(shown.losses, shown.edges[:-1], shown.edges[1:], strict=True)
            if low >= moment.at - 1e-6 and high <= until + 1e-6
        )
        assert drawn == moment.outcome["lost"]
    assert sum(shown.losses) == sum(sum(chapter["losses"]) for chapter in chapters)


def test_however_little_was_lost_it_is_seen_and_behind_its_mark() -> None:
    drawn = picture(json.loads((ROOT / "docs/how/demo.json").read_text(encoding="utf-8")))
    losses = re.findall(r'class="lost" x="([\d.]+)" y="\d+" width="([\d.]+)"', drawn)
    marks = re.findall(r'stroke-dasharray="2 3" d="M([\d.]+) ', drawn)
    assert [float(x) for x, _ in losses] == [float(marks[0]), float(marks[2])]
    assert all(float(wide) >= 3 for _, wide in losses)
