"""A storm of other people's interfaces, as containers and virtual machines make them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from bench.hot_path import has_failed_over
from netfail_hooks.install.hook_file import STARTS
from netfail_hooks.install.layout import HOOK
from netfail_hooks.lab import Lab
from netfail_hooks.paths import Paths
from netfail_hooks.process import wait_until

QUIET = 2.0
_STARTED = "/run/lab/started"
_PROGRAM = "/run/lab/python"
_INVOKED = re.compile(r"Invoking '[^']+' for interface (\S+)")


@dataclass(frozen=True)
class Outcome:
    """What became of a cable that was pulled in a storm, and what the storm cost."""

    seconds: float  # until the failover was recorded
    hooks_before: int  # that the dispatcher ran meanwhile
    hooks: int  # of the storm's interfaces, in all
    pythons: int  # that were started for them
    storm: float  # seconds until the dispatcher was through with them


def count_starts(lab: Lab) -> None:
    """Have each Python that a hook starts on the host be counted from now on, by interface."""
    for directory in lab.run("ls", Paths().dispatcher).stdout.split():
        path = f"{Paths().dispatcher}/{directory}/{HOOK}"
        hook = lab.read(path)
        starts = STARTS.search(hook.encode())
        if starts is None:
            continue
        program = starts[1].decode()
        note = f'#!/bin/sh\necho "$IFACE" >>{_STARTED}\nexec {program} "$@"\n'
        lab.write(_PROGRAM, note, mode=0o755)
        lab.write(path, hook.replace(f'exec "{program}"', f'exec "{_PROGRAM}"'), mode=0o755)


def started(lab: Lab) -> list[str]:
    """Return for which interfaces Python was started."""
    return [name for name in lab.read(_STARTED).split() if name.startswith("veth")]


def invoked(lab: Lab) -> list[str]:
    """Return for which interfaces the dispatcher ran a hook."""
    assert lab.networkd is not None  # noqa: S101 - tells mypy what a lab with a dispatcher has
    return [name for name in _INVOKED.findall(lab.networkd.log()) if name.startswith("veth")]


def make(lab: Lab, pairs: int) -> None:
    """Make pairs of interfaces, at once."""
    lines = (
        f"link add veth{pair}a type veth peer name veth{pair}b\n"
        f"link set veth{pair}a up\nlink set veth{pair}b up\n"
        for pair in range(pairs)
    )
    lab.run("ip", "-batch", "-", stdin="".join(lines)).check_returncode()


def unmake(lab: Lab, pairs: int) -> None:
    """Take them away again."""
    lines = "".join(f"link delete veth{pair}a\n" for pair in range(pairs))
    lab.run("ip", "-batch", "-", stdin=lines, seconds=60).check_returncode()


def cable_out_in_a_storm(lab: Lab, pairs: int, *, patience: float = 120) -> Outcome:
    """Pull the first uplink's cable as the dispatcher begins with new pairs. Raises Problem."""
    make(lab, pairs)
    wait_until(lambda: bool(invoked(lab)), 10, "hooks of the storm")
    began, hooks = time.monotonic(), len(invoked(lab))
    lab.cable_out("eth0")
    wait_until(lambda: has_failed_over(lab), patience, "failover", step=0.005)
    seconds, hooks_before = time.monotonic() - began, len(invoked(lab)) - hooks
    settle(lab, patience)
    storm = time.monotonic() - began - QUIET
    return Outcome(seconds, hooks_before, len(invoked(lab)), len(started(lab)), storm)


def settle(lab: Lab, patience: float = 120) -> None:
    """Wait until the dispatcher has run no hook for ``QUIET`` seconds. Raises Problem."""
    last = (-1, 0.0)

    def quiet() -> bool:
        nonlocal last
        number = len(invoked(lab))
        if number != last[0]:
            last = (number, time.monotonic())
        return time.monotonic() - last[1] > QUIET

    wait_until(quiet, patience, "the storm to end", step=0.1)
