"""What was measured as a picture: an SVG that follows the reader's light or dark. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from xml.sax.saxutils import escape

from bench.faults import NAMES
from bench.results import Results, Sample
from bench.table import Titles, told

_WIDTH, _LEFT, _RIGHT = 860, 220, 190  # of it, of the names, of what stands beside a bar
_COLUMNS = 125  # of small letters
_BAR, _STEP, _HEAD, _GAP = 13, 21, 46, 22
_LOWEST = 1.0  # ms: the scale's left end
_TICKS = (
    (1, "1 ms"),
    (10, "10 ms"),
    (100, "0.1 s"),
    (1000, "1 s"),
    (10_000, "10 s"),
    (100_000, "100 s"),
)
_STYLE = """
.back { fill: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 14px; font-weight: 600; }
.faint { fill: #59636e; font-size: 11px; }
.grid { stroke: #d1d9e0; }
.other { fill: #818b98; }
.ours { fill: #0969da; }
.name-ours { font-weight: 600; }
.dead, .dies { fill: #d1242f; }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117; }
  text { fill: #f0f6fc; }
  .faint { fill: #9198a1; }
  .grid { stroke: #3d444d; }
  .other { fill: #656c76; }
  .ours { fill: #4493f8; }
  .dead, .dies { fill: #f85149; }
}
"""


def picture(results: Results, titles: Titles, ours: Sequence[str]) -> str:
    """Return the SVG: a panel a fault, a bar a contender, as long as its worst outage (log)."""
    parts: list[str] = []
    top = 70
    for name in NAMES:
        rows = [row for key in titles if (row := results.row(key, name)) is not None]
        if rows:
            parts += _panel(name, rows, titles, ours, top)
            top += _HEAD + len(rows) * _STEP + _GAP
    for line in (part for whole in told(results, titles) for part in wrap(whole, _COLUMNS)):
        parts.append(_text(10, top, line, "faint"))
        top += 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top + 8}" '
        f'viewBox="0 0 {_WIDTH} {top + 8}" role="img" aria-label="Outage by fault and contender">'
    )
    about = (
        "The longest outage of any stream, medians, on a logarithmic scale. "
        "Red: not over when we stopped looking."
    )
    return "\n".join(
        [
            head,
            f"<style>{_STYLE}</style>",
            f'<rect class="back" width="{_WIDTH}" height="{top + 8}" rx="6"/>',
            _text(10, 22, "What a failover costs", "title"),
            _text(10, 40, about, "faint"),
            _text(10, 56, results.machine, "faint"),
            *parts,
            "</svg>",
            "",
        ]
    )


def _panel(
    name: str, rows: Sequence[Sample], titles: Titles, ours: Sequence[str], top: int
) -> list[str]:
    """Return one fault's panel: its scale, then its bars."""
    bottom = top + _HEAD + len(rows) * _STEP
    parts = [_text(10, top + 18, name, "title")]
    for ms, label in _TICKS:
        x = _x(ms)
        parts.append(f'<path class="grid" d="M{x:.0f} {top + 34}V{bottom}"/>')
        parts.append(_text(x, top + 28, label, "faint", anchor="middle"))
    for place, row in enumerate(rows):
        parts += _bar(
            row, titles[row.contender], top + _HEAD + place * _STEP, ours=row.contender in ours
        )
    return parts


def _bar(row: Sample, title: str, y: int, *, ours: bool) -> list[str]:
    outage = row.outage
    end = max(_x(max(outage.ms, _LOWEST)), _LEFT + 2)
    kind = "dead" if outage.over else "ours" if ours else "other"
    shape = f"M{_LEFT} {y}H{end:.0f}"
    # An outage that did not end has an arrow's point.
    shape += f"L{end + 7:.0f} {y + _BAR / 2}L{end:.0f} {y + _BAR}" if outage.over else f"v{_BAR}"
    note = (
        f"{outage}, TCP alive: {row.alive} of {row.connections}" if row.connections else f"{outage}"
    )
    return [
        _text(_LEFT - 8, y + 11, title, "name-ours" if ours else "", anchor="end"),
        f'<path class="{kind}" d="{shape}H{_LEFT}Z"/>',
        _text(end + 12, y + 11, note, "" if row.alive == row.connections else "dies"),
    ]


def _x(ms: float) -> float:
    """Return where a time stands on the scale."""
    span = math.log10(_TICKS[-1][0] / _LOWEST)
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(ms / _LOWEST) / span


def _text(x: float, y: float, words: str, kind: str, *, anchor: str = "") -> str:
    more = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{escape(words)}</text>'
