"""On a short terminal details go, and what is used now and how the uplinks are stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import NotPermitted
from netfail_hooks.status import bond, text
from netfail_hooks.status.bond import BondReport
from netfail_hooks.status.values import Report
from netfail_hooks.terminal.layout import cells
from netfail_hooks.terminal.shorten import ESSENTIAL, Block, lines_of, shortened
from tests.support.drawn_statuses import BONDS, REPORTS
from tests.support.world import World
from tests.unit.status.test_status import _EVENT, _loses, _returns, _sickens, _told, _well

_NOTES = ("(more in a taller window)", "(there is more)")


def _blocks(report: Report | BondReport, width: int, *, colour: bool = False) -> list[Block]:
    if isinstance(report, BondReport):
        return bond.blocks(report, colour=colour, width=width)
    return text.blocks(report, colour=colour, width=width)


@settings(max_examples=80, deadline=None)
@given(
    report=REPORTS | BONDS,
    width=st.integers(20, 200),
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
        assert shown.pop() in _NOTES
    pieces = iter(_pieces(blocks))
    for block in _split(shown, [form for forms in _pieces(blocks) for form in forms]):
        assert any(block in forms for forms in pieces), "in their order, and each as a whole"


def _pieces(blocks: list[Block]) -> list[tuple[tuple[str, ...], ...]]:
    return [(block.lines, block.short) for block in blocks]


def _split(shown: list[str], forms: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the lines that are shown as the pieces that they are: the longest that fits."""
    at = 0
    ranked = sorted(filter(None, forms), key=len, reverse=True)
    while at < len(shown):
        form = next(form for form in ranked if tuple(shown[at : at + len(form)]) == form)
        yield form
        at += len(form)


@settings(max_examples=200, deadline=None)
@given(
    act=st.sampled_from([_well, _returns, _sickens, _loses("eth0", "missing")]),
    width=st.integers(20, 200),
    rows=st.integers(1, 40),
    colour=st.booleans(),
)
def test_no_line_ends_as_if_more_came(
    act: Callable[[World], None], width: int, rows: int, *, colour: bool
) -> None:
    """With a comma, an open bracket or a colour, unless the next line does go on."""
    found = _told(act, failover=_EVENT, unknown=(NotPermitted("a thing"),))
    blocks = _blocks(found, width, colour=colour)
    shown = shortened(blocks, rows, width)
    whole = [block.lines for block in blocks if set(block.lines) <= set(shown)]
    going_on = {line for lines in whole for line in lines}
    for line in shown:
        bare = re.sub(r"\033\[\d+m", "", line)
        assert line in going_on or not re.search(r"[,;:(\[]$| (?:by|and|has|\d+)$", bare), shown
        assert line in going_on or bare.count("(") <= bare.count(")"), shown
        painted = re.findall(r"\033\[\d+m", line)
        assert line in going_on or not painted or painted[-1] == "\033[0m", shown


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=12), st.integers(1, 40))
def test_what_goes_matters_less_than_what_stays(drawn: list[tuple[int, int]], rows: int) -> None:
    blocks = [
        Block(level, tuple(f"{at}.{line}" for line in range(lines)), (f"{at}.0",), level)
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
    gone = [block for block in blocks if not set(block.short) <= set(shown)]
    if gone and kept:
        assert max(kept) <= min(block.level for block in gone)
    for block in blocks:
        partly = set(block.lines) & set(shown)
        assert partly in (set(), set(block.short), set(block.lines))
        assert partly in (set(), set(block.lines)) or block.level <= ESSENTIAL


@settings(max_examples=80, deadline=None)
@given(
    report=REPORTS | BONDS,
    width=st.integers(20, 200),
    rows=st.integers(1, 60),
)
def test_what_is_used_and_how_each_uplink_is_go_before_the_rest(
    report: Report | BondReport, width: int, rows: int
) -> None:
    """And before the last move, which is over: that an uplink is recovering is not."""
    blocks = _blocks(report, width)
    shown = shortened(blocks, rows, width)
    used = [block for block in blocks if block.lines[:1] and block.lines[0].startswith("traffic")]
    heads = [block for block in blocks if re.match(r"\d+\. ", block.lines[0])]
    states = [block for block in blocks if re.match(r" +\*? *IPv-?\d+  ", block.lines[0])]
    states = [block for block in states if block.short]
    moves = [block for block in blocks if block.lines[0].startswith("last move")]

    def stays(block: Block) -> bool:
        return set(block.short) <= set(shown) or set(block.lines) <= set(shown)

    assert len(used) == 1
    needed = [len(used[0].short), *(1 for _ in heads)]
    if rows > sum(needed):
        assert all(map(stays, [*used, *heads])), shown
    assert not any(map(stays, moves)) or all(map(stays, [*used, *heads, *states])), shown


def test_on_twelve_rows_it_is_seen_that_the_cable_is_recovering() -> None:
    found = _told(_returns, failover=_EVENT)
    assert shortened(text.blocks(found, width=80), 8, 80) == _EIGHT.split("\n")
    assert shortened(text.blocks(found, width=40), 8, 40) == _NARROW.split("\n")
    for width, rows in ((80, 6), (40, 6)):
        shown = shortened(text.blocks(found, width=width), rows, width)
        assert len([line for line in shown if "recovering" in line]) == 2
        assert not [line for line in shown if line.startswith("last move")]


_EIGHT = """\
1. eth0   recovering  carrier, routable, configured, metric 100
     IPv4  recovering: 7 s to go, 3 s passed, 1 more check
2. wlan0  ok          carrier, metric 600
   * IPv4  up for 2 h 8 s, carries the traffic
traffic   to 1.1.1.1 by wlan0 via 192.168.1.1 from 192.168.1.51
failback  eth0 has 7 s to go (hold-down), and 1 more check
last move 1 min 30 s ago
(more in a taller window)"""
_NARROW = """\
1. eth0  recovering  carrier, routable
   IPv4  recovering: 7 s to go
2. wlan0  ok  carrier, metric 600
 * IPv4  up for 2 h 8 s
traffic to 1.1.1.1 by wlan0
failback eth0 has 7 s to go (hold-down)
last move 1 min 30 s ago
(more in a taller window)"""
