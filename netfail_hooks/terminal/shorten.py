"""What stays on a terminal that is too short for all there is to show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from netfail_hooks.terminal.layout import fit
from netfail_hooks.values import value


@value
class Block:
    """Lines that go together; the one with the greatest ``level`` goes first.

    What is ESSENTIAL, or more than that, is cut off where it does not fit as a whole; of what is
    less, all of a level is there or nothing, so that no uplink seems to lack what others have.
    """

    level: int
    lines: tuple[str, ...]


ESSENTIAL = 4


def lines_of(blocks: Iterable[Block]) -> list[str]:
    """Return all lines."""
    return [line for block in blocks for line in block.lines]


def shortened(blocks: Sequence[Block], rows: int, width: int) -> list[str]:
    """Return as many lines as there are rows at most, in their order, and how many are missing."""
    lines = lines_of(blocks)
    if len(lines) <= rows:
        return lines
    room = rows - 1 if rows > 1 else rows  # without a line that tells of the others
    kept = _kept(blocks, room)
    shown = [line for at, block in enumerate(blocks) for line in block.lines[: kept.get(at, 0)]]
    if rows > 1:
        missing = len(lines) - len(shown)
        more = "1 more line" if missing == 1 else f"{missing} more lines"
        shown += fit(f"({more} in a taller window)", width)[:1]
    return shown


def _kept(blocks: Sequence[Block], room: int) -> dict[int, int]:
    """Return how many lines of each block there is room for, by its place."""
    kept: dict[int, int] = {}
    ranked = sorted(range(len(blocks)), key=lambda at: blocks[at].level)
    for level, group in groupby(ranked, lambda at: blocks[at].level):
        places = list(group)
        if level > ESSENTIAL and sum(len(blocks[at].lines) for at in places) > room:
            break
        for at in places:
            kept[at] = min(len(blocks[at].lines), room)
            room -= kept[at]
    return kept
