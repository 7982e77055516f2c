"""What bench/scale tells and draws of its numbers."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench.crowd import ROWS
from bench.scale_picture import COLUMNS, Scale, dump, load, markdown, picture, text

NOW = {row.name: dict.fromkeys(COLUMNS, 10.0 + place) for place, row in enumerate(ROWS)}
BEFORE = {row.name: dict.fromkeys(COLUMNS, 10.0 * (1 + place)) for place, row in enumerate(ROWS)}
SCALE = Scale("a machine", BEFORE, NOW)


def test_what_is_kept_is_read_again_and_nothing_else() -> None:
    assert load(dump(SCALE)) == SCALE
    for content in ("{}", '{"now": 1, "more": 2}', "nonsense"):
        with pytest.raises(ValueError, match=r"."):
            load(content)


def test_each_row_stands_beside_what_it_was_and_in_times_of_nothing() -> None:
    for told in (text(SCALE), markdown(SCALE)):
        (line,) = [line for line in told.splitlines() if "100,000 routes" in line]
        assert line.count("50 → 14.0 (1.40)") == len(COLUMNS)
    alone = text(Scale("a machine", {}, {"6 uplinks": NOW["6 uplinks"]}))
    assert "22.0" in alone
    assert "→" not in alone


def test_the_picture_has_a_pair_of_bars_for_each_and_cuts_what_is_too_long() -> None:
    drawn = ET.fromstring(picture(SCALE))  # noqa: S314 - our own
    kinds = [path.get("class") for path in drawn.iter("{http://www.w3.org/2000/svg}path")]
    assert kinds.count("now") == kinds.count("before") == len(ROWS) * len(COLUMNS)
    ends = [float(t.get("x", 0)) for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert max(ends) < float(drawn.get("width", 0))


def test_a_row_has_as_many_uplinks_as_it_says() -> None:
    assert {len(set(row.uplinks)) for row in ROWS} == {2, 6, 20}
