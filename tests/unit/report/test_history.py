"""From recorded transitions to outages and availability."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import recorder
from netfail_hooks.report.history import NO_UPLINK, PERIODS, cause, outages, period, periods
from netfail_hooks.timeline import Now, Point, State
from tests.support.pages import CARRIES, DOWN, HELD, TIME, UP, point
from tests.support.runs import look
from tests.support.world import World, config_of

NAMES = ("eth0", "wlan0")
NOW = Now(TIME, "a", 40 * 86400)
WELL, MOVED = {"eth0": CARRIES, "wlan0": UP}, {"eth0": DOWN, "wlan0": CARRIES}
BACK, NONE = {"eth0": HELD, "wlan0": CARRIES}, {"eth0": DOWN, "wlan0": DOWN}


def _points(*story: tuple[float, dict[str, State]]) -> list[Point]:
    return [point(at, after, NAMES) for at, after in story]


def _told(points: list[Point], causes: list[dict[str, str]], seconds: float) -> list[object]:
    found = period("day", points, NOW, TIME - seconds).timeline
    return [
        (one.uplink, TIME - one.begin, one.end and TIME - one.end, one.cause, one.cut)
        for one in outages(found, points, NOW, causes)
    ]


def test_an_outage_has_its_length_and_its_cause() -> None:
    points = _points((900, WELL), (500, MOVED), (450, BACK), (440, WELL), (100, MOVED))
    causes = [{}, {"eth0": "no carrier"}, {}, {}, {"eth0": "no answer"}]
    assert _told(points, causes, 800) == [
        ("eth0", 100, None, "no answer", False),
        ("eth0", 500, 450, "no carrier", False),
    ]
    found = period("day", points, NOW, TIME - 800)
    eth0, wlan0 = found.uplinks
    assert (eth0.outages, eth0.longest) == (2, 100)
    assert eth0.worked == pytest.approx(1 - 150 / 800)
    assert eth0.carried == pytest.approx(1 - 160 / 800)
    assert (wlan0.worked, wlan0.outages) == (1, 0)
    assert (found.way_out.worked, found.way_out.carried, found.way_out.outages) == (1, 1, 0)


def test_one_that_began_before_is_cut_and_keeps_its_cause() -> None:
    points = _points((900, WELL), (500, MOVED), (50, BACK))
    causes = [{}, {"eth0": "no carrier"}, {}]
    assert _told(points, causes, 200) == [("eth0", 200, 50, "no carrier", True)]


def test_what_was_before_anything_was_known_counts_for_nothing() -> None:
    """The log of a machine that had been up for long begins with uplinks that were never seen."""
    points = _points((900, WELL), (500, MOVED), (400, WELL))
    found = period("day", points, NOW, TIME - 5000)
    assert found.timeline.end - found.timeline.begin == 5000
    eth0, wlan0 = found.uplinks
    assert eth0.carried == pytest.approx(800 / 900)
    assert wlan0.carried == pytest.approx(100 / 900)
    assert [track.share for track in found.timeline.tracks] == [eth0.carried, wlan0.carried]
    assert found.way_out.worked == 1


def test_no_way_out_is_an_outage_of_its_own() -> None:
    points = _points((900, WELL), (500, NONE), (480, MOVED), (100, WELL))
    causes = [{}, {"eth0": "no carrier", "wlan0": "no answer"}, {"eth0": "no carrier"}, {}]
    told = _told(points, causes, 800)
    assert (NO_UPLINK, 500, 480, "no uplink had the traffic", False) in told
    assert ("wlan0", 500, 480, "no answer", False) in told
    way_out = period("day", points, NOW, TIME - 800).way_out
    assert way_out.worked == way_out.carried == pytest.approx(1 - 20 / 800)
    assert way_out.longest == pytest.approx(20)
    assert way_out.outages == 1


def test_what_changes_meanwhile_does_not_end_an_outage() -> None:
    points = _points((900, WELL), (500, MOVED), (490, NONE), (480, MOVED), (100, WELL))
    causes = [{}, {"eth0": "no carrier"}, {"eth0": "no answer"}, {"eth0": "no carrier"}, {}]
    assert [one for one in _told(points, causes, 800) if one[0] == "eth0"] == [  # type: ignore[index]
        ("eth0", 500, 100, "no carrier", False)
    ]


def test_of_nothing_recorded_nothing_is_told() -> None:
    found = period("day", [], NOW, TIME - 800)
    assert found.uplinks == ()
    assert outages(found.timeline, [], NOW, []) == ()


def test_the_cause_is_what_the_recorder_says_of_who_is_down() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    line = recorder.line(look(world, "eth0", "no-carrier"))
    assert cause(line) == {"eth0": "no carrier"}
    with pytest.raises(ValueError, match="not an event"):
        cause(json.dumps({"after": []}))


STATES = st.sampled_from([WELL, MOVED, BACK, NONE, {"eth0": UP, "wlan0": CARRIES}])


@given(st.lists(st.tuples(st.integers(1, 5000), STATES), min_size=1), st.integers(1, 6000))
def test_shares_and_outages_agree_whatever_happened(
    story: list[tuple[int, dict[str, State]]], seconds: int
) -> None:
    points = _points(*sorted(story, key=lambda one: -one[0]))
    found = period("day", points, NOW, TIME - seconds)
    each = outages(found.timeline, points, NOW, [{}] * len(points))
    for one in (*found.uplinks, *([found.way_out] if found.uplinks else [])):
        own = [outage for outage in each if outage.uplink == one.uplink]
        assert len(own) == one.outages
        assert max((outage.seconds(TIME) for outage in own), default=0) == pytest.approx(
            one.longest, abs=0.01
        )
        assert -1e-9 <= one.carried <= 1 + 1e-9
        assert -1e-9 <= one.worked <= 1 + 1e-9
        assert (one.worked < 1) == bool(own)
    assert all(one.end is None or one.end > one.begin for one in each)
    assert [one.begin for one in each] == sorted((one.begin for one in each), reverse=True)


_DAY = 86400
_MONTH = 30 * _DAY
_STORIES = st.lists(
    st.tuples(st.integers(1, 45 * _DAY) | st.integers(1, 3600), st.sampled_from("abc")), max_size=6
)


@given(story=_STORIES, off=st.booleans())
def test_a_longer_period_is_shown_only_if_more_is_known_of_it(
    story: list[tuple[int, str]], *, off: bool
) -> None:
    """Logs of any age, of boots that may have ended long ago: then nothing is known since."""
    ages = sorted((age for age, _ in story), reverse=True)
    boots = sorted(boot for _, boot in story)
    points = [
        Point(TIME - age, boot, 100 * _DAY - age, NAMES, {}, (WELL, MOVED)[age % 2])
        for age, boot in zip(ages, boots, strict=True)
    ]
    now = Now(TIME, "z", 5) if off else Now(TIME, boots[-1] if boots else "z", 100 * _DAY)
    shown = periods(points, now)
    everything = [period(name, points, now, TIME - seconds) for name, seconds in PERIODS]
    known = [one.known for one in shown]
    assert all(longer > shorter for shorter, longer in pairwise([0, *known])) or known == [0]
    assert known[-1] == pytest.approx(everything[-1].known)  # nothing is left out
    assert [one.name for one in shown] == sorted(
        (one.name for one in shown), key=[name for name, _ in PERIODS].index
    )
    for one in shown:
        seconds = dict(PERIODS)[one.name]
        assert one.known <= seconds + 0.01
        begun = TIME - max(ages) if one.known and max(ages) < seconds else None
        assert one.since == (begun and pytest.approx(begun, rel=0, abs=0.01))
        assert one.known == 0 or one.since is None or one is shown[-1]
