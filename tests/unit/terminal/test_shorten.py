"""On a short terminal details go, and how the uplinks are and when the traffic moved stays."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.status import bond, text
from netfail_hooks.status.bond import BondReport, SlaveReport
from netfail_hooks.status.values import Failover, Report, UplinkReport
from netfail_hooks.terminal.layout import cells
from netfail_hooks.terminal.shorten import ESSENTIAL, Block, lines_of, shortened
from tests.support.drawn_statuses import BONDS, REPORTS

_NOTE = re.compile(r"\((\d+) more lines? in a taller window\)")


def _blocks(report: Report | BondReport, width: int) -> list[Block]:
    if isinstance(report, BondReport):
        return bond.blocks(report, colour=False, width=width)
    return text.blocks(report, width=width)


def _uplinks(report: Report | BondReport) -> tuple[UplinkReport, ...] | tuple[SlaveReport, ...]:
    return report.slaves if isinstance(report, BondReport) else report.uplinks


@settings(max_examples=150, deadline=None)
@given(
    report=REPORTS | BONDS,
    width=st.integers(40, 132),
    rows=st.integers(1, 60),
)
def test_what_matters_stays_whatever_the_terminals_size(
    report: Report | BondReport, width: int, rows: int
) -> None:
    blocks = _blocks(report, width)
    whole, shown = lines_of(blocks), shortened(blocks, rows, width)
    assert len(shown) <= rows
    if len(whole) <= rows:
        assert shown == whole
        return
    assert len(shown) >= min(rows, 2)
    assert all(cells(line) <= width for line in shown)
    if rows > 1:
        told = _NOTE.fullmatch(shown.pop())
        assert told
        assert int(told[1]) == len(whole) - len(shown)
    rest = iter(whole)
    assert all(line in rest for line in shown), "in their order"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=12), st.integers(1, 40))
def test_what_goes_matters_less_than_what_stays(drawn: list[tuple[int, int]], rows: int) -> None:
    blocks = [
        Block(level, tuple(f"{at}.{line}" for line in range(lines)))
        for at, (level, lines) in enumerate(drawn)
    ]
    shown = shortened(blocks, rows, 80)
    kept = [
        level
        for block in blocks
        for line in block.lines
        if line in shown
        for level in [block.level]
    ]
    gone = [block for block in blocks if not set(block.lines) <= set(shown)]
    if gone and kept:
        assert max(kept) <= min(block.level for block in gone)
    for block in gone:
        partly = set(block.lines) & set(shown)
        assert not partly or block.level <= ESSENTIAL


def _moved(report: Report | BondReport) -> bool:
    return isinstance(report.last_failover, Failover)


@settings(max_examples=60, deadline=None)
@given(
    report=REPORTS.filter(_moved) | BONDS.filter(_moved),
    width=st.integers(40, 132),
    more=st.integers(0, 5),
)
def test_how_each_uplink_is_and_the_last_move_are_the_last_to_go(
    report: Report | BondReport, width: int, more: int
) -> None:
    blocks = _blocks(report, width)
    moved = [block.lines for block in blocks if "last move" in "".join(block.lines[:1])][-1]
    uplinks = [one.interface for one in _uplinks(report)]
    shown = shortened(blocks, len(moved) + len(uplinks) + 1 + more, width)
    assert all(line in shown for line in moved), shown
    heads = [line for line in shown if re.match(r"\d+\. ", line)]
    assert len(heads) >= len(uplinks)
