"""The demo as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netfail_hooks.demo.story import COLUMNS, FLOWS, Chapter, Outcome

_GOOD, _BAD, _DULL, _PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"  # ECMA-48, SGR
_LABEL = 8


@dataclass(frozen=True)
class Look:
    """What can be shown: colours on a terminal, blocks where the encoding has them."""

    colour: bool = False
    unicode: bool = False


def head(why_not_real: str, interval: int) -> list[str]:
    """Return what a person needs to know beforehand."""
    parts = (
        "this machine's kernel, systemd-networkd and networkd-dispatcher, and the hooks"
        if not why_not_real
        else f"this machine's kernel and the hooks, without systemd-networkd ({why_not_real})"
    )
    return [
        f"A throw-away host in namespaces: {parts}.",
        "Two uplinks on one LAN, eth0 and a second link in the part of wlan0. Nothing of this",
        f"machine changes. A check every {interval} s and a hold-down of 2 s, to keep it short.",
        f"Datagrams every 5 ms ({', '.join(FLOWS)}), and a TCP connection each way.",
    ]


def chapter(told: Chapter, look: Look) -> list[str]:
    """Return a chapter's strips: who carried the traffic when, and what was lost."""
    on, off = ("█", "·") if look.unicode else ("#", ".")
    lines = [""]
    for name, carried in told.ways.items():
        strip = "".join(on if one else off for one in carried)
        lines.append(f"   {name:{_LABEL}}{_paint(strip, _GOOD, look)}")
    losses = "".join("x" if lost else off for lost in told.losses)
    colour = _BAD if any(told.losses) else _DULL
    lines.append(f"   {'lost':{_LABEL}}{_paint(losses, colour, look)}")
    lines.append(f"   {'':{_LABEL}}{_scale(told.span_ms * COLUMNS / 1000)}")
    return lines


def summary(chapters: Sequence[Chapter], install: str) -> list[str]:
    """Return the table of all acts, and the command that installs."""
    acts = [(one.title, act) for one in chapters for act in one.acts]
    width = max(len(act.title) for _, act in acts)
    lines = [
        "",
        f"{'':{width}}  {'moved in':>9}  {'lost':>12}  {'outage':>8}  connections",
        *(_row(act, width) for _, act in acts),
        "",
        "moved in: until the kernel sends by the right uplink, which going back waits a hold-down",
        "for. Not counted as lost: what was sent while both were out.",
        f"Next: {install} --primary eth0 --backup wlan0 --dry-run",
    ]
    bad = [f"{title}: {act.title}" for title, act in acts if not act.healthy]
    return [*lines, *(f"NOT WELL: {one}" for one in bad)]


def _row(act: Outcome, width: int) -> str:
    moved = f"{act.moved_ms} ms" if act.moved_ms >= 0 else "never"
    lost = f"{act.lost} of {act.sent}"
    alive = f"{act.alive} of {act.connections} alive, stalled {act.stall_ms:.0f} ms"
    return f"{act.title:{width}}  {moved:>9}  {lost:>12}  {act.outage_ms:5.0f} ms  {alive}"


def _scale(seconds: float) -> str:
    """Return the time below a strip."""
    end = f"{seconds:.1f} s"
    return f"0{'':{COLUMNS - 1 - len(end)}}{end}"


def _paint(text: str, code: str, look: Look) -> str:
    return f"{code}{text}{_PLAIN}" if look.colour else text
