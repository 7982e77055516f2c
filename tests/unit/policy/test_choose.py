"""Which uplink carries the traffic, told as stories."""

from __future__ import annotations

import pytest

from netfail_hooks.policy.changes import (
    AddAddress,
    Announce,
    CloseConnections,
    DropRoute,
    FlushNeighbours,
    SetRoute,
)
from netfail_hooks.policy.choose import next_state
from netfail_hooks.policy.routes import decide
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of


@pytest.fixture
def world() -> World:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    return world


def test_all_well_owns_nothing(world: World) -> None:
    assert world.routes == []
    assert world.addresses == []
    assert world.reconcile() == ()


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing", "degraded"])
def test_a_lost_uplink_hands_over_at_once(world: World, state: str) -> None:
    world.event("eth0", state)
    world.reconcile()
    assert [world.way(4), world.way(6)] == ["wlan0", "wlan0"]
    assert {(a.interface, a.address) for a in world.addresses} == {
        ("wlan0", "192.168.1.50"),
        ("wlan0", "fd00:1::50"),
    }
    assert world.reconcile() == ()


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing", "degraded"])
def test_failback_waits_for_the_hold_down(world: World, state: str) -> None:
    world.event("eth0", state)
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    assert world.way() == "wlan0"
    world.now += 9_999
    world.reconcile()
    assert world.way() == "wlan0"
    world.now += 1
    world.reconcile()
    assert world.way() == "eth0"
    assert (world.routes, world.addresses) == ([], [])


def test_failback_announces_before_it_drops_the_route(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    world.now += 10 * SECOND
    kinds = [type(change) for change in world.reconcile()]
    assert kinds.index(Announce) < kinds.index(DropRoute)


def test_losing_the_standby_changes_no_route(world: World) -> None:
    world.event("wlan0", "no-carrier")
    assert not [c for c in world.reconcile() if isinstance(c, SetRoute)]
    assert world.way() == "eth0"
    assert "192.168.1.51" in {a.address for a in world.addresses if a.interface == "eth0"}


def test_hold_down_doubles_up_to_its_limit_and_starts_small_after_a_quiet_time() -> None:
    world = World(config_of("eth0", "wlan0", hold_down=10, hold_down_max=35, quiet=100))
    world.reconcile()
    holds = []
    for _ in range(4):
        world.event("eth0", "no-carrier")
        world.reconcile()
        world.event("eth0", "routable")
        world.reconcile()
        uplink_state = world.state.uplink_state("eth0", 4)
        assert uplink_state
        holds.append(uplink_state.hold)
        world.now = uplink_state.ready
        world.reconcile()
    assert holds == [10, 20, 35, 35]
    world.now += 100 * SECOND
    world.event("eth0", "no-carrier")
    world.reconcile()
    last = world.state.uplink_state("eth0", 4)
    assert last
    assert last.hold == 10


def test_a_blip_between_two_looks_counts_as_a_loss(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.event("eth0", "routable")
    world.reconcile()
    uplink_state = world.state.uplink_state("eth0", 4)
    assert uplink_state
    assert uplink_state.state == "recovering"
    assert world.way() == "wlan0"


def test_rounds_passed_before_a_blip_prove_nothing_after_it(world: World) -> None:
    world.reconcile()
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.event("eth0", "routable")
    world.reconcile(probe=False)
    world.now += 100 * SECOND
    world.reconcile(probe=False)
    world.reconcile()
    assert world.way() == "wlan0", "one round of two"
    world.reconcile()
    assert world.way() == "eth0"


def test_both_lost_then_the_standby_first(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert world.way() == ""
    world.event("wlan0", "routable")
    world.reconcile()
    assert world.way() == "wlan0"
    world.event("eth0", "routable")
    world.reconcile()
    assert world.way() == "wlan0", "both are held down: the one in use stays"
    world.now += 20 * SECOND
    world.reconcile()
    assert world.way() == "eth0"


def test_an_uplink_first_seen_late_takes_over_without_hold_down() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.event("eth0", "missing")
    world.reconcile()
    assert world.way() == "wlan0"
    assert world.routes == []
    world.event("eth0", "routable")
    world.reconcile()
    assert world.way() == "eth0"
    assert world.routes == []


def test_three_uplinks_fall_through_in_rank_order() -> None:
    world = World(config_of("eth0", "wlan0", "usb0"))
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("wlan0", "missing")
    world.reconcile()
    assert world.way() == "usb0"
    assert {a.address for a in world.addresses if a.family == 4} == {"192.168.1.50", "192.168.1.51"}
    world.event("wlan0", "routable")
    world.reconcile()
    world.now += 10 * SECOND
    world.reconcile()
    assert world.way() == "wlan0"
    assert all(a.interface == "wlan0" for a in world.addresses)


def test_on_different_subnets_connections_end_and_addresses_stay() -> None:
    world = World(config_of("eth0", "wlan0"), apart=("eth0", "wlan0"))
    world.reconcile()
    world.event("eth0", "no-carrier")
    ended = [change for change in world.reconcile() if isinstance(change, CloseConnections)]
    assert [end.address for end in ended] == ["192.168.1.50", "fd00:1::50"]
    assert world.addresses == []
    assert world.way() == "wlan0"
    assert not [change for change in world.reconcile() if isinstance(change, CloseConnections)]


def test_addresses_stay_where_the_config_says_so() -> None:
    config = config_of("eth0", "wlan0", follow_addresses=False)
    world = World(config)
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert world.way() == "wlan0"
    assert world.addresses == []
    assert not [change for change in world.trail if isinstance(change, Announce)]


def test_a_setting_that_somebody_changed_is_set_again() -> None:
    world = World(config_of("eth0", "wlan0"), broken=("ipv4/conf/eth0/rp_filter",))
    assert [str(c) for c in world.reconcile()][:1] == ["set net.ipv4.conf.eth0.rp_filter=2"]
    assert world.reconcile() == ()


def test_a_mute_gateway_moves_the_traffic_though_the_link_is_up(world: World) -> None:
    world.sick.add("eth0")
    world.reconcile()
    assert [world.way(4), world.way(6)] == ["wlan0", "wlan0"]
    assert {r.destination for r in world.routes if r.family == 4} == {"default", "192.168.1.0/24"}
    world.now += 1000 * SECOND
    world.reconcile()
    world.reconcile(probe=False)
    assert world.way() == "wlan0", "no news is not good news"


def test_failback_needs_good_probes_as_well_as_time(world: World) -> None:
    world.sick.add("eth0")
    world.reconcile()
    world.sick.clear()
    world.now += 1000 * SECOND
    world.reconcile()
    assert world.way() == "wlan0", "the hold-down begins with the first good round"
    world.now += 10 * SECOND
    world.reconcile(probe=False)
    assert world.way() == "wlan0"
    world.reconcile()
    assert world.way() == "eth0"


def test_a_returned_link_must_pass_its_probes(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.sick.add("eth0")
    for _ in range(20):
        world.reconcile()
        assert world.way() == "wlan0"
        world.now += 5 * SECOND


def test_with_every_gateway_mute_the_most_preferred_stays(world: World) -> None:
    world.sick.update(("eth0", "wlan0"))
    world.reconcile()
    assert world.way() == "eth0"
    assert world.routes == []


def test_each_family_is_judged_on_its_own() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    mute = [
        replace(result, healthy=False, reason="mute")
        if (result.interface, result.family) == ("eth0", 6)
        else result
        for result in world.results()
    ]
    observed = replace(world.look(), probes=tuple(mute))
    after = next_state(world.config, observed, world.state)
    assert (after.active_uplink(4), after.active_uplink(6)) == ("eth0", "wlan0")
    assert {
        r.family
        for c in decide(world.config, observed, world.state, after)
        if isinstance(c, SetRoute)
        for r in [c.route]
    } == {6}


def test_without_probes_time_alone_is_enough() -> None:
    config = config_of("eth0", "wlan0")
    config = replace(config, uplinks=tuple(replace(u, gateway=False) for u in config.uplinks))
    world = World(config)
    world.reconcile(probe=False)
    world.event("eth0", "no-carrier")
    world.reconcile(probe=False)
    world.event("eth0", "routable")
    world.reconcile(probe=False)
    world.now += 10 * SECOND
    world.reconcile(probe=False)
    assert world.way() == "eth0"


def test_our_leftovers_go_once_all_is_well(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.state = type(world.state)()  # /run was emptied
    world.reconcile()
    assert (world.routes, world.addresses) == ([], [])


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing", "degraded"])
def test_a_shared_address_is_there_already_and_only_announced(state: str) -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), shares=True)
    world.reconcile()
    world.event("eth0", state)
    changes = world.reconcile()
    assert not [change for change in changes if isinstance(change, AddAddress)]
    announced = {(c.interface, c.address) for c in changes if isinstance(c, Announce)}
    assert ("wlan0", "192.168.1.50") in announced


def test_an_uplink_with_nothing_but_shared_addresses_is_lost() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,), shares=True)
    world.reconcile()
    world.event("eth0", "degraded")
    world.reconcile()
    uplink_state = world.state.uplink_state("eth0", 4)
    assert uplink_state
    assert (uplink_state.state, uplink_state.reason) == ("down", "no address")


def test_a_standby_forgets_its_neighbours_and_the_carrier_keeps_them(world: World) -> None:
    world.reconcile()
    world.resolved = {"eth0", "wlan0"}
    assert _forgotten(world) == [FlushNeighbours("wlan0")]
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.resolved = {"wlan0"}
    assert world.reconcile() == ()


def test_on_another_subnet_a_standby_keeps_its_neighbours() -> None:
    world = World(config_of("eth0", "wlan0"), apart=("eth0", "wlan0"))
    world.reconcile()
    world.resolved = {"eth0", "wlan0"}
    assert world.reconcile() == ()


def _forgotten(world: World) -> list[FlushNeighbours]:
    return [one for one in world.reconcile() if isinstance(one, FlushNeighbours)]


def test_nothing_waits_for_a_neighbour_on_a_lost_uplink(world: World) -> None:
    world.reconcile()
    world.waiting = {"eth0", "wlan0"}
    assert world.reconcile() == ()
    world.event("eth0", "no-carrier")
    assert [c for c in world.reconcile() if isinstance(c, FlushNeighbours)] == [
        FlushNeighbours("eth0")
    ]


@pytest.mark.parametrize(
    ("finer", "moved"),
    [
        ("192.168.1.1/32", True),  # networkd's route to the DHCP server's router
        ("192.168.1.0/24", False),  # no finer than the carrier's own, which wins by its metric
        ("10.9.9.9/32", True),  # a neighbour with an address of another kind
    ],
)
def test_the_router_is_not_sought_behind_a_mute_standby(finer: str, *, moved: bool) -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.finer["wlan0"] = [finer]
    world.reconcile()
    assert world.routes == []
    world.sick.add("wlan0")
    world.reconcile()
    assert (("eth0", finer) in {(r.interface, r.destination) for r in world.routes}) is moved
    assert bool(world.routes) is moved
    world.finer["eth0"] = [finer]
    world.reconcile()
    assert world.routes == [], "eth0 has that route itself now"


def test_flapping_costs_one_failover() -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    for pause in (100, 5_000, 9_999) * 20:
        for state in ("no-carrier", "routable"):
            world.event("eth0", state)
            world.reconcile()
            assert world.way() == "wlan0"
            world.now += pause


def test_a_finer_route_on_the_lost_uplink_moves_too(world: World) -> None:
    world.event("eth0", "routable")
    world.sick.add("eth0")
    world.finer["eth0"] = ["192.168.1.1/32", "10.9.9.9/32"]
    world.reconcile()
    ours = {route.destination for route in world.routes if route.family == 4}
    assert ours == {"default", "192.168.1.0/24", "192.168.1.1/32", "10.9.9.9/32"}
    assert all(route.interface == "wlan0" for route in world.routes)
