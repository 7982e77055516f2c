"""The way back from a drill, whatever becomes of it: armed before the uplink is made to fail.

A transient timer where systemd runs the machine, else a process of our own, ends the fault when its
time is over, though the drill was killed, stopped or cut off. After a boot there is no fault.
"""

from __future__ import annotations

import contextlib
import os
import time

from netfail_hooks.config.cache import generation
from netfail_hooks.errors import Problem
from netfail_hooks.install import systemd
from netfail_hooks.install.transaction import turn
from netfail_hooks.journal import WARNING, log
from netfail_hooks.kernel import outage
from netfail_hooks.kernel.observe import now
from netfail_hooks.paths import Paths
from netfail_hooks.process import run
from netfail_hooks.recorder import drills
from netfail_hooks.recorder.drills import MARGIN, Drill
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from netfail_hooks.config.cache import Generation

_TRIES = 10  # a second apart: what the kernel refuses now, short of memory, it may do then
_UNIT = "netfail-hooks-drill-end"
_AGAIN = "look at 'sudo netfail-hooks status', and drill again"


def arm(paths: Paths, drill: Drill, lasts: int, since: Generation) -> Drill:
    """Have the fault ended in any case, when it ``lasts`` so many milliseconds from then on.

    Return the drill with its end, which is noted, so that whoever looks knows why the uplink fails:
    who ends it forgets it. Raises Problem where another drill is on.
    Install, uninstall and other drills wait meanwhile, and find it noted; where one of them was
    first, what was installed ``since`` may be gone.
    """
    with turn(paths):
        refuse_while_on(paths)
        if os.path.exists(paths.uninstalling) or generation(paths) != since:
            raise Problem("what is installed, or asked for, has changed meanwhile", hint=_AGAIN)
        drill = replace(drill, until=now() + lasts)
        seconds = drills.left(drill) + MARGIN
        call = f"main({drill.token!r}, {drill.way!r}, {drill.interface!r}, {drill.index}, {{wait}})"
        _stop()  # the timer of one whose fault somebody else has ended
        systemd.call_later(_UNIT, "netfail_hooks.drill.heal", call, seconds)
        drills.note(paths, drill)
    return drill


def refuse_while_on(paths: Paths) -> None:
    """Refuse to do what a drill would disturb, or it. Raises Problem."""
    drill = drills.noted_now(paths)
    if drill:
        left = drills.left(drill) + MARGIN
        raise Problem(f"a drill is on: {drill.interface} fails for now", hint=f"wait {left} s")


def disarm(paths: Paths, drill: Drill) -> None:
    """End the fault now, and let nobody else do it but where it cannot be ended."""
    if _is_ended(drill.way, drill.interface, drill.index):
        drills.forget(paths, drill.token)
        _stop()


def main(token: str, way: str, interface: str, index: int, wait: int = 0) -> int:
    """End a drill's fault, unless another one is on by then. Returns the exit status."""
    time.sleep(wait)
    paths = Paths()
    drill = drills.noted_now(paths)
    if drill and drill.token != token:
        return 0
    known = os.path.exists(paths.drill)
    left = _TRIES
    while not _is_ended(way, interface, index):
        left -= 1
        if not left:
            return 1
        time.sleep(1)
    if known:
        drills.forget(paths, token)
        log(f"the drill was cut short: {interface} was healed by the timer", priority=WARNING)
    return 0


def _is_ended(way: str, interface: str, index: int) -> bool:
    """End a fault; tell whether it is over."""
    try:
        outage.end(way, index)
    except OSError as error:
        log(f"{interface} could not be healed after a drill: {error}", priority=WARNING)
        return False
    return True


def _stop() -> None:
    if systemd.systemd_runs():
        with contextlib.suppress(Problem):  # it is over, or never began
            run("systemctl", "stop", f"{_UNIT}.timer")
