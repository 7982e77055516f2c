"""Routes beside the default one: which follow, by which gateway, and when they go back."""

from __future__ import annotations

import pytest

from netfail_hooks.config import Config
from netfail_hooks.policy import decide, next_state
from netfail_hooks.policy.changes import (
    AddRule,
    Change,
    CloseConnections,
    DropRoute,
    DropRule,
    SetRoute,
)
from netfail_hooks.policy.facts import OWN_TABLES, Address, Observation, Route, Rule
from netfail_hooks.policy.sources import ADDRESSES
from netfail_hooks.policy.state import FOLLOWING, Way, parse, render
from netfail_hooks.values import replace
from tests.support.world import World, config_of

FAR = Route("eth0", 4, "10.9.0.0/16", 100, "192.168.1.1", protocol=4)
WITHOUT = ("wlan0", "default")
SECOND = replace(FAR, destination="10.50.0.0/16", gateway="192.168.1.7")


def _world(*theirs: Route, apart: tuple[str, ...] = (), config: Config | None = None) -> World:
    world = World(config or config_of("eth0", "wlan0"), families=(4, 6), apart=apart)
    world.theirs = list(theirs)
    world.reconcile()
    assert world.routes == []
    return world


def _ours(world: World) -> dict[str, tuple[str, str, int]]:
    beside = [r for r in world.routes if r.destination not in ("default", "192.168.1.0/24")]
    return {
        r.destination: (r.interface, r.gateway, r.metric)
        for r in beside
        if not r.destination.startswith("fd00:1::/64")
    }


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing", "degraded", "sick"])
def test_a_route_follows_however_its_uplink_was_lost(state: str) -> None:
    world = _world(FAR, SECOND)
    if state == "sick":
        world.sick.add("eth0")
    else:
        world.event("eth0", state)
    world.reconcile()
    assert _ours(world) == {
        "10.9.0.0/16": ("wlan0", "192.168.1.1", 50),
        "10.50.0.0/16": ("wlan0", "192.168.1.7", 50),
    }
    assert world.reconcile() == ()
    world.sick.clear()
    world.event("eth0", "routable")
    for _ in range(4):
        world.now += 20_000
        world.reconcile()
    assert world.routes == []


def test_an_uplink_that_never_had_a_default_route_leads_what_it_has() -> None:
    """A network of its own beside the Internet, in the main table or behind a user's rule."""
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    corporate = replace(FAR, interface="wlan0", metric=600, gateway="192.168.2.1")
    world.theirs = [corporate]
    world.tables = [replace(corporate, destination="default", table=100)]
    world.rules = [Rule(4, 100, 100, "192.168.2.51/32", protocol=4)]
    look = world.look

    def without_default() -> Observation:
        observed = look()
        routes = [r for r in observed.routes if (r.interface, r.destination) != WITHOUT]
        return replace(observed, routes=tuple(routes))

    world.look = without_default  # type: ignore[method-assign]
    world.reconcile()
    assert (world.routes, len(world.tables)) == ([], 1)
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert _ours(world)["10.9.0.0/16"] == ("eth0", "192.168.1.1", 50), "lost after all"


def test_on_another_subnet_the_carriers_own_gateway_leads() -> None:
    six = Route("eth0", 6, "fd50::/16", 100, "fd00:1::7", protocol=4)
    world = _world(FAR, SECOND, six, apart=("wlan0",))
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert _ours(world) == {
        "10.9.0.0/16": ("wlan0", "192.168.2.1", 50),
        "10.50.0.0/16": ("wlan0", "192.168.2.1", 50),
        "fd50::/16": ("wlan0", "fd00:2::1", 50),
    }


def test_the_routes_of_a_lost_standby_follow_too() -> None:
    world = _world(replace(FAR, interface="wlan0", metric=600))
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert _ours(world) == {"10.9.0.0/16": ("eth0", "192.168.1.1", 50)}


def test_the_carriers_own_route_is_what_leads() -> None:
    own = replace(FAR, interface="wlan0", metric=600, gateway="192.168.1.9")
    world = _world(FAR, own)
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert _ours(world) == {"10.9.0.0/16": ("wlan0", "192.168.1.9", 50)}
    better = _world(FAR, replace(own, metric=30))
    better.event("eth0", "no-carrier")
    better.reconcile()
    assert _ours(better) == {}, "it wins as it is"


@pytest.mark.parametrize("protocol", [2, 11, 12, 42, 186, 188])
def test_the_kernels_and_a_routing_daemons_routes_are_left_to_them(protocol: int) -> None:
    world = _world(replace(FAR, protocol=protocol))
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert _ours(world) == {}


@pytest.mark.parametrize(
    ("stay", "stays"),
    [
        ("10.9.0.0/16", True),
        ("10.0.0.0/8", True),
        ("0.0.0.0/0", True),
        ("10.9.0.0/17", False),
        ("10.10.0.0/16", False),
        ("::/0", False),
    ],
)
def test_what_the_config_says_stays(stay: str, *, stays: bool) -> None:
    config = config_of("eth0", "wlan0")
    first, second = config.uplinks
    for uplinks, kept in (
        ((replace(first, stay=(stay,)), second), stays),
        ((first, replace(second, stay=(stay,))), False),
    ):
        world = _world(FAR, config=replace(config, uplinks=uplinks))
        world.event("eth0", "no-carrier")
        world.reconcile()
        assert (_ours(world) == {}) is kept


def test_neighbours_are_sought_on_the_same_lan_alone() -> None:
    near = replace(FAR, gateway="")
    for apart, wanted in (((), {"10.9.0.0/16": ("wlan0", "", 50)}), (("wlan0",), {})):
        world = _world(near, apart=apart)
        world.sick.add("eth0")
        world.reconcile()
        assert _ours(world) == wanted


def test_a_user_s_own_table_follows_and_ours_do_not() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.rules = [Rule(4, 100, 100, "192.168.1.50/32", protocol=4)]
    own = Route("eth0", 4, "default", 0, "192.168.1.1", protocol=4, table=100)
    world.tables = [own]
    world.reconcile()
    world.sick.add("eth0")
    world.reconcile()
    assert [r for r in world.tables if r.ours] == [
        replace(own, interface="wlan0", protocol=157, metric=0)
    ]
    world.sick.clear()
    for _ in range(4):
        world.now += 20_000
        world.reconcile()
    assert world.tables == [own]


def test_they_are_bounded_and_survive_being_written() -> None:
    world = _world(*(replace(FAR, destination=f"10.{n}.0.0/16") for n in range(FOLLOWING + 9)))
    assert len(world.state.ways) == FOLLOWING
    assert parse(render(world.state)) == world.state
    way = Way("eth0", 4, "10.0.0.0/16", 100, "192.168.1.1")
    text = render(replace(world.state, ways=(way,)))
    for old, new in (
        ("10.0.0.0/16", "10.0.0.0/33"),
        ("10.0.0.0/16", "fd00::/16"),
        ("10.0.0.0/16", "-"),
        ("192.168.1.1 254", "nobody 254"),
    ):
        with pytest.raises(ValueError, match="way"):
            parse(
                text.replace(f"way eth0 4 {old}", f"way eth0 4 {new}")
                if old != "192.168.1.1 254"
                else text.replace(old, new)
            )
    by_six = replace(way, gateway="fd00::1")  # RFC 5549
    assert parse(render(replace(world.state, ways=(by_six,)))).ways == (by_six,)


# --- what has an address of another subnet -------------------------------------------------------


def test_on_another_subnet_what_has_a_standbys_address_goes_out_by_it() -> None:
    world = _world(apart=("wlan0",))
    assert {(r.sender, r.table, r.priority, r.whole) for r in world.rules} == {
        ("192.168.2.51/32", 254, 32764, False),
        ("192.168.2.51/32", 15702, 32765, True),
        ("fd00:2::51/128", 254, 32764, False),
        ("fd00:2::51/128", 15702, 32765, True),
    }
    assert {(r.table, r.gateway) for r in world.tables} == {
        (15702, "192.168.2.1"),
        (15702, "fd00:2::1"),
    }
    assert world.reconcile() == ()
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert (world.rules, world.tables) == ([], []), "it is the carrier: the main table leads by it"
    world.event("eth0", "routable")
    world.reconcile()
    assert {r.sender for r in world.rules} == {"192.168.1.50/32", "fd00:1::50/128"}


def test_a_rule_outlives_the_routes_in_its_table() -> None:
    """What is in a table is seen by way of the rule: a killed run must leave no such route."""
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    made = _planned(world)
    routes = [
        at
        for at, change in enumerate(made)
        if isinstance(change, SetRoute) and change.route.table in OWN_TABLES
    ]
    assert _at(made, AddRule)[-1] < routes[0]
    world.reconcile()
    world.event("wlan0", "no-carrier")
    undone = _planned(world)
    assert _at(undone, DropRoute)[-1] < _at(undone, DropRule)[0]


def test_an_address_that_needs_no_rule_takes_nobodys_place() -> None:
    """Else the next look, which has those with rules first, would add another one."""
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    world.reconcile()
    near = [Address("wlan0", 4, f"192.168.1.{n}", 24) for n in range(60, 64)]
    far = [Address("wlan0", 4, f"192.168.2.{n}", 24, valid=60) for n in range(100, 120)]
    observed = world.look()
    observed = replace(observed, addresses=(*observed.addresses, *near, *far), rules=())
    added = [c.rule for c in _decided(world, observed) if isinstance(c, AddRule)]
    assert len(added) == 2 * ADDRESSES
    again = _decided(world, replace(observed, rules=tuple(added)))
    assert not [c for c in again if isinstance(c, (AddRule, DropRule))]


def _decided(world: World, observed: Observation) -> tuple[Change, ...]:
    return decide(world.config, observed, world.state, world.state)


def _planned(world: World) -> tuple[Change, ...]:
    observed = replace(world.look(), probes=world.results())
    after = next_state(world.config, observed, world.state)
    return decide(world.config, observed, world.state, after)


def _at(changes: tuple[Change, ...], kind: type) -> list[int]:
    return [at for at, change in enumerate(changes) if isinstance(change, kind)]


def test_on_one_subnet_and_for_a_lost_uplink_there_is_no_rule() -> None:
    assert _world().rules == []
    world = _world(apart=("wlan0",))
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert (world.rules, world.tables) == ([], [])


def test_what_is_meant_for_a_tunnel_stays_in_it() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    look = world.look
    for metric, rules in ((50, 0), (99, 0), (100, 2), (300, 2)):
        tunnel = Route("#9", 4, "default", metric, protocol=3)
        world.look = lambda vpn=tunnel: replace(look(), routes=(*look().routes, vpn))  # type: ignore[method-assign, misc]
        world.reconcile()
        assert len(world.rules) == rules, metric


@pytest.mark.parametrize(
    ("sender", "count"),
    [("192.168.2.51/32", 1), ("192.168.2.0/24", 1), ("192.168.3.0/24", 3), ("", 3)],
)
def test_where_a_rule_of_the_users_covers_an_address_there_is_none_of_ours(
    sender: str, count: int
) -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    world.rules = [Rule(4, 100, 100, sender, protocol=4)]
    world.reconcile()
    assert len(world.rules) == count


def test_an_address_that_two_nics_have_is_ruled_once() -> None:
    world = World(config_of("eth0", "wlan0", "usb0"), families=(4,), apart=("wlan0",))
    look = world.look

    def twins() -> Observation:
        observed = look()
        addresses = [
            replace(one, interface="usb0") for one in observed.addresses if one.interface == "wlan0"
        ]
        kept = [one for one in observed.addresses if one.interface != "usb0"]
        return replace(observed, addresses=(*kept, *addresses))

    world.look = twins  # type: ignore[method-assign]
    world.reconcile()
    assert [rule.table for rule in world.rules] == [254, 15702]


def test_our_own_table_leads_by_a_router_that_answers() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    world.theirs = [Route("wlan0", 4, "default", 600, "192.168.2.9", protocol=4)]
    world.reconcile()
    silent = [
        replace(one, silent="192.168.2.9") if one.interface == "wlan0" else one
        for one in world.state.uplinks
    ]
    world.state = replace(world.state, uplinks=tuple(silent))
    world.reconcile(probe=False)
    assert {one.gateway for one in world.tables} == {"192.168.2.1"}


def test_without_rules_in_the_kernel_connections_end_when_the_traffic_leaves() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    look = world.look
    world.look = lambda: replace(look(), ruled=0)  # type: ignore[method-assign]
    world.reconcile()
    assert world.rules == []
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    ended = []
    for _ in range(4):
        world.now += 20_000
        ended += [c.address for c in world.reconcile() if isinstance(c, CloseConnections)]
    assert ended == ["192.168.2.51"]


def test_connections_of_an_address_that_is_no_longer_ours_end() -> None:
    """As when a lease ends, or the server gives another address."""
    world = World(config_of("eth0", "wlan0"), families=(4,), apart=("wlan0",))
    world.reconcile()
    address = world.address
    world.address = lambda name, family: address(name, family).replace(".51", ".77")  # type: ignore[method-assign]
    ended = [c.address for c in world.reconcile() if isinstance(c, CloseConnections)]
    assert ended == ["192.168.2.51"]
