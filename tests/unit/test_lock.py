"""Runs take turns, and none waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks import lock
from netfail_hooks.errors import Problem
from netfail_hooks.lock import Lock
from tests.conftest import Tried

HOLDER = """
import sys
from netfail_hooks.lock import Lock
with Lock(sys.argv[1] + "/lock"):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "mine\n"
    return process


def test_a_run_waits_for_the_one_before(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin
    with pytest.raises(BlockingIOError):
        _try(tmp_path)
    holder.stdin.close()
    with Lock(f"{tmp_path}/lock"):
        assert holder.wait() == 0
    assert holder.stdout
    holder.stdout.close()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    with Lock(f"{tmp_path}/lock"):
        pass
    holder.communicate()


def test_patience_ends_with_a_next_step(
    tmp_path: Path, holder: subprocess.Popen[str], mocker: MockerFixture
) -> None:
    mocker.patch.object(lock, "PATIENCE", 0.05)
    start = time.monotonic()
    with pytest.raises(Problem, match="fuser"), Lock(f"{tmp_path}/lock"):
        pass
    assert time.monotonic() - start < 5
    holder.communicate()


def test_a_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="symbolic links"), Lock(f"{tmp_path}/lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()


# Where no file can be made, or not even opened to be written: what mounts it, and who is asked.
NO_ROOM = {
    "read-only": ("mount -t tmpfs -o mode=755,ro bad $1", "ss -xap src @netfail-hooks"),
    "full": ("mount -t tmpfs -o mode=755,nr_inodes=1 bad $1", "ss -xap src @netfail-hooks"),
    "read-only by now": ("touch $1/lock; mount --bind -o ro $1 $1", "fuser $1/lock"),
}
TURNS = """
import subprocess, sys
from netfail_hooks import lock
from netfail_hooks.errors import Problem
command = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
with subprocess.Popen(command, **pipes) as holder:
    assert holder.stdout.readline() == "mine\\n"
    lock.PATIENCE = 0.05
    try:
        lock.Lock(sys.argv[1] + "/lock").__enter__()
        print("two at once")
    except Problem as problem:
        print(problem.hint)
    holder.kill()
with lock.Lock(sys.argv[1] + "/lock"):
    print("free")
"""


@pytest.mark.faults
@pytest.mark.parametrize(("mount", "who"), NO_ROOM.values(), ids=NO_ROOM)
def test_where_there_can_be_no_file_runs_take_turns_all_the_same(
    tmp_path: Path, mount: str, who: str, tried: Tried
) -> None:
    tried("full and read-only disks", 1)
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--net",
            "sh",
            "-ec",
            f'{mount}; exec "$2" -c "$3" "$1" "$4"',
            "sh",
            str(tmp_path),
            sys.executable,
            TURNS,
            HOLDER,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"try again; if it stays so, see which one: {who}".replace("$1", str(tmp_path))
    assert done.stdout.splitlines() == [told, "free"], done.stderr


def _try(directory: Path) -> None:
    import fcntl

    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_was_removed_keeps_nobody_away_and_is_made_again(tmp_path: Path) -> None:
    path = f"{tmp_path}/run/lock"
    with Lock(path) as first:
        waiting = Lock(path, patience=0)
        waiting._find()  # as one does that then waits for its turn
        first.remove(f"{tmp_path}/run/config")
        assert not os.path.exists(f"{tmp_path}/run")
    assert not waiting._take()
    assert waiting._take()
    with pytest.raises(Problem, match="for 0 s"), Lock(path, patience=0):
        pass
    waiting.__exit__()
