"""install, uninstall, checks and hooks against each other, at drawn moments, some of them killed.

A round begins on an installed machine or on one that is not, and starts a few at once. Then the
machine is installed as a whole or not at all, and a last uninstall gives back all that was there.
``pytest --races 1000`` takes three hours; the seed is printed, and ``--race-seed`` has it again.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.conftest import Tried
from tests.lab.kills import check
from tests.lab.suite import FILES, ROUTES, SETTINGS, shape, wait

pytestmark = pytest.mark.faults
_HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
_COMMAND = [sys.executable, "-m", "netfail_hooks"]
_INSTALLS = (
    [*_COMMAND, "install", "--primary", "eth0", "--backup", "wlan0", "--yes"],
    [*_COMMAND, "install", "--primary", "wlan0", "--backup", "eth0", "--yes"],
)
_UNINSTALL = [*_COMMAND, "uninstall", "--yes"]
_HOOK = ["/etc/networkd-dispatcher/routable.d/50-netfail-hooks"]
_EVENT = {**_HERE, "IFACE": "eth0"}
_AT_ONCE = (3, 6)
_WITHIN, _KILLED_WITHIN = 2.5, 4.0  # seconds, in which all have begun, and some have ended
_SPOILT = ("", "eth0", "wlan0")  # a gateway that is mute keeps who asks it for a second
_ALL = FILES + ROUTES + SETTINGS + "\nip rule; ip -6 rule\n"


@dataclass(frozen=True)
class Racer:
    """A command line, when it starts, and when it is killed (0: not), in seconds."""

    argv: Sequence[str]
    starts: float
    killed: float

    def __str__(self) -> str:
        how = f", killed after {self.killed:.2f}" if self.killed else ""
        return f"{self.starts:.2f}: {' '.join(self.argv[-5:])}{how}"


def _drawn(draw: random.Random, checks: Sequence[Sequence[str]]) -> list[Racer]:
    """Return who races in a round, in the order in which they start."""
    kinds = [*_INSTALLS, _UNINSTALL, _UNINSTALL, _HOOK, *checks]
    racers = [
        Racer(
            draw.choice(kinds),
            draw.uniform(0, _WITHIN),
            draw.uniform(0.1, _KILLED_WITHIN) if draw.random() < 0.25 else 0,
        )
        for _ in range(draw.randint(*_AT_ONCE))
    ]
    return sorted(racers, key=lambda racer: racer.starts)


def _race(lab: Lab, racers: Sequence[Racer]) -> list[str]:
    """Run them all to their ends; return what each said."""
    began = time.monotonic()
    running: list[subprocess.Popen[bytes]] = []
    for racer in racers:
        time.sleep(max(0.0, began + racer.starts - time.monotonic()))
        limit = ["timeout", "--foreground", "--signal=KILL", str(racer.killed or 120)]
        running.append(lab.namespaces.popen([*limit, *racer.argv], environment=_EVENT))
    said = []
    for racer, process in zip(racers, running, strict=True):
        out, error = process.communicate()
        last = (error or out).decode().strip().splitlines()[-1:]
        said.append(f"{racer}: {process.returncode} {last}")
    return said


def _is_whole(lab: Lab, before: Sequence[str]) -> bool:
    """Tell whether files are as before install, or as some install has them."""
    if sorted(shape(lab, FILES)) == before:
        return True
    shown = [lab.run(*argv, "--dry-run", environment=_HERE).stdout for argv in _INSTALLS]
    return "" in shown


def test_races_end_whole(
    make_lab: Callable[..., Lab], tried: Tried, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("race_seed") or random.randrange(1 << 32)  # noqa: S311
    rounds = request.config.getoption("races")
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    lab = make_lab()
    before, files = sorted(shape(lab, _ALL)), sorted(shape(lab, FILES))
    assert lab.run(*_INSTALLS[0], environment=_HERE, seconds=60).returncode == 0
    checks = ([*_COMMAND, "check"], check(lab))
    assert lab.run(*_UNINSTALL, environment=_HERE, seconds=60).returncode == 0
    assert sorted(shape(lab, _ALL)) == before
    for number in range(rounds):
        spoilt, installed = draw.choice(_SPOILT), draw.random() < 0.7
        told = [f"seed {seed}, round {number}: {spoilt or 'no'} gateway is mute, {installed=}"]
        with lab.watch() as watch:
            if installed:
                lab.run(*draw.choice(_INSTALLS), environment=_HERE, seconds=60)
            if spoilt:
                lab.dead_gateway(spoilt)
            racers = _drawn(draw, checks)
            tried("races of install, uninstall, checks and hooks", len(racers))
            told += _race(lab, racers)
            if not any(racer.killed for racer in racers):
                assert _is_whole(lab, files), "\n".join(told)
            if spoilt:
                lab.alive_gateway(spoilt)
            done = lab.run(*_UNINSTALL, environment=_HERE, seconds=90)
            assert done.returncode == 0, "\n".join([*told, done.stderr])
        assert watch.gaps(4) == [], "\n".join(told)
        try:
            wait(lambda: sorted(shape(lab, _ALL)) == before, "all as before", seconds=5)
        except AssertionError:
            now = shape(lab, _ALL)
            more = [f"+ {line}" for line in now if line not in before]
            less = [f"- {line}" for line in before if line not in now]
            raise AssertionError("\n".join([*told, done.stderr, *more, *less])) from None
