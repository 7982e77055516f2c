"""The way back from a drill: armed first, taken once, and never that of another drill."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config.cache import generation
from netfail_hooks.drill import heal
from netfail_hooks.errors import Problem
from netfail_hooks.install import systemd
from netfail_hooks.kernel import outage
from netfail_hooks.kernel.observe import now
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import drills
from netfail_hooks.recorder.drills import Drill
from netfail_hooks.values import replace

TAKE = ("abc", "silence", "eth0", 2)


@pytest.fixture
def paths(tmp_path: Path, mocker: MockerFixture) -> Paths:
    mocker.patch.object(systemd, "systemd_runs", return_value=False)
    mocker.patch.object(heal, "Paths", return_value=Paths(str(tmp_path)))
    return Paths(str(tmp_path))


@pytest.fixture
def end(mocker: MockerFixture) -> MagicMock:
    return mocker.patch.object(outage, "end", autospec=True)


@pytest.fixture
def log(mocker: MockerFixture) -> MagicMock:
    return mocker.patch.object(heal, "log", autospec=True)


@pytest.fixture
def drill() -> Drill:
    return Drill("abc", "gateway", "silence", "eth0", now() + 20_000, 2)


def test_it_is_armed_before_anything_is_noted(
    paths: Paths, drill: Drill, mocker: MockerFixture
) -> None:
    def later(unit: str, module: str, call: str, seconds: int) -> None:
        assert drills.noted_now(paths) is None
        assert (unit, module) == ("netfail-hooks-drill-end", "netfail_hooks.drill.heal")
        assert call == "main('abc', 'silence', 'eth0', 2, {wait})"
        assert seconds == 20 + drills.MARGIN

    mocker.patch.object(systemd, "call_later", side_effect=later)
    armed = heal.arm(paths, replace(drill, until=0), 20_000, generation(paths))
    assert drills.noted_now(paths) == armed
    assert replace(armed, until=0) == replace(drill, until=0)


def test_it_ends_so_long_after_whatever_was_waited_for_first(
    paths: Paths, drill: Drill, mocker: MockerFixture
) -> None:
    since = now()
    mocker.patch.object(systemd, "call_later")
    mocker.patch.object(heal, "now", return_value=since + 25_000)  # an install had the turn
    armed = heal.arm(paths, replace(drill, until=0), 20_000, generation(paths))
    assert armed.until == since + 45_000


def test_what_cannot_be_armed_is_no_drill(
    paths: Paths, drill: Drill, mocker: MockerFixture
) -> None:
    mocker.patch.object(systemd, "call_later", side_effect=Problem("no service manager"))
    with pytest.raises(Problem, match="no service manager"):
        heal.arm(paths, drill, 20_000, generation(paths))
    assert drills.noted_now(paths) is None


@pytest.mark.parametrize("what", ["manifest", "kept_orders", "uninstalling"])
def test_what_has_changed_while_it_was_asked_for_is_no_drill(
    what: str, paths: Paths, drill: Drill, mocker: MockerFixture
) -> None:
    later = mocker.patch.object(systemd, "call_later")
    since = generation(paths)
    path = Path(getattr(paths, what))
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(Problem, match="has changed meanwhile: look at 'sudo netfail-hooks status'"):
        heal.arm(paths, drill, 20_000, since)
    assert not later.called
    assert drills.noted_now(paths) is None


def test_there_is_one_drill_at_a_time_until_it_must_be_over(paths: Paths, drill: Drill) -> None:
    drills.note(paths, drill)
    with pytest.raises(Problem, match="a drill is on: eth0 fails for now"):
        heal.refuse_while_on(paths)
    drills.note(paths, replace(drill, until=now() - (drills.MARGIN + 2) * 1000))
    heal.refuse_while_on(paths)


@pytest.mark.usefixtures("log")
def test_it_is_taken_whatever_is_noted_but_of_another_drill(
    paths: Paths, drill: Drill, end: MagicMock
) -> None:
    assert heal.main(*TAKE) == 0  # uninstall took the note away
    drills.note(paths, drill)
    assert heal.main(*TAKE) == 0
    assert [call.args for call in end.call_args_list] == [("silence", 2)] * 2
    assert drills.noted_now(paths) is None
    other = replace(drill, token="another")  # noqa: S106 - no password
    drills.note(paths, other)
    assert heal.main(*TAKE) == 0
    assert end.call_count == 2
    assert drills.noted_now(paths) == other


def test_it_tells_only_of_what_it_had_to_end(
    paths: Paths, drill: Drill, end: MagicMock, log: MagicMock, mocker: MockerFixture
) -> None:
    heal.main(*TAKE)
    assert not log.called
    drills.note(paths, drill)
    heal.main(*TAKE)
    assert "cut short" in log.call_args.args[0]
    drills.note(paths, drill)
    mocker.patch("time.sleep")
    end.side_effect = OSError(1, "no")
    assert heal.main(*TAKE) == 1
    assert "could not be healed" in log.call_args.args[0]
    assert drills.noted_now(paths) == drill, "who looks may still know why"


def test_one_that_ends_well_leaves_nothing(paths: Paths, drill: Drill, end: MagicMock) -> None:
    drills.note(paths, drill)
    heal.disarm(paths, drill)
    end.assert_called_once_with("silence", 2)
    assert drills.noted_now(paths) is None


def test_what_the_kernel_refuses_for_a_moment_is_tried_again(
    paths: Paths, drill: Drill, end: MagicMock, log: MagicMock, mocker: MockerFixture
) -> None:
    mocker.patch("time.sleep")
    drills.note(paths, drill)
    end.side_effect = [OSError(errno.ENOBUFS, "full"), TimeoutError(), None]
    assert heal.main(*TAKE) == 0
    assert drills.noted_now(paths) is None
    assert "cut short" in log.call_args.args[0]


def test_a_fault_that_cannot_be_ended_now_hides_no_other_error_and_stays_armed(
    paths: Paths, drill: Drill, end: MagicMock, log: MagicMock
) -> None:
    drills.note(paths, drill)
    end.side_effect = OSError(errno.ENOBUFS, "full")
    heal.disarm(paths, drill)
    assert drills.noted_now(paths) == drill
    assert "could not be healed" in log.call_args.args[0]


_GONE = {
    outage.SILENCE: (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT),
    outage.CARRIER: (errno.ENODEV, errno.EPERM),
    outage.PROTODOWN: (errno.ENODEV,),
    outage.RENEGOTIATE: (),
}


@pytest.mark.parametrize("way", _GONE)
@pytest.mark.parametrize("code", [1, 2, 12, 16, 19, 22, 93, 95, 97, 105, 110])
def test_what_is_not_there_has_ended_and_nothing_else(
    way: str, code: int, mocker: MockerFixture
) -> None:
    error = OSError(code, "told")
    mocker.patch.object(outage, "_batch", side_effect=error)
    mocker.patch.object(outage, "_set_carrier", side_effect=error)
    if way == outage.RENEGOTIATE or code in _GONE[way]:
        outage.end(way, 2)
    else:
        with pytest.raises(OSError, match="told"):
            outage.end(way, 2)


def test_a_team_is_told_of_no_carrier_by_hand(mocker: MockerFixture) -> None:
    told = mocker.patch.object(outage, "_set_carrier")
    mocker.patch.object(outage, "index_of", return_value=2)
    mocker.patch.object(outage, "_negotiates", return_value=False)
    with pytest.raises(Problem, match="takes no carrier away: drill with --gateway, or pull"):
        outage.carrier_way("eth0", "team")
    assert not told.called
    assert outage.carrier_way("eth0", "tun") == outage.CARRIER


@pytest.mark.parametrize(
    ("way", "hint"), [(outage.SILENCE, ""), (outage.RENEGOTIATE, "drill with --gateway")]
)
def test_a_driver_that_cannot_after_all_is_told_with_the_next_step(
    way: str, hint: str, mocker: MockerFixture
) -> None:
    error = OSError(errno.EOPNOTSUPP, "Operation not supported")
    mocker.patch.object(outage, "_silence", side_effect=error)
    mocker.patch.object(outage, "renegotiate", side_effect=error)
    with pytest.raises(Problem, match="eth0 could not be made to fail: Operation") as told:
        outage.begin(way, "eth0")
    assert hint in str(told.value)
    assert bool(hint) == ("--gateway" in str(told.value))
