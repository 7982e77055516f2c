"""Why a run did nothing, for somebody who waits for it."""

from __future__ import annotations

import os

from netfail_hooks.config.cache import generation, is_installed, stands_down
from netfail_hooks.errors import Problem
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.paths import Paths
    from netfail_hooks.recorder import Run


def refuse_idle(done: Run, paths: Paths) -> None:
    """Tell of a run that had to leave all as it is. Raises Problem, with the next step."""
    if not done.observed.now:
        raise _why(paths)


def _why(paths: Paths) -> Problem:
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
