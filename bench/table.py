"""What was measured as tables: for a terminal, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.faults import NAMES, RETURN, TIMES
from bench.results import Cost, Outage, Results, Sample

Titles = dict[str, str]
Rows = Sequence[Sequence[str]]
HEAD = ("", "new traffic", "its address", "lost", "TCP alive", "TCP waits", "runs")
_ANSWERS = "no answer"  # a column where that was counted
COSTS = ("at rest", "resident, own", "with what it needs", "CPU s/h", "wake-ups/h")
STARTS = ("start-up", "CPU", "wall")
# Two outages that differ by less are equal: datagrams come every 5 ms, and one that a busy
# processor holds up looks like a short outage.
EQUAL_MS = 30
_UNKNOWN = "not measured"
_TOLD = (*NAMES, RETURN)
_ABOUT = """\
# Measured beside what people use today

Made by `bench/run` in [the lab](../dev/lab.md); [bench.svg](bench.svg) is the picture,
[bench.json](bench.json) has each sample. Medians, of two runs the worse; measured {made} on
{machine}.

The fault befalls the uplink that carries the traffic. An outage lasts from the sending of the
first datagram that did not get through, or was late, to the next arrival. *New traffic* may leave
with any address; *its address* is that of the uplink that broke, from and to which connections
stand. *Lost* counts datagrams of the worst stream. *TCP alive*: of two connections, one out and
one in, those that answered when we stopped looking (one that waits to send again might live on);
*TCP waits*: the longest wait for an answer. `> 8.0 s`: not over when we stopped looking, 8 s after
the fault. The first table has the worse of both outages.{answers}

*Dead gateway, idle*: how long the route stays where it was, with nobody sending. *Return*: how
long after the cable is in again the uplink has the traffic. Ours waits for its hold-down, 10 s.
Ours in mode `routes` is on a machine booted by systemd, with its timers and the kernel's watch.

At rest: each is on a machine booted by systemd. CPU is that of all that runs there, in an hour: the
service manager and all that it starts and reaps (in a sandbox, if it is so), journald, the system
bus, systemd-networkd, networkd-dispatcher, daemons. Kernel threads can't be told from those of
others, and are not in it. *Resident, own* is the memory (RSS, shared pages counted in full) of
daemons that are there for failover alone; wake-ups (context switches) are those of daemons, and of
checks or pings that come and go. What starts Python has its byte code, as installed. Of bonds,
which need user-mode-linux where the kernel has no driver, CPU and wake-ups are not measured."""

_ABOUT_ANSWERS = """ *No answer*: lost on the way there
or back, to the router, beyond it, or from a neighbour to the host."""


def text(results: Results, titles: Titles) -> str:
    """Return everything, for a terminal."""
    parts = [f"{results.machine}\n{results.made}"]
    for name in _TOLD:
        rows = _rows(results, titles, name)
        if rows:
            parts.append(_aligned([(name, *_head(results, name)[1:]), *rows]))
    for head, rows in ((COSTS, _costs(results, titles)), (STARTS, _starts(results))):
        if rows:
            parts.append(_aligned([head, *rows]))
    return "\n\n".join([*parts, *told(results, titles)]) + "\n"


def markdown(results: Results, titles: Titles) -> str:
    """Return docs/how/bench.md."""
    answers = _ABOUT_ANSWERS if _counted(results) else ""
    about = _ABOUT.format(machine=results.machine, made=results.made, answers=answers)
    parts = [about, summary(results, titles).rstrip()]
    for name in _TOLD:
        rows = _rows(results, titles, name)
        if rows:
            parts += [f"## {name[0].upper()}{name[1:]}", _piped([_head(results, name), *rows])]
    for title, head, rows in (
        ("Cost at rest", COSTS, _costs(results, titles)),
        ("Start-up", STARTS, _starts(results)),
    ):
        if rows:
            parts += [f"## {title}", _piped([("", *head[1:]), *rows])]
    return "\n\n".join(parts) + "\n"


def summary(results: Results, titles: Titles) -> str:
    """Return what costs.md shows: a row a contender, a column a fault; then what to know."""
    head = ("", *NAMES, "resident, all in all", "CPU s/h")
    rows = []
    for key, title in titles.items():
        found = [results.row(key, name) for name in NAMES]
        cost = results.cost(key)
        if any(found):
            none = _UNKNOWN if results.costs else ""
            paid = (_whole(cost), _cpu(cost)) if cost else (none, none)
            rows.append((title, *("" if row is None else _cell(row) for row in found), *paid))
    return "\n\n".join([_piped([head, *rows]), *told(results, titles)]) + "\n"


def losses(results: Results, ours: Sequence[str], titles: Titles) -> list[str]:
    """Return, in words, where another contender has a shorter outage than the best of ours."""
    found = []
    for name in NAMES:
        rows = {key: results.row(key, name) for key in titles}
        known = {key: row for key, row in rows.items() if row is not None}
        for field in ("new", "own"):
            best = min((getattr(known[key], field) for key in ours if key in known), default=None)
            for key, row in known.items():
                other = getattr(row, field)
                if best is not None and key not in ours and _shorter(other, best):
                    what = "new traffic" if field == "new" else "its address"
                    found.append(f"{name}, {what}: {titles[key]} {other}, ours {best}")
    return found


def _shorter(one: Outage, other: Outage) -> bool:
    if one.over != other.over:
        return other.over
    return other.ms - one.ms > EQUAL_MS


def _counted(results: Results) -> bool:
    """Tell whether answers were counted in any sample."""
    return any(sample.unanswered >= 0 for sample in results.samples)


def _head(results: Results, name: str) -> tuple[str, ...]:
    if name in TIMES:
        return ("", "took", "runs")
    return (*HEAD[:4], _ANSWERS, *HEAD[4:]) if _counted(results) else HEAD


def _rows(results: Results, titles: Titles, fault: str) -> Rows:
    found = [(key, title, results.row(key, fault)) for key, title in titles.items()]
    if fault in TIMES:
        return [
            (title, str(row.new), str(results.runs(key, fault)))
            for key, title, row in found
            if row is not None
        ]
    return [
        (
            title,
            str(row.new),
            str(row.own),
            f"{row.lost} of {row.total}",
            *((_UNKNOWN if row.unanswered < 0 else str(row.unanswered),) * _counted(results)),
            f"{row.alive} of {row.connections}",
            str(Outage(over=False, ms=row.stall_ms)),
            str(results.runs(key, fault)),
        )
        for key, title, row in found
        if row is not None
    ]


def _costs(results: Results, titles: Titles) -> Rows:
    found = [(title, results.cost(key)) for key, title in titles.items()]
    return [
        (
            title,
            _mib(cost.own_mib),
            _whole(cost),
            _cpu(cost),
            _UNKNOWN if cost.wakeups is None else str(cost.wakeups),
        )
        for title, cost in found
        if cost is not None
    ]


def _starts(results: Results) -> Rows:
    return [(one.name, f"{one.cpu_ms:.1f} ms", f"{one.wall_ms:.1f} ms") for one in results.startups]


def told(results: Results, titles: Titles) -> Iterator[str]:
    """Yield who could not run, and why; and what is to be known of those who did."""
    for key, why in results.absent:
        yield f"Not run: {titles.get(key, key)}: {why}."
    for note in dict.fromkeys(note for _, note in results.notes):
        names = "; ".join(titles.get(key, key) for key, other in results.notes if other == note)
        yield f"{names}: {note}."


def _cell(row: Sample) -> str:
    return (
        f"{row.outage}, TCP {row.alive}/{row.connections}" if row.connections else f"{row.outage}"
    )


def _cpu(cost: Cost) -> str:
    return _UNKNOWN if cost.cpu_s is None else f"{cost.cpu_s:.1f}"


def _whole(cost: Cost) -> str:
    return _mib(cost.all_mib) + (f" ({cost.needs})" if cost.needs else "")


def _mib(mebibytes: float) -> str:
    return f"{mebibytes:.1f} MiB" if mebibytes else "none"


def _aligned(rows: Rows) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{row[0]:{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def _piped(rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines).replace("|  |", "| |").replace("|  |", "| |")
