"""The suite on a lab's host, installed as a person would, and what tests ask of it."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Sized
from typing import Any, Self, TypeVar

from netfail_hooks.files import read_text
from netfail_hooks.lab import Lab

_Seen = TypeVar("_Seen")

# Shell that tells all that install may change; "sort" where the kernel promises no order.
FILES = """
find /etc /var/lib -type f -exec sha256sum {} + | sort -k 2
find /etc /var/lib /var/log /run/netfail-hooks ! -name received ! -name sources \\
    -exec stat -c '%A %u:%g %F %N' {} + 2>&1 | sort
"""
ROUTES = """
ip route
ip -6 route | sed 's/expires [0-9]*sec//' | sort
ip -o address | sed 's/^[0-9]*: //; s/valid_lft.*//' | sort
"""
# All that the kernel is told of its interfaces, by whomever: networkd has some from our files. A
# secret can't be read, an MTU of IPv6 follows from what routers advertise, and by whom an interface
# without an address of its own was set up last tells its addr_gen_mode.
SETTINGS = """
grep -r . /proc/sys/net/ipv[46]/conf 2>/dev/null |
    grep -v -e /stable_secret: -e /mtu: -e /addr_gen_mode: | sort
"""

# A fault comes this long after the traffic has begun: a neighbour that has just learnt where an
# address is won't believe another word for a second (``locktime``, ip-sysctl.rst).
SETTLED = 1.6


def install(  # noqa: PLR0913 - a config has many sides
    lab: Lab,
    *arguments: str,
    hold_down: int = 1,
    interval: int = 5,
    targets: str = "",
    more: str = "",
    hold_down_max: int = 0,
) -> None:
    """Install for the lab's uplinks in their order, with a short hold-down (seconds).

    ``more`` of the config follows the key ``interval`` of its table ``check``.
    """
    first, *others = lab.ports
    asked = f"targets = {targets}\n" if targets else ""
    uplinks = "".join(f'[[uplink]]\ninterface = "{name}"\n{asked}' for name in lab.ports)
    most = f"max = {hold_down_max}\n" if hold_down_max else ""
    settings = f"[hold_down]\nseconds = {hold_down}\n{most}[check]\ninterval = {interval}\n{more}"
    lab.write("/etc/netfail-hooks/config.toml", settings + uplinks)
    ranks = ["--primary", first, *(word for name in others for word in ("--backup", name))]
    done = lab.netfail("install", *ranks, "--yes", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def shape(lab: Lab, script: str = FILES + ROUTES + SETTINGS) -> list[str]:
    """Return what the machine is like: its files, routes, addresses and settings, as lines."""
    return lab.run("sh", "-c", script).stdout.splitlines()


def wait_shape(lab: Lab, before: list[str], script: str, seconds: float = 15) -> None:
    """Wait until the machine is as it was, in whatever order; say in what it isn't."""
    wanted = sorted(before)
    try:
        wait(lambda: sorted(shape(lab, script)) == wanted, "all as before", seconds)
    except AssertionError as error:
        now = shape(lab, script)
        more = [f"+ {line}" for line in now if line not in before]
        less = [f"- {line}" for line in before if line not in now]
        raise AssertionError("\n".join([str(error), *more, *less])) from error


def status(lab: Lab) -> Any:
    """Return what ``status --json`` says."""
    return json.loads(lab.netfail("status", "--json").stdout)


def looked(lab: Lab, interface: str) -> bool:
    """Run the hook for an event of an interface; tell whether it looked at the uplinks."""
    lab.run("rm", "-f", "/run/netfail-hooks/lock")
    hook = "/etc/networkd-dispatcher/routable.d/50-netfail-hooks"
    assert lab.run(hook, environment={"IFACE": interface}).returncode == 0
    return lab.run("test", "-e", "/run/netfail-hooks/lock").returncode == 0


def used(lab: Lab, family: int = 4) -> str:
    """Return the interface that the kernel sends by, "" for none."""
    return lab.used_uplink(family)


def wait(true: Callable[[], bool], what: str, seconds: float = 15) -> float:
    """Wait until ``true()`` holds; return ``time.monotonic`` then.

    The seconds are an idle machine's: where three want a processor, each gets a third of it, and
    so does what is waited for.
    """
    left, then = seconds, time.monotonic()
    while left > 0:
        if true():
            return time.monotonic()
        # A look costs a tenth of this, which whoever is waited for could need.
        time.sleep(0.05 if seconds - left < 1 else 0.15)
        now = time.monotonic()
        left -= (now - then) / crowding()
        then = now
    raise AssertionError(f"after {seconds} s still not: {what}")


class Stopwatch:
    """Tells how many seconds of an idle machine what is done in its context has taken."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _count(self) -> None:
        then, over = time.monotonic(), False
        while not over:
            over = self._ended.wait(0.05)
            now = time.monotonic()
            self.seconds += (now - then) / crowding()
            then = now


def crowding() -> float:
    """Return how many want each of the machine's processors just now (proc_loadavg(5)), 1 or more.

    We are one of them.
    """
    running = read_text("/proc/loadavg").split()[3].partition("/")[0]
    return max(1.0, int(running) / (os.cpu_count() or 1))


def tells(summary: str, what: str) -> bool:
    """Tell whether a line of the log says so of a family, or of both at once."""
    return what in summary or re.sub("IPv[46]", "IPv4 and IPv6", what) in summary


def steady(look: Callable[[], _Seen]) -> _Seen:
    """Return what is seen once two looks in a row see the same: all has come that is on its way.

    What is to be there at all is to be waited for before: no look sees what has not begun.
    """
    seen = [look()]

    def stays() -> bool:
        seen.append(look())
        return seen[-1] == seen[-2]

    wait(stays, "a state that stays", seconds=60)
    return seen[-1]


def wait_rounds(rounds: Sized, more: int) -> None:
    """Wait until Lab.timer has run so many more checks, on however slow a machine."""
    enough = len(rounds) + more
    wait(lambda: len(rounds) >= enough, f"{more} more checks", seconds=60)


def wait_operational(lab: Lab, interface: str, state: str) -> None:
    """Wait until the kernel calls a link "up" or "down", which it may do a second late."""
    path = f"/sys/class/net/{interface}/operstate"
    wait(lambda: lab.read(path).strip() == state, f"a link that is {state}")


def measure(seconds: float) -> None:
    """Let traffic go on for as long as is to be measured. It is no wait: nothing may end it."""
    time.sleep(seconds)


def wait_used(lab: Lab, interface: str, family: int = 4, seconds: float = 15) -> float:
    """Wait until the kernel sends by an interface; return ``time.monotonic`` then."""
    return wait(lambda: used(lab, family) == interface, f"traffic by {interface}", seconds)


def events(lab: Lab) -> list[Any]:
    """Return the flight recorder's entries, oldest first."""
    text = lab.read("/var/log/netfail-hooks/events.jsonl")
    return [json.loads(line) for line in text.splitlines()]


def switches(lab: Lab) -> list[str]:
    """Return the uplinks that carried IPv4 one after another, as recorded."""
    ways = [event["active"]["ipv4"] for event in events(lab)]
    return [way for place, way in enumerate(ways) if place == 0 or ways[place - 1] != way]
