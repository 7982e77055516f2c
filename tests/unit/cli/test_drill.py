"""A drill by the timer leaves no traffic on the backup, which may be paid for: nobody looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.cli import by_hand, drill, parser
from netfail_hooks.drill import perform
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import Run, drills
from netfail_hooks.recorder.drills import GATEWAY, PASSED, Outcome
from netfail_hooks.values import replace
from tests.support.world import World, config_of

_NIGHT = 3 * 60 * 60 + 30 * 60  # when the timer comes, in seconds of the day


@pytest.mark.parametrize(
    ("failback", "between", "made"),
    [
        ("auto", "", True),
        ("auto", "02:00-05:00", True),
        ("auto", "22:00-03:00", False),
        ("auto", "02:00-03:32", False),  # over before its hold-down
        ("manual", "", False),
        ("manual", "02:00-05:00", False),
        ("idle", "", False),
        ("idle", "02:00-05:00", False),
    ],
)
@pytest.mark.parametrize("attended", [True, False])
def test_only_who_is_there_may_drill_where_the_traffic_would_not_come_back(  # noqa: PLR0913
    *,
    failback: str,
    between: str,
    made: bool,
    attended: bool,
    tmp_path: Path,
    mocker: MockerFixture,
) -> None:
    config = replace(config_of("eth0", "wlan0"), failback=failback, failback_between=between)
    world = World(config)
    world.reconcile()
    observed = replace(world.look(), local=_NIGHT)
    done = Run("check", config, observed, world.state, world.state, (), (), 0)
    mocker.patch.object(drill, "Paths", return_value=Paths(str(tmp_path)))
    mocker.patch.object(drill, "refuse_powerless")
    mocker.patch.object(drill, "load", return_value=config)
    mocker.patch.object(drill, "origin", return_value="")
    mocker.patch.object(by_hand, "look", return_value=done)
    log = mocker.patch.object(drill, "log")
    outcome = Outcome(1, PASSED, GATEWAY, "silence", "eth0", 20, awaited=made)
    performed = mocker.patch.object(perform, "perform", return_value=outcome)
    if attended:
        assert drill.run(parser(filled=("drill",)).parse_args(["drill", "--yes", "--json"])) == 0
    else:
        assert drill.main() == 0
    assert performed.called == (made or attended)
    if performed.called:
        assert performed.call_args.args[1].awaited == made
    told = " ".join(str(call.args[0]) for call in log.call_args_list)
    assert ("no drill by the timer" in told) != (made or attended)


@pytest.mark.parametrize("installed", [True, False])
def test_how_it_went_is_kept_unless_an_uninstall_came_meanwhile(
    *, installed: bool, tmp_path: Path, mocker: MockerFixture
) -> None:
    paths = Paths(str(tmp_path))
    mocker.patch.object(drill, "log")
    if installed:
        Path(paths.manifest).parent.mkdir(parents=True)
        Path(paths.manifest).touch()
    outcome = Outcome(1, PASSED, GATEWAY, "silence", "eth0", 20, awaited=True)
    drill._keep(paths, outcome)
    assert drills.kept(paths) == (outcome if installed else None)
    assert Path(paths.manifest).parent.exists() == installed
