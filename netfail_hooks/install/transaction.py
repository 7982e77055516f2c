"""Change a machine as a whole or not at all: what reverts a change is noted before it is made."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import ParamSpec, TypeVar

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import without_temporary
from netfail_hooks.install import nodes
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.terminal.progress import doing

_PATIENCE = 30.0  # seconds: another one with two uplinks is over in ten
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Undo(contextlib.ExitStack):
    """Callbacks that revert changes: they run, the last one first, only if the inside fails.

    What was raised inside, an interrupt too, passes on once all have run. A callback that fails
    doesn't keep the others from running, and why it failed is a note to what was raised.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failures: list[str] = []

    def callback(
        self, callback: Callable[_P, _T], /, *args: _P.args, **kwds: _P.kwargs
    ) -> Callable[_P, _T]:
        """Note what reverts the change that is made next."""

        def attempt() -> None:
            try:
                callback(*args, **kwds)
            except Problem as problem:
                self._failures.append(str(problem))
            except OSError as error:
                where = f"{error.filename}: " if error.filename else ""
                self._failures.append(f"{where}{error.strerror or error}")
            except Exception as error:  # noqa: BLE001 - it must not hide what was raised
                self._failures.append(f"bug: {type(error).__name__}: {error}")

        super().callback(attempt)
        return callback

    def __exit__(
        self,
        kind: type[BaseException] | None,
        reason: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Run them, or forget them all."""
        if reason is None:
            self.pop_all()
            return
        with ignored(signal.SIGINT):  # a second Ctrl-C would leave half of the changes
            super().__exit__(None, None, None)
        for failure in dict.fromkeys(self._failures):
            if failure != str(reason):
                reason.add_note(f"while all was put back: {failure}")


@contextlib.contextmanager
def turn(paths: Paths) -> Iterator[None]:
    """Keep every other install and uninstall of this machine away inside. Raises Problem.

    What is to be changed must be worked out inside: another one may have changed it until then.
    Where nothing is installed at the end, as after a refusal, nothing of this stays.
    """
    if paths.root:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            with doing("waiting for another install or uninstall to end", _PATIENCE):
                stack.enter_context(Lock(paths.turn, patience=_PATIENCE, name="netfail-hooks-turn"))
        except NotPermitted:
            raise
        except Problem as problem:
            raise Problem(
                f"another install or uninstall has been at work for {_PATIENCE:.0f} s, so this one "
                "has not begun",
                hint=problem.hint,
            ) from None
        try:
            yield
        finally:
            if not os.path.lexists(paths.manifest):
                nodes.remove(paths.turn)
                nodes.remove(paths.run)


@contextlib.contextmanager
def ignored(number: signal.Signals) -> Iterator[None]:
    """Go on inside whatever sends us that signal."""
    old = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, old)


def note(known: Manifest, changes: Sequence[FileChange]) -> Manifest:
    """Return the manifest that also knows of changes; originals noted before stay. Pure."""
    for change in changes:
        if change.after is not None:
            known = known.noting(change.path, change.before, change.after)
    return known


def write_change(paths: Paths, change: FileChange) -> None:
    """Make a path what the change wants it to be. Raises OSError."""
    path = paths.at(change.path)
    if change.after is None:
        nodes.remove(path)
    else:
        nodes.write(path, change.after)


def revert_change(paths: Paths, change: FileChange) -> None:
    """Make a path what it was, whether the change was made, half made or is yet to come."""
    path = paths.at(change.path)
    nodes.remove(nodes.beside(path))
    # networkd would take a twin of what it has read for another file.
    if not nodes.same(nodes.read(path), change.before):
        write_change(paths, FileChange(change.path, change.after, change.before))


def restore_manifest(paths: Paths, old: Node | None, made: Sequence[str] = ()) -> None:
    """Make the manifest what it was, None for nothing. Raises OSError."""
    if old is None:
        remove_manifest(paths, made)
    else:
        nodes.write(paths.manifest, old)


def remove_manifest(paths: Paths, made: Sequence[str] = ()) -> None:
    """Remove the manifest, its directory, and those above that were ``made`` for it."""
    nodes.remove(nodes.beside(paths.manifest))
    nodes.remove(paths.manifest)
    place = os.path.dirname(paths.manifest)
    kept = (paths.kept_orders, paths.drilled, paths.drills, paths.carried)
    for name in os.listdir(place) if os.path.isdir(place) else ():
        if without_temporary(f"{place}/{name}") in kept:
            nodes.remove(f"{place}/{name}")
    nodes.remove(place)
    for directory in reversed(made):
        nodes.remove(paths.at(directory))
