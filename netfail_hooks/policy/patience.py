"""Whether traffic stays where it is though a better uplink is up again: hours, a quiet line. Pure.

A move costs a packet at most on one LAN, and every connection on two. So a person may have it wait
for a time of day, or until little flows by the uplink in use.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State, Usage
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOONEST = 1000  # ms between two looks at a counter: less tells nothing
_DAY = 24 * 60 * 60  # seconds


def usages(config: Config, observed: Observation, state: State) -> tuple[Usage, ...]:
    """Return what is to be remembered of each uplink's counters, and since when little flows.

    One that goes back began anew: another interface, or a driver that was loaded again. What our
    own questions cost is none of it: a page by TLS is some kilobytes each time.
    """
    earlier = {count.interface: count for count in observed.earlier}
    result = []
    for count in observed.counted:
        old = next((one for one in state.usages if one.interface == count.interface), None)
        if old is None or count.bytes < old.bytes or count.index != old.index:
            result.append(Usage(count.interface, 4, observed.now, count.bytes, count.index))
        elif observed.now - old.at < _SOONEST:
            result.append(old)
        else:
            size, at = count.bytes, observed.now
            asked = earlier.get(count.interface)
            if asked and asked.index == old.index and observed.began - old.at >= _SOONEST:
                size, at = asked.bytes, observed.began
            flowed = (size - old.bytes) * 1000 // (at - old.at)
            quiet = (old.quiet or old.at) if flowed <= config.idle_bytes else 0
            result.append(Usage(count.interface, 4, observed.now, count.bytes, count.index, quiet))
    return tuple(result)


def waits(config: Config, observed: Observation, state: State, interface: str) -> str:
    """Return until what traffic stays on an uplink that is up, "" where a better one may have it.

    ``state`` has the usages of now.
    """
    if config.failback == "manual":
        return "for 'netfail-hooks use'"
    if config.failback_between and not is_within(config.failback_between, observed.local):
        return f"until {config.failback_between.partition('-')[0]}"
    if config.failback == "idle" and not _is_idle(config, observed, state, interface):
        return f"until {interface} is idle for {config.idle_seconds} s"
    return ""


def waiting(
    config: Config, observed: Observation, state: State, interface: str, family: int
) -> str:
    """Return what an uplink that is up waits for before it carries a family's traffic, if any."""
    present = state.active_uplink(family)
    names = config.names()
    if present not in names or names.index(interface) >= names.index(present):
        return ""
    for name in (interface, present):
        judged = state.uplink_state(name, family)
        if judged is None or judged.state != "up":
            return ""
    if state.has_come_first(interface, family):
        return ""
    return waits(config, observed, state, present)


def awaits_idleness(config: Config, observed: Observation, state: State) -> bool:
    """Tell whether an uplink waits for nothing but that little flows: only many looks tell that.

    Few would find a call that has just begun little, by the minute before it.
    """
    return (
        config.failback == "idle"
        and (not config.failback_between or is_within(config.failback_between, observed.local))
        and _anybody_waits(config, observed, state)
    )


def moments(config: Config, observed: Observation, state: State) -> Iterator[int]:
    """Yield when the hours begin for which an uplink waits (ms since boot)."""
    span = config.failback_between
    if span and not is_within(span, observed.local) and _anybody_waits(config, observed, state):
        left = (hours(span)[0] - observed.local) % _DAY * 1000
        # Each who asks is to be told the same moment, whichever part of a second it is.
        yield (observed.now + left) // 10_000 * 10_000 + 10_000


def _anybody_waits(config: Config, observed: Observation, state: State) -> bool:
    return any(
        waiting(config, observed, state, name, family)
        for name in config.names()
        for family in FAMILIES
    )


def is_within(span: str, local: int) -> bool:
    """Tell whether a time of day, in seconds, is within hours such as 22:00-06:00.

    One that nobody knows (-1, in an older recording) is.
    """
    begin, end = hours(span)
    if local < 0:
        return True
    return (local - begin) % _DAY < (end - begin) % _DAY


def hours(span: str) -> tuple[int, int]:
    """Return begin and end of hours such as 22:00-06:00, in seconds of the day."""
    begin, _, end = span.partition("-")
    return _seconds(begin), _seconds(end)


def _seconds(text: str) -> int:
    hour, _, minute = text.partition(":")
    return (int(hour) * 60 + int(minute)) * 60


def _is_idle(config: Config, observed: Observation, state: State, interface: str) -> bool:
    for usage in state.usages:
        if usage.interface == interface:
            return bool(usage.quiet) and observed.now - usage.quiet >= config.idle_seconds * 1000
    return False
