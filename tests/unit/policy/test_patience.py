"""Failback that waits: for an hour, until little flows, for a person. Told as stories."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import FAILBACKS, USE, Config, Order
from netfail_hooks.config.kinds import Hours
from netfail_hooks.policy import next_state
from netfail_hooks.policy.facts import Counted, Observation
from netfail_hooks.policy.patience import hours, is_within, moments, waiting
from netfail_hooks.policy.state import State, parse, render
from netfail_hooks.reconcile.again import due, is_hasty
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

NAMES = ("eth0", "wlan0")
MINUTE = 60
TIMES = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


class Patient(World):
    """A machine with a clock on its wall, and counters of what flows."""

    def __init__(self, **more: object) -> None:
        super().__init__(replace(config_of(*NAMES, hold_down=1), **more))
        self.local = 0
        self.carried = dict.fromkeys(NAMES, 0)
        self.earlier: tuple[tuple[Counted, ...], int] = (), 0
        self.reconcile()

    def look(self) -> Observation:
        earlier, began = self.earlier
        return replace(
            super().look(),
            local=self.local if self.config.failback_between else -1,
            counted=self._counted() if self.config.counts else (),
            earlier=earlier if self.config.counts else (),
            began=began,
        )

    def lose_and_regain(self) -> None:
        """Have eth0 lost and up again, long enough for its hold-down."""
        self.event("eth0", "no-carrier")
        self.reconcile()
        self.event("eth0", "routable")
        for _ in range(3):
            self.wait(2)

    def wait(self, seconds: int, flowing: int = 0, *, asking: int = 0) -> None:
        """Let time pass, and so many bytes a second by wlan0; then somebody looks.

        And asks before that for a second, for so many bytes, if any.
        """
        self.now += seconds * SECOND
        self.local = (self.local + seconds) % (24 * 60 * MINUTE)
        self.carried["wlan0"] += flowing * seconds
        if asking:
            before = super().look()
            self.earlier = self._counted(), before.now
            self.now += SECOND
            self.carried["wlan0"] += asking
        self.reconcile()
        self.earlier = (), 0

    def _counted(self) -> tuple[Counted, ...]:
        return tuple(Counted(name, 2, size) for name, size in self.carried.items())

    def waits(self) -> str:
        return waiting(self.config, self.look(), self.state, "eth0", 4)


def test_by_the_clock_it_waits_for_its_hour_and_no_longer() -> None:
    world = Patient(failback_between="02:00-05:00")
    world.local = 60 * MINUTE
    world.lose_and_regain()
    assert (world.way(), world.waits()) == ("wlan0", "until 02:00")
    world.wait(30 * MINUTE)
    assert world.way() == "wlan0"
    world.wait(30 * MINUTE)
    assert (world.way(), world.waits()) == ("eth0", "")
    world.local = 12 * 60 * MINUTE
    world.event("eth0", "no-carrier")
    world.reconcile()
    assert world.way() == "wlan0"  # to fail over nobody waits
    world.event("eth0", "routable")
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert world.way() == "eth0"  # nor where there is no other one


@pytest.mark.parametrize(
    "more", [{"failback": "manual"}, {"failback": "idle"}, {"failback_between": "02:00-05:00"}]
)
def test_at_boot_nobody_waits_whichever_uplink_comes_first(more: dict[str, str]) -> None:
    """The backup had the traffic for want of a better one: there is nothing to go back from."""
    world = Patient(**more)
    world.local = 12 * 60 * MINUTE
    world.event("eth0", "degraded")
    world.state = State()
    world.reconcile()
    assert world.way() == "wlan0"
    world.event("eth0", "routable")
    world.wait(20, flowing=10_000)
    assert (world.way(), world.waits()) == ("eth0", "")


def test_one_that_comes_for_the_first_time_does_not_wait_with_one_that_was_lost() -> None:
    world = World(replace(config_of("eth0", "wlan0", "usb0"), failback="manual"))
    world.event("wlan0", "degraded")
    world.state = State()
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    for _ in range(3):
        world.now += 20 * SECOND
        world.reconcile()
    assert world.way() == "usb0"
    world.event("wlan0", "routable")
    world.now += SECOND
    world.reconcile()
    assert world.way() == "wlan0"


def test_one_that_was_up_before_a_person_chose_another_waits_once_that_is_over() -> None:
    world = Patient(failback="manual")
    world.now += SECOND
    world.config = replace(world.config, orders=(Order(USE, "wlan0"),))
    world.reconcile()
    world.config = replace(world.config, orders=())
    world.wait(60)
    assert (world.way(), world.waits()) == ("wlan0", "for 'netfail-hooks use'")


def test_until_it_is_idle_a_call_is_not_cut_and_after_it_traffic_goes_back() -> None:
    world = Patient(failback="idle", idle_seconds=60)
    world.lose_and_regain()
    for _ in range(10):
        world.wait(60, flowing=10_000)
        assert (world.way(), world.waits()) == ("wlan0", "until wlan0 is idle for 60 s")
    world.wait(30, flowing=100)
    assert world.way() == "wlan0"
    world.wait(10, flowing=5_000)  # not over yet
    world.wait(50, flowing=100)
    assert world.way() == "wlan0"
    world.wait(10, flowing=2_000)
    assert (world.way(), world.waits()) == ("eth0", "")


@given(st.integers(1, 10**6), st.integers(2, 20), st.sampled_from((0, 100, 2_000, 2_001, 20_000)))
def test_what_our_own_questions_cost_is_no_traffic(asking: int, seconds: int, flowing: int) -> None:
    """A page by TLS, asked for each few seconds, is more than many a quiet line carries."""
    world = Patient(failback="idle", idle_seconds=10)
    world.lose_and_regain()
    for _ in range(8):
        world.wait(seconds, flowing=flowing, asking=asking)
    assert world.way() == ("eth0" if flowing <= 2_000 else "wlan0")


def test_where_nothing_lies_between_two_rounds_all_counts() -> None:
    world = Patient(failback="idle", idle_seconds=20)
    world.lose_and_regain()
    for _ in range(40):
        world.wait(0, asking=50_000)
        assert world.way() == "wlan0"


def test_a_counter_that_begins_anew_tells_nothing() -> None:
    world = Patient(failback="idle", idle_seconds=10)
    world.carried["wlan0"] = 10**9
    world.lose_and_regain()
    world.wait(5, flowing=10**6)
    world.carried["wlan0"] = 0  # another adapter, or its driver was loaded again
    world.wait(30)
    assert world.way() == "wlan0"
    world.wait(15)
    assert world.way() == "eth0"


def test_two_looks_at_once_are_none() -> None:
    world = Patient(failback="idle", idle_seconds=10)
    world.lose_and_regain()
    known = world.state.usages
    world.now += 500
    world.reconcile()
    assert world.state.usages == known


def test_both_may_be_asked_for() -> None:
    world = Patient(failback="idle", failback_between="00:00-01:00", idle_seconds=5)
    world.local = 12 * 60 * MINUTE
    world.lose_and_regain()
    world.wait(60)
    assert world.waits() == "until 00:00"
    world.wait(12 * 60 * MINUTE, flowing=10**6)
    assert world.waits() == "until wlan0 is idle for 5 s"
    world.wait(10)
    assert world.way() == "eth0"


@pytest.mark.parametrize("failback", FAILBACKS)
@pytest.mark.parametrize("interval", [0, 3, 60])
def test_while_it_waits_for_little_to_flow_somebody_looks_often(
    failback: str, interval: int
) -> None:
    world = Patient(failback=failback, interval=interval)
    world.lose_and_regain()
    observed = world.look()
    assert due(world.config, observed, world.state) == 0
    hasty = is_hasty(world.config, observed, world.state)
    assert hasty == (failback == "idle" and interval != 3)
    world.config = replace(world.config, failback_between="02:00-03:00")
    assert not is_hasty(world.config, world.look(), world.state)


def test_somebody_looks_when_the_hour_has_come() -> None:
    world = Patient(failback_between="02:00-05:00")
    world.local = 23 * 60 * MINUTE
    world.lose_and_regain()
    observed = world.look()
    (moment, *_) = moments(world.config, observed, world.state)
    left = (24 + 2) * 3600 - observed.local
    assert 0 < moment - observed.now - left * SECOND <= 10 * SECOND


@given(TIMES, TIMES, st.integers(0, 24 * 3600 - 1))
def test_hours_are_all_of_the_day_with_those_between_end_and_begin(
    begin: str, end: str, local: int
) -> None:
    if begin != end:
        assert is_within(f"{begin}-{end}", local) != is_within(f"{end}-{begin}", local)
        assert is_within(f"{begin}-{end}", hours(f"{begin}-{end}")[0])
        assert Hours().parse(f"{begin}-{end}") == f"{begin}-{end}"
    assert is_within(f"{begin}-{end}", -1)


@pytest.mark.parametrize(
    "wrong", ["2:00-05:00", "02:00", "24:00-05:00", "02:60-05:00", "02:00-02:00", 2, None, "x"]
)
def test_what_is_no_span_of_hours_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="two times of a day"):
        Hours().parse(wrong)


@given(st.lists(st.integers(0, 5_000), max_size=20), st.sampled_from(FAILBACKS))
def test_whatever_flows_the_traffic_is_somewhere_and_what_is_kept_reads_as_it_was(
    flowing: Sequence[int], failback: str
) -> None:
    world = Patient(failback=failback, idle_seconds=5)
    world.lose_and_regain()
    for each in flowing:
        world.wait(5, flowing=each)
        assert world.way() in NAMES
        assert parse(render(world.state)) == world.state
    if failback == "auto":
        assert world.way() == "eth0"


def test_a_config_that_counts_nothing_keeps_nothing() -> None:
    world = Patient()
    world.wait(5)
    assert not world.state.usages
    later: Config = replace(world.config, failback="idle")
    world.config = later
    world.wait(5)
    assert len(world.state.usages) == 2
    assert next_state(later, world.look(), State()).usages


@pytest.mark.parametrize(
    ("span", "clock", "within"),
    [
        ("01:30-02:00", (1, 29, 59), False),
        ("01:30-02:00", (1, 30, 0), True),
        ("01:30-02:00", (1, 59, 59), True),
        ("01:30-02:00", (2, 0, 0), False),
        ("22:45-06:15", (22, 44, 59), False),
        ("22:45-06:15", (0, 0, 0), True),
        ("22:45-06:15", (6, 14, 59), True),
        ("22:45-06:15", (6, 15, 0), False),
    ],
)
def test_hours_begin_and_end_to_the_second(
    span: str, clock: tuple[int, int, int], *, within: bool
) -> None:
    hour, minute, second = clock
    assert is_within(span, (hour * 60 + minute) * 60 + second) == within


def test_a_second_is_enough_to_tell_what_flows() -> None:
    world = Patient(failback="idle", idle_seconds=1)
    assert parse(render(world.state)) == world.state
    (first, *_) = world.state.usages
    world.now += 999
    world.reconcile()
    assert world.state.usages[0] == first
    world.now += 1
    world.reconcile()
    assert world.state.usages[0].quiet == first.at


def test_only_who_is_up_and_better_than_one_that_is_up_waits() -> None:
    world = Patient(failback="manual")
    world.lose_and_regain()

    def asked(state: State, name: str) -> str:
        return waiting(world.config, world.look(), state, name, 4)

    assert asked(world.state, "eth0") == "for 'netfail-hooks use'"
    assert asked(world.state, "wlan0") == ""
    assert asked(State(), "eth0") == asked(State(), "wlan0") == ""
    assert asked(State(active=world.state.active), "eth0") == ""
    gone = replace(world.state, active=(replace(world.state.active[0], interface="usb9"),))
    assert asked(gone, "eth0") == ""
    down = tuple(
        replace(one, state="down") if one.interface == "eth0" else one
        for one in world.state.uplinks
    )
    assert asked(replace(world.state, uplinks=down), "eth0") == ""


def test_one_that_nobody_counted_is_not_idle() -> None:
    world = Patient(failback="idle", idle_seconds=1)
    world.lose_and_regain()
    world.wait(60)
    bare = replace(
        world.state, usages=(), active=(replace(world.state.active[0], interface="wlan0"),)
    )
    assert waiting(world.config, world.look(), bare, "eth0", 4)
