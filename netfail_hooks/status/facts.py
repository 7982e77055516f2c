"""What ``status`` tells beside the uplinks, a fact a line; and whether all is well. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.status import multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import Failover, Report
from netfail_hooks.terminal import BAD, WAITING, span
from netfail_hooks.terminal.layout import KEPT
from netfail_hooks.values import value

_CHECK = "run 'netfail-hooks check'"
_AT_ODDS = f"the kernel sends by another uplink than was chosen: {_CHECK}"
_DOCTOR = "run 'netfail-hooks doctor'"
_INSTALL = "run 'netfail-hooks install'"
_NOT_LOOKED_AT = f"not looked at since boot: {_CHECK}"


@value
class Fact:
    """A line below a label; ``tone`` is its colour, "" for none.

    ``unwell``: the machine is not well for this alone, whatever its uplinks are.
    """

    label: str
    text: str
    tone: str = ""
    unwell: bool = False


def is_healthy(report: Report) -> bool:
    """Tell whether all is well; if not, an uplink or a fact says so itself."""
    well = all(uplink.healthy for uplink in report.uplinks)
    return well and not any(fact.unwell for fact in facts(report))


def facts(report: Report) -> Iterator[Fact]:
    """Yield them in their order, those of a label one after the other."""
    yield from _traffic(report.lookups)
    yield from map(_ruled, report.ruled)
    yield from (Fact("ours", f"route {route}") for route in report.our_routes)
    yield from (Fact("ours", f"address {address}") for address in report.our_addresses)
    yield from _taken_over(report)
    yield from (Fact("by hand", order) for order in report.by_hand)
    yield from _multipath(report)
    yield from _drills(report)
    yield from (Fact("crowded", line, BAD) for line in report.crowded)
    if report.overdue:
        yield Fact("checks", f"{report.overdue}: {_DOCTOR}", BAD, unwell=True)
    if not report.as_chosen:
        yield Fact("at odds", _AT_ODDS, BAD, unwell=True)
    yield from drifted(report.drifted)
    yield from last(report.last_failover)
    if report.state == "empty":
        yield Fact("health", _NOT_LOOKED_AT)
    yield from silence(report.silence)
    yield from unknown(report.unknown)


def no_way_out() -> Fact:
    """Return that the kernel sends nowhere."""
    return Fact("traffic", "no way out", BAD, unwell=True)


def drifted(files: tuple[str, ...]) -> Iterator[Fact]:
    """Yield which files of ours are out of date."""
    return (Fact("files", f"{one}: {_INSTALL}", BAD) for one in files)


def last(failover: Failover | None) -> Iterator[Fact]:
    """Yield when and why the traffic last moved: a failover, a failback, or by hand."""
    if failover:
        ago, took = kept_span(failover.seconds_ago), f"[{failover.took_ms}{KEPT}ms]"
        yield Fact("last move", f"{ago} ago, {failover.trigger}: {failover.summary} {took}")


def silence(reason: str) -> Iterator[Fact]:
    """Yield why no event comes, if so."""
    if reason:
        yield Fact("events", reason, BAD)


def unknown(lines: tuple[str, ...]) -> Iterator[Fact]:
    """Yield what could not be learnt."""
    return (Fact("unknown", line) for line in lines)


def kept_span(seconds: int) -> str:
    """Return a length of time that stays on a line."""
    return span(seconds).replace(" ", KEPT)


def _traffic(lookups: tuple[RouteLookup, ...]) -> Iterator[Fact]:
    for lookup in lookups:
        via = f" via{KEPT}{lookup.gateway}" if lookup.gateway else ""
        by = f"to{KEPT}{lookup.destination} by{KEPT}{lookup.interface}"
        yield Fact("traffic", f"{by}{via} from{KEPT}{lookup.source}")
    if not lookups:
        yield no_way_out()


def _ruled(ruled: Ruled) -> Fact:
    by = f"by{KEPT}{ruled.interface}" if ruled.interface else "nowhere"
    text = f"from{KEPT}{ruled.address} {by}, as policy rules say"
    if ruled.reason:
        return Fact("rules", f"{text}: {ruled.reason} ('ip rule')", BAD, unwell=True)
    return Fact("rules", text)


def _taken_over(report: Report) -> Iterator[Fact]:
    for manager in dict.fromkeys(uplink.taken_from for uplink in report.uplinks):
        names = [one.interface for one in report.uplinks if one.taken_from == manager]
        if manager:
            yield Fact("manager", f"{' and '.join(names)} taken over from {manager}")


def _multipath(report: Report) -> Iterator[Fact]:
    """Yield the endpoints of Multipath TCP, and which are missing."""
    if report.multipath is None:
        return
    for line in multipath.lines(report.multipath):
        yield Fact("mptcp", line)
    for one in report.multipath.missing:
        yield Fact("mptcp", f"{one} is none: {_CHECK}", BAD)


def _drills(report: Report) -> Iterator[Fact]:
    """Yield which fire drill is on, and how the last one went."""
    if report.drill:
        yield Fact("drill", report.drill, WAITING)
    drilled = report.last_drill
    if drilled:
        passed = drilled.seconds_ago
        ago = "" if passed is None else f"{kept_span(passed)} ago, "
        moved = f", moved after {drilled.moved_ms / 1000:.1f} s" if drilled.moved_ms >= 0 else ""
        text = f"{ago}{drilled.interface} ({drilled.fault}): {drilled.verdict}{moved}"
        yield Fact("drill", text, BAD if drilled.verdict == "failed" else "")
        for reason in drilled.reasons:
            yield Fact("drill", reason, BAD)
