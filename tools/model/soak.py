"""A day of faults in simulated time, with real files: state, recorder, rotation.

python -m tools.model.soak --hours 24

Faults come at random, last for a while, overlap; hooks come late, twice, or not at all; the
timer's rounds take their time; leases are renewed; some runs are killed. At the end everything
is repaired, and the machine must be what it was in the morning.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable

from netfail_hooks import reconcile, recorder
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import OWN_TABLES
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import Run, events
from netfail_hooks.recorder.recording import parse
from tools.model.ghost import BrokenError
from tools.model.machine import Setup
from tools.model.networkd import LEASE
from tools.model.trial import Trial

HOUR = 3_600_000
LIMIT = 200_000  # bytes of a recorder's file
_STATE_MAX = 8_000  # bytes; six uplinks, two families
_OBJECTS = 2_000  # that Python may keep in more than it had after an hour
# Each fault, and what ends it.
_FAULTS = (
    ("cable", 0, "cable", 1),
    ("sicken", 0, "sicken", 0),
    ("sicken", 1, "sicken", 1),
    ("switch", 0, "switch", 1),
    ("unplug", 0, "fix", 0),
    ("reconfigure", 0, "configure", 0),
    ("serve", 0, "serve", 1),
    ("move", 7, "configure", 0),
    ("blip", 2, "configure", 0),
    ("meddle", 0, "configure", 0),
    ("meddle", 1, "configure", 0),
    ("neighbours", 63, "configure", 0),
    ("unlucky_round", 1, "check", 0),
    ("killed", 1, "check", 0),
    ("suspend", 0, "check", 0),
)


class Soak(Trial):
    """A machine with a clock, an agenda, and files."""

    def __init__(self, setup: Setup, seed: int, folder: str) -> None:
        super().__init__(setup)
        self._rng = random.Random(seed)  # noqa: S311 - a day that can be had again
        self._state, self._log = folder + "/state", folder + "/log"
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._entries = 0
        self.observed: Counter[str] = Counter()
        self._ways: dict[int, str] = {}
        os.makedirs(self._log, mode=0o755)
        self.run("check", self.results())  # who answers is settled from then on
        self._fresh = self._tables()

    def keep(self, run: Run) -> None:
        """Save, load and record as reconcile/ does; no change of ways goes unrecorded."""
        reconcile.save_state(self._state, run.after)
        self.state = reconcile.load_state(self._state)
        if self.state != run.after or os.path.getsize(self._state) > _STATE_MAX:
            raise BrokenError("I5: the state file is not what was remembered, or grows")
        self.observed["runs"] += 1
        ways = {family: self.kernel.way(family) for family in FAMILIES}
        if recorder.is_transition(run):
            self._record(run)
        elif self._ways and ways != self._ways:
            raise BrokenError(f"a transition is lost: {self._ways} to {ways}")
        self._ways = ways

    def _record(self, run: Run) -> None:
        line = recorder.line(run)
        self.observed["transitions"] += 1
        self.observed["bytes recorded"] += len(line)
        recorder.write(self._log, line, LIMIT)
        size = sum(entry.stat().st_size for entry in os.scandir(self._log))
        if size > 2 * LIMIT + 2 * len(line):
            raise BrokenError(f"the log has {size} bytes")

    def _suspend(self, *_: int) -> None:
        """Sleep for a minute: the boot clock goes on."""
        self.now += 60_000

    def day(self, hours: float) -> None:
        """Live it. Raises BrokenError."""
        end = self.now + int(hours * HOUR)
        self._in(0, self._timer)
        self._in(0, self._fault)
        self._in(LEASE // 2, self._renew)
        objects = 0
        while self._agenda[0][0] < end:
            due, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, due)
            self.networkd.expire(self.now)
            act()
            if not objects and self.now > end - int(hours * HOUR) // 2:
                objects = self._objects()
        if self._objects() - objects > _OBJECTS:
            raise BrokenError(f"{self._objects() - objects} objects more than at half-time")
        self.now = end
        self._evening()
        self._read_back()

    def _objects(self) -> int:
        gc.collect()
        return len(gc.get_objects())

    def _in(self, wait: float, act: Callable[[], None]) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (self.now + int(wait), self._entries, act))

    def _timer(self) -> None:
        results = self.results()
        self._in(self._rng.uniform(1, 1000), lambda: self.run("timer", results))
        self._in(self.config.interval * 1000, self._timer)

    def _renew(self) -> None:
        self.step("catch_up", 0, 0)
        self._in(LEASE // 2, self._renew)

    def _fault(self) -> None:
        rule, how, remedy, back = self._rng.choice(_FAULTS)
        who = self._rng.randrange(64)
        self.observed["faults"] += 1
        self.step(rule, who, how)
        self._hooks(who)
        self._in(self._rng.expovariate(1 / 30_000), lambda: self._end(remedy, who, back))
        self._in(self._rng.expovariate(1 / 20_000), self._fault)

    def _end(self, remedy: str, who: int, back: int) -> None:
        self.step(remedy, who, back)
        self._hooks(who)
        # networkd sets it up, some time later
        self._in(self._rng.uniform(200, 3_000), lambda: self.step("configure", who, 0))
        self._in(self._rng.uniform(3_000, 3_500), lambda: self.step("hook_and_probe", who, 0))

    def _hooks(self, who: int) -> None:
        """Let the event's hook come: mostly soon, now and then twice or never."""
        for _ in range(self._rng.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 2))):
            self._in(self._rng.uniform(20, 500), lambda: self.step("hook", who, 0))

    def _evening(self) -> None:
        """Mend everything. Raises BrokenError where the machine isn't as in the morning."""
        self.sick.clear()
        self.poor.clear()
        self.step("fix", 0, 1)
        for _ in range(self.config.successes + 2):
            self.run("check", self.results())
            self.now += self.config.hold_down_max * 1000
            self.step("catch_up", 0, 0)
        self.run("check", self.results())
        if self._tables() != self._fresh:
            raise BrokenError(f"a drift: {self._tables() ^ self._fresh}")
        bad = [s for s in self.state.uplinks if s.state not in ("up", "absent") or s.fails]
        if bad:
            raise BrokenError(f"not well in the evening: {bad}")

    def _read_back(self) -> None:
        """Raise BrokenError where a line of the log doesn't begin as the one before it ended."""
        before = None
        for line in events.lines(self._log):
            run = parse(line)
            if before not in (None, _states(run.before)):
                raise BrokenError(f"a transition is lost before: {run.trigger} {run.observed.now}")
            before = _states(run.after)
            self.observed["lines read back"] += 1

    def _tables(self) -> set[str]:
        """Return all that the kernel has, without what a server may give otherwise."""
        hosts = {net.address: net.name for net in self.networkd.nets}
        tables = {
            f"{a.interface} {hosts.get(a.address, a.address)} {a.length} {a.ours}"
            for a, _ in self.kernel.addresses
        }
        tables |= {
            f"{r.interface} {r.destination} {r.metric} {r.protocol}"
            for r in self.kernel.routes
            if r.table not in OWN_TABLES
        }
        return tables | {f"{key} {setting}" for key, setting in self.kernel.sysctls.items()}


def _states(state: State) -> list[tuple[object, ...]]:
    uplink_states = ((s.interface, s.family, s.state) for s in state.uplinks)
    return [*uplink_states, *((c.family, c.interface) for c in state.active)]


def soak(hours: float, seed: int, setup: Setup) -> Counter[str]:
    """Return what a day held. Raises BrokenError."""
    with tempfile.TemporaryDirectory() as folder:
        life = Soak(setup, seed, folder)
        life.day(hours)
        return life.observed


MACHINES = (
    Setup(((1, 2, 0, 1), (2, 2, 0, 1)), hold_down_max=300, quiet=600),
    Setup(((2, 1, 0, 1), (2, 2, 1, 1), (1, 1, 0, 0)), hold_down_max=300, quiet=600),
    Setup(((1, 1, 0, 1),) * 3 + ((2, 2, 1, 1),) * 3, hold_down_max=300, quiet=600),
)


def main() -> int:
    """Return 1 where an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tools.model.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for setup in MACHINES:
        began = time.monotonic()
        try:
            observed = soak(args.hours, args.seed, setup)
        except BrokenError as broken:
            print(f"BROKEN: {broken}", file=sys.stderr)
            return 1
        counts = ", ".join(f"{number:,} {what}" for what, number in observed.items())
        took = time.monotonic() - began
        print(
            f"{len(setup.uplinks)} uplinks, {args.hours:g} h: {counts}; none broken, {took:.0f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
