"""Which addresses are remembered, until when, and which uplink answers for each."""

from __future__ import annotations

import pytest

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.policy.choose import next_state
from netfail_hooks.policy.facts import Address, Link, Observation, Route
from netfail_hooks.policy.state import Active, AddressOwner, KnownAddress, State, UplinkState
from netfail_hooks.values import replace

CONFIG = Config(uplinks=default_metrics(("eth0", "wlan0")))
NOW = 1_000_000
_PREFIX = {4: "10.0.0.0/24", 6: "fd00::/64"}
_GATEWAY = {4: "10.0.0.1", 6: "fd00::1"}


def _seen(*addresses: Address, carrier: str = "eth0 wlan0", now: int = NOW) -> Observation:
    links = (
        Link(name, 2 + at, True, name in carrier, 0, "02::")  # noqa: FBT003
        for at, name in enumerate(("eth0", "wlan0"))
    )
    routes = [
        route
        for one in addresses
        for route in (
            Route(one.interface, one.family, _PREFIX[one.family], 100, protocol=2),
            Route(one.interface, one.family, "default", 100, _GATEWAY[one.family], protocol=4),
        )
    ]
    return Observation(now, tuple(links), addresses, tuple(routes))


def _kept(observed: Observation, *old: KnownAddress) -> list[tuple[str, str, int]]:
    after = next_state(CONFIG, observed, State(known_addresses=old))
    return [(one.interface, one.address, one.expires) for one in after.known_addresses]


ETH0 = Address("eth0", 4, "10.0.0.2", 24)
WLAN0 = Address("wlan0", 4, "10.0.0.3", 24)


@pytest.mark.parametrize(
    ("valid", "expires"),
    [(2**32 - 1, 0), (2**32 - 2, NOW + (2**32 - 2) * 1000), (60, NOW + 60_000), (1, NOW + 1000)],
)
def test_an_address_is_remembered_with_its_end(valid: int, expires: int) -> None:
    assert _kept(_seen(replace(ETH0, valid=valid))) == [("eth0", "10.0.0.2", expires)]


@pytest.mark.parametrize(
    ("old", "kept"), [(61_999, 61_999), (58_001, 58_001), (62_000, 60_000), (58_000, 60_000)]
)
def test_an_end_that_is_the_same_but_for_rounding_stays(old: int, kept: int) -> None:
    before = KnownAddress("eth0", 4, "10.0.0.2", 24, NOW + old)
    assert _kept(_seen(replace(ETH0, valid=60)), before) == [("eth0", "10.0.0.2", NOW + kept)]


def test_the_end_of_another_address_is_nobodys_business() -> None:
    before = KnownAddress("eth0", 4, "10.0.0.9", 24, NOW + 61_000)
    assert _kept(_seen(replace(ETH0, valid=60)), before) == [("eth0", "10.0.0.2", NOW + 60_000)]


def test_forever_becomes_a_lease_and_a_lease_forever() -> None:
    lease, forever = (KnownAddress("eth0", 4, "10.0.0.2", 24, end) for end in (NOW + 60_000, 0))
    assert _kept(_seen(ETH0), lease)[0][2] == 0
    assert _kept(_seen(replace(ETH0, valid=60)), forever)[0][2] == NOW + 60_000


@pytest.mark.parametrize(
    ("expires", "there"), [(0, True), (NOW + 1, True), (NOW, False), (NOW - 1, False)]
)
def test_what_a_lost_uplink_had_is_remembered_while_it_is_valid(
    expires: int, *, there: bool
) -> None:
    gone = KnownAddress("eth0", 4, "10.0.0.2", 24, expires)
    assert (("eth0", "10.0.0.2", expires) in _kept(_seen(WLAN0), gone)) is there


def _answers(
    observed: Observation,
    verdicts: dict[str, str],
    *kept: KnownAddress,
    before: tuple[AddressOwner, ...] = (),
) -> dict[str, str]:
    """Return who answers, where uplinks stood so and stand so still."""
    families = {one.family for one in kept}
    uplink_states = tuple(
        UplinkState(name, family, condition, 0, ready=2 * NOW, hold=10)
        for family in families
        for name, condition in verdicts.items()
    )
    active = tuple(Active(family, "", 0) for family in (4, 6))
    state = State(uplink_states, kept, before, active)
    return {one.address: one.interface for one in next_state(CONFIG, observed, state).owners}


KEPT = (KnownAddress("eth0", 4, "10.0.0.2", 24), KnownAddress("wlan0", 4, "10.0.0.3", 24))
KEPT6 = (KnownAddress("eth0", 6, "fd00::2", 64), KnownAddress("wlan0", 6, "fd00::3", 64))
SIX = (Address("eth0", 6, "fd00::2", 64), Address("wlan0", 6, "fd00::3", 64))
UP = {"eth0": "up", "wlan0": "up"}


def test_on_one_lan_the_carrier_answers_for_all_of_ipv4() -> None:
    assert _answers(_seen(ETH0, WLAN0), UP, *KEPT) == {"10.0.0.2": "eth0", "10.0.0.3": "eth0"}


def test_of_ipv6_each_uplink_that_is_well_answers_for_its_own() -> None:
    assert _answers(_seen(*SIX), UP, *KEPT6) == {"fd00::2": "eth0", "fd00::3": "wlan0"}
    held = {"eth0": "up", "wlan0": "recovering"}
    assert _answers(_seen(*SIX), held, *KEPT6) == {"fd00::2": "eth0", "fd00::3": "eth0"}


def test_a_lost_uplinks_addresses_are_the_survivors() -> None:
    observed = _seen(WLAN0, carrier="wlan0")
    answers = _answers(observed, {"eth0": "down", "wlan0": "up"}, *KEPT)
    assert answers == {"10.0.0.2": "wlan0", "10.0.0.3": "wlan0"}


@pytest.mark.parametrize(
    ("condition", "who"), [("up", "wlan0"), ("recovering", "wlan0"), ("down", ""), ("absent", "")]
)
def test_elsewhere_an_uplink_answers_for_its_own_or_nobody_does(condition: str, who: str) -> None:
    away = Address("wlan0", 4, "10.9.9.3", 24)
    observed = _seen(ETH0, away)
    routes = [
        replace(r, destination="10.9.9.0/24") if r.interface == "wlan0" and not r.gateway else r
        for r in observed.routes
    ]
    if condition in ("down", "absent"):
        observed = replace(
            observed, links=(observed.links[0], replace(observed.links[1], carrier=False))
        )
    kept = (KEPT[0], KnownAddress("wlan0", 4, "10.9.9.3", 24))
    answers = _answers(
        replace(observed, routes=tuple(routes)), {"eth0": "up", "wlan0": condition}, *kept
    )
    assert answers == {"10.0.0.2": "eth0", "10.9.9.3": who}


def test_with_no_way_at_all_everything_stays_as_it_was() -> None:
    before = (AddressOwner(4, "10.0.0.2", "wlan0"), AddressOwner(4, "10.0.0.3", "eth0"))
    observed = replace(_seen(carrier=""), links=())
    answers = _answers(observed, {"eth0": "down", "wlan0": "down"}, *KEPT, before=before)
    assert answers == {"10.0.0.2": "wlan0", "10.0.0.3": "eth0"}
    assert set(_answers(observed, {"eth0": "down", "wlan0": "down"}, *KEPT).values()) == {""}


def test_of_two_uplinks_with_one_address_the_carrier_answers() -> None:
    twins = (KnownAddress("eth0", 4, "10.0.0.2", 24), KnownAddress("wlan0", 4, "10.0.0.2", 24))
    twin = replace(WLAN0, address="10.0.0.2")
    assert _answers(_seen(ETH0, twin), UP, *twins) == {"10.0.0.2": "eth0"}
    only = _seen(twin, carrier="wlan0")
    assert _answers(only, {"eth0": "down", "wlan0": "up"}, *twins) == {"10.0.0.2": "wlan0"}
    away = replace(only, routes=only.routes[1:])  # wlan0 on no LAN that we know
    assert _answers(away, {"eth0": "down", "wlan0": "up"}, *twins) == {"10.0.0.2": "wlan0"}


def test_an_uplink_never_looked_at_answers_for_nothing() -> None:
    config = replace(CONFIG, uplinks=CONFIG.uplinks[:1])
    stray = KnownAddress("usb0", 4, "10.7.7.7", 24)
    after = next_state(config, _seen(ETH0), State(known_addresses=(*KEPT, stray)))
    assert {one.interface for one in after.owners} == {"eth0"}
