"""Where a route of ours goes: ahead of the uplinks, behind other people's, in nobody's place."""

from __future__ import annotations

import pytest

from netfail_hooks.policy import places as room
from netfail_hooks.policy.facts import PROTOCOL, Observation, Route, Taken
from netfail_hooks.policy.places import place
from netfail_hooks.values import replace
from tests.support.world import config_of

CONFIG = config_of("eth0", "wlan0")
OURS = Route("wlan0", 4, "default", 0, "192.168.1.1", protocol=PROTOCOL)
VPN = Route("#9", 4, "default", 50, protocol=3)


def _metric(
    *routes: Route, taken: tuple[Taken, ...] = (), beaten: int = 100, ours: Route = OURS
) -> int | None:
    observed = Observation(0, routes=routes, tables=routes, taken=taken)
    placed = place(CONFIG, observed, ours, beaten)
    if placed is None:
        return None
    assert replace(placed, metric=ours.metric) == ours
    return placed.metric


@pytest.mark.parametrize(
    ("theirs", "beaten", "metric"),
    [
        ([], 100, 50),
        ([50], 100, 51),
        ([50, 51], 100, 52),
        ([49], 100, 50),
        ([70], 100, 71),
        ([98], 100, 99),
        ([99], 100, None),
        ([100], 100, 50),  # with the uplink's metric or a greater one: not ahead of it
        ([], 51, 50),
        ([50], 51, None),
        ([10], 50, 49),
        ([], 20, 19),
        ([7, 18], 20, 19),
        ([19], 20, None),
        ([], 1, 0),
    ],
)
def test_ours_is_ahead_of_the_uplinks_and_behind_what_is_not_ours(
    theirs: list[int], beaten: int, metric: int | None
) -> None:
    if beaten == 1:
        metric = None  # only 0 is less, and that is an IPv4 route's without a metric
    routes = [replace(VPN, metric=one) for one in theirs]
    assert _metric(*routes, beaten=beaten) == metric
    places = tuple(Taken(4, "default", one) for one in theirs)
    assert _metric(taken=places, beaten=beaten) == metric


def test_other_destinations_families_and_tables_are_other_places() -> None:
    taken = (Taken(6, "default", 50), Taken(4, "10.0.0.0/8", 50), Taken(4, "default", 50, 100))
    assert _metric(taken=taken) == 50
    assert _metric(taken=taken, ours=replace(OURS, table=100)) == 51


def test_what_is_right_stays_and_what_is_not_gets_a_neighbour() -> None:
    there = replace(OURS, metric=50)
    assert _metric(there) == 50
    for other in (
        {"gateway": "192.168.1.2"},
        {"source": "192.168.1.9"},
        {"mtu": 1400},
        {"onlink": True},
        {"interface": "usb0"},
    ):
        assert _metric(replace(there, **other)) == 51, other
        assert _metric(replace(there, **other), replace(OURS, metric=51)) == 51
    assert _metric(replace(OURS, metric=3)) == 3
    assert _metric(replace(OURS, metric=100)) == 50, "not ahead of the uplinks"
    assert _metric(VPN, replace(OURS, metric=30)) == 51, "ahead of somebody else's"


def test_an_uplinks_own_route_is_led_around_whatever_its_metric() -> None:
    by_hand = Route("eth0", 4, "default", 20, "192.168.1.1", protocol=3)
    assert _metric(by_hand) == 19
    assert _metric(replace(by_hand, interface="wlan0", metric=30)) == 50, "the carrier's own"


def test_an_ipv4_route_without_a_metric_is_led_around_in_its_place_alone() -> None:
    by_hand = Route("eth0", 4, "default", 0, "192.168.1.1", protocol=3)
    assert _metric(by_hand) == 0
    assert _metric(by_hand, OURS) == 0
    assert _metric(by_hand, replace(VPN, metric=0)) is None
    six = replace(OURS, family=6)
    assert _metric(replace(by_hand, family=6, metric=1), ours=six) is None


def test_a_crowded_table_is_told() -> None:
    uplink = Route("eth0", 4, "default", 0, "192.168.1.1", protocol=3)
    for metrics, full in (((99,), True), ((98,), False), ((40, 99), True), ((100,), False)):
        others = [replace(VPN, metric=metric) for metric in metrics]
        found = room.crowded(CONFIG, Observation(0, routes=(uplink, *others)))
        assert bool(found) is full, metrics
    assert found == ()
    (told,) = room.crowded(CONFIG, Observation(0, routes=(replace(VPN, metric=99),)))
    assert told == (
        "IPv4 default routes of others have metric 99, the first uplink 100: "
        "no metric is left between them"
    )
