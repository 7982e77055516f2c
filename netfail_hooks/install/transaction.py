"""Take the steps of a plan, and take them back if one fails."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netfail_hooks.errors import Problem
from netfail_hooks.install import manifest as manifests
from netfail_hooks.install import nodes
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.plan import FileChange
from netfail_hooks.paths import Paths

Around = Callable[[FileChange], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Follower:
    """How the running machine follows: before all steps, in each, and where one is taken back."""

    begin: Callable[[], None]
    around: Around
    back: Around


def note(known: Manifest, todo: Sequence[FileChange]) -> Manifest:
    """Return the manifest that also knows of the steps; originals noted before stay. Pure."""
    for step in todo:
        if step.after is not None:
            known = known.noting(step.path, step.before, step.after)
    return known


def commit(paths: Paths, noted: Manifest, todo: Sequence[FileChange], follower: Follower) -> None:
    """Take every step, the running machine following. The manifest is on disk before that.

    Whatever is raised on the way, an interrupt too, passes on once all files are as they were,
    the manifest included.
    """
    old = nodes.read(paths.manifest)
    done: list[FileChange] = []
    try:
        manifests.save(paths, noted)
        follower.begin()
        for step in todo:
            done.append(step)
            with follower.around(step):
                write_change(paths, step)
    except BaseException:
        with _undisturbed():
            for step in reversed(done):
                _take_back(paths, step, follower.back)
            if old is None:
                remove_manifest(paths)
            else:
                nodes.write(paths.manifest, old)
        raise


def write_change(paths: Paths, step: FileChange) -> None:
    """Make a path what the step wants it to be. Raises OSError."""
    path = paths.at(step.path)
    if step.after is None:
        nodes.remove(path)
    else:
        nodes.write(path, step.after)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C leave half of the files behind."""
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)


def _take_back(paths: Paths, step: FileChange, back: Around) -> None:
    """Undo a step, taken or half taken. One that can't be undone doesn't keep the others."""
    try:
        with back(step):
            _undo(paths, step)
    except (Problem, OSError):  # networkd did not follow, or the lock was held: the file at least
        _undo(paths, step)


def _undo(paths: Paths, step: FileChange) -> None:
    with contextlib.suppress(OSError):
        nodes.remove(nodes.beside(paths.at(step.path)))
        write_change(paths, FileChange(step.path, step.after, step.before))


def remove_manifest(paths: Paths) -> None:
    """Remove the manifest, and its directory."""
    nodes.remove(nodes.beside(paths.manifest))
    nodes.remove(paths.manifest)
    nodes.remove(os.path.dirname(paths.manifest))
