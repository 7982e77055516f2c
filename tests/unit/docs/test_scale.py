"""The table and the picture of what is not ours are those of the numbers beside them."""

from __future__ import annotations

from pathlib import Path

from bench.crowd import ROWS
from bench.scale_picture import COLUMNS, load, markdown, picture

DOCS = Path(__file__).resolve().parents[3] / "docs/how"
FOUND = load((DOCS / "scale.json").read_text(encoding="utf-8"))


def test_table_and_picture_show_the_numbers() -> None:
    assert markdown(FOUND) in (DOCS / "speed.md").read_text(encoding="utf-8")
    assert picture(FOUND) == (DOCS / "scale.svg").read_text(encoding="utf-8")


def test_every_row_was_measured_before_and_now() -> None:
    for costs in (FOUND.before, FOUND.now):
        assert list(costs) == [row.name for row in ROWS]
        assert all(list(row) == list(COLUMNS) for row in costs.values())


def test_the_goal_is_reached_where_the_document_names_nothing_above_it() -> None:
    base, above = FOUND.now["nothing"], ("100,000 routes", "20,000 IPv6 routes", "uplinks")
    for name, costs in FOUND.now.items():
        limit = 2.5 if name.endswith(above) else 1.6
        for column in COLUMNS:
            assert costs[column] / base[column] < limit, (name, column)
