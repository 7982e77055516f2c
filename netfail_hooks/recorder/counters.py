"""Count transitions since boot, for ``metrics``, in ``/run/netfail-hooks/counters``.

Counting the flight recorder's lines would not do: it loses its oldest half when it grows too
long, and a reader takes a counter that goes back for one that began again.
"""

from __future__ import annotations

import time

from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.names import FAMILIES, is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.values import value

_FORM = "netfail-hooks tally 2"
_TRAFFIC = "-"


@value
class Counter:
    """How often an uplink's state changed in a family, and when last (s since the epoch).

    With ``interface`` "": how often the traffic went over to another uplink.
    """

    interface: str
    family: int
    count: int
    last: int


def note(paths: Paths, before: State, after: State, moment: int) -> None:
    """Count what changed between two states, once for a ``moment`` (ms since boot) of change.

    Where a run is killed right after it has counted, the next one comes here for the same change.
    Raises OSError.
    """
    changed = changes(before, after)
    last, counts = _read(paths)
    if changed and moment != last:
        text = render(counted(counts, changed, int(time.time())), moment)
        write_whole(paths.counters, text.encode("ascii"))


def load(paths: Paths) -> tuple[Counter, ...]:
    """Return what was counted since boot; nothing where the file is damaged or not ours."""
    return _read(paths)[1]


def _read(paths: Paths) -> tuple[int, tuple[Counter, ...]]:
    try:
        return parse(read_owned(paths.counters).decode("ascii"))
    except (OSError, ValueError):
        return -1, ()


def changes(before: State, after: State) -> tuple[tuple[str, int], ...]:
    """Return each interface and family whose state changed; interface "" for traffic that moved."""
    changed = []
    for now in after.uplinks:
        old = before.uplink_state(now.interface, now.family)
        if (old.state if old else "absent") != now.state:
            changed.append((now.interface, now.family))
    for family in FAMILIES:
        left = before.active_uplink(family)
        if left and after.active_uplink(family) not in ("", left):
            changed.append(("", family))
    return tuple(changed)


def counted(
    counts: tuple[Counter, ...], changed: tuple[tuple[str, int], ...], now: int
) -> tuple[Counter, ...]:
    """Return the counters, each of ``changed`` increased by one."""
    known = {(counter.interface, counter.family): counter for counter in counts}
    for interface, family in changed:
        old = known.get((interface, family))
        known[interface, family] = Counter(interface, family, old.count + 1 if old else 1, now)
    return tuple(known.values())


def render(counts: tuple[Counter, ...], moment: int) -> str:
    """Return the text form; ``moment`` is of the change that was counted last (ms since boot)."""
    lines = [f"{one.interface or _TRAFFIC} {one.family} {one.count} {one.last}" for one in counts]
    return "\n".join([_FORM, str(moment), *lines, "end", ""])


def parse(text: str) -> tuple[int, tuple[Counter, ...]]:
    """Return the last moment and the counts of a text form. Raises ValueError for anything else."""
    lines = text.split("\n")
    if lines[0] != _FORM or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole tally")
    found = []
    for line in lines[2:-2]:
        name, *numbers = line.split(" ")
        family, count, last = (int(number) for number in numbers)
        if not is_interface_name(name) or family not in FAMILIES:
            raise ValueError("damaged line")
        found.append(Counter("" if name == _TRAFFIC else name, family, count, last))
    return int(lines[1]), tuple(found)
