"""Have the way back come, unless it is called off: what waits for it, and who may call it off."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_owned
from netfail_hooks.install import manifest, nodes, systemd
from netfail_hooks.install.handover import taking
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange, missing_parents
from netfail_hooks.install.transaction import Undo
from netfail_hooks.install.way_back import kept, turn, waiting
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.process import run

SECONDS = 90
AGAIN = 30  # seconds until it is looked again who has the uplinks
EACH = int(taking.LONGEST)  # seconds more for an uplink that changes hands
_TAKES = 5  # seconds to write the files once it is due
_LIMIT = 1 << 28
_UNIT = "netfail-hooks-rollback"


@dataclass(slots=True)
class WayBack:
    """The way back of a run that is alive: ``held`` once that run has the last word.

    ``left`` are uplinks that this run could not give back: then it is taken all the same.
    """

    paths: Paths
    held: int = -1
    left: tuple[str, ...] = ()

    @contextlib.contextmanager
    def decided(self, undo: Undo) -> Iterator[None]:
        """Once the inside ended, well or not, act alone: the way back is not taken any more.

        Raises Problem where it was taken, once it is over; ``undo`` has nothing left to do then.
        """
        try:
            yield
        finally:
            try:
                self.held = turn.held(self.paths.rollback)
            finally:
                if self.held < 0:
                    undo.pop_all()
            if self.held < 0:
                raise _taken()

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Have the way back wait while something is changed inside.

        Raises Problem where it was taken, once it is over: then nothing may be changed.
        """
        held = turn.held(self.paths.rollback)
        if held < 0:
            raise _taken()
        try:
            yield
        finally:
            os.close(held)

    def end(self) -> None:
        """Let it not be taken any more, or now, where uplinks are ``left``."""
        if self.held < 0:
            call_off(self.paths)
            return
        if self.left:
            waiting.wait_for(self.paths, waiting.INSTALL, self.left)
        else:
            _call_off(self.paths)
        os.close(self.held)
        if self.left and systemd.systemd_runs() and not self.paths.root:
            with contextlib.suppress(Problem):  # else it comes by its timer
                run("systemctl", "start", "--no-block", f"{_UNIT}.service")


def _taken() -> Problem:
    return Problem(
        "the install took too long, so the way back was taken: all is as it was",
        hint="see 'journalctl -t netfail-hooks'",
    )


@contextlib.contextmanager
def armed(
    paths: Paths,
    changes: Sequence[FileChange],
    bonds: Sequence[str],
    live_too: kept.Live | None = None,
) -> Iterator[WayBack]:
    """Have the files restored after SECONDS unless the inside comes to an end before.

    Raises Problem while a killed run's way back is still to come: it leads to a machine that
    worked, and ours would lead to what that run left.
    """
    before = [[change.path, manifest.plain(change.before)] for change in reversed(changes)]
    before.append([Paths().manifest, manifest.plain(nodes.read(paths.manifest))])
    seconds = SECONDS + EACH * (len(live_too.handover.handed) if live_too else 0)
    with Lock(paths.lock):
        refuse_while_armed(paths)
        tree: dict[str, Any] = {
            "due": time.monotonic() + seconds,
            "bonds": list(bonds),
            "before": before,
            "made": missing_parents(paths, Paths().manifest),
        }
        if live_too:
            tree |= kept.plain(live_too)
        _arm(paths, tree, seconds, AGAIN if live_too else 0)
    way = WayBack(paths)
    try:
        yield way
    finally:
        way.end()


def go_on_uninstalling(
    paths: Paths, left: Sequence[str], *, keep_config: bool, keep_log: bool
) -> None:
    """Have an uninstall that had to leave uplinks with networkd go on by itself. Raises Problem."""
    options = {"keep_config": keep_config, "keep_log": keep_log}
    with Lock(paths.lock):
        _arm(paths, {"due": time.monotonic() + AGAIN, "uninstall": options}, AGAIN, AGAIN)
    waiting.wait_for(paths, waiting.UNINSTALL, left)


def _arm(paths: Paths, tree: dict[str, Any], seconds: int, again: int) -> None:
    nodes.write(paths.rollback, Node(nodes.FILE, json.dumps(tree).encode(), 0o600))
    module = "netfail_hooks.install.rollback"
    try:
        systemd.call_later(_UNIT, module, "main({wait})", seconds, again)
    except BaseException:
        nodes.remove(paths.rollback)
        raise


def refuse_while_armed(paths: Paths) -> None:
    """Refuse to change what a killed run's way back is going to change. Raises Problem."""
    what = waiting.read(paths)
    if what and is_waiting(paths):
        raise Problem(f"an earlier {what}", hint=waiting.HOW)
    if turn.is_held(paths.rollback):
        raise Problem(
            "an earlier install was killed, and is being taken back", hint="wait a minute for that"
        )
    seconds = _seconds_left(paths)
    if seconds > 0:
        raise Problem(
            f"an earlier install was killed, so it is taken back within {seconds:.0f} s",
            hint="wait for that, then try again; 'sudo netfail-hooks uninstall' need not",
        )


def is_waiting(paths: Paths) -> bool:
    """Tell whether a way back waits for a manager, and is still taken again and again."""
    there = os.path.lexists(paths.rollback) and os.path.lexists(paths.waits)
    return there and not paths.root and systemd.is_active(f"{_UNIT}.timer")


def _seconds_left(paths: Paths) -> float:
    """Return the seconds until a way back is over, taken or not: 0 or less."""
    try:
        due = float(json.loads(read_owned(paths.rollback, limit=_LIMIT))["due"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return due + _TAKES - time.monotonic()  # CLOCK_MONOTONIC, as the timer has it: OnActiveSec=


def call_off(paths: Paths) -> None:
    """Let no way back be taken any more; one that is being taken is waited for."""
    held = turn.held(paths.rollback)
    _call_off(paths)
    if held >= 0:
        os.close(held)


def _call_off(paths: Paths) -> None:
    nodes.remove(paths.rollback)
    nodes.remove(paths.waits)
    for kind in ("timer", "service"):
        stop(paths, kind)


def stop(paths: Paths, kind: str) -> None:
    """Stop its "timer" or "service", if it is there."""
    if systemd.systemd_runs() and not paths.root:
        with contextlib.suppress(Problem):  # it is over, or never began
            run("systemctl", "stop", f"{_UNIT}.{kind}")
