"""The invariants, over random machines and random orders of events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.changes import AddAddress, Announce, SetRoute, SetSysctl
from netfail_hooks.choose import think
from netfail_hooks.decide import decide
from netfail_hooks.memory import Memory, parse, render
from netfail_hooks.values import replace
from tests.world import SECOND, STATES, World, config_of

NAMES = ("eth0", "wlan0", "usb0", "wwan0")

worlds = st.builds(
    lambda count, apart, families, shares: World(
        config_of(*NAMES[:count]),
        apart=tuple(NAMES[:count][:apart]),
        families=families,
        shares=shares,
    ),
    st.integers(2, 4),
    st.integers(0, 4),
    st.sampled_from([(4,), (6,), (4, 6)]),
    st.booleans(),
)
events = st.lists(
    st.tuples(
        st.integers(0, 3),  # which uplink
        st.sampled_from((*STATES, "sick", "cured")),
        st.booleans(),  # whether the hook of this event runs
        st.integers(0, 30_000),  # milliseconds until the next
    ),
    max_size=25,
)


def _play(world: World, script: list[tuple[int, str, bool, int]]) -> None:
    for which, state, heard, pause in script:
        _happen(world, which, state)
        if heard:
            world.reconcile()
        world.now += pause
    world.reconcile()


def _happen(world: World, which: int, state: str) -> None:
    names = world.config.names()
    name = names[which % len(names)]
    if state == "sick":
        world.sick.add(name)
    elif state == "cured":
        world.sick.discard(name)
    else:
        world.event(name, state)


@settings(deadline=None)
@given(worlds, events)
def test_the_kernel_uses_the_most_preferred_uplink_that_is_up(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    _play(world, script)
    for family in world.families:
        standings = [s for s in world.memory.standings if s.family == family]
        up = [s.interface for s in standings if s.verdict == "up"]
        if up:
            assert world.way(family) == up[0]
        assert world.way(family) == world.memory.carrier(family)


@settings(deadline=None)
@given(worlds, events)
def test_there_is_a_default_route_after_every_single_change(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    for which, state, _, pause in script:
        _happen(world, which, state)
        world.now += pause
        seen = replace(world.look(), probes=world.results())
        after = think(world.config, seen, world.memory)
        for change in decide(world.config, seen, world.memory, after):
            before = {family: world.way(family) for family in world.families}
            world.make(change)
            for family, way in before.items():
                assert world.way(family) or not way
        world.memory = after


@settings(deadline=None)
@given(worlds, events)
def test_the_same_look_twice_changes_nothing(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    _play(world, script)
    remembered = world.memory
    assert world.reconcile(probe=False) == ()
    assert world.memory == remembered


@settings(deadline=None)
@given(worlds, events)
def test_when_all_is_well_again_nothing_of_ours_is_left(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    _play(world, script)
    for name in world.config.names():
        world.event(name, "routable")
    world.sick.clear()
    for _ in range(2):
        world.reconcile()
        world.now += 301 * SECOND
    world.reconcile()
    assert (world.routes, world.addresses) == ([], [])
    assert world.way(world.families[0]) == world.config.names()[0]


@settings(deadline=None)
@given(st.lists(st.integers(100, 5_000), min_size=1, max_size=60))
def test_flapping_costs_one_failover(pauses: list[int]) -> None:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    ways = []
    for pause in pauses:
        for state in ("no-carrier", "routable"):
            world.event("eth0", state)
            world.reconcile()
            ways.append(world.way())
            world.now += pause
    assert set(ways) == {"wlan0"}


@settings(deadline=None)
@given(worlds, events)
def test_new_things_come_before_old_things_go(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    for which, state, _, pause in script:
        _happen(world, which, state)
        made = [
            isinstance(change, SetSysctl | AddAddress | SetRoute | Announce)
            for change in world.reconcile()
        ]
        assert made == sorted(made, reverse=True)
        world.now += pause


@settings(deadline=None)
@given(worlds, events)
def test_memory_survives_being_written_and_read(
    world: World, script: list[tuple[int, str, bool, int]]
) -> None:
    _play(world, script)
    assert parse(render(world.memory)) == world.memory


@given(st.text(max_size=300))
def test_a_damaged_memory_is_refused_not_believed(garbage: str) -> None:
    for text in (garbage, render(Memory())[:-4] + garbage + "\nend\n"):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert isinstance(found, Memory)
