"""The way back from a switch of modes belongs to the run that began it, until it is over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes, rollback
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from tests.support.machine import Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
FIRST = [FileChange("/etc/a", Node(nodes.FILE, b"what worked"), None)]
SECOND = [FileChange("/etc/a", None, Node(nodes.FILE, b"half of it"))]


@pytest.fixture
def machine(tmp_path: Path, mocker: MockerFixture) -> Machine:
    """Return a machine on which nobody waits for 90 s to restore this one's own files."""
    mocker.patch.object(rollback, "_wait_aside")
    return Machine(tmp_path)


def _kill(machine: Machine) -> bytes:
    """Have a run killed in the midst of a switch; return the way back that it left."""
    child = os.fork()
    if not child:
        with rollback.armed(machine.paths, FIRST, ("bond0",)):
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
        rollback.armed(machine.paths, SECOND, ()),
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
    _later(machine, rollback.SECONDS + 60)
    with rollback.armed(machine.paths, SECOND, ()):
        assert b"what worked" not in Path(machine.paths.rollback).read_bytes()
    assert not machine.has("/run/netfail-hooks/rollback.json")


def test_a_way_back_that_nobody_would_take_is_not_left(
    machine: Machine, mocker: MockerFixture
) -> None:
    mocker.patch.object(rollback, "_wait_aside", side_effect=Problem("no service manager"))
    with pytest.raises(Problem, match="manager"), rollback.armed(machine.paths, FIRST, ()):
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
