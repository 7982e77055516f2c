"""Judge how each uplink stands. Pure: config, observation and memory in, standings out.

Failing over is at once; failing back is gated. An uplink that was lost is held down until it
has been well for ``hold_down`` seconds without a break, twice as long after each further loss,
so a flapping one costs one failover and one failback.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.facts import FAMILIES, Observation
from netfail_hooks.memory import Memory, Standing
from netfail_hooks.values import replace


def judge(config: Config, seen: Observation, memory: Memory) -> tuple[Standing, ...]:
    """Return how every uplink stands now in each family, in rank order."""
    return tuple(
        _judge_one(config, seen, memory.standing(name, family), name, family)
        for family in FAMILIES
        for name in config.names()
    )


def trouble(seen: Observation, interface: str, family: int) -> str:
    """Return what keeps an uplink from carrying a family's traffic, "" for nothing."""
    link = seen.link(interface)
    if link is None:
        return "interface is gone"
    if not link.up:
        return "link is down"
    if not link.carrier:
        return "no carrier"
    if not seen.own_addresses(interface, family):
        return "no address"
    if not seen.way_out(interface, family):
        return "no gateway"
    return ""


def _judge_one(
    config: Config, seen: Observation, old: Standing | None, interface: str, family: int
) -> Standing:
    ails = trouble(seen, interface, family)
    link = seen.link(interface)
    count = link.down_count if link else 0
    if old is None:
        verdict = "absent" if ails else "up"
        return Standing(interface, family, verdict, seen.now, down_count=count, trouble=ails)
    now = replace(old, trouble=ails, down_count=count)
    if ails:
        return _lost(config, now, seen.now) if old.verdict in ("up", "held") else now
    # A carrier that went and came back between two looks was lost all the same.
    flapped = old.verdict in ("up", "held") and count != old.down_count
    if old.verdict == "down":
        return _hold(now, seen.now)
    if flapped:
        return _hold(_lost(config, now, seen.now), seen.now)
    if old.verdict == "absent" or (old.verdict == "held" and seen.now >= old.ready):
        return replace(now, verdict="up", since=seen.now, ready=0)
    return now


def _lost(config: Config, standing: Standing, now: int) -> Standing:
    quiet = standing.verdict == "up" and now - standing.since >= config.quiet * 1000
    again = standing.hold and not quiet
    hold = min(standing.hold * 2, config.hold_down_max) if again else config.hold_down
    return replace(standing, verdict="down", since=now, ready=0, hold=hold)


def _hold(standing: Standing, now: int) -> Standing:
    if not standing.hold:
        return replace(standing, verdict="up", since=now)
    return replace(standing, verdict="held", since=now, ready=now + standing.hold * 1000)
