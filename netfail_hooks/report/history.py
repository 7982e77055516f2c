"""From recorded transitions to outages and availability. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from netfail_hooks.recorder.schema import load
from netfail_hooks.timeline import (
    Now,
    Point,
    Span,
    Timeline,
    Track,
    known_since,
    moments,
    timeline,
    window,
)

Cause = Mapping[str, str]  # why an uplink is down, by its name
NO_UPLINK = ""
_DAY = 86400
PERIODS = (("day", _DAY), ("week", 7 * _DAY), ("month", 30 * _DAY))
Spans = list[tuple[float, float]]
_SAME = 0.001  # seconds between two moments that are one


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which an uplink was down, or no uplink had the traffic (``uplink`` is "").

    ``end`` is None for one that goes on, ``cut`` tells that it began before what is shown.
    """

    uplink: str
    begin: float
    end: float | None
    cause: str
    cut: bool

    def seconds(self, present: float) -> float:
        """Return how long it was, until ``present`` if it goes on."""
        return (present if self.end is None else self.end) - self.begin


@dataclass(frozen=True, slots=True)
class Availability:
    """How an uplink was: the part of its known time in which it was not down (``worked``).

    ``carried`` is the part in which it had the traffic, of the time in which any is known.
    """

    uplink: str
    worked: float
    carried: float
    outages: int
    longest: float


@dataclass(frozen=True, slots=True)
class Period:
    """The last day, week or month; nothing is known of it where there are no ``uplinks``.

    ``way_out`` is about the time in which any of them had the traffic. In ``known`` seconds of it
    anything is known of any; ``since`` is when that begins if the log does later than the period.
    """

    name: str
    timeline: Timeline
    uplinks: tuple[Availability, ...]
    way_out: Availability
    known: float
    since: float | None = None


def cause(line: str) -> Cause:
    """Return why each uplink that is down after a recorded transition is so. Raises ValueError."""
    found: dict[str, str] = {}
    try:
        for uplink in load(line)["after"]["uplinks"]:
            if uplink["state"] == "down" and uplink["reason"]:
                found.setdefault(str(uplink["interface"]), str(uplink["reason"]))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an event: {error}") from None
    return found


def periods(points: Sequence[Point], now: Now) -> tuple[Period, ...]:
    """Return those of the last day, week and month of which more is known than of the shorter ones.

    The longest alone where nothing is known.
    """
    found: list[Period] = []
    since = known_since(points, now)
    for name, seconds in PERIODS:
        begin = now.time - seconds
        one = period(name, points, now, window(points, now, begin, None))
        if one.known > (found[-1].known if found else 0) + _SAME:
            found.append(replace(one, since=since if since > begin + _SAME else None))
    return tuple(found) or (period(name, points, now, begin),)


def period(name: str, points: Sequence[Point], now: Now, begin: float) -> Period:
    """Return how the uplinks were from ``begin`` until now."""
    found = timeline(points, now, begin)
    known, without = _ways_out(found)
    uplinks = [
        _availability(track.name, _joined(track.spans), _downs(track), track.share)
        for track in found.tracks
        if track.spans
    ]
    carried = 1 - _length(without) / _length(known) if known else 0.0
    way_out = _availability(NO_UPLINK, known, without, carried)
    return Period(name, found, tuple(uplinks), way_out, _length(known))


def _availability(name: str, known: Spans, downs: Spans, carried: float) -> Availability:
    longest = max((end - begin for begin, end in downs), default=0.0)
    worked = 1 - _length(downs) / _length(known) if known else 0.0
    return Availability(name, worked, carried, len(downs), longest)


def outages(
    found: Timeline, points: Sequence[Point], now: Now, causes: Sequence[Cause]
) -> tuple[Outage, ...]:
    """Return each outage in a timeline, the newest first."""
    told = list(zip(moments(points, now), causes, strict=True))
    each = []
    for track in found.tracks:
        each += [
            _outage(track.name, span, found, _cause(track.name, span[0], told))
            for span in _downs(track)
        ]
    nobody = "no uplink had the traffic"
    each += [_outage(NO_UPLINK, span, found, nobody) for span in _ways_out(found)[1]]
    return tuple(sorted(each, key=lambda one: (-one.begin, one.uplink)))


def _outage(name: str, span: tuple[float, float], found: Timeline, why: str) -> Outage:
    begin, end = span
    goes_on = end > found.end - _SAME
    return Outage(name, begin, None if goes_on else end, why, begin < found.begin + _SAME)


def _cause(name: str, begin: float, told: Iterable[tuple[float, Cause]]) -> str:
    """Return what the last transition until then said of it, or the first one that did after."""
    latest = ""
    for moment, causes in told:
        if moment > begin + _SAME and latest:
            break
        latest = causes.get(name, "" if moment <= begin + _SAME else latest)
    return latest


def _downs(track: Track) -> Spans:
    return _joined(span for span in track.spans if span.state.state == "down")


def _ways_out(found: Timeline) -> tuple[Spans, Spans]:
    """Return the times of which something is known, and those in which nobody had the traffic."""
    spans = [span for track in found.tracks for span in track.spans]
    known = _joined(spans)
    carrying = _joined(span for span in spans if span.state.carries)
    return known, list(_without(known, carrying))


def _joined(spans: Iterable[Span]) -> Spans:
    """Return the times that spans take up together, in order and apart from each other."""
    found: Spans = []
    for begin, end in sorted((span.begin, span.end) for span in spans):
        if found and begin <= found[-1][1] + _SAME:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def _without(known: Spans, taken: Spans) -> Iterator[tuple[float, float]]:
    """Yield what of the known times none of the others takes up."""
    for begin, end in known:
        inside = [span for span in taken if span[0] < end and span[1] > begin]
        edges = [(begin, begin), *inside, (end, end)]
        for (_, last), (first, _) in pairwise(edges):
            if first > last + _SAME:
                yield last, first


def _length(spans: Spans) -> float:
    return sum(end - begin for begin, end in spans)
