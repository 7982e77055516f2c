"""The detour around an uplink: by the best other one, with what neighbours look for."""

from __future__ import annotations

import errno

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.install import diversion
from netfail_hooks.install.diversion import Diversion, in_halves, route_plan
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import Address, Link, Observation, Route, Taken
from netfail_hooks.policy.state import Active, State, UplinkState
from netfail_hooks.values import replace

CONFIG = Config(uplinks=default_metrics(("a", "b", "c")))
NETWORKD = 4


def _link(name: str, *, carrier: bool = True) -> Link:
    return Link(name, ord(name), up=True, carrier=carrier, down_count=0, mac="02:00:00:00:00:01")


def _route(name: str, destination: str = "default", gateway: str = "10.0.0.1") -> Route:
    return Route(name, 4, destination, 0, gateway, protocol=NETWORKD)


def _seen(*names: str, dead: str = "", far: str = "") -> Observation:
    links = tuple(_link(name, carrier=name != dead) for name in names)
    addresses, routes = [], []
    for number, name in enumerate(names):
        net = "10.9.9" if name == far else "10.0.0"
        addresses.append(Address(name, 4, f"{net}.{number + 2}", 24))
        routes += [_route(name, gateway=f"{net}.1"), _route(name, f"{net}.0/24", "")]
    return Observation(now=0, links=links, addresses=tuple(addresses), routes=tuple(routes))


def _ways(detour: Diversion) -> list[tuple[str, str, int]]:
    return [(route.interface, route.destination, route.metric) for route in detour.routes]


def test_the_best_other_uplink_takes_over_ahead_of_all() -> None:
    detour = route_plan(CONFIG, _seen("a", "b", "c"), State(), "a")
    assert _ways(detour) == [("b", "10.0.0.0/24", 0), ("b", "default", 0)]
    assert [(one.interface, one.address, one.length) for one in detour.addresses] == [
        ("b", "10.0.0.2", 32)
    ]
    assert all(route.ours for route in detour.routes)
    assert all(address.ours for address in detour.addresses)


def test_in_halves_it_leaves_the_place_of_the_default_route_free() -> None:
    detour = route_plan(CONFIG, _seen("a", "b"), State(), "a")
    ways = [("b", "10.0.0.0/24", 0), ("b", "0.0.0.0/1", 0), ("b", "128.0.0.0/1", 0)]
    assert _ways(in_halves(detour)) == ways
    assert in_halves(detour).addresses == detour.addresses
    behind = Diversion(tuple(replace(route, metric=51) for route in detour.routes))
    assert in_halves(behind) == behind  # a VPN's has metric 50, and stays ahead


def test_a_standby_is_bypassed_by_the_best_one() -> None:
    assert _ways(route_plan(CONFIG, _seen("a", "b"), State(), "b"))[-1] == ("a", "default", 0)


def test_the_one_in_use_is_the_way_whatever_its_rank_and_then_nothing_moves() -> None:
    observed = _seen("c", "b", "a")  # the kernel prefers the first of those that are alike
    assert _ways(route_plan(CONFIG, observed, State(), "a"))[-1] == ("c", "default", 0)
    assert not route_plan(CONFIG, observed, State(), "a").moves
    assert not route_plan(CONFIG, observed, State(), "b").moves
    led = route_plan(CONFIG, observed, State(), "c")
    assert (_ways(led)[-1], led.moves) == (("a", "default", 0), True)
    sick = State(uplinks=(UplinkState("c", 4, "down", 0),))
    led = route_plan(CONFIG, observed, sick, "a")
    assert (_ways(led)[-1], led.moves) == (("b", "default", 0), True)


def test_new_traffic_alone_moves_no_neighbours() -> None:
    led = route_plan(CONFIG, _seen("a", "b", far="b"), State(), "a")
    assert led.routes
    assert not led.moves


def test_detours_joined_move_what_one_of_them_does() -> None:
    still, moving = (route_plan(CONFIG, _seen("a", "b"), State(), name) for name in ("b", "a"))
    assert (still.moves, moving.moves) == (False, True)
    assert still.joined(moving).moves
    assert moving.joined(still).moves
    assert not still.joined(still).moves


def test_one_without_carrier_or_known_to_be_sick_is_no_way() -> None:
    assert _ways(route_plan(CONFIG, _seen("a", "b", "c", dead="b"), State(), "a"))[0][0] == "c"
    sick = State(uplinks=(UplinkState("b", 4, "down", 0),))
    assert _ways(route_plan(CONFIG, _seen("a", "b", "c"), sick, "a"))[0][0] == "c"
    assert _ways(route_plan(CONFIG, _seen("a", "b"), sick, "a"))[0][0] == "b"  # better than none


def test_with_no_other_way_there_is_none() -> None:
    assert route_plan(CONFIG, _seen("a"), State(), "a") == Diversion()
    assert route_plan(CONFIG, _seen("a", "b", dead="b"), State(), "a") == Diversion()


def test_an_uplink_without_an_address_is_no_way() -> None:
    # Killed between forgetting its addresses and having networkd add them again, it still has
    # its default route; the kernel refuses another one to a router that is no neighbour.
    observed = _seen("a", "b", "c")
    bare = replace(
        observed, addresses=tuple(one for one in observed.addresses if one.interface != "b")
    )
    assert _ways(route_plan(CONFIG, bare, State(), "a"))[1] == ("c", "default", 0)


def test_two_detours_joined_are_all_that_is_in_one_of_them() -> None:
    one, other = (route_plan(CONFIG, _seen("a", way), State(), "a") for way in ("b", "c"))
    both = one.joined(other)
    assert both.routes == (*one.routes, *other.routes)
    assert both.addresses == (*one.addresses, *other.addresses)
    assert both.announced == (*one.announced, *other.announced)
    assert both.back == one.back == ("10.0.0.2",)
    assert both.joined(one) == both.joined(Diversion()) == Diversion().joined(both) == both


def test_another_subnet_carries_new_traffic_only() -> None:
    detour = route_plan(CONFIG, _seen("a", "b", far="b"), State(), "a")
    assert _ways(detour) == [("b", "default", 0)]
    assert detour.announced == ()


def test_an_address_that_is_shared_already_is_announced_and_stays() -> None:
    observed = _seen("a", "b")
    shared = Address("b", 4, "10.0.0.2", 32, shared=True)
    both = Observation(
        now=0, links=observed.links, addresses=(*observed.addresses, shared), routes=observed.routes
    )
    detour = route_plan(CONFIG, both, State(), "a")
    assert detour.addresses == ()
    assert [one.address for one in detour.announced] == ["10.0.0.2"]


def test_a_detour_is_never_marked_dead() -> None:
    observed = _seen("a", "b")
    marked = tuple(replace(route, linkdown=True) for route in observed.routes)
    detour = route_plan(CONFIG, replace(observed, routes=marked), State(), "a")
    assert [route.linkdown for route in detour.routes] == [False, False]


def test_ipv6_is_led_too_at_the_lowest_metric_that_it_has() -> None:
    links = (_link("a"), _link("b"))
    addresses = (Address("a", 6, "fd00::2", 64), Address("b", 6, "fd00::3", 64))
    routes = tuple(
        Route(name, 6, destination, 100, gateway, protocol=NETWORKD)
        for name in ("a", "b")
        for destination, gateway in (("default", "fe80::1"), ("fd00::/64", ""))
    )
    detour = route_plan(CONFIG, Observation(0, links, addresses, routes), State(), "a")
    assert _ways(detour) == [("b", "fd00::/64", 1), ("b", "default", 1)]
    assert [(one.address, one.length) for one in detour.addresses] == [("fd00::2", 128)]


def test_what_a_killed_detour_left_goes_with_the_next_and_a_lost_uplinks_address_stays() -> None:
    observed = _seen("a", "b")
    left = Address("b", 4, "10.0.0.2", 32, ours=True)
    observed = replace(observed, addresses=(*observed.addresses, left))
    for condition, added in (
        ("up", (left,)),
        ("absent", (left,)),
        ("down", ()),
        ("recovering", ()),
    ):
        state = State(uplinks=(UplinkState("a", 4, condition, 0),))
        found = route_plan(CONFIG, observed, state, "a")
        assert found.addresses == added
        assert found.back == tuple(one.address for one in added), "a lost one is not back yet"
    assert route_plan(CONFIG, observed, State(), "a").addresses == (left,)


def test_it_stays_behind_what_somebody_else_put_ahead_of_the_uplinks() -> None:
    observed = _seen("a", "b")
    ranked = tuple(replace(route, metric=100) for route in observed.routes)
    for metric, wanted in ((0, 1), (50, 51), (99, 100), (100, 0), (900, 0)):
        vpn = replace(_route("#9", gateway=""), metric=metric)
        detour = route_plan(CONFIG, replace(observed, routes=(*ranked, vpn)), State(), "a")
        assert _ways(detour) == [("b", "10.0.0.0/24", 0), ("b", "default", wanted)], metric
        taken = (Taken(4, "10.0.0.0/24", metric),)
        detour = route_plan(CONFIG, replace(observed, routes=ranked, taken=taken), State(), "a")
        assert _ways(detour) == [("b", "10.0.0.0/24", wanted), ("b", "default", 0)], metric


def test_a_hooks_route_in_the_same_place_stays_and_what_a_killed_detour_left_goes() -> None:
    observed = _seen("a", "b")
    ranked = tuple(replace(route, metric=100) for route in observed.routes)
    uplinks = (UplinkState("a", 4, "down", 0), UplinkState("b", 4, "up", 0))
    lost = State(uplinks=uplinks, active=(Active(4, "b", 0),))
    for metric in (0, 50):
        vpn = replace(_route("#9", gateway=""), metric=metric)
        seen = replace(observed, routes=(*ranked, vpn))
        detour = route_plan(CONFIG, seen, State(), "a")
        again = replace(seen, routes=(*seen.routes, *detour.routes[1:]))
        ahead = route_plan(CONFIG, again, lost, "a").routes
        assert [one.destination for one in ahead] == ["10.0.0.0/24"], "it is there already"
        left = replace(seen, routes=(*seen.routes, *detour.routes))
        for state in (State(), State(uplinks=(replace(uplinks[0], state="up"), uplinks[1]))):
            assert route_plan(CONFIG, left, state, "a").routes == detour.routes


def test_an_uplink_that_was_lost_and_is_active_all_the_same_says_that_it_is_back() -> None:
    uplinks = (UplinkState("a", 4, "recovering", 0), UplinkState("b", 4, "down", 0))
    for active, back in (("a", True), ("b", False)):
        state = State(uplinks=uplinks, active=(Active(4, active, 0),))
        detour = route_plan(CONFIG, _seen("a", "b"), state, "a")
        assert detour.announced
        assert bool(detour.back) is back


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EEXIST])
def test_a_way_around_that_the_kernel_refuses_just_now_ends_nothing(
    mocker: MockerFixture, number: int
) -> None:
    netlink = mocker.Mock()
    netlink.change.side_effect = rt.NetlinkError(number, "no")
    diversion._change(netlink, rt.NEWROUTE, rt.F_CREATE, b"")
    netlink.change.assert_called_once()


def test_another_refusal_of_a_way_around_is_told(mocker: MockerFixture) -> None:
    netlink = mocker.Mock()
    netlink.change.side_effect = rt.NetlinkError(errno.EPERM, "no")
    with pytest.raises(OSError, match="no"):
        diversion._change(netlink, rt.NEWROUTE, rt.F_CREATE, b"")
