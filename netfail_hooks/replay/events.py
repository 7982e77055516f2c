"""The words that ``replay`` understands: ``eth0=no-carrier``, and ``+12s`` for time to pass."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from netfail_hooks.errors import Misuse
from netfail_hooks.names import is_interface_name
from netfail_hooks.values import value

# networkctl(1); networkd-dispatcher has a directory of hooks for each.
ADMINISTRATIVE = (
    "configured",
    "configuring",
    "failed",
    "initialized",
    "linger",
    "pending",
    "unmanaged",
)
OPERATIONAL = (
    "carrier",
    "degraded",
    "degraded-carrier",
    "dormant",
    "enslaved",
    "missing",
    "no-carrier",
    "off",
    "routable",
)
STATES = (*ADMINISTRATIVE, *OPERATIONAL)
DEAD = "dead"  # link up, nothing behind it: no state of networkd's, so no event comes
_WAIT = re.compile(r"\+(\d{1,5})s")


@value
class Event:
    """An interface enters a state; or ``wait`` seconds pass."""

    interface: str = ""
    state: str = ""
    wait: int = 0

    def __str__(self) -> str:
        return f"+{self.wait}s" if not self.interface else f"{self.interface}={self.state}"


def are_words(texts: Collection[str]) -> bool:
    """Tell whether these are events rather than the name of a file."""
    return len(texts) > 1 or all("=" in text or _WAIT.fullmatch(text) for text in texts)


def parse(words: Iterable[str], *, states: Collection[str]) -> tuple[Event, ...]:
    """Return the events that words name. Raises Misuse."""
    return tuple(_event(word, states) for word in words)


def read(text: str, *, states: Collection[str]) -> tuple[Event, ...]:
    """Return the events of a plain list; ``#`` begins a comment. Raises Misuse."""
    words = (word for line in text.splitlines() for word in line.partition("#")[0].split())
    return parse(words, states=states)


def interfaces(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the interfaces that appear, in the order in which they do."""
    return tuple(dict.fromkeys(event.interface for event in events if event.interface))


def _event(word: str, states: Collection[str]) -> Event:
    waits = _WAIT.fullmatch(word)
    if waits:
        return Event(wait=int(waits[1]))
    interface, _, state = word.rpartition("=")
    if not is_interface_name(interface):
        hint = "write INTERFACE=STATE, such as eth0=no-carrier, or +12s"
        raise Misuse(f"not an event: {ascii(word)[:60]}", hint=hint)
    if state not in states:
        near = difflib.get_close_matches(state, states, n=1, cutoff=0)[0]
        raise Misuse(f"no state {ascii(state)[:40]}", hint=f"did you mean {interface}={near}?")
    return Event(interface, state)
