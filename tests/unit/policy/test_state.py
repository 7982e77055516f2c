"""What is remembered, as text. That whole lives survive it is shown by tools/model."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.policy.state import (
    FORM,
    PENDING_LIMIT,
    Active,
    AddressOwner,
    KnownAddress,
    Quality,
    State,
    UplinkState,
    Way,
    parse,
    pending_line,
    render,
)
from netfail_hooks.values import fields, replace
from tests.conftest import Tried

WHOLE = State(
    (
        UplinkState(
            "eth0",
            4,
            "down",
            5,
            6,
            10,
            2,
            1,
            0,
            7,
            2,
            0,
            "no answer from 10.0.0.1",
            "10.0.0.1,10.0.0.3",
            7,
            "10.0.0.1",
            "02:00:00:00:00:01",
            9,
            "02:00:00:00:00:02,02:00:00:00:00:03",
            11,
        ),
    ),
    (KnownAddress("eth0", 6, "fd00::2", 64, 99),),
    (AddressOwner(4, "10.0.0.2", ""),),
    (Active(4, "wlan0", 8),),
)


def test_it_is_read_as_it_was_written() -> None:
    assert parse(render(WHOLE)) == WHOLE
    assert parse(render(State())) == State()


@pytest.mark.parametrize("state", [WHOLE, State()])
@pytest.mark.parametrize("pending", ["", '{"summary":"eth0 down","end":[]}\n', "end\n", "{}\n"])
def test_a_pending_line_is_kept_beside_the_state(state: State, pending: str) -> None:
    text = render(state, pending)
    assert (parse(text), pending_line(text)) == (state, pending)


@given(st.text("abc %_-25f:/", min_size=1).filter(lambda text: text != "-"))
def test_whatever_is_wrong_is_read_as_it_was_said(reason: str) -> None:
    state = State((UplinkState("eth0", 4, "down", 5, reason=reason),))
    assert parse(render(state)) == state


@pytest.mark.parametrize(
    ("poor", "rounds", "fine"),
    [
        ("1", "10:10:200,10:1:5", True),
        ("0", "1:1:0", True),
        ("2", "10:10:200", False),
        ("0", "-", False),
        ("0", "10:11:200", False),
        ("0", "10:0:0", False),
        ("0", "10:10", False),
        ("0", "10:10:200,", False),
        ("0", "10:10:-1", False),
        ("0", "10:10:\xb2", False),
        ("0", "9999999999:1:1", False),
    ],
)
def test_what_was_measured_is_read_if_it_can_be_so(poor: str, rounds: str, *, fine: bool) -> None:
    text = f"{FORM}\nquality eth0 4 {poor} {rounds}\nend\n"
    if fine:
        state = parse(text)
        assert state.quality("eth0", 4) == Quality("eth0", 4, int(poor), rounds)
        assert (state.quality("eth0", 6), render(state)) == (None, text)
        return
    with pytest.raises(ValueError, match="not what was measured"):
        parse(text)


def test_of_a_pending_line_too_much_is_not_kept() -> None:
    line = "x" * (PENDING_LIMIT - 1) + "\n"
    assert pending_line(render(WHOLE, line)) == line
    assert render(WHOLE, "x" + line) == render(WHOLE)


def test_what_is_not_told_is_nothing() -> None:
    uplink_state, kept = UplinkState("eth0", 4, "up", 5), KnownAddress("eth0", 4, "10.0.0.2", 24)
    assert {getattr(uplink_state, name) for name in fields(uplink_state)[4:]} == {0, ""}
    assert kept.expires == 0


def test_standings_and_carriers_by_name() -> None:
    assert WHOLE.uplink_state("eth0", 4) == WHOLE.uplinks[0]
    assert (WHOLE.uplink_state("eth0", 6), WHOLE.uplink_state("wlan0", 4)) == (None, None)
    assert (WHOLE.active_uplink(4), WHOLE.active_uplink(6)) == ("wlan0", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("state 6", "state 2"),
        ("state 6", "state 5"),
        ("state 6", "state 4"),
        ("state 6", "state 3"),
        ("state 6", "state 7"),
        ("end\n", "end"),
        ("end\n", "end\n\n"),
        ("end\n", ""),
        ("known eth0", "pending {}\nknown eth0"),
        ("end\n", "pending {}\npending {}\nend\n"),
        ("end\n", "pending\nend\n"),
        ("active 4", "actor 4"),
        ("active 4", "active 5"),
        ("active 4", "active four"),
        ("active 4 wlan0 8", "active 4 wlan0"),
        ("active 4 wlan0 8", "active 4 wlan0 8 9"),
        ("active 4 wlan0", "active 4 a/b"),
        (" down ", " sideways "),
        (" down ", " - "),
        ("owner 4 10.0.0.2", "owner 4 fd00::2"),
        ("owner 4 10.0.0.2", "owner 4 -"),
        ("known eth0 6", "known eth0 4"),
        ("uplink eth0 4", "uplink eth0 6"),
        ("10.0.0.1,10.0.0.3", "10.0.0.1,"),
        ("10.0.0.1,10.0.0.3", ","),
        ("10.0.0.1 02:", "- 02:"),
        ("02:00:00:00:00:01", "-"),
        ("02:00:00:00:00:01", "02:00:00:00:00"),
        ("02:00:00:00:00:01", "02:00:00:00:00:0x1"),
        ("02:00:00:00:00:01", "02:00:00:00:00:0/"),
        (":02,02:", ":02,,02:"),
        (":00:03 11\n", ":03 11\n"),
        (":00:03 11\n", ":00:03 soon\n"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str) -> None:
    text = render(WHOLE)
    assert old in text
    with pytest.raises(ValueError):  # noqa: PT011 - int() words some in its own way
        parse(text.replace(old, new))


def test_the_routers_of_ipv4_may_be_of_ipv6() -> None:
    text = render(WHOLE).replace("10.0.0.1,10.0.0.3", "10.0.0.1,fd00::3")
    assert render(parse(text.replace("10.0.0.1 02:", "fd00::1 02:"))).count("fd00::1 02:") == 1


OLDER = {
    "3": "netfail-hooks state 3\n"
    "uplink eth0 4 down 5 6 10 2 1 0 7 2 0 no_answer_from_10.0.0.1 10.0.0.1,10.0.0.3 7\n"
    "known eth0 6 fd00::2 64 99\nowner 4 10.0.0.2 -\nactive 4 wlan0 8\n"
    'way eth0 4 10.9.0.0/16 0 10.0.0.1 254\npending {"summary":"eth0 down"}\nend\n',
    "4": "netfail-hooks state 4\n"
    "uplink eth0 4 down 5 6 10 2 1 0 7 2 0 no_answer_from_10.0.0.1 10.0.0.1,10.0.0.3 7 "
    "10.0.0.1 02:00:00:00:00:01 9\n"
    "known eth0 6 fd00::2 64 99\nowner 4 10.0.0.2 -\nactive 4 wlan0 8\n"
    'way eth0 4 10.9.0.0/16 0 10.0.0.1 254\npending {"summary":"eth0 down"}\nend\n',
    "5": "netfail-hooks state 5\n"
    "uplink eth0 4 down 5 6 10 2 1 0 7 2 0 no_answer_from_10.0.0.1 10.0.0.1,10.0.0.3 7 "
    "10.0.0.1 02:00:00:00:00:01 9 02:00:00:00:00:02,02:00:00:00:00:03\n"
    "known eth0 6 fd00::2 64 99\nowner 4 10.0.0.2 -\nactive 4 wlan0 8\n"
    'way eth0 4 10.9.0.0/16 0 10.0.0.1 254\npending {"summary":"eth0 down"}\nend\n',
}


@pytest.mark.parametrize("form", OLDER)
def test_an_update_forgets_nothing_of_an_older_form(form: str) -> None:
    """Its primary may be dead meanwhile: its addresses, hold-down and routes would be gone."""
    (uplink_state,) = WHOLE.uplinks
    lacking: dict[str, str | int] = {"late": 0}
    if form < "5":
        lacking["others"] = ""
    if form == "3":
        lacking |= {"router": "", "hardware": "", "exchanged": 0}
    way = Way("eth0", 4, "10.9.0.0/16", 0, "10.0.0.1")
    older = replace(uplink_state, **lacking)
    wanted = replace(WHOLE, uplinks=(older,), ways=(way,))
    assert parse(OLDER[form]) == wanted
    assert pending_line(OLDER[form]) == '{"summary":"eth0 down"}\n'
    assert parse(render(wanted)) == wanted


@pytest.mark.parametrize("words", ["10.0.0.3\n", "10.0.0.3 7 10.0.0.1\n"])
def test_an_older_form_has_as_many_fields_as_it_had(words: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        parse(OLDER["3"].replace("10.0.0.3 7\n", words))


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.text(max_size=300))
def test_a_damaged_memory_is_refused_not_believed(tried: Tried, garbage: str) -> None:
    tried("fuzz inputs: damaged memories", 2)
    for text in (garbage, render(State())[:-4] + garbage + "\nend\n"):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert isinstance(found, State)
