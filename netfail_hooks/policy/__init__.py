"""The decisions of the configured mode: both modes answer the same two questions. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.changes import Change
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State


def next_state(config: Config, observed: Observation, state: State) -> State:
    """Return the state to remember after this observation."""
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.next_state(config, observed, state)
    from netfail_hooks.policy import choose

    return choose.next_state(config, observed, state)


def decide(
    config: Config, observed: Observation, before: State, after: State
) -> tuple[Change, ...]:
    """Return the changes that make the kernel agree with what we think (``after``)."""
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.decide(config, observed, before, after)
    from netfail_hooks.policy import routes

    return routes.decide(config, observed, before, after)
