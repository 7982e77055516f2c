"""The timeline as a picture: nothing of it is cut off."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.timeline import Timeline, Track
from netfail_hooks.timeline.svg import NARROW, WIDE, Frame, inline

_NARROWEST = 7.0  # pixels of a figure of the axis, at least


@pytest.mark.parametrize("frame", [WIDE, NARROW], ids=lambda frame: str(frame.kind))
@given(
    end=st.integers(1_700_000_000, 1_900_000_000) | st.just(1_800_000_000),  # a full hour
    seconds=st.integers(5, 3600) | st.integers(3600, 40 * 86400),
)
def test_what_stands_at_the_axis_is_inside_whatever_time_is_shown(
    frame: Frame, end: int, seconds: int
) -> None:
    shown = Timeline(end - seconds, end, (Track("eth0", (), 0.0),), ())
    drawn = inline(shown, frame)
    found = re.findall(r'x="([\d.]+)" y="\d+" text-anchor="middle">([^<]+)<', drawn)
    assert found
    for at, label in found:
        half = len(label) * _NARROWEST / 2
        assert half <= float(at) <= frame.width - half, label
