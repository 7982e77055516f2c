"""Which gateways the kernel is to keep asking (policy/watch.py)."""

from __future__ import annotations

import pytest

from netfail_hooks.policy import watch
from netfail_hooks.policy.changes import Announce, SetRoute, UnwatchGateway, WatchGateway
from netfail_hooks.policy.facts import Link, Neighbour, Observation
from netfail_hooks.values import replace
from tests.support.world import World, config_of

FOUR, SIX = "192.168.1.1", "fd00:1::1"


def _world(**more: object) -> World:
    world = World(config_of("eth0", "wlan0"), **more)  # type: ignore[arg-type]
    world.watches = 1
    return world


def _watched(world: World) -> set[tuple[str, str]]:
    return {(one.interface, one.address) for one in world.neighbours if one.ours}


def test_the_active_uplinks_gateways_are_and_no_standbys() -> None:
    world = _world()
    world.reconcile()
    assert _watched(world) == {("eth0", FOUR), ("eth0", SIX)}
    assert world.reconcile() == ()
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert _watched(world) == {("wlan0", FOUR), ("wlan0", SIX)}
    world.event("eth0", "routable")
    world.reconcile()
    assert _watched(world) == {("wlan0", FOUR), ("wlan0", SIX)}
    for _ in range(3):
        world.now += 11_000
        world.reconcile()
    assert _watched(world) == {("eth0", FOUR), ("eth0", SIX)}


def test_one_that_is_silent_is_not_so_that_its_word_comes_once() -> None:
    world = _world()
    world.reconcile()
    world.sick = {"eth0", "wlan0"}
    world.reconcile()
    assert _watched(world) == set()
    world.sick = {"eth0"}
    world.reconcile()
    assert {name for name, _ in _watched(world)} <= {"wlan0"}


def test_it_is_left_before_the_lan_is_told_and_the_next_one_watched_last() -> None:
    world = _world()
    world.reconcile()
    world.sick = {"eth0"}
    world.reconcile()
    kinds = [type(change) for change in world.done]
    assert kinds.index(SetRoute) < kinds.index(UnwatchGateway) < kinds.index(Announce)
    assert kinds[-1] is WatchGateway


def test_of_ipv6_only_where_the_kernel_has_an_address_to_ask_by() -> None:
    world = _world()
    world.no_local = ("eth0",)
    world.reconcile()
    assert _watched(world) == {("eth0", FOUR)}
    assert watch.unwatched(world.config, world.look(), world.state)
    world.no_local = ("wlan0",)
    world.reconcile()
    assert _watched(world) == {("eth0", FOUR), ("eth0", SIX)}
    assert not watch.unwatched(world.config, world.look(), world.state)


@pytest.mark.parametrize("watches", [0, -1])
def test_a_kernel_that_cannot_or_was_not_asked_is_left_alone(watches: int) -> None:
    assert watch.RELEASE == (6, 0)
    world = _world()
    world.watches = watches
    world.reconcile()
    assert world.neighbours == []
    assert watch.unwatched(world.config, world.look(), world.state) is (watches == 0)


def test_what_was_switched_off_is_taken_away() -> None:
    world = _world()
    world.reconcile()
    assert not watch.unwatched(world.config, world.look(), world.state)
    world.config = replace(world.config, watch="off")
    world.reconcile()
    assert world.neighbours == []
    assert watch.unwatched(world.config, world.look(), world.state)


def test_what_is_no_uplinks_any_more_is_taken_away() -> None:
    world = _world()
    world.neighbours = [Neighbour("#9", 4, FOUR), Neighbour("eth0", 4, "192.168.1.254")]
    world.reconcile()
    assert _watched(world) == {("eth0", FOUR), ("eth0", SIX)}


def test_an_address_that_somebody_fixed_stays_theirs() -> None:
    world = _world()
    theirs = Neighbour("eth0", 4, FOUR, ours=False)
    world.neighbours = [theirs]
    world.reconcile()
    assert _watched(world) == {("eth0", SIX)}
    assert theirs in world.neighbours
    assert watch.unwatched(world.config, world.look(), world.state)
    other = Neighbour("wlan0", 4, FOUR, ours=False)
    world.neighbours = [other]
    world.reconcile()
    assert ("eth0", FOUR) in _watched(world)


def test_of_two_routers_each_that_answers() -> None:
    world = _world(families=(4,))
    world.reconcile()
    observed = world.look()
    route = observed.default_routes("eth0", 4)[0]
    second, slower = replace(route, gateway="192.168.1.2"), replace(route, gateway="192.168.1.3")
    routes = (*observed.routes, second, second, replace(slower, metric=route.metric + 1))
    observed = replace(observed, routes=routes)
    both = [Neighbour("eth0", 4, FOUR), Neighbour("eth0", 4, "192.168.1.2")]
    assert watch.gateways(world.config, observed, world.state) == both
    uplinks = tuple(
        replace(one, silent=FOUR) if one.interface == "eth0" else one for one in world.state.uplinks
    )
    state = replace(world.state, uplinks=uplinks)
    assert watch.gateways(world.config, observed, state) == both[1:]
    assert not watch.unwatched(world.config, observed, state)
    tunnel = replace(observed, watches=0, routes=(*routes, replace(route, gateway="")))
    assert watch.unwatched(world.config, tunnel, state)


def test_the_router_of_ipv4_may_be_of_ipv6() -> None:
    world = _world(families=(4,))
    world.reconcile()
    observed = world.look()
    routes = tuple(replace(one, gateway=one.gateway and SIX) for one in observed.routes)
    observed = replace(observed, routes=routes)
    assert watch.gateways(world.config, observed, world.state) == [Neighbour("eth0", 6, SIX)]
    assert not watch.unwatched(world.config, observed, world.state)


def _without(observed: Observation, **more: object) -> Observation:
    links = tuple(replace(one, **more) if one.name == "eth0" else one for one in observed.links)
    return replace(observed, links=links)


def test_where_there_is_nobody_to_ask_nobody_is_watched() -> None:
    world = _world(families=(4,))
    world.reconcile()
    observed, state = world.look(), world.state
    no_gateway = tuple(replace(route, gateway="") for route in observed.routes)
    unasked = tuple(replace(uplink, gateway=False) for uplink in world.config.uplinks)
    for seen, config in (
        (_without(observed, mac=""), world.config),
        (_without(observed, carrier=False), world.config),
        (replace(observed, routes=no_gateway), world.config),
        (replace(observed, links=observed.links[1:]), world.config),
        (observed, replace(world.config, uplinks=unasked)),
    ):
        assert watch.gateways(config, seen, state) == []
        assert not watch.unwatched(config, seen, state)
    assert isinstance(observed.links[0], Link)
    assert watch.gateways(world.config, observed, state) != []
