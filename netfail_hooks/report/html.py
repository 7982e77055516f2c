"""The report as one page: no script, nothing fetched, and no word on it that is not escaped. Pure.

Landmarks, headings and table headers are for who has it read aloud or goes by keys (WCAG 2.2).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from netfail_hooks import __version__, terminal
from netfail_hooks.doctor.report import Diagnosis, by_sudo
from netfail_hooks.doctor.rules import BROKEN
from netfail_hooks.drill.text import flow_line
from netfail_hooks.recorder.drills import CABLE, FAILED, GATEWAY, PASSED, Outcome
from netfail_hooks.report import WHOLE, Page
from netfail_hooks.report.history import NO_UPLINK, Outage, Period
from netfail_hooks.report.style import STYLE
from netfail_hooks.status.bond import BondReport, bond_facts, slave_words
from netfail_hooks.status.facts import Fact, facts
from netfail_hooks.status.text import UNWELL, WELL, family_lines, health, mark, uplink_words
from netfail_hooks.status.values import Report
from netfail_hooks.terminal import BAD, GOOD, WAITING, painter, span
from netfail_hooks.terminal.layout import KEPT
from netfail_hooks.timeline import Timeline
from netfail_hooks.timeline.svg import NARROW, PATTERNS, WIDE, heading, inline

_MOST = 100  # outages in the table
# Nothing may be fetched or run, whatever stands in the page: CSP, level 3.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PLAIN = painter(colour=False)
_TONES = {GOOD: "good", WAITING: "waiting", BAD: "bad"}
# A number and its unit, and the lesser ones after that, are on one line (U+202F).
_QUANTITY = re.compile(r"\b\d[\d.]* (?:(?:d|h|min|s|ms|MB)\b|%)(?: \d+ (?:h|min|s)\b)?")
_DRILLED = {GATEWAY: "its router", CABLE: "its carrier"}


def page(shown: Page) -> str:
    """Return the page's text."""
    sections = list(_sections(shown))
    title = f"Uplinks of {_text(shown.host)}"
    state = ""
    if shown.status and shown.diagnosis:
        state = f": {_mark(well=shown.status.healthy and shown.diagnosis.healthy)}"
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in sections)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>\n{STYLE}\n</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#main">Skip to the report</a>',
        f"<header><h1>{title}{state}</h1>",
        f'<p class="faint">As of {_when(shown.time)}</p>',
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>',
        '<main id="main" tabindex="-1">',
        f'<svg class="patterns" aria-hidden="true" focusable="false">{PATTERNS}</svg>',
    ]
    for key, name, body in sections:
        parts.append(f'<section aria-labelledby="{key}"><h2 id="{key}" tabindex="-1">{name}</h2>')
        parts += [*body, "</section>"]
    parts += [
        "</main>",
        f'<footer><p class="faint">netfail-hooks {__version__}; local times</p></footer>',
        "</body>",
        "</html>",
    ]
    return "\n".join([*parts, ""])


def _sections(shown: Page) -> Iterator[tuple[str, str, Iterator[str]]]:
    """Yield each section's id, its heading and what is below it."""
    if shown.status:
        yield "now", "Now", _now(terminal.one_line_each(shown.status))
    yield "time", "Uplinks over time", _over_time(shown.periods)
    yield "outages", "Outages", _outages(shown)
    if shown.drills or isinstance(shown.status, Report):
        yield "drills", "Fire drills", _drills(shown.drills)
    if shown.diagnosis:
        yield "doctor", "What doctor says", _doctor(terminal.one_line_each(shown.diagnosis))


def _about(period: Period) -> str:
    if period.name == WHOLE:
        return "The whole recording"
    return f"The last {period.name}" if period.since is None else "The whole log"


def _now(status: Report | BondReport) -> Iterator[str]:
    if isinstance(status, BondReport):
        yield from _slaves(status)
        yield from _facts(bond_facts(status))
        yield "<details><summary>All that <code>status</code> says of each slave</summary><ol>"
        for slave in status.slaves:
            yield f"<li><b>{_text(slave.interface)}</b>: {_told(slave_words(slave))}</li>"
    else:
        yield from _uplinks(status)
        yield from _facts(facts(status))
        yield "<details><summary>All that <code>status</code> says of each uplink</summary><ol>"
        for uplink in status.uplinks:
            yield f"<li><b>{_text(uplink.interface)}</b>: {_told(uplink_words(uplink))}<ul>"
            for family in uplink.families:
                lines = map(_told, family_lines(family, _PLAIN))
                yield f"<li>IPv{family.family}: {'<br>'.join(lines)}</li>"
            yield "</ul></li>"
    yield "</ol></details>"


def _slaves(status: BondReport) -> Iterator[str]:
    rows = [
        (
            _text(slave.interface),
            _mark(well=slave.healthy),
            _told(slave.reason or slave.state),
        )
        for slave in status.slaves
    ]
    yield from _table("The slaves of the bond", ("Slave", "Well?", "State"), rows)


def _uplinks(status: Report) -> Iterator[str]:
    families = sorted({one.family for uplink in status.uplinks for one in uplink.families})
    rows = []
    for uplink in status.uplinks:
        known = {family.family: family for family in uplink.families}
        cells = [_told(health(known[each], _PLAIN)) if each in known else "" for each in families]
        word, tone = mark(uplink)
        rows.append((_text(uplink.interface), f'<b class="{_TONES[tone]}">{word}</b>', *cells))
    heads = ("Uplink", "Well?", *(f"IPv{family}" for family in families))
    yield from _table("Uplinks in order of preference", heads, rows)


def _facts(told: Iterable[Fact]) -> Iterator[str]:
    """Yield facts, first of all those for which alone the machine is not well."""
    yield "<dl>"
    ranked = sorted(told, key=lambda fact: not fact.unwell)
    for label, group in groupby(ranked, lambda fact: fact.label):
        yield f"<dt>{label}</dt>"
        for fact in group:
            kind = f' class="{_TONES[fact.tone]}"' if fact.tone else ""
            yield f"<dd{kind}>{_told(fact.text)}</dd>"
    yield "</dl>"


def _over_time(periods: Sequence[Period]) -> Iterator[str]:
    yield (
        "<p>Available: the part of the time in which the uplink worked, counted from when it first"
        " did after each start of the machine. Carried: the part in which the traffic went by"
        " it; IPv4 may go by one uplink while IPv6 goes by another, and then counts for both, so"
        " together they may have carried more than 100&#8239;%.</p>"
    )
    for period in periods:
        since = "" if period.since is None else f", since {_when(period.since)}"
        yield f"<h3>{_about(period)}{since}</h3>"
        if not period.uplinks:
            yield "<p>Nothing was recorded.</p>"
            continue
        drawn = _escaped(period.timeline)
        told = "; ".join(
            f"{terminal.escaped(one.uplink)} carried {_percent(one.carried)}, "
            f"available {_percent(one.worked)}"
            for one in period.uplinks
        )
        yield from _picture(drawn, f"{period.name}-told", told)
        rows = [
            (
                _text(one.uplink) if one.uplink != NO_UPLINK else "any of them",
                _text(_percent(one.worked)),
                _text(_percent(one.carried)),
                str(one.outages),
                _text(_span(one.longest)) if one.outages else "",
            )
            for one in (*period.uplinks, period.way_out)
        ]
        heads = ("Uplink", "Available", "Carried", "Outages", "Longest")
        caption = f"{_about(period)} in figures; known of it: {_text(_span(period.known))}"
        yield from _table(caption, heads, rows, numbers=True)


def _picture(drawn: Timeline, identity: str, told: str) -> Iterator[str]:
    """Yield it in two widths, one of them to be seen; ``told`` says once what both show."""
    yield f'<div role="img" aria-label="{heading(drawn)}" aria-describedby="{identity}">'
    yield from (inline(drawn, frame) for frame in (WIDE, NARROW))
    yield "</div>"
    yield f'<p id="{identity}" hidden>{html.escape(told)}</p>'


def _outages(shown: Page) -> Iterator[str]:
    listed, longest = shown.outages[:_MOST], shown.periods[-1]
    if listed:
        rows = [
            (
                _text(one.uplink) if one.uplink != NO_UPLINK else '<b class="bad">no way out</b>',
                ("before " if one.cut else "") + _when(one.begin),
                _how_long(one, shown.time),
                _words(one.cause or "not recorded"),
            )
            for one in listed
        ]
        caption = f"{_about(longest)}, the newest first"
        yield from _table(caption, ("Uplink", "Since", "For", "Cause"), rows)
    else:
        yield f"<p>{_about(longest)}: none was recorded.</p>"
    if more := len(shown.outages) - len(listed):
        where = "<code>sudo netfail-hooks log</code>"
        yield f"<p>{more} older ones are not shown: {where} has them.</p>"
    if shown.damaged:
        lines = "line" if shown.damaged == 1 else "lines"
        yield f'<p class="waiting">{shown.damaged} damaged {lines} of the log left out.</p>'


def _how_long(one: Outage, present: float) -> str:
    shown = _text(_span(one.seconds(present)))
    return f'{shown}, <b class="bad">still</b>' if one.end is None else shown


def _drills(drills: Sequence[Outcome]) -> Iterator[str]:
    if not drills:
        how = "<code>sudo netfail-hooks drill</code> shows whether the backup works"
        yield f"<p>None was made: {how}.</p>"
        return
    rows = [
        (
            f"{_text(one.interface)}: {_DRILLED[one.fault]}",
            _when(one.time),
            _verdict(one),
            _words("; ".join(map(flow_line, one.flows)) or "nobody was asked"),
        )
        for one in drills
    ]
    heads = ("What failed", "When", "Verdict", "What was lost")
    yield from _table("The last drills, the newest first", heads, rows)


def _verdict(drill: Outcome) -> str:
    """Return how a drill went: the verdict, the slowest move, what was wrong or left out."""
    kind = {PASSED: "good", FAILED: "bad"}.get(drill.verdict, "waiting")
    moved = [one.moved_ms for one in drill.families if one.moved_ms >= 0]
    words = [f"moved after {max(moved) / 1000:.2f} s"] if moved else []
    told = _words("; ".join([*words, *drill.reasons, *map(str, drill.untried)]))
    return f'<b class="{kind}">{_text(drill.verdict)}</b> {told}'


def _doctor(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.findings:
        yield f'<p class="good">Nothing is wrong with the set-up: {diagnosis.rules} rules.</p>'
    else:
        yield "<ol>"
        for finding in diagnosis.findings:
            kind = "bad" if finding.severity == BROKEN else "waiting"
            yield (
                f'<li><b class="{kind}">{_text(finding.severity)}</b>: {_text(finding.what)}'
                f"<p>{_text(finding.why)}</p>"
            )
            if finding.fix:
                typed = map(by_sudo, finding.fix)  # whoever looks at the page need not be root
                yield f"<pre>{_lines(chr(10).join(typed))}</pre>"
            yield "</li>"
        yield "</ol>"
    if diagnosis.unknown:
        yield "<p>Unknown:</p><ul>"
        yield from (f"<li>{_text(one)}</li>" for one in diagnosis.unknown)
        yield "</ul>"


def _table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: bool = False,
) -> Iterator[str]:
    """Yield a table of cells that are HTML; the first of a row is its head."""
    kind = ' class="number"' if numbers else ""
    yield f"<table><caption>{caption}</caption><thead><tr>"
    for at, head in enumerate(heads):
        yield f'<th scope="col"{kind if at else ""}>{head}</th>'
    yield "</tr></thead><tbody>"
    for head, *cells in rows:
        yield f'<tr><th scope="row">{head}</th>'
        yield from (f"<td{kind}>{cell}</td>" for cell in cells)
        yield "</tr>"
    yield "</tbody></table>"


def _mark(*, well: bool) -> str:
    return f'<b class="{"good" if well else "bad"}">{WELL if well else UNWELL}</b>'


def _escaped(timeline: Timeline) -> Timeline:
    tracks = (replace(track, name=terminal.escaped(track.name)) for track in timeline.tracks)
    return replace(timeline, tracks=tuple(tracks))


def _span(seconds: float) -> str:
    return span(round(seconds)) if seconds >= 1 else f"{round(seconds * 1000)} ms"


def _percent(part: float) -> str:
    """Return a part of the whole, 0 and 100 only if it is exactly that."""
    hundredths = round(part * 10_000)
    if 0 < part < 1:
        hundredths = min(max(hundredths, 1), 9_999)
    return f"{hundredths / 100:.2f} %"


def _when(moment: float) -> str:
    """Return a moment; a line may end between its date and its time."""
    local = datetime.fromtimestamp(moment).astimezone()
    exact = local.isoformat(timespec="seconds")
    day, clock = (f'<span class="kept">{local:{form}}</span>' for form in ("%Y-%m-%d", "%H:%M:%S"))
    return f'<time datetime="{exact}">{day} {clock}</time>'


def _text(text: str) -> str:
    """Return a text as HTML that shows it, what can't be seen too."""
    return _QUANTITY.sub(
        lambda found: found[0].replace(" ", "&#8239;"), html.escape(terminal.escaped(text))
    )


def _told(text: str) -> str:
    """Return the same of words of status, which keep together more than a page has to."""
    return _words(text.replace(KEPT, " "))


def _words(text: str) -> str:
    """Return the same for a cell in which a line may end anywhere."""
    return f'<span class="words">{_text(text)}</span>'


def _lines(text: str) -> str:
    return html.escape(terminal.escaped_lines(text))
