"""Uplinks that are paid for by what they carry: asked seldom, and counted. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import Metered, State
from netfail_hooks.values import replace


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
