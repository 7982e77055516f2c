"""``netfail-hooks uninstall``: put everything back as it was before install.

What somebody has changed since install is theirs and stays; each such path is told. Twice is
the same as once, and after a kill on the way the next run does the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from netfail_hooks import metrics
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.files import without_temporary
from netfail_hooks.install import bond_switch, kernel_state, nodes, reconfigure, systemd
from netfail_hooks.install.manifest import Entry, Manifest
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import remove_manifest, write_change
from netfail_hooks.lock import Lock
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd import takeover as networkd_takeover
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE, OLD_FILE

_HERE = Paths()


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to put back, and what stays though we put it there."""

    paths: Paths
    known: Manifest
    todo: tuple[FileChange, ...]
    notes: tuple[str, ...]
    keep_log: bool
    live: bool

    def uplinks(self) -> Config:
        """Return the uplinks whose files are put back."""
        names = dict.fromkeys(
            networkd_takeover.uplink_of(entry.path) for entry in self.known.entries
        )
        return Config(uplinks=default_metrics(tuple(filter(None, names))))


def prepare(paths: Paths, known: Manifest, args: argparse.Namespace) -> Work:
    """Work out what there is to put back, the last made first. Changes nothing."""
    todo, notes = [], []
    for entry in reversed(known.entries):
        if args.keep_config and (entry.path + "/").startswith(os.path.dirname(_HERE.config) + "/"):
            continue
        step = FileChange(entry.path, nodes.read(paths.at(entry.path)), entry.before)
        if nodes.same(step.before, step.after):
            continue
        if _is_somebody_elses(entry, step):
            notes.append(f"{entry.path} was changed since install, so it stays as it is")
        else:
            todo.append(step)
    running = not (paths.root or args.no_live)
    ordered = _ordered(todo, known)
    return Work(paths, known, ordered, tuple(notes), args.keep_log, running)


def lost(work: Work) -> tuple[str, ...]:
    """Return what to say of uplinks that nothing but our own files sets up."""
    made = bond_switch.bonds_of(work.todo)
    names = [networkd_takeover.uplink_of(step.path) for step in work.todo if step.after is None]
    told = []
    for name in sorted({name for name in names if name and name not in made}):
        with contextlib.suppress(Misuse):  # of a file that may set it up
            nic = match.read_nic(name, work.paths.at("/sys"))
            if match.effective(work.paths, nic, ignore=takeover.is_ours) is None:
                told.append(
                    f"after this no .network file sets {name} up, as before install: "
                    "it will have no address"
                )
    return tuple(told)


def _ordered(todo: list[FileChange], known: Manifest) -> tuple[FileChange, ...]:
    """Give the ``.network`` files the order in which the default routes were once added."""
    places = [place for place, step in enumerate(todo) if networkd_takeover.uplink_of(step.path)]
    ranks = {name: rank for rank, name in enumerate(known.default_route_order)}
    steps = [todo[place] for place in places]
    steps.sort(key=lambda step: ranks.get(networkd_takeover.uplink_of(step.path), len(ranks)))
    changed = dict(zip(places, steps, strict=True))
    return tuple(changed.get(place, step) for place, step in enumerate(todo))


def _is_somebody_elses(entry: Entry, step: FileChange) -> bool:
    """Tell whether it is neither as we made it nor gone; an empty directory is nobody's."""
    if step.before is None or (step.before.kind == nodes.DIRECTORY and step.after is None):
        return False
    return not entry.is_ours(step.before)


def _uninstall(work: Work) -> list[str]:
    """Put everything back; return what could not be."""
    told: list[str] = []
    textfile = _textfile(work.paths)
    networkd = work.live and reconfigure.networkd_answers()
    if work.live and systemd.systemd_runs():
        systemd.stop_timer()
    if work.live:
        _hold_hooks(work.paths)
    for entry in work.known.entries:
        nodes.remove(nodes.beside(work.paths.at(entry.path)))
    _give_back(work, told, networkd=networkd)
    if work.live:
        told += _restore_kernel(work.known)
    if textfile:
        metrics.remove(work.paths.at(textfile))
    _remove_own_directories(work)
    if work.live and systemd.systemd_runs():
        systemd.forget_units()
    remove_manifest(work.paths)
    return told


def _give_back(work: Work, told: list[str], *, networkd: bool) -> None:
    """Take the steps, a running networkd following; add to ``told`` what went wrong there."""
    bonds = bond_switch.bonds_of(work.todo)
    alone = networkd and not bonds
    if alone:
        reconfigure.finish_pending(work.uplinks(), work.paths, told)
    for step in work.todo:
        with (
            reconfigure.network_step(step, work.uplinks(), work.paths, told)
            if alone
            else _nothing()
        ):
            write_change(work.paths, step)
    if alone:
        reconfigure.reconfigure_addressless(work.uplinks())
    elif networkd:
        told += bond_switch.give_back(bonds, work.uplinks())


def _hold_hooks(paths: Paths) -> None:
    """Let hooks that run come to their end, and those that wait for their turn do nothing.

    They have read the config: what is given back would look to them like what networkd forgot.
    """
    with Lock(paths.lock), contextlib.suppress(OSError):
        os.close(os.open(paths.uninstalling, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))


def _textfile(paths: Paths) -> str:
    try:
        return config_file.read(paths.config).textfile
    except Problem:
        return ""


def _nothing() -> contextlib.nullcontext[None]:
    return contextlib.nullcontext()


def _restore_kernel(known: Manifest) -> list[str]:
    from netfail_hooks.install.kernel_state import remove_our_routes

    told = [f"the kernel refused {one}" for one in kernel_state.set_sysctls(known.sysctls)]
    try:
        remove_our_routes()
    except Problem as problem:
        told.append(str(problem))
    return told


def _remove_own_directories(work: Work) -> None:
    """Remove what the hooks and checks left: the lock, their memory, and what they recorded."""
    paths = work.paths
    _empty(paths.run, paths.is_volatile)
    if not work.keep_log:
        _empty(paths.log, lambda path: path in (paths.log + FILE, paths.log + OLD_FILE))


def _empty(directory: str, is_ours: Callable[[str], bool]) -> None:
    """Remove our files, those that a kill left half written too, and the directory if empty."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        if is_ours(without_temporary(nodes.without_beside(path))):
            nodes.remove(path)
    nodes.remove(directory)
