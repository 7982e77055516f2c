"""Runs as the recorder gets them, from a model of a machine."""

from __future__ import annotations

from netfail_hooks.recorder import Run
from netfail_hooks.values import replace
from tests.support.world import World, config_of


def runs(
    *events: tuple[str, str],
    uplinks: tuple[str, ...] = ("eth0", "wlan0"),
    apart: tuple[str, ...] = (),
) -> list[Run]:
    """Return the runs of a machine that begins all well, one for each event after the first."""
    world = World(config_of(*uplinks), apart=apart)
    return [look(world, "eth0", "routable"), *(look(world, *event) for event in events)]


def look(world: World, name: str, state: str) -> Run:
    """Return the run that an event of a second later brings."""
    world.event(name, state)
    world.now += 1000
    return probe(world, f"{name} {state}")


def probe(world: World, trigger: str) -> Run:
    """Return the run that looks now, after a round of probes."""
    before, observed = world.state, replace(world.look(), probes=world.results())
    changes = world.reconcile()
    return Run(trigger, world.config, observed, before, world.state, changes, (), 7)
