"""Run the commands that fix what is safe to fix."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable

from netfail_hooks import process
from netfail_hooks.doctor.facts import Finding
from netfail_hooks.errors import Problem
from netfail_hooks.paths import package_home

_PATIENCE = 120  # seconds; install waits for uplinks to come back
_OURS = "netfail-hooks"


def commands(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return what is to be run, each command once, in the order of the findings. Pure."""
    return tuple(dict.fromkeys(command for f in findings if f.safe for command in f.fix))


def run(command: str) -> str:
    """Run one of those commands; return what went wrong, "" for nothing."""
    words = shlex.split(command, comments=True)
    argv, environment = words, {}
    if words[0] == _OURS:  # this very program, whatever is in $PATH or in the current directory
        argv = [sys.executable, "-P", "-m", "netfail_hooks", *words[1:]]
        environment["PYTHONPATH"] = os.pathsep.join([package_home(), *sys.path[1:]])
    try:
        done = process.run(*argv, seconds=_PATIENCE, check=False, environment=environment)
    except Problem as problem:
        return command + str(problem).removeprefix(" ".join(argv))
    # A check that finds an uplink dead has done its work all the same.
    if done.returncode == 0 or (words[:2] == [_OURS, "check"] and not done.stderr):
        return ""
    return f"{command}: {process.failure(done)}"
