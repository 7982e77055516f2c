"""The report of ``status`` as lines for people, as wide as their terminal, a phone's too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from netfail_hooks.policy.health import BY_HAND
from netfail_hooks.status.facts import Fact, checks, facts, kept_span
from netfail_hooks.status.values import UNKNOWN, Family, Line, Report, UplinkReport
from netfail_hooks.terminal import BAD, DULL, GOOD, STATE_COLOURS, WAITING, Paint, painter
from netfail_hooks.terminal.layout import (
    KEPT,
    NARROW_INDENT,
    beside,
    cells,
    clipped,
    fit,
    is_narrow,
    labelled,
    labelled_line,
    padded,
)
from netfail_hooks.terminal.shorten import ESSENTIAL, Block, lines_of

_WATCHED = {None: "", True: ", watched", False: ", not watched by the kernel"}
WELL, UNWELL, DISABLED, RECOVERING = "ok", "NOT WELL", "disabled", "recovering"
LINKED = "link ok"  # no more is known of it than the kernel shows everybody
# What stays on a short terminal, what is most important first (terminal/shorten.py): what is used
# now, how each uplink is, what it waits for, what else is wrong, and how it came to that.
_USED, VITAL, UPLINK, _UNWELL, _VITAL_STATE, _STATE, _WAY, _WRONG, _LAST_MOVE, _REST = range(
    ESSENTIAL + 1
)
_WHOLE, _FACT, _NOTHING, DETAIL = range(ESSENTIAL + 1, ESSENTIAL + 5)
_LEVELS = {
    "traffic": _USED,
    "by hand": _WAY,
    "failback": _WAY,
    "bond": _WAY,
    "last move": _LAST_MOVE,
}


def render(report: Report, *, colour: bool = False, width: int = 0) -> str:
    """Return the whole text; ``colour`` for a terminal, of so many columns (0: any)."""
    return "\n".join(lines_of(blocks(report, colour=colour, width=width)))


def blocks(report: Report, *, colour: bool = False, width: int = 0) -> list[Block]:
    """Return the whole text in parts, of which some can be left out."""
    paint = painter(colour=colour)
    names = max(cells(uplink.interface) for uplink in report.uplinks)
    marks = max(len(mark(uplink)[0]) for uplink in report.uplinks)
    found: list[Block] = []
    for uplink in report.uplinks:
        found += _uplink(uplink, (names, marks), paint, width)
    return [*found, Block(DETAIL, ("",)), *fact_blocks(facts(report), paint, width)]


def fact_blocks(told: Iterable[Fact], paint: Paint, width: int) -> Iterator[Block]:
    """Yield facts, each label once."""
    for label, group in groupby(told, lambda fact: fact.label):
        each = list(group)
        texts = [paint(fact.text, fact.tone) if fact.tone else fact.text for fact in each]
        wrong = any(fact.tone == BAD for fact in each)
        first = _LEVELS.get(label, _WRONG if wrong else _FACT)
        if any(fact.unwell for fact in each):
            first = min(first, _UNWELL)
        lines = tuple(labelled(label, texts, width))
        short = labelled_line(label, texts[0], width)
        yield Block(_FACT, lines) if first == _FACT else Block(_REST, lines, (short,), first)


def head_block(head: str, words: str, width: int, *, vital: bool) -> Block:
    """Return the lines that begin what is told of an uplink: the first one says how it is."""
    short = clipped(words, width, head=head, whole=True)
    return Block(_WHOLE, tuple(beside(head, words, width)), (short,), VITAL if vital else UPLINK)


def mark(uplink: UplinkReport) -> tuple[str, str]:
    """Return how an uplink is in a word or two, and its colour."""
    if any(family.reason == BY_HAND for family in uplink.families):
        return DISABLED, WAITING
    if not uplink.healthy:
        return UNWELL, BAD
    if any(family.state == "recovering" for family in uplink.families):
        return RECOVERING, WAITING
    if any(family.state == UNKNOWN and family.addresses for family in uplink.families):
        return LINKED, GOOD
    return WELL, GOOD


def _uplink(
    uplink: UplinkReport, widths: tuple[int, int], paint: Paint, width: int
) -> Iterator[Block]:
    names, marks = (0, 0) if is_narrow(width) else widths
    word, tone = mark(uplink)
    padding = " " * (marks - len(word))
    head = f"{uplink.rank}. {padded(uplink.interface, names)}  {paint(word, tone)}{padding}  "
    vital = tone != GOOD or any(family.carries for family in uplink.families)
    yield head_block(head, uplink_words(uplink), width, vital=vital)
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


def _family(family: Family, paint: Paint, width: int) -> Iterator[Block]:
    first, *more = family_lines(family, paint)
    if _is_nothing(family):
        indent = NARROW_INDENT if is_narrow(width) else 5
        text = paint(f"IPv{family.family}  {first}", DULL)
        yield Block(_NOTHING, tuple(fit(text, width, indent, head=" " * indent)))
        return
    star = "*" if family.carries else " "
    head = f"{' ' if is_narrow(width) else '   '}{star} IPv{family.family}  "
    indent = NARROW_INDENT if is_narrow(width) else len(head)
    level = _STATE if family.state == "up" and not family.carries else _VITAL_STATE
    yield Block(
        _WHOLE, tuple(beside(head, first, width)), (clipped(first, width, head=head),), level
    )
    for text in more:
        yield Block(DETAIL, tuple(fit(text, width, indent, head=" " * indent)))


def family_lines(family: Family, paint: Paint) -> list[str]:
    """Return all that is told of an uplink in a family."""
    if _is_nothing(family):
        return [family.reason or "nothing"]
    if family.state == UNKNOWN and not family.reason:
        used = "carries the traffic" if family.carries else "chosen" if family.chosen else ""
        return [*([used] if used else []), *_details(family)]
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
    if family.reason == BY_HAND:
        return  # nobody asks it
    if not (family.asked or family.reason):
        yield "not probed: there is neither a gateway nor a target to ask"
    elif family.probe:
        yield f"{_probe(family)}{_WATCHED[family.watched]}"
    if family.quality:
        yield _quality(family.quality)


def health(family: Family, paint: Paint) -> str:
    """Return how an uplink is in a family: its state, since when, why, and what it carries.

    Of a state that is to end it says that the time is what has passed, and what is still to pass.
    """
    if family.reason == BY_HAND:
        text = paint(BY_HAND, WAITING)
    elif family.state == UNKNOWN and not family.reason:
        text = paint("not known", DULL)
    else:
        code = BAD if family.reason else STATE_COLOURS.get(family.state, DULL)
        text = paint(family.state, code)
    if family.state == "recovering" and not family.reason:
        text += f": {_recovering(family)}"
    elif family.seconds is not None and family.reason != BY_HAND:
        so_far = "" if family.state == "up" else " so far"
        text += f" for {kept_span(family.seconds)}{so_far}"
    if family.reason not in ("", BY_HAND):
        text += f": {family.reason}"
    if family.waits:
        text += f", waits {family.waits}"
    if family.carries:
        text += ", carries the traffic"
    elif family.chosen:
        text += ", chosen"
    return text


def _recovering(family: Family) -> str:
    """Return what an uplink has behind it that was lost, and what is before it."""
    left = [kept_span(family.hold_down_left)] if family.hold_down_left else []
    left += [checks(family.rounds_to_go)] if family.rounds_to_go else []
    parts = [f"{left.pop(0)} to go" if left else "up with the next check"]
    parts += [f"{kept_span(family.seconds)} passed"] if family.seconds is not None else []
    return ", ".join([*parts, *left])


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
