"""Changes are reverted, the last one first, only if what follows them fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import Undo, revert_change, write_change
from netfail_hooks.paths import Paths


def _fail(error: BaseException) -> None:
    raise error


def _undone(reason: BaseException, *callbacks: Callable[[], object]) -> None:
    with Undo() as undo:
        for callback in callbacks:
            undo.callback(callback)
        raise reason


def _failing(error: BaseException) -> Callable[[], None]:
    return lambda: _fail(error)


def test_nothing_is_reverted_where_nothing_fails() -> None:
    done: list[str] = []
    with Undo() as undo:
        undo.callback(done.append, "first")
    assert done == []


@pytest.mark.parametrize(
    "error", [OSError(16, "busy", "/var/lib/x"), Problem("no answer"), ValueError("a bug")]
)
def test_the_last_change_is_reverted_first_and_one_that_cannot_be_keeps_no_other(
    error: Exception,
) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _undone(
            KeyboardInterrupt(),
            lambda: done.append("first"),
            _failing(error),
            lambda: done.append("last"),
        )
    assert done == ["last", "first"]


def test_the_true_reason_is_raised_and_the_clean_ups_are_notes() -> None:
    reason = Problem("eth0 has no way out")
    callbacks = [
        _failing(OSError(16, "Device or resource busy", "/var/lib/x")),
        _failing(OSError("no more")),
        _failing(Problem("eth0 has no way out")),
        _failing(ValueError("odd")),
        _failing(OSError("no more")),
    ]
    with pytest.raises(Problem) as raised:
        _undone(reason, *callbacks)
    assert raised.value is reason
    assert reason.__notes__ == [
        "while all was put back: no more",
        "while all was put back: bug: ValueError: odd",
        "while all was put back: /var/lib/x: Device or resource busy",
    ]


def test_a_second_interrupt_while_files_are_put_back_leaves_none_behind(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.at("/etc"))
    changes = [FileChange(f"/etc/{name}", None, Node(nodes.FILE, b"new")) for name in "abc"]
    for change in changes:
        write_change(paths, change)
    reverts = [partial(revert_change, paths, change) for change in changes]
    interrupt = partial(os.kill, os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _undone(KeyboardInterrupt(), *reverts, interrupt)
    assert os.listdir(paths.at("/etc")) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_file_that_is_as_it_was_keeps_its_inode(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.at("/etc"))
    old, new = (Node(nodes.FILE, text, owner=(os.geteuid(), os.getegid())) for text in (b"1", b"2"))
    nodes.write(paths.at("/etc/a"), old)
    before = os.stat(paths.at("/etc/a")).st_ino
    revert_change(paths, FileChange("/etc/a", old, new))
    assert os.stat(paths.at("/etc/a")).st_ino == before
    write_change(paths, FileChange("/etc/a", old, new))
    revert_change(paths, FileChange("/etc/a", old, new))
    assert nodes.read(paths.at("/etc/a")) == old
