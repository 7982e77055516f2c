"""Endpoints of Multipath TCP: an address of each uplink, by rank for use or as a backup. Pure.

A connection of plain TCP has the address of one uplink and ends with it, unless the address can
follow. One of Multipath TCP (RFC 8684) has several ways, and lives as long as one of them does. The
kernel opens a way from each endpoint that has the flag "subflow" (ip-mptcp(8), Linux 5.15), and
sends by one with "backup" only while no other works. So:

- the uplink that carries the traffic has an endpoint for use, the others' are backups;
- an uplink that is lost has none: what connections had there is over at once, and what was under
  way is sent again by another;
- one on the LAN of the active uplink has none: its address follows the traffic anyway.

How packets from a backup's address leave by their own uplink is the matter of policy/sources.py. So
an endpoint is not bound to its interface: that would lead packets for a tunnel around it. And there
is none while somebody else's default route comes before those of all uplinks, as a VPN's does.

Endpoints have no protocol number. Ours have ids from the top of what there is, 224 to 255, the
flag "subflow" and no interface: who else makes them, NetworkManager and mptcpd, leaves ids to the
kernel, which counts from 1, and sets an interface.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import (
    AddEndpoint,
    Change,
    DropEndpoint,
    LimitSubflows,
    MarkEndpoint,
)
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import FOREVER, Address, Endpoint, Observation
from netfail_hooks.policy.sources import is_led_away
from netfail_hooks.policy.state import Multipath, State
from netfail_hooks.values import replace

NUMBERS = range(224, 256)
MOST = 8  # endpoints, and subflows, of the whole machine: MPTCP_PM_ADDR_MAX (net/mptcp/pm_kernel.c)


def remembered(config: Config, observed: Observation, before: State, after: State) -> State:
    """Return the state with what is to be given back, once nothing is wanted any more.

    It is forgotten only when nothing of ours is left.
    """
    if observed.subflows < 0:
        return replace(after, multipath=before.multipath)
    if config.multipath_tcp and config.mode == "routes":
        kept = tuple(replace(one, known=1) for one in before.multipath) or (
            Multipath(4, observed.subflows),
        )
    else:
        kept = before.multipath if _is_left(observed, before) else ()
    return replace(after, multipath=kept)


def changes(config: Config, observed: Observation, after: State) -> list[Change]:
    """Return what makes the endpoints, and their limit, what they are to be.

    The limit is raised only once it is kept what it was, lest a run that is killed has it
    forgotten; where there are no more than two uplinks, the kernel's own, 2, will do till then.
    """
    if observed.subflows < 0:
        return []
    want = wanted(config, observed, after)
    ours = [one for one in observed.endpoints if one.ours]
    theirs = {one.address for one in observed.endpoints if not (one.ours or one.implicit)}
    want = {address: backup for address, backup in want.items() if address not in theirs}
    have = {one.address: one for one in ours}
    gone = [one for one in ours if one.address not in want]
    # The kernel's own would be in the way: it can't get a number of ours (-EINVAL).
    gone += [one for one in observed.endpoints if one.implicit and one.address in want]
    new = _numbered(observed, {a: backup for a, backup in want.items() if a not in have})
    changed = [
        replace(one, backup=want[one.address])
        for one in ours
        if one.address in want and want[one.address] != one.backup
    ]
    changed.sort(key=_is_backup)  # the new way is for use before the old one is not
    room = MOST - len(observed.endpoints) + len(gone)
    limits = _limit(config, observed, after, len(want))
    return [
        *(MarkEndpoint(one) for one in changed),
        *(DropEndpoint(one) for one in gone),
        *limits,
        *(AddEndpoint(one) for one in new[: max(room, 0)]),
    ]


def _is_backup(endpoint: Endpoint) -> bool:
    return endpoint.backup


def _is_left(observed: Observation, before: State) -> bool:
    """Tell whether something is still to be given back."""
    raised = any(one.subflows != observed.subflows for one in before.multipath)
    return raised or any(one.ours for one in observed.endpoints)


def _limit(
    config: Config, observed: Observation, after: State, endpoints: int
) -> list[LimitSubflows]:
    """Return the limit of subflows where it is to be another: raised for us, or given back."""
    limit = observed.subflows
    for kept in after.multipath:
        if not (config.multipath_tcp and config.mode == "routes"):
            limit = kept.subflows
        elif kept.known:
            limit = max(limit, min(max(endpoints, len(config.uplinks)), MOST))
    return [LimitSubflows(limit)] if limit != observed.subflows else []


def wanted(config: Config, observed: Observation, after: State) -> dict[str, bool]:
    """Return the addresses that are to be endpoints, each with whether it is a backup."""
    result: dict[str, bool] = {}
    if not config.multipath_tcp or config.mode != "routes":
        return result
    ranked = [(name, family) for name in config.names() for family in FAMILIES]
    ranked.sort(key=lambda one: one[0] != after.active_uplink(one[1]))
    there = {one.address for one in observed.endpoints if one.ours}
    for name, family in ranked:
        chosen = after.active_uplink(family)
        if not chosen or family in observed.unseen or is_led_away(config, observed, family):
            continue
        own = [a for a in observed.own_addresses(name, family) if a.preferred]
        if name != chosen:
            apart = [a for a in own if not is_local_to(observed, chosen, family, a.address)]
            own = apart if _serves(observed, after, name, family) else []
        if own and observed.default_route(name, family):
            first = min(own, key=lambda a: _rank(a, there))
            result.setdefault(first.address, name != chosen)
    return dict(list(result.items())[:MOST])


def _serves(observed: Observation, after: State, name: str, family: int) -> bool:
    """Tell whether packets can leave by an uplink that is not the active one, and find answers."""
    uplink_state = after.uplink_state(name, family)
    return observed.ruled > 0 and uplink_state is not None and uplink_state.serves


def _rank(address: Address, there: set[str]) -> tuple[bool, bool, bool]:
    """Return how good an address is: one that leads out, that is an endpoint already, that stays.

    IPv6's unique local addresses (RFC 4193) lead nowhere.
    """
    inside = address.family == 6 and address.address[:2] in ("fc", "fd")
    return inside, address.address not in there, address.valid != FOREVER


def _numbered(observed: Observation, new: dict[str, bool]) -> list[Endpoint]:
    """Return new endpoints with numbers of ours that nobody has: the highest first."""
    taken = {one.number for one in observed.endpoints}
    free = [number for number in reversed(NUMBERS) if number not in taken]
    return [
        Endpoint(number, 6 if ":" in address else 4, address, backup)
        for number, (address, backup) in zip(free, new.items(), strict=False)
    ]
