"""What stays on a terminal that is too short for all there is to show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from netfail_hooks.values import value


@value
class Block:
    """Lines that go together; what has a lesser ``level`` is kept before what has a greater one.

    ``short`` says the most important of it in a line, and is kept from its own level, ``first``,
    where there is no room for the whole. What is ESSENTIAL, or matters more, is kept one by one; of
    what matters less, all of a level is there or nothing, so that no uplink seems to lack what
    others have.
    """

    level: int
    lines: tuple[str, ...]
    short: tuple[str, ...] = ()
    first: int = 0


ESSENTIAL = 9
_MORE = ("(more in a taller window)", "(there is more)")


def lines_of(blocks: Iterable[Block]) -> list[str]:
    """Return all lines."""
    return [line for block in blocks for line in block.lines]


def shortened(blocks: Sequence[Block], rows: int, width: int) -> list[str]:
    """Return as many lines as there are rows at most, in their order, and that some are missing."""
    lines = lines_of(blocks)
    if len(lines) <= rows:
        return lines
    room = rows - 1 if rows > 1 else rows  # without a line that tells of the others
    kept = _kept(blocks, room)
    shown = [line for at in sorted(kept) for line in kept[at]]
    if rows > 1:
        shown.append(next((text for text in _MORE if not width or len(text) <= width), ""))
    return shown


def _kept(blocks: Sequence[Block], room: int) -> dict[int, tuple[str, ...]]:
    """Return what of each block there is room for, by its place."""
    kept: dict[int, tuple[str, ...]] = {}
    ranked = sorted(_forms(blocks), key=itemgetter(0))
    for level, group in groupby(ranked, itemgetter(0)):
        forms = [(at, form) for _, at, form in group]
        more = {at: len(form) - len(kept.get(at, ())) for at, form in forms}
        if level > ESSENTIAL and sum(more.values()) > room:
            break
        for at, form in forms:
            cost = len(form) - len(kept.get(at, ()))
            if cost <= room:
                kept[at] = form
                room -= cost
    return kept


def _forms(blocks: Sequence[Block]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the level, the block's place and the lines of all that there is to choose from."""
    for at, block in enumerate(blocks):
        if block.short:
            yield block.first, at, block.short
        yield block.level, at, block.lines
