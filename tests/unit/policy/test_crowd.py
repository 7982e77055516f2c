"""What a LAN can cause is bounded, and what is judged costs no more than in proportion."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks import policy, recorder
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy import crowd, decide, next_state
from netfail_hooks.policy.changes import family_of
from netfail_hooks.policy.facts import MAIN, PROTOCOL, Address, Link, Observation, Route
from netfail_hooks.policy.state import FOLLOWING, State, parse, render
from netfail_hooks.recorder import Run
from netfail_hooks.replay import decisions
from netfail_hooks.values import replace
from tests.support import crowds

_MOST_ADDRESSES = crowd.LEARNT + crowd.CONFIGURED
_MOST_ROUTES = crowd.LEARNT + FOLLOWING + crowd.ROUTERS + crowd.CONFIGURED


def _operations(work: Callable[[], object]) -> int:
    """Return how many byte codes it takes: the same on any machine, however busy."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def _life(much: dict[int, int], *, apart: bool, cut: bool) -> Callable[[], None]:
    """Return work: an uplink is lost, and another, and both come back."""
    looks = [
        crowds.machine(random.Random(7), much, lost, apart=apart)  # noqa: S311 - a draw
        for lost in ((), ("eth0",), ("eth0", "wlan0"), ())
    ]

    def work() -> None:
        config, state = crowds.config(), State()
        for look in looks:
            observed = policy.bounded(look, state) if cut else replace(look)
            after = next_state(config, observed, state)
            decide(config, observed, state, after)
            state = after

    return work


@pytest.mark.parametrize("apart", [False, True], ids=["one LAN", "apart"])
@pytest.mark.parametrize("families", [(4,), (6,), (4, 6)])
def test_four_times_as_much_costs_no_more_than_in_proportion(
    families: tuple[int, ...], *, apart: bool
) -> None:
    few, many = (
        _operations(_life({f: n if f in families else 0 for f in FAMILIES}, apart=apart, cut=False))
        for n in (40, 160)
    )
    assert many < 6 * few, (few, many)


@pytest.mark.parametrize("families", [(4,), (6,), (4, 6)])
def test_what_is_judged_is_bounded_whatever_there_is(families: tuple[int, ...]) -> None:
    def judged(much: int) -> int:
        look = crowds.machine(
            random.Random(7),  # noqa: S311 - a draw
            {f: much if f in families else 0 for f in FAMILIES},
        )
        observed = replace(policy.bounded(look, State()), rules=(), taken=())
        state = next_state(crowds.config(), observed, State())
        return _operations(lambda: decide(crowds.config(), observed, State(), state))

    assert judged(2000) < 1.2 * judged(200)


_much = st.fixed_dictionaries({4: st.integers(0, 70), 6: st.integers(0, 70)})


@settings(max_examples=15, deadline=None)
@given(_much, st.integers(0, 2**32), st.booleans())
def test_a_part_is_looked_at_the_same_in_every_run_and_it_is_told(
    much: dict[int, int],
    seed: int,
    apart: bool,  # noqa: FBT001 - drawn
) -> None:
    look = crowds.machine(random.Random(seed), much, apart=apart)  # noqa: S311 - a draw
    ours = Address("wlan0", 6, "fd00::50", 128, ours=True)
    our_route = Route("wlan0", 6, "default", 5, "fe80::1", protocol=PROTOCOL)
    look = replace(look, addresses=(*look.addresses, ours), routes=(*look.routes, our_route))
    state, config = State(), crowds.config()
    observed = policy.bounded(look, state)
    for name in crowds.NAMES:
        for family in FAMILIES:
            _is_bounded(observed, name, family)
            told = any((c.interface, c.family) == (name, family) for c in observed.crowds)
            # The usual IPv6 address is one that was learnt, too.
            assert told == (much[family] + (family == 6) > crowd.LEARNT)
    assert ours in observed.addresses
    assert our_route in observed.routes
    usual = {(name, family) for name in crowds.NAMES for family in FAMILIES}
    assert {(r.interface, r.family) for f in FAMILIES for r in observed.defaults(f)} == usual
    after = next_state(config, observed, state)
    assert parse(render(after)) == after
    # In another order, with more of them: what is known stays, and nobody new pushes it out.
    newcomers = crowds.machine(random.Random(seed + 1), much, apart=apart)  # noqa: S311 - a draw
    mixed = list(dict.fromkeys([*look.addresses, *newcomers.addresses]))
    random.Random(seed).shuffle(mixed)  # noqa: S311 - a draw
    again = policy.bounded(replace(look, addresses=tuple(mixed)), after)
    known = {(k.interface, k.address) for k in after.known_addresses}
    kept = {(a.interface, a.address) for a in again.addresses}
    assert known <= kept | {("wlan0", "fd00::50")}
    twice = policy.bounded(look, after)
    assert twice.addresses == observed.addresses


def _is_bounded(observed: Observation, name: str, family: int) -> None:
    assert len(observed.all_addresses(name, family)) <= _MOST_ADDRESSES
    routes = [r for r in (*observed.routes, *observed.tables) if not r.ours]
    mine = [r for r in routes if (r.interface, r.family) == (name, family)]
    assert len(mine) <= 2 * _MOST_ROUTES


def test_the_usual_is_looked_at_whole() -> None:
    look = crowds.machine(random.Random(1), {4: 4, 6: 4})  # noqa: S311 - a draw
    assert policy.bounded(look, State()).crowds == ()
    assert crowd.bounded(look, State()) == look
    assert min(crowd.LEARNT, FOLLOWING, crowd.ROUTERS, crowd.CONFIGURED) >= policy._FEW


def test_what_its_owner_set_comes_before_what_the_lan_says() -> None:
    look = crowds.machine(random.Random(1), {4: 0, 6: 300})  # noqa: S311 - a draw
    own = tuple(Address("eth0", 6, f"fd00::{n:x}", 64, metric=100) for n in range(200))
    routers = tuple(
        Route("eth0", 6, "default", 100, f"fe80::{n:x}", protocol=9) for n in range(16, 200)
    )
    mine = Route("eth0", 6, "default", 100, "fd00::1", protocol=4)
    look = replace(look, addresses=(*look.addresses, *own), routes=(*routers, *look.routes, mine))
    observed = policy.bounded(look, State())
    assert set(own) <= set(observed.addresses)
    routes = observed.default_routes("eth0", 6)
    assert len(routes) == crowd.ROUTERS
    assert mine in routes


_LINK = Link("eth0", 2, up=True, carrier=True, down_count=0, mac="02:00:00:00:00:01")
_BOOT, _BIRD, _DHCP = 3, 12, 16  # linux/rtnetlink.h


def _routed(count: int, protocol: int, table: int = MAIN) -> tuple[Route, ...]:
    return tuple(
        Route("eth0", 4, f"10.{n >> 8}.{n & 255}.0/24", 100, "192.0.2.1", "", protocol, table=table)
        for n in range(count)
    )


@given(
    st.sampled_from([_BOOT, _DHCP]),
    st.integers(60, 300),
    st.integers(0, 300),
    st.sampled_from(["", "192.0.2.1"]),
)
def test_a_tables_default_route_is_looked_at_and_follows_whatever_else_is_there(
    protocol: int, count: int, at: int, gateway: str
) -> None:
    default = Route("eth0", 4, "default", 100, gateway, protocol=protocol, table=100)
    tables = list(_routed(count, protocol, 100))
    tables.insert(at, default)
    look = Observation(1, links=(_LINK,), tables=tuple(tables), ruled=1)
    config = Config(uplinks=default_metrics(("eth0", "wlan0")))
    state = State()
    for _ in range(2):
        observed = policy.bounded(look, state)
        assert default in observed.tables
        state = next_state(config, observed, state)
        assert len(state.ways) <= FOLLOWING
        assert [way.table for way in state.ways if way.destination == "default"] == [100]


@pytest.mark.parametrize(
    ("protocol", "learnt", "says"),
    [
        (_DHCP, True, "UseRoutes=no"),
        (_BIRD, False, "a routing daemon"),
        (_BOOT, False, "its owner"),
    ],
)
def test_what_is_too_much_is_told_by_who_said_it(protocol: int, says: str, *, learnt: bool) -> None:
    look = Observation(1, links=(_LINK,), routes=_routed(400, protocol))
    (found,) = policy.bounded(look, State()).crowds
    assert (found.interface, found.routes, found.learnt) == ("eth0", 400, learnt)
    assert says in crowd.advice(found)
    assert ("UseRoutes" in crowd.advice(found)) == learnt


def test_much_of_an_interface_that_is_no_uplink_is_nobodys_to_mend() -> None:
    foreign = tuple(
        Route("#7", 4, "default", n, f"192.0.2.{n}", protocol=_BIRD)
        for n in range(crowd.ROUTERS + 1)
    )
    observed = policy.bounded(Observation(1, links=(_LINK,), routes=foreign), State())
    assert len(observed.routes) == crowd.ROUTERS
    assert observed.crowds == ()


@pytest.mark.parametrize(("crowded", "other"), [(4, 6), (6, 4)])
def test_neither_family_changes_what_is_done_in_the_other(crowded: int, other: int) -> None:
    def done(much: int) -> list[Any]:
        state, config = State(), crowds.config()
        result: list[Any] = []
        for lost in ((), ("eth0",), ("eth0", "wlan0"), ()):
            look = crowds.machine(
                random.Random(3),  # noqa: S311 - a draw
                {crowded: much, other: 0},
                lost,
            )
            observed = policy.bounded(look, state)
            after = next_state(config, observed, state)
            changes = decide(config, observed, state, after)
            families = [family_of(change) for change in changes]
            assert sorted(families, key=lambda f: f == 6) == families  # IPv4's come first
            result.append([c for c in changes if family_of(c) == other])
            state = after
        return result

    assert done(500) == done(0)
    assert any(done(0))


def test_a_flood_of_prefixes_leaves_a_line_that_replays() -> None:
    config, state = Config(uplinks=default_metrics(crowds.NAMES[:2])), State()
    for lost in ((), ("eth0",)):
        look = crowds.machine(random.Random(5), {4: 0, 6: 2000}, lost)  # noqa: S311 - a draw
        look = replace(
            look,
            tables=(),
            rules=(),
            taken=(),
            links=look.links[:2],
            addresses=tuple(a for a in look.addresses if a.interface in config.names()),
            routes=tuple(
                route
                for route in look.routes
                if route.interface in config.names()
                and (not route.gateway or route.destination == "default")
            ),
        )
        observed = policy.bounded(look, state)
        after = next_state(config, observed, state)
        changes = decide(config, observed, state, after)
        run = Run("eth0 no-carrier", config, observed, state, after, changes, (), 9)
        state = after
    line = recorder.line(run)
    assert len(line) < recorder.LONGEST
    (again,) = decisions.again([line])
    assert again.same, (len(line), again.text)


@pytest.mark.parametrize(("unseen", "other"), [(4, 6), (6, 4)])
def test_what_the_kernel_does_not_show_of_one_family_keeps_the_other_not(
    unseen: int, other: int
) -> None:
    much = {4: 3, 6: 3}
    config = crowds.config()
    before = next_state(config, crowds.machine(random.Random(2), much), State())  # noqa: S311
    whole = crowds.machine(random.Random(2), much, ("eth0",))  # noqa: S311 - a draw
    expected = next_state(config, whole, before)
    wanted = [c for c in decide(config, whole, before, expected) if family_of(c) == other]
    assert wanted
    look = replace(
        whole,
        unseen=(unseen,),
        routes=tuple(route for route in whole.routes if route.family != unseen),
    )
    after = policy.next_state(config, look, before)
    assert [u for u in after.uplinks if u.family == unseen] == [
        u for u in before.uplinks if u.family == unseen
    ]
    assert after.active_uplink(unseen) == "eth0"
    assert after.active_uplink(other) == expected.active_uplink(other) == "wlan0"
    changes = policy.decide(config, look, before, after)
    assert [c for c in changes if family_of(c) == other] == wanted
    assert not any(family_of(c) == unseen for c in changes)
