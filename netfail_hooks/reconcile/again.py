"""Look again sooner than the timer would: it is slow while all is well, or there is none.

While all is well nothing is asked for. While an uplink is recovering, its last round of probes went
badly, or the kernel cannot watch the gateway in use, a transient timer of the service manager's
starts one more check, which asks for the next one if need be (systemd-run(1)). A hold-down's end is
a moment to look in any case.
"""

from __future__ import annotations

import os
import time

from netfail_hooks.config import Config
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.policy.watch import unwatched
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.recorder import Run

UNIT = "netfail-hooks-again"
SERVICE = (
    "netfail-hooks-check.service"  # as in install/units.py, whose imports a hook need not pay for
)
_ASKING, _STEP = 2.0, 0.005  # seconds; it takes 10 ms


def due(config: Config, observed: Observation, after: State) -> int:
    """Return when to look again (ms since boot), 0 for not at all. Pure.

    Whoever asks in the same few seconds is told the same moment: one timer serves them all.
    """
    if config.mode == "bond":
        return 0
    now, pause = observed.now, config.quick * 1000
    judged = [one for one in after.uplinks if one.state == "recovering" or one.fails]
    moments = [one.ready for one in judged if one.state == "recovering" and one.ready > now]
    slow = not 0 < config.period <= config.quick
    if slow and (judged or unwatched(config, observed, after)):
        # From half a pause away on, so that who comes at such a moment is told the next one.
        moments.append(((now + pause // 2) // pause + 1) * pause)
    return min(moments, default=0)


def arrange(done: Run) -> None:
    """Have the service manager look again when it is time to, if it is to be."""
    when = due(done.config, done.observed, done.after)
    if not when or not os.path.isdir("/run/systemd/system"):
        return
    command = [
        "systemd-run",
        "--quiet",
        "--no-block",
        "--collect",
        f"--unit={UNIT}-{when}",
        f"--on-active={when - done.observed.now}ms",
        "--timer-property=AccuracySec=100ms",
        "systemctl",
        "start",
        "--no-block",
        SERVICE,
    ]
    # It says no where such a timer waits already.
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    until = time.monotonic() + _ASKING
    while time.monotonic() < until and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(_STEP)
