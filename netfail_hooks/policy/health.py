"""Judge the health of each uplink. Pure: config, observation and state in, uplink states out.

We fail over at once and fail back late. An uplink that was lost is held down until it has been
healthy for ``hold_down`` seconds without a break, twice as long after each further loss: so one
that flaps costs one failover and one failback. It also has to pass its probes, whatever networkd
says of it, unless there is nothing to probe.
"""

from __future__ import annotations

from netfail_hooks.config import DISABLE, Config, Uplink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.state import LATELY, State, UplinkState
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Judged(Protocol):
        """The state of an uplink in one family, as the state file or a report has it."""

        @property
        def state(self) -> str:
            """Return "absent", "up", "down", "recovering" or "unknown"."""

        @property
        def reason(self) -> str:
            """Return what is wrong with it, "" for nothing."""


_SOON = 3000  # milliseconds after it was given up: a round with all its patience follows at once
_MOST_OTHERS = 4
BY_HAND = "disabled by hand"
NO_ADDRESS, NO_GATEWAY = "no address", "no gateway"


def judge(
    config: Config,
    observed: Observation,
    state: State,
    poor: dict[tuple[str, int], str] | None = None,
) -> tuple[UplinkState, ...]:
    """Return the state of every uplink now in each family, in rank order.

    ``poor`` says why a line counts as poor, for those that do.
    """
    told = poor or {}
    return tuple(
        _judge_uplink(
            config,
            observed,
            state.uplink_state(uplink.interface, family),
            uplink,
            family,
            poor=told.get((uplink.interface, family), ""),
        )
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
        return NO_ADDRESS
    if not observed.default_route(interface, family):
        return NO_GATEWAY
    return ""


def present_reason(config: Config, observed: Observation, interface: str, family: int) -> str:
    """Return the same, where a person does without it as well."""
    if interface in config.ordered(DISABLE, observed.now):
        return BY_HAND
    return unusable_reason(observed, interface, family)


def can_ask(uplink: Uplink, observed: Observation, family: int) -> bool:
    """Tell whether a round of probes brings a result for an uplink that looks healthy.

    A target of the family can be asked wherever there is a route. A gateway can be asked only if
    the route has one, which a raw-ip modem's or a tunnel's has not, and on a link with hardware
    addresses: ARP and neighbour discovery ask for those. Who can't be asked need not answer.
    """
    if any(target.family == family for target in uplink.targets):
        return True
    link = observed.link(uplink.interface)
    default_route = observed.default_route(uplink.interface, family)
    return bool(uplink.gateway and link and link.mac and default_route and default_route.gateway)


def is_well(families: Iterable[Judged]) -> bool:
    """Tell whether an uplink serves in at least one family, and is lost in none.

    A family that it never had since boot is no fault; nor is a hold-down.
    """
    judged = list(families)
    serves = any(family.state not in ("absent", "down") and not family.reason for family in judged)
    lost = any(
        family.state == "down" or (family.state in ("up", "recovering") and family.reason)
        for family in judged
    )
    return serves and not lost


def _judge_uplink(  # noqa: PLR0913 - what it is judged by
    config: Config,
    observed: Observation,
    old: UplinkState | None,
    uplink: Uplink,
    family: int,
    *,
    poor: str,
) -> UplinkState:
    interface = uplink.interface
    link = observed.link(interface)
    count, index = (link.down_count, link.index) if link else (0, 0)
    known = old or UplinkState(
        interface, family, "absent", observed.now, down_count=count, index=index
    )
    away = known.down_count != count or known.index not in (0, index)
    if away:
        known = replace(known, passes=0)  # a link that was away has to prove itself again
    asks = can_ask(uplink, observed, family)
    reason = present_reason(config, observed, interface, family)
    now = replace(_probed(known, observed, reason, asks=asks), down_count=count, index=index)
    if poor and not now.reason:
        now = replace(now, reason=poor, passes=0)
    if now.reason:
        return _unusable(config, observed, now)
    if old is None:
        return replace(now, state="up")
    if old.state == "down":
        return _hold(now, observed.now)
    # A carrier, or an adapter, that went and came back between two runs was lost all the same.
    if old.state in ("up", "recovering") and away:
        return _hold(_lost(config, now, observed.now), observed.now)
    proven = not asks or now.passes >= config.successes
    if old.state == "absent" or (
        old.state == "recovering" and observed.now >= old.ready and proven
    ):
        return replace(now, state="up", since=observed.now, ready=0)
    return now


def _probed(
    uplink_state: UplinkState, observed: Observation, reason: str, *, asks: bool
) -> UplinkState:
    """Note what is wrong with an uplink; a round of probes counts only while its link works.

    The results of earlier rounds are dropped where the next one can't ask (the config may have
    changed since, or the route): no later round would ever correct them.
    """
    interface, family = uplink_state.interface, uplink_state.family
    if reason or not asks:
        return replace(uplink_state, reason=reason, fails=0, passes=0, silent="")
    for result in observed.probes:
        if (result.interface, result.family) == (interface, family):
            uplink_state = _met(uplink_state, result, observed.now)
            if result.healthy and _was_given_up(uplink_state, observed.now):
                uplink_state = replace(uplink_state, late=observed.now)
            silent = ",".join(result.silent)
            # A target beyond a router that turns out silent says nothing of the uplink: from now
            # on traffic goes by a router that answers, and the next round shows.
            if not result.healthy and silent not in ("", uplink_state.silent):
                kept = uplink_state.reason if uplink_state.fails else ""
                return replace(uplink_state, reason=kept, probed=observed.now, silent=silent)
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


def _was_given_up(uplink_state: UplinkState, now: int) -> bool:
    """Tell whether it was left just now, because it had not answered.

    If it answers in the next round it was not dead: it takes its time, or loses packets. So as not
    to be left again and again, it is asked with more patience from then on (probe/confirm.py).
    """
    silent = uplink_state.state == "down" and uplink_state.fails
    return bool(silent) and now - uplink_state.since <= _SOON


def _met(uplink_state: UplinkState, result: Result, now: int) -> UplinkState:
    """Note which router answered, from which hardware address, and when from one not known yet.

    Two devices may answer by turns (GLBP, a proxy, an attacker): each is told of once a day, and
    no more than so many are.
    """
    if not result.hardware:
        return uplink_state
    if result.router != uplink_state.router:
        return replace(
            uplink_state, router=result.router, hardware=result.hardware, exchanged=0, others=""
        )
    if uplink_state.exchanged and now - uplink_state.exchanged >= LATELY:
        uplink_state = replace(uplink_state, exchanged=0, others="")
    if result.hardware == uplink_state.hardware:
        return uplink_state
    known = uplink_state.others.split(",") if uplink_state.others else []
    is_news = result.hardware not in known and len(known) < _MOST_OTHERS
    others = [one for one in (*known, uplink_state.hardware) if one != result.hardware]
    return replace(
        uplink_state,
        hardware=result.hardware,
        exchanged=now if is_news else uplink_state.exchanged,
        others=",".join(others[:_MOST_OTHERS]),
    )


def exchanged(before: State, after: State) -> list[str]:
    """Return, for people, each router that answers from a hardware address not known of it."""
    told = []
    for new in after.uplinks:
        old = before.uplink_state(new.interface, new.family)
        if old and old.router == new.router and new.exchanged not in (0, old.exchanged):
            told.append(
                f"{new.interface}: gateway {new.router} answers from {new.hardware}, before from "
                f"{old.hardware}: another router or network, or somebody who pretends to be it"
            )
    return told


def _unusable(config: Config, observed: Observation, uplink_state: UplinkState) -> UplinkState:
    """Return one that was lost, or disabled by hand.

    That is no fault, so its hold-down does not double; after a quiet time it begins small again.
    One that was never up since boot, and could be but for that, has a hold-down after it, too.
    """
    state, name, family = uplink_state.state, uplink_state.interface, uplink_state.family
    if uplink_state.reason == BY_HAND:
        if state == "down" or (state == "absent" and unusable_reason(observed, name, family)):
            return uplink_state
        stays = uplink_state.hold and not _is_quiet(config, uplink_state, observed.now)
        hold = uplink_state.hold if stays else config.hold_down
        return replace(uplink_state, state="down", since=observed.now, ready=0, hold=hold)
    if state not in ("up", "recovering"):
        return uplink_state
    return _lost(config, uplink_state, observed.now)


def _lost(config: Config, uplink_state: UplinkState, now: int) -> UplinkState:
    again = uplink_state.hold and not _is_quiet(config, uplink_state, now)
    hold = min(uplink_state.hold * 2, config.hold_down_max) if again else config.hold_down
    return replace(uplink_state, state="down", since=now, ready=0, hold=hold)


def _is_quiet(config: Config, uplink_state: UplinkState, now: int) -> bool:
    """Tell whether an uplink has been well for so long that its losses before count no more."""
    return uplink_state.state == "up" and now - uplink_state.since >= config.quiet * 1000


def _hold(uplink_state: UplinkState, now: int) -> UplinkState:
    if not uplink_state.hold:
        return replace(uplink_state, state="up", since=now)
    return replace(
        uplink_state, state="recovering", since=now, ready=now + uplink_state.hold * 1000
    )
