"""The order of a run: make the changes, remember, tell, record, count, notify, remember that.

Stopped anywhere, by a kill or by an error, what does the next run do? The kernel is a model of
one (tests/support/world.py); files are real.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from netfail_hooks import journal, reconcile, recorder
from netfail_hooks.config import Config
from netfail_hooks.errors import NotPermitted
from netfail_hooks.kernel import foreign
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.observe import now
from netfail_hooks.paths import Paths
from netfail_hooks.policy.changes import Change, SetRoute, stays
from netfail_hooks.policy.crowd import LEARNT
from netfail_hooks.policy.facts import MAIN, Address, Observation, Route, Taken
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.reconcile import converge, notify, probing
from netfail_hooks.recorder import counters, drills, repeat
from netfail_hooks.recorder.drills import Drill
from netfail_hooks.values import replace
from tests.conftest import Tried
from tests.support.world import World, config_of

MOVED = "IPv4 now by wlan0"
BACK = "eth0 IPv4 recovering"
ROUTE, MAKE, REMEMBER, TELL, RECORD, FORGET, COUNT, NOTIFY, CLOSE = (
    "set a route",
    "make another change",
    "remember",
    "tell",
    "record",
    "forget",
    "count",
    "notify",
    "remember that nothing is pending",
)


class KilledError(BaseException):
    """SIGKILL: nothing of the run happens after it, no ``finally`` either."""


class Open:
    """A context that holds nothing: what stands for the socket to the kernel."""

    crowded = frozenset[int]()
    heard = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Life:
    """A machine and its files; ``kill_at`` an effect's number, ``refuse`` all that begin so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.world = World(config_of("eth0", "wlan0"), families=(4,))
        self.paths = Paths(str(root))
        self.journal: list[str] = []
        self.notified: list[str] = []
        self.effects: list[str] = []
        self.kill_at = -1
        self.refuse = ""
        self._killed = False
        for module in (reconcile, converge):
            monkeypatch.setattr(module, "observe", self._observe)
        monkeypatch.setattr(reconcile, "Netlink", Open)
        monkeypatch.setattr(converge, "Announcer", Open)
        monkeypatch.setattr(converge, "apply", self._apply)
        monkeypatch.setattr(journal, "log", self._after(TELL, self._log))
        monkeypatch.setattr(recorder, "write", self._after(RECORD, recorder.write))
        monkeypatch.setattr(repeat, "forget", self._after(FORGET, repeat.forget))
        self._save = reconcile.save_state
        monkeypatch.setattr(reconcile, "save_state", self._remember)
        monkeypatch.setattr(counters, "note", self._after(COUNT, counters.note))
        monkeypatch.setattr(notify, "start", self._after(NOTIFY, self._notify))

    def run(self, trigger: str) -> None:
        """Let a run go as far as it gets."""
        self.world.now += 1000
        self.effects, self._killed = [], False
        try:
            reconcile.run(self.world.config, self.paths, trigger)
        except KilledError:
            assert self._killed

    def lose(self) -> None:
        self.world.event("eth0", "no-carrier")
        self.run("eth0 no-carrier")

    def rest(self) -> None:
        """Let the timer come three times, and nothing be in its way."""
        self.kill_at, self.refuse = -1, ""
        for _ in range(3):
            self.run("timer")
        assert self.effects == [], "the last run still had something to do"

    def outcome(self) -> dict[str, int]:
        """Return how often the move to wlan0 was told, recorded, counted, and notified of."""
        moves = [count for count in counters.load(self.paths) if not count.interface]
        return {
            TELL: sum(MOVED in message for message in self.journal),
            RECORD: sum(MOVED in summary for summary in self.summaries()),
            COUNT: sum(count.count for count in moves),
            NOTIFY: sum(MOVED in line for line in self.notified),
        }

    def summaries(self) -> list[str]:
        """Return what the flight recorder has to tell, a line each."""
        return [entry["summary"] for entry in self.entries()]

    def entries(self) -> list[Any]:
        """Return what the flight recorder has."""
        with open(self.paths.log + recorder.FILE, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def is_settled(self, uplink: str = "wlan0") -> bool:
        """Tell whether the traffic goes by an uplink, and the next run will know that."""
        state = reconcile.load_state(self.paths.run + "/state")
        return self.world.way() == state.active_uplink(4) == uplink

    def _effect(self, name: str) -> None:
        if self._killed or len(self.effects) == self.kill_at:
            self._killed = True
            raise KilledError
        self.effects.append(name)
        if self.refuse and name.startswith(self.refuse):
            raise OSError(28, os.strerror(28))

    def _after(self, name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def stoppable(*args: Any, **more: Any) -> Any:
            self._effect(name)
            return effect(*args, **more)

        return stoppable

    def _observe(self, config: Config, _: object, **__: object) -> Observation:
        assert config == self.world.config
        return self.world.look()

    def _apply(
        self, changes: tuple[Change, ...], *_: object
    ) -> tuple[list[tuple[Change, OSError]], list[Change]]:
        failed: list[tuple[Change, OSError]] = []
        left_out: list[Change] = []
        for change in changes:
            if stays(change, [one for one, _ in failed]):
                left_out.append(change)
                continue
            try:
                self._effect(ROUTE if isinstance(change, SetRoute) else MAKE)
            except OSError as error:
                failed.append((change, error))
            else:
                self.world.make(change)
        return failed, left_out

    def _remember(self, path: str, state: State, pending: str) -> None:
        self._effect(REMEMBER if pending else CLOSE)
        self._save(path, state, pending)

    def _log(self, message: str, **_: object) -> None:
        self.journal.append(message)

    def _notify(self, _: Paths, line: str) -> None:
        self.notified.append(line)


@contextlib.contextmanager
def _begun(root: Path) -> Iterator[Life]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        life = Life(monkeypatch, root)
        life.run("eth0 routable")
        assert life.is_settled("eth0")
        life.journal.clear()
        life.notified.clear()
        yield life


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """Return a machine on which all is well, and known to be."""
    with _begun(tmp_path) as life:
        yield life


def test_what_is_ours_on_a_former_uplink_is_looked_for_until_there_is_none(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is much, nothing but a closer look finds it; and the kernel may refuse."""
    left = [Route("#9", 4, "198.51.100.0/24", 5, "192.0.2.1")]
    looks = []

    def completed(_: object, __: object, look: Observation, *___: object, **____: object) -> Any:
        looks.append(look)
        return replace(look, routes=(*look.routes, *left))

    monkeypatch.setattr(Open, "crowded", frozenset({rt.GETROUTE}))
    monkeypatch.setattr(foreign, "completed", completed)
    known = reconcile.load_state(life.paths.state)
    was = UplinkState("usb0", 4, "up", 7, reason="")
    life._save(life.paths.state, replace(known, uplinks=(*known.uplinks, was)))
    life.refuse = MAKE
    for _ in range(3):
        seen = len(looks)
        life.run("timer")
        assert len(looks) > seen, "looked for no more"
    left.clear()
    life.rest()
    looks.clear()
    life.run("timer")
    assert looks == []
    assert {one.interface for one in reconcile.load_state(life.paths.state).uplinks} == {
        "eth0",
        "wlan0",
    }
    assert sum("usb0" in summary for summary in life.summaries()) == 1


def test_a_round_asks_by_those_addresses_that_are_known(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others a LAN has given the uplink since, which come first by number."""
    look = life.world.look()
    flood = [
        Address("eth0", 4, f"10.0.{n}.1", 24, valid=600, preferred=600) for n in range(3 * LEARNT)
    ]
    mine = [replace(own, valid=600, preferred=600) for own in look.addresses]
    asked = []

    class Seen:
        def __init__(self, _: Config) -> None:
            self.observed = replace(look, addresses=(*flood, *mine))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def noted(_: object, observed: Observation, *__: object, **___: object) -> tuple[()]:
        asked.append(set(mine) - set(observed.addresses))
        return ()

    def briefly(config: object, observed: Observation, *_: object) -> tuple[tuple[()], tuple[()]]:
        return noted(config, observed), ()

    monkeypatch.setattr(probing, "Unchanged", Seen)
    monkeypatch.setattr(probing, "probe", noted)
    monkeypatch.setattr(probing, "run", lambda *_, **__: None)
    monkeypatch.setattr("netfail_hooks.probe.confirm.confirm", briefly)
    probing.probe_and_run(life.world.config, life.paths, "timer")
    probing.confirm_and_run(life.world.config, life.paths, "watch", 0)
    assert asked == [set(), set()]


ONCE = dict.fromkeys((TELL, RECORD, COUNT, NOTIFY), 1)


def test_a_run_makes_remembers_tells_records_counts_and_notifies(life: Life) -> None:
    life.lose()
    made = [effect for effect in life.effects if effect in (ROUTE, MAKE)]
    assert {ROUTE, MAKE} == set(made)
    assert life.effects == [*made, REMEMBER, TELL, RECORD, FORGET, COUNT, NOTIFY, CLOSE]
    life.rest()
    assert life.outcome() == ONCE
    assert life.is_settled()


def test_who_is_refused_is_told_to_use_sudo(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise PermissionError(1, "Operation not permitted")

    refused = r"^{}: Operation not permitted: use sudo$"
    with pytest.raises(NotPermitted, match=refused.format("cannot probe")):
        probing._asking(refuse)
    monkeypatch.setattr(reconcile, "_settle", refuse)
    with pytest.raises(NotPermitted, match=refused.format("the kernel refused")):
        reconcile.run(life.world.config, life.paths, "check")


def test_a_process_that_lives_on_counts_from_when_it_heard(life: Life) -> None:
    """The watch may have listened for long: its age says nothing of how soon it acted."""
    seconds = random.randrange(1000, 4000)  # noqa: S311 - more than the age of this process
    life.world.event("eth0", "no-carrier")
    life.world.now += 1000
    reconcile.run(life.world.config, life.paths, "watch", heard=time.monotonic() - seconds)
    assert seconds * 1000 <= life.entries()[-1]["took_ms"] < (seconds + 60) * 1000


@pytest.mark.parametrize(("seconds", "marked"), [(20, True), (-60, False)])
def test_a_move_is_a_drills_until_that_must_be_over_though_nobody_took_its_note_away(
    *, life: Life, seconds: int, marked: bool
) -> None:
    drills.note(life.paths, Drill("x", "gateway", "silence", "eth0", now() + seconds * 1000, 2))
    life.lose()
    with open(life.paths.log + recorder.FILE, encoding="ascii") as file:
        last = [json.loads(line) for line in file][-1]
    assert MOVED in last["summary"]
    assert last["trigger"].endswith(recorder.DRILL) == marked


# Killed before this, what is not as if nobody had been killed. Whom we can't ask what they have
# heard, the journal and the hooks in notify.d, rather hear a thing twice than never.
KILLED: dict[str, dict[str, int]] = {
    ROUTE: {},
    MAKE: {},
    REMEMBER: {},
    TELL: {},
    RECORD: {TELL: 2},
    FORGET: {},
    COUNT: {},
    NOTIFY: {},
    CLOSE: {NOTIFY: 2},
}


@pytest.mark.faults
def test_what_a_killed_run_left_the_next_one_does(tmp_path: Path, tried: Tried) -> None:
    effects = _effects(tmp_path / "whole")
    assert set(effects) == set(KILLED)
    for place, name in enumerate(effects):
        with _begun(tmp_path / str(place)) as life:
            life.kill_at = place
            life.lose()
            assert life.effects == effects[:place]
            life.rest()
            assert life.outcome() == ONCE | KILLED[name], f"killed at {place}, before {name}"
            assert life.is_settled()
            tried("kills of a run between two effects", 1)


def _effects(root: Path) -> list[str]:
    """Return what a run does in which the uplink is lost, in its order."""
    with _begun(root) as life:
        life.lose()
        return life.effects


@pytest.mark.faults
def test_what_two_killed_runs_left_the_next_one_does(tmp_path: Path, tried: Tried) -> None:
    places = range(len(_effects(tmp_path / "whole")))
    for first, second in itertools.product(places, places):
        with _begun(tmp_path / f"{first}-{second}") as life:
            life.kill_at = first
            life.lose()
            life.kill_at = second
            life.run("timer")
            life.rest()
            outcome = life.outcome()
            assert outcome[RECORD] == outcome[COUNT] == 1, f"killed at {first}, then at {second}"
            assert 1 <= outcome[TELL] <= 3
            assert 1 <= outcome[NOTIFY] <= 3
            assert life.is_settled()
            tried("kills of a run between two effects", 2)


@pytest.mark.faults
def test_what_a_killed_run_left_is_told_though_all_is_otherwise_now(
    tmp_path: Path, tried: Tried
) -> None:
    effects = _effects(tmp_path / "whole")
    remembered = range(effects.index(REMEMBER) + 1, len(effects))
    # The second kill, at most places: what the first left comes before what there is to do now.
    for first, second in itertools.product(remembered, range(-1, 2 * len(effects))):
        with _begun(tmp_path / f"{first}-{second}") as life:
            life.kill_at = first
            life.lose()
            life.world.event("eth0", "routable")
            life.kill_at = second
            life.run("timer")
            life.rest()
            outcome, recorded = life.outcome(), life.summaries()
            assert outcome[RECORD] == outcome[COUNT] == 1, f"killed at {first}, then at {second}"
            assert sum(BACK in summary for summary in recorded) == 1, recorded
            assert any(BACK in line for line in life.notified)
            if second < 0:
                assert outcome == ONCE | KILLED[effects[first]]
            assert life.is_settled()
            tried("kills of a run between two effects", 2)


@pytest.mark.parametrize("line", ["{}", '{"schema":3}', "", '{"schema":2,"changes":[7]}'])
def test_a_pending_line_that_says_nothing_to_us_is_let_go_of(life: Life, line: str) -> None:
    state = life.paths.state
    text = Path(state).read_text()
    Path(state).write_text(text.replace("\nend\n", f"\npending {line}\nend\n"))
    life.run("timer")
    (message,) = life.journal
    assert message.startswith("cannot tell of the last transition: ")
    assert Path(state).read_text() == text
    life.rest()


# Where this fails, what is not as if nothing had. A record that finds no room is lost; the journal
# has told it.
REFUSED: dict[str, dict[str, int]] = {
    ROUTE: {},
    RECORD: {RECORD: 0},
    REMEMBER: {},
    COUNT: {COUNT: 0},
    NOTIFY: {NOTIFY: 0},
    CLOSE: {NOTIFY: 2},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_fails_keeps_nothing_else_and_is_made_up_for(life: Life, name: str) -> None:
    life.refuse = name
    life.lose()
    life.rest()
    assert life.outcome() == ONCE | REFUSED[name]
    assert life.is_settled()
    if name != ROUTE:
        assert any(
            message.startswith(f"cannot {name.partition(' ')[0]}") for message in life.journal
        )


def test_what_was_left_in_its_place_is_not_told_as_done(life: Life) -> None:
    life.world = World(config_of("eth0", "wlan0", "usb0"), families=(4,))
    life.rest()
    life.lose()
    life.refuse = ROUTE
    life.world.event("wlan0", "no-carrier")
    life.run("wlan0 no-carrier")
    refused = life.entries()[-1]
    assert any(one.startswith("set default via") for one in refused["failed"])
    assert not any(one.startswith("drop default via") for one in refused["did"])
    life.rest()
    assert any(one.startswith("drop default via") for one in life.entries()[-1]["did"])


@pytest.mark.parametrize("name", [ROUTE, RECORD, REMEMBER])
def test_what_goes_on_failing_is_told_once(life: Life, name: str) -> None:
    life.refuse = name
    life.lose()
    life.run(
        "timer"
    )  # another run than the one that was woken, so it may have another thing to say
    messages, notified = list(life.journal), list(life.notified)
    assert len(set(messages)) == len(messages)
    for _ in range(5):
        life.run("timer")
    assert life.journal == messages
    assert life.notified == notified
    life.rest()
    assert life.outcome() == ONCE | REFUSED[name]


def test_a_route_of_ours_that_the_kernel_tells_nobody_of_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its place was taken, which is no failure: the next look finds by whom."""

    class Heard:
        heard, port = object(), 7

    wanted = (SetRoute(Route("wlan0", 6, "default", 50, "fe80::1")),)
    for told, enough in (([], False), ([(rt.NEWROUTE, 7, b"")], True), (None, False)):
        monkeypatch.setattr("netfail_hooks.kernel.heard.messages", lambda _, told=told: told)
        for changes, right in ((wanted, enough), ((), told is not None)):
            found = converge._is_as_decided(Heard(), changes, Observation(now=0))  # type: ignore[arg-type]
            assert found == right


def test_somebodys_ipv6_default_route_behind_ours_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lookup shows it once ours has made way, and then there may be more to do."""

    class Heard:
        heard, port = object(), 7

    monkeypatch.setattr("netfail_hooks.kernel.heard.messages", lambda _: [])
    for family, enough in ((6, False), (4, True)):  # IPv4's are always seen
        hidden = Observation(now=0, taken=(Taken(family, "default", 95, MAIN),))
        assert converge._is_as_decided(Heard(), (), hidden) == enough  # type: ignore[arg-type]
