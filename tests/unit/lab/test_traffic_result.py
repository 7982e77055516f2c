"""How traffic judges what it sent: losses, outages, connections."""

from __future__ import annotations

from typing import Any

import pytest

from netfail_hooks.lab.traffic_result import Connection, Flow, Result, flow, talk, without

_PACE, _WAY = 0.005, 0.001  # seconds
_ALL = [(0.0, 10.0)]


def _tally(
    count: int, lost: range = range(0), late: dict[int, float] | None = None, pause: float = 0
) -> dict[str, Any]:
    """Return a stream that lost some, had some late, and whose sender paused in the middle."""
    sent = [at * _PACE + (pause if at >= count // 2 else 0) for at in range(count)]
    got = [
        (at, when + (late or {}).get(at, _WAY)) for at, when in enumerate(sent) if at not in lost
    ]
    return {"sent": sent, "got": got}


@pytest.mark.parametrize(
    ("tally", "lost", "outage_ms"),
    [
        (_tally(100), 0, 1),
        (_tally(100, range(50, 51)), 1, 6),
        (_tally(100, range(50, 60)), 10, 51),
        (_tally(100, range(10)), 10, 51),
        (_tally(100, range(90, 100)), 10, 45),
        (_tally(100, range(100)), 100, 495),
        (_tally(100, range(0, 100, 2)), 50, 6),
        (_tally(100, late={50: 0.4}), 0, 6),
        (_tally(100, range(40, 50), late={50: 0.4}), 10, 56),
        (_tally(100, late=dict.fromkeys(range(50, 100), 0.4)), 0, 400),
        (_tally(100, late=dict.fromkeys(range(90, 100), 0.4)), 0, 400),
        (_tally(100, pause=2), 0, 1),
        (_tally(100, range(49, 50), pause=2), 1, 2006),
        (_tally(0), 0, 0),
    ],
    ids=[
        "healthy",
        "one",
        "ten",
        "first",
        "last",
        "all",
        "every other",
        "late",
        "lost, then late",
        "all late",
        "the last late",
        "a pause",
        "lost before a pause",
        "nothing sent",
    ],
)
def test_an_outage_is_from_the_first_that_did_not_get_through_to_the_next_arrival(
    tally: dict[str, Any], lost: int, outage_ms: float
) -> None:
    found = flow("out", tally, _ALL)
    assert (found.total, found.lost) == (len(tally["sent"]), lost)
    assert found.outage_ms == pytest.approx(outage_ms)


def test_what_was_sent_in_other_spans_does_not_count() -> None:
    tally = _tally(1000, range(100, 300))
    assert flow("out", tally, [(0.0, 0.5), (1.5, 10.0)]) == Flow("out", 800, 0, 1.0)
    assert flow("out", tally, [(0.0, 1.0), (1.0, 10.0)]) == Flow("out", 1000, 200, 501.0)


def test_an_answer_counts_like_an_arrival() -> None:
    there, back = _tally(100, range(50, 51)), _tally(100, range(50, 55))
    tally = {**there, "answered": back["got"]}
    assert flow("out", tally, _ALL).lost == 1
    assert flow("out", tally, _ALL, "answered").lost == 5
    found = Result((), (), (Flow("out", 10, 1, 5.0), Flow("in", 10, 4, 9.0)))
    assert (found.unanswered(), found.unanswered("out"), found.trip("in").lost) == (4, 1, 4)
    assert str(found).splitlines()[0] == "out and back: 1 of 10 lost, outage 5 ms"


def test_figures_have_a_tenth_of_a_millisecond() -> None:
    tally = {"sent": [1.0], "got": [(0, 1.00126)]}
    assert flow("out", tally, _ALL).outage_ms == 1.3
    exchanges = {"exchanges": [(1.0, 1.00126)], "error": ""}
    assert talk("t", exchanges, _ALL, 10.0).stall_ms == 1.3


def test_a_question_counts_for_the_span_in_which_it_was_asked() -> None:
    tally = {"exchanges": [(0.4, 0.5), (1.0, 1.5), (2.0, 2.6), (3.0, 3.7)], "error": ""}
    assert talk("t", tally, [(1.0, 2.0), (2.5, 3.0)], 10.0).exchanges == 1
    assert talk("t", tally, [(1.0, 2.1)], 10.0).stall_ms == pytest.approx(600)


@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        ([], [(1.0, 9.0)]),
        ([(3.0, 4.0)], [(1.0, 3.0), (4.0, 9.0)]),
        ([(6.0, 7.0), (0.0, 2.0)], [(2.0, 6.0), (7.0, 9.0)]),
        ([(5.0, 12.0)], [(1.0, 5.0)]),
        ([(0.0, 12.0)], []),
        ([(1.0, 2.0), (5.0, 9.0)], [(2.0, 5.0)]),
    ],
)
def test_what_remains_of_a_span(
    excluded: list[tuple[float, float]], left: list[tuple[float, float]]
) -> None:
    assert list(without((1.0, 9.0), excluded)) == left


@pytest.mark.parametrize(
    ("exchanges", "error", "count", "stall_ms", "alive"),
    [
        ([(1.0, 1.1), (2.0, 2.3)], "", 2, 300, True),
        ([(1.0, 1.1), (2.0, 0.0)], "", 2, 8000, False),
        ([(1.0, 1.1), (2.0, 2.3)], "reset", 2, 300, False),
        ([], "", 0, 0, False),
        ([(0.4, 0.5)], "", 1, 100, True),
        ([(1.0, 1.1), (20.0, 20.9)], "", 1, 100, True),
    ],
)
def test_a_connection_lives_that_was_answered_last(
    exchanges: list[tuple[float, float]], error: str, count: int, stall_ms: float, *, alive: bool
) -> None:
    found = talk("t", {"exchanges": exchanges, "error": error}, _ALL, 10.0)
    assert (found.exchanges, found.alive, found.error) == (count, alive, error)
    assert found.stall_ms == pytest.approx(stall_ms)


def test_the_worst_stream_and_connection_speak_for_all() -> None:
    dead = Connection("tcp-in", 9, 50.0, alive=False, error="reset")
    found = Result(
        (Flow("out", 10, 1, 5.0), Flow("in", 10, 4, 9.0)),
        (Connection("tcp-out", 9, 20.0, alive=True, error=""), dead),
    )
    assert (found.lost(), found.lost("out"), found.stall_ms) == (4, 1, 50.0)
    assert not found.all_alive
    assert found.flow("in").outage_ms == 9.0
    assert found.talk("tcp-in") == dead
    assert str(found).splitlines() == [
        "out: 1 of 10 lost, outage 5 ms",
        "in: 4 of 10 lost, outage 9 ms",
        "tcp-out: alive after 9 exchanges, stall 20 ms",
        "tcp-in: dead after 9 exchanges, stall 50 ms, reset",
    ]
