"""Draw a timeline as a picture: SVG, light or dark as its reader's screen is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from xml.sax.saxutils import escape

from netfail_hooks.terminal import span as duration
from netfail_hooks.timeline import Span, State, Timeline, Track
from netfail_hooks.timeline.axis import marks

_TOP, _ROW = 56, 40
_HEAD = 16  # of what is above the bars, what a page need not have, for it has headings
_THICK, _THIN = 24, 6  # carrying the traffic, or not: shown by height, so colour isn't needed
_LETTER = 8.5  # pixels of one in a fixed width, at most: a name of any interface has 15 at most
_SHARE = 70  # pixels of the share, where it is on a line with the name
_LEAST = 1.5  # a second's outage is seen in a year
_LEGEND = (
    (State("up", carries=True), "carries the traffic"),
    (State("up", carries=False), "up"),
    (State("recovering", carries=False), "in its hold-down"),
    (State("down", carries=False), "down"),
)
# Plain rules, no CSS variables: not every viewer of pictures knows those.
_COLOURS = """\
.back {{ fill: {0} }} text {{ fill: {1} }} .dull {{ fill: {2} }}
.line {{ stroke: {3} }} .boot {{ stroke: {2} }}
.up {{ fill: {4} }} .stripe-recovering {{ stroke: {5} }} .stripe-down {{ stroke: {6} }}"""
_LIGHT = ("#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#1a7f37", "#9a6700", "#cf222e")
_DARK = ("#0d1117", "#f0f6fc", "#9198a1", "#3d444d", "#3fb950", "#d29922", "#f85149")
STYLE = f"""\
text {{ font: 14px system-ui, sans-serif }} .dull {{ font-size: 12px }}
.name {{ font-family: ui-monospace, monospace }}
.recovering {{ fill: url(#recovering) }} .down {{ fill: url(#down) }}
.stripe-recovering, .stripe-down {{ stroke-width: 5 }}
{_COLOURS.format(*_LIGHT)}
@media (prefers-color-scheme: dark) {{
{_COLOURS.format(*_DARK)}
}}"""
PATTERNS = """\
<defs>
<pattern id="recovering" width="7" height="7" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><path class="stripe-recovering" d="M3 0v7"/></pattern>
<pattern id="down" width="7" height="7" patternUnits="userSpaceOnUse">\
<path class="stripe-down" d="M3 0v7"/></pattern>
</defs>"""


@dataclass(frozen=True, slots=True)
class Frame:
    """How wide a picture is, what it leaves beside the bars, and how it fills that."""

    kind: str
    width: int
    left: int
    right: int
    margin: int
    marks: int
    legend: int  # entries on a line
    step: int  # from one of them to the next
    above: int = 0  # what a name takes above its bar; 0: it is beside that

    @property
    def room(self) -> int:
        """Return the width of the bars."""
        return self.width - self.left - self.right

    @property
    def for_name(self) -> int:
        """Return the width that a name has."""
        beside = self.left - self.margin - 6
        return self.width - 2 * self.margin - _SHARE if self.above else beside

    @property
    def row(self) -> int:
        """Return the height of an uplink."""
        return _ROW + self.above


WIDE = Frame("wide", width=960, left=160, right=80, margin=20, marks=7, legend=4, step=180)
NARROW = Frame(
    "narrow", width=360, left=12, right=12, margin=12, marks=5, legend=2, step=165, above=14
)


def render(timeline: Timeline, zone: tzinfo | None = None) -> str:
    """Return the picture's text; ``zone`` None is the local time zone."""
    told = heading(timeline, zone)
    height = _height(timeline, WIDE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE.width} {height}" role="img">',
        f"<title>{told}</title>",
        f"<style>\n{STYLE}\n</style>",
        PATTERNS,
        f'<rect class="back" width="{WIDE.width}" height="{height}"/>',
        f'<text x="20" y="30">{told}</text>',
        *_drawn(timeline, WIDE, zone),
    ]
    return "\n".join([*parts, "</svg>", ""])


def inline(timeline: Timeline, frame: Frame) -> str:
    """Return it as a part of a page that has ``STYLE`` and ``PATTERNS`` once for all.

    The page says once what it shows, for whoever does not see it: it may be there in two widths.
    """
    box = f"0 {_HEAD} {frame.width} {_height(timeline, frame) - _HEAD}"
    parts = [
        f'<svg class="{frame.kind}" viewBox="{box}" aria-hidden="true" focusable="false">',
        *_drawn(timeline, frame, None),
    ]
    return "\n".join([*parts, "</svg>", ""])


def heading(timeline: Timeline, zone: tzinfo | None = None) -> str:
    """Return from when to when it is; ``zone`` None is the local time zone."""
    return f"Uplinks from {_when(timeline.begin, zone)} to {_when(timeline.end, zone)}"


def _height(timeline: Timeline, frame: Frame) -> int:
    lines = -(-len(_LEGEND) // frame.legend)
    return _TOP + frame.row * len(timeline.tracks) + 52 + 24 * lines


def _drawn(timeline: Timeline, frame: Frame, zone: tzinfo | None) -> list[str]:
    bottom = _TOP + frame.row * len(timeline.tracks)
    right = frame.width - frame.margin
    parts = [
        f'<text class="dull" x="{right}" y="30" text-anchor="end">carried</text>',
        *_axis(timeline, frame, bottom, zone),
    ]
    for row, track in enumerate(timeline.tracks):
        parts += _row(track, timeline, frame, _TOP + frame.row * row, zone)
    for moment in timeline.boots:
        at = _x(moment, timeline, frame)
        parts.append(
            f'<path class="boot" stroke-dasharray="3" d="M{at:.1f} {_TOP}V{bottom}">'
            f"<title>started {_when(moment, zone)}</title></path>"
        )
    return [*parts, *_legend(frame, bottom + 56)]


def _row(
    track: Track, timeline: Timeline, frame: Frame, top: float, zone: tzinfo | None
) -> list[str]:
    middle = top + frame.above + _ROW / 2
    line = top + frame.above if frame.above else middle + 5
    squeezed = f' textLength="{frame.for_name}" lengthAdjust="spacingAndGlyphs"'
    fitted = "" if len(track.name) * _LETTER <= frame.for_name else squeezed
    right = frame.width - frame.margin
    lines = [
        f'<text class="name" x="{frame.margin}" y="{line:g}"{fitted}>{escape(track.name)}</text>',
        f'<text class="dull" x="{right}" y="{line:g}" text-anchor="end">{_share(track)}</text>',
    ]
    # The gravest last, above what is long.
    for span in sorted(track.spans, key=lambda span: span.state.weight):
        begin, end = _x(span.begin, timeline, frame), _x(span.end, timeline, frame)
        lines.append(
            _bar(span.state, begin, max(end - begin, _LEAST), middle, _hint(track.name, span, zone))
        )
    return lines


def _share(track: Track) -> str:
    """Return the part of the time in which it carried the traffic, 0 and 100 only if exactly."""
    tenths = round(track.share * 1000)
    if 0 < track.share < 1:
        tenths = min(max(tenths, 1), 999)
    return f"{tenths / 10:.1f} %"


def _bar(state: State, x: float, width: float, middle: float, hint: str = "") -> str:
    thick = _THICK if state.carries else _THIN
    title = f"<title>{escape(hint)}</title>" if hint else ""
    return (
        f'<rect class="{state.state}" x="{x:.1f}" y="{middle - thick / 2:g}"'
        f' width="{width:.1f}" height="{thick}">{title}</rect>'
    )


def _hint(name: str, span: Span, zone: tzinfo | None) -> str:
    carries = ", carries the traffic" if span.state.carries else ""
    return (
        f"{name} {span.state.state}{carries}: {_when(span.begin, zone)} to "
        f"{_when(span.end, zone)}, {duration(round(span.end - span.begin))}"
    )


def _axis(timeline: Timeline, frame: Frame, bottom: int, zone: tzinfo | None) -> list[str]:
    lines = []
    for mark in marks(timeline.begin, timeline.end, frame.marks, zone):
        at = _x(mark.time, timeline, frame)
        lines.append(f'<path class="line" d="M{at:.1f} {_TOP}V{bottom + 6}"/>')
        half = len(mark.label) * _LETTER / 2  # at an edge it moves inwards, or it is cut off
        at = min(max(at, half), frame.width - half)
        lines.append(
            f'<text class="dull" x="{at:.1f}" y="{bottom + 22}"'
            f' text-anchor="middle">{mark.label}</text>'
        )
    return lines


def _legend(frame: Frame, top: int) -> list[str]:
    lines = []
    for number, (state, name) in enumerate(_LEGEND):
        line, column = divmod(number, frame.legend)
        x, y = frame.left + column * frame.step, top + 24 * line
        lines += [
            _bar(state, x, 28, y - 5),
            f'<text class="dull" x="{x + 36}" y="{y}">{name}</text>',
        ]
    return lines


def _x(moment: float, timeline: Timeline, frame: Frame) -> float:
    return frame.left + frame.room * (moment - timeline.begin) / (timeline.end - timeline.begin)


def _when(moment: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")
