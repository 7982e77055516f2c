"""Make the report of ``status`` from an observation and the state. Pure."""

from __future__ import annotations

import time

from netfail_hooks.config import Config, Order, Uplink
from netfail_hooks.errors import Problem
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.crowd import advice, message
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.health import can_ask, is_well, present_reason
from netfail_hooks.policy.patience import waiting
from netfail_hooks.policy.quality import line_of
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.policy.watch import has_watched
from netfail_hooks.recorder.drills import Drill, Outcome
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.facts import by_hand, is_healthy, not_learnt
from netfail_hooks.status.multipath import multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import (
    SCHEMA,
    UNKNOWN,
    Drilled,
    Failover,
    Family,
    Line,
    Probe,
    Report,
    UplinkReport,
)
from netfail_hooks.terminal import span
from netfail_hooks.values import replace, value

_MISSED = 3  # checks in a row that did not come, before that is told
_CHECK_TAKES = 30  # seconds at most: TimeoutStartSec= of its unit


@value
class Sources:
    """All that the report is made of. ``state`` is None where we may not read it.

    ``unknown`` is what could not be learnt and what would help, or what root alone may read.
    """

    config: Config
    observed: Observation
    state: State | None
    states: dict[str, tuple[str, str]]
    lookups: tuple[RouteLookup, ...]
    failover: Transition | None
    unknown: tuple[Problem, ...]
    clock: float  # seconds since the epoch
    boot: str = ""  # the kernel's name for this boot
    ruled: tuple[Ruled, ...] = ()
    silence: str = ""
    drifted: tuple[str, ...] = ()
    taken_over: tuple[tuple[str, str], ...] = ()  # an uplink, and who had it before us
    drill: Drill | None = None
    last_drill: Outcome | None = None
    kept: tuple[Order, ...] = ()  # those by hand that count over a reboot


def report(sources: Sources) -> Report:
    """Return the report."""
    unlearnt, root_only = not_learnt(sources.unknown)
    uplinks = tuple(
        _uplink(sources, rank, uplink)
        for rank, uplink in enumerate(sources.config.uplinks, start=1)
    )
    found = Report(
        schema=SCHEMA,
        time=_iso(sources.clock),
        healthy=False,
        as_chosen=_is_as_chosen(uplinks),
        state=_state_word(sources.state),
        uplinks=uplinks,
        lookups=sources.lookups,
        ruled=sources.ruled,
        our_routes=tuple(
            f"{r.destination}{' via ' + r.gateway if r.gateway else ''} dev {r.interface}"
            f" metric {r.metric}"
            for r in sources.observed.routes
            if r.ours
        ),
        our_addresses=tuple(
            f"{a.address}/{a.length} dev {a.interface}"
            for a in sources.observed.addresses
            if a.ours
        ),
        last_failover=failover_report(
            sources.failover, sources.clock, sources.observed.now, sources.boot
        ),
        drifted=sources.drifted,
        unknown=unlearnt,
        root_only=root_only,
        silence=sources.silence,
        crowded=tuple(f"{message(crowd)}; {advice(crowd)}" for crowd in sources.observed.crowds),
        by_hand=tuple(by_hand(sources.config, sources.observed.now, sources.kept)),
        drill=_drill(sources),
        last_drill=_drilled(sources),
        multipath=multipath(sources.config, sources.observed, sources.state),
        overdue=_overdue(sources),
    )
    return replace(found, healthy=is_healthy(found))


def _overdue(sources: Sources) -> str:
    """Return that checks don't come, though uplinks count by what the last ones found; else "".

    One that is not well, or is paid for by what it carries, may rightly be asked seldom.
    """
    config, now = sources.config, sources.observed.now
    asked = {one.interface for one in config.uplinks if one.probed and not one.metered}
    known = sources.state.uplinks if sources.state and config.interval else ()
    last = [
        one.probed
        for one in known
        if one.interface in asked and one.state == "up" and one.probed and not one.reason
    ]
    passed = (now - max(last)) // 1000 if last else 0
    if passed <= _MISSED * config.interval + _CHECK_TAKES:
        return ""
    return f"the last was {span(passed)} ago, though one is due every {config.interval} s"


def _drill(sources: Sources) -> str:
    """Return which fire drill is on, "" for none."""
    drill, now = sources.drill, sources.observed.now
    if drill is None:
        return ""
    left = span((max(drill.until - now, 0) + 999) // 1000)
    return f"{drill.interface} is made to fail ({drill.fault}) for {left} more"


def _drilled(sources: Sources) -> Drilled | None:
    last = sources.last_drill
    if last is None:
        return None
    passed = int(sources.clock - last.time)
    return Drilled(
        time=_iso(last.time),
        seconds_ago=passed if passed >= 0 else None,
        verdict=last.verdict,
        fault=last.fault,
        interface=last.interface,
        moved_ms=max((one.moved_ms for one in last.families), default=-1),
        lost=max((flow.lost for flow in last.flows if flow.kind == "echo"), default=0),
        reasons=last.reasons,
        untried=last.untried,
    )


def _state_word(state: State | None) -> str:
    if state is None:
        return UNKNOWN
    return "known" if state.uplinks else "empty"


def _uplink(sources: Sources, rank: int, uplink: Uplink) -> UplinkReport:
    name = uplink.interface
    link = sources.observed.link(name)
    operational, setup = sources.states.get(name, ("", ""))
    families = tuple(_family(sources, uplink, family) for family in FAMILIES)
    return UplinkReport(
        rank=rank,
        interface=name,
        healthy=is_well(families),
        present=link is not None,
        carrier=bool(link and link.carrier),
        operational=operational,
        setup=setup,
        metric=uplink.metric,
        families=families,
        taken_from=dict(sources.taken_over).get(name, ""),
        metered=uplink.metered,
        carried_today=_carried_today(sources, name),
    )


def _carried_today(sources: Sources, name: str) -> int | None:
    known = sources.state.metered if sources.state else ()
    today = (one.bytes for one in known if (one.interface, one.day) == (name, sources.observed.day))
    return next(today, None)


def _is_as_chosen(uplinks: tuple[UplinkReport, ...]) -> bool:
    """Tell whether no family goes by another uplink than the chosen one; a VPN is no uplink."""
    used = {family.family for uplink in uplinks for family in uplink.families if family.carries}
    idle = {
        family.family
        for uplink in uplinks
        for family in uplink.families
        if family.chosen and not family.carries
    }
    return not used & idle


def _family(sources: Sources, uplink: Uplink, family: int) -> Family:
    name, observed = uplink.interface, sources.observed
    uplink_state = sources.state.uplink_state(name, family) if sources.state else None
    silent = tuple(uplink_state.silent.split(",")) if uplink_state and uplink_state.silent else ()
    default_route = observed.answering_route(name, family, silent)
    used = next((way for way in sources.lookups if (":" in way.destination) == (family == 6)), None)
    reason = present_reason(sources.config, observed, name, family)
    # While a family has no route, only the config says whether there will be something to ask.
    asks = uplink.probed if reason else can_ask(uplink, observed, family)
    if uplink_state and not reason:
        reason = uplink_state.reason if uplink_state.fails or uplink_state.is_poor else ""
    passed = max(observed.now - uplink_state.since, 0) // 1000 if uplink_state else None
    return Family(
        family=family,
        chosen=bool(sources.state and sources.state.active_uplink(family) == name),
        carries=bool(used and used.interface == name),
        state=uplink_state.state if uplink_state else UNKNOWN,
        reason=reason,
        since=None if passed is None else _iso(sources.clock - passed),
        seconds=passed,
        hold_down_left=_hold_down_left(observed.now, uplink_state),
        rounds_failed=uplink_state.fails if uplink_state else 0,
        rounds_passed=uplink_state.passes if uplink_state else 0,
        rounds_to_go=_rounds_to_go(sources.config, uplink_state) if asks else 0,
        asked=asks,
        watched=_watched(sources, uplink, family) if not reason else None,
        silent=silent,
        router=uplink_state.router if uplink_state else "",
        hardware=uplink_state.hardware if uplink_state else "",
        exchanged=_exchanged(observed.now, uplink_state),
        probe=_probe(observed.now, uplink_state),
        addresses=tuple(f"{a.address}/{a.length}" for a in observed.own_addresses(name, family)),
        gateway=default_route.gateway if default_route else "",
        metric=default_route.metric if default_route else None,
        waits=_waits(sources, name, family),
        quality=_quality(sources.state, name, family),
    )


def _quality(state: State | None, name: str, family: int) -> Line | None:
    quality = state.quality(name, family) if state else None
    if quality is None:
        return None
    line = line_of(quality)
    return Line(
        asked=line.asked,
        loss_percent=round(line.loss, 1),
        latency_ms=round(line.latency, 1) if line.answered else None,
        poor=bool(quality.poor),
    )


def _waits(sources: Sources, name: str, family: int) -> str:
    config, observed = sources.config, sources.observed
    if sources.state is None or not config.waits or config.orders_at(observed.now):
        return ""
    return waiting(config, observed, sources.state, name, family)


def _watched(sources: Sources, uplink: Uplink, family: int) -> bool | None:
    name, observed = uplink.interface, sources.observed
    route, link = observed.default_route(name, family), observed.link(name)
    asked = uplink.gateway and route and route.gateway and link and link.mac
    wanted = sources.config.watched and observed.watches >= 0 and asked
    if not (wanted and sources.state and sources.state.active_uplink(family) == name):
        return None
    watched = [one for one in observed.neighbours if one.ours]
    return has_watched(watched, observed, name, family)


def _hold_down_left(now: int, uplink_state: UplinkState | None) -> int:
    if uplink_state is None or uplink_state.state != "recovering":
        return 0
    return (max(uplink_state.ready - now, 0) + 999) // 1000


def _exchanged(now: int, uplink_state: UplinkState | None) -> int | None:
    if not uplink_state or not uplink_state.exchanged:
        return None
    return max(now - uplink_state.exchanged, 0) // 1000


def _rounds_to_go(config: Config, uplink_state: UplinkState | None) -> int:
    if uplink_state is None or not uplink_state.is_lost:
        return 0
    return max(config.successes - uplink_state.passes, 0)


def _probe(now: int, uplink_state: UplinkState | None) -> Probe | None:
    if uplink_state is None or not uplink_state.probed:
        return None
    # A lost carrier resets the count of good rounds, but not the result of the last one.
    answered = uplink_state.rtt > 0 and not uplink_state.fails
    return Probe(
        seconds_ago=max(now - uplink_state.probed, 0) // 1000,
        sent=uplink_state.tries,
        lost=uplink_state.tries - answered,
        rtt_ms=uplink_state.rtt / 1000 if answered else None,
    )


def failover_report(event: Transition | None, clock: float, now: int, boot: str) -> Failover | None:
    """Return the report on the last failover.

    ``clock`` is now in seconds since the epoch, ``now`` in milliseconds since ``boot``. The time
    since an event of this boot is taken from the latter: the clock may have been set since, as it
    is on machines whose clock stands still while they are off.
    """
    if event is None:
        return None
    moment = event.time.timestamp()
    if boot and event.boot == boot:
        moment = clock - (now - event.moment) / 1000
    passed = max(int(clock - moment), 0)
    return Failover(_iso(moment), passed, event.trigger, event.summary, event.took_ms)


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
