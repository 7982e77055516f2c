"""Feed events to the decision core alone: recorded ones, or a list of words. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from netfail_hooks import recorder
from netfail_hooks.config import Config
from netfail_hooks.policy import decide, next_state
from netfail_hooks.policy.facts import MAIN
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import Run
from netfail_hooks.recorder.recording import CutError, Recorded, parse
from netfail_hooks.replay.events import DEAD, Event
from netfail_hooks.replay.simulated import Simulated
from netfail_hooks.terminal import escaped
from netfail_hooks.values import plain, replace, value

_TICK = 5  # seconds between two checks where the config has no timer


@value
class Again:
    """A recorded decision made again: what to print, and whether it is the recorded one.

    One that was ``cut`` could not be made again, which is no difference.
    """

    text: str
    same: bool
    cut: bool = False


def again(lines: Iterable[str]) -> Iterator[Again]:
    """Make every recorded decision again."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _again(parse(line))
        except CutError as cut:
            part = cut.part
            yield Again(
                escaped(f"{part.time}  {part.trigger}: not decided again: {cut}"),
                same=True,
                cut=True,
            )
        except ValueError as damage:  # of what could be read, but cannot have been
            yield Again(f"line {number}: DAMAGED: {damage}", same=False)


def _again(recorded: Recorded) -> Again:
    config, observed, before = recorded.config, recorded.observed, recorded.before
    after = next_state(config, observed, before)
    changes = decide(config, observed, before, after)
    run = Run(recorded.trigger, config, observed, before, after, changes, (), 0)
    made = [{"change": type(change).__name__, **plain(change)} for change in changes]
    differs = []
    if after != recorded.after:
        differs.append("    DIFFERS: the state was another when it was recorded")
    # A run looks again after its changes; what it then still had to do follows in the line.
    first = [_filled(one) for one in recorded.changes[: len(made)]]
    later = recorded.changes[len(made) :]
    if first != made or (later and not made):
        differs += [f"    DIFFERS: recorded was {_shown(change)}" for change in recorded.changes]
    text = [f"{escaped(recorded.time)}  {_describe(run)}", *differs]
    if not differs and later:
        text.append(f"    then, on another look: {len(later)} more")
    return Again("\n".join(text), same=not differs)


def _filled(change: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded change with what older recordings did not tell, all of it as usual."""
    whole = dict(change)
    for key, usual in (("route", {"table": MAIN}), ("address", {"foreign": False})):
        if isinstance(whole.get(key), dict):
            whole[key] = {**usual, **whole[key]}
    return whole


def _shown(change: dict[str, object]) -> str:
    inside = ", ".join(f"{key}={value}" for key, value in change.items() if key != "change")
    return escaped(f"{change.get('change')}({inside})")


def simulate(config: Config, events: Iterable[Event]) -> Iterator[str]:
    """Return what would be decided at each event, on a simulated machine that begins all well."""
    story = _Story(config)
    yield "a simulated machine, all well:"
    yield from story.reconcile("check")
    for event in events:
        yield f"{event}:"
        if event.interface:
            yield from story.enter(event)
        else:
            yield from story.wait(event.wait)


class _Story:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._machine = Simulated(config)
        self._state = State()

    def enter(self, event: Event) -> Iterator[str]:
        """Let the hook run, where there is an event; then a check, as hook or timer would."""
        self._machine.enter(event.interface, event.state)
        self._machine.now += 1000
        if event.state != DEAD:
            yield from self.reconcile(f"{event.interface} {event.state}", probe=False)
        yield from self.reconcile("check")

    def wait(self, seconds: int) -> Iterator[str]:
        """Let time pass, with a check at each tick of the timer."""
        end = self._machine.now + seconds * 1000
        while self._machine.now < end:
            tick = min(self._config.period or _TICK, self._config.quick) * 1000
            self._machine.now = min(self._machine.now + tick, end)
            yield from self.reconcile(f"check at +{self._machine.now // 1000}s")

    def reconcile(self, trigger: str, *, probe: bool = True) -> Iterator[str]:
        """Decide once, and let the changes take effect; yield what a transition is recorded as."""
        observed = self._machine.observe()
        if probe:
            observed = replace(observed, probes=self._machine.probes())
        before, self._state = self._state, next_state(self._config, observed, self._state)
        changes = decide(self._config, observed, before, self._state)
        for change in changes:
            self._machine.make(change)
        run = Run(trigger, self._config, observed, before, self._state, changes, (), 0)
        if recorder.is_transition(run):
            yield "    " + _describe(run).replace("\n", "\n    ")


def _describe(run: Run) -> str:
    head = f"{run.trigger}: {recorder.summary(run)}"
    return "\n".join([escaped(head), *(f"    {escaped(str(change))}" for change in run.changes)])
