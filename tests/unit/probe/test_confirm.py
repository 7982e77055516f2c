"""The brief question before an uplink is given up: who is asked, and who is waited for."""

from __future__ import annotations

import pytest

from netfail_hooks import probe
from netfail_hooks.config import Target
from netfail_hooks.policy import next_state
from netfail_hooks.policy.facts import Neighbour
from netfail_hooks.policy.state import LATELY
from netfail_hooks.probe import confirm as confirming
from netfail_hooks.probe.confirm import confirm
from netfail_hooks.values import replace
from tests.support.world import World, config_of
from tests.unit.probe.test_probe import Lan

GATEWAY = "192.168.1.1"
LATE, NEVER = {"answer": 0.2}, {"answer": 1e9}


@pytest.fixture
def lan(monkeypatch: pytest.MonkeyPatch) -> Lan:
    found = Lan()
    monkeypatch.setattr(probe, "time", found)
    monkeypatch.setattr(probe, "select", found)
    monkeypatch.setattr(probe, "gateway_wire", found.gateway)
    return found


def _world(**config: object) -> World:
    world = World(replace(config_of("eth0", "wlan0"), **config), families=(4,))
    world.reconcile()
    world.now += 60_000
    return world


def _asked(world: World) -> list[tuple[str, bool]]:
    results, late = confirm(world.config, world.look(), world.state, 0)
    assert not late
    return [(result.interface, result.healthy) for result in results]


def test_one_that_answers_is_well_and_nobody_waits_for_more(lan: Lan) -> None:
    world = _world()
    lan.manners = {f"wlan0 {GATEWAY}": LATE}
    began = lan.now
    assert _asked(world) == [("eth0", True)]
    assert lan.now - began < 0.002


def test_a_dead_one_is_told_within_a_tenth_of_a_second_and_who_answered_meanwhile(lan: Lan) -> None:
    world = _world()
    lan.manners = {f"eth0 {GATEWAY}": NEVER}
    began = lan.now
    assert _asked(world) == [("eth0", False), ("wlan0", True)]
    assert 0.08 <= lan.now - began < 0.1
    assert [len(wire.asked) for wire in lan.wires] == [4, 1]
    assert all(wire.closed for wire in lan.wires)


def test_the_kernel_is_asked_of_a_router_by_the_family_of_its_address(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of IPv4 may be one of IPv6 (RFC 5549)."""
    known: list[Neighbour] = []

    def answered(_: object, neighbour: Neighbour, *__: object) -> bool:
        known.append(neighbour)
        return False

    monkeypatch.setattr(confirming, "answered", answered)
    world = _world()
    look = world.look()
    routes = tuple(replace(one, gateway=one.gateway and "fe80::1") for one in look.routes)
    lan.manners = {"eth0 fe80::1": NEVER}
    confirm(world.config, replace(look, routes=routes), world.state, 0)
    assert known == [Neighbour("eth0", 6, "fe80::1")]


def test_an_answer_that_comes_late_to_the_kernel_keeps_the_uplink_as_it_was(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[tuple[Neighbour, int, float]] = []

    def answered(_: object, neighbour: Neighbour, index: int, since: float) -> bool:
        known.append((neighbour, index, since))
        return True

    monkeypatch.setattr(confirming, "answered", answered)
    world = _world()
    lan.manners = {f"eth0 {GATEWAY}": NEVER}
    look = world.look()
    brief, late = confirm(world.config, look, world.state, 7.25)
    assert [(one.interface, one.healthy) for one in brief] == [("wlan0", True)]
    assert [one.interface for one in late] == ["eth0"]
    link = look.link("eth0")
    assert link
    assert known == [(Neighbour("eth0", 4, GATEWAY), link.index, 7.25)]
    before = world.state.uplink_state("eth0", 4)
    after = next_state(world.config, replace(look, probes=brief), world.state)
    now = after.uplink_state("eth0", 4)
    assert before
    assert now
    assert (now.state, now.passes, now.fails, now.probed) == (
        before.state,
        before.passes,
        before.fails,
        before.probed,
    )


def test_that_a_standby_takes_longer_says_nothing(lan: Lan) -> None:
    world = _world()
    lan.manners = {f"eth0 {GATEWAY}": NEVER, f"wlan0 {GATEWAY}": LATE}
    assert _asked(world) == [("eth0", False)]


def test_fast_waits_half_as_long(lan: Lan) -> None:
    world = _world(watch="fast")
    lan.manners = {f"eth0 {GATEWAY}": NEVER}
    began = lan.now
    assert _asked(world) == [("eth0", False), ("wlan0", True)]
    assert 0.04 <= lan.now - began < 0.05


@pytest.mark.parametrize(
    ("ago", "patience"), [(0, 0.99), (LATELY - 1, 0.99), (LATELY, 0.045), (None, 0.045)]
)
def test_whoever_is_known_to_be_late_is_waited_for(
    lan: Lan, ago: int | None, patience: float
) -> None:
    world = _world(watch="fast")
    world.now += LATELY
    late = 0 if ago is None else world.now - ago
    uplinks = tuple(replace(one, late=late) for one in world.state.uplinks)
    world.state = replace(world.state, uplinks=uplinks)
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.4}}
    assert (("eth0", True) in _asked(world)) is (patience > 0.4)
    lan.manners, lan.coming, lan.waits = {f"eth0 {GATEWAY}": NEVER}, [], []
    began = lan.now
    assert ("eth0", False) in _asked(world)
    assert patience - 0.01 < lan.now - began < patience + 0.01


@pytest.mark.parametrize(("passed", "asked"), [(5_000, False), (5_001, True)])
def test_a_standby_is_asked_if_its_last_answer_is_old(
    lan: Lan, passed: int, *, asked: bool
) -> None:
    world = _world()
    world.now += passed - 60_000
    lan.manners = {f"eth0 {GATEWAY}": NEVER}
    assert (("wlan0", True) in _asked(world)) is asked


def test_targets_are_left_to_a_round_with_more_patience(lan: Lan) -> None:
    world = _world()
    uplinks = tuple(
        replace(one, targets=(Target(4, "1.1.1.1"),), policy="all", failures=9)
        for one in world.config.uplinks
    )
    world.config = replace(world.config, uplinks=uplinks)
    assert _asked(world) == [("eth0", True)]
    assert {wire.name for wire in lan.wires} == {GATEWAY}


def test_without_a_carrier_there_is_nobody_to_wait_for(lan: Lan) -> None:
    world = _world()
    world.event("eth0", "no-carrier")
    began = lan.now
    assert _asked(world) == []
    assert lan.now == began
