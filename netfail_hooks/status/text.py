"""The report of ``status`` as lines for people, as wide as their terminal, a phone's too."""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.status import multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import UNKNOWN, Failover, Family, Line, Report, UplinkReport
from netfail_hooks.terminal import BAD, DULL, GOOD, STATE_COLOURS, WAITING, Paint, painter, span
from netfail_hooks.terminal.layout import (
    KEPT,
    NARROW_INDENT,
    beside,
    cells,
    fit,
    is_narrow,
    labelled,
    padded,
)

_CHECK = "run 'netfail-hooks check'"
_AT_ODDS = f"the kernel sends by another uplink than was chosen: {_CHECK}"
_DOCTOR = "run 'netfail-hooks doctor'"
_INSTALL = "run 'netfail-hooks install'"
_NOT_LOOKED_AT = f"not looked at since boot: {_CHECK}"
_WATCHED = {None: "", True: ", watched", False: ", not watched by the kernel"}
WELL, UNWELL = "ok", "NOT WELL"


def render(report: Report, *, colour: bool = False, width: int = 0) -> str:
    """Return the whole text; ``colour`` for a terminal, of so many columns (0: any)."""
    paint = painter(colour=colour)
    names = max(cells(uplink.interface) for uplink in report.uplinks)
    marks = max(len(_mark(uplink.healthy)) for uplink in report.uplinks)
    lines: list[str] = []
    for uplink in report.uplinks:
        lines += _uplink(uplink, (names, marks), paint, width)
    lines.append("")
    for label, texts in _facts(report, paint):
        lines += labelled(label, texts, width)
    return "\n".join(lines)


def _facts(report: Report, paint: Paint) -> Iterator[tuple[str, list[str]]]:
    """Yield what is told beside the uplinks, each with its label."""
    yield "traffic", _traffic(report, paint)
    yield "rules", [_ruled(ruled, paint) for ruled in report.ruled]
    yield (
        "ours",
        [
            *(f"route {route}" for route in report.our_routes),
            *(f"address {address}" for address in report.our_addresses),
        ],
    )
    yield "manager", list(_taken_over(report))
    yield "by hand", list(report.by_hand)
    yield "mptcp", _multipath(report, paint)
    yield "drill", _drills(report, paint)
    yield "crowded", [paint(line, BAD) for line in report.crowded]
    yield "checks", [paint(f"{report.overdue}: {_DOCTOR}", BAD)] if report.overdue else []
    yield "at odds", [] if report.as_chosen else [paint(_AT_ODDS, BAD)]
    yield drifted_facts(report.drifted, paint)
    yield "last move", [failover_words(report.last_failover)] if report.last_failover else []
    yield "health", [_NOT_LOOKED_AT] if report.state == "empty" else []
    yield silence_facts(report.silence, paint)
    yield "unknown", list(report.unknown)


def _taken_over(report: Report) -> Iterator[str]:
    for manager in dict.fromkeys(uplink.taken_from for uplink in report.uplinks):
        names = [one.interface for one in report.uplinks if one.taken_from == manager]
        if manager:
            yield f"{' and '.join(names)} taken over from {manager}"


def _multipath(report: Report, paint: Paint) -> list[str]:
    """Return the endpoints of Multipath TCP, and which are missing."""
    if report.multipath is None:
        return []
    missing = [f"{one} is none: {_CHECK}" for one in report.multipath.missing]
    return [*multipath.lines(report.multipath), *(paint(one, BAD) for one in missing)]


def _drills(report: Report, paint: Paint) -> list[str]:
    """Return which fire drill is on, and how the last one went."""
    lines = [paint(report.drill, WAITING)] if report.drill else []
    last = report.last_drill
    if last:
        ago = "" if last.seconds_ago is None else f"{_span(last.seconds_ago)} ago, "
        moved = f", moved after {last.moved_ms / 1000:.1f} s" if last.moved_ms >= 0 else ""
        text = f"{ago}{last.interface} ({last.fault}): {last.verdict}{moved}"
        bad = last.verdict == "failed"
        lines.append(paint(text, BAD) if bad else text)
        lines += [paint(reason, BAD) for reason in last.reasons]
    return lines


def silence_facts(silence: str, paint: Paint) -> tuple[str, list[str]]:
    """Return why no event comes, if so."""
    return "events", [paint(silence, BAD)] if silence else []


def drifted_facts(drifted: tuple[str, ...], paint: Paint) -> tuple[str, list[str]]:
    """Return which files of ours are out of date."""
    return "files", [paint(f"{one}: {_INSTALL}", BAD) for one in drifted]


def failover_words(last: Failover) -> str:
    """Return when and why the traffic last moved: a failover, a failback, or by hand."""
    took = f"[{last.took_ms}{KEPT}ms]"
    return f"{_span(last.seconds_ago)} ago, {last.trigger}: {last.summary} {took}"


def _span(seconds: int) -> str:
    return span(seconds).replace(" ", KEPT)


def well_mark(paint: Paint, width: int, *, healthy: bool) -> str:
    """Return "ok" or "NOT WELL", filled up to a width."""
    return paint(_mark(healthy), GOOD if healthy else BAD) + " " * (width - len(_mark(healthy)))


def _mark(healthy: bool) -> str:  # noqa: FBT001 - of one thing
    return WELL if healthy else UNWELL


def _uplink(
    uplink: UplinkReport, widths: tuple[int, int], paint: Paint, width: int
) -> Iterator[str]:
    carrier = "carrier" if uplink.carrier else "no carrier"
    words = [carrier if uplink.present else "interface is gone"]
    said = ("", carrier.replace(" ", "-"))  # networkd's word for the same is said already
    words += [word for word in (uplink.operational, uplink.setup) if word not in said]
    words.append(f"metric{KEPT}{uplink.metric}")
    if uplink.metered:
        words.append(f"metered, {(uplink.carried_today or 0) / 1e6:.1f}{KEPT}MB today")
    names, marks = (0, 0) if is_narrow(width) else widths
    mark = well_mark(paint, marks, healthy=uplink.healthy)
    head = f"{uplink.rank}. {padded(uplink.interface, names)}  {mark}  "
    yield from beside(head, ", ".join(words), width)
    for family in uplink.families:
        yield from _family(family, paint, width)


def _family(family: Family, paint: Paint, width: int) -> Iterator[str]:
    if family.state in ("absent", UNKNOWN) and not family.addresses:
        text = paint(f"IPv{family.family}  {family.reason or 'nothing'}", DULL)
        indent = NARROW_INDENT if is_narrow(width) else 5
        yield from fit(text, width, indent, head=" " * indent)
        return
    mark = "*" if family.carries else " "
    head = f"{' ' if is_narrow(width) else '   '}{mark} IPv{family.family}  "
    indent = NARROW_INDENT if is_narrow(width) else len(head)
    yield from beside(head, _health(family, paint), width)
    for text in _details(family):
        yield from fit(text, width, indent, head=" " * indent)


def _details(family: Family) -> Iterator[str]:
    """Yield what is known of an uplink in a family beside its state."""
    where = ", ".join(family.addresses) or "no address"
    if family.gateway:
        where += f" via{KEPT}{family.gateway} metric{KEPT}{family.metric}"
    yield where
    if family.silent:
        yield f"no answer from router {', '.join(family.silent)}: not used"
    if family.exchanged is not None:
        ago = f"changed {_span(family.exchanged)} ago: another one?"
        yield f"{family.router} is at {family.hardware}, {ago}"
    if not (family.asked or family.reason):
        yield "not probed: there is neither a gateway nor a target to ask"
    elif family.probe:
        yield f"{_probe(family)}{_WATCHED[family.watched]}"
    if family.quality:
        yield _quality(family.quality)


def health(family: Family, paint: Paint) -> str:
    """Return how an uplink is in a family: its state, for how long, why, and what it carries."""
    return _health(family, paint).replace(KEPT, " ")


def _health(family: Family, paint: Paint) -> str:
    code = BAD if family.reason else STATE_COLOURS.get(family.state, DULL)
    text = paint(family.state, code)
    if family.seconds is not None:
        text += f" for {_span(family.seconds)}"
    if family.reason:
        text += f": {family.reason}"
    if family.state == "recovering" and family.hold_down_left:
        text += f", must stay well {_span(family.hold_down_left)} more (hold-down)"
    if family.rounds_to_go:
        checks = "check" if family.rounds_to_go == 1 else "checks"
        text += f", {family.rounds_to_go} good {checks} to go"
    if family.waits:
        text += f", waits {family.waits}"
    if family.carries:
        text += ", carries the traffic"
    elif family.chosen:
        text += ", chosen"
    return text


def _probe(family: Family) -> str:
    probe = family.probe
    if probe is None:
        return ""
    text = f"probed {_span(probe.seconds_ago)} ago: "
    text += "no answer" if probe.rtt_ms is None else f"{probe.rtt_ms:.1f}{KEPT}ms"
    text += f", {probe.lost} of {probe.sent} lost"
    if family.rounds_failed > 1:
        text += f", in {family.rounds_failed} checks in a row"
    return text


def _quality(line: Line) -> str:
    text = f"line: {line.loss_percent:g} % of {line.asked} lost"
    return text if line.latency_ms is None else f"{text}, answers in {line.latency_ms:.1f}{KEPT}ms"


def _traffic(report: Report, paint: Paint) -> list[str]:
    if not report.lookups:
        return [paint("no way out", BAD)]
    return [
        f"to{KEPT}{lookup.destination} by{KEPT}{lookup.interface}"
        f"{f' via{KEPT}{lookup.gateway}' if lookup.gateway else ''} from{KEPT}{lookup.source}"
        for lookup in report.lookups
    ]


def _ruled(ruled: Ruled, paint: Paint) -> str:
    by = f"by{KEPT}{ruled.interface}" if ruled.interface else "nowhere"
    text = f"from{KEPT}{ruled.address} {by}, as policy rules say"
    return paint(f"{text}: {ruled.reason} ('ip rule')", BAD) if ruled.reason else text
