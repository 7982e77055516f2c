"""The decision core of the configured mode: the same questions, other answers. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.changes import Change
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.memory import Memory


def think(config: Config, seen: Observation, memory: Memory) -> Memory:
    """Return what is to be remembered after this look: the whole judgement."""
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.think(config, seen, memory)
    from netfail_hooks.policy import choose

    return choose.think(config, seen, memory)


def decide(config: Config, seen: Observation, before: Memory, after: Memory) -> tuple[Change, ...]:
    """Return the changes that make the kernel agree with what we think (``after``)."""
    if config.mode == "bond":
        from netfail_hooks.policy import bond

        return bond.decide(config, seen, before, after)
    from netfail_hooks.policy import routes

    return routes.decide(config, seen, before, after)
