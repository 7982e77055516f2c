"""What the service manager starts on the kernel's word: it hears, asks, looks, and hears on."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from netfail_hooks import watch
from netfail_hooks.config import cache
from netfail_hooks.kernel import ear
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.state import Active, State
from netfail_hooks.reconcile import probing
from netfail_hooks.recorder import Run
from tests.support.world import config_of

if TYPE_CHECKING:
    from netfail_hooks.config.cache import Generation

CONFIG = config_of("eth0", "wlan0")
WELL = Result("eth0", 4, healthy=True, tries=1, rtt=400, reason="")
DEAD = Result("eth0", 4, healthy=False, tries=2, rtt=0, reason="mute")
ETH, WLAN = State(active=(Active(4, "eth0", 1),)), State(active=(Active(4, "wlan0", 2),))


class Machine:
    """What is asked and done; each brief question has the next answer, each look the next state."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[tuple[Result, ...]] = []
        self.after: list[State] = []
        self.did: list[str] = []
        self.spoken: list[float] = []
        self.since: list[tuple[object, object]] = []
        self.patient: list[object] = []
        self.generations: Iterator[Generation] = itertools.repeat(("config", "manifest", ""))
        self.kernel, self.ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.settimeout(0)
        monkeypatch.setattr(cache, "load", lambda _: CONFIG)
        monkeypatch.setattr(cache, "generation", lambda _: next(self.generations))
        monkeypatch.setattr(ear, "listen", lambda *_: self.did.append("listen"))
        monkeypatch.setattr(watch, "_inherited", lambda: self.ear)
        monkeypatch.setattr(watch, "_SILENCE", 0.05)
        monkeypatch.setattr(probing, "confirm_and_run", self._confirm)
        monkeypatch.setattr(probing, "probe_and_run", self._probe)

    def _confirm(
        self, config: object, paths: object, trigger: object, spoken: float, **more: object
    ) -> tuple[bool, bool, Run]:
        self.did.append("confirm")
        self.spoken.append(spoken)
        self.since.append((more["since"], config))
        brief = self.answers.pop(0)
        well = all(result.healthy for result in brief)
        return bool(brief), well, self._run(config, paths, trigger)

    def _probe(self, config: object, paths: object, trigger: object, **more: object) -> Run:
        self.patient.append(more.get("patient", True))
        assert more["heard"] == self.spoken[-1]
        return self._run(config, paths, trigger)

    def _run(self, _: object, __: object, trigger: object) -> Run:
        assert isinstance(trigger, str)
        self.did.append(trigger)
        after = self.after.pop(0) if self.after else ETH
        return Run(trigger, CONFIG, Observation(0), ETH, after, (), (), 0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine(monkeypatch)
    yield found
    found.kernel.close()
    found.ear.close()


def test_a_dead_gateway_is_left_and_all_are_asked_with_patience(machine: Machine) -> None:
    machine.answers, machine.after = [(DEAD,)], [WLAN]
    machine.kernel.send(b"word")
    assert watch.main() == 0
    assert machine.did == ["listen", "confirm", "watch", "watch probe"]


@pytest.mark.parametrize(("answers", "after"), [((DEAD,), ETH), ((), WLAN), ((WELL,), WLAN)])
def test_a_dead_gateway_or_a_move_is_enough_for_that(
    machine: Machine, answers: tuple[Result, ...], after: State
) -> None:
    machine.answers, machine.after = [answers], [after]
    assert watch.main() == 0
    assert machine.did[-1] == "watch probe"
    assert machine.patient == [False], "pages and programs are the check's"


def _joined(looks: int) -> list[str]:
    return ["listen", "confirm", "watch"] * looks


def test_a_wrong_word_has_it_stay_to_hear_the_next(machine: Machine) -> None:
    machine.answers = [(WELL,), (WELL,), (DEAD,)]
    seen: list[int] = []

    def drain(heard: socket.socket) -> str:
        seen.append(1)
        machine.kernel.send(b"again") if len(seen) > 1 else None
        return "gateway" if len(seen) < 2 or heard.recv(9) else ""

    machine.kernel.send(b"one")
    machine.kernel.send(b"two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ear, "drain", drain)
        assert watch.main() == 0
    assert machine.did == [*_joined(3), "watch probe"]


def _hears_twice_more(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.answers = [(WELL,), (WELL,), (DEAD,)]
    monkeypatch.setattr(watch, "_hears_more", lambda *_: True)
    monkeypatch.setattr(ear, "drain", lambda _: "gateway")


def test_each_look_goes_by_what_the_config_and_the_orders_are_then(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found out by an older config a run leaves alone (reconcile/__init__.py)."""
    _hears_twice_more(machine, monkeypatch)
    other = config_of("wlan0", "eth0")
    configs = iter((CONFIG, other))
    monkeypatch.setattr(cache, "load", lambda _: next(configs))
    first, edited = ("config", "manifest", ""), ("config", "manifest", "orders")
    machine.generations = itertools.chain([first, first], itertools.repeat(edited))
    assert watch.main() == 0
    assert machine.since == [(first, CONFIG), (first, CONFIG), (edited, other)]


def test_it_ends_where_it_was_uninstalled_meanwhile(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hears_twice_more(machine, monkeypatch)
    machine.generations = itertools.chain(
        [("config", "manifest", "")], itertools.repeat(("", "", ""))
    )
    assert watch.main() == 0
    assert machine.did == _joined(1)


def test_an_answer_from_before_the_word_is_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first word came before this process was, a later one perhaps while it rested."""
    _hears_twice_more(machine, monkeypatch)
    now = [100.0]

    def rest(seconds: float) -> None:
        assert seconds == 0.3
        now[0] += seconds

    def look(*told: float) -> bool:
        machine.spoken.append(told[3])
        now[0] += 0.1
        return len(machine.spoken) < 2

    def hears(*_: object) -> bool:
        now[0] += 1.0
        return True

    monkeypatch.setattr(watch, "_look", look)
    monkeypatch.setattr(watch, "_hears_more", hears)
    monkeypatch.setattr(time, "process_time", lambda: 0.0625)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: rest(round(seconds, 6)))
    assert watch.main() == 0
    assert [round(one, 4) for one in machine.spoken] == [99.9375, 101.1]


def test_it_ends_in_silence(machine: Machine) -> None:
    machine.answers = [(WELL,)]
    machine.kernel.send(b"word")
    assert watch.main() == 0
    assert machine.did == ["listen", "confirm", "watch"]
    assert not ear.drain(machine.ear)


def test_after_a_word_of_an_uplink_it_looks_once_more(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.answers, machine.after = [(), (WELL,)], [WLAN, WLAN, ETH]
    monkeypatch.setattr(watch, "_SETTLED", 0.05)
    words = ["uplink", ""]
    monkeypatch.setattr(ear, "drain", lambda _: words.pop(0))
    assert watch.main() == 0
    assert machine.did == [*_joined(1), "watch probe", *_joined(1)]


def test_words_of_an_uplink_without_end_leave_it_time(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    now = [0.0]
    machine.answers = [(WELL,)] * 999

    def rest(seconds: float) -> None:
        rests.append(seconds)
        now[0] += seconds

    def look(*_: object) -> bool:
        now[0] += 0.1
        return False

    monkeypatch.setattr(watch, "_look", look)
    monkeypatch.setattr(watch, "_hears_more", lambda *_: True)
    monkeypatch.setattr(ear, "drain", lambda _: "uplink")
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", rest)
    assert watch.main() == 0
    assert 20 <= now[0] < 21
    assert sum(rests) > now[0] * 0.7


def test_an_endless_storm_ends_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.answers = [(WELL,)] * 99
    monkeypatch.setattr(watch, "_LONGEST", 0.3)
    monkeypatch.setattr(ear, "drain", lambda _: True)  # which leaves what has come
    machine.kernel.send(b"word")
    began = len(machine.answers)
    times = iter(range(99))
    monkeypatch.setattr(time, "monotonic", lambda: next(times) / 20)
    assert watch.main() == 0
    assert 2 < began - len(machine.answers) < 9


def test_a_socket_that_is_meant_for_another_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    assert watch._inherited() is None
    monkeypatch.delenv("LISTEN_PID")
    assert watch._inherited() is None


def test_by_hand_nothing_is_heard(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.answers = [(WELL,)]
    monkeypatch.setattr(watch, "_inherited", lambda: None)
    assert watch.main() == 0
    assert machine.did == ["confirm", "watch"]
