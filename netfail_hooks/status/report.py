"""Make ``status``'s report of what was seen and remembered. Pure."""

from __future__ import annotations

import time

from netfail_hooks.config import Config, Uplink
from netfail_hooks.kernel.lookup import Way
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.health import is_well, trouble
from netfail_hooks.policy.memory import Memory, Standing
from netfail_hooks.recorder.events import Event
from netfail_hooks.status.values import (
    SCHEMA,
    UNKNOWN,
    Failover,
    Family,
    Probe,
    Report,
    UplinkReport,
)
from netfail_hooks.values import value


@value
class Sources:
    """What there is to report on. ``memory`` is None where we may not read it.

    ``unknown`` says, a line each, what could not be found out and what would help.
    """

    config: Config
    seen: Observation
    memory: Memory | None
    states: dict[str, tuple[str, str]]
    ways: tuple[Way, ...]
    failover: Event | None
    unknown: tuple[str, ...]
    clock: float  # seconds since the epoch


def report(found: Sources) -> Report:
    """Return the report on all there is."""
    uplinks = tuple(
        _uplink(found, rank, uplink) for rank, uplink in enumerate(found.config.uplinks, start=1)
    )
    as_chosen = _is_as_chosen(uplinks)
    return Report(
        schema=SCHEMA,
        time=_iso(found.clock),
        well=bool(found.ways) and as_chosen and all(uplink.well for uplink in uplinks),
        as_chosen=as_chosen,
        memory=_memory_state(found.memory),
        uplinks=uplinks,
        way_out=found.ways,
        our_routes=tuple(
            f"{r.destination}{' via ' + r.gateway if r.gateway else ''} dev {r.interface}"
            f" metric {r.metric}"
            for r in found.seen.routes
            if r.ours
        ),
        our_addresses=tuple(
            f"{a.address}/{a.length} dev {a.interface}" for a in found.seen.addresses if a.ours
        ),
        last_failover=told_failover(found.failover, found.clock),
        unknown=found.unknown,
    )


def _memory_state(memory: Memory | None) -> str:
    if memory is None:
        return UNKNOWN
    return "known" if memory.standings else "empty"


def _uplink(found: Sources, rank: int, uplink: Uplink) -> UplinkReport:
    name = uplink.interface
    link = found.seen.link(name)
    operational, setup = found.states.get(name, ("", ""))
    families = tuple(_family(found, uplink, family) for family in FAMILIES)
    return UplinkReport(
        rank=rank,
        interface=name,
        well=is_well(families),
        present=link is not None,
        carrier=bool(link and link.carrier),
        operational=operational,
        setup=setup,
        metric=uplink.metric,
        families=families,
    )


def _is_as_chosen(uplinks: tuple[UplinkReport, ...]) -> bool:
    """Tell whether no family goes by another uplink than the chosen one; a VPN is no uplink."""
    used = {one.family for uplink in uplinks for one in uplink.families if one.carries}
    idle = {
        one.family
        for uplink in uplinks
        for one in uplink.families
        if one.chosen and not one.carries
    }
    return not used & idle


def _family(found: Sources, uplink: Uplink, family: int) -> Family:
    name, seen = uplink.interface, found.seen
    standing = found.memory.standing(name, family) if found.memory else None
    way_out = seen.way_out(name, family)
    used = next((way for way in found.ways if (":" in way.destination) == (family == 6)), None)
    ails = trouble(seen, name, family)
    if standing and not ails:
        ails = standing.trouble if standing.fails else ""
    passed = max(seen.now - standing.since, 0) // 1000 if standing else None
    return Family(
        family=family,
        chosen=bool(found.memory and found.memory.carrier(family) == name),
        carries=bool(used and used.interface == name),
        verdict=standing.verdict if standing else UNKNOWN,
        trouble=ails,
        since=None if passed is None else _iso(found.clock - passed),
        seconds=passed,
        hold_down_left=_hold_down_left(seen.now, standing),
        rounds_failed=standing.fails if standing else 0,
        rounds_passed=standing.passes if standing else 0,
        rounds_to_go=_rounds_to_go(found.config, uplink, standing),
        probe=_probe(seen.now, standing),
        addresses=tuple(f"{a.address}/{a.length}" for a in seen.own_addresses(name, family)),
        gateway=way_out.gateway if way_out else "",
        metric=way_out.metric if way_out else None,
    )


def _hold_down_left(now: int, standing: Standing | None) -> int:
    if standing is None or standing.verdict != "held":
        return 0
    return (max(standing.ready - now, 0) + 999) // 1000


def _rounds_to_go(config: Config, uplink: Uplink, standing: Standing | None) -> int:
    if standing is None or not uplink.probed or not standing.is_lost:
        return 0
    return max(config.successes - standing.passes, 0)


def _probe(now: int, standing: Standing | None) -> Probe | None:
    if standing is None or not standing.probed:
        return None
    # A lost carrier ends the count of good rounds, but not what the last one brought.
    answered = standing.rtt > 0 and not standing.fails
    return Probe(
        seconds_ago=max(now - standing.probed, 0) // 1000,
        sent=standing.tries,
        lost=standing.tries - answered,
        rtt_ms=standing.rtt / 1000 if answered else None,
    )


def told_failover(event: Event | None, clock: float) -> Failover | None:
    """Return what to tell of the last failover; ``clock`` is now, in seconds since the epoch."""
    if event is None:
        return None
    moment = event.time.timestamp()
    passed = max(int(clock - moment), 0)
    return Failover(_iso(moment), passed, event.trigger, event.summary, event.took_ms)


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
