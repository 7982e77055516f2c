"""Judge how good an uplink's line is: what it loses and how long its answers take. Pure.

A check asks each measured uplink some times in a row (probe/measure.py), and the last ``window``
questions count. It is poor above ``loss_max`` or ``latency_max``, and until it is at half of both
again: a line at the limit does not come and go. While there are fewer questions than the window
holds, what is missing counts as answered at once: so no single bad round of a new window makes a
line poor, unless no good one could mend that any more.

A round that nobody answers is silence, which has a way of its own: it says nothing of the line's
quality, or each outage would count twice. Nor do the rounds at its two edges, of which the outage
has a part: where an uplink is heard again a new window begins, with the next round.
"""

from __future__ import annotations

from netfail_hooks.config import Config, Uplink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.health import can_ask, unusable_reason
from netfail_hooks.policy.state import POOR, Quality, State
from netfail_hooks.values import value


@value
class Line:
    """What came of so many questions: how many were answered, in how many milliseconds in all."""

    asked: int
    answered: int
    waited: int

    @property
    def lost(self) -> int:
        """Return how many were not answered."""
        return self.asked - self.answered

    @property
    def loss(self) -> float:
        """Return how many of a hundred are lost."""
        return 100 * self.lost / self.asked if self.asked else 0.0

    @property
    def latency(self) -> float:
        """Return how long an answer takes on an average, in milliseconds."""
        return self.waited / self.answered if self.answered else 0.0


def next_quality(config: Config, observed: Observation, state: State) -> tuple[Quality, ...]:
    """Return the quality of each measured uplink after this observation."""
    kept = (
        _next(uplink, observed, state, family)
        for family in FAMILIES
        for uplink in config.uplinks
        if uplink.measured
    )
    return tuple(quality for quality in kept if quality.rounds)


def line_of(quality: Quality) -> Line:
    """Return what came of all questions in a window."""
    rounds = _rounds(quality)
    return Line(*(sum(numbers) for numbers in zip(*rounds, strict=True)))


def poor_reasons(config: Config, qualities: tuple[Quality, ...]) -> dict[tuple[str, int], str]:
    """Return why lines count as poor, by uplink and family: of those that do."""
    uplinks = {uplink.interface: uplink for uplink in config.uplinks}
    return {
        (quality.interface, quality.family): _reason(uplinks[quality.interface], line_of(quality))
        for quality in qualities
        if quality.poor
    }


def _reason(uplink: Uplink, line: Line) -> str:
    if (_is_above(uplink, line, 1) or _is_above(uplink, line, 2)) == "latency":
        limit = uplink.latency_max
        what = f"answers take {line.latency:.0f} ms"
        return f"{POOR}{what} (at most {limit}, back at {limit / 2:g})"
    limit = uplink.loss_max
    what = f"{line.loss:.0f} % of {line.asked} lost"
    return f"{POOR}{what} (at most {limit}, back at {limit / 2:g})"


def _next(uplink: Uplink, observed: Observation, state: State, family: int) -> Quality:
    name = uplink.interface
    old = state.quality(name, family) or Quality(name, family)
    if unusable_reason(observed, name, family) or not can_ask(uplink, observed, family):
        return Quality(name, family)
    if _was_away(observed, state, name, family):
        old = Quality(name, family)
    rounds = _rounds(old)
    known = state.uplink_state(name, family)
    for result in observed.probes:
        if (result.interface, result.family) != (name, family):
            continue
        if result.healthy and known and known.fails:
            return Quality(name, family)
        if result.answered:
            rounds = [*rounds, _numbers(result)]
    while rounds and sum(one[0] for one in rounds[1:]) >= uplink.window:
        rounds = rounds[1:]
    text = ",".join(":".join(map(str, numbers)) for numbers in rounds)
    quality = Quality(name, family, old.poor, text)
    poor = bool(rounds and _is_above(uplink, line_of(quality), 2 if old.poor else 1))
    return Quality(name, family, int(poor), text)


def _is_above(uplink: Uplink, line: Line, part: int) -> str:
    """Return which limit, or which part of it, a line is above: "loss", "latency" or ""."""
    size = max(line.asked, uplink.window)
    if uplink.loss_max and 100 * line.lost * part > uplink.loss_max * size:
        return "loss"
    if uplink.latency_max and line.waited * part > uplink.latency_max * (size - line.lost):
        return "latency"
    return ""


def _was_away(observed: Observation, state: State, name: str, family: int) -> bool:
    """Tell whether a link was away since it was last looked at."""
    link, known = observed.link(name), state.uplink_state(name, family)
    if link is None or known is None:
        return False
    return known.down_count != link.down_count or known.index not in (0, link.index)


def _numbers(result: Result) -> tuple[int, int, int]:
    return result.asked, result.answered, result.waited


def _rounds(quality: Quality) -> list[tuple[int, int, int]]:
    texts = quality.rounds.split(",") if quality.rounds else []
    return [(int(a), int(b), int(c)) for a, b, c in (text.split(":") for text in texts)]
