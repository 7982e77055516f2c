"""What stands behind an event in log, journal and status: who woke us, how soon we acted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.recorder import DRILL
from netfail_hooks.recorder.cause import cause
from netfail_hooks.recorder.events import Transition
from netfail_hooks.recorder.text import render
from netfail_hooks.replay.events import STATES
from tests.support.drawn_values import INTERFACES

_BY_NAME = {
    "timer": "found by the timer's check",
    "check": "found by 'netfail-hooks check'",
    "watch": "woken by the kernel's watch",
    "use": "by 'netfail-hooks use'",
    "disable": "by 'netfail-hooks disable'",
    "enable": "by 'netfail-hooks enable'",
    "install": "after an install",
    "boot": "at boot",
    "uplinks changed": "woken by an interface that is no uplink",
}
_EVENTS = st.tuples(INTERFACES, st.sampled_from(list(STATES))).map(
    lambda event: (" ".join(event), f"woken by {event[0]} ({event[1]})")
)
_ENDS = [("", ""), (" probe", ", found by a probe"), (DRILL, ", in a drill")]


@given(
    trigger=_EVENTS | st.sampled_from(list(_BY_NAME.items())),
    end=st.sampled_from(_ENDS),
    took=st.integers(0, 10**6),
    other=INTERFACES,
    acted=st.booleans(),
)
def test_what_was_found_comes_first_and_who_woke_us_is_told_as_that(
    trigger: tuple[str, str], end: tuple[str, str], took: int, other: str, *, acted: bool
) -> None:
    """An event of one may show that another is down; and no time is told without its sense."""
    found = f"{other} IPv4 down (no carrier)"
    did = ("set default",) if acted else ()
    event = Transition(
        datetime(2026, 11, 24, tzinfo=UTC), trigger[0] + end[0], found, did, (), took, {}, {}
    )
    line = render(event).splitlines()[0]
    assert line[21:].startswith(f"{found} [{trigger[1]}{end[1]}")
    ms = re.search(r", acted in (\d+) ms\]$", line)
    seconds = re.search(r", acted in (\d+\.\d) s\]$", line)
    assert bool(ms or seconds) is (acted and trigger[0] != "install")
    if ms:
        assert int(ms[1]) == took < 1000
    if seconds:
        assert abs(float(seconds[1]) * 1000 - took) <= 50
        assert took >= 1000


def test_whatever_an_older_recording_has_is_told() -> None:
    assert cause("something else", 3) == "woken by something (else), acted in 3 ms"
