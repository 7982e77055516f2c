"""A life as a list of steps: drawn at random, lived, shrunk, and written down."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netfail_hooks import recorder
from netfail_hooks.recorder import Run
from tools.model.ghost import BrokenError
from tools.model.machine import Setup
from tools.model.trial import Trial

Step = tuple[str, int, int]

# How often each rule is drawn.
WEIGHTS = {
    "cable": 10,
    "blip": 3,
    "switch": 6,
    "unplug": 3,
    "insert": 4,
    "configure": 5,
    "reconfigure": 3,
    "restart": 3,
    "catch_up": 5,
    "serve": 4,
    "move": 2,
    "sicken": 6,
    "fix": 8,
    "neighbours": 2,
    "speak": 6,
    "ask": 4,
    "meddle": 2,
    "crowd": 1,
    "throng": 2,
    "wait": 14,
    "talk": 4,
    "forget": 1,
    "retarget": 2,
    "order": 2,
    "endpoint": 3,
    "rename": 2,
    "silence": 4,
    "worsen": 4,
    "hook": 10,
    "hook_and_probe": 6,
    "check": 12,
    "begin_round": 3,
    "end_round": 3,
    "unlucky_round": 3,
    "killed": 5,
    "refused": 3,
    "unsaved": 2,
    "torn": 3,
    "raced": 4,
    "settle": 2,
    "set_up_anew": 2,
}
RULES = tuple(WEIGHTS)
LIFE = 200  # steps


@dataclass(frozen=True)
class Life:
    """A machine and what happens to it."""

    setup: Setup
    steps: tuple[Step, ...]

    def live(self) -> Trial:
        """Live it. Raises BrokenError."""
        trial = Trial(self.setup)
        for step in self.steps:
            trial.step(*step)
        return trial

    def fault(self) -> str:
        """Return which invariant it breaks, "" for none; a traceback is a fault too."""
        try:
            self.live()
        except BrokenError as broken:
            return str(broken).partition(":")[0]
        except Exception as error:  # noqa: BLE001 - whatever the core raises
            return repr(error)
        return ""

    def recorded(self) -> str:
        """Return its runs as the flight recorder writes them, for ``netfail-hooks replay``."""
        runs: list[Run] = []
        trial = Trial(self.setup, runs.append)
        try:
            for step in self.steps:
                trial.step(*step)
        except Exception:  # noqa: BLE001, S110 - it is there to be looked at
            pass
        return "".join(recorder.line(run) for run in runs)


def draw(seed: int, length: int = LIFE) -> Life:
    """Return the random life of a seed."""
    rng = random.Random(seed)  # noqa: S311 - a draw that can be made again
    uplinks = tuple(
        (
            _kind(rng),
            _kind(rng),
            int(rng.random() < 0.4),
            rng.choice((0, 1, 1, 1, 1, 2, 3, 4)),
            _more(rng),
        )
        for _ in range(rng.randint(2, 6))
    )
    setup = Setup(
        uplinks,
        hold_down=rng.choice((1, 10)),
        hold_down_max=rng.choice((10, 40)),
        quiet=rng.choice((30, 600)),
        successes=rng.randint(1, 3),
        follow=int(rng.random() < 0.8),
        failback=rng.choice((0, 0, 0, 0, 1, 2)),
        hours=rng.choice((0, 0, 0, 0, 0, 1, 2)),
        limits=int(rng.random() < 0.3),
    )
    drawn = rng.choices(RULES, tuple(WEIGHTS.values()), k=length)
    steps = tuple((rule, rng.randrange(64), rng.randrange(64)) for rule in drawn)
    return Life(replace(setup, metered=rng.choice((0, 0, 1, 2, 3, 62))), steps)


def _kind(rng: random.Random) -> int:
    return rng.choice((0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4))


def _more(rng: random.Random) -> int:
    return rng.randrange(32) if rng.random() < 0.5 else 0


def shrink(life: Life) -> Life:
    """Return a small life with the same fault: fewer steps, fewer uplinks, small numbers."""
    fault = life.fault()
    moved = True
    while moved:
        moved = False
        for smaller in _smaller(life):
            if smaller.fault() == fault:
                life, moved = smaller, True
                break
    return life


def _smaller(life: Life) -> Iterator[Life]:
    size = len(life.steps)
    while size:
        for at in range(0, len(life.steps), size):
            yield replace(life, steps=life.steps[:at] + life.steps[at + size :])
        size //= 2
    uplinks = life.setup.uplinks
    for at in range(len(uplinks) if len(uplinks) > 2 else 0):
        fewer = replace(life.setup, uplinks=uplinks[:at] + uplinks[at + 1 :])
        yield replace(life, setup=fewer)
    for at, (rule, a, b) in enumerate(life.steps):
        for less in ((0, b), (a % 6, b), (a, 0), (a, b % 12)):
            if less < (a, b):
                steps = (*life.steps[:at], (rule, *less), *life.steps[at + 1 :])
                yield replace(life, steps=steps)
    for at, uplink in enumerate(uplinks):
        for key, number in enumerate(uplink):
            if number > (key in {0, 3}):
                plainer = (*uplink[:key], number - 1, *uplink[key + 1 :])
                rest = (*uplinks[:at], plainer, *uplinks[at + 1 :])
                yield replace(life, setup=replace(life.setup, uplinks=rest))
