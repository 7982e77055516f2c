"""Replay: the words, the simulated machine, and recorded decisions made again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks import cli, recorder
from netfail_hooks.cli import replay
from netfail_hooks.config.file import render
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import Run
from netfail_hooks.replay import events as steps
from netfail_hooks.replay.decisions import again, simulate
from netfail_hooks.replay.events import DEAD, STATES, Event
from netfail_hooks.values import replace
from tests.support.runs import probe, runs
from tests.support.world import World, config_of

_CONFIG = config_of("eth0", "wlan0")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return the files of a machine that the command then looks at."""
    paths = Paths(str(tmp_path / "root"))
    monkeypatch.setattr(replay, "Paths", lambda: paths)
    return paths


_NOW_BY = "IPv4( and IPv6)? now by "


def _lines(*events: tuple[str, str]) -> list[str]:
    return [recorder.line(run) for run in runs(*events)]


def test_a_story_told_by_the_decision_core() -> None:
    plan = steps.parse(["eth0=no-carrier", "eth0=routable", "+20s"], states=STATES)
    told = list(simulate(_CONFIG, plan))
    heads = [text.strip().splitlines()[0] for text in told]
    assert heads == [
        "a simulated machine, all well:",
        ("check: eth0 IPv4 and IPv6 up; wlan0 IPv4 and IPv6 up; IPv4 and IPv6 now by eth0"),
        "eth0=no-carrier:",
        ("eth0 no-carrier: eth0 IPv4 and IPv6 down (no carrier); IPv4 and IPv6 now by wlan0"),
        "eth0=routable:",
        "eth0 routable: eth0 IPv4 and IPv6 recovering: must stay well for 10 s first",
        "+20s:",
        "check at +12s: eth0 IPv4 and IPv6 up; IPv4 and IPv6 now by eth0",
    ]
    assert "        set default via 192.168.1.1 dev wlan0 metric 50" in "\n".join(told)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("no-carrier", "no carrier"),
        ("off", "link is down"),
        ("missing", "interface is gone"),
        ("linger", "interface is gone"),
        ("degraded", "no address"),
        ("dormant", "no carrier"),
        (DEAD, "no answer from gateway 192.168.1.1"),
    ],
)
def test_every_loss_moves_the_traffic_and_every_return_brings_it_back(state: str, why: str) -> None:
    told = list(
        simulate(_CONFIG, (Event("eth0", state), Event("eth0", "routable"), Event(wait=60)))
    )
    lost = re.compile(rf"eth0 IPv4( and IPv6)? down \({why}\).*{_NOW_BY}wlan0")
    assert any(map(lost.search, told))
    assert re.search(f"{_NOW_BY}eth0", told[-1])


@pytest.mark.parametrize("state", ["configuring", "pending", "unmanaged", "configured"])
def test_a_state_that_says_nothing_of_the_link_moves_nothing(state: str) -> None:
    assert len(list(simulate(_CONFIG, (Event("eth0", state),)))) == 3


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.one_of(
            st.builds(Event, st.sampled_from(["eth0", "wlan0"]), st.sampled_from([*STATES, DEAD])),
            st.builds(Event, wait=st.integers(0, 30)),
        ),
        max_size=8,
    )
)
def test_any_story_ends_where_it_began_once_all_is_well(plan: list[Event]) -> None:
    ending = [Event("eth0", "routable"), Event("wlan0", "routable"), Event(wait=700)]
    once = list(simulate(_CONFIG, (*plan, *ending)))
    assert once == list(simulate(_CONFIG, (*plan, *ending)))
    carried = [text for text in once if re.search(_NOW_BY, text)]
    assert re.search(f"{_NOW_BY}eth0", carried[-1])


def test_recorded_decisions_are_made_again() -> None:
    found = list(again(_lines(("eth0", "no-carrier"), ("wlan0", "off"), ("eth0", "routable"))))
    assert [one.same for one in found] == [True] * 4
    assert "eth0 no-carrier: eth0 IPv4 and IPv6 down (no carrier)" in found[1].text


@pytest.mark.parametrize("what", ["after", "changes", "before", "observed"])
def test_a_decision_other_than_recorded_is_told(what: str) -> None:
    entry = json.loads(_lines(("eth0", "no-carrier"))[1])
    match what:
        case "after":
            entry["after"]["uplinks"][0]["state"] = "up"
        case "changes":
            entry["changes"][-1]["interface"] = "eth9"
        case "before":
            entry["before"]["uplinks"][0]["hold"] = 77
        case "observed":
            entry["observed"]["links"][0]["carrier"] = True
    (found,) = again([json.dumps(entry)])
    assert not found.same
    assert "DIFFERS" in found.text


def test_changes_of_later_looks_are_no_difference() -> None:
    entry = json.loads(_lines(("eth0", "no-carrier"))[1])
    entry["changes"] += entry["changes"][:2]
    (found,) = again([json.dumps(entry)])
    assert found.same
    assert found.text.endswith("    then, on another look: 2 more")


def test_the_command_says_whether_all_are_the_same(
    machine: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _lines(("eth0", "no-carrier"))
    (tmp_path / "good").write_text("".join(lines))
    (tmp_path / "bad").write_text("".join(lines) + '{"schema": 1}\n')
    assert cli.entry(["replay", str(tmp_path / "good")]) == 0
    assert capsys.readouterr().out.endswith("2 decisions, none other than recorded\n")
    assert cli.entry(["replay", str(tmp_path / "bad")]) == 1
    out = capsys.readouterr().out
    assert "line 3: DAMAGED: time: not str" in out
    assert out.endswith("3 decisions, 1 other than recorded\n")
    assert not Path(machine.root).exists()


def test_a_list_is_played_with_this_machines_uplinks(
    machine: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "list"
    plan.write_text("lan=off\n")
    assert cli.entry(["replay", str(plan)]) == 0
    assert (
        "IPv4 and IPv6 now by eth0" in capsys.readouterr().out
    )  # no config: a second one is made up
    Path(machine.config).parent.mkdir(parents=True)
    Path(machine.config).write_text(render(config_of("lan", "wifi", "lte")))
    assert cli.entry(["replay", str(plan)]) == 0
    assert "IPv4 and IPv6 now by wifi" in capsys.readouterr().out
    plan.write_text("eth0=off\n")
    assert cli.entry(["replay", str(plan)]) == 2
    assert "eth0: no uplink: the configured ones are lan, wifi, lte" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "status", "told"),
    [
        (["nowhere"], 2, "no file 'nowhere': events are written eth0=no-carrier"),
        (["eth0=off", "nowhere"], 2, "not an event: 'nowhere'"),
        (["--all", "/dev/null"], 2, "--all and --dry-run are about hooks"),
        (["--sandbox", "--dry-run", "eth0=off"], 2, "--sandbox goes with neither"),
        (["eth0=off"], 2, "no 50-netfail-hooks for off in"),
        (["--sandbox", "eth0=gone"], 2, "no state 'gone'"),
    ],
)
def test_wrong_use(
    machine: Paths, capsys: pytest.CaptureFixture[str], argv: list[str], status: int, told: str
) -> None:
    assert not Path(machine.root).exists()
    assert cli.entry(["replay", *argv]) == status
    assert told in capsys.readouterr().err


def _cut(run: Run) -> str:
    """Return the line of a run that was too long."""
    long = tuple(f"{n} {'x' * 1000}" for n in range(100))
    line = recorder.line(replace(run, failed=long))
    assert "cut" in json.loads(line)
    return line


def test_a_line_that_was_cut_spoils_no_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, back = runs(("eth0", "no-carrier"), ("eth0", "routable"))[-2:]
    lines = [_cut(lost), recorder.line(back)]
    plan, config = replay.recorded(lines)
    assert ([str(step) for step in plan], config) == (["eth0=no-carrier", "eth0=routable"], _CONFIG)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    assert cli.entry(["replay", str(file)]) == 0
    told = capsys.readouterr().out
    assert "eth0 no-carrier: not decided again: only a part was recorded, it was 1" in told
    assert told.endswith("1 decisions, none other than recorded, 1 cut\n")


def test_a_line_that_was_cut_and_spoilt_is_spoilt() -> None:
    line = _cut(runs(("eth0", "no-carrier"))[-1])
    for spoilt in (line.replace('"config"', '"confug"'), re.sub(r'"cut":"[^"]*"', '"cut":1', line)):
        (made,) = again([spoilt])
        assert "DAMAGED" in made.text
        assert (made.same, made.cut) == (False, False)


def test_events_can_be_had_from_the_record() -> None:
    world = World(_CONFIG)
    lines = _lines(("eth0", "no-carrier"), ("eth0", "routable"))
    world.sick = {"wlan0"}
    for trigger in ("timer", "wlan0 routable probe"):
        lines.append(recorder.line(probe(world, trigger)))
        world.sick = set()
    plan, config = replay.recorded(lines)
    assert config == _CONFIG
    assert [str(step) for step in plan] == [
        "eth0=routable",
        "eth0=no-carrier",
        "eth0=routable",
        "wlan0=dead",
        "wlan0=routable",
    ]
