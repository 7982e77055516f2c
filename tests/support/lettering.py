"""How wide text is where it is drawn, at most: which font its reader has is not known.

By DejaVu Sans, bold, which stands for system-ui on many a Linux and is wider than most.
"""

from __future__ import annotations

_EM = {
    0.35: " 'ijl",
    0.4: ",./:;IJ\\|",
    0.45: "-f",
    0.5: "!()[]_`rt",
    0.55: '"*',
    0.6: "?csz",
    0.65: "Lx",
    0.8: "ABKRVX",
    0.85: "#+<=>DGHNU^~",
    0.9: "&OQ",
    0.95: "w",
    1.0: "@M",
    1.05: "%m",
    1.15: "W",
}
_WIDTHS = {letter: em for em, letters in _EM.items() for letter in letters}
_OTHER = 0.75
_LIGHTER = 0.93  # of what is not bold


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return what it takes at most, in what ``size`` is in."""
    return size * sum(_WIDTHS.get(letter, _OTHER) for letter in text) * (1 if bold else _LIGHTER)
