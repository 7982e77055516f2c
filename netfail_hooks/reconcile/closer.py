"""Look closer, where there is much, once what a sparing look left out counts. Loaded only there."""

from __future__ import annotations

from netfail_hooks.policy.changes import places_of
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netfail_hooks.config import Config
    from netfail_hooks.kernel.netlink import Netlink
    from netfail_hooks.policy.changes import Change
    from netfail_hooks.policy.facts import Observation, Place
    from netfail_hooks.policy.state import State

    Thought = tuple[Observation, State, tuple[Change, ...]]  # of what, and what is to be done


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

    All that is ours, and other people's routes, count once something is to be done, or was, and
    ``always``. Right after that was done (``again``) they count where something is left to do:
    somebody's route may be there that no lookup shows (foreign.py).
    """
    whole, thought = first
    places = unseen(thought, always=always, again=again)
    if places is None:
        return thought
    from netfail_hooks.kernel.foreign import completed

    left = may_be_left(before, whole, always=always)
    return judge(completed(config, netlink, whole, places, left=left, lookup=not again))


def unseen(thought: Thought, *, always: bool, again: bool) -> frozenset[Place] | None:
    """Return where other people's routes count by now, None if a sparing look will do. Pure."""
    observed, _, changes = thought
    places = places_of((*observed.routes, *observed.tables), changes)
    return places if changes or always or (places and not again) else None


def may_be_left(before: State, observed: Observation, *, always: bool) -> bool:
    """Tell whether an interface that is no uplink may have what is ours. Pure.

    The last run knew it as one: by another name (``always``), or by its number. It is dear to find
    out: the kernel tells of every address, and walks all routes once more.
    """
    indexes = {link.name: link.index for link in observed.links}
    return always or any(one.index != indexes.get(one.interface) for one in before.uplinks)
