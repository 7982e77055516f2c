"""Take the way back (``way_back/``): the timer's unit names this module."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Problem
from netfail_hooks.install import (
    diversion,
    kernel_state,
    manifest,
    nodes,
    reconfigure,
)
from netfail_hooks.install.handover import (
    Handover,
    from_networkmanager,
    gather,
    returning,
)
from netfail_hooks.install.networks import switch
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import restore_manifest, revert_change
from netfail_hooks.install.uninstaller import (
    UnfinishedError,
    prepare,
    remove_log,
    remove_volatile,
    uninstall,
)
from netfail_hooks.install.way_back import kept, turn, waiting
from netfail_hooks.install.way_back.arming import stop
from netfail_hooks.journal import WARNING, log
from netfail_hooks.lock import Lock
from netfail_hooks.managers import UnansweredError
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.reconcile.probing import probe_and_run


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
            stop(paths, "timer")


def _take(paths: Paths, wait: int) -> int:
    """Take the way back whose turn it is, as far as that goes by now."""
    began = turn.identity(paths.rollback)
    time.sleep(wait)
    held = -1 if began is None else turn.held(paths.rollback)
    if held < 0:
        return 0
    with open(held, encoding="ascii") as file:
        if turn.identity(held) != began:  # it may be a later run's by now
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
        switch.follow(tree["bonds"])
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
    handover = Handover(kept.handed(tree))
    try:
        from_networkmanager.says(handover)
    except UnansweredError:
        return returning.keep_all(handover, kept.ours(tree))
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
    handed = kept.handed(tree)
    handover = gather.known(paths, handed, tree["units"], tree["sysctls"])
    outcome = returning.give_all_back(handover, kept.ours(tree))
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
