"""A program of one's own as a target: whom it may be, what it is told, and how long it may take."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.config import Target
from netfail_hooks.files import only_root_can_change
from netfail_hooks.probe.program import program_wire
from tests.support import wires


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory that nobody but root can change."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/root") as made:
        yield Path(made)


def told(path: Path, text: str = "", seconds: float = 3, mode: int = 0o700) -> str:
    """Return what comes of running a program: "", what is wrong, or "silence"."""
    if text:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(mode)
    wire = program_wire(Target(6, "", 0, "exec", "", str(path)), "eth9", seconds)
    return wires.told(wire, seconds + 2)


def test_its_status_is_the_answer(place: Path) -> None:
    assert told(place / "a", "exit 0") == ""
    assert told(place / "a", "exit 3") == "exit status 3"
    assert told(place / "a", "kill -9 $$") == "killed by signal 9"
    assert told(place / "none") == "No such file or directory"
    assert told(place / "a", "exit 0", mode=0o600) == "Permission denied"


def test_it_is_told_of_the_uplink_and_of_nothing_else(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    said = place / "said"
    assert told(place / "a", f"env >{said}; pwd >>{said}; cat >>{said}") == ""
    lines = said.read_text().splitlines()
    assert {"NETFAIL_INTERFACE=eth9", "NETFAIL_FAMILY=ipv6", "/"} <= set(lines)
    assert not any("SECRET" in line for line in lines)


@pytest.mark.parametrize("what", ["program", "directory", "owner"])
def test_what_others_can_change_is_not_run(place: Path, what: str) -> None:
    path, ran = place / "a", place / "ran"
    assert told(path, f"touch {ran}") == ""
    ran.unlink()
    if what == "owner":
        os.chown(path, 65534, 65534)
    else:
        (path if what == "program" else place).chmod(0o777)
    assert told(path).startswith("not run, others may change it")
    assert not ran.exists()


def test_it_is_killed_with_its_children_when_its_time_is_over(place: Path) -> None:
    number = place / "number"
    began = time.monotonic()
    assert told(place / "a", f"sleep 60 & echo $! >{number}; wait", 0.5) == "killed after 0.5 s"
    assert time.monotonic() - began < 3
    _await_end(int(number.read_text()))


def test_it_leaves_no_zombie_when_its_time_is_over(place: Path) -> None:
    number, path = place / "number", place / "a"
    path.write_text(f"#!/bin/sh\necho $$ >{number}; exec sleep 60\n")
    path.chmod(0o700)
    wire = program_wire(Target(4, "", 0, "exec", "", str(path)), "eth9", 0.5)
    wire.ask()
    assert select.select([wire], [], [], 5)[0]
    with pytest.raises(OSError, match="killed after"):
        wire.answered()
    assert not Path(f"/proc/{int(number.read_text())}").exists()
    wire.close()


def test_who_is_given_up_is_killed(place: Path) -> None:
    number = place / "number"
    path = place / "a"
    path.write_text(f"#!/bin/sh\necho $$ >{number}.part; mv {number}.part {number}; sleep 60\n")
    path.chmod(0o700)
    wire = program_wire(Target(4, "", 0, "exec", "", str(path)), "eth9", 30)
    wire.ask()
    until = time.monotonic() + 5
    while not number.exists() and time.monotonic() < until:
        time.sleep(0.01)
    wire.close()
    _await_end(int(number.read_text()))


@pytest.mark.parametrize("slow", ["look", "start"])
def test_who_is_given_up_while_it_is_being_started_is_killed_too(
    place: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    number, path = place / "number", place / "a"
    path.write_text(f"#!/bin/sh\necho $$ >{number}.part; mv {number}.part {number}; sleep 60\n")
    path.chmod(0o700)
    begun, given_up = threading.Event(), threading.Event()
    name = {"look": "only_root_can_change", "start": "subprocess.Popen"}[slow]
    real: Any = subprocess.Popen if slow == "start" else only_root_can_change

    def slowly(*arguments: Any, **more: Any) -> Any:
        done = real(*arguments, **more)
        while slow == "start" and not number.exists():
            time.sleep(0.01)
        begun.set()
        assert given_up.wait(5)
        return done

    monkeypatch.setattr(f"netfail_hooks.probe.program.{name}", slowly)
    wire = program_wire(Target(4, "", 0, "exec", "", str(path)), "eth9", 30)
    wire.ask()
    assert begun.wait(5)
    wire.close()
    given_up.set()
    if slow == "start":
        _await_end(int(number.read_text()))
    else:
        time.sleep(0.3)
        assert not number.exists()


def test_a_program_is_run_once_a_round(place: Path) -> None:
    runs = place / "runs"
    path = place / "a"
    path.write_text(f"#!/bin/sh\necho x >>{runs}; exit 1\n")
    path.chmod(0o700)
    wire = program_wire(Target(4, "", 0, "exec", "", str(path)), "eth9", 3)
    for _ in range(3):
        wire.ask()
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            assert not wire.answered()
    wire.close()
    assert runs.read_text() == "x\n"


def _await_end(process: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with open(f"/proc/{process}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError("it lives on")
