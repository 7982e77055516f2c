"""What is set, moved and announced, to the last field."""

from __future__ import annotations

import pytest

from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import Announce, DropRoute, FlushNeighbours, SetMetric, SetRoute
from netfail_hooks.policy.choose import next_state
from netfail_hooks.policy.facts import FOREVER, NO_ROUTE, Address, Route
from netfail_hooks.policy.routes import decide, followers
from netfail_hooks.values import replace
from tests.support.world import World, config_of


@pytest.fixture
def world() -> World:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    return world


def test_an_override_is_never_marked_dead_and_is_ours(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.event("wlan0", "no-carrier")
    world.reconcile()
    world.event("wlan0", "routable")
    marked = tuple(replace(route, linkdown=True) for route in world.look().routes)
    observed = replace(world.look(), routes=marked)
    after = next_state(world.config, observed, world.state)
    made = [
        c.route
        for c in decide(world.config, observed, world.state, after)
        if isinstance(c, SetRoute)
    ]
    assert made
    assert {(route.linkdown, route.ours, route.metric) for route in made} == {(False, True, 50)}


@pytest.mark.parametrize(
    ("silent", "gateway"),
    [
        ("", ""),
        ("fd00:1::1", "fd00:1::9"),
        ("fd00:1::9", "fd00:1::1"),
        ("fd00:1::7", ""),
        ("fd00:1::1,fd00:1::9", ""),
    ],
)
def test_traffic_goes_by_a_router_that_answers(world: World, silent: str, gateway: str) -> None:
    """Its uplink has two of one metric, of which the kernel uses both."""
    observed = world.look()
    first = next(r for r in observed.routes if (r.interface, r.gateway) == ("eth0", "fd00:1::1"))
    observed = replace(observed, routes=(*observed.routes, replace(first, gateway="fd00:1::9")))
    known = tuple(
        replace(one, silent=silent) if (one.interface, one.family) == ("eth0", 6) else one
        for one in world.state.uplinks
    )
    state = replace(world.state, uplinks=known)
    made = [
        c.route
        for c in decide(world.config, observed, state, next_state(world.config, observed, state))
        if isinstance(c, SetRoute)
    ]
    wanted = [replace(first, gateway=gateway, metric=50, protocol=157)] if gateway else []
    assert made == wanted


def test_a_route_without_a_gateway_is_no_silent_router(world: World) -> None:
    observed = world.look()
    first = next(r for r in observed.routes if (r.interface, r.gateway) == ("eth0", "fd00:1::1"))
    observed = replace(observed, routes=(*observed.routes, replace(first, gateway="")))
    after = next_state(world.config, observed, world.state)
    assert not any(
        isinstance(one, SetRoute) for one in decide(world.config, observed, after, after)
    )


def test_moved_addresses_keep_their_time_and_ipv6_ones_are_not_chosen(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    moved = {(a.family, a.length, a.preferred, a.valid, a.ours) for a in world.addresses}
    assert moved == {(4, 32, FOREVER, FOREVER, True), (6, 128, 0, FOREVER, True)}
    lease = tuple(replace(one, expires=world.now + 1) for one in world.state.known_addresses)
    bare = replace(world.look(), addresses=())
    last = [
        replace(
            world.state, known_addresses=tuple(replace(k, expires=world.now + left) for k in lease)
        )
        for left in (61_000, 1999, 1)
    ]
    times = [
        [
            (one.preferred, one.valid)
            for family in FAMILIES
            for one in followers(world.config, bare, state, family)
        ]
        for state in last
    ]
    assert times == [[(61, 61), (0, 61)], [(1, 1), (0, 1)], [(1, 1), (0, 1)]]


class Forgetful:
    """Uplinks on one LAN whose connected routes and addresses may have lost their metrics."""

    def __init__(self, world: World, **metrics: int) -> None:
        self.world = world
        self.observed = observed = world.look()
        lan = [route for name in metrics for route in observed.connected(name, 4)]
        for name, metric in metrics.items():
            (own,) = observed.own_addresses(name, 4)
            lost = replace(own, metric=metric)
            self.swap(own, lost)
            for route in observed.connected(name, 4):
                self.swap(route, replace(route, metric=metric, source=own.address))
        assert lan

    def swap(self, old: Address | Route, new: Address | Route) -> None:
        swapped = [
            new if one == old else one for one in (*self.observed.addresses, *self.observed.routes)
        ]
        self.observed = replace(
            self.observed,
            addresses=tuple(one for one in swapped if isinstance(one, Address)),
            routes=tuple(one for one in swapped if isinstance(one, Route)),
        )

    def decided(self) -> list[str]:
        state = self.world.state
        made = decide(self.world.config, self.observed, state, state)
        return [str(change) for change in made if isinstance(change, SetMetric)]


def test_metrics_that_networkd_forgot_are_set_again_the_carriers_last(world: World) -> None:
    assert Forgetful(world, eth0=0, wlan0=0).decided() == [
        "set metric 600 of 192.168.1.51/24 on wlan0",
        "set metric 100 of 192.168.1.50/24 on eth0",
    ]
    assert Forgetful(world, eth0=0).decided() == ["set metric 100 of 192.168.1.50/24 on eth0"]
    assert Forgetful(world, eth0=100, wlan0=600).decided() == []
    assert Forgetful(world, eth0=1, wlan0=601).decided() == []  # somebody's own choice


def test_the_lan_stays_with_whichever_uplink_carries_the_traffic(world: World) -> None:
    for state in ("no-carrier", "routable"):
        world.event("eth0", state)
        world.reconcile()
    assert world.state.active_uplink(4) == "wlan0"  # eth0 is held
    assert Forgetful(world, eth0=0, wlan0=0).decided() == [
        "set metric 100 of 192.168.1.50/24 on eth0",
        "set metric 600 of 192.168.1.51/24 on wlan0",
    ]


def test_one_uplink_on_the_same_lan_is_enough_to_set_a_metric_again() -> None:
    world = World(config_of("eth0", "wlan0", "usb0"), apart=("usb0",))
    world.reconcile()
    assert Forgetful(world, eth0=0).decided() == ["set metric 100 of 192.168.1.50/24 on eth0"]


def test_metrics_of_what_is_not_networkds_doing_stay(world: World) -> None:
    for spoil in (
        {"protocol": 4},
        {"source": ""},
        {"source": "192.168.1.77"},
        {"metric": 7},
        {"destination": "192.168.0.0/16"},
    ):
        one = Forgetful(world, eth0=0)
        (route,) = one.observed.connected("eth0", 4)
        one.swap(route, replace(route, **spoil))
        assert one.decided() == [], spoil
    one = Forgetful(world, eth0=0)
    (own,) = one.observed.own_addresses("eth0", 4)
    one.swap(own, replace(own, metric=NO_ROUTE))
    assert one.decided() == []


def test_a_metric_on_a_lan_of_its_own_does_no_harm_and_stays() -> None:
    world = World(config_of("eth0", "wlan0"), apart=("eth0", "wlan0"))
    world.reconcile()
    assert Forgetful(world, eth0=0, wlan0=0).decided() == []


def test_on_its_own_subnet_the_carrier_needs_a_default_route_alone() -> None:
    world = World(config_of("eth0", "wlan0"), apart=("eth0", "wlan0"))
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert {(r.family, r.destination) for r in world.routes} == {(4, "default"), (6, "default")}


def test_two_uplinks_of_one_metric_are_told_apart_by_an_override() -> None:
    config = config_of("eth0", "wlan0")
    same = replace(config, uplinks=tuple(replace(u, metric=100) for u in config.uplinks))
    world = World(same, families=(4,))
    world.reconcile()
    assert {(r.interface, r.destination) for r in world.routes} == {
        ("eth0", "192.168.1.0/24"),
        ("eth0", "default"),
    }


def test_the_gateway_hears_of_a_move_first(world: World) -> None:
    world.event("eth0", "no-carrier")
    told = {
        (c.family, c.interface, c.gateway, c.mac)
        for c in world.reconcile()
        if isinstance(c, Announce)
    }
    assert told == {
        (4, "wlan0", "192.168.1.1", "02:00:00:00:00:03"),
        (6, "wlan0", "fd00:1::1", "02:00:00:00:00:03"),
    }


@pytest.mark.parametrize(
    "other",
    [{"gateway": "192.168.1.9"}, {"source": "192.168.1.51"}, {"onlink": True}, {"mtu": 1400}],
)
def test_an_override_follows_the_route_that_it_was_made_of(
    world: World, other: dict[str, object]
) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    observed = world.look()
    routes = tuple(
        replace(r, **other)
        if (r.interface, r.family, r.destination, r.ours) == ("wlan0", 4, "default", False)
        else r
        for r in observed.routes
    )
    made = decide(world.config, replace(observed, routes=routes), world.state, world.state)
    assert [type(one) for one in made] == [SetRoute, DropRoute]
    assert {key: getattr(made[0].route, key) for key in other} == other  # type: ignore[union-attr]


def test_from_one_survivor_to_the_next_the_new_route_comes_before_the_old_one_goes() -> None:
    world = World(config_of("eth0", "wlan0", "usb0"))
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("wlan0", "no-carrier")
    changes = world.reconcile()
    dropped = {(c.route.family, c.route.interface) for c in changes if isinstance(c, DropRoute)}
    assert dropped == {(4, "wlan0"), (6, "wlan0")}
    order = [type(c) for c in changes if isinstance(c, SetRoute | DropRoute)]
    assert order == ([SetRoute] * 2 + [DropRoute] * 2) * 2  # IPv4 to its end, then IPv6
    assert {r.interface for r in world.routes} == {"usb0"}


def test_one_of_several_addresses_on_the_standbys_lan_is_enough_to_forget_its_neighbours() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.reconcile()
    far = Address("eth0", 4, "10.9.9.9", 24)
    world.resolved = {"wlan0"}
    observed = world.look()
    for addresses in ((*observed.addresses, far), (far, *observed.addresses)):
        both = replace(observed, addresses=addresses)
        assert decide(world.config, both, world.state, world.state)[-1] == FlushNeighbours("wlan0")
    standbys = [address for address in observed.addresses if address.interface == "wlan0"]
    only = replace(observed, addresses=(far, *standbys))
    assert FlushNeighbours("wlan0") not in decide(world.config, only, world.state, world.state)


def test_a_standby_without_addresses_of_its_own_may_have_spoken_on_the_lan() -> None:
    """It had somebody else's address, or none; the LAN seeks what it spoke with there."""
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.reconcile()
    observed = world.look()
    kept = tuple(address for address in observed.addresses if address.interface == "eth0")
    bare = replace(observed, addresses=kept, resolved=("wlan0",))
    changes = decide(world.config, bare, world.state, world.state)
    assert FlushNeighbours("wlan0") in changes
    assert [change.address for change in changes if isinstance(change, Announce)]


def test_who_carries_ipv6_alone_is_a_standby_in_ipv4() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4, 6))
    world.reconcile()
    active = tuple(
        replace(one, interface="wlan0") if one.family == 6 else one for one in world.state.active
    )
    state = replace(world.state, active=active)
    observed = replace(world.look(), resolved=("wlan0",), waiting=("wlan0",))
    assert FlushNeighbours("wlan0") in decide(world.config, observed, state, state)
    only_six = replace(observed, resolved=())
    assert FlushNeighbours("wlan0") not in decide(world.config, only_six, state, state)
