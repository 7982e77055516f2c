"""The report of ``status`` as lines for people, within 80 columns where addresses allow."""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.status import multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import UNKNOWN, Failover, Family, Line, Report, UplinkReport
from netfail_hooks.terminal import BAD, DULL, GOOD, STATE_COLOURS, WAITING, Paint, painter, span

_LABEL = 10
_CHECK = "run 'netfail-hooks check'"
_AT_ODDS = f"the kernel sends by another uplink than was chosen: {_CHECK}"
_INSTALL = "run 'netfail-hooks install'"
_WATCHED = {None: "", True: ", watched", False: ", not watched by the kernel"}
WELL, UNWELL = "ok", "NOT WELL"


def render(report: Report, *, colour: bool = False) -> str:
    """Return the whole text; ``colour`` for a terminal."""
    paint = painter(colour=colour)
    names = max(len(uplink.interface) for uplink in report.uplinks)
    marks = max(len(_mark(uplink.healthy)) for uplink in report.uplinks)
    lines = [line for uplink in report.uplinks for line in _uplink(uplink, (names, marks), paint)]
    lines += ["", *_traffic(report, paint)]
    lines += labelled("rules", [_ruled(ruled, paint) for ruled in report.ruled])
    lines += labelled(
        "ours",
        [f"route {route}" for route in report.our_routes]
        + [f"address {address}" for address in report.our_addresses],
    )
    lines += labelled("manager", list(_taken_over(report)))
    lines += labelled("by hand", list(report.by_hand))
    lines += labelled("mptcp", _multipath(report, paint))
    lines += labelled("drill", _drills(report, paint))
    lines += labelled("crowded", [paint(line, BAD) for line in report.crowded])
    if not report.as_chosen:
        lines += labelled("at odds", [paint(_AT_ODDS, BAD)])
    lines += render_drifted(report.drifted, paint)
    if report.last_failover:
        lines += labelled("last", [render_failover(report.last_failover)])
    if report.state == "empty":
        lines += labelled("health", [f"not looked at since boot: {_CHECK}"])
    lines += render_silence(report.silence, paint)
    lines += labelled("unknown", list(report.unknown))
    return "\n".join(lines)


def _taken_over(report: Report) -> Iterator[str]:
    for manager in dict.fromkeys(uplink.taken_from for uplink in report.uplinks):
        names = [one.interface for one in report.uplinks if one.taken_from == manager]
        if manager:
            yield f"{' and '.join(names)} taken over from {manager}"


def _multipath(report: Report, paint: Paint) -> list[str]:
    """Return the endpoints of Multipath TCP, and which are missing."""
    if report.multipath is None:
        return []
    missing = [f"{one} is none: {_CHECK}" for one in report.multipath.missing]
    return [*multipath.lines(report.multipath), *(paint(one, BAD) for one in missing)]


def _drills(report: Report, paint: Paint) -> list[str]:
    """Return which fire drill is on, and how the last one went."""
    lines = [paint(report.drill, WAITING)] if report.drill else []
    last = report.last_drill
    if last:
        ago = "" if last.seconds_ago is None else f"{span(last.seconds_ago)} ago, "
        moved = f", moved after {last.moved_ms / 1000:.1f} s" if last.moved_ms >= 0 else ""
        text = f"{ago}{last.interface} ({last.fault}): {last.verdict}{moved}"
        bad = last.verdict == "failed"
        lines.append(paint(text, BAD) if bad else text)
        lines += [paint(reason, BAD) for reason in last.reasons]
    return lines


def render_silence(silence: str, paint: Paint) -> list[str]:
    """Return why no event comes, if so."""
    return labelled("events", [paint(silence, BAD)] if silence else [])


def render_drifted(drifted: tuple[str, ...], paint: Paint) -> list[str]:
    """Return which files of ours are out of date."""
    return labelled("files", [paint(f"{one}: {_INSTALL}", BAD) for one in drifted])


def render_failover(last: Failover) -> str:
    """Return when and why traffic last left an uplink."""
    return f"{span(last.seconds_ago)} ago, {last.trigger}: {last.summary} [{last.took_ms} ms]"


def well_mark(paint: Paint, width: int, *, healthy: bool) -> str:
    """Return "ok" or "NOT WELL", filled up to a width."""
    return paint(_mark(healthy), GOOD if healthy else BAD) + " " * (width - len(_mark(healthy)))


def _mark(healthy: bool) -> str:  # noqa: FBT001 - of one thing
    return WELL if healthy else UNWELL


def _uplink(uplink: UplinkReport, widths: tuple[int, int], paint: Paint) -> list[str]:
    carrier = "carrier" if uplink.carrier else "no carrier"
    words = [carrier if uplink.present else "interface is gone"]
    said = ("", carrier.replace(" ", "-"))  # networkd's word for the same is said already
    words += [word for word in (uplink.operational, uplink.setup) if word not in said]
    words.append(f"metric {uplink.metric}")
    if uplink.metered:
        words.append(f"metered, {(uplink.carried_today or 0) / 1e6:.1f} MB today")
    mark = well_mark(paint, widths[1], healthy=uplink.healthy)
    lines = [f"{uplink.rank}. {uplink.interface:{widths[0]}}  {mark}  {', '.join(words)}"]
    for family in uplink.families:
        lines += [f"   {line}" for line in _family(family, paint)]
    return lines


def _family(family: Family, paint: Paint) -> list[str]:
    if family.state in ("absent", UNKNOWN) and not family.addresses:
        return [paint(f"  IPv{family.family}  {family.reason or 'nothing'}", DULL)]
    mark = "*" if family.carries else " "
    lines = [f"{mark} IPv{family.family}  {health(family, paint)}"]
    where = ", ".join(family.addresses) or "no address"
    if family.gateway:
        where += f" via {family.gateway} metric {family.metric}"
    lines.append(f"        {where}")
    if family.silent:
        lines.append(f"        no answer from router {', '.join(family.silent)}: not used")
    if family.exchanged is not None:
        lines.append(
            f"        {family.router} is at {family.hardware}, "
            f"changed {span(family.exchanged)} ago: another one?"
        )
    if not (family.asked or family.reason):
        lines.append("        not probed: there is neither a gateway nor a target to ask")
    elif family.probe:
        lines.append(f"        {_probe(family)}{_WATCHED[family.watched]}")
    if family.quality:
        lines.append(f"        {_quality(family.quality)}")
    return lines


def health(family: Family, paint: Paint) -> str:
    """Return how an uplink is in a family: its state, for how long, why, and what it carries."""
    code = BAD if family.reason else STATE_COLOURS.get(family.state, DULL)
    text = paint(family.state, code)
    if family.seconds is not None:
        text += f" for {span(family.seconds)}"
    if family.reason:
        text += f": {family.reason}"
    if family.state == "recovering" and family.hold_down_left:
        text += f", hold-down {span(family.hold_down_left)} left"
    if family.rounds_to_go:
        rounds = "round" if family.rounds_to_go == 1 else "rounds"
        text += f", {family.rounds_to_go} good {rounds} to go"
    if family.waits:
        text += f", waits {family.waits}"
    if family.carries:
        text += ", carries the traffic"
    elif family.chosen:
        text += ", chosen"
    return text


def _probe(family: Family) -> str:
    probe = family.probe
    if probe is None:
        return ""
    text = f"probed {span(probe.seconds_ago)} ago: "
    text += "no answer" if probe.rtt_ms is None else f"{probe.rtt_ms:.1f} ms"
    text += f", {probe.lost} of {probe.sent} lost"
    if family.rounds_failed > 1:
        text += f", {family.rounds_failed} rounds in a row"
    return text


def _quality(line: Line) -> str:
    text = f"line: {line.loss_percent:g} % of {line.asked} lost"
    return text if line.latency_ms is None else f"{text}, answers in {line.latency_ms:.1f} ms"


def _traffic(report: Report, paint: Paint) -> list[str]:
    if not report.lookups:
        return labelled("traffic", [paint("no way out", BAD)])
    return labelled(
        "traffic",
        [
            f"to {lookup.destination} by {lookup.interface}"
            f"{' via ' + lookup.gateway if lookup.gateway else ''} from {lookup.source}"
            for lookup in report.lookups
        ],
    )


def _ruled(ruled: Ruled, paint: Paint) -> str:
    by = f"by {ruled.interface}" if ruled.interface else "nowhere"
    text = f"from {ruled.address} {by}, as policy rules say"
    return paint(f"{text}: {ruled.reason} ('ip rule')", BAD) if ruled.reason else text


def labelled(label: str, texts: list[str]) -> list[str]:
    """Return aligned lines, with the label before the first."""
    return [f"{label if not at else '':{_LABEL}}{text}" for at, text in enumerate(texts)]
