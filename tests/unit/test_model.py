"""A share of the model's steps; ``python -m tools.model`` lives as many as you like."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from netfail_hooks import policy, recorder
from netfail_hooks.install import diversion
from netfail_hooks.policy import metering
from netfail_hooks.policy import routes as decisions
from netfail_hooks.policy.changes import AddRule, Announce, SetRoute, SetSysctl
from netfail_hooks.policy.facts import OWN_TABLES, Observation
from netfail_hooks.policy.state import Active
from netfail_hooks.policy.sysctls import SILENT
from netfail_hooks.replay.decisions import again
from netfail_hooks.values import replace
from tests.conftest import Tried
from tests.support.shares import todays
from tools.model import trial as trials
from tools.model.__main__ import first_broken
from tools.model.ghost import BrokenError
from tools.model.machine import Setup
from tools.model.script import LIFE, RULES, Life, Step, draw, shrink
from tools.model.soak import MACHINES, soak
from tools.model.trial import Trial

_BROKEN = os.path.join(tempfile.gettempdir(), "netfail-hooks-model-broken.jsonl")
_small = st.integers(0, 63)
_setups = st.builds(
    Setup,
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 4),
            st.integers(0, 1),
            st.integers(0, 4),
            st.integers(0, 31),
        ),
        min_size=2,
        max_size=6,
    ).map(tuple),
    hold_down=st.sampled_from((1, 10)),
    successes=st.integers(1, 3),
    follow=st.integers(0, 1),
    limits=st.integers(0, 1),
    metered=st.integers(0, 63),
)


class Machine(RuleBasedStateMachine):
    """Any machine, any steps; hypothesis shrinks what breaks it, and the file tells its runs."""

    @initialize(setup=_setups)
    def begin(self, setup: Setup) -> None:
        self.setup, self.trial = setup, Trial(setup)
        self.steps: list[Step] = []

    @rule(name=st.sampled_from(RULES), a=_small, b=_small)
    def step(self, name: str, a: int, b: int) -> None:
        self.steps.append((name, a, b))
        try:
            self.trial.step(name, a, b)
        except BaseException as error:
            with open(_BROKEN, "w", encoding="ascii") as file:
                file.write(Life(self.setup, tuple(self.steps)).recorded())
            error.add_note(f"its runs: netfail-hooks replay {_BROKEN}")
            raise


TestMachine = pytest.mark.faults(Machine.TestCase)
TestMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@pytest.mark.faults
def test_no_life_breaks_an_invariant(tried: Tried, pytestconfig: pytest.Config) -> None:
    lives = todays(pytestconfig, range(1, 101), 34)
    assert first_broken(lives) is None
    tried("steps of the model", len(lives) * LIFE)


_think, _decide, _plan = policy.next_state, policy.decide, diversion.route_plan


def _trusting(*args: object) -> object:
    """Judge as if a returning uplink needed no probes and no hold-down."""
    after = _think(*args)  # type: ignore[arg-type]
    healed = (replace(s, state="up") if s.state == "recovering" else s for s in after.uplinks)
    return _think(*args[:2], replace(after, uplinks=tuple(healed)))  # type: ignore[call-arg, arg-type]


def _backwards(*args: object) -> object:
    return _decide(*args)[::-1]  # type: ignore[arg-type]


def _lazy(*args: object) -> object:
    return [one for one in _decide(*args) if type(one).__name__ != "SetRoute"]  # type: ignore[arg-type]


def _narrow(*args: object) -> object:
    """Lead around a lost uplink by default routes and the LAN alone."""
    wide = ("203.", "10.", "2001:", "fd50", "fd60")
    return [
        c
        for c in _decide(*args)  # type: ignore[arg-type]
        if not (isinstance(c, SetRoute) and c.route.destination.startswith(wide))
    ]


def _covetous(config: object, observed: Observation, state: object) -> object:
    """Take everybody's addresses for networkd's."""
    taken = tuple(replace(one, foreign=False) for one in observed.addresses)
    return _think(config, replace(observed, addresses=taken), state)  # type: ignore[arg-type]


def _hurried(config: object, observed: Observation, state: object) -> object:
    """Go back to a better uplink whatever the hour, and whatever flows."""
    at_once = replace(config, failback="auto", failback_between="")
    return _think(at_once, observed, state)  # type: ignore[arg-type]


def _content(config: object, observed: Observation, state: object) -> object:
    """Stay with a line however poor it is."""
    blind = tuple(replace(one, answered=0) for one in observed.probes)
    return _think(config, replace(observed, probes=blind), state)  # type: ignore[arg-type]


def _generous(*args: object) -> object:
    """Count what a metered uplink carries while another one has the traffic, too."""
    config, observed, state = args
    every = tuple(
        Active(4, uplink.interface, 0)
        for uplink in config.uplinks  # type: ignore[attr-defined]
        if uplink.metered
    )
    after = _think(*args)  # type: ignore[arg-type]
    asked = replace(state, active=(*every, *state.active))  # type: ignore[attr-defined]
    return replace(after, metered=metering.metered(config, observed, asked))  # type: ignore[arg-type]


def _settled(*args: object) -> object:
    """Have no rules by which an address on another subnet keeps to its uplink."""
    return [
        c
        for c in _decide(*args)  # type: ignore[arg-type]
        if not isinstance(c, AddRule)
        and not (isinstance(c, SetRoute) and c.route.table in OWN_TABLES)
    ]


def _greedy(config: object, observed: object, before: object, after: object) -> object:
    """Drop everybody's routes as if they were ours."""
    wrong = [decisions.DropRoute(one) for one in observed.routes[:1]]  # type: ignore[attr-defined]
    return (*_decide(config, observed, before, after), *wrong)  # type: ignore[arg-type]


def _hushed(config: object, observed: object, before: object, after: object) -> object:
    """Tell a LAN nothing that it was told before, whoever spoke since."""
    told = {(one.address, one.interface) for one in before.owners}  # type: ignore[attr-defined]
    return [
        one
        for one in _decide(config, observed, before, after)  # type: ignore[arg-type]
        if not isinstance(one, Announce) or (one.address, one.interface) not in told
    ]


def _deaf(*args: object) -> object:
    """Silence one before another answers."""
    return sorted(_decide(*args), key=lambda one: not _is_silence(one))  # type: ignore[arg-type]


def _loud(*args: object) -> object:
    return [one for one in _decide(*args) if not _is_silence(one)]  # type: ignore[arg-type]


def _is_silence(change: object) -> bool:
    return isinstance(change, SetSysctl) and change.sysctl.setting == SILENT


def _late(*args: object) -> diversion.Diversion:
    """Lead the traffic around an uplink by routes that come after its own."""
    led = _plan(*args)  # type: ignore[arg-type]
    late = tuple(replace(route, metric=9_000) for route in led.routes)
    return diversion.Diversion(late, led.addresses, led.announced)


@pytest.mark.parametrize(
    ("name", "wrong", "broken"),
    [
        ("next_state", _trusting, "I"),
        ("decide", _backwards, "I"),
        ("decide", _lazy, "I"),
        ("decide", _narrow, "I2"),
        ("decide", _settled, "I2"),
        ("next_state", _covetous, "I11"),
        ("next_state", _content, "I2"),
        ("decide", _greedy, "I6"),
        ("next_state", _generous, "I13"),
        ("next_state", _hurried, "I"),
        ("decide", _hushed, "I9"),
        ("decide", _deaf, "I9"),
        ("decide", _loud, "I"),
        ("route_plan", _late, "I1"),
    ],
)
def test_a_core_that_is_wrong_is_found_out(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., object], broken: str
) -> None:
    monkeypatch.setattr(trials, name, wrong)
    found = first_broken(range(1, 30))
    assert found
    assert found.fault().startswith(broken)


# Of two routers of wlan0 the one that the traffic goes by falls silent; the route by the other one
# is refused, as if the table were full.
_REFUSED = Life(
    Setup(((1, 1, 0, 0, 0), (0, 4, 0, 1, 0), (1, 0, 0, 1, 0)), hold_down=1, quiet=30, successes=1),
    (
        ("torn", 0, 0),
        ("unlucky_round", 0, 0),
        ("fix", 0, 0),
        ("silence", 3, 0),
        ("refused", 0, 23),
    ),
)


def test_what_is_to_be_replaced_stays_where_the_new_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _REFUSED.fault() == ""
    monkeypatch.setattr(trials, "stays", lambda *_: False)
    assert _REFUSED.fault() == "I1"


def test_a_broken_life_shrinks_to_a_few_runs_that_replay_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trials, "decide", _lazy)
    found = first_broken(range(1, 30))
    assert found
    small = shrink(found)
    assert small.fault() == found.fault()
    assert len(small.steps) <= 6
    replayed = list(again(small.recorded().splitlines()))
    assert replayed
    assert not replayed[-1].same, "the right core decides otherwise"


@pytest.mark.faults
@pytest.mark.parametrize("setup", MACHINES[:2])
def test_hours_of_faults_leave_no_trace(setup: Setup, tried: Tried) -> None:
    tried("faults in simulated hours", soak(0.4, 7, setup)["faults"])


def test_a_recorder_that_loses_a_line_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    write, lines = recorder.write, iter(range(10_000))

    def lose(directory: str, line: str, limit: int) -> None:
        if next(lines) % 7:
            write(directory, line, limit)

    monkeypatch.setattr(recorder, "write", lose)
    with pytest.raises(BrokenError, match="a transition is lost"):
        soak(0.3, 7, MACHINES[0])


@pytest.mark.faults
def test_replay_decides_as_the_model_did(tried: Tried) -> None:
    for seed in range(2):
        for one in again(draw(seed).recorded().splitlines()):
            assert one.same, one.text
            tried("runs of the model replayed", 1)
