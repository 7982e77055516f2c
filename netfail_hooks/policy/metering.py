"""Uplinks that are paid for by what they carry: asked seldom, and counted. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import Metered, State
from netfail_hooks.values import replace

_SET = 60 * 60 * 1000  # milliseconds after a boot within which a clock is set, if ever

Kept = dict[str, tuple[int, int]]  # of an uplink: the day, and bytes


def metered(config: Config, observed: Observation, state: State) -> tuple[Metered, ...]:
    """Return how much each metered uplink has carried today, as far as somebody looked.

    What flowed since the last look counts if it had the traffic then, for the day of this one. A
    counter that goes back began anew. One that is away, as a modem that resets, is not forgotten.
    """
    counts = {count.interface: count for count in observed.counted}
    known = {one.interface: one for one in state.metered}
    result = []
    for name in (uplink.interface for uplink in config.uplinks if uplink.metered):
        count, old = counts.get(name), known.get(name)
        today = old.bytes if old and observed.day in (0, old.day) else 0
        if count:
            flowed = 0
            if old and carries(state, name) and old.index == count.index:
                flowed = max(count.bytes - old.counter, 0)
            result.append(Metered(name, 4, observed.day, today + flowed, count.bytes, count.index))
        elif old:
            result.append(replace(old, day=observed.day or old.day, bytes=today))
    return tuple(result)


def lacks(config: Config, today: int, state: State) -> bool:
    """Tell whether nobody has counted yet what a metered uplink carries today."""
    counted = {one.interface for one in state.metered if one.day == today}
    return any(uplink.metered and uplink.interface not in counted for uplink in config.uplinks)


def recalled(config: Config, today: int, kept: Kept, state: State) -> State:
    """Return the state with what was carried today before this boot, where it lacks that.

    A machine without a clock of its own boots with an earlier day. Once the day is known, what it
    carried since is today's, too, if it was up before on that day; else it stays the earlier day's.
    """
    known = {one.interface: one for one in state.metered}
    result = []
    for name in (uplink.interface for uplink in config.uplinks if uplink.metered):
        old = known.get(name)
        day, size = kept.get(name, (0, 0))
        if day == today and (old is None or old.day != today):
            new = old or Metered(name, 4, today, 0, 0, 0)
            result.append(replace(new, day=today, bytes=new.bytes + size))
        elif old:
            result.append(old)
    return replace(state, metered=tuple(result))


def to_keep(state: State, kept: Kept, now: int) -> Kept:
    """Return what is to outlive a boot, in place of what is ``kept``.

    Soon after a boot a day that comes before that one is of a clock that is not set yet.
    """
    result = {one.interface: (one.day, one.bytes) for one in state.metered}
    if now < _SET:
        for name, old in kept.items():
            result[name] = max(old, result.get(name, old))
    return result


def carries(state: State, interface: str) -> bool:
    """Tell whether an uplink has the traffic of a family."""
    return any(state.active_uplink(family) == interface for family in FAMILIES)


def rested(config: Config, observed: Observation, state: State) -> tuple[str, ...]:
    """Return the metered uplinks whose targets are not to be asked yet.

    One that has the traffic, or is not well, is asked as any other. Questions to a router cost
    nothing.
    """
    return tuple(
        uplink.interface
        for uplink in config.uplinks
        if uplink.metered
        and uplink.targets
        and not carries(state, uplink.interface)
        and _is_recently_well(uplink.interface, uplink.metered_interval, observed.now, state)
    )


def _is_recently_well(interface: str, seconds: int, now: int, state: State) -> bool:
    own = [one for one in state.uplinks if one.interface == interface and one.state != "absent"]
    return (
        bool(own)
        and all(one.state == "up" and not one.fails and not one.reason for one in own)
        and now - max(one.probed for one in own) < seconds * 1000
    )
