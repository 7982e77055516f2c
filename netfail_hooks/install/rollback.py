"""The way back from a switch of modes that cut the machine off, or killed its installer.

Before the switch the old state of every file lies in /run, and something waits: a transient
timer where systemd runs the machine, else a process of our own. Who installs calls it off once
the gateway answers. Its file says by flock(2) whose turn it is: the way back holds it until all is
as it was, an install while it changes something, and from its last word on. Once the way back was
taken an install changes nothing any more.

One that leads uplinks back to other managers is taken again and again, every AGAIN seconds, until
each is where it was: however long a manager is silent, networkd has meanwhile what it may have let
go, by our files. What an uninstall could not give back takes the same way.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_owned
from netfail_hooks.install import (
    bond_switch,
    diversion,
    kernel_state,
    manifest,
    nodes,
    reconfigure,
    systemd,
)
from netfail_hooks.install.handover import (
    Handover,
    from_networkmanager,
    gather,
    returning,
    taking,
    waiting,
)
from netfail_hooks.install.handover.returning import Ours
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange, missing_parents
from netfail_hooks.install.transaction import Undo, restore_manifest, revert_change
from netfail_hooks.install.uninstaller import (
    UnfinishedError,
    prepare,
    remove_log,
    remove_volatile,
    uninstall,
)
from netfail_hooks.journal import WARNING, log
from netfail_hooks.lock import Lock
from netfail_hooks.managers import UnansweredError
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.process import run
from netfail_hooks.reconcile.probing import probe_and_run

SECONDS = 90
AGAIN = 30  # seconds until it is looked again who has the uplinks
EACH = int(taking.LONGEST)  # seconds more for an uplink that changes hands
_TAKES = 5  # seconds to write the files once it is due
_LIMIT = 1 << 28
_UNIT = "netfail-hooks-rollback"


@dataclass(frozen=True, slots=True)
class Live:
    """What to give back beside files: uplinks to their managers, and the kernel its settings.

    ``own`` are the uplinks that networkd had all along, ``ours`` the files by which it has others.
    """

    handover: Handover
    own: tuple[str, ...]
    sysctls: Mapping[str, str]
    ours: Ours = field(default_factory=dict)


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
                self.held = _held(self.paths.rollback)
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
        held = _held(self.paths.rollback)
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
    live_too: Live | None = None,
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
            handed = live_too.handover.handed
            tree |= {"handed": [manifest.plain_handed(one) for one in handed]}
            tree |= {"units": list(live_too.handover.idle)}
            tree |= {"own": list(live_too.own), "sysctls": dict(live_too.sysctls)}
            tree |= {"ours": _plain_files(live_too.ours)}
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


def _plain_files(ours: Ours) -> dict[str, dict[str, Any]]:
    return {
        name: {path: manifest.plain(node) for path, node in files.items()}
        for name, files in ours.items()
    }


def _files(tree: dict[str, Any]) -> Ours:
    """Return what ``_plain_files`` made ``tree`` of. Raises ValueError, KeyError, TypeError."""
    return {
        name: {path: found for path, plain in files.items() if (found := manifest.node(plain))}
        for name, files in tree.items()
    }


def refuse_while_armed(paths: Paths) -> None:
    """Refuse to change what a killed run's way back is going to change. Raises Problem."""
    what = waiting.read(paths)
    if what and is_waiting(paths):
        raise Problem(f"an earlier {what}", hint=waiting.HOW)
    if _is_held(paths.rollback):
        raise Problem(
            "an earlier install was killed, and is being taken back", hint="wait a minute for that"
        )
    seconds = _seconds_left(paths)
    if seconds > 0:
        raise Problem(
            f"an earlier install was killed, so it is taken back within {seconds:.0f} s",
            hint="wait for that, then try again; 'netfail-hooks uninstall' need not",
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
    held = _held(paths.rollback)
    _call_off(paths)
    if held >= 0:
        os.close(held)


def _call_off(paths: Paths) -> None:
    nodes.remove(paths.rollback)
    nodes.remove(paths.waits)
    for kind in ("timer", "service"):
        _stop(paths, kind)


def _stop(paths: Paths, kind: str) -> None:
    if systemd.systemd_runs() and not paths.root:
        with contextlib.suppress(Problem):  # it is not there: it is over, or never began
            run("systemctl", "stop", f"{_UNIT}.{kind}")


def main(wait: int = 0) -> int:
    """Restore, unless it was called off meanwhile. Returns the exit status.

    The manifest and our own file go last: until then an uninstall waits for us, and where we don't
    come to the end it has what it needs to know.
    """
    paths = Paths()
    try:
        return _take(paths, wait)
    finally:
        if not os.path.lexists(paths.rollback):  # else the timer has it taken once more
            nodes.remove(paths.waits)
            _stop(paths, "timer")


def _take(paths: Paths, wait: int) -> int:
    """Take the way back whose turn it is, as far as that goes by now."""
    began = _identity(paths.rollback)
    time.sleep(wait)
    held = -1 if began is None else _held(paths.rollback)
    if held < 0:
        return 0
    with open(held, encoding="ascii") as file:
        if _identity(held) != began:  # it may be a later run's by now
            return 0
        tree = json.load(file)
        if "uninstall" in tree:
            return _go_on(paths, tree["uninstall"])
        messages: list[str] = []
        if left := _still_silent(tree) or _follow(paths, tree, messages):
            waiting.wait_for(paths, waiting.INSTALL, left)
            return 0
        original = manifest.node(tree["before"][-1][1])
        if not tree.get("handed") and (original is None or _is_in_bond(paths)):
            messages += _remove_ours(paths)
        for message in messages:
            log(message, priority=WARNING)
        with contextlib.suppress(OSError):
            restore_manifest(paths, original, tree["made"])
        nodes.remove(paths.rollback)
    if original is None:  # nothing is installed, as before
        remove_log(paths)
        remove_volatile(paths)
    log("install did not come to its end: the old files are back", priority=WARNING)
    return 0


def _follow(paths: Paths, tree: dict[str, Any], messages: list[str]) -> tuple[str, ...]:
    """Put the files back, and have whoever reads them follow; return the uplinks that are left."""
    for path, data in tree["before"][:-1]:
        _restore(paths, path, data)
    try:
        if tree.get("handed"):
            return _give_back(paths, tree, messages)
        bond_switch.follow(tree["bonds"])
    except (Problem, OSError) as problem:
        messages.append(str(problem))
    return ()


def _go_on(paths: Paths, options: dict[str, Any]) -> int:
    """Go on with an uninstall, which left uplinks with networkd. Returns the exit status."""
    known = manifest.load(paths)
    if known is None:
        nodes.remove(paths.rollback)
        return 0
    asked = argparse.Namespace(**options, no_live=False)
    try:
        messages = uninstall(prepare(paths, known, asked))
    except UnfinishedError as problem:
        waiting.wait_for(paths, waiting.UNINSTALL, problem.left)
        return 0
    except UnansweredError:  # as before
        return 0
    except Problem as problem:  # a person has to say how it goes on
        nodes.remove(paths.rollback)
        log(f"uninstall did not come to its end: {problem}", priority=WARNING)
        return 1
    nodes.remove(paths.rollback)
    for message in messages:
        log(message, priority=WARNING)
    log("uninstall has come to its end: the uplinks are with who had them", priority=WARNING)
    return 0


def _still_silent(tree: dict[str, Any]) -> tuple[str, ...]:
    """Return the uplinks that stay where they are, since who had them does not answer.

    Nothing is put back until then: networkd has them by the files that there are.
    """
    handover = Handover(tuple(map(manifest.handed, tree.get("handed", ()))))
    try:
        from_networkmanager.says(handover)
    except UnansweredError:
        return returning.keep_all(handover, _files(tree.get("ours", {})))
    return ()


def _restore(paths: Paths, path: str, data: dict[str, Any] | None) -> None:
    with contextlib.suppress(OSError):
        revert_change(paths, FileChange(path, manifest.node(data), None))


def _is_in_bond(paths: Paths) -> bool:
    """Tell whether the old config is of mode bond: then nobody looks for what is of the other."""
    try:
        return load(paths).mode == "bond"
    except (Problem, OSError):
        return False


def _remove_ours(paths: Paths, settings: Mapping[str, str] | None = None) -> list[str]:
    """Take out of the kernel what hooks made, and give it its settings; return what goes wrong."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Problem):  # one of them hangs: no reason to leave all this
            stack.enter_context(Lock(paths.lock))
        refused = kernel_state.set_sysctls(dict(settings or {}))
        return [*refused, *kernel_state.remove_ours(paths)]


def _give_back(paths: Paths, tree: dict[str, Any], messages: list[str]) -> tuple[str, ...]:
    """Give uplinks back to their managers, and take what a killed run left out of the kernel.

    Returns those that networkd has still: the rest waits for them.

    Its detour leads until the uplinks are back; those that networkd had all along read their old
    files. What of our routes hooks would want, of an earlier install, they make again at once.
    """
    handed = tuple(map(manifest.handed, tree["handed"]))
    handover = gather.known(paths, handed, tree["units"], tree["sysctls"])
    outcome = returning.give_all_back(handover, _files(tree.get("ours", {})))
    messages += outcome.messages
    if outcome.left:
        return outcome.left
    for one in handed:
        diversion.clear_pending(paths, one.interface)
    own = Config(uplinks=default_metrics(tuple(tree["own"])))
    if own.uplinks and networkctl.answers():
        reconfigure.reload(own)
        reconfigure.finish_pending(own, paths, messages)
    messages += _remove_ours(paths, tree["sysctls"])
    if os.path.lexists(paths.config):
        probe_and_run(load(paths), paths, "install")
    return ()


def _held(path: str) -> int:
    """Return a descriptor of the way back's file once nobody else holds it, -1 where it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _identity(path) == _identity(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)  # it was taken, or called off
    return -1


def _is_held(path: str) -> bool:
    """Tell whether somebody is on the way back."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _identity(path: str | int) -> tuple[int, int] | None:
    """Return what tells a file from one that takes its place later, None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
