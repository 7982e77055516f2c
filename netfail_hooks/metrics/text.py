"""The uplinks' states and counters in Prometheus' text exposition format. Pure.

Names, units and types: https://prometheus.io/docs/practices/naming/; the format:
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from netfail_hooks import __version__
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.recorder.counters import Counter
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netfail_hooks.config import Order
    from netfail_hooks.recorder.drills import Outcome

    Sample = tuple[dict[str, str], str]


@value
class Known:
    """All that the metrics are made of.

    ``interfaces`` are in rank order, ``metered`` those of them that are paid for by what they
    carry. ``now``, in milliseconds since boot, and ``clock``, in seconds since the epoch, are the
    present time. ``orders`` are what a person asked for by hand and still would, ``interval`` the
    most seconds between two checks (0: no timer).
    """

    mode: str
    interfaces: tuple[str, ...]
    state: State
    counts: tuple[Counter, ...]
    now: int
    clock: float
    drill: Outcome | None = None
    metered: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    interval: int = 0


def render(known: Known, *, volatile: bool) -> str:
    """Return the text; ``volatile``: with the metrics that change at every check, too."""
    uplink_states = _uplink_states(known)
    pairs = [(_labels(uplink), uplink) for uplink in uplink_states]
    counts = {(count.interface, count.family): count for count in known.counts}
    own = [(labels, counts.get((uplink.interface, uplink.family))) for labels, uplink in pairs]
    parts = [
        _metric(
            "info",
            "gauge",
            "Version and mode of netfail-hooks.",
            [({"version": __version__, "mode": known.mode}, "1")],
        ),
        _metric(
            "uplink_rank",
            "gauge",
            "Which uplink is preferred: 1 before 2.",
            [
                (labels, str(known.interfaces.index(uplink.interface) + 1))
                for labels, uplink in pairs
            ],
        ),
        _metric(
            "uplink_metered",
            "gauge",
            "Whether the uplink is paid for by what it carries.",
            [(labels, _flag(uplink.interface in known.metered)) for labels, uplink in pairs],
        ),
        _metric(
            "uplink_serves",
            "gauge",
            "Whether packets find their way by the uplink and back, though others may be better.",
            [(labels, _flag(uplink.serves)) for labels, uplink in pairs],
        ),
        _metric(
            "uplink_up",
            "gauge",
            "Whether the uplink works and may carry traffic.",
            [(labels, _flag(uplink.state == "up")) for labels, uplink in pairs],
        ),
        _metric(
            "uplink_recovering",
            "gauge",
            "Whether the uplink is back, and held down for a while.",
            [(labels, _flag(uplink.state == "recovering")) for labels, uplink in pairs],
        ),
        _metric(
            "uplink_carries_traffic",
            "gauge",
            "Whether the traffic goes by this uplink.",
            [
                (labels, _flag(known.state.active_uplink(uplink.family) == uplink.interface))
                for labels, uplink in pairs
            ],
        ),
        _metric(
            "transitions_total",
            "counter",
            "Changes of the uplink's state since boot.",
            [(labels, str(count.count if count else 0)) for labels, count in own],
        ),
        _metric(
            "last_transition_timestamp_seconds",
            "gauge",
            "When the uplink's state last changed.",
            [(labels, str(count.last)) for labels, count in own if count],
        ),
        _metric(
            "traffic_moves_total",
            "counter",
            "How often the traffic went over to another uplink since boot.",
            [
                ({"family": f"ipv{family}"}, str(count.count if count else 0))
                for family in FAMILIES
                if known.state.active_uplink(family)
                for count in [counts.get(("", family))]
            ],
        ),
        _metric(
            "by_hand",
            "gauge",
            "That a person asked for an uplink, or to do without it, and it has not ended.",
            [
                ({"interface": interface, "order": kind}, "1")  # the same may end, and be kept too
                for interface, kind in dict.fromkeys((o.interface, o.kind) for o in known.orders)
            ],
        ),
        _metric(
            "check_interval_seconds",
            "gauge",
            "How long it is between two checks at most.",
            [({}, str(known.interval))] if known.interval else [],
        ),
    ]
    if known.drill:
        parts += _drill(known.drill)
    if volatile:
        parts += _volatile(known, uplink_states)
    return "".join(parts)


def _drill(drill: Outcome) -> list[str]:
    """Return how the last fire drill went."""
    labels = {"interface": drill.interface, "fault": drill.fault}
    moved = [one for one in drill.families if one.moved_ms >= 0]
    echoes = [flow for flow in drill.flows if flow.kind == "echo"]
    return [
        _metric(
            "drill_last_run_timestamp_seconds",
            "gauge",
            "When the last fire drill ended.",
            [(labels, str(drill.time))],
        ),
        _metric(
            "drill_passed",
            "gauge",
            "Whether in the last fire drill another uplink took the traffic.",
            [(labels, _flag(drill.verdict == "passed"))],
        ),
        _metric(
            "drill_failover_seconds",
            "gauge",
            "How long after the fault the traffic had moved.",
            [
                ({**labels, "family": f"ipv{one.family}"}, f"{one.moved_ms / 1000:.3f}")
                for one in moved
            ],
        ),
        _metric(
            "drill_echoes_lost",
            "gauge",
            "Echoes without an answer in the last fire drill, of twenty a second.",
            [({**labels, "target": flow.target}, str(flow.lost)) for flow in echoes],
        ),
    ]


def _volatile(known: Known, uplink_states: Sequence[UplinkState]) -> list[str]:
    metered = known.state.metered
    answered = [uplink for uplink in uplink_states if uplink.rtt and not uplink.fails]
    probed = max((uplink.probed for uplink in uplink_states), default=0)
    when = known.clock - (known.now - probed) / 1000
    return [
        _metric(
            "uplink_metered_bytes_today",
            "gauge",
            "Bytes that a metered uplink carried since midnight.",
            [({"interface": one.interface}, str(one.bytes)) for one in metered],
        ),
        _metric(
            "probe_rtt_seconds",
            "gauge",
            "How long the last answer to a probe took.",
            [(_labels(uplink), f"{uplink.rtt / 1e6:.6f}") for uplink in answered],
        ),
        _metric(
            "check_last_run_timestamp_seconds",
            "gauge",
            "When uplinks were last probed.",
            [({}, f"{when:.3f}")] if probed else [],
        ),
        *_lines(known),
    ]


def _lines(known: Known) -> list[str]:
    """Return what is known of lines that are measured: mostly none is."""
    if not known.state.qualities:
        return []
    from netfail_hooks.policy.quality import line_of

    lines = [
        ({"interface": one.interface, "family": f"ipv{one.family}"}, one, line_of(one))
        for one in known.state.qualities
        if one.interface in known.interfaces
    ]
    return [
        _metric(
            "line_loss_ratio",
            "gauge",
            "Which part of the last questions was lost.",
            [(labels, f"{line.loss / 100:.4f}") for labels, _, line in lines],
        ),
        _metric(
            "line_latency_seconds",
            "gauge",
            "How long answers took on an average of the last questions.",
            [(labels, f"{line.latency / 1000:.6f}") for labels, _, line in lines],
        ),
        _metric(
            "line_poor",
            "gauge",
            "Whether the line is above its limits, or not yet back at half of them.",
            [(labels, str(one.poor)) for labels, one, _ in lines],
        ),
    ]


def _uplink_states(known: Known) -> list[UplinkState]:
    """Return the uplinks' states, without families that one lacks while it has the other.

    One that was never there lacks what the others lack: a machine without IPv6 misses none.
    """
    shown = []
    had = {uplink.family for uplink in known.state.uplinks if uplink.state != "absent"} or FAMILIES
    for name in known.interfaces:
        families = [uplink for uplink in known.state.uplinks if uplink.interface == name]
        there = [uplink for uplink in families if uplink.state != "absent"]
        shown += there or [uplink for uplink in families if uplink.family in had]
    return shown


def _metric(name: str, kind: str, about: str, samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    lines = [f"# HELP netfail_{name} {about}", f"# TYPE netfail_{name} {kind}"]
    for labels, number in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"netfail_{name}{'{' + inside + '}' if inside else ''} {number}")
    return "\n".join([*lines, ""])


def _labels(uplink: UplinkState) -> dict[str, str]:
    return {"interface": uplink.interface, "family": f"ipv{uplink.family}"}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _flag(value: bool) -> str:  # noqa: FBT001 - what it writes
    return "1" if value else "0"
