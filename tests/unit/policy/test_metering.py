"""Metered uplinks: last in rank, asked seldom, counted while they carry; told as stories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks import journal
from netfail_hooks.config import Config, Target
from netfail_hooks.config.file import parse as parse_config
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Counted, Observation
from netfail_hooks.policy.metering import carries, lacks, recalled, rested, to_keep
from netfail_hooks.policy.state import Active, Metered, State, UplinkState, parse, render
from netfail_hooks.reconcile import metered
from netfail_hooks.reconcile.notify import gist
from netfail_hooks.recorder import Run, line
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

NAMES = ("eth0", "wwan0")
TODAY, TOMORROW = 20261128, 20261129


def _config() -> Config:
    config = config_of(*NAMES, hold_down=1)
    first, second = config.uplinks
    target = Target(4, "9.9.9.9")
    return replace(config, uplinks=(first, replace(second, metered=True, targets=(target,))))


class Paying(World):
    """A machine with a modem that is paid for."""

    def __init__(self) -> None:
        super().__init__(_config())
        self.carried = 1000
        self.day = TODAY
        self.index = 7
        self.reconcile()

    def look(self) -> Observation:
        counted = (Counted("eth0", 2, 5), Counted("wwan0", self.index, self.carried))
        there = tuple(one for one in counted if self.states[one.interface] != "missing")
        return replace(super().look(), counted=there, day=self.day)

    def flow(self, size: int) -> None:
        self.carried += size
        self.now += SECOND // 10
        self.reconcile()

    @property
    def today(self) -> int:
        (one,) = self.state.metered
        assert (one.interface, one.day) == ("wwan0", self.day)
        return one.bytes


def test_what_it_carries_counts_and_nothing_else() -> None:
    world = Paying()
    world.flow(500)
    assert world.today == 0  # questions, and what the modem says by itself
    world.event("eth0", "no-carrier")
    world.flow(50)
    assert world.today == 0
    world.flow(1_000_000)
    world.flow(1)
    assert world.today == 1_000_001
    world.event("eth0", "routable")
    for _ in range(3):
        world.now += 2 * SECOND
        world.reconcile()
    assert world.way() == "eth0"
    world.flow(7_000)
    assert world.today == 1_000_001


def test_a_day_begins_with_nothing_and_the_one_before_is_told() -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    world.flow(2_500_000)
    before, world.day = world.state, TOMORROW
    world.flow(300)
    assert world.today == 300
    assert metered.messages(before, world.state) == [
        "wwan0, which is metered, carried 2.5 MB on 2026-11-28"
    ]


def test_another_adapter_counts_from_its_own_beginning() -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    world.flow(400)
    world.index, world.carried = 8, 10**9
    world.flow(0)
    assert world.today == 400
    world.carried = 100  # its driver was loaded again
    world.flow(0)
    world.flow(30)
    assert world.today == 430


def test_a_modem_that_resets_keeps_what_it_carried_today() -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    world.flow(4_000)
    for day, carried in ((TODAY, 4_000), (TOMORROW, 0)):
        world.day = day
        world.event("wwan0", "missing")
        world.flow(0)
        world.flow(0)
        assert world.today == carried
        world.index += 1
        world.carried = 0
        world.event("wwan0", "routable")
        world.flow(0)
        world.flow(0)
        assert world.today == carried
    world.flow(20)
    assert world.today == 20


def test_a_day_that_ends_while_it_is_away_is_told() -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    world.flow(2_500_000)
    world.event("wwan0", "missing")
    world.flow(0)
    before, world.day = world.state, TOMORROW
    world.flow(0)
    told = ["wwan0, which is metered, carried 2.5 MB on 2026-11-28"]
    assert metered.messages(before, world.state) == told
    world.day = 0  # nobody could tell the hour
    world.flow(0)
    assert world.state.metered[0].day == TOMORROW


@given(st.lists(st.integers(0, 10**6), max_size=12))
def test_the_sum_of_what_flowed_is_told_and_kept(flowing: list[int]) -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    for size in flowing:
        world.flow(size)
    assert world.today == sum(flowing)
    assert parse(render(world.state)) == world.state


def test_its_targets_are_left_alone_while_it_is_well_and_has_no_traffic() -> None:
    world = Paying()
    assert rested(world.config, world.look(), world.state) == ("wwan0",)
    world.now += 601 * SECOND
    assert rested(world.config, world.look(), world.state) == ()
    world.reconcile()
    world.sick.add("wwan0")
    world.reconcile()
    assert rested(world.config, world.look(), world.state) == ()
    world.sick.clear()
    for _ in range(3):
        world.now += 2 * SECOND
        world.reconcile()
    assert rested(world.config, world.look(), world.state) == ("wwan0",)
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert rested(world.config, world.look(), world.state) == ()
    plain = replace(world.config, uplinks=config_of(*NAMES).uplinks)
    assert rested(plain, world.look(), world.state) == rested(plain, world.look(), State()) == ()


@pytest.mark.parametrize(
    ("more", "ranked"),
    [
        ({}, ["eth0", "wwan0"]),
        ({"metered": True}, ["eth0", "wwan0"]),
        ({"metered": True, "metric": 90}, ["wwan0", "eth0"]),
    ],
)
def test_it_comes_last_unless_its_metric_says_otherwise(
    more: dict[str, object], ranked: list[str]
) -> None:
    tree = {"uplink": [{"interface": "wwan0", **more}, {"interface": "eth0"}]}
    config, wrong = parse_config(tree)
    assert not wrong
    assert config
    assert list(config.names()) == (ranked if more else ["wwan0", "eth0"])


def test_a_mark_is_there_while_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, told = Paths(str(tmp_path)), []
    monkeypatch.setattr(journal, "log", lambda message, **_: told.append(message))
    os.makedirs(paths.run)
    world = Paying()

    def conclude() -> dict[str, str]:
        before = world.state
        world.flow(5_000_000)
        run = Run("check", world.config, world.look(), before, world.state, (), (), 0)
        metered.conclude(paths, run)
        return gist(line(run).encode())

    assert conclude()["NETFAIL_METERED"] == ""
    assert not os.path.exists(paths.metered)
    world.event("eth0", "no-carrier")
    assert conclude()["NETFAIL_METERED"] == "wwan0"
    assert Path(paths.metered).read_text() == "wwan0\n"
    conclude()
    world.event("eth0", "routable")
    for _ in range(3):
        world.now += 2 * SECOND
        conclude()
    assert not os.path.exists(paths.metered)
    assert [message for message in told if "so far" in message] == [
        "wwan0, which is metered, carried 15.0 MB on 2026-11-28 so far"
    ]


@pytest.fixture
def kept(tmp_path: Path, mocker: MockerFixture) -> Kept:
    return Kept(Paths(str(tmp_path)), mocker)


class Kept:
    """A machine with a modem that carries the traffic, from boot to boot."""

    def __init__(self, paths: Paths, mocker: MockerFixture) -> None:
        self.paths, self.world = paths, Paying()
        os.makedirs(paths.run)
        os.makedirs(os.path.dirname(paths.carried))
        self.told = mocker.patch.object(journal, "log", autospec=True)
        self._time = mocker.patch("netfail_hooks.reconcile.metered.time")
        self._time.time.return_value = 1e9
        self._today = mocker.patch("netfail_hooks.reconcile.metered.today")
        self._writes = mocker.spy(metered, "_keep")
        self.world.event("eth0", "no-carrier")
        self.flow(0)

    def flow(self, size: int) -> int:
        """Let something flow, and look; return what was carried today."""
        world, written = self.world, self.writes
        self._today.return_value = world.day
        before = world.state = metered.recalled(world.config, self.paths, world.state)
        world.flow(size)
        run = Run("check", world.config, world.look(), before, world.state, (), (), 0)
        metered.conclude(self.paths, run)
        if self.writes > written:
            now = self._time.time.return_value
            os.utime(self.paths.counted, (now, now))
        return world.today

    def wait(self, seconds: int) -> None:
        self._time.time.return_value += seconds
        self.world.now += max(seconds, 0) * SECOND

    def boot(self, day: int = TODAY) -> None:
        """Begin anew: nothing is remembered, other counters, another index."""
        for path in (self.paths.metered, self.paths.counted):
            if os.path.exists(path):
                os.unlink(path)
        world = self.world
        world.state, world.now, world.day = State(), SECOND, day
        world.index, world.carried = 3, 0

    @property
    def writes(self) -> int:
        return int(self._writes.call_count)


def test_what_was_carried_outlives_a_boot_but_for_the_last_minutes(kept: Kept) -> None:
    kept.flow(4_000)
    kept.wait(301)
    assert kept.flow(1_000) == 5_000
    kept.flow(70)  # lost with the power
    kept.boot()
    assert kept.flow(0) == 5_000
    kept.flow(0)
    assert kept.flow(200) == 5_200
    kept.boot(TOMORROW)
    assert kept.flow(0) == 0


def test_it_is_kept_when_the_traffic_leaves_and_else_each_five_minutes(kept: Kept) -> None:
    begun = kept.writes
    for _ in range(29):
        kept.wait(10)
        kept.flow(1)
    assert kept.writes == begun
    kept.wait(10)
    kept.flow(1)
    assert kept.writes == begun + 1
    kept.wait(-1)  # the clock was set back
    kept.flow(1)
    assert kept.writes == begun + 2
    kept.flow(1)
    kept.world.event("eth0", "routable")
    for _ in range(3):
        kept.wait(2)
        kept.flow(0)
    assert kept.writes == begun + 3
    kept.boot()
    assert kept.flow(0) == 32


def test_a_clock_that_is_set_late_forgets_nothing(kept: Kept) -> None:
    kept.flow(4_000)
    kept.wait(301)
    kept.flow(0)
    kept.boot(20200101)
    kept.flow(0)
    assert kept.flow(300) == 300
    kept.wait(301)
    kept.flow(0)  # written with that day, the other is kept
    kept.world.day = TODAY
    assert kept.flow(0) == 4_300
    assert kept.flow(5) == 4_305
    kept.world.day = TOMORROW
    assert kept.flow(0) == 0


_KEPT = {"wwan0": (TODAY, 70), "usb0": (TODAY, 5)}


def test_what_is_kept_of_another_adapter_or_day_counts_for_nothing() -> None:
    fresh = Metered("wwan0", 4, TODAY, 70, 0, 0)
    assert recalled(_config(), TODAY, _KEPT, State()) == State(metered=(fresh,))
    assert recalled(_config(), TOMORROW, _KEPT, State()) == State()
    old = State(metered=(replace(fresh, bytes=3, counter=9, index=8),))
    assert recalled(_config(), TODAY, _KEPT, old) == old


def test_it_is_read_only_while_something_is_not_counted() -> None:
    known = State(metered=(Metered("wwan0", 4, TODAY, 0, 0, 0),))
    assert not lacks(_config(), TODAY, known)
    assert lacks(_config(), TOMORROW, known)
    assert lacks(_config(), TODAY, State())


def test_an_hour_after_a_boot_the_clock_is_believed() -> None:
    state = State(metered=(Metered("wwan0", 4, TODAY - 1, 3, 0, 0),))
    assert to_keep(state, _KEPT, 3_599_999) == _KEPT
    assert to_keep(state, _KEPT, 3_600_000) == {"wwan0": (TODAY - 1, 3)}


def test_while_nobody_can_tell_the_day_it_is_still_the_last_one() -> None:
    world = Paying()
    world.event("eth0", "no-carrier")
    world.flow(0)
    world.flow(10)
    world.day = 0
    world.flow(10)
    assert world.today == 20


def test_a_day_that_never_comes_is_given_up(kept: Kept) -> None:
    kept.world.day = 20401231
    kept.flow(10)
    kept.wait(301)
    kept.flow(10)
    kept.boot()
    kept.world.now += 2 * 60 * 60 * SECOND
    kept.flow(0)
    kept.flow(50)
    kept.wait(301)
    kept.flow(0)
    kept.boot()
    assert kept.flow(0) == 50


@pytest.mark.parametrize("text", ["", "x", "wwan0 1", "wwan0 x y", "wwan0 1 2 3", "\0" * 9])
def test_a_damaged_count_is_as_good_as_none(kept: Kept, text: str) -> None:
    kept.boot()
    Path(kept.paths.carried).write_text(text)
    assert kept.flow(0) == 0


def test_one_that_cannot_be_kept_is_told_seldom_with_the_next_step(kept: Kept) -> None:
    place = os.path.dirname(kept.paths.carried)
    shutil.rmtree(place)
    Path(place).touch()
    kept.told.reset_mock()
    for pause in (301, 0, 0, 301, 0):
        kept.wait(pause)
        kept.flow(1)
    told = [call.args[0] for call in kept.told.call_args_list]
    assert len([one for one in told if "is not kept over a boot" in one]) == 2, told
    assert "run 'sudo netfail-hooks install'" in told[0]


def test_one_family_is_enough_to_carry() -> None:
    active = (Active(4, "wwan0", 0), Active(6, "eth0", 0))
    assert carries(State(active=active), "wwan0")
    assert not carries(State(active=active), "usb0")


_WELL = UplinkState("wwan0", 4, "up", 0, probed=1_000)
_SIX = replace(_WELL, family=6)


@pytest.mark.parametrize(
    ("uplinks", "rests"),
    [
        ((_WELL,), True),
        ((_WELL, replace(_SIX, state="absent", reason="no address")), True),
        ((), False),
        ((replace(_WELL, state="absent"),), False),
        ((replace(_WELL, interface="eth0"),), False),
        ((_WELL, replace(_SIX, fails=1)), False),
        ((_WELL, replace(_SIX, state="recovering")), False),
        ((replace(_WELL, reason="no carrier"), _SIX), False),
        ((replace(_WELL, probed=0), _SIX), True),
        ((replace(_WELL, probed=0), replace(_SIX, probed=0)), False),
    ],
)
def test_one_rests_that_was_well_lately_in_each_family_that_it_has(
    uplinks: tuple[UplinkState, ...], *, rests: bool
) -> None:
    state = State(uplinks=uplinks)
    observed = Observation(now=1_000 + 600_000 - 1)
    assert bool(rested(_config(), observed, state)) == rests
    assert not rested(_config(), replace(observed, now=observed.now + 1), state)
