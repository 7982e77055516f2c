"""A line's quality at its edges: which limit is told, what counts, what is forgotten."""

from __future__ import annotations

import pytest

from netfail_hooks.policy.quality import Line
from netfail_hooks.values import replace
from tests.unit.policy.test_quality import LATE, LOSSY, Lines


@pytest.mark.parametrize(
    ("line", "loss"), [(Line(0, 0, 0), 0), (Line(10, 7, 0), 30), (Line(9, 0, 0), 100)]
)
def test_loss_is_told_of_a_hundred(line: Line, loss: float) -> None:
    assert line.loss == loss


def test_the_limit_that_keeps_it_poor_is_told() -> None:
    world = Lines(window=50)
    world.lines["eth0"] = LATE
    world.rounds(5)
    world.lines["eth0"] = (10, 200)
    world.rounds(3)
    world.lines["eth0"] = (9, 200)  # 4 % of 50 are lost: less than half of what may be
    world.rounds(2)
    assert world.reason("eth0") == "poor: answers take 200 ms (at most 300, back at 150)"


@pytest.mark.parametrize(("latency", "poor"), [(300, False), (301, True)])
def test_latency_is_that_of_answers_alone(latency: int, *, poor: bool) -> None:
    world = Lines(loss=0)
    world.lines["eth0"] = (6, latency)
    world.rounds(2)
    assert bool(world.reason("eth0")) is poor


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing"])
def test_of_an_uplink_that_cannot_be_asked_nothing_is_kept(state: str) -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds()
    world.event("eth0", state)
    world.rounds()
    assert world.state.quality("eth0", 4) is None


def test_one_whose_gateway_cannot_be_asked_has_no_quality() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds()
    world.config = replace(
        world.config, uplinks=tuple(replace(u, gateway=False) for u in world.config.uplinks)
    )
    world.rounds()
    assert world.state.qualities == ()


@pytest.mark.parametrize(("index", "kept"), [(0, True), (1, False)])
def test_a_link_of_another_number_is_another_one(index: int, *, kept: bool) -> None:
    """0 is of a state that did not know it yet."""
    world = Lines()
    world.lines["eth0"] = (9, 20)
    world.rounds(2)
    uplinks = tuple(
        replace(one, index=index) if one.interface == "eth0" else one for one in world.state.uplinks
    )
    world.state = replace(world.state, uplinks=uplinks)
    world.rounds()
    quality = world.state.quality("eth0", 4)
    assert quality
    assert quality.rounds.count(",") == (1 if kept else 0)
