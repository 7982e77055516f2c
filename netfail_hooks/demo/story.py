"""What happens in the demo: stories of acts, each played under traffic and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netfail_hooks.demo.pace import TOO_SLOW, Pace
from netfail_hooks.lab import Lab
from netfail_hooks.lab.traffic import Traffic
from netfail_hooks.lab.watch import Watch
from netfail_hooks.recorder import FILE, text
from netfail_hooks.recorder.cause import cause
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.terminal.progress import doing

Lines = Sequence[str]
INTERVAL = 1  # seconds between two checks, as the timer would make them
COLUMNS = 60  # of a chapter's strips
FLOWS = ("out", "in", "gateway")
# A neighbour that has just learnt where an address is believes no other word for a second
# (``locktime``, arp(7)); the traffic itself tells it, as it begins.
_SETTLED = 1.6
PATIENCE = 20.0  # seconds for traffic to be where it belongs
_LINGER = 1.5  # seconds to look on after that
_POLL = 0.05


@dataclass(frozen=True)
class Act:
    """Something happens to uplinks; then ``active`` carries the traffic ("" for none)."""

    title: str
    faults: tuple[tuple[Callable[[Lab, str], None], str], ...]
    active: str


@dataclass(frozen=True)
class Story:
    """Acts under one measurement of traffic."""

    title: str
    acts: tuple[Act, ...]


@dataclass(frozen=True)
class Outcome:
    """What an act cost: datagrams without an answer, all streams, while any uplink was sound.

    ``began_ms`` is when in its chapter's strips the act began;
    ``moved_ms`` is from the act to the traffic being where it belongs, -1 if it never was;
    ``outage_ms`` the longest of a stream, ``stall_ms`` the longest wait of a connection,
    ``start_ms`` how long it took meanwhile to start a program, at the longest.
    """

    title: str
    moved_ms: int
    sent: int
    lost: int
    outage_ms: float
    stall_ms: float
    connections: int
    alive: int
    began_ms: int = 0
    start_ms: int = 0

    @property
    def healthy(self) -> bool:
        """Tell whether traffic moved and each connection lives."""
        return self.moved_ms >= 0 and self.alive == self.connections

    @property
    def too_slow(self) -> bool:
        """Tell whether it went wrong, and this machine may be to blame for that alone."""
        return not self.healthy and self.start_ms >= TOO_SLOW * 1000


@dataclass(frozen=True)
class _Moved:
    """An act as it went: when it began, ``moved_ms`` and ``start_ms`` of its outcome."""

    began: float
    took_ms: int
    start_ms: int


@dataclass(frozen=True)
class Chapter:
    """A story as it went: its acts, and strips of equal spans of ``span_ms`` each.

    ``active`` is by uplink: whether it carried the traffic; ``losses`` datagrams without an answer.
    """

    title: str
    acts: tuple[Outcome, ...]
    span_ms: float
    active: dict[str, tuple[bool, ...]]
    losses: tuple[int, ...]

    @property
    def too_slow(self) -> bool:
        """Tell whether an act went wrong for which this machine may be to blame."""
        return any(act.too_slow for act in self.acts)


STORIES = (
    Story(
        "The cable is pulled, and plugged in again",
        (
            Act("cable out of eth0", ((Lab.cable_out, "eth0"),), "wlan0"),
            Act("cable in", ((Lab.cable_in, "eth0"),), "eth0"),
        ),
    ),
    Story(
        "Wi-Fi is lost while the cable carries the traffic",
        (
            Act("wlan0 lost", ((Lab.cable_out, "wlan0"),), "eth0"),
            Act("wlan0 back", ((Lab.cable_in, "wlan0"),), "eth0"),
        ),
    ),
    Story(
        "The router behind eth0 dies; the link stays up, and no event comes",
        (
            Act("router dead", ((Lab.dead_gateway, "eth0"),), "wlan0"),
            Act("router back", ((Lab.alive_gateway, "eth0"),), "eth0"),
        ),
    ),
    Story(
        "Both are lost, and come back one after the other",
        (
            Act("both lost", ((Lab.cable_out, "eth0"), (Lab.cable_out, "wlan0")), ""),
            Act("wlan0 back", ((Lab.cable_in, "wlan0"),), "wlan0"),
            Act("cable in", ((Lab.cable_in, "eth0"),), "eth0"),
        ),
    ),
)


def play(lab: Lab, story: Story, show: Callable[[Lines | Chapter], None], pace: Pace) -> Chapter:
    """Play a story, showing what happens as it does; return what it cost.

    On a machine that is too slow it ends with the act that shows that.
    """
    show(["", story.title])
    moved: list[_Moved] = []
    with Tail(lab.paths.log + FILE) as recorder, lab.watch() as watch, lab.traffic() as traffic:
        recorder.read()  # what was before
        time.sleep(_SETTLED)
        for act in story.acts:
            began, took_ms = _perform(lab, act, recorder, show)
            slowest = pace.slowest((began, time.monotonic()))
            moved.append(_Moved(began, took_ms, round(slowest * 1000)))
            if took_ms < 0 and slowest >= TOO_SLOW:
                break
    chapter = _measure(lab, story, watch, traffic, moved)
    show(chapter)
    return chapter


def _perform(
    lab: Lab, act: Act, recorder: Tail, show: Callable[[Lines | Chapter], None]
) -> tuple[float, int]:
    """Let it happen, and look on; return when it began, and the milliseconds it took to move."""
    began = time.monotonic()
    show([f"   0.0 s  {act.title}"])
    for fault, uplink in act.faults:
        fault(lab, uplink)
    there = 0.0
    way = f": waiting for the traffic to go by {act.active}" if act.active else ""
    with doing(act.title + way, PATIENCE, told=True):
        while time.monotonic() < (there + _LINGER if there else began + PATIENCE):
            for transition, _ in text.select(recorder.read(), None)[0]:
                passed = time.monotonic() - began
                why = cause(transition.trigger, transition.took_ms, acted=bool(transition.did))
                head = f"{passed:6.1f} s  {transition.summary} [{why}]"
                show([head, *(f"             {change}" for change in transition.did)])
            if not there and lab.used_uplink() == act.active:
                there = time.monotonic()
            time.sleep(_POLL)
    return began, round((there - began) * 1000) if there else -1


def _measure(
    lab: Lab,
    story: Story,
    watch: Watch,
    traffic: Traffic,
    moved: Sequence[_Moved],
) -> Chapter:
    ends = [*(later.began for later in moved[1:]), traffic.window[1]]
    acts = tuple(
        _outcome(lab, act, traffic, one, end)
        for act, one, end in zip(story.acts, moved, ends, strict=False)  # those played
    )
    first, last = traffic.window
    span = (last - first) / COLUMNS
    edges = [first + span * column for column in range(COLUMNS)]
    active = {
        name: tuple(
            any(low <= edge + span / 2 < high for low, high in watch.used(name, 4))
            for edge in edges
        )
        for name in lab.ports
    }
    losses = tuple(
        sum(traffic.result(between=(edge, edge + span)).unanswered(flow) for flow in FLOWS)
        for edge in edges
    )
    return Chapter(story.title, acts, round(span * 1000, 1), active, losses)


def _outcome(lab: Lab, act: Act, traffic: Traffic, moved: _Moved, end: float) -> Outcome:
    between = moved.began, end
    result = traffic.result(between=between, excluding=lab.dark())
    flows = [result.trip(name) for name in FLOWS]
    return Outcome(
        title=act.title,
        moved_ms=moved.took_ms,
        sent=sum(flow.total for flow in flows),
        lost=sum(flow.lost for flow in flows),
        outage_ms=max(flow.outage_ms for flow in flows),
        stall_ms=result.stall_ms,
        connections=len(result.talks),
        alive=sum(talk.alive for talk in result.talks),
        began_ms=round((between[0] - traffic.window[0]) * 1000),
        start_ms=moved.start_ms,
    )
