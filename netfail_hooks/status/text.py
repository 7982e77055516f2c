"""The report of ``status`` as lines for people, as wide as their terminal, a phone's too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from netfail_hooks.status.facts import Fact, facts, kept_span
from netfail_hooks.status.values import UNKNOWN, Family, Line, Report, UplinkReport
from netfail_hooks.terminal import BAD, DULL, GOOD, STATE_COLOURS, Paint, painter
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
    return "\n".join([*lines, "", *fact_lines(facts(report), paint, width)])


def fact_lines(told: Iterable[Fact], paint: Paint, width: int) -> Iterator[str]:
    """Yield facts, each label once."""
    for label, group in groupby(told, lambda fact: fact.label):
        texts = [paint(fact.text, fact.tone) if fact.tone else fact.text for fact in group]
        yield from labelled(label, texts, width)


def well_mark(paint: Paint, width: int, *, healthy: bool) -> str:
    """Return "ok" or "NOT WELL", filled up to a width."""
    return paint(_mark(healthy), GOOD if healthy else BAD) + " " * (width - len(_mark(healthy)))


def _mark(healthy: bool) -> str:  # noqa: FBT001 - of one thing
    return WELL if healthy else UNWELL


def _uplink(
    uplink: UplinkReport, widths: tuple[int, int], paint: Paint, width: int
) -> Iterator[str]:
    names, marks = (0, 0) if is_narrow(width) else widths
    mark = well_mark(paint, marks, healthy=uplink.healthy)
    head = f"{uplink.rank}. {padded(uplink.interface, names)}  {mark}  "
    yield from beside(head, uplink_words(uplink), width)
    for family in uplink.families:
        yield from _family(family, paint, width)


def uplink_words(uplink: UplinkReport) -> str:
    """Return how an uplink's interface is, and how it is set up."""
    carrier = "carrier" if uplink.carrier else "no carrier"
    words = [carrier if uplink.present else "interface is gone"]
    said = ("", carrier.replace(" ", "-"))  # networkd's word for the same is said already
    words += [word for word in (uplink.operational, uplink.setup) if word not in said]
    words.append(f"metric{KEPT}{uplink.metric}")
    if uplink.metered:
        words.append(f"metered, {(uplink.carried_today or 0) / 1e6:.1f}{KEPT}MB today")
    return ", ".join(words)


def _family(family: Family, paint: Paint, width: int) -> Iterator[str]:
    first, *more = family_lines(family, paint)
    if _is_nothing(family):
        indent = NARROW_INDENT if is_narrow(width) else 5
        text = paint(f"IPv{family.family}  {first}", DULL)
        yield from fit(text, width, indent, head=" " * indent)
        return
    mark = "*" if family.carries else " "
    head = f"{' ' if is_narrow(width) else '   '}{mark} IPv{family.family}  "
    indent = NARROW_INDENT if is_narrow(width) else len(head)
    yield from beside(head, first, width)
    for text in more:
        yield from fit(text, width, indent, head=" " * indent)


def family_lines(family: Family, paint: Paint) -> list[str]:
    """Return all that is told of an uplink in a family."""
    if _is_nothing(family):
        return [family.reason or "nothing"]
    return [health(family, paint), *_details(family)]


def _is_nothing(family: Family) -> bool:
    return family.state in ("absent", UNKNOWN) and not family.addresses


def _details(family: Family) -> Iterator[str]:
    """Yield what is known of an uplink in a family beside its state."""
    where = ", ".join(family.addresses) or "no address"
    if family.gateway:
        where += f" via{KEPT}{family.gateway} metric{KEPT}{family.metric}"
    yield where
    if family.silent:
        yield f"no answer from router {', '.join(family.silent)}: not used"
    if family.exchanged is not None:
        ago = f"changed {kept_span(family.exchanged)} ago: another one?"
        yield f"{family.router} is at {family.hardware}, {ago}"
    if not (family.asked or family.reason):
        yield "not probed: there is neither a gateway nor a target to ask"
    elif family.probe:
        yield f"{_probe(family)}{_WATCHED[family.watched]}"
    if family.quality:
        yield _quality(family.quality)


def health(family: Family, paint: Paint) -> str:
    """Return how an uplink is in a family: its state, for how long, why, and what it carries."""
    code = BAD if family.reason else STATE_COLOURS.get(family.state, DULL)
    text = paint(family.state, code)
    if family.seconds is not None:
        text += f" for {kept_span(family.seconds)}"
    if family.reason:
        text += f": {family.reason}"
    if family.state == "recovering" and family.hold_down_left:
        text += f", must stay well {kept_span(family.hold_down_left)} more (hold-down)"
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
    text = f"probed {kept_span(probe.seconds_ago)} ago: "
    text += "no answer" if probe.rtt_ms is None else f"{probe.rtt_ms:.1f}{KEPT}ms"
    text += f", {probe.lost} of {probe.sent} lost"
    if family.rounds_failed > 1:
        text += f", in {family.rounds_failed} checks in a row"
    return text


def _quality(line: Line) -> str:
    text = f"line: {line.loss_percent:g} % of {line.asked} lost"
    return text if line.latency_ms is None else f"{text}, answers in {line.latency_ms:.1f}{KEPT}ms"
