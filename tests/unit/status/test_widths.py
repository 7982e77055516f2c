"""The status on any terminal: no line is wider, and no fact is left out or cut without need."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.doctor.report import render as render_diagnosis
from netfail_hooks.status.bond import BondReport, render_bond
from netfail_hooks.status.text import render
from netfail_hooks.status.values import Report
from netfail_hooks.terminal.layout import cells
from netfail_hooks.values import replace
from tests.support.drawn_statuses import BONDS, REPORTS
from tests.support.drawn_values import values_of
from tests.unit.status.test_status import _told, _well

_WIDTHS = st.sampled_from([40, 45, 59, 60, 80, 132])


def _words(text: str) -> str:
    """Return all letters, whatever lines they are on and however these are filled up."""
    return re.sub(r"\s|\033\[\d+m", "", text)


@settings(max_examples=40)
@given(report=REPORTS, width=_WIDTHS, colour=st.booleans())
def test_no_line_is_wider_than_the_terminal(report: Report, width: int, *, colour: bool) -> None:
    shown = render(report, width=width, colour=colour)
    assert _words(shown) == _words(render(report))
    for line in shown.split("\n"):
        assert cells(line) <= width, line


@settings(max_examples=40)
@given(report=BONDS, width=_WIDTHS, colour=st.booleans())
def test_nor_is_one_of_a_bond(report: BondReport, width: int, *, colour: bool) -> None:
    shown = render_bond(report, width=width, colour=colour)
    assert _words(shown) == _words(render_bond(report, colour=False))
    for line in shown.split("\n"):
        assert cells(line) <= width, line


def test_on_a_phone_it_reads_so() -> None:
    long = "2001:0db8:1111:2222:3333:4444:5555:6666"
    found = _told(_well)
    first = found.uplinks[0]
    six = replace(first.families[0], family=6, carries=False, addresses=(f"{long}/64",), gateway="")
    first = replace(first, interface="enx00e04c680001", families=(first.families[0], six))
    found = replace(found, uplinks=(first, found.uplinks[1]))
    assert render(found, width=40) == _PHONE
    assert max(map(len, render(found, width=80).split("\n"))) <= 80


_PHONE = """\
1. enx00e04c680001  ok  carrier,
   routable, configured, metric 100
 * IPv4  up for 2 h, carries the traffic
   192.168.1.50/24 via 192.168.1.1
   metric 100
   probed 0 s ago: 0.4 ms, 0 of 1 lost
   IPv6  up for 2 h, chosen
2001:0db8:1111:2222:3333:4444:5555:6666/
   64
   probed 0 s ago: 0.4 ms, 0 of 1 lost
2. wlan0  ok  carrier, metric 600
   IPv4  up for 2 h
   192.168.1.51/24 via 192.168.1.1
   metric 600
   probed 0 s ago: 0.4 ms, 0 of 1 lost
   IPv6  no address

traffic
  to 1.1.1.1 by eth0 via 192.168.1.1
    from 192.168.1.50"""


@pytest.mark.parametrize("width", [40, 80])
def test_an_address_is_not_cut_while_there_is_room(width: int) -> None:
    found = _told(_well)
    long = "2001:0db8:1111:2222:3333:4444:5555:6666"
    way = replace(found.lookups[0], destination=long, gateway=long, source=long)
    shown = render(replace(found, lookups=(way,)), width=width)
    assert shown.count(long) == 3, shown


@settings(max_examples=40)
@given(diagnosis=values_of(Diagnosis), width=st.sampled_from([40, 45, 59]))
def test_what_doctor_says_fits_a_phone_but_for_its_commands(
    diagnosis: Diagnosis, width: int
) -> None:
    """A command is on a line of its own, so that it can be copied."""
    commands = {f"   {command}" for finding in diagnosis.findings for command in finding.fix}
    shown = render_diagnosis(diagnosis, width=width)
    for line in shown.split("\n"):
        assert cells(line) <= width or line in commands, line
    for finding in diagnosis.findings:
        assert _words(finding.what) in _words(shown)
        assert _words(finding.why) in _words(shown)
