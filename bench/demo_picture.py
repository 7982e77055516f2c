"""What a demo measured as a picture that moves: an SVG, light or dark as its reader's screen is.

All that moves is CSS's doing, so that it stands still for who wants that (prefers-reduced-motion):
then the strips and the figures below tell the same. As narrow as a phone, where README shows it in
328 pixels, so that it can be read there. No script, and nothing fetched. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from netfail_hooks.demo.story import STORIES, Act

TOLD = (STORIES[0], STORIES[2])  # the cable; the router behind a link that stays up
UPLINKS = ("eth0", "wlan0")
_WIDTH, _HEIGHT = 400, 508
_SHOWN = 1.1  # times as large where there is room
_EDGE = 14
_HOST, _ROUTER = 104, 296  # where the wires end
_BOXES = (64, 116)  # their top and height
_WIRES = dict(zip(UPLINKS, (100, 156), strict=True))
_LEFT, _ROOM = 74, 312  # of the strips
_STRIPS, _ROW = 204, 26
_ACTS, _ACT = 314, 48
_COLUMNS = (_EDGE, 146, 274)  # of an act's figures
_SEEN = 3  # the least that can be seen
_COLOURS = """\
.back {{ fill: {0} }} text {{ fill: {1} }} .faint {{ fill: {2} }}
.box {{ fill: {3}; stroke: {2} }} .wire {{ stroke: {4} }} .line {{ stroke: {2} }}
.flow {{ stroke: {5} }} .carries {{ fill: {5} }} .idle {{ fill: {4} }}
.cut {{ stroke: {6} }} .lost {{ fill: {6} }} .row {{ fill: {3} }}"""
_LIGHT = ("#ffffff", "#1f2328", "#59636e", "#f0f3f6", "#c4ccd4", "#1a7f37", "#cf222e")
_DARK = ("#0d1117", "#f0f6fc", "#9198a1", "#1c2128", "#4a525c", "#3fb950", "#f85149")
_STYLE = f"""\
text {{ font: 15px system-ui, sans-serif }} .faint {{ font-size: 14px }}
.title {{ font-size: 17px; font-weight: 600 }}
.box {{ stroke-width: 1.5 }} .wire {{ stroke-width: 3; fill: none }}
.flow {{ stroke-width: 8; stroke-linecap: round; stroke-dasharray: 0 30; fill: none }}
.cut {{ stroke-width: 5; stroke-linecap: round; fill: none }}
{_COLOURS.format(*_LIGHT)}
@media (prefers-color-scheme: dark) {{
{_COLOURS.format(*_DARK)}
}}
@keyframes run {{ to {{ stroke-dashoffset: -30 }} }}
@keyframes pass {{ to {{ transform: translateX({_ROOM}px) }} }}"""
_LABELLED = 'role="img" aria-labelledby="title desc"'
_HIDDEN = ' opacity="0"'
_STILL = "@media (prefers-reduced-motion: reduce) { * { animation: none !important } }"
# What breaks, by its name here: the faults that begin and end it, and where it is crossed out.
_BREAKS = {
    "cut": ("cable_out", "cable_in", _HOST + 34),
    "mute": ("dead_gateway", "alive_gateway", _ROUTER - 34),
}


class Moment(NamedTuple):
    """An act as it went: at which second of the picture it began, and its figures."""

    at: float
    act: Act
    outcome: Mapping[str, Any]


class Film(NamedTuple):
    """All that is shown: how long it is, its acts, and by column of the strips what was so.

    A column in which an act began is two, so that what came of it is drawn after it.
    """

    seconds: float
    moments: tuple[Moment, ...]
    edges: tuple[float, ...]
    active: Mapping[str, tuple[bool, ...]]
    losses: tuple[int, ...]


def film(report: Mapping[str, Any]) -> Film:
    """Return what ``demo --json`` measured of the stories told here, one after the other."""
    chapters = {chapter["title"]: chapter for chapter in report["chapters"]}
    begin, moments, edges = 0.0, [], [0.0]
    active: dict[str, list[bool]] = {name: [] for name in UPLINKS}
    losses: list[int] = []
    for story in TOLD:
        chapter = chapters[story.title]
        span = chapter["span_ms"] / 1000
        for act, outcome in zip(story.acts, chapter["acts"], strict=True):
            moments.append(Moment(begin + outcome["began_ms"] / 1000, act, outcome))
        for column, end, lost in _parted(chapter, span):
            edges.append(begin + end)
            for name in UPLINKS:
                active[name].append(chapter["active"][name][column])
            losses.append(lost)
        begin = edges[-1]
    columns = {name: tuple(spans) for name, spans in active.items()}
    return Film(begin, tuple(moments), tuple(edges), columns, tuple(losses))


def _parted(chapter: Mapping[str, Any], span: float) -> Iterator[tuple[int, float, int]]:
    """Yield the columns' parts: which column, until when, and what was lost in it.

    What the acts say they lost tells on which side of an act the loss of its column was.
    """
    outcomes, losses = chapter["acts"], chapter["losses"]
    begins = [one["began_ms"] / 1000 for one in outcomes]
    due = [sum(losses) - sum(one["lost"] for one in outcomes), *(one["lost"] for one in outcomes)]
    act = 0  # how many have begun
    for column, lost in enumerate(losses):
        end, left = span * (column + 1), lost
        while act < len(begins) and begins[act] < end:
            before = max(0, min(left, due[act]))
            yield column, begins[act], before
            due[act] -= before
            left -= before
            act += 1
        yield column, end, left
        due[act] -= left


def picture(report: Mapping[str, Any]) -> str:
    """Return the SVG's text."""
    shown = film(report)
    told = "; ".join(" ".join(_figures(moment)) for moment in shown.moments)
    size = f'width="{_WIDTH * _SHOWN:.0f}" height="{_HEIGHT * _SHOWN:.0f}"'
    size += f' viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {_LABELLED}>',
        '<title id="title">A cable is pulled, then a router dies: the traffic goes on</title>',
        f'<desc id="desc">As measured: {escape(told)}.</desc>',
        "\n".join(["<style>", _STYLE, *_keyframes(shown), _STILL, "</style>"]),
        f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>',
        *_scene(),
        *_strips(shown),
        *_acts(shown),
        "</svg>",
    ]
    return "\n".join([*parts, ""])


def _keyframes(shown: Film) -> Iterator[str]:
    """Yield what switches something on and off, a name each, and what lasts as long as it all."""
    length = f"{shown.seconds:.2f}s"
    for name in UPLINKS:
        yield from _switch(f"flow-{name}", _starts(shown, shown.active[name]), length)
        for kind in _BREAKS:
            yield from _switch(f"{kind}-{name}", _broken(shown, name, kind), length)
    for number, moment in enumerate(shown.moments):
        following = shown.moments[number + 1 :]
        until = following[0].at if following else shown.seconds
        yield from _switch(f"act-{number}", [(moment.at, until)], length)
    yield f".head {{ animation: pass {length} linear infinite }}"
    yield ".flow path { animation: run .5s linear infinite }"


def _switch(name: str, shown: Iterable[tuple[float, float]], length: str) -> Iterator[str]:
    whole = float(length.removesuffix("s"))
    steps = ["0% { opacity: 0 }"]
    for begin, end in shown:
        steps += [f"{begin / whole:.2%} {{ opacity: 1 }}", f"{end / whole:.2%} {{ opacity: 0 }}"]
    yield f"@keyframes {name} {{ {' '.join(steps)} }}"
    yield f".{name} {{ animation: {name} {length} step-end infinite }}"


def _starts(shown: Film, active: Sequence[bool]) -> Iterator[tuple[float, float]]:
    """Yield each time in which it was so, from the first of neighbouring columns to the last."""
    begin = 0.0
    for column, (now, then) in enumerate(pairwise((*active, False))):
        if now and not (column and active[column - 1]):
            begin = shown.edges[column]
        if now and not then:
            yield begin, shown.edges[column + 1]


def _broken(shown: Film, name: str, kind: str) -> Iterator[tuple[float, float]]:
    first, last, _ = _BREAKS[kind]
    begin = None
    for moment in shown.moments:
        for fault, uplink in moment.act.faults:
            if (uplink, fault.__name__) == (name, first):
                begin = moment.at
            elif (uplink, fault.__name__) == (name, last) and begin is not None:
                yield begin, moment.at
                begin = None


def _scene() -> Iterator[str]:
    yield _text(_EDGE, 28, "Pull the cable; let the router die", "title")
    yield _text(_EDGE, 48, "a real run, in real time", "faint")
    for name, y in _WIRES.items():
        dashes = ' stroke-dasharray="3 7"' if name == "wlan0" else ""
        yield f'<path class="wire"{dashes} d="M{_HOST} {y}H{_ROUTER}"/>'
        yield _text((_HOST + _ROUTER) / 2, y - 15, _named(name), "faint", "middle")
        yield (
            f'<g class="flow flow-{name}"{"" if name == UPLINKS[1] else _HIDDEN}>'
            f'<path d="M{_HOST + 8} {y}H{_ROUTER - 8}"/></g>'
        )
    # Where nothing moves, the cable is out and Wi-Fi has the traffic.
    for name, y in _WIRES.items():
        for kind, (_, _, at) in _BREAKS.items():
            hidden = "" if (name, kind) == (UPLINKS[0], "cut") else _HIDDEN
            yield (
                f'<g class="cut {kind}-{name}"{hidden}>'
                f'<path d="M{at - 11} {y - 11}l22 22m0 -22l-22 22"/></g>'
            )
    top, height = _BOXES
    width = _HOST - _EDGE
    for x, lines in ((_EDGE, ("this", "machine")), (_ROUTER, ("router",))):
        yield f'<rect class="box" x="{x}" y="{top}" width="{width}" height="{height}" rx="10"/>'
        for number, line in enumerate(lines):
            base = top + height / 2 + 5 + 20 * number - 10 * (len(lines) - 1)
            yield _text(x + width / 2, base, line, "", "middle")


def _named(uplink: str) -> str:
    return {"eth0": "eth0, the cable", "wlan0": "wlan0, as Wi-Fi"}[uplink]


def _strips(shown: Film) -> Iterator[str]:
    for number, name in enumerate(UPLINKS):
        y = _STRIPS + number * _ROW
        yield _text(_EDGE, y + 14, name, "")
        yield f'<rect class="idle" x="{_LEFT}" y="{y + 6}" width="{_ROOM}" height="4"/>'
        for begin, end in _starts(shown, shown.active[name]):
            x, width = _x(shown, begin), _x(shown, end) - _x(shown, begin)
            yield f'<rect class="carries" x="{x:.1f}" y="{y}" width="{width:.1f}" height="16"/>'
    y = _STRIPS + len(UPLINKS) * _ROW
    yield _text(_EDGE, y + 14, "lost", "")
    for begin, end in _starts(shown, [bool(lost) for lost in shown.losses]):
        x, width = _x(shown, begin), max(_SEEN, _x(shown, end) - _x(shown, begin))
        yield f'<rect class="lost" x="{x:.2f}" y="{y}" width="{width:.2f}" height="16"/>'
    bottom = y + _ROW
    for number, moment in enumerate(shown.moments, start=1):
        x = _x(shown, moment.at)
        yield f'<path class="line" stroke-dasharray="2 3" d="M{x:.2f} {_STRIPS - 4}V{bottom}"/>'
        yield _text(x, bottom + 14, str(number), "faint", "middle")
    yield f'<path class="line head" stroke-width="2" d="M{_LEFT} {_STRIPS - 6}V{bottom}"/>'


def _acts(shown: Film) -> Iterator[str]:
    for number, moment in enumerate(shown.moments):
        y = _ACTS + _ACT * number
        yield (
            f'<g class="act-{number}"{_HIDDEN}><rect class="row" x="6" y="{y}" width='
            f'"{_WIDTH - 12}" height="{_ACT - 2}" rx="4"/></g>'
        )
        title, *figures = _figures(moment)
        yield _text(_EDGE, y + 18, f"{number + 1}. {title}", "")
        for x, figure in zip(_COLUMNS, figures, strict=True):
            yield _text(x, y + 38, figure, "faint")


def _figures(moment: Moment) -> tuple[str, str, str, str]:
    one = moment.outcome
    moved = f"{one['moved_ms']} ms" if one["moved_ms"] < 1000 else f"{one['moved_ms'] / 1000:.1f} s"
    return (
        _TITLES.get(moment.act.title, moment.act.title),
        f"moved in {moved}" if one["moved_ms"] >= 0 else "did not move",
        f"{one['lost']} of {one['sent']} lost",
        f"{one['alive']} of {one['connections']} TCP live",
    )


_TITLES = {
    "cable out of eth0": "the cable is pulled",
    "cable in": "plugged in: it must stay well for 2 s",
    "router dead": "its router dies, the link stays up",
    "router back": "the router is back",
}


def _x(shown: Film, seconds: float) -> float:
    return _LEFT + _ROOM * seconds / shown.seconds


def _text(x: float, y: float, text: str, kind: str, anchor: str = "") -> str:
    attributes = f' class="{kind}"' if kind else ""
    attributes += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{attributes}>{escape(text)}</text>'
