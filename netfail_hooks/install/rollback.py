"""The way back from a switch of modes that cut the machine off, or killed its installer.

Before the switch the old state of every file lies in /run, and something waits: a transient
timer where systemd runs the machine, else a process of our own. Who installs calls it off once
the gateway answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from netfail_hooks.errors import Problem
from netfail_hooks.install import bond_switch, manifest, nodes, systemd
from netfail_hooks.install.hook_file import base_python, search_path
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import write_change
from netfail_hooks.journal import WARNING, log
from netfail_hooks.paths import Paths
from netfail_hooks.process import run

SECONDS = 90
_UNIT = "netfail-hooks-rollback"
_CODE = (
    "import sys; sys.path += {}; "
    "from netfail_hooks.install.rollback import main; sys.exit(main({}))"
)


@contextlib.contextmanager
def armed(paths: Paths, todo: Sequence[FileChange], bonds: Sequence[str]) -> Iterator[None]:
    """Have the files restored after SECONDS unless the inside comes to an end before."""
    before = [FileChange(step.path, step.after, step.before) for step in reversed(todo)]
    before.append(FileChange(Paths().manifest, None, nodes.read(paths.manifest)))
    tree = {"bonds": list(bonds), "steps": [[s.path, manifest.plain(s.after)] for s in before]}
    os.makedirs(paths.run, mode=0o755, exist_ok=True)
    nodes.write(paths.rollback, Node(nodes.FILE, json.dumps(tree).encode(), 0o600))
    _wait_aside()
    try:
        yield
    finally:
        nodes.remove(paths.rollback)
        if systemd.systemd_runs():
            with contextlib.suppress(Problem):
                run("systemctl", "stop", f"{_UNIT}.timer")


@contextlib.contextmanager
def switching(paths: Paths, todo: Sequence[FileChange], bonds: Sequence[str]) -> Iterator[None]:
    """Be armed, and go on though the terminal that we were started from is cut off."""
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with armed(paths, todo, bonds):
            yield
    finally:
        signal.signal(signal.SIGHUP, old)


def main(wait: int = 0) -> int:
    """Restore, unless it was called off meanwhile. Returns the exit status."""
    time.sleep(wait)
    paths = Paths()
    try:
        with open(paths.rollback, encoding="ascii") as file:
            tree = json.load(file)
    except FileNotFoundError:
        return 0
    for path, data in tree["steps"]:
        with contextlib.suppress(OSError):
            write_change(paths, FileChange(path, None, manifest.node(data)))
    nodes.remove(paths.rollback)
    bond_switch.follow(tree["bonds"])
    log("install did not come to its end: the old files are back", priority=WARNING)
    return 0


def _wait_aside() -> None:
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
