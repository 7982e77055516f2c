"""Where a time axis has its marks, and what is written there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from netfail_hooks.timeline.axis import marks

T = 1_800_000_000.0  # 08:00 UTC
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("length", "most", "labels"),
    [
        (10, 5, ["08:00:00", "08:00:02", "08:00:04", "08:00:06", "08:00:08", "08:00:10"]),
        (600, 4, ["08:00", "08:05", "08:10"]),
        (_DAY, 4, ["12:00", "18:00", "01-16", "06:00"]),
        (3 * _DAY, 3, ["01-16", "01-17", "01-18"]),
        (30 * _DAY, 4, ["01-16", "01-26", "02-05"]),
        (900 * _DAY, 4, ["2027-01-16", "2028-05-30"]),
    ],
)
def test_marks_are_round(length: float, most: int, labels: list[str]) -> None:
    assert [one.label for one in marks(T, T + length, most, UTC)] == labels


@pytest.mark.parametrize(
    ("step", "label"),
    [(seconds, "%H:%M:%S") for seconds in (1, 2, 5, 10, 15, 30)]
    + [(minutes * _MINUTE, "%H:%M") for minutes in (1, 2, 5, 10, 15, 30)]
    + [(hours * _HOUR, "%H:%M") for hours in (1, 2, 3, 6, 12)]
    + [(days * _DAY, "%m-%d") for days in (1, 2, 5, 10, 20)]
    + [(days * _DAY, "%Y-%m-%d") for days in (50, 100, 200, 500, 1000, 2000)],
)
def test_steps_are_those_that_people_count_in(step: int, label: str) -> None:
    begin = T - 8 * _HOUR  # midnight
    for length, gap in ((4 * step, step), (4 * step - 1, step), (10**9, 2000 * _DAY)):
        found = marks(begin, begin + length, 4, UTC)
        assert {int(two.time - one.time) for one, two in pairwise(found)} == {gap}
        assert found[0].time == begin
    (_, second, *_, last) = marks(begin, begin + 4 * step, 4, UTC)
    assert last.time == begin + 4 * step
    moment = datetime.fromtimestamp(second.time, UTC)
    assert second.label == moment.strftime(label)


@pytest.mark.parametrize("step", [1, 60, _HOUR, 12 * _HOUR, _DAY, 1000 * _DAY])
def test_marks_are_no_closer_than_asked(step: int) -> None:
    one, two, *_ = marks(T, T + 4 * step + 2, 4, UTC)
    assert two.time - one.time > step


@pytest.mark.parametrize("most", [0, 1])
def test_where_there_is_no_room_there_is_one_step(most: int) -> None:
    assert [one.label for one in marks(T, T + 60, most, UTC)] == ["08:00", "08:01"]


def test_a_mark_is_local_time_through_a_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 24, 12, tzinfo=berlin).timestamp()
    found = marks(begin, begin + 4 * _DAY, 4, berlin)
    assert [one.label for one in found] == ["10-25", "10-26", "10-27", "10-28"]
    local = [datetime.fromtimestamp(one.time, berlin).hour for one in found]
    assert local == [0, 0, 0, 0]
    half = timezone(timedelta(hours=5, minutes=30))
    assert marks(T, T + 3600, 2, half)[0].label == "13:30"
