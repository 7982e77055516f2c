"""How one uplink is judged: every threshold at its edge."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from netfail_hooks.config import Config, Target, Uplink
from netfail_hooks.policy.facts import Address, Link, Observation, Result, Route
from netfail_hooks.policy.health import can_ask, exchanged, is_well, judge, unusable_reason
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.values import replace

NOW = 1_000_000
CONFIG = Config((Uplink("eth0", 100),), hold_down=10, hold_down_max=70, quiet=600, successes=2)
UNPROBED = replace(CONFIG, uplinks=(Uplink("eth0", 100, gateway=False),))
ONE = (Target(4, "198.51.100.1"),)
LINK = Link("eth0", 2, up=True, carrier=True, down_count=3, mac="02::")
SEEN = Observation(
    NOW,
    (LINK,),
    (Address("eth0", 4, "10.0.0.2", 24),),
    (Route("eth0", 4, "default", 100, "10.0.0.1", protocol=4),),
)
NO_CARRIER = replace(SEEN, links=(replace(LINK, carrier=False, down_count=4),))
UP = UplinkState("eth0", 4, "up", since=5, hold=0, down_count=3, index=2)
HELD = replace(UP, state="recovering", since=NOW - 9000, ready=NOW, hold=10, passes=2)


def _round(*, healthy: bool = True, interface: str = "eth0", family: int = 4) -> Result:
    return Result(interface, family, healthy, 2, 700, "" if healthy else "mute")


def _judged(
    old: UplinkState | None, *results: Result, observed: Observation = SEEN, config: Config = CONFIG
) -> UplinkState:
    state = State(uplinks=(old,) if old else ())
    return judge(config, replace(observed, probes=results), state)[0]


@pytest.mark.parametrize(
    ("observed", "told"),
    [
        (replace(SEEN, links=()), "interface is gone"),
        (replace(SEEN, links=(replace(LINK, up=False, carrier=False),)), "link is down"),
        (replace(SEEN, links=(replace(LINK, carrier=False),), addresses=()), "no carrier"),
        (replace(SEEN, addresses=(), routes=()), "no address"),
        (replace(SEEN, routes=()), "no gateway"),
        (SEEN, ""),
    ],
)
def test_what_ails_it(observed: Observation, told: str) -> None:
    assert unusable_reason(observed, "eth0", 4) == told
    judged = _judged(None, observed=observed)
    assert (judged.state, judged.reason) == ("absent" if told else "up", told)


def test_at_first_sight() -> None:
    assert _judged(None) == UplinkState("eth0", 4, "up", NOW, down_count=3, index=2)
    assert _judged(None, _round(healthy=False)).state == "absent"
    gone = _judged(None, observed=replace(SEEN, links=()))
    assert (gone.down_count, gone.index) == (0, 0)


@pytest.mark.parametrize("condition", ["up", "recovering"])
def test_a_loss_is_at_once_and_holds_it_down_later(condition: str) -> None:
    lost = _judged(replace(UP, state=condition, ready=7), observed=NO_CARRIER)
    assert (lost.state, lost.since, lost.ready, lost.hold) == ("down", NOW, 0, 10)
    assert lost.reason == "no carrier"
    assert lost.down_count == 4


@pytest.mark.parametrize("condition", ["down", "absent"])
def test_what_stays_lost_stays_as_it_is(condition: str) -> None:
    old = replace(UP, state=condition, since=5, hold=20, down_count=4)
    assert _judged(old, observed=NO_CARRIER) == replace(old, reason="no carrier")


def test_what_comes_back_is_held_until_it_has_been_well_long_enough() -> None:
    down = replace(UP, state="down", hold=20, reason="no carrier")
    back = _judged(down)
    assert (back.state, back.since, back.ready) == ("recovering", NOW, NOW + 20_000)
    assert back.reason == ""


def test_without_a_hold_down_it_is_up_at_once() -> None:
    down = replace(UP, state="down", hold=0)
    assert _judged(down) == replace(down, state="up", since=NOW)


def test_what_was_absent_is_up_as_soon_as_it_is_there() -> None:
    assert _judged(replace(UP, state="absent")).state == "up"
    assert _judged(replace(UP, state="absent", down_count=1)).state == "up"


@pytest.mark.parametrize(
    ("ready", "passes", "config", "condition"),
    [
        (NOW, 2, CONFIG, "up"),
        (NOW + 1, 2, CONFIG, "recovering"),
        (NOW - 1, 3, CONFIG, "up"),
        (NOW, 1, CONFIG, "recovering"),
        (NOW, 0, UNPROBED, "up"),
        (NOW + 1, 9, UNPROBED, "recovering"),
    ],
)
def test_a_hold_down_ends_with_time_and_rounds(
    ready: int, passes: int, config: Config, condition: str
) -> None:
    judged = _judged(replace(HELD, ready=ready, passes=passes), config=config)
    assert judged.state == condition
    if condition == "up":
        assert (judged.since, judged.ready) == (NOW, 0)
    else:
        assert (judged.since, judged.ready) == (HELD.since, ready)


@pytest.mark.parametrize(
    ("uplink", "lacks", "asked"),
    [
        (Uplink("eth0", 100), "", True),
        (Uplink("eth0", 100), "gateway", False),
        (Uplink("eth0", 100), "mac", False),
        (Uplink("eth0", 100), "route", False),
        (Uplink("eth0", 100), "link", False),
        (Uplink("eth0", 100, gateway=False), "", False),
        (Uplink("eth0", 100, gateway=False, targets=ONE), "", True),
        (Uplink("eth0", 100, gateway=False, targets=ONE), "gateway", True),
        (Uplink("eth0", 100, gateway=False, targets=(Target(6, "2001:db8::1"),)), "", False),
        (Uplink("eth0", 100, targets=(Target(6, "2001:db8::1"),)), "gateway", False),
        (Uplink("eth0", 100, targets=ONE), "mac", True),
    ],
)
def test_proof_is_asked_of_what_can_be_asked(uplink: Uplink, lacks: str, *, asked: bool) -> None:
    observed = {
        "": SEEN,
        "gateway": replace(SEEN, routes=(replace(SEEN.routes[0], gateway=""),)),
        "route": replace(SEEN, routes=()),
        "mac": replace(SEEN, links=(replace(LINK, mac=""),)),
        "link": replace(SEEN, links=()),
    }[lacks]
    assert can_ask(uplink, observed, 4) is asked
    if lacks not in ("route", "link"):
        waiting = replace(HELD, passes=0)
        judged = _judged(waiting, observed=observed, config=replace(CONFIG, uplinks=(uplink,)))
        assert judged.state == ("recovering" if asked else "up")


def test_what_is_asked_no_more_is_mute_no_more() -> None:
    mute = replace(UP, state="down", hold=10, fails=7, reason="mute")
    judged = _judged(mute, config=UNPROBED)
    assert (judged.state, judged.fails, judged.reason) == ("recovering", 0, "")


@pytest.mark.parametrize(
    ("since", "hold", "new"),
    [
        (NOW - 599_999, 10, 20),
        (NOW - 600_000, 40, 10),
        (NOW - 1, 0, 10),
        (NOW - 1, 35, 70),
        (NOW - 1, 36, 70),
        (NOW - 1, 70, 70),
    ],
)
def test_each_further_loss_doubles_the_hold_down(since: int, hold: int, new: int) -> None:
    assert _judged(replace(UP, since=since, hold=hold), observed=NO_CARRIER).hold == new


def test_a_long_time_held_is_no_quiet_time() -> None:
    held = replace(HELD, since=NOW - 700_000, hold=10)
    assert _judged(held, observed=NO_CARRIER).hold == 20


@pytest.mark.parametrize("condition", ["up", "recovering"])
def test_a_link_that_was_away_between_two_looks_was_lost(condition: str) -> None:
    old = replace(HELD, state=condition, since=5, ready=NOW - 5, down_count=2, passes=9)
    judged = _judged(old)
    assert (judged.state, judged.since, judged.ready) == (
        "recovering",
        NOW,
        NOW + judged.hold * 1000,
    )
    assert (judged.passes, judged.down_count) == (0, 3)
    assert _judged(old, _round()).passes == 1


@pytest.mark.parametrize("condition", ["up", "recovering"])
def test_an_adapter_that_was_plugged_in_again_between_two_looks_was_lost(condition: str) -> None:
    old = replace(HELD, state=condition, since=5, ready=NOW - 5, passes=9, index=7)
    judged = _judged(old)
    assert (judged.state, judged.since, judged.passes, judged.index) == ("recovering", NOW, 0, 2)
    assert _judged(replace(old, index=0)).state == "up", "it is not known which it was"


def test_a_down_uplink_whose_link_was_away_again_is_held_like_any_other() -> None:
    down = replace(UP, state="down", hold=10, down_count=1, passes=9)
    assert _judged(down) == replace(
        down, state="recovering", since=NOW, ready=NOW + 10_000, down_count=3, passes=0
    )


def test_a_round_is_noted() -> None:
    good = _judged(replace(UP, passes=4, fails=0), _round())
    assert (good.passes, good.fails, good.probed, good.tries, good.rtt) == (5, 0, NOW, 2, 700)
    bad = _judged(replace(UP, passes=4), _round(healthy=False))
    assert (bad.state, bad.passes, bad.fails, bad.reason) == ("down", 0, 1, "mute")
    again = _judged(bad, _round(healthy=False))
    assert (again.state, again.fails) == ("down", 2)
    cured = _judged(again, _round())
    assert (cured.state, cured.passes, cured.fails, cured.reason) == ("recovering", 1, 0, "")


def test_routers_that_are_silent_are_noted_until_something_else_ails_it() -> None:
    told = _judged(UP, replace(_round(), silent=("10.0.0.1", "10.0.0.3")))
    assert (told.state, told.silent) == ("up", "10.0.0.1,10.0.0.3")
    assert _judged(told).silent == told.silent
    assert _judged(told, _round()).silent == ""
    assert _judged(told, observed=NO_CARRIER).silent == ""


def test_a_router_that_answers_from_another_hardware_address_is_noted_and_told() -> None:
    first = _judged(UP, _met("10.0.0.1", ":01"))
    assert (first.router, first.hardware, first.exchanged) == ("10.0.0.1", ":01", 0)
    assert exchanged(State((UP,)), State((first,))) == []
    assert _judged(first, _round(healthy=False)).hardware == ":01"  # silent for a while
    again = _judged(first, _met("10.0.0.1", ":02"))
    assert again.exchanged == NOW
    (message,) = exchanged(State((first,)), State((again,)))
    assert message.startswith("eth0: gateway 10.0.0.1 answers from :02, before from :01")
    still = _judged(replace(again, exchanged=NOW - 7), _met("10.0.0.1", ":02"))
    assert (still.exchanged, exchanged(State((again,)), State((again,)))) == (NOW - 7, [])
    other = _judged(still, _met("10.0.0.3", ":03"))  # another router: no wonder
    assert (other.exchanged, exchanged(State((still,)), State((other,)))) == (0, [])


_DAY = 24 * 60 * 60 * 1000


def _told(answers: Iterable[tuple[int, str]]) -> tuple[UplinkState, list[str]]:
    """Let a router answer at some times, from some addresses; return what of it is told."""
    now, told = _judged(UP, _met("10.0.0.1", ":00")), []
    for time, hardware in answers:
        before = now
        observed = replace(SEEN, now=NOW + time)
        now = _judged(before, _met("10.0.0.1", hardware), observed=observed)
        assert now.hardware == hardware
        messages = exchanged(State((before,)), State((now,)))
        told += [message.split()[5].rstrip(",") for message in messages]
    return now, told


def test_two_devices_that_answer_by_turns_are_told_once_a_day() -> None:
    turns = [(second * 1000, f":0{second // 5 % 2}") for second in range(5, 80_000, 5)]
    assert _told(turns)[1] == [":01"]
    turns = [(second * 1000, f":0{second // 5 % 2}") for second in range(5, 200_000, 5)]
    assert len(_told(turns)[1]) == 3


def test_of_many_addresses_a_few_are_told_and_kept() -> None:
    last, told = _told([(second * 5000, f":{second:02}") for second in range(1, 90)])
    assert told == [":01", ":02", ":03", ":04"]
    assert last.others == ":00,:01,:02,:03"
    assert last.exchanged == NOW + 20_000


def test_a_router_that_was_exchanged_is_news_for_a_day() -> None:
    quiet, told = _told([(5000, ":01"), (5000 + _DAY - 1, ":01")])
    assert (told, quiet.exchanged, quiet.others) == ([":01"], NOW + 5000, ":00")
    quiet, told = _told([(5000, ":01"), (5000 + _DAY, ":01")])
    assert (told, quiet.exchanged, quiet.others) == ([":01"], 0, "")
    again, told = _told([(5000, ":01"), (5000 + _DAY, ":01"), (6000 + _DAY, ":00")])
    assert (told, again.exchanged) == ([":01", ":00"], NOW + 6000 + _DAY)


def _met(router: str, hardware: str) -> Result:
    return replace(_round(), router=router, hardware=hardware)


@pytest.mark.parametrize(
    ("ago", "given_up_for", "healthy", "late"),
    [
        (0, "mute", True, True),
        (3000, "mute", True, True),
        (3001, "mute", True, False),
        (0, "mute", False, False),
        (0, "link is down", True, False),
    ],
)
def test_whoever_answers_as_soon_as_it_was_given_up_is_late_not_dead(
    ago: int, given_up_for: str, *, healthy: bool, late: bool
) -> None:
    left = replace(UP, state="down", since=NOW - ago, hold=10, reason=given_up_for)
    left = replace(left, fails=int(given_up_for == "mute"))
    asked = _judged(left, _round(healthy=healthy))
    assert asked.late == (NOW if late else 0)
    assert asked.is_late(NOW) is late
    assert (
        _judged(asked, _round(healthy=False), observed=replace(SEEN, now=NOW + 9)).late
        == asked.late
    )


def test_nobody_is_late_who_was_not_given_up() -> None:
    assert [_judged(one, _round()).late for one in (UP, HELD, replace(UP, fails=1))] == [0, 0, 0]
    assert not UP.is_late(5)


def test_a_target_beyond_a_silent_router_has_another_round() -> None:
    """Traffic goes by the other router then."""
    mute = replace(_round(healthy=False), silent=("10.0.0.1",))
    first = _judged(UP, mute)
    assert (first.state, first.silent, first.fails) == ("up", "10.0.0.1", 0)
    assert _judged(first, mute).state == "down"
    assert _judged(first, replace(_round(), silent=("10.0.0.1",))).state == "up"


def test_what_ailed_the_link_is_over_by_then() -> None:
    lost = _judged(UP, observed=NO_CARRIER)
    assert (lost.state, lost.reason) == ("down", "no carrier")
    mute = replace(_round(healthy=False), silent=("10.0.0.1",))
    assert _judged(lost, mute).reason == ""


@pytest.mark.parametrize(
    "other", [_round(healthy=False, interface="wlan0"), _round(healthy=False, family=6)]
)
def test_another_uplinks_or_familys_round_says_nothing(other: Result) -> None:
    assert _judged(UP, other) == UP
    assert _judged(UP, other, _round()).passes == 1


def test_no_news_of_a_mute_one_is_no_good_news() -> None:
    mute = replace(UP, state="down", fails=1, reason="mute")
    assert _judged(mute) == mute
    stale = replace(UP, reason="no carrier")
    assert _judged(stale).reason == ""


def test_a_round_during_another_trouble_does_not_count() -> None:
    judged = _judged(replace(UP, passes=4, fails=3), _round(), observed=NO_CARRIER)
    assert (judged.passes, judged.fails, judged.reason) == (0, 0, "no carrier")


@pytest.mark.parametrize(
    ("uplink_states", "healthy"),
    [
        ([("up", "")], True),
        ([("recovering", "")], True),
        ([("absent", "")], False),
        ([("absent", "no address")], False),
        ([("up", ""), ("absent", "no address")], True),
        ([("up", ""), ("down", "mute")], False),
        ([("up", ""), ("down", "")], False),
        ([("up", ""), ("up", "no carrier")], False),
        ([("recovering", "mute"), ("up", "")], False),
        ([("unknown", "no carrier")], False),
        ([("unknown", "")], True),
        ([], False),
    ],
)
def test_is_well(uplink_states: list[tuple[str, str]], *, healthy: bool) -> None:
    named = (
        UplinkState("eth0", 4, condition, 0, reason=reason) for condition, reason in uplink_states
    )
    assert is_well(named) is healthy
