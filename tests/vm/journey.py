"""What a machine goes through from its boot on: each mode, and in each the scenarios.

One machine a suite, so each stop begins with what those before it left.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tests.vm import image, installing, payload, upgrading
from tests.vm.bench import Bench, Row, said
from tests.vm.machine import Broken, Machine
from tests.vm.scenarios import SCENARIOS

MODES = ("routes", "bond")
SCENARIO_NAMES = tuple(scenario.name for scenario in SCENARIOS)
UPGRADE = "release-upgrade"  # only where it is asked for: it takes half an hour
INSTALL, UNINSTALL, REBOOT = "install", "uninstall", "reboot-after-uninstall"
_RUNS = {scenario.name: scenario.run for scenario in SCENARIOS}


@dataclass(frozen=True)
class Stop:
    """One thing that is done to a machine: install, a scenario, uninstall, reboot."""

    suite: str
    mode: str
    name: str


def journey(
    suites: Iterable[str], modes: Sequence[str], scenarios: Sequence[str], *, quick: bool
) -> list[Stop]:
    """Return all stops; without ``scenarios`` all of those, or those of a ``quick`` run."""
    chosen = [
        scenario
        for scenario in SCENARIOS
        if (scenario.name in scenarios if scenarios else scenario.quick or not quick)
    ]
    stops = []
    for suite in suites:
        for mode in modes:
            names = [INSTALL, *(one.name for one in chosen if mode in one.modes)]
            if UPGRADE in scenarios:  # after which there is nothing left to compare with
                ends = mode == modes[-1] and suite == upgrading.SUITE
                stops += [Stop(suite, mode, name) for name in (*names, *[UPGRADE] * ends)]
                continue
            # A part of the journey switches from one mode to the next and uninstalls but once.
            if mode == modes[-1] or not (quick or scenarios):
                names += [UNINSTALL] if quick else [UNINSTALL, REBOOT]
            stops += [Stop(suite, mode, name) for name in names]
    return stops


class Journey:
    """The machine that is up, and the rows of all so far."""

    managers: Mapping[str, str] = dict.fromkeys(image.SUITES, image.NETWORKD)

    def __init__(self, *, upgrades: bool = False) -> None:
        self.rows: list[Row] = []
        self._suite = ""
        self._broken = ""
        self.before = ""
        self._upgrades = upgrades  # the machine is to bring the newer packages along
        self._bench: Bench | None = None
        self._up = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._up.close()

    def go(self, stop: Stop) -> list[str]:
        """Do it; return the faults of its rows. Raises AssertionError where it cannot be done."""
        if stop.suite != self._suite:
            self._board(stop)
        assert self._bench is not None, f"not reached: {self._broken}"
        self._bench.mode = stop.mode
        first = len(self.rows)
        try:
            self.ways()[stop.name](self._bench)
        except Broken as error:
            self._leave(f"{stop.name}: {error}")
            raise
        except AssertionError as error:
            if stop.name.startswith(INSTALL):
                self._leave(f"install failed: {error}")
                raise
            self._keep_unfinished(self._bench, stop, str(error))
        return [f"{row.scenario}: {fault}" for row in self.rows[first:] for fault in row.faults]

    def _board(self, stop: Stop) -> None:
        """Boot a suite's machine in place of the one before."""
        self._leave("the machine did not boot")
        self._suite = stop.suite
        manager = self.managers[stop.suite]
        made, wheels = image.image(stop.suite, manager), image.wheels()
        tar = self._up.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")) + "/payload.tar"
        newer = upgrading.packages(made) if self._upgrades else ""
        payload.write(tar, wheels, newer, manager)
        said(f"{stop.suite}: booting")
        machine = self._up.enter_context(Machine(made, tar))
        bench = Bench(machine, stop.suite, stop.mode, self.rows)
        try:
            self.before = self.shape(bench)
        except AssertionError:
            bench.diagnose()
            raise
        self._bench = bench

    def _leave(self, why: str) -> None:
        self._bench, self._broken = None, why
        self._up.close()

    def shape(self, bench: Bench) -> str:
        """Return all that uninstall is to give back."""
        return installing.shape(bench)

    def ways(self) -> dict[str, Callable[[Bench], None]]:
        """Return what each stop does."""
        return {
            **_RUNS,
            INSTALL: installing.install,
            UNINSTALL: lambda bench: installing.uninstall(bench, self.before),
            REBOOT: lambda bench: installing.reboot(bench, self.before),
            UPGRADE: upgrading.upgrade,
        }

    def _keep_unfinished(self, bench: Bench, stop: Stop, fault: str) -> None:
        """Make a row of a scenario that got no further, and undo its faults."""
        name = f"{stop.name}: not finished"
        bench.row(Row(stop.suite, stop.mode, name, float("inf"), 0, faults=[fault]))
        bench.cable(plugged=True)
        bench.access_point(on=True)


def prepare(suite: str) -> None:
    """Make, where it is not there yet, what a journey needs. Raises RuntimeError."""
    image.image(suite)
    image.wheels()


def refusal() -> str:
    """Return why no machine can be made here, "" if one can."""
    if os.geteuid():
        return "building images needs root"
    lacking = image.lacking()
    return f"not installed: {' '.join(lacking)}" if lacking else ""
