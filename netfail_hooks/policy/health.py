"""Judge how each uplink stands. Pure: config, observation and memory in, standings out.

Failing over is at once; failing back is gated. An uplink that was lost is held down until it
has been well for ``hold_down`` seconds without a break, twice as long after each further loss,
so a flapping one costs one failover and one failback; and until it has passed its probes,
whatever networkd says of it.
"""

from __future__ import annotations

from netfail_hooks.config import Config, Uplink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.memory import Memory, Standing
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Judged(Protocol):
        """How an uplink stands in one family, as a standing or a report has it."""

        @property
        def verdict(self) -> str:
            """Return "absent", "up", "down", "held" or "unknown"."""

        @property
        def trouble(self) -> str:
            """Return what ails it, "" for nothing."""


def judge(config: Config, seen: Observation, memory: Memory) -> tuple[Standing, ...]:
    """Return how every uplink stands now in each family, in rank order."""
    return tuple(
        _judge_one(config, seen, memory.standing(uplink.interface, family), uplink, family)
        for family in FAMILIES
        for uplink in config.uplinks
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


def is_well(families: Iterable[Judged]) -> bool:
    """Tell whether an uplink serves: in a family at least, and lost in none.

    A family that it never had since boot is no fault; nor is a hold-down, all but over.
    """
    judged = list(families)
    serves = any(one.verdict not in ("absent", "down") and not one.trouble for one in judged)
    lost = any(
        one.verdict == "down" or (one.verdict in ("up", "held") and one.trouble) for one in judged
    )
    return serves and not lost


def _judge_one(
    config: Config, seen: Observation, old: Standing | None, uplink: Uplink, family: int
) -> Standing:
    interface = uplink.interface
    link = seen.link(interface)
    count = link.down_count if link else 0
    known = old or Standing(interface, family, "absent", seen.now, down_count=count)
    if known.down_count != count:
        known = replace(known, passes=0)  # a link that was away has to prove itself anew
    now = replace(_probed(known, seen, family), down_count=count)
    if old is None:
        return replace(now, verdict="absent" if now.trouble else "up")
    if now.trouble:
        return _lost(config, now, seen.now) if old.verdict in ("up", "held") else now
    if old.verdict == "down":
        return _hold(now, seen.now)
    # A carrier that went and came back between two looks was lost all the same.
    if old.verdict in ("up", "held") and count != old.down_count:
        return _hold(_lost(config, now, seen.now), seen.now)
    proven = not uplink.probed or now.passes >= config.successes
    if old.verdict == "absent" or (old.verdict == "held" and seen.now >= old.ready and proven):
        return replace(now, verdict="up", since=seen.now, ready=0)
    return now


def _probed(standing: Standing, seen: Observation, family: int) -> Standing:
    """Note what ails an uplink; a round of probes counts only while its link is well."""
    ails = trouble(seen, standing.interface, family)
    if ails:
        return replace(standing, trouble=ails, fails=0, passes=0)
    for result in seen.probes:
        if (result.interface, result.family) == (standing.interface, family):
            return replace(
                standing,
                trouble=result.reason,
                fails=0 if result.well else standing.fails + 1,
                passes=standing.passes + 1 if result.well else 0,
                probed=seen.now,
                tries=result.tries,
                rtt=result.rtt,
            )
    return replace(standing, trouble=standing.trouble if standing.fails else "")


def _lost(config: Config, standing: Standing, now: int) -> Standing:
    quiet = standing.verdict == "up" and now - standing.since >= config.quiet * 1000
    again = standing.hold and not quiet
    hold = min(standing.hold * 2, config.hold_down_max) if again else config.hold_down
    return replace(standing, verdict="down", since=now, ready=0, hold=hold)


def _hold(standing: Standing, now: int) -> Standing:
    if not standing.hold:
        return replace(standing, verdict="up", since=now)
    return replace(standing, verdict="held", since=now, ready=now + standing.hold * 1000)
