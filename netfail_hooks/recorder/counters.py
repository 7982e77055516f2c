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

_FORM = "netfail-hooks tally 1"
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


def note(paths: Paths, before: State, after: State) -> None:
    """Count what changed between two states. Raises OSError."""
    changed = changes(before, after)
    if changed:
        counts = counted(load(paths), changed, int(time.time()))
        write_whole(paths.counters, render(counts).encode("ascii"))


def load(paths: Paths) -> tuple[Counter, ...]:
    """Return the counters since boot; none where the file is damaged or not ours."""
    try:
        return parse(read_owned(paths.counters).decode("ascii"))
    except (OSError, ValueError):
        return ()


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


def render(counts: tuple[Counter, ...]) -> str:
    """Return the text form."""
    lines = [
        f"{counter.interface or _TRAFFIC} {counter.family} {counter.count} {counter.last}"
        for counter in counts
    ]
    return "\n".join([_FORM, *lines, "end", ""])


def parse(text: str) -> tuple[Counter, ...]:
    """Return the counts of a text form. Raises ValueError for anything else."""
    lines = text.split("\n")
    if lines[0] != _FORM or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole tally")
    result = []
    for line in lines[1:-2]:
        name, *numbers = line.split(" ")
        family, count, last = (int(number) for number in numbers)
        if not is_interface_name(name) or family not in FAMILIES:
            raise ValueError("damaged line")
        result.append(Counter("" if name == _TRAFFIC else name, family, count, last))
    return tuple(result)
