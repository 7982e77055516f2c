"""Judge how each uplink stands. Pure: config, observation and state in, uplink states out.

Failing over is at once; failing back is gated. An uplink that was lost is held down until it
has been well for ``hold_down`` seconds without a break, twice as long after each further loss,
so a flapping one costs one failover and one failback; and until it has passed its probes,
whatever networkd says of it: but for what nobody can ask it.
"""

from __future__ import annotations

from netfail_hooks.config import Config, Uplink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Judged(Protocol):
        """How an uplink stands in one family, as a state or a report has it."""

        @property
        def state(self) -> str:
            """Return "absent", "up", "down", "recovering" or "unknown"."""

        @property
        def reason(self) -> str:
            """Return what ails it, "" for nothing."""


def judge(config: Config, observed: Observation, state: State) -> tuple[UplinkState, ...]:
    """Return how every uplink stands now in each family, in rank order."""
    return tuple(
        _judge_one(config, observed, state.uplink_state(uplink.interface, family), uplink, family)
        for family in FAMILIES
        for uplink in config.uplinks
    )


def unusable_reason(observed: Observation, interface: str, family: int) -> str:
    """Return what keeps an uplink from carrying a family's traffic, "" for nothing."""
    link = observed.link(interface)
    if link is None:
        return "interface is gone"
    if not link.up:
        return "link is down"
    if not link.carrier:
        return "no carrier"
    if not observed.all_addresses(interface, family):
        return "no address"
    if not observed.default_route(interface, family):
        return "no gateway"
    return ""


def can_ask(uplink: Uplink, observed: Observation, family: int) -> bool:
    """Tell whether a round of probes brings a result for an uplink that looks well.

    A target of the family can be asked wherever there is a route. A gateway only if there is one,
    which a raw-ip modem's or a tunnel's route has not, and on a link with hardware addresses: ARP
    and neighbour discovery ask for those. Who can't be asked need not answer.
    """
    if any(target.family == family for target in uplink.targets):
        return True
    link = observed.link(uplink.interface)
    default_route = observed.default_route(uplink.interface, family)
    return bool(uplink.gateway and link and link.mac and default_route and default_route.gateway)


def is_well(families: Iterable[Judged]) -> bool:
    """Tell whether an uplink serves: in a family at least, and lost in none.

    A family that it never had since boot is no fault; nor is a hold-down, all but over.
    """
    judged = list(families)
    serves = any(one.state not in ("absent", "down") and not one.reason for one in judged)
    lost = any(
        one.state == "down" or (one.state in ("up", "recovering") and one.reason) for one in judged
    )
    return serves and not lost


def _judge_one(
    config: Config, observed: Observation, old: UplinkState | None, uplink: Uplink, family: int
) -> UplinkState:
    interface = uplink.interface
    link = observed.link(interface)
    count, index = (link.down_count, link.index) if link else (0, 0)
    known = old or UplinkState(
        interface, family, "absent", observed.now, down_count=count, index=index
    )
    away = known.down_count != count or known.index not in (0, index)
    if away:
        known = replace(known, passes=0)  # a link that was away has to prove itself anew
    asks = can_ask(uplink, observed, family)
    now = replace(_probed(known, observed, asks=asks), down_count=count, index=index)
    if old is None:
        return replace(now, state="absent" if now.reason else "up")
    if now.reason:
        return _lost(config, now, observed.now) if old.state in ("up", "recovering") else now
    if old.state == "down":
        return _hold(now, observed.now)
    # A carrier, or an adapter, that went and came back between two looks was lost all the same.
    if old.state in ("up", "recovering") and away:
        return _hold(_lost(config, now, observed.now), observed.now)
    proven = not asks or now.passes >= config.successes
    if old.state == "absent" or (
        old.state == "recovering" and observed.now >= old.ready and proven
    ):
        return replace(now, state="up", since=observed.now, ready=0)
    return now


def _probed(uplink_state: UplinkState, observed: Observation, *, asks: bool) -> UplinkState:
    """Note what ails an uplink; a round of probes counts only while its link is well.

    What earlier rounds brought is nothing any more where the next one can't ask (the config may
    have changed since, or the route): no round would ever bring better news.
    """
    interface, family = uplink_state.interface, uplink_state.family
    reason = unusable_reason(observed, interface, family)
    if reason or not asks:
        return replace(uplink_state, reason=reason, fails=0, passes=0, silent="")
    for result in observed.probes:
        if (result.interface, result.family) == (interface, family):
            silent = ",".join(result.silent)
            # What was asked beyond a router that turns out silent says nothing of the uplink:
            # from now on traffic goes by one that answers, and the next round tells.
            if not result.healthy and silent not in ("", uplink_state.silent):
                return replace(uplink_state, probed=observed.now, silent=silent)
            return replace(
                uplink_state,
                reason=result.reason,
                fails=0 if result.healthy else uplink_state.fails + 1,
                passes=uplink_state.passes + 1 if result.healthy else 0,
                probed=observed.now,
                tries=result.tries,
                rtt=result.rtt,
                silent=silent,
            )
    return replace(uplink_state, reason=uplink_state.reason if uplink_state.fails else "")


def _lost(config: Config, uplink_state: UplinkState, now: int) -> UplinkState:
    quiet = uplink_state.state == "up" and now - uplink_state.since >= config.quiet * 1000
    again = uplink_state.hold and not quiet
    hold = min(uplink_state.hold * 2, config.hold_down_max) if again else config.hold_down
    return replace(uplink_state, state="down", since=now, ready=0, hold=hold)


def _hold(uplink_state: UplinkState, now: int) -> UplinkState:
    if not uplink_state.hold:
        return replace(uplink_state, state="up", since=now)
    return replace(
        uplink_state, state="recovering", since=now, ready=now + uplink_state.hold * 1000
    )
