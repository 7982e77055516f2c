"""A line measured: how often it is asked, what counts as lost, and what is waited for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from netfail_hooks import probe as rounds
from netfail_hooks.config import Target
from netfail_hooks.policy.facts import Result
from netfail_hooks.probe import measure
from netfail_hooks.probe import targets as probe_targets
from tests.unit.probe.test_probe import FOUR, NEVER, Lan, ProbeSocket, _config, _seen

GATEWAY = "192.168.1.1"
TCP = Target(4, "198.51.100.5", 53)


class Lines(Lan):
    """A LAN on which each question may have a fate of its own; echoes can be repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.fates: dict[str, list[float]] = {}  # seconds until each answer, by "eth0 192.168.1.1"

    def wire(self, interface: str, name: str) -> ProbeSocket:
        made = super().wire(interface, name)
        fates = iter(self.fates.get(f"{interface} {name}", []))
        ask = made.ask

        def asked() -> None:
            made.answer = next(fates, made.answer)
            ask()

        made.ask = asked  # type: ignore[method-assign]
        return made

    def target(self, target: Target, interface: str) -> ProbeSocket:
        made = super().target(target, interface)
        if not target.port:
            made.repeats = True  # type: ignore[attr-defined]
        return made

    def poll(self, wait: float | None = None) -> Any:
        self.waits = self.waits[-20:]
        return super().poll(wait)


@pytest.fixture
def lan(monkeypatch: pytest.MonkeyPatch) -> Lines:
    made = Lines()
    for module in (rounds, measure):
        monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(rounds, "select", made)
    monkeypatch.setattr(rounds, "gateway_wire", made.gateway)
    monkeypatch.setattr(probe_targets, "target_wire", made.target)
    return made


def _round(_: Lines, *, only: str = "eth0", apart: tuple[str, ...] = (), **more: Any) -> Result:
    config = _config(**{"loss_max": 10, **more})
    return measure.probe(config, _seen(apart=apart), only)[0]


def _numbers(result: Result) -> tuple[int, int, int]:
    return result.asked, result.answered, result.waited


def test_a_good_line_is_asked_ten_times_and_once_in_half_a_second(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [0.01] * 11}
    began = lan.now
    result = _round(lan)
    assert (result.healthy, result.tries, result.rtt) == (True, 1, 10_000)
    assert _numbers(result) == (10, 10, 100)
    assert lan.now - began == pytest.approx(0.51)
    assert lan.asked() == {GATEWAY: 11}
    assert all(wire.closed for wire in lan.wires)


def test_what_does_not_come_is_lost(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [0.01, 0.01, NEVER, 0.02, NEVER, *[0.01] * 6]}
    began = lan.now
    result = _round(lan, timeout=300)
    assert result.healthy
    assert _numbers(result) == (10, 8, 89), "the average of nine"
    assert lan.now - began == pytest.approx(0.8), "the last has its time-out"


def test_the_first_question_does_not_count(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [NEVER, *[0.01] * 10]}
    assert _numbers(_round(lan)) == (10, 10, 100)


def test_a_late_line_has_its_time_and_its_average(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [0.7] * 11}
    result = _round(lan, latency_max=400, timeout=100)
    assert result.healthy
    assert _numbers(result) == (10, 10, 7000)


def test_who_is_silent_is_so_and_nothing_was_measured(lan: Lines) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": NEVER}}
    result = _round(lan, timeout=200)
    assert not result.healthy
    assert result.reason == f"no answer from {GATEWAY}"
    assert _numbers(result) == (10, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_lost_or_late_what_is_counted_is_what_came(lan: Lines, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a draw that can be made again
    fates = [rng.choice((NEVER, rng.random() / 20, rng.random() / 2)) for _ in range(11)]
    lan.fates = {f"eth0 {GATEWAY}": fates}
    result = _round(lan, timeout=1000)
    came = [fate for fate in fates if fate != NEVER]
    counted = [fate for fate in fates[1:] if fate != NEVER]
    assert len(counted) <= result.answered + 1
    assert result.answered <= min(len(came), 10)
    if NEVER not in fates:
        assert result.waited == pytest.approx(sum(came) / 11 * 10_000, abs=1)


def test_a_target_is_measured_and_others_are_asked_as_often_as_ever(lan: Lines) -> None:
    lan.fates = {f"eth0 {FOUR.address}": [0.03] * 11}
    lan.manners = {f"eth0 {TCP.address}": {"answer": NEVER}}
    result = _round(lan, targets=(TCP, FOUR), apart=("wlan0",))
    assert _numbers(result) == (10, 10, 300)
    assert result.healthy
    assert lan.asked() == {FOUR.address: 11, TCP.address: 3, GATEWAY: 1}


def test_beyond_a_shared_gateway_nothing_is_measured(lan: Lines) -> None:
    """What is lost there is lost by either: nobody is left for it."""
    lan.fates = {f"eth0 {FOUR.address}": [0.3] * 11}
    config = _config(loss_max=10, targets=(FOUR,))
    active, standby = measure.probe(config, _seen())
    assert _numbers(active) == (10, 10, 4)
    assert _numbers(standby) == (10, 10, 4)


def test_a_connection_says_too_little_to_be_measured(lan: Lines) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": NEVER}}
    result = _round(lan, targets=(TCP,), gateway=False, apart=("wlan0",))
    assert result.healthy
    assert lan.asked()[TCP.address] == 1


def test_who_has_no_limit_is_asked_once(lan: Lines) -> None:
    result = _round(lan, loss_max=0)
    assert _numbers(result) == (0, 0, 0)
    assert lan.asked() == {GATEWAY: 1}


def test_a_socket_that_fails_ends_it(lan: Lines) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.01, "fails": OSError(100, "Network is down")}}
    result = _round(lan)
    assert not result.healthy
    assert result.reason == f"{GATEWAY}: Network is down"


def test_others_are_asked_each_fifth_of_a_second(lan: Lines) -> None:
    lan.manners = {f"eth0 {TCP.address}": {"answer": NEVER}}
    began = lan.now
    _round(lan, targets=(TCP,), apart=("wlan0",))
    (other,) = (wire for wire in lan.wires if wire.name == TCP.address)
    assert [round(at - began, 2) for at in other.asked] == [0, 0.2, 0.4]


def test_twice_the_limit_is_what_the_last_question_has(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [*[0.01] * 10, NEVER]}
    began = lan.now
    assert _numbers(_round(lan, latency_max=400, timeout=100)) == (10, 9, 90)
    assert lan.now - began == pytest.approx(1.3)


def test_somebody_elses_packet_ends_nothing(lan: Lines) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"foreign": [0.001], "answer": 0.01}}
    assert _numbers(_round(lan)) == (10, 10, 100)


def test_one_answer_is_its_own_average_and_told_to_the_microsecond(lan: Lines) -> None:
    lan.fates = {f"eth0 {GATEWAY}": [*[NEVER] * 10, 5]}
    result = _round(lan, timeout=6000)
    assert (result.answered, result.waited, result.rtt) == (1, 5000, 5_000_000)


def test_a_hiccup_costs_what_is_asked_until_it_is_heard_again(lan: Lines) -> None:
    one = {"answer": 0.01, "hiccups": [OSError(100, "Network is down")]}
    lan.manners = {f"eth0 {GATEWAY}": one}
    result = _round(lan)
    assert result.healthy
    assert (result.asked, result.answered) == (10, 10)


def test_where_nothing_was_asked_nothing_was_lost(lan: Lines) -> None:
    (subject,) = measure.measured(list(rounds.subjects_of(_config(loss_max=10), _seen(), "eth0")))
    assert lan.asked() == {GATEWAY: 0}
    assert _numbers(subject.result()) == (0, 0, 0)


def test_more_failures_than_questions_have_as_many(lan: Lines) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": NEVER}}
    assert _round(lan, failures=20, timeout=100).asked == 20
