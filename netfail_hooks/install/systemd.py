"""What install asks of the service manager."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.install.hook_file import base_python, search_path
from netfail_hooks.install.units import DRILL, DRILL_TIMER, QUICK, SERVICE, SOCKET, TIMER, WATCH
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run
from netfail_hooks.reconcile import again

NETWORKD, _DISPATCHER = "systemd-networkd", "networkd-dispatcher"
_PROGRAMS = "/usr/local/bin:/usr/sbin:/usr/bin"


def systemd_runs() -> bool:
    """Tell whether the machine was booted by systemd (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def call_later(unit: str, module: str, call: str, seconds: int, again: int = 0) -> None:
    """Have a function of a module called later by something that outlives us, once.

    By a transient timer, which no boot outlives, else by a process of our own that waits; ``call``
    has ``{wait}`` for the seconds that it has to wait itself. ``again``: the timer has it called
    once more so many seconds after each end, a kill included, until that is stopped
    (OnUnitInactiveSec=, systemd.timer(5)). Raises Problem, OSError.
    """
    program = base_python()
    # One expression: whoever has systemd read its units again, as any package that brings one does,
    # has it read this one, too, and 252 has then a backslash before each semicolon.
    text = (
        f"__import__('sys').path.extend({list(search_path())}) or "
        f"__import__('sys').exit(__import__({module!r}, fromlist=['main']).{call})"
    )
    if systemd_runs():
        code = text.replace("{wait}", "0")
        run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={unit}",
            f"--on-active={seconds}",
            *([f"--on-unit-inactive={again}"] if again else []),
            "--timer-property=AccuracySec=100ms",
            program,
            "-IS",
            "-c",
            code,
        )
        return
    subprocess.Popen(
        [program, "-IS", "-c", text.replace("{wait}", str(seconds))],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_timer(config: Config) -> None:
    """Have the service manager read the units, and run the timer and the watch or not.

    Raises Problem.
    """
    run("systemctl", "daemon-reload")
    if config.period:
        run("systemctl", "restart", TIMER)
    if config.drilled:
        run("systemctl", "restart", DRILL_TIMER)
    else:
        _stop(DRILL_TIMER)
    _stop(QUICK)  # whoever needs it starts it anew
    _stop(SOCKET, WATCH)  # its filter knows the uplinks by their names
    if config.watched:
        run("systemctl", "start", SOCKET)


def stop_timer() -> None:
    """Stop the timers, the watch, and a check or drill that runs: that heals before it ends."""
    _stop(SOCKET, TIMER, DRILL_TIMER, QUICK, f"{again.UNIT}-*.timer", WATCH, SERVICE, DRILL)


def _stop(*units: str) -> None:
    for unit in units:
        with contextlib.suppress(Problem):
            run("systemctl", "stop", unit)


def forget_units() -> None:
    """Have the service manager see that the units are gone, their failures with them."""
    with contextlib.suppress(Problem):
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed", TIMER, QUICK, SERVICE, SOCKET, WATCH)
    with contextlib.suppress(Problem):
        run("systemctl", "reset-failed", DRILL, DRILL_TIMER)  # which there need not have been


def start_dispatcher() -> list[str]:
    """Have networkd-dispatcher run; return what is missing for that, with the next step.

    Debian's unit starts at boot only if there is a hook (its ConditionPathExistsGlob=): before
    ours there may have been none.
    """
    unit = f"{_DISPATCHER}.service"
    if not shutil.which(_DISPATCHER, path=_PROGRAMS):
        how = "install it with the distribution's package manager"
        return [f"networkd-dispatcher is not there, so no event reaches the hooks: {how}"]
    if not systemd_runs():
        return []
    if not _is("enabled", unit):
        how = "sudo systemctl enable --now networkd-dispatcher"
        return [f"networkd-dispatcher is not enabled, so no event reaches the hooks: {how}"]
    try:
        run("systemctl", "daemon-reload")  # it comes back by itself from now on (units.py)
        run("systemctl", "start", unit)
    except Problem as problem:
        return [str(problem)]
    return []


def spare_dispatcher() -> list[str]:
    """Return that networkd-dispatcher is there and runs nothing of ours; others may need it."""
    if not shutil.which(_DISPATCHER, path=_PROGRAMS):
        return []
    return [f"{_DISPATCHER} runs nothing of ours; if nobody else needs it, remove its package"]


def end_idle_dispatcher() -> list[str]:
    """End networkd-dispatcher where it would not start now: Debian's does only if there is a hook.

    Before ours there may have been none, and then it did not run. Returns what went wrong.
    """
    unit = f"{_DISPATCHER}.service"
    if not (systemd_runs() and is_active(unit)):
        return []
    told = ""
    with contextlib.suppress(Problem):  # who can't be asked says nothing (systemd-analyze(1))
        asked = ("systemd-analyze", "condition", f"--unit={unit}")
        told = run(*asked, check=False, environment=ENGLISH).stderr
    try:
        if "Conditions failed" in told:
            run("systemctl", "stop", unit)
    except Problem as problem:
        return [str(problem)]
    return []


def dispatcher_problems() -> list[str]:
    """Return that networkd-dispatcher has failed, with the next step: others may have hooks."""
    if systemd_runs() and _is("failed", "networkd-dispatcher.service"):
        return ["networkd-dispatcher has failed: sudo systemctl restart networkd-dispatcher"]
    return []


def networkd_problems() -> list[str]:
    """Return what keeps networkd from running after the next boot, with the next step."""
    if systemd_runs() and not _is("enabled", "systemd-networkd.service"):
        return ["systemd-networkd does not start at boot: sudo systemctl enable systemd-networkd"]
    return []


def image_problems(paths: Paths, config: Config) -> list[str]:
    """Return what a machine that is not running lacks, each with the next step."""
    wanted = paths.at("/etc/systemd/system/multi-user.target.wants/")
    needed = (NETWORKD, _DISPATCHER) if config.dispatcher else (NETWORKD,)
    return [
        f"{unit} is not enabled below {paths.root}: "
        f"sudo systemctl --root={paths.root} enable {unit}"
        for unit in [f"{name}.service" for name in needed]
        if not os.path.lexists(wanted + unit)
    ]


def is_active(unit: str) -> bool:
    """Tell whether a unit runs, or a timer is still to come."""
    return _is("active", unit)


def _is(state: str, unit: str) -> bool:
    try:
        run("systemctl", "--quiet", f"is-{state}", unit)
    except Problem:
        return False
    return True
