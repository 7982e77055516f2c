"""What ``status`` tells beside the uplinks, a fact a line; and whether all is well. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from netfail_hooks.config import USE, Config, Order
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.recorder.cause import cause
from netfail_hooks.status import multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import Failover, Family, Report, UplinkReport
from netfail_hooks.terminal import BAD, WAITING, span
from netfail_hooks.terminal.layout import KEPT
from netfail_hooks.values import value

_CHECK = "run 'sudo netfail-hooks check'"
_AT_ODDS = f"the kernel sends by another uplink than was chosen: {_CHECK}"
_DOCTOR = "run 'netfail-hooks doctor'"
_INSTALL = "run 'sudo netfail-hooks install'"
_SUDO = "'sudo netfail-hooks status'"
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
    yield from (Fact("set by us", f"route {route}") for route in report.our_routes)
    yield from (Fact("set by us", f"address {address}") for address in report.our_addresses)
    yield from _taken_over(report)
    yield from (Fact("by hand", order) for order in report.by_hand)
    yield from _failback(report)
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
    yield from unknown(report.unknown, report.root_only)


def no_way_out() -> Fact:
    """Return that the kernel sends nowhere."""
    return Fact("traffic", "no way out", BAD, unwell=True)


def drifted(files: tuple[str, ...]) -> Iterator[Fact]:
    """Yield which files of ours are out of date."""
    return (Fact("files", f"{one}: {_INSTALL}", BAD) for one in files)


def last(failover: Failover | None) -> Iterator[Fact]:
    """Yield when and why the traffic last moved: a failover, a failback, or by hand."""
    if failover:
        why = cause(failover.trigger, failover.took_ms, acted=bool(failover.took_ms))
        why = re.sub(r"(?<=\d) (?=m?s\b)", KEPT, why)
        yield Fact(
            "last move", f"{kept_span(failover.seconds_ago)} ago: {failover.summary} [{why}]"
        )


def silence(reason: str) -> Iterator[Fact]:
    """Yield why no event comes, if so."""
    if reason:
        yield Fact("events", reason, BAD)


def by_hand(config: Config, now: int, kept: Collection[Order]) -> Iterator[str]:
    """Yield what a person asked for, until when (``now`` is in ms since boot), and what ends it."""
    for order in config.orders_at(now):
        if order.until:
            until = f"for another {span((order.until - now) // 1000)}"
        else:
            until = "over reboots too" if order in kept else "until the next boot"
        is_use = order.kind == USE
        what = "is used while it is up," if is_use else "is disabled"
        end = "use --auto" if is_use else f"enable {order.interface}"
        yield f"{order.interface} {what} {until}: 'sudo netfail-hooks {end}' ends it"


def not_learnt(problems: Iterable[Problem]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what could not be learnt, and what root alone may read: that needs no mending."""
    told = [(isinstance(problem, NotPermitted), problem) for problem in problems]
    closed = tuple(str(problem.args[0]) for refused, problem in told if refused)
    return tuple(str(problem) for refused, problem in told if not refused), closed


def unknown(lines: tuple[str, ...], root_only: tuple[str, ...]) -> Iterator[Fact]:
    """Yield what could not be learnt; what root alone may read is no fault, and one line."""
    yield from (Fact("unknown", line) for line in lines)
    if root_only:
        yield Fact("not shown", f"{', '.join(root_only)}: root alone may read it: {_SUDO}")


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


def _failback(report: Report) -> Iterator[Fact]:
    """Yield what an uplink that is recovering has before it, of all families that have the same."""
    for uplink in report.uplinks:
        waiting: dict[tuple[int, int], list[Family]] = {}
        held = [one for one in uplink.families if one.state == "recovering" and not one.reason]
        for one in held:
            waiting.setdefault((one.hold_down_left, one.rounds_to_go), []).append(one)
        for (seconds, rounds), families in waiting.items():
            which = "".join(f" IPv{one.family}" for one in families) if len(waiting) > 1 else ""
            better = any(_is_before(uplink, report, one.family) for one in families)
            then = ", and may take the traffic back" if better else ""
            until = _until(f"{uplink.interface}{which}", seconds, rounds)
            yield Fact("failback", f"{until}{then}")


def _is_before(uplink: UplinkReport, report: Report, family: int) -> bool:
    """Tell whether an uplink is preferred to the one that was chosen."""
    return any(
        other.rank > uplink.rank and one.chosen
        for other in report.uplinks
        for one in other.families
        if one.family == family
    )


def _until(what: str, seconds: int, rounds: int) -> str:
    """Return what decides over an uplink that is recovering: its hold-down, and good checks.

    That comes first: of a line that is cut off, the end is what goes.
    """
    parts = [f"{kept_span(seconds)} to go (hold-down)"] if seconds else []
    if rounds:
        parts.append(f"and {checks(rounds)}" if parts else f"{checks(rounds)} to go")
    if not parts:
        return f"{what} counts as up again with the next check that finds it well"
    told = f"{what} has {', '.join(parts)}"
    return f"{told}, then it counts as up again"


def checks(rounds: int) -> str:
    """Return how many more checks have to find an uplink well."""
    return "1 more check" if rounds == 1 else f"{rounds} more checks"


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
        for one in drilled.untried:
            yield Fact("drill", str(one))
