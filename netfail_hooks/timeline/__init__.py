"""From recorded transitions to each uplink's state over time. Pure.

An uplink is drawn once for both families: of those whose traffic it carries the worst state
counts, where it carries none the worst of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netfail_hooks.names import is_interface_name
from netfail_hooks.policy.state import STATES
from netfail_hooks.recorder import DRILL
from netfail_hooks.recorder.events import parse
from netfail_hooks.recorder.schema import load

_BADNESS = ("absent", "up", "recovering", "down")
_REST = 0.05  # of a recording's time, after its last transition
_MARGIN = 0.05  # of the window, before the first transition in it: to see what was before


@dataclass(frozen=True, slots=True)
class State:
    """An uplink's state, and whether it carries the traffic of a family."""

    state: str
    carries: bool

    @property
    def weight(self) -> tuple[int, bool]:
        """Return the rank by which a short state is drawn rather than a long one."""
        return _BADNESS.index(self.state), self.carries


States = dict[str, State]
ABSENT = State("absent", carries=False)


@dataclass(frozen=True, slots=True)
class Point:
    """A recorded transition.

    ``time`` is the wall clock's, in seconds since the epoch, ``clock`` that of the boot whose id
    is ``boot``, in seconds since then; ``uplinks`` are in rank order. ``drill``: one was on.
    """

    time: float
    boot: str
    clock: float
    uplinks: tuple[str, ...]
    before: States
    after: States
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """The present moment, in a point's terms."""

    time: float
    boot: str
    clock: float


@dataclass(frozen=True, slots=True)
class Span:
    """A time without a change, in seconds since the epoch."""

    begin: float
    end: float
    state: State


@dataclass(frozen=True, slots=True)
class Track:
    """An uplink's spans in order; there are none while it was absent, or nothing is known.

    ``share`` is how much of the known time it carried the traffic, from 0 to 1.
    """

    name: str
    spans: tuple[Span, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """All uplinks from ``begin`` to ``end``; ``boots`` are when the machine was started.

    ``drills`` are the transitions that came of fire drills.
    """

    begin: float
    end: float
    tracks: tuple[Track, ...]
    boots: tuple[float, ...]
    drills: tuple[float, ...] = ()


def point(line: str) -> Point:
    """Return the transition that a recorder's line holds. Raises ValueError."""
    transition = parse(line)
    moment = transition.time.timestamp()
    drill = transition.trigger.endswith(DRILL)
    try:
        entry = load(line)
        uplinks = tuple(_name(uplink["interface"]) for uplink in entry["config"]["uplinks"])
        clock = int(entry["observed"]["now"]) / 1000
        before, after = _states(entry["before"]), _states(entry["after"])
        return Point(moment, str(entry["boot"]), clock, uplinks, before, after, drill)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not an event: {error}") from None


def moments(points: Sequence[Point], now: Now) -> list[float]:
    """Return when each point was, in seconds since the epoch, none later than the next.

    Within a boot its clock alone counts, since it never jumps; the wall clock of its last point
    tells when the boot was. The wall clock of a machine that has no battery for it, as a
    Raspberry Pi, is wrong until it has heard from a time server.
    """
    began = _boots(points, now)
    backwards: list[float] = []
    latest = now.time
    for point in reversed(points):
        latest = min(began[point.boot] + point.clock, latest)
        backwards.append(latest)
    return backwards[::-1]


def end(points: Sequence[Point]) -> Now:
    """Return the moment that a recording is shown until: its last transition is to be seen."""
    last = points[-1]
    rest = max((last.time - points[0].time) * _REST, 1)
    return Now(last.time + rest, last.boot, last.clock + rest)


def window(points: Sequence[Point], now: Now, earliest: float | None, last: int | None) -> float:
    """Return where to begin: at ``earliest``, or a little before the ``last`` so many points.

    Not long before the first that is known: on a machine that was set up a minute ago a day would
    be an empty drawing.
    """
    if earliest is not None and last is None:
        return max(earliest, _before(known_since(points, now), now))
    at = [m for m in moments(points, now) if earliest is None or m >= earliest]
    if last is not None:
        at = at[max(len(at) - last, 0) :]
    return _before(at[0], now) if at else now.time


def _before(moment: float, now: Now) -> float:
    return moment - max((now.time - moment) * _MARGIN, 1)


def known_since(points: Sequence[Point], now: Now) -> float:
    """Return since when anything is known of an uplink."""
    known = (since for since, _, states in _pieces(points, now) if set(states.values()) - {ABSENT})
    return next(known, now.time)


def timeline(points: Sequence[Point], now: Now, begin: float) -> Timeline:
    """Return what happened from ``begin`` until now."""
    pieces = [
        (max(since, begin), until, states)
        for since, until, states in _pieces(points, now)
        if until > max(since, begin)
    ]
    names = dict.fromkeys(name for point in reversed(points) for name in point.uplinks)
    known = sum(  # from a machine's start to the first that is known of any of them, nothing is
        until - since
        for since, until, states in pieces
        if any(states.get(name, ABSENT) != ABSENT for name in names)
    )
    tracks = (_track(name, pieces, known) for name in names)
    present = points[-1].uplinks if points else ()
    return Timeline(
        begin=begin,
        end=now.time,
        tracks=tuple(track for track in tracks if track.spans or track.name in present),
        boots=tuple(boot for boot in _restarts(points, now).values() if boot >= begin),
        drills=tuple(
            moment
            for moment, one in zip(moments(points, now), points, strict=True)
            if one.drill and moment >= begin
        ),
    )


def _boots(points: Sequence[Point], now: Now) -> dict[str, float]:
    """Return when each boot began, by its id."""
    began = {point.boot: point.time - point.clock for point in points}
    began[now.boot] = now.time - now.clock
    return began


def _restarts(points: Sequence[Point], now: Now) -> dict[int, float]:
    """Return when the machine was started again, by the number of the point that follows."""
    began, at = _boots(points, now), [*moments(points, now), now.time]
    boots = [*(point.boot for point in points), now.boot]
    return {
        number: min(max(began[boots[number]], at[number - 1]), at[number])
        for number in range(1, len(boots))
        if points and boots[number] != boots[number - 1]
    }


def _pieces(points: Sequence[Point], now: Now) -> Iterator[tuple[float, float, States]]:
    """Yield each time in which nothing changed, with the state of all.

    Nobody records when a machine goes off; so a state counts until the next boot.
    """
    at, restarts = [*moments(points, now), now.time], _restarts(points, now)
    if points:
        yield _boots(points, now)[points[0].boot], at[0], points[0].before
    for number, point in enumerate(points, start=1):
        restart = restarts.get(number, at[number])
        yield at[number - 1], restart, point.after
        if number < len(points):
            yield restart, at[number], points[number].before


def _track(name: str, pieces: Sequence[tuple[float, float, States]], known: float) -> Track:
    spans: list[Span] = []
    for since, until, states in pieces:
        state = states.get(name, ABSENT)
        if state == ABSENT:
            continue
        joins = spans and (spans[-1].end, spans[-1].state) == (since, state)
        spans.append(Span(spans.pop().begin if joins else since, until, state))
    carried = sum(span.end - span.begin for span in spans if span.state.carries)
    return Track(name, tuple(spans), carried / known if known else 0)


def _states(state: dict[str, Any]) -> States:
    active = {(_name(a["interface"]), a["family"]) for a in state["active"] if a["interface"]}
    families: dict[str, list[State]] = {}
    for uplink in state["uplinks"]:
        name = _name(uplink["interface"])
        if uplink["state"] not in STATES:
            raise ValueError("not a state")
        carries = (name, uplink["family"]) in active
        families.setdefault(name, []).append(State(uplink["state"], carries))
    return {name: _worst(states) for name, states in families.items()}


def _worst(families: list[State]) -> State:
    """Return the worst state of the families that it carries; where it carries none, of all."""
    carrying = [state for state in families if state.carries]
    return max(carrying or families, key=lambda state: state.weight)


def _name(text: object) -> str:
    if not isinstance(text, str) or not is_interface_name(text):
        raise ValueError("not an interface name")
    return text
