"""The demo as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from netfail_hooks.demo.story import COLUMNS, FLOWS, PATIENCE, Chapter, Outcome
from netfail_hooks.errors import NotNow
from netfail_hooks.terminal import BAD, DULL, GOOD, painter

_LABEL = 8


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
        f"machine changes. A check every {interval} s, and a hold-down of 2 s, to keep it short:",
        "for so long an uplink that is back must stay well before it takes the traffic again. It",
        "doubles each time the uplink is lost again (4 s, 8 s): one that flaps is left alone.",
        f"Datagrams every 5 ms ({', '.join(FLOWS)}), each answered, and TCP each way.",
    ]


def strips(chapter: Chapter, *, colour: bool = False, utf8: bool = False) -> list[str]:
    """Return a chapter's strips: who carried the traffic when, and what was lost."""
    on, off = ("█", "·") if utf8 else ("#", ".")
    paint = painter(colour=colour)
    lines = [""]
    for name, spans in chapter.active.items():
        strip = "".join(on if active else off for active in spans)
        lines.append(f"   {name:{_LABEL}}{paint(strip, GOOD)}")
    losses = "".join("x" if lost else off for lost in chapter.losses)
    lines.append(f"   {'lost':{_LABEL}}{paint(losses, BAD if any(chapter.losses) else DULL)}")
    end = f"{chapter.span_ms * COLUMNS / 1000:.1f} s"
    lines.append(f"   {'':{_LABEL}}0{end:>{COLUMNS - 1}}")
    return lines


def summary(chapters: Sequence[Chapter], install: str) -> list[str]:
    """Return the table of all acts and the next step: the command that installs, if all is well.

    What went wrong on a machine that is too slow has no line: ``too_slow`` explains it.
    """
    acts = [(chapter.title, act) for chapter in chapters for act in chapter.acts]
    width = max(len(act.title) for _, act in acts)
    lines = [
        "",
        f"{'':{width}}  {'moved in':>9}  {'lost':>12}  {'outage':>8}  connections",
        *(_row(act, width) for _, act in acts),
        "",
        "moved in: how long until the kernel sent by the right uplink. It goes back to one that",
        "has been well for a while (the hold-down), twice as long after each further loss.",
        "lost: what was not answered, but for what was sent while both uplinks were out.",
    ]
    bad = [(title, act) for title, act in acts if not act.healthy]
    if not bad:
        return [*lines, f"Next: {install} --primary eth0 --backup wlan0 --dry-run"]
    lines += [
        f"NOT WELL: {title}: {act.title}: {_reason(act)}" for title, act in bad if not act.too_slow
    ]
    if not any(act.too_slow for _, act in bad):
        lines.append("Next: try it once more; if it stays so, report it, with all this, please")
    return lines


def too_slow(seconds: float) -> NotNow:
    """Return what to raise where starting a program took so long that nothing can be shown."""
    return NotNow(
        "this machine is too busy or too slow for the demo just now (to start a program that does "
        f"nothing took {seconds:.1f} s, where 0.1 s is plenty)",
        hint="that says nothing about your network, and nothing of this machine was changed; try "
        "again when less else runs on it",
    )


def _reason(act: Outcome) -> str:
    if act.moved_ms < 0:
        return f"the traffic was not where it belongs after {PATIENCE:.0f} s"
    return f"{act.connections - act.alive} of {act.connections} connections died"


def _row(act: Outcome, width: int) -> str:
    moved = f"{act.moved_ms} ms" if act.moved_ms >= 0 else f"over {PATIENCE:.0f} s"
    lost = f"{act.lost} of {act.sent}"
    alive = f"{act.alive} of {act.connections} alive, stalled {act.stall_ms:.0f} ms"
    return f"{act.title:{width}}  {moved:>9}  {lost:>12}  {act.outage_ms:5.0f} ms  {alive}"
