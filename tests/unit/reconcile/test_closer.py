"""What makes a run look closer where there is much that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.kernel import foreign
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.policy import next_state
from netfail_hooks.policy.facts import Link, Observation, Route
from netfail_hooks.policy.state import State, UplinkState, parse, render
from netfail_hooks.reconcile.closer import judged, may_be_left, remembered
from netfail_hooks.values import replace

if TYPE_CHECKING:
    from netfail_hooks.reconcile.closer import Thought

_BEFORE = State(
    uplinks=(
        UplinkState("eth0", 4, "up", 0, index=2),
        UplinkState("wlan0", 4, "up", 0, index=3),
        UplinkState("usb0", 4, "absent", 0),  # in a drawer
    )
)
_NAMES = ("eth0", "wlan0", "usb0")


@pytest.mark.parametrize(
    ("links", "left"),
    [
        ({"eth0": 2, "wlan0": 3}, False),
        ({"wlan0": 3}, True),  # eth0 may have another name
        ({"eth0": 9, "wlan0": 3}, True),  # another device has its name
        ({"eth0": 3, "wlan0": 2}, True),
        ({"eth0": 2, "wlan0": 3, "usb0": 4}, False),  # it had nothing while it was away
    ],
)
def test_who_was_an_uplink_by_name_or_number_may_have_what_is_ours(
    links: dict[str, int], *, left: bool
) -> None:
    observed = _seen(**links)
    assert may_be_left(_BEFORE, observed, always=False) == left
    assert may_be_left(_BEFORE, observed, always=True)


@pytest.mark.parametrize("index", [2, 9])
def test_another_number_is_a_reason_to_look_where_nothing_else_is_to_be_done(
    monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    looked = []

    def completed(_: object, __: object, look: Observation, *___: object, **how: bool) -> object:
        looked.append(how["left"])
        return look

    monkeypatch.setattr(foreign, "completed", completed)
    observed = _seen(eth0=index, wlan0=3)

    def judge(whole: Observation) -> Thought:
        return whole, _BEFORE, ()

    with Netlink() as netlink:
        first = (observed, judge(observed))
        judged(Config(default_metrics(_NAMES)), netlink, first, _BEFORE, judge)
    assert looked == ([] if index == 2 else [True])


_STRAY = Route("#2", 4, "198.51.100.0/24", 5, "192.0.2.1")


@pytest.mark.parametrize(
    ("routes", "unseen", "left", "looks"),
    [
        ((), (), True, False),
        ((_STRAY,), (), True, True),  # it may not have gone
        ((_STRAY,), (), False, True),
        ((replace(_STRAY, protocol=4),), (), True, False),
        ((replace(_STRAY, interface="eth0"),), (), True, False),
        ((), (4,), True, True),
        ((), (6,), True, True),
        ((), (6,), False, False),  # nobody meant to look
    ],
)
def test_the_next_run_looks_as_well_until_one_has_seen_all_and_found_nothing(
    routes: tuple[Route, ...], unseen: tuple[int, ...], *, left: bool, looks: bool
) -> None:
    observed = replace(_seen(eth0=9, wlan0=3), routes=routes, unseen=unseen)
    config = Config(default_metrics(_NAMES))
    after = next_state(config, observed, _BEFORE)
    known = parse(render(remembered(after, observed, left=left)))
    assert known.has_former(_NAMES) == looks
    again = next_state(config, replace(observed, routes=(), unseen=()), known)
    assert not remembered(again, replace(observed, routes=(), unseen=()), left=looks).has_former(
        _NAMES
    )


@pytest.mark.parametrize("unseen", [(4,), (6,), (4, 6)])
def test_of_a_family_that_is_not_told_of_no_former_uplink_is_judged(
    unseen: tuple[int, ...],
) -> None:
    """A hook looks up each uplink that was judged in its config."""
    config = Config(default_metrics(("wlan0", "usb0")))
    after = next_state(config, replace(_seen(wlan0=3), unseen=unseen), _BEFORE)
    assert {one.interface for one in after.uplinks} == {"wlan0", "usb0"}


def _seen(**links: int) -> Observation:
    found = tuple(
        Link(name, index, up=True, carrier=True, down_count=0, mac="")
        for name, index in links.items()
    )
    return Observation(now=0, links=found)
