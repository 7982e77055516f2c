"""Runs take turns, and none waits for ever."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks import lock
from netfail_hooks.errors import Problem
from netfail_hooks.lock import Lock

HOLDER = """
import sys
from netfail_hooks.lock import Lock
with Lock(sys.argv[1]):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "mine\n"
    return process


def test_a_run_waits_for_the_one_before(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin
    with pytest.raises(BlockingIOError):
        _try(tmp_path)
    holder.stdin.close()
    with Lock(str(tmp_path)):
        assert holder.wait() == 0
    assert holder.stdout
    holder.stdout.close()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    with Lock(str(tmp_path)):
        pass
    holder.communicate()


def test_patience_ends_with_a_next_step(
    tmp_path: Path, holder: subprocess.Popen[str], mocker: MockerFixture
) -> None:
    mocker.patch.object(lock, "PATIENCE", 0.05)
    start = time.monotonic()
    with pytest.raises(Problem, match="fuser"), Lock(str(tmp_path)):
        pass
    assert time.monotonic() - start < 5
    holder.communicate()


def test_a_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="symbolic links"), Lock(str(tmp_path)):
        pass
    assert not (tmp_path / "elsewhere").exists()


def _try(directory: Path) -> None:
    import fcntl

    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
