"""Which routers are asked to tell of themselves: of uplinks that have lost just their gateway."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.probe.routers import missed
from netfail_hooks.values import replace
from tests.support.world import World, config_of

_NAMES = ("eth0", "wlan0", "wwan0")
_EVENTS = ("off", "no-carrier", "missing")
_WAYS = ("well", "lost", "never had", "no address", *_EVENTS)


def _seen(world: World, ways: dict[str, str]) -> tuple[Observation, State]:
    """Return what is seen and remembered of uplinks whose gateways are gone, but for the well."""
    for name, way in ways.items():
        if way in _EVENTS:
            world.event(name, way)
    observed = world.look()
    gone = {name for name, way in ways.items() if way != "well"}
    bare = {name for name, way in ways.items() if way == "no address"}
    never = {name for name, way in ways.items() if way == "never had"}
    observed = replace(
        observed,
        routes=tuple(
            one
            for one in observed.routes
            if one.interface not in gone or one.family == 4 or one.destination != "default"
        ),
        addresses=tuple(
            one for one in observed.addresses if one.interface not in bare or one.family == 4
        ),
    )
    known = tuple(
        replace(one, state="absent") if one.interface in never and one.family == 6 else one
        for one in world.state.uplinks
    )
    return observed, replace(world.state, uplinks=known)


@given(drawn=st.tuples(*(st.sampled_from(_WAYS) for _ in _NAMES)))
def test_those_are_asked_that_had_a_gateway_and_lack_just_that(drawn: tuple[str, ...]) -> None:
    ways = dict(zip(_NAMES, drawn, strict=True))
    world = World(config_of(*_NAMES))
    world.reconcile()
    observed, state = _seen(world, ways)
    found = [link.name for link in missed(world.config, observed, state)]
    assert found == [name for name, way in ways.items() if way == "lost"]
