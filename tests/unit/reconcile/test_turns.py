"""Whose turn it is looks again whether it still may: it may have waited, or asked, for long."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from pytest_mock import MockerFixture

from netfail_hooks import metrics, reconcile
from netfail_hooks.config import FAILBACKS, Config, cache, default_metrics
from netfail_hooks.config.cache import generation, load
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Counted, Observation, Result
from netfail_hooks.policy.state import State
from netfail_hooks.reconcile import probing
from netfail_hooks.recorder import Run
from netfail_hooks.values import replace

_FIRST = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
_OTHER = '[[uplink]]\ninterface = "wlan0"\n'


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a machine with a config and a manifest."""
    paths = Paths(str(tmp_path))
    for path, text in ((paths.config, _FIRST), (paths.manifest, "{}")):
        os.makedirs(os.path.dirname(path))
        Path(path).write_text(text)
    return paths


@pytest.fixture
def settled(mocker: MockerFixture) -> list[tuple[str, ...]]:
    """Return the uplinks of each run that looked at the kernel, which itself is left alone."""
    found: list[tuple[str, ...]] = []
    settle = mocker.patch.object(reconcile, "_settle")

    def note(
        config: Config, _: object, cause: tuple[str, str], asked: tuple[tuple[str, ...], object]
    ) -> object:
        found.append((*config.names(), *asked[0]))
        done = reconcile._nothing(cause[0], config)
        return done, done.after

    settle.side_effect = note
    mocker.patch.object(metrics, "update")
    return found


def _run(paths: Paths, config: Config, since: tuple[str, str, str]) -> Run:
    return reconcile.run(config, paths, "test", since=since, probes=("asked",))  # type: ignore[arg-type]


def _handed_on() -> object:
    """Return what the last run was told was seen already."""
    assert isinstance(reconcile._settle, Mock)
    return reconcile._settle.call_args.args[3][1]


def test_a_run_goes_on_where_nothing_has_changed(
    paths: Paths, settled: list[tuple[str, ...]]
) -> None:
    since, config = generation(paths), load(paths)
    _run(paths, config, since)
    assert settled == [("eth0", "wlan0", "asked")]


@pytest.mark.parametrize("kept", ["", "config", "manifest"])
def test_a_run_whose_turn_comes_after_uninstall_leaves_nothing(
    paths: Paths, settled: list[tuple[str, ...]], kept: str
) -> None:
    since, config = generation(paths), load(paths)
    for name in ("config", "manifest"):
        if name != kept:
            os.unlink(getattr(paths, name))
    _run(paths, config, since)
    assert settled == []
    assert not os.path.exists(paths.run)


def test_a_run_whose_turn_comes_while_uninstall_is_at_work_does_nothing(
    paths: Paths, settled: list[tuple[str, ...]]
) -> None:
    since, config = generation(paths), load(paths)
    Path(paths.uninstalling).touch()
    _run(paths, config, since)
    assert settled == []


@pytest.mark.parametrize("left", [False, True])
def test_nothing_is_done_while_another_manager_has_the_uplinks(
    paths: Paths, settled: list[tuple[str, ...]], *, left: bool
) -> None:
    """As a power cut amid an install or uninstall leaves it; until its manager leaves them."""
    deciding = "/etc/its/own.conf"
    for path in [paths.condition, *([paths.at(deciding)] if left else [])]:
        os.makedirs(os.path.dirname(path))
        Path(path).write_text(f"[Unit]\nConditionPathExists={deciding}\n")
    _run(paths, load(paths), generation(paths))
    assert bool(settled) == left


def test_a_run_whose_turn_comes_after_another_install_goes_by_its_config(
    paths: Paths, settled: list[tuple[str, ...]]
) -> None:
    since, config = generation(paths), load(paths)
    os.unlink(paths.config)
    Path(paths.config).write_text(_OTHER)
    _run(paths, config, since)
    assert settled == [("wlan0",)]


def test_what_was_seen_for_a_question_counts_unless_the_config_was_edited_meanwhile(
    paths: Paths, settled: list[tuple[str, ...]], mocker: MockerFixture
) -> None:
    """Neither the answers of another config's uplinks, nor what was seen of them."""
    seen = mocker.patch.object(probing, "Unchanged").return_value.__enter__.return_value
    seen.observed = Observation(now=0)
    ask = mocker.patch("netfail_hooks.probe.confirm.confirm")
    well = Result("eth0", 4, healthy=True, tries=1, rtt=400, reason="")
    dead = replace(well, healthy=False)
    since, config = generation(paths), load(paths)
    for brief, late, found in (
        ((dead,), (), (True, False)),
        ((), (dead,), (True, True)),  # nothing is to be said of it, but it is no reason to end
        ((well,), (dead,), (True, True)),
        ((), (), (False, True)),
        ((well,), (), (True, True)),
    ):
        ask.return_value = brief, late
        settled.clear()
        assert probing.confirm_and_run(config, paths, "watch", 7, since=since)[:2] == found
        assert settled == [("eth0", "wlan0", *brief)]
        assert _handed_on() is seen
    assert ask.call_args.args[3] == 7

    def edited(*_: object) -> object:
        Path(paths.config).write_text(_OTHER)
        return (well,), ()

    ask.side_effect = edited
    probing.confirm_and_run(config, paths, "watch", 7, since=since)
    assert (settled[1:], _handed_on()) == ([("wlan0",)], None)


def test_a_machine_that_lost_its_manifest_fails_over_all_the_same(
    paths: Paths, settled: list[tuple[str, ...]]
) -> None:
    os.unlink(paths.manifest)
    for starter in paths.starters():
        os.makedirs(os.path.dirname(starter))
        Path(starter).touch()
        since, config = generation(paths), load(paths)
        _run(paths, config, since)
        os.unlink(starter)
    assert settled == [("eth0", "wlan0", "asked")] * 2


def test_a_config_that_uninstall_kept_has_nobody_act(
    paths: Paths, settled: list[tuple[str, ...]]
) -> None:
    os.unlink(paths.manifest)
    since, config = generation(paths), load(paths)
    _run(paths, config, since)
    assert settled == []
    assert not os.path.exists(paths.run)


def test_a_config_that_goes_as_it_is_compiled_leaves_nothing(
    paths: Paths, mocker: MockerFixture
) -> None:
    compile_config = cache.compile_config

    def gone(config: Config, stamp: str) -> str:
        os.unlink(paths.config)
        return compile_config(config, stamp)

    mocker.patch.object(cache, "compile_config", side_effect=gone)
    assert load(paths) == Config(uplinks=default_metrics(("eth0", "wlan0")))
    assert not os.path.exists(paths.run)


@pytest.mark.parametrize("failback", FAILBACKS)
@pytest.mark.parametrize("same", [True, False])
def test_what_was_counted_before_a_round_is_told_where_somebody_waits_for_little_to_flow(
    mocker: MockerFixture, failback: str, *, same: bool
) -> None:
    """Whether or not the kernel told of a change while the round was made."""
    config = Config(default_metrics(("eth0", "wlan0")), failback=failback)
    first = Observation(now=1_000, counted=(Counted("eth0", 2, 500),))
    later = Observation(now=3_000, counted=(Counted("eth0", 2, 9_000),))
    mocker.patch.object(reconcile, "observe", return_value=later)
    unchanged = Mock(observed=first, again=lambda _: later if same else None)
    observed, *_ = reconcile._decided(config, Mock(crowded=set()), State(), ((), unchanged))
    assert observed.counted == later.counted
    idle = failback == "idle"
    assert (observed.earlier, observed.began) == ((first.counted, 1_000) if idle else ((), 0))
    assert reconcile._decided(config, Mock(crowded=set()), State(), ((), None))[0].began == 0
