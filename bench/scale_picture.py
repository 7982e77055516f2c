"""What bench/scale measured: as text, as a table of Markdown, as an SVG. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import wrap
from xml.sax.saxutils import escape

Costs = Mapping[str, Mapping[str, float]]  # of a row, of a column: CPU ms


@dataclass(frozen=True)
class Scale:
    """What was measured on a machine, before (if that is known) and now."""

    machine: str
    before: Costs
    now: Costs


COLUMNS = ("hook", "check", "failover")
_BASE = "nothing"  # the row that the ratios are to
_WIDTH, _LEFT, _PANEL, _SPACE = 860, 170, 205, 25
_TOP, _STEP, _BAR = 92, 27, 10
_MOST = 5.0  # times as much as with nothing: what is more has an arrow's point
_GOAL = 1.5
_LETTERS = 125
_STYLE = """
.back { fill: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 14px; font-weight: 600; }
.faint { fill: #59636e; font-size: 11px; }
.number { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.grid { stroke: #d1d9e0; }
.goal { stroke: #1a7f37; stroke-dasharray: 4 3; }
.before { fill: #818b98; }
.now { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117; }
  text { fill: #f0f6fc; }
  .faint { fill: #9198a1; }
  .number { stroke: #0d1117; }
  .grid { stroke: #3d444d; }
  .goal { stroke: #3fb950; }
  .before { fill: #656c76; }
  .now { fill: #4493f8; }
}
"""


def dump(scale: Scale) -> str:
    """Return it as JSON."""
    return json.dumps(asdict(scale), indent=1) + "\n"


def load(content: str) -> Scale:
    """Return what :func:`dump` was given. Raises ValueError."""
    try:
        return Scale(**json.loads(content))
    except TypeError:
        raise ValueError("not made by bench/scale --json") from None


def text(scale: Scale) -> str:
    """Return the table for a terminal."""
    lines = [f"{'CPU ms':22}" + "".join(f"{column:>20}" for column in COLUMNS)]
    for row in scale.now:
        cells = [f"{_cell(scale, row, column):>20}" for column in COLUMNS]
        lines.append(f"{row:22}" + "".join(cells))
    return "\n".join(lines)


def markdown(scale: Scale) -> str:
    """Return the table for a document."""
    lines = [f"| CPU ms | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in scale.now:
        cells = [_cell(scale, row, column) for column in COLUMNS]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(scale: Scale, row: str, column: str) -> str:
    before, now = scale.before, scale.now
    cost = now[row][column]
    base = now.get(_BASE, {}).get(column)
    ratio = f" ({cost / base:.2f})" if base else ""
    was = f"{before[row][column]:.0f} → " if row in before else ""
    return f"{was}{cost:.1f}{ratio}"


def picture(scale: Scale) -> str:
    """Return the SVG: a column for each command, a pair of bars for each row, in times."""
    before, now = scale.before, scale.now
    rows = list(now)
    bottom = _TOP + len(rows) * _STEP
    about = (
        "CPU time in times of that with nothing foreign: before (grey) and now (blue); the numbers "
        "are milliseconds. Dashed: the goal, 1.5 times."
    )
    height = bottom + 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="CPU time by what is not ours">'
    )
    parts = [
        head,
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="6"/>',
        _text(10, 22, "What is not ours costs little", "title"),
        *(_text(10, 40 + 14 * n, line, "faint") for n, line in enumerate(wrap(about, _LETTERS))),
        _text(10, 68, scale.machine, "faint"),
    ]
    for number, column in enumerate(COLUMNS):
        left = _LEFT + number * (_PANEL + _SPACE)
        parts += _grid(left, bottom, column)
        for place, row in enumerate(rows):
            y = _TOP + place * _STEP + 4
            if _BASE in before and row in before:
                parts += _bar(left, y, before[row][column], before[_BASE][column], "before")
            parts += _bar(left, y + _BAR + 1, now[row][column], now[_BASE][column], "now")
    parts += [
        _text(_LEFT - 8, _TOP + n * _STEP + 18, row, anchor="end") for n, row in enumerate(rows)
    ]
    return "\n".join([*parts, "</svg>", ""])


def _grid(left: int, bottom: int, column: str) -> list[str]:
    parts = [_text(left, _TOP - 8, column, "title")]
    for times in (1.0, _GOAL, *range(2, int(_MOST) + 1)):
        kind = "goal" if times == _GOAL else "grid"
        x = _x(left, times)
        parts.append(f'<path class="{kind}" d="M{x:.0f} {_TOP - 4}V{bottom}"/>')
        parts.append(_text(x, bottom + 14, f"{times:g}", "faint", anchor="middle"))
    return parts


def _bar(left: int, y: int, cost: float, base: float, kind: str) -> list[str]:
    end = _x(left, min(cost / base, _MOST))
    tip = f"L{end + 6:.0f} {y + _BAR / 2}L{end:.0f} {y + _BAR}" if cost / base > _MOST else ""
    shape = f"M{left} {y}H{end:.0f}{tip or f'v{_BAR}'}H{left}Z"
    return [
        f'<path class="{kind}" d="{shape}"/>',
        _text(end + 8, y + 9, f"{cost:.0f}", "faint number"),
    ]


def _x(left: int, times: float) -> float:
    return left + (_PANEL - 30) * times / _MOST


def _text(x: float, y: float, words: str, kind: str = "", *, anchor: str = "") -> str:
    more = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{escape(words)}</text>'
