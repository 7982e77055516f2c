"""Count transitions since boot, for ``metrics``. Kept in ``/run/netfail-hooks/counters``.

The flight recorder can't be counted instead: it loses its oldest half when it grows too long,
and a counter that goes back counts everything anew for its reader.
"""

from __future__ import annotations

import time

from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.names import FAMILIES, is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.values import value

_FORM = "netfail-hooks tally 1"
_TRAFFIC = "-"


@value
class Counter:
    """How often an uplink's verdict changed in a family, and when last (s since the epoch).

    With ``interface`` "": how often the traffic went over to another uplink.
    """

    interface: str
    family: int
    count: int
    last: int


def note(paths: Paths, before: State, after: State) -> None:
    """Count what changed between two states. Raises OSError."""
    changed = changes(before, after)
    if changed:
        counts = counted(load(paths), changed, int(time.time()))
        write_whole(paths.counters, render(counts).encode("ascii"))


def load(paths: Paths) -> tuple[Counter, ...]:
    """Return what was counted since boot; nothing where the file is damaged or not ours."""
    try:
        return parse(read_owned(paths.counters).decode("ascii"))
    except (OSError, ValueError):
        return ()


def changes(before: State, after: State) -> tuple[tuple[str, int], ...]:
    """Return each interface and family whose verdict changed, "" for the traffic that moved."""
    found = []
    for now in after.uplinks:
        old = before.uplink_state(now.interface, now.family)
        if (old.state if old else "absent") != now.state:
            found.append((now.interface, now.family))
    for family in FAMILIES:
        left = before.active_uplink(family)
        if left and after.active_uplink(family) not in ("", left):
            found.append(("", family))
    return tuple(found)


def counted(
    counts: tuple[Counter, ...], changed: tuple[tuple[str, int], ...], now: int
) -> tuple[Counter, ...]:
    """Return the counts with one more for each of ``changed``."""
    known = {(one.interface, one.family): one for one in counts}
    for interface, family in changed:
        old = known.get((interface, family))
        known[interface, family] = Counter(interface, family, old.count + 1 if old else 1, now)
    return tuple(known.values())


def render(counts: tuple[Counter, ...]) -> str:
    """Return the text form."""
    lines = [f"{one.interface or _TRAFFIC} {one.family} {one.count} {one.last}" for one in counts]
    return "\n".join([_FORM, *lines, "end", ""])


def parse(text: str) -> tuple[Counter, ...]:
    """Return the counts of a text form. Raises ValueError for anything else."""
    lines = text.split("\n")
    if lines[0] != _FORM or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole tally")
    found = []
    for line in lines[1:-2]:
        name, *numbers = line.split(" ")
        family, count, last = (int(one) for one in numbers)
        if not is_interface_name(name) or family not in FAMILIES:
            raise ValueError("damaged line")
        found.append(Counter("" if name == _TRAFFIC else name, family, count, last))
    return tuple(found)
