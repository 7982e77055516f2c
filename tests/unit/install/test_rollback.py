"""The way back from a switch of modes belongs to the run that began it, until it is over."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import (
    installer,
    kernel_state,
    nodes,
    reconfigure,
    rollback,
    systemd,
)
from netfail_hooks.install.handover import (
    Handover,
    from_networkmanager,
    origin,
    returning,
    services,
    taking,
)
from netfail_hooks.install.handover.returning import Ours, Outcome
from netfail_hooks.install.manifest import Handed
from netfail_hooks.install.networks import switch
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import Undo
from netfail_hooks.install.way_back import arming, kept, turn, waiting
from netfail_hooks.managers import UnansweredError
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.process import wait_until
from tests.support.machine import Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
FIRST = [FileChange("/etc/a", Node(nodes.FILE, b"what worked"), None)]
SECOND = [FileChange("/etc/a", None, Node(nodes.FILE, b"half of it"))]


HANDED = (Handed("eth0", NETWORKMANAGER), Handed("wlan0", NETWORKMANAGER))
LIVE = kept.Live(Handover(handed=HANDED), (), {"ipv4/conf/eth0/arp_filter": "0"})


@pytest.fixture
def machine(tmp_path: Path, mocker: MockerFixture) -> Machine:
    """Return a machine on which nobody waits for 90 s to restore this one's own files."""
    mocker.patch.object(systemd, "call_later")
    return Machine(tmp_path)


def _kill(machine: Machine, live_too: kept.Live | None = None) -> bytes:
    """Have a run killed in the midst of a switch; return the way back that it left."""
    child = os.fork()
    if not child:
        with arming.armed(machine.paths, FIRST, ("bond0",), live_too):
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return Path(machine.paths.rollback).read_bytes()


def _later(machine: Machine, seconds: float) -> None:
    tree = json.loads(Path(machine.paths.rollback).read_text())
    tree["due"] -= seconds
    Path(machine.paths.rollback).write_text(json.dumps(tree))


def test_a_second_switch_leaves_a_killed_ones_way_back_alone(machine: Machine) -> None:
    left = _kill(machine)
    with (
        pytest.raises(Problem, match=r"taken back within 9\d s: wait"),
        arming.armed(machine.paths, SECOND, ()),
    ):
        pass
    assert Path(machine.paths.rollback).read_bytes() == left


def test_so_does_any_other_install(machine: Machine) -> None:
    left = _kill(machine)
    with pytest.raises(Problem, match="earlier install was killed"):
        machine.install(*PAIR)
    assert Path(machine.paths.rollback).read_bytes() == left
    assert not machine.has("/etc/netfail-hooks/config.toml")


def test_once_it_is_over_nobody_is_refused(machine: Machine) -> None:
    _kill(machine)
    _later(machine, arming.SECONDS + 60)
    with arming.armed(machine.paths, SECOND, ()):
        assert b"what worked" not in Path(machine.paths.rollback).read_bytes()
    assert not machine.has("/run/netfail-hooks/rollback.json")


def test_a_way_back_that_nobody_would_take_is_not_left(
    machine: Machine, mocker: MockerFixture
) -> None:
    mocker.patch.object(systemd, "call_later", side_effect=Problem("no service manager"))
    with pytest.raises(Problem, match="manager"), arming.armed(machine.paths, FIRST, ()):
        pass
    assert not machine.has("/run/netfail-hooks/rollback.json")


@pytest.mark.parametrize("known", [True, False])
def test_uninstall_calls_it_off(machine: Machine, *, known: bool) -> None:
    before = machine.shape()
    if known:
        machine.install(*PAIR)
    _kill(machine)
    assert machine.uninstall("--yes") == 0
    assert not machine.has("/run/netfail-hooks/rollback.json")
    assert {path: machine.shape()[path] for path in before} == before


def test_who_waited_for_an_earlier_run_lets_a_later_ones_way_back_be(
    machine: Machine, mocker: MockerFixture
) -> None:
    mocker.patch.object(rollback, "Paths", return_value=machine.paths)
    _kill(machine)

    def sleep(_: float) -> None:
        os.unlink(machine.paths.rollback)
        _kill(machine)

    mocker.patch.object(time, "sleep", sleep)
    assert rollback.main(90) == 0
    assert machine.has("/run/netfail-hooks/rollback.json")
    assert not machine.has("/etc/a")


def _is_waited_for(path: str) -> bool:
    """Tell whether somebody waits for a lock of a file (proc_locks(5))."""
    waiting = f":{os.stat(path).st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any(" -> FLOCK " in line and waiting in line for line in lines)


def _begin(machine: Machine, *, until_waited_for: bool = False) -> int:
    """Have another process be on the way back, and end it; return its number."""
    ready, begun = os.pipe()
    child = os.fork()
    if not child:
        assert turn.held(machine.paths.rollback) >= 0
        os.write(begun, b"x")
        with contextlib.suppress(Problem, OSError):  # nobody is told by this process
            if until_waited_for:
                wait_until(lambda: _is_waited_for(machine.paths.rollback), 60, "waiting")
        os.unlink(machine.paths.rollback)
        Path(f"{machine.root}/over").touch()
        os._exit(0)
    os.read(ready, 1)
    return child


def test_one_that_has_begun_is_waited_for(machine: Machine) -> None:
    _kill(machine)
    child = _begin(machine, until_waited_for=True)
    with pytest.raises(Problem, match="is being taken back: wait a minute"):
        machine.install(*PAIR)
    assert not machine.has("/over")
    arming.call_off(machine.paths)
    assert machine.has("/over")
    os.waitpid(child, 0)


@pytest.mark.parametrize("fails", [False, True])
def test_an_install_that_was_too_slow_says_so_and_undoes_nothing(
    machine: Machine, *, fails: bool
) -> None:
    undone: list[str] = []

    def install() -> None:
        with (
            arming.armed(machine.paths, FIRST, ()) as way,
            Undo() as undo,
            way.decided(undo),
        ):
            undo.callback(undone.append, "all")
            os.waitpid(_begin(machine), 0)
            if fails:
                raise Problem("no gateway answered")

    with pytest.raises(Problem, match="the way back was taken"):
        install()
    assert undone == []


def test_who_undoes_is_not_joined_by_the_way_back(machine: Machine) -> None:
    held: list[bool] = []

    def install() -> None:
        with arming.armed(machine.paths, FIRST, ()) as way, Undo() as undo, way.decided(undo):
            undo.callback(lambda: held.append(turn.is_held(machine.paths.rollback)))
            raise Problem("no gateway answered")

    with pytest.raises(Problem, match="no gateway answered"):
        install()
    assert held == [True]
    assert not machine.has("/run/netfail-hooks/rollback.json")


def test_it_is_later_the_more_uplinks_change_hands(machine: Machine) -> None:
    left = json.loads(_kill(machine, LIVE))
    seconds = left["due"] - time.monotonic()
    assert 0 < arming.SECONDS + 2 * arming.EACH - seconds < 20


def test_what_uninstall_needs_stays_until_the_managers_have_all_back(
    machine: Machine, mocker: MockerFixture
) -> None:
    done: list[object] = []
    manifest = Path(machine.paths.manifest)

    outcome = [Outcome((), ("wlan0",)), Outcome()]

    def give_all_back(handover: Handover, _: Ours) -> Outcome:
        done.append(handover.names)
        assert turn.is_held(machine.paths.rollback)
        assert manifest.read_text() == "of the killed run"
        return outcome.pop(0)

    def set_sysctls(settings: dict[str, str]) -> list[str]:
        done.append(settings)
        return []

    def remove_ours(paths: Paths) -> list[str]:
        assert manifest.read_text() == "of the killed run"
        done.append(paths)
        return []

    mocker.patch.object(returning, "give_all_back", give_all_back)
    logged = mocker.patch.object(waiting, "log")
    mocker.patch.object(kernel_state, "set_sysctls", set_sysctls)
    mocker.patch.object(kernel_state, "remove_ours", remove_ours)
    mark = Path(machine.paths.pending("eth0"))
    _kill(machine, LIVE)
    mocker.patch.object(rollback, "Paths", return_value=machine.paths)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text("of the killed run")
    mark.touch()
    way = Path(machine.paths.rollback)
    silent = UnansweredError("no answer")
    asked = mocker.patch.object(from_networkmanager, "says", side_effect=silent)
    kept = mocker.patch.object(returning, "keep_all", return_value=("eth0", "wlan0"))
    for _ in range(2):
        assert rollback.main() == 0
        assert (done, machine.has("/etc/a"), way.exists()) == ([], False, True)
        assert "eth0 and wlan0 answers" in waiting.read(machine.paths)
    assert kept.call_count == 2
    assert logged.call_count == 1  # and not each time
    asked.side_effect = None
    assert rollback.main() == 0
    assert manifest.exists()
    assert way.exists()
    assert logged.call_count == 2
    done.clear()
    assert rollback.main() == 0
    assert not machine.has("/run/netfail-hooks/waits")
    assert done == [("eth0", "wlan0"), LIVE.sysctls, machine.paths]
    assert not mark.exists()
    assert not manifest.exists()
    assert machine.read("/etc/a") == "what worked"
    assert not machine.has("/run/netfail-hooks/rollback.json")


@pytest.mark.parametrize(
    ("mode", "removed"),
    [
        ("", True),  # nothing was installed
        ("bond", True),  # which looks for nothing of what hooks of routes made meanwhile
        ("routes", False),  # whose hooks go on with it
    ],
)
def test_what_hooks_made_meanwhile_goes_where_nobody_would_look_for_it(
    machine: Machine, mocker: MockerFixture, mode: str, *, removed: bool
) -> None:
    mocker.patch.object(switch, "follow")
    remove = mocker.patch.object(kernel_state, "remove_ours", return_value=[])
    mocker.patch.object(rollback, "Paths", return_value=machine.paths)
    if mode:
        machine.install(*PAIR, "--mode", mode)
    _kill(machine)
    assert rollback.main() == 0
    assert remove.called == removed


def test_what_an_install_is_at_is_waited_for_and_then_it_changes_nothing(
    machine: Machine,
) -> None:
    done: list[str] = []

    def install() -> None:
        with arming.armed(machine.paths, FIRST, ()) as way, Undo() as undo, way.decided(undo):
            for name in ("first", "second", "third"):
                with way.step():
                    undo.callback(done.append, f"{name} undone")
                    done.append(name)
                    assert turn.is_held(machine.paths.rollback)
                if name == "second":
                    os.waitpid(_begin(machine), 0)

    with pytest.raises(Problem, match="the way back was taken"):
        install()
    assert done == ["first", "second"]


def test_a_change_that_fails_holds_nobody_up(machine: Machine) -> None:
    def install() -> None:
        with arming.armed(machine.paths, FIRST, ()) as way, way.step():
            raise Problem("no")

    with pytest.raises(Problem, match="no"):
        install()
    assert not machine.has("/run/netfail-hooks/rollback.json")


@pytest.mark.parametrize("hands", [True, False])
def test_each_change_of_a_machine_that_may_be_cut_off_is_a_step(
    machine: Machine, mocker: MockerFixture, *, hands: bool
) -> None:
    held: list[bool] = []

    def change(*_: object, **__: object) -> list[str]:
        held.append(turn.is_held(machine.paths.rollback))
        return []

    def nothing(*_: object, **__: object) -> list[str]:
        return []

    for where, name in (
        (installer, "_save_manifest_and_set_sysctls"),
        (installer, "write_change"),
        (services, "start"),
        (taking, "take"),
        (services, "settle"),
        (reconfigure, "write"),
        (switch, "follow"),
        (kernel_state, "remove_ours"),
        (kernel_state, "judge_anew"),
    ):
        mocker.patch.object(where, name, change)
    for where, name in (
        (installer, "_offers"),
        (installer, "_give_all_back"),
        (networkctl, "answers"),
        (kernel_state, "reached_families"),
        (kernel_state, "current_sysctls"),
        (kernel_state, "refuse_cut_off"),
        (kernel_state, "default_route_order"),
        (reconfigure, "keep"),
        (reconfigure, "put_back"),
        (switch, "stale"),
        (switch, "await_gateway"),
    ):
        mocker.patch.object(where, name, nothing)
    mocker.patch.object(origin, "session", return_value=origin.Session())
    mode = "routes" if hands else "bond"
    config = Config(uplinks=default_metrics(("eth0", "wlan0")), mode=mode)
    node = Node(nodes.FILE, b"")
    paths = [f"/etc/systemd/network/10-netfail-{name}.network" for name in config.names()]
    changes = tuple(FileChange(path, None, node) for path in ("/etc/a", *paths, "/etc/z"))
    handover = Handover(handed=HANDED, now=("eth0", "wlan0")) if hands else Handover()
    work = installer.Work(machine.paths, config, None, changes, (), running=True, handover=handover)
    act = installer._hand_over if hands else installer._switch_modes
    act(work)
    assert len(held) > 6
    assert all(held)
