"""Rows as a table for people, as JSON, and as Markdown."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict

from tests.vm.bench import Row
from tests.vm.image import SUITES

_HEAD = ("machine", "mode", "scenario", "outage", "out", "in", "lost", "limit", "notes")


def merge(path: str, rows: Sequence[Row]) -> list[Row]:
    """Keep rows in a file, in place of earlier ones of the same name; return all in it."""
    known: dict[tuple[str, str, str], Row] = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for one in json.load(file)["rows"]:
                row = Row(**{**one, "limit_ms": one["limit_ms"] or float("inf")})
                known[row.suite, row.mode, row.scenario] = row
    known |= {(row.suite, row.mode, row.scenario): row for row in rows}
    plain = [
        {**asdict(row), "limit_ms": row.limit_ms if row.limit_ms < float("inf") else None}
        for row in known.values()
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"schema": 1, "rows": plain}, file, indent=1)
        file.write("\n")
    return list(known.values())


def table(rows: Sequence[Row]) -> str:
    """Return the table that ends a run."""
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return docs/dev/measurements-vm.md."""
    rows = sorted(rows, key=lambda row: (list(SUITES).index(row.suite), row.mode != "routes"))
    lines = [
        "# Measured on whole machines",
        "",
        "Made by `pytest tests/vm --rows FILE --markdown FILE`: see [vm.md](vm.md). A datagram",
        "every 10 ms each way; an outage lasts from the first one that did not get through, or was",
        "late, to the next arrival, the longest of any stream: out (to beyond the router), in",
        "(from a neighbour), and two more; lost: of the worst. Where none is lost, they may be",
        "late by 1 s: the processor is emulated, some ten times slower than a real one, and hooks",
        "and checks start as much later. TCP: one connection each way, with the longest wait for",
        "an answer. After a reboot: from networkd being up (or the return) to the first answer",
        "from beyond the router.",
        "",
        "| " + " | ".join(_HEAD) + " |",
        "|" + "---|" * len(_HEAD),
    ]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row)) + " |" for row in rows
    ]
    return "\n".join([*lines, ""])


def _cells(row: Row) -> tuple[str, ...]:
    faults = [f"FAULT {fault}" for fault in row.faults]
    notes = "; ".join(filter(None, (row.connections, row.note, *faults)))
    streams = (_ms(row.outages[name]) if row.outages else "" for name in ("out", "in"))
    return (
        SUITES[row.suite],
        row.mode,
        row.scenario,
        _ms(row.outage_ms),
        *streams,
        str(max(row.lost.values())) if row.lost else "",
        _ms(row.limit_ms),
        notes,
    )


def _ms(time: float) -> str:
    return "none" if time == float("inf") else f"{time:.0f} ms"
