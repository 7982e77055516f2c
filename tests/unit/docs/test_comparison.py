"""Each cell of docs/how/comparison.md has its source, and each of ours is a test that is there."""

from __future__ import annotations

import re

import pytest

from tests.support import ROOT
from tests.unit.docs.test_guarantees import _defined

TEXT = (ROOT / "docs/how/comparison.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]
SOURCES = dict(re.findall(r"^- \*\*([A-Z]+\d+)\*\* (.+)$", TEXT, re.MULTILINE))
OTHERS = ("NM", "M", "V", "O", "K", "T")  # by column
_TAG = re.compile(r"\[([A-Z]+)(\d+)\]")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_each_cell_has_a_source_of_its_own(row: list[str]) -> None:
    _, ours, *others = row
    for cell, kind in zip(others, OTHERS, strict=True):
        tags = _TAG.findall(cell)
        assert [letters for letters, _ in tags] == [kind], cell
        assert tags[0][0] + tags[0][1] in SOURCES
    tags = _TAG.findall(ours)
    # What we have not is no promise; what we have has a test.
    assert (ours == "no") == (not tags)
    assert all(letters == "N" and letters + number in SOURCES for letters, number in tags)


def test_no_source_is_left_over() -> None:
    used = {
        letters + number for row in ROWS for cell in row for letters, number in _TAG.findall(cell)
    }
    assert set(SOURCES) == used


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_source_is_a_test_of_ours_or_a_place_to_look_it_up(source: str) -> None:
    said = SOURCES[source]
    if re.match(r"N\d", source):
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", said)
        assert named
        assert named[2] in _defined(named[1])
    else:
        assert re.search(r"\(https://[^)]+\)", said)


def test_what_we_lack_is_said_in_words_as_well() -> None:
    behind = TEXT.partition("## Where ours is behind")[2].partition("\n## Sources")[0]
    words = {
        "load balancing": "Load balancing",
        "another uplink for some destinations": "another uplink for some destinations",
        "a page to click on": "a page to click on",
    }
    lacking = [row[0] for row in ROWS if row[1] == "no"]
    assert [what for what in lacking if words[what] not in behind] == []
