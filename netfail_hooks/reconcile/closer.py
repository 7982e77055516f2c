"""Look closer, where there is much, once what a sparing look left out counts. Loaded only there."""

from __future__ import annotations

from netfail_hooks.policy.changes import places_of
from netfail_hooks.policy.state import UplinkState
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from netfail_hooks.config import Config
    from netfail_hooks.kernel.netlink import Netlink
    from netfail_hooks.policy.changes import Change
    from netfail_hooks.policy.facts import Observation, Place
    from netfail_hooks.policy.state import State

    Thought = tuple[Observation, State, tuple[Change, ...]]  # of what, and what is to be done

# An uplink that the config has not (State.has_former): so the next run looks everywhere as well.
_ELSEWHERE = UplinkState("#0", 4, "absent", 0)


def judged(  # noqa: PLR0913 - a look, and what makes it count
    config: Config,
    netlink: Netlink,
    first: tuple[Observation, Thought],
    before: State,
    judge: Callable[[Observation], Thought],
    *,
    always: bool = False,
    again: bool = False,
) -> Thought:
    """Return what is thought of all there is, or of ``first``, a sparing look, if that will do.

    All that is ours, and other people's routes, count once something is to be done, or was, where
    something may be left elsewhere, and ``always``. Right after that was done (``again``) they
    count where something is left to do: somebody's route may be there that no lookup shows
    (foreign.py).
    """
    whole, thought = first
    left = may_be_left(before, whole, always=always)
    places = places_that_count(thought, always=left, again=again)
    if places is None:
        return thought
    from netfail_hooks.kernel.foreign import completed

    return judge(completed(config, netlink, whole, places, left=left, lookup=not again))


def places_that_count(thought: Thought, *, always: bool, again: bool) -> frozenset[Place] | None:
    """Return where other people's routes count by now, None if a sparing look will do. Pure."""
    observed, _, changes = thought
    places = places_of((*observed.routes, *observed.tables), changes)
    return places if changes or always or (places and not again) else None


def may_be_left(before: State, observed: Observation, *, always: bool) -> bool:
    """Tell whether an interface that is no uplink may have what is ours. Pure.

    The last run knew it as one: by another name (``always``), or by its number (0: it had none, as
    one in a drawer has). It is dear to find out: the kernel tells of every address, and walks all
    routes once more.
    """
    indexes = {link.name: link.index for link in observed.links}
    return always or any(one.index not in (0, indexes.get(one.interface)) for one in before.uplinks)


def remembered(known: State, observed: Observation, *, left: bool) -> State:
    """Return what to remember. Pure.

    As long as something may be ours elsewhere, the next run looks as well. ``left`` says whether
    this one had a reason to. It may have been refused, and what it found may not have been taken
    away: which number an uplink had is no longer known by then.
    """
    if _has_left(observed) or (left and observed.unseen):
        return replace(known, uplinks=(*known.uplinks, _ELSEWHERE))
    return known


def _has_left(observed: Observation) -> bool:
    """Tell whether something was ours on an interface that is no uplink. Pure."""
    owners = [one.interface for one in (*observed.routes, *observed.tables) if one.ours]
    owners += [address.interface for address in observed.addresses if address.ours]
    return any(owner.startswith("#") for owner in owners)
