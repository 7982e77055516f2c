"""What is remembered, as text. That whole lives survive it is shown by tools/model."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.policy.memory import Answer, Carrier, Kept, Memory, Standing, parse, render
from netfail_hooks.values import fields
from tests.conftest import Tried

WHOLE = Memory(
    (Standing("eth0", 4, "down", 5, 6, 10, 2, 1, 0, 7, 2, 0, "no answer from 10.0.0.1"),),
    (Kept("eth0", 6, "fd00::2", 64, 99),),
    (Answer(4, "10.0.0.2", ""),),
    (Carrier(4, "wlan0", 8),),
)


def test_it_is_read_as_it_was_written() -> None:
    assert parse(render(WHOLE)) == WHOLE
    assert parse(render(Memory())) == Memory()


def test_what_is_not_told_is_nothing() -> None:
    standing, kept = Standing("eth0", 4, "up", 5), Kept("eth0", 4, "10.0.0.2", 24)
    assert {getattr(standing, name) for name in fields(standing)[4:]} == {0, ""}
    assert kept.expires == 0


def test_standings_and_carriers_by_name() -> None:
    assert WHOLE.standing("eth0", 4) == WHOLE.standings[0]
    assert (WHOLE.standing("eth0", 6), WHOLE.standing("wlan0", 4)) == (None, None)
    assert (WHOLE.carrier(4), WHOLE.carrier(6)) == ("wlan0", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("state 1", "state 2"),
        ("end\n", "end"),
        ("end\n", "end\n\n"),
        ("end\n", ""),
        ("carrier 4", "courier 4"),
        ("carrier 4", "carrier 5"),
        ("carrier 4", "carrier four"),
        ("carrier 4 wlan0 8", "carrier 4 wlan0"),
        ("carrier 4 wlan0 8", "carrier 4 wlan0 8 9"),
        ("carrier 4 wlan0", "carrier 4 a/b"),
        (" down ", " sideways "),
        (" down ", " - "),
        ("answer 4 10.0.0.2", "answer 4 fd00::2"),
        ("answer 4 10.0.0.2", "answer 4 -"),
        ("kept eth0 6", "kept eth0 4"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str) -> None:
    text = render(WHOLE)
    assert old in text
    with pytest.raises(ValueError):  # noqa: PT011 - int() words some in its own way
        parse(text.replace(old, new))


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.text(max_size=300))
def test_a_damaged_memory_is_refused_not_believed(tried: Tried, garbage: str) -> None:
    tried("fuzz inputs: damaged memories", 2)
    for text in (garbage, render(Memory())[:-4] + garbage + "\nend\n"):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert isinstance(found, Memory)
