"""From a recorded line back to the very values, and no further than they allow."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks import recorder
from netfail_hooks.config import Config, Target, Uplink
from netfail_hooks.policy.changes import (
    AddAddress,
    AddRule,
    Announce,
    Change,
    CloseConnections,
    DropAddress,
    DropRoute,
    DropRule,
    Enslave,
    FlushNeighbours,
    SetActive,
    SetMetric,
    SetMonitor,
    SetRoute,
    SetSysctl,
)
from netfail_hooks.policy.facts import Address, Route, Rule, Sysctl
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import events, jsonline, recording
from netfail_hooks.recorder.recording import DamagedError
from netfail_hooks.replay import decisions
from netfail_hooks.replay.decisions import again
from netfail_hooks.timeline import point
from netfail_hooks.values import plain, replace
from tests.conftest import Tried
from tests.support.runs import runs
from tests.support.world import STATES


def _entry() -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(recorder.line(runs(("eth0", "no-carrier"))[1]))
    return entry


@settings(deadline=None)  # a busy machine is no failure
@given(
    events=st.lists(
        st.tuples(st.sampled_from(["eth0", "wlan0", "usb0"]), st.sampled_from(STATES)), max_size=6
    ),
    apart=st.sampled_from([(), ("wlan0",)]),
)
def test_what_is_read_is_what_was_recorded(
    events: list[tuple[str, str]], apart: tuple[str, ...]
) -> None:
    for run in runs(*events, uplinks=("eth0", "wlan0", "usb0"), apart=apart):
        found = recording.parse(recorder.line(run))
        assert (found.config, found.observed) == (run.config, run.observed)
        assert (found.before, found.after) == (run.before, run.after)
        assert found.trigger == run.trigger
        assert [one["change"] for one in found.changes] == [type(c).__name__ for c in run.changes]


@pytest.mark.parametrize(
    "change",
    [
        SetSysctl(Sysctl("ipv4/conf/eth0/arp_filter", "1")),
        AddAddress(Address("eth0", 4, "10.0.0.2", 24)),
        DropAddress(Address("eth0", 6, "fd00::2", 64)),
        SetMetric("eth0", "10.0.0.2", 24, 50),
        SetRoute(Route("eth0", 4, "default", 50, "10.0.0.1", mtu=1400)),
        DropRoute(Route("eth0", 6, "fd00::/64", 50, linkdown=True)),
        Announce("eth0", 4, "10.0.0.2", "02:00:00:00:00:01", "10.0.0.1"),
        CloseConnections(4, "10.0.0.2"),
        FlushNeighbours("eth0"),
        SetActive("bond0", "eth0"),
        SetMonitor("bond0", 100, ("10.0.0.1", "10.0.0.3"), "eth0", "always"),
        Enslave("bond0", "eth0"),
        AddRule(Rule(4, 1000, 157)),
        DropRule(Rule(6, 1000, 157, "fd00::/64", whole=False)),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_run_comes_back_whole(change: Change) -> None:
    run = replace(
        runs(("eth0", "no-carrier"))[1], changes=(change,), failed=(f'{change}: No, "no"',), took=9
    )
    assert recording.run_of(recorder.line(run)) == run


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("failed", "no"),
        ("failed", [3]),
        ("took_ms", "7"),
        ("changes", [{}]),
        ("changes", [{"change": 3}]),
        ("changes", [{"change": ""}]),
        ("changes", [{"change": "annotations"}]),
        ("changes", [{"change": "Sysctl", "key": "a", "setting": "b"}]),
        ("changes", [{"change": "FlushNeighbours"}]),
        ("changes", [{"change": "FlushNeighbours", "interface": "a/b"}]),
    ],
)
def test_what_is_no_run_is_refused(key: str, found: object) -> None:
    with pytest.raises(DamagedError):
        recording.run_of(json.dumps(_entry() | {key: found}))


def test_every_key_of_a_config_comes_back() -> None:
    targets = (Target(4, "9.9.9.9", 53), Target(6, "2620:fe::9"))
    config = Config(
        (Uplink("eth0", 7, gateway=False, targets=targets, policy="all", failures=3, timeout=99),),
        follow_addresses=False,
        interval=0,
    )
    assert recording.build(Config, plain(config), "config") == config


def _set(entry: dict[str, Any], path: str, found: object) -> None:
    *way, last = (int(one) if one.isdigit() else one for one in path.split("."))
    at: Any = entry
    for one in way:
        at = at[one]
    at[last] = found


@pytest.mark.parametrize(
    ("path", "found", "told"),
    [
        ("schema", 3, "schema 3; this version reads 2"),
        ("schema", None, "schema None"),
        ("time", 5, "time: not str"),
        ("trigger", None, "trigger: not str"),
        ("config", None, "config: not an object"),
        ("config", [], "config: not an object"),
        ("config.uplinks", [], "config.uplinks: empty"),
        ("config.hold_down", "10", "config.hold_down: not int: '10'"),
        ("config.hold_down", True, "config.hold_down: not int: 'True'"),
        ("config.hold_down", 1.0, "config.hold_down: not int: '1.0'"),
        ("config.holddown", 10, "config.holddown: unknown key"),
        ("config.uplinks.0.interface", "../x", "config.uplinks[0].interface: '../x' cannot be"),
        ("observed.links", {}, "observed.links: not a list"),
        ("observed.links.0", 3, "observed.links[0]: not an object"),
        ("observed.links.0", {}, "observed.links[0]: one of these is missing"),
        ("observed.links.0.up", 1, "observed.links[0].up: not bool"),
        ("observed.routes.0.family", 5, "observed.routes[0].family: 5 cannot be"),
        (
            "observed.routes.0.destination",
            "x/24",
            "observed.routes[0].destination: 'x/24' cannot be",
        ),
        ("observed.routes.0.destination", "10.0.0.0", "destination: '10.0.0.0' cannot be"),
        ("observed.routes.0.destination", "10.0.0.0/", "destination: '10.0.0.0/' cannot be"),
        ("observed.routes.0.destination", "fd00::/" + "1" * 5000, "destination: 'fd00::/1"),
        ("observed.routes.0.destination", "10.0.0.0/99", "destination: '10.0.0.0/99' cannot be"),
        (
            "observed.routes.0.destination",
            "10.0.0.0/0024",
            "destination: '10.0.0.0/0024' cannot be",
        ),
        ("observed.routes.0.gateway", "1.2.3", "observed.routes[0].gateway: '1.2.3' cannot be"),
        ("before.uplinks.0.state", "fine", "before.uplinks[0].state: 'fine' cannot be"),
        ("before.known_addresses.0.address", "a\0b", "before.known_addresses[0].address"),
        ("after", 0, "after: not an object"),
        ("changes", {}, "changes: not a list of objects"),
        ("changes.0", 1, "changes: not a list of objects"),
    ],
)
def test_what_does_not_fit_is_named(path: str, found: object, told: str) -> None:
    entry = _entry()
    _set(entry, path, found)
    with pytest.raises(DamagedError) as damaged:
        recording.parse(json.dumps(entry))
    assert told in str(damaged.value)


@pytest.mark.parametrize(
    ("destination", "fits"),
    [
        ("10.1.2.3/32", True),
        ("10.1.2.3/33", False),
        ("2001:db8::/128", True),
        ("2001:db8::/129", False),
    ],
)
def test_a_prefix_is_at_most_as_long_as_its_address(destination: str, *, fits: bool) -> None:
    entry = _entry()
    _set(entry, "observed.routes.0.destination", destination)
    with contextlib.nullcontext() if fits else pytest.raises(DamagedError):
        recording.parse(json.dumps(entry))


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '"x"', "{}", "[" * 100_000, "\0", "1" * 5000])
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(DamagedError):
        recording.parse(line)


def test_a_line_from_before_a_key_came_has_its_default() -> None:
    entry = _entry()
    del entry["observed"]["resolved"]
    del entry["config"]["log_bytes"]
    found = recording.parse(json.dumps(entry))
    assert found.config.log_bytes == Config(()).log_bytes


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_spoilt_line_is_refused_or_decided_on_but_never_a_crash(
    tried: Tried, data: st.DataObject
) -> None:
    tried("fuzz inputs: spoilt recordings", 1)
    entry = _entry()
    for _ in range(data.draw(st.integers(1, 3))):
        _spoil(entry, data)
    line = json.dumps(entry)
    assert len(list(again([line]))) == 1
    with contextlib.suppress(ValueError):
        events.parse(line)


def _spoil(entry: dict[str, Any], data: st.DataObject) -> None:
    """Put something else in the place of one thing in an entry."""
    at: Any = entry
    while True:
        keys = list(range(len(at))) if isinstance(at, list) else sorted(at)
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], (dict, list)) or not at[key]:
            break
        at = at[key]
    spoilt: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    at[key] = data.draw(
        spoilt
        | st.sampled_from(
            [[], {}, "::1", "1.2.3.4", "default", "eth0", "fd00:1::/64", "10.0.0.0/8", "down", 4, 6]
        )
    )


def test_what_reads_well_and_cannot_have_been_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no such carrier")

    monkeypatch.setattr(decisions, "decide", refuse)
    line = json.dumps(_entry())
    assert [one.text for one in again([line])] == ["line 1: DAMAGED: no such carrier"]


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["uplinks", "interface", "uplinks", "family", "now", "metric"]),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_no_data_gets_past_but_whole_values(tried: Tried, data: object) -> None:
    tried("fuzz inputs: recorded values", 1)
    for kind in (Config, State, Route):
        try:
            built = recording.build(kind, data, "x")
        except DamagedError:
            continue
        assert isinstance(built, kind)


def test_lines_of_an_earlier_schema_are_still_read_and_decided_again() -> None:
    text = Path(__file__).with_name("data").joinpath("schema-1.jsonl").read_text("ascii")
    lines = text.splitlines()
    assert {json.loads(line)["schema"] for line in lines} == {1}
    for line in lines:
        recorded, gist = recording.parse(line), events.parse(line)
        assert gist.active == {f"ipv{f}": recorded.after.active_uplink(f) for f in (4, 6)}
        assert point(line).after.keys() == {"eth0", "wlan0"}
    assert "DAMAGED" not in "".join(one.text for one in again(lines))
    assert '"held"' not in "".join(jsonline.dumps(plain(recording.parse(x).after)) for x in lines)
