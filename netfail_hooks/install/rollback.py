"""The way back from a switch of modes that cut the machine off, or killed its installer.

Before the switch the old state of every file lies in /run, and something waits: a transient
timer where systemd runs the machine, else a process of our own. Who installs calls it off once
the gateway answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_owned
from netfail_hooks.install import bond_switch, manifest, nodes, systemd
from netfail_hooks.install.handover import Handover, gather, live
from netfail_hooks.install.hook_file import base_python, search_path
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import write_change
from netfail_hooks.journal import WARNING, log
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.process import run

SECONDS = 90
_TAKES = 5  # seconds to write the files once it is due
_LIMIT = 1 << 28
_UNIT = "netfail-hooks-rollback"
_CODE = (
    "import sys; sys.path += {}; "
    "from netfail_hooks.install.rollback import main; sys.exit(main({}))"
)


@contextlib.contextmanager
def armed(
    paths: Paths,
    changes: Sequence[FileChange],
    bonds: Sequence[str],
    handover: Handover | None = None,
) -> Iterator[None]:
    """Have the files restored after SECONDS unless the inside comes to an end before.

    Raises Problem while a killed run's way back is still to come: it leads to a machine that
    worked, and ours would lead to what that run left.
    """
    before = [[change.path, manifest.plain(change.before)] for change in reversed(changes)]
    before.append([Paths().manifest, manifest.plain(nodes.read(paths.manifest))])
    with Lock(paths.lock):
        refuse_while_armed(paths)
        tree: dict[str, Any] = {
            "due": time.monotonic() + SECONDS,
            "bonds": list(bonds),
            "before": before,
        }
        if handover:
            tree |= {"handed": [manifest.plain_handed(one) for one in handover.handed]}
            tree |= {"units": list(handover.idle)}
        nodes.write(paths.rollback, Node(nodes.FILE, json.dumps(tree).encode(), 0o600))
        try:
            _wait_aside()
        except BaseException:
            nodes.remove(paths.rollback)
            raise
    try:
        yield
    finally:
        call_off(paths)


def refuse_while_armed(paths: Paths) -> None:
    """Refuse to change what a killed run's way back is going to change. Raises Problem."""
    seconds = _seconds_left(paths)
    if seconds > 0:
        raise Problem(
            f"an earlier install was killed, and is taken back within {seconds:.0f} s",
            hint="wait for that; 'netfail-hooks uninstall' need not",
        )


def _seconds_left(paths: Paths) -> float:
    """Return the seconds until a way back is over, taken or not: 0 or less."""
    try:
        due = float(json.loads(read_owned(paths.rollback, limit=_LIMIT))["due"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return due + _TAKES - time.monotonic()  # CLOCK_MONOTONIC, as the timer has it: OnActiveSec=


def call_off(paths: Paths) -> None:
    """Let no way back be taken any more."""
    nodes.remove(paths.rollback)
    if systemd.systemd_runs() and not paths.root:
        for unit in (f"{_UNIT}.timer", f"{_UNIT}.service"):
            with contextlib.suppress(Problem):  # it is not there: it is over, or never began
                run("systemctl", "stop", unit)


def main(wait: int = 0) -> int:
    """Restore, unless it was called off meanwhile. Returns the exit status."""
    paths = Paths()
    began = _identity(paths.rollback)
    time.sleep(wait)
    if began is None or _identity(paths.rollback) != began:  # it may be a later run's by now
        return 0
    with open(paths.rollback, encoding="ascii") as file:
        tree = json.load(file)
    for path, data in tree["before"]:
        with contextlib.suppress(OSError):
            write_change(paths, FileChange(path, None, manifest.node(data)))
    nodes.remove(paths.rollback)
    if tree.get("handed"):
        handed = tuple(map(manifest.handed, tree["handed"]))
        for message in live.give_all_back(gather.known(paths, handed, tree["units"])):
            log(message, priority=WARNING)
    else:
        bond_switch.follow(tree["bonds"])
    log("install did not come to its end: the old files are back", priority=WARNING)
    return 0


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from one that takes its place later, None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _wait_aside() -> None:
    """Have ``main`` called later by something that outlives us. Raises Problem, OSError."""
    program, places = base_python(), list(search_path())
    if systemd.systemd_runs():
        code = _CODE.format(places, 0)
        run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={_UNIT}",
            f"--on-active={SECONDS}",
            "--timer-property=AccuracySec=100ms",
            program,
            "-IS",
            "-c",
            code,
        )
        return
    code = _CODE.format(places, SECONDS)
    subprocess.Popen(
        [program, "-IS", "-c", code],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
