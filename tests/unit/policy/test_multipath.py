"""Endpoints of Multipath TCP: which there are, and how they change."""

from __future__ import annotations

import pytest

from netfail_hooks.config import USE, Config, Order
from netfail_hooks.policy.changes import AddEndpoint, Change, DropEndpoint, LimitSubflows
from netfail_hooks.policy.facts import FOREVER, Address, Endpoint, Observation, Route
from netfail_hooks.policy.multipath import MOST, NUMBERS, changes, remembered, wanted
from netfail_hooks.policy.state import Multipath, State, parse, render
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

_ON = config_of("eth0", "wlan0", multipath_tcp=True)
_FIRST, _SECOND = "192.168.1.50", "192.168.2.51"
_THEIRS = Endpoint(1, 4, "192.0.2.9", ours=False)


def _world(config: Config = _ON, **more: object) -> World:
    world = World(config, apart=("wlan0",), families=(4,), **more)  # type: ignore[arg-type]
    world.reconcile()
    return world


def _four(world: World) -> dict[str, bool]:
    """Return our endpoints of IPv4, each with whether it is a backup."""
    return {one.address: one.backup for one in world.endpoints if one.ours and one.family == 4}


def _of(kind: type[AddEndpoint | DropEndpoint], made: tuple[Change, ...]) -> list[str]:
    return [change.endpoint.address for change in made if isinstance(change, kind)]


def test_the_active_uplink_is_for_use_and_the_others_are_backups() -> None:
    world = _world()
    assert _four(world) == {_FIRST: False, _SECOND: True}
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert _four(world) == {_SECOND: False}
    world.event("eth0", "routable")
    world.reconcile()
    assert _four(world) == {_FIRST: True, _SECOND: False}  # in its hold-down
    world.now += 60 * SECOND
    world.reconcile()
    world.reconcile()
    assert _four(world) == {_FIRST: False, _SECOND: True}


def test_the_new_way_is_for_use_before_the_old_one_is_a_backup() -> None:
    world = _world()
    world.config = replace(_ON, orders=(Order(USE, "wlan0"),))
    made = [str(change) for change in world.reconcile() if "endpoint" in str(change)]
    assert made == [
        f"set MPTCP endpoint {_SECOND} id {NUMBERS[-2]}",
        f"set MPTCP endpoint {_FIRST} id {NUMBERS[-1]} backup",
    ]


def test_a_silent_gateway_ends_its_endpoint() -> None:
    world = _world()
    world.sick.add("eth0")
    world.reconcile()
    assert _four(world) == {_SECOND: False}


def test_on_one_lan_there_is_one_for_the_address_follows() -> None:
    world = World(_ON, families=(4,))
    world.reconcile()
    assert _four(world) == {_FIRST: False}


def test_off_nothing_is_decided_and_nothing_remembered() -> None:
    world = _world(config_of("eth0", "wlan0"))
    world.endpoints = [Endpoint(NUMBERS[-1], 4, _FIRST)]
    assert not [change for change in world.reconcile() if isinstance(change, DropEndpoint)]
    assert world.state.multipath == ()


def test_taken_out_all_goes_and_is_forgotten_once_it_has() -> None:
    world = _world()
    world.endpoints.append(_THEIRS)
    world.reconcile()
    world.config = config_of("eth0", "wlan0")
    assert {_FIRST, _SECOND} <= set(_of(DropEndpoint, world.reconcile()))
    assert world.endpoints == [_THEIRS]
    assert world.state.multipath
    world.reconcile()
    assert world.state.multipath == ()


def test_what_others_made_stays_and_counts() -> None:
    world = _world(replace(_ON, multipath_tcp=False))
    theirs = [replace(_THEIRS, number=n, address=f"192.0.2.{n}") for n in range(1, MOST - 1)]
    world.endpoints = [replace(_THEIRS, number=99, address=_FIRST), *theirs]
    world.config = _ON
    world.reconcile()
    assert _four(world) == {_SECOND: True}
    assert len(world.endpoints) == MOST


def test_the_kernels_own_of_an_address_gives_way() -> None:
    world = _world(replace(_ON, multipath_tcp=False))
    implicit = Endpoint(3, 4, _SECOND, ours=False, implicit=True)
    world.endpoints = [implicit]
    world.config = _ON
    made = world.reconcile()
    assert DropEndpoint(implicit) in made
    assert _four(world)[_SECOND]


def test_a_new_address_has_its_endpoint_before_the_old_one_goes_from_memory() -> None:
    world = _world()
    kept = [one for one in world.endpoints if one.address != _FIRST]
    world.endpoints = [*kept, Endpoint(NUMBERS[0], 4, "192.168.1.99")]  # of a lease that ended
    made = world.reconcile()
    assert _of(DropEndpoint, made) == ["192.168.1.99"]
    assert _of(AddEndpoint, made) == [_FIRST]


def test_while_a_vpn_leads_all_there_is_none() -> None:
    world = _world()
    tunnel = Route("#9", 4, "default", 50, protocol=3)
    world.theirs = [tunnel]
    look = replace(world.look(), routes=(*world.look().routes, tunnel))
    assert _FIRST not in wanted(_ON, look, world.state)


def test_a_kernel_without_policy_rules_has_none_for_backups() -> None:
    world = _world()
    assert wanted(_ON, replace(world.look(), ruled=0), world.state).get(_SECOND) is None


@pytest.mark.parametrize("known", [0, 1])
def test_the_limit_is_raised_once_it_is_kept_what_it_was(known: int) -> None:
    config = config_of("eth0", "wlan0", "usb0", multipath_tcp=True)
    world = _world(config)
    state = replace(world.state, multipath=(Multipath(4, 1, known),))
    look = replace(world.look(), subflows=1)
    limits = [c for c in changes(config, look, state) if isinstance(c, LimitSubflows)]
    assert bool(limits) == bool(known)
    off = replace(config, multipath_tcp=False)
    given_back = changes(off, replace(look, subflows=5), state)
    assert LimitSubflows(1) in given_back


def test_a_kernel_that_has_none_is_asked_for_nothing() -> None:
    world = _world()
    look = replace(world.look(), subflows=-1, endpoints=())
    assert changes(_ON, look, world.state) == []


def test_of_several_addresses_one_that_leads_out_and_stays() -> None:
    def rank(*addresses: Address) -> str:
        route = Route("eth0", 6, "default", 100, "fe80::1", protocol=9)
        look = Observation(now=1, addresses=addresses, routes=(route,), ruled=1, subflows=2)
        state = replace(_world().state, active=(replace(_world().state.active[0], family=6),))
        return next(iter(wanted(_ON, look, state)))

    inside = Address("eth0", 6, "fd00:1::50", 64)
    leased = Address("eth0", 6, "2001:db8::50", 64, valid=600)
    fixed = Address("eth0", 6, "2001:db8::51", 64, valid=FOREVER)
    old = Address("eth0", 6, "2001:db8::52", 64, preferred=0)
    assert rank(inside, old, leased, fixed) == fixed.address
    assert rank(inside, leased) == leased.address
    assert rank(old, inside) == inside.address


def test_a_state_file_keeps_it() -> None:
    state = State(multipath=(Multipath(4, 2, 1),))
    assert parse(render(state)) == state


def test_ids_are_the_last_ones_and_the_kernel_has_eight_endpoints() -> None:
    assert (NUMBERS[0], NUMBERS[-1], MOST) == (224, 255, 8)


def test_a_limit_of_none_is_one_too() -> None:
    world = _world()
    look = replace(world.look(), subflows=0, endpoints=())
    new = remembered(_ON, look, State(), world.state)
    assert new.multipath == (Multipath(4, 0),)
    assert _of(AddEndpoint, tuple(changes(_ON, look, new))) == [_FIRST, _SECOND]
    later = remembered(_ON, replace(look, subflows=3), new, world.state)
    assert later.multipath == (Multipath(4, 0, 1),)


@pytest.mark.parametrize(("theirs", "made"), [(6, 2), (7, 1), (8, 0)])
def test_no_more_are_made_than_there_is_room_for(theirs: int, made: int) -> None:
    world = _world()
    others = tuple(replace(_THEIRS, number=n, address=f"192.0.2.{n}") for n in range(1, theirs + 1))
    look = replace(world.look(), endpoints=others)
    assert len(_of(AddEndpoint, tuple(changes(_ON, look, world.state)))) == made


@pytest.mark.parametrize(("uplinks", "lost", "limit"), [(3, 0, 3), (3, 2, 3), (2, 0, 2)])
def test_the_limit_is_one_for_each_uplink(uplinks: int, lost: int, limit: int) -> None:
    names = ("eth0", "wlan0", "usb0")[:uplinks]
    config = config_of(*names, multipath_tcp=True)
    world = World(config, apart=names[1:], families=(4,))
    world.reconcile()
    for name in names[1 : lost + 1]:
        world.event(name, "no-carrier")
        world.reconcile()
    state = replace(world.state, multipath=(Multipath(4, 1, 1),))
    look = replace(world.look(), subflows=1)
    assert LimitSubflows(limit) in changes(config, look, state)


def test_the_one_for_use_comes_first() -> None:
    world = _world()
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    assert list(wanted(_ON, world.look(), world.state)) == [_SECOND, _FIRST]
