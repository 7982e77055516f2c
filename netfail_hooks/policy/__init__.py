"""The decisions of the configured mode: both modes answer the same two questions. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.changes import Change
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State

_FEW = 16  # no bound of policy/crowd.py is less


def bounded(observed: Observation, state: State) -> Observation:
    """Return what is to be looked at of an observation: mostly all of it (policy/crowd.py)."""
    kinds = (observed.addresses, observed.routes, observed.tables)
    if all(len(items) <= _FEW for items in kinds):
        return observed
    from netfail_hooks.policy import crowd

    return crowd.bounded(observed, state)


def next_state(config: Config, observed: Observation, state: State) -> State:
    """Return the state to remember after this observation."""
    after = _next_state(config, observed, state)
    if not (config.multipath_tcp or state.multipath):
        return after
    from netfail_hooks.policy import multipath

    return multipath.remembered(config, observed, state, after)


def _next_state(config: Config, observed: Observation, state: State) -> State:
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.next_state(config, observed, state)
    from netfail_hooks.policy import choose

    after = choose.next_state(config, observed, state)
    if not observed.unseen:
        return after
    return after.with_families_of(state.without_former(config.names()), observed.unseen)


def decide(
    config: Config, observed: Observation, before: State, after: State
) -> tuple[Change, ...]:
    """Return the changes that make the kernel agree with what we think (``after``)."""
    changes = _decide(config, observed, before, after)
    if not (config.multipath_tcp or after.multipath):
        return changes
    from netfail_hooks.policy import multipath

    return (*changes, *multipath.changes(config, observed, after))


def _decide(
    config: Config, observed: Observation, before: State, after: State
) -> tuple[Change, ...]:
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.decide(config, observed, before, after)
    from netfail_hooks.policy import routes

    changes = routes.decide(config, observed, before, after)
    if not observed.unseen:
        return changes
    from netfail_hooks.policy.changes import family_of

    return tuple(change for change in changes if family_of(change) not in observed.unseen)
