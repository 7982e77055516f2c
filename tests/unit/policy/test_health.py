"""How one uplink is judged: every threshold at its edge."""

from __future__ import annotations

import pytest

from netfail_hooks.config import Config, Uplink
from netfail_hooks.policy.facts import Address, Link, Observation, Result, Route
from netfail_hooks.policy.health import is_well, judge, trouble
from netfail_hooks.policy.memory import Memory, Standing
from netfail_hooks.values import replace

NOW = 1_000_000
CONFIG = Config((Uplink("eth0", 100),), hold_down=10, hold_down_max=70, quiet=600, successes=2)
UNPROBED = replace(CONFIG, uplinks=(Uplink("eth0", 100, gateway=False),))
LINK = Link("eth0", 2, up=True, carrier=True, down_count=3, mac="02::")
SEEN = Observation(
    NOW,
    (LINK,),
    (Address("eth0", 4, "10.0.0.2", 24),),
    (Route("eth0", 4, "default", 100, "10.0.0.1", protocol=4),),
)
NO_CARRIER = replace(SEEN, links=(replace(LINK, carrier=False, down_count=4),))
UP = Standing("eth0", 4, "up", since=5, hold=0, down_count=3)
HELD = replace(UP, verdict="held", since=NOW - 9000, ready=NOW, hold=10, passes=2)


def _round(*, well: bool = True, interface: str = "eth0", family: int = 4) -> Result:
    return Result(interface, family, well, 2, 700, "" if well else "mute")


def _judged(
    old: Standing | None, *results: Result, seen: Observation = SEEN, config: Config = CONFIG
) -> Standing:
    memory = Memory(standings=(old,) if old else ())
    return judge(config, replace(seen, probes=results), memory)[0]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (replace(SEEN, links=()), "interface is gone"),
        (replace(SEEN, links=(replace(LINK, up=False, carrier=False),)), "link is down"),
        (replace(SEEN, links=(replace(LINK, carrier=False),), addresses=()), "no carrier"),
        (replace(SEEN, addresses=(), routes=()), "no address"),
        (replace(SEEN, routes=()), "no gateway"),
        (SEEN, ""),
    ],
)
def test_what_ails_it(seen: Observation, told: str) -> None:
    assert trouble(seen, "eth0", 4) == told
    judged = _judged(None, seen=seen)
    assert (judged.verdict, judged.trouble) == ("absent" if told else "up", told)


def test_at_first_sight() -> None:
    assert _judged(None) == Standing("eth0", 4, "up", NOW, down_count=3)
    assert _judged(None, _round(well=False)).verdict == "absent"
    gone = _judged(None, seen=replace(SEEN, links=()))
    assert gone.down_count == 0


@pytest.mark.parametrize("verdict", ["up", "held"])
def test_a_loss_is_at_once_and_holds_it_down_later(verdict: str) -> None:
    lost = _judged(replace(UP, verdict=verdict, ready=7), seen=NO_CARRIER)
    assert (lost.verdict, lost.since, lost.ready, lost.hold) == ("down", NOW, 0, 10)
    assert lost.trouble == "no carrier"
    assert lost.down_count == 4


@pytest.mark.parametrize("verdict", ["down", "absent"])
def test_what_stays_lost_stays_as_it_is(verdict: str) -> None:
    old = replace(UP, verdict=verdict, since=5, hold=20, down_count=4)
    assert _judged(old, seen=NO_CARRIER) == replace(old, trouble="no carrier")


def test_what_comes_back_is_held_until_it_has_been_well_long_enough() -> None:
    down = replace(UP, verdict="down", hold=20, trouble="no carrier")
    back = _judged(down)
    assert (back.verdict, back.since, back.ready) == ("held", NOW, NOW + 20_000)
    assert back.trouble == ""


def test_without_a_hold_down_it_is_up_at_once() -> None:
    down = replace(UP, verdict="down", hold=0)
    assert _judged(down) == replace(down, verdict="up", since=NOW)


def test_what_was_absent_is_up_as_soon_as_it_is_there() -> None:
    assert _judged(replace(UP, verdict="absent")).verdict == "up"
    assert _judged(replace(UP, verdict="absent", down_count=1)).verdict == "up"


@pytest.mark.parametrize(
    ("ready", "passes", "config", "verdict"),
    [
        (NOW, 2, CONFIG, "up"),
        (NOW + 1, 2, CONFIG, "held"),
        (NOW - 1, 3, CONFIG, "up"),
        (NOW, 1, CONFIG, "held"),
        (NOW, 0, UNPROBED, "up"),
        (NOW + 1, 9, UNPROBED, "held"),
    ],
)
def test_a_hold_down_ends_with_time_and_rounds(
    ready: int, passes: int, config: Config, verdict: str
) -> None:
    judged = _judged(replace(HELD, ready=ready, passes=passes), config=config)
    assert judged.verdict == verdict
    if verdict == "up":
        assert (judged.since, judged.ready) == (NOW, 0)
    else:
        assert (judged.since, judged.ready) == (HELD.since, ready)


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
    assert _judged(replace(UP, since=since, hold=hold), seen=NO_CARRIER).hold == new


def test_a_long_time_held_is_no_quiet_time() -> None:
    held = replace(HELD, since=NOW - 700_000, hold=10)
    assert _judged(held, seen=NO_CARRIER).hold == 20


@pytest.mark.parametrize("verdict", ["up", "held"])
def test_a_link_that_was_away_between_two_looks_was_lost(verdict: str) -> None:
    old = replace(HELD, verdict=verdict, since=5, ready=NOW - 5, down_count=2, passes=9)
    judged = _judged(old)
    assert (judged.verdict, judged.since, judged.ready) == ("held", NOW, NOW + judged.hold * 1000)
    assert (judged.passes, judged.down_count) == (0, 3)
    assert _judged(old, _round()).passes == 1


def test_a_down_uplink_whose_link_was_away_again_is_held_like_any_other() -> None:
    down = replace(UP, verdict="down", hold=10, down_count=1, passes=9)
    assert _judged(down) == replace(
        down, verdict="held", since=NOW, ready=NOW + 10_000, down_count=3, passes=0
    )


def test_a_round_is_noted() -> None:
    good = _judged(replace(UP, passes=4, fails=0), _round())
    assert (good.passes, good.fails, good.probed, good.tries, good.rtt) == (5, 0, NOW, 2, 700)
    bad = _judged(replace(UP, passes=4), _round(well=False))
    assert (bad.verdict, bad.passes, bad.fails, bad.trouble) == ("down", 0, 1, "mute")
    again = _judged(bad, _round(well=False))
    assert (again.verdict, again.fails) == ("down", 2)
    cured = _judged(again, _round())
    assert (cured.verdict, cured.passes, cured.fails, cured.trouble) == ("held", 1, 0, "")


@pytest.mark.parametrize(
    "other", [_round(well=False, interface="wlan0"), _round(well=False, family=6)]
)
def test_another_uplinks_or_familys_round_says_nothing(other: Result) -> None:
    assert _judged(UP, other) == UP
    assert _judged(UP, other, _round()).passes == 1


def test_no_news_of_a_mute_one_is_no_good_news() -> None:
    mute = replace(UP, verdict="down", fails=1, trouble="mute")
    assert _judged(mute) == mute
    stale = replace(UP, trouble="no carrier")
    assert _judged(stale).trouble == ""


def test_a_round_during_another_trouble_does_not_count() -> None:
    judged = _judged(replace(UP, passes=4, fails=3), _round(), seen=NO_CARRIER)
    assert (judged.passes, judged.fails, judged.trouble) == (0, 0, "no carrier")


@pytest.mark.parametrize(
    ("standings", "well"),
    [
        ([("up", "")], True),
        ([("held", "")], True),
        ([("absent", "")], False),
        ([("absent", "no address")], False),
        ([("up", ""), ("absent", "no address")], True),
        ([("up", ""), ("down", "mute")], False),
        ([("up", ""), ("down", "")], False),
        ([("up", ""), ("up", "no carrier")], False),
        ([("held", "mute"), ("up", "")], False),
        ([("unknown", "no carrier")], False),
        ([("unknown", "")], True),
        ([], False),
    ],
)
def test_is_well(standings: list[tuple[str, str]], *, well: bool) -> None:
    named = (Standing("eth0", 4, verdict, 0, trouble=ails) for verdict, ails in standings)
    assert is_well(named) is well
