"""Read the flight recorder's lines, and what people want to know of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.recorder import FILE, OLD_FILE
from netfail_hooks.recorder.schema import load

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Transition:
    """What people want to know of a transition.

    ``active`` and ``before`` name each family's active uplink after and before it, "" for none;
    ``moment`` is in milliseconds of CLOCK_BOOTTIME, since the ``boot`` that the kernel names so.
    """

    time: datetime
    trigger: str
    summary: str
    did: tuple[str, ...]
    failed: tuple[str, ...]
    took_ms: int
    active: dict[str, str]
    before: dict[str, str]
    boot: str = ""
    moment: int = 0

    def left(self) -> set[str]:
        """Return the families whose traffic moved off an uplink."""
        return {
            family for family, was in self.before.items() if was and self.active.get(family) != was
        }

    def regained(self) -> set[str]:
        """Return the families whose traffic had no uplink, and has one now."""
        return {
            family for family, now in self.active.items() if now and not self.before.get(family)
        }


def parse(line: str) -> Transition:
    """Return the transition of a recorder's line. Raises ValueError for any other text."""
    try:
        entry: dict[str, Any] = load(line)
        return Transition(
            time=datetime.strptime(entry["time"], _TIME).replace(tzinfo=UTC),
            trigger=_text(entry["trigger"]),
            summary=_text(entry["summary"]),
            did=tuple(_text(text) for text in entry["did"]),
            failed=tuple(_text(text) for text in entry["failed"]),
            took_ms=int(entry["took_ms"]),
            active={_text(family): _text(name) for family, name in entry["active"].items()},
            before={
                f"ipv{active['family']}": _text(active["interface"])
                for active in entry["before"]["active"]
            },
            boot=_text(entry.get("boot", "")),
            moment=int(entry["observed"]["now"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not an event: {error}") from None


def lines(directory: str) -> Iterator[str]:
    """Return the recorder's lines, oldest first. Raises Problem where they can't be read."""
    yield from file_lines(directory + OLD_FILE)
    yield from file_lines(directory + FILE)


def file_lines(path: str) -> Iterator[str]:
    """Return the lines of one file, none where there is no file. Raises Problem."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from None


def last_failover(directory: str) -> Transition | None:
    """Return the newest event that moved traffic. Raises Problem where the log can't be read.

    Where traffic left an uplink and no other was usable, that is the event that gave it one again.
    """
    arrivals: dict[str, Transition] = {}  # by family: the newest, newest first
    for line in reversed(list(lines(directory))):
        try:
            event = parse(line)
        except ValueError:
            continue
        if left := event.left():
            stranded = {family for family in left if not event.active.get(family)}
            return next(
                (arrival for family, arrival in arrivals.items() if family in stranded), event
            )
        for family in event.regained():
            arrivals.setdefault(family, event)
    return None


def unreadable(path: str, error: OSError) -> Problem:
    """Return the problem to report for a log that can't be read."""
    if isinstance(error, PermissionError):
        return NotPermitted(f"{path}: {error.strerror}", hint="use sudo")
    return Problem(f"{path}: {error.strerror}")


def _text(text: object) -> str:
    if not isinstance(text, str) or not text.isprintable():
        raise ValueError(f"not printable text: {ascii(text)[:40]}")
    return text
