"""Look again sooner than the timer would: it is slow while all is well, or there is none.

While all is well nothing is asked for. While an uplink is recovering, its last round of probes went
badly, or the kernel cannot watch the gateway in use, a quick timer runs that starts the check each
few seconds: a run that sees it starts that, and one that sees it no more stops it. A hold-down's
end is a moment to look in any case, for which a transient timer is made (systemd-run(1)).
"""

from __future__ import annotations

import contextlib
import os
import time

from netfail_hooks.config import Config
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.policy.watch import is_at_rest
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.recorder import Run

UNIT = "netfail-hooks-again"
# As in install/units.py, whose imports a hook need not pay for.
SERVICE, QUICK = "netfail-hooks-check.service", "netfail-hooks-quick.timer"
_TIMERS = "/run/systemd/transient"  # systemd.unit(5)
_ASKING, _STEP = 2.0, 0.005  # seconds; it takes 10 ms


def due(config: Config, observed: Observation, after: State) -> int:
    """Return when a hold-down, an order by hand or a wait ends (ms since boot), 0: never. Pure.

    Whoever asks is told the same moment: one timer serves them all.
    """
    moments = [
        one.ready for one in after.uplinks if one.state == "recovering" and one.ready > observed.now
    ]
    moments += [order.until for order in config.orders if order.until > observed.now]
    if config.waits and config.mode == "routes":
        from netfail_hooks.policy import patience

        moments += patience.moments(config, observed, after)
    return min(moments, default=0)


def is_hasty(config: Config, observed: Observation, after: State) -> bool:
    """Tell whether checks must come more quickly than by the timer. Pure."""
    if 0 < config.period <= config.quick:
        return False
    if config.failback == "idle":
        from netfail_hooks.policy import patience

        if patience.awaits_idleness(config, observed, after):
            return True
    return not is_at_rest(config, observed, after)


def arrange(done: Run, paths: Paths) -> None:
    """Have the service manager look again when it is time to, or no more than usual."""
    if not os.path.isdir("/run/systemd/system"):
        return
    hasty = is_hasty(done.config, done.observed, done.after)
    if hasty:
        _note(paths)
        _ask("systemctl", "start", "--no-block", QUICK)  # which does nothing if it runs
    elif os.path.exists(paths.quick):
        _ask("systemctl", "stop", "--no-block", QUICK)
        os.unlink(paths.quick)
    when = due(done.config, done.observed, done.after)
    if not when or os.path.exists(f"{_TIMERS}/{UNIT}-{when}.timer"):
        return
    _ask(  # it says no where such a timer waits already
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
    )


def _note(paths: Paths) -> None:
    """Note that the quick timer runs: it has to be stopped one day."""
    with contextlib.suppress(OSError):
        os.close(os.open(paths.quick, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))


def _ask(*command: str) -> None:
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    until = time.monotonic() + _ASKING
    while time.monotonic() < until and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(_STEP)
