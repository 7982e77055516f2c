"""Feed events to the decision core alone: recorded ones, or a list of words. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netfail_hooks import recorder
from netfail_hooks.config import Config
from netfail_hooks.policy import decide, next_state
from netfail_hooks.policy.changes import Change
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import Run
from netfail_hooks.recorder.recording import Recorded, parse
from netfail_hooks.replay.events import DEAD, Event
from netfail_hooks.replay.simulated import Imagined
from netfail_hooks.values import plain, replace, value

_TICK = 5  # seconds between two checks where the config has no timer


@value
class Again:
    """A recorded decision made again: what to print, and whether it is the recorded one."""

    text: str
    same: bool


def again(lines: Iterable[str]) -> Iterator[Again]:
    """Make every recorded decision again."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _again(parse(line))
        except ValueError as damage:  # of what could be read, but cannot have been
            yield Again(f"line {number}: DAMAGED: {damage}", same=False)


def _again(recorded: Recorded) -> Again:
    config, observed, before = recorded.config, recorded.observed, recorded.before
    after = next_state(config, observed, before)
    changes = decide(config, observed, before, after)
    run = Run(recorded.trigger, config, observed, before, after, changes, (), 0)
    made = [{"change": type(one).__name__, **plain(one)} for one in changes]
    differs = []
    if after != recorded.after:
        differs.append("    DIFFERS: it was judged otherwise when it was recorded")
    # A run looks again after its changes; what it then still had to do follows in the line.
    first, later = recorded.changes[: len(made)], recorded.changes[len(made) :]
    if first != made or (later and not made):
        differs += [f"    DIFFERS: recorded was {_told(one)}" for one in recorded.changes]
    text = [f"{recorded.time}  {_told_run(run)}", *differs]
    if not differs and later:
        text.append(f"    then, on another look: {len(later)} more")
    return Again("\n".join(text), same=not differs)


def _told(change: dict[str, object]) -> str:
    inside = ", ".join(f"{key}={one}" for key, one in change.items() if key != "change")
    return f"{change.get('change')}({inside})"


def imagine(config: Config, steps: Iterable[Event]) -> Iterator[str]:
    """Return what would be decided at each step, on an imagined machine that begins all well."""
    story = _Story(config)
    yield "an imagined machine, all well:"
    yield from story.look("check")
    for step in steps:
        yield f"{step}:"
        if not step.interface:
            yield from story.wait(step.wait)
            continue
        yield from story.enter(step)


class _Story:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._machine = Imagined(config)
        self._memory = State()

    def enter(self, step: Event) -> Iterator[str]:
        """Let the hook run, where there is an event; then a check, as hook or timer would."""
        self._machine.enter(step.interface, step.state)
        self._machine.now += 1000
        if step.state != DEAD:
            yield from self.look(f"{step.interface} {step.state}", probe=False)
        yield from self.look("check")

    def wait(self, seconds: int) -> Iterator[str]:
        """Let time pass, with a check at each tick of the timer."""
        end = self._machine.now + seconds * 1000
        while self._machine.now < end:
            tick = (self._config.interval or _TICK) * 1000
            self._machine.now = min(self._machine.now + tick, end)
            yield from self.look(f"check at +{self._machine.now // 1000}s")

    def look(self, trigger: str, *, probe: bool = True) -> Iterator[str]:
        observed = self._machine.look()
        if probe:
            observed = replace(observed, probes=self._machine.probes())
        before, after = self._memory, next_state(self._config, observed, self._memory)
        changes = decide(self._config, observed, before, after)
        self._do(changes)
        self._memory = after
        run = Run(trigger, self._config, observed, before, after, changes, (), 0)
        if recorder.is_transition(run):
            yield "    " + _told_run(run).replace("\n", "\n    ")

    def _do(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._machine.make(change)


def _told_run(run: Run) -> str:
    return "\n".join(
        [f"{run.trigger}: {recorder.summary(run)}", *(f"    {one}" for one in run.changes)]
    )
