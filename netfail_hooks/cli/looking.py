"""Ask each uplink for somebody who waits: ``check``, ``use``, ``disable`` and ``enable``."""

from __future__ import annotations

import os

from netfail_hooks.config.cache import generation, is_installed, stands_down
from netfail_hooks.errors import Problem
from netfail_hooks.terminal.progress import shown
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netfail_hooks.paths import Paths
    from netfail_hooks.recorder import Run


def look(round_: Callable[[], Run], paths: Paths, *, quiet: bool = False) -> Run:
    """Return what a round of asking came to. Raises Problem where it was not to act on it."""
    with shown("asking each uplink", quiet=quiet):
        done = round_()
    if not done.observed.now:
        raise _idle(paths)
    return done


def _idle(paths: Paths) -> Problem:
    """Return why nothing was done, and the next step."""
    if os.path.exists(paths.uninstalling):
        return Problem(
            "nothing was done: an uninstall is at work, or was killed",
            hint="wait for it; if none runs, 'sudo netfail-hooks uninstall' goes on with it",
        )
    if stands_down(paths):
        return Problem(
            "nothing was done: another manager has the uplinks, since an install or uninstall lost "
            "its power on the way",
            hint="'sudo netfail-hooks install' takes them over, 'sudo netfail-hooks uninstall' "
            "leaves them there",
        )
    if is_installed(generation(paths), paths):
        return Problem(
            "nothing was done: an install or uninstall was at work meanwhile", hint="try again"
        )
    return Problem("nothing was done: nothing is installed", hint="sudo netfail-hooks install")
