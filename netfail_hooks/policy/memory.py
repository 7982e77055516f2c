"""What outlives a run, until the next boot: how each uplink stands, and who answers for what.

Kept in ``/run/netfail-hooks/state``, one ``kind field field ...`` a line: JSON would cost a
hook 9 ms. It is replaced whole; a damaged or foreign file is as good as none.
"""

from __future__ import annotations

from netfail_hooks.names import FAMILIES, is_address, is_interface_name
from netfail_hooks.values import TYPE_CHECKING, fields, value

if TYPE_CHECKING:
    from typing import Any

FORM = "netfail-hooks state 1"
VERDICTS = ("absent", "up", "down", "held")


@value
class Standing:
    """How an uplink stands in one family.

    ``verdict``: "absent" (never well since boot), "up", "down", or "held" (well again, in its
    hold-down until ``ready``). ``since`` and ``ready`` are milliseconds since boot, ``hold``
    the length of the last hold-down in seconds, ``down_count`` the link's count of carrier
    losses when last looked at, ``trouble`` what ails it now ("" for nothing).
    ``fails`` and ``passes`` count the last rounds of probes in a row that went badly or well,
    ``probed`` is when the last one was, ``tries`` and ``rtt`` (microseconds) how it went.
    """

    interface: str
    family: int
    verdict: str
    since: int
    ready: int = 0
    hold: int = 0
    down_count: int = 0
    fails: int = 0
    passes: int = 0
    probed: int = 0
    tries: int = 0
    rtt: int = 0
    trouble: str = ""

    @property
    def is_lost(self) -> bool:
        """Tell whether it was well once and is not trusted now."""
        return self.verdict in ("down", "held")


@value
class Kept:
    """An address that an uplink has, or had when it was last seen with one.

    ``expires`` is in milliseconds since boot, 0 for never.
    """

    interface: str
    family: int
    address: str
    length: int
    expires: int = 0


@value
class Answer:
    """Which interface answers on the wire for an address; "" while nothing can."""

    family: int
    address: str
    interface: str


@value
class Carrier:
    """Which uplink carries a family's traffic, and since when (milliseconds since boot)."""

    family: int
    interface: str
    since: int


@value
class Memory:
    """All of it."""

    standings: tuple[Standing, ...] = ()
    kept: tuple[Kept, ...] = ()
    answers: tuple[Answer, ...] = ()
    carriers: tuple[Carrier, ...] = ()

    def standing(self, interface: str, family: int) -> Standing | None:
        """Return how an uplink stands, None if it was never looked at."""
        for one in self.standings:
            if (one.interface, one.family) == (interface, family):
                return one
        return None

    def carrier(self, family: int) -> str:
        """Return the uplink that carries a family's traffic, "" for none."""
        return next((one.interface for one in self.carriers if one.family == family), "")


_KINDS: dict[str, type[Standing | Kept | Answer | Carrier]] = {
    "standing": Standing,
    "kept": Kept,
    "answer": Answer,
    "carrier": Carrier,
}
_TEXTS = {"interface", "verdict", "trouble", "address"}
_EMPTY = "-"


def render(memory: Memory) -> str:
    """Return the text form of a memory."""
    lines = [FORM]
    for kind, items in zip(
        _KINDS, (memory.standings, memory.kept, memory.answers, memory.carriers), strict=True
    ):
        for item in items:
            words = (str(getattr(item, name)).replace(" ", "_") for name in fields(item))
            lines.append(" ".join([kind, *(word or _EMPTY for word in words)]))
    return "\n".join([*lines, "end", ""])


def parse(text: str) -> Memory:
    """Return the memory of a text form. Raises ValueError for anything else."""
    lines = text.split("\n")
    if lines[0] != FORM or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole state file")
    found: dict[str, list[Standing | Kept | Answer | Carrier]] = {kind: [] for kind in _KINDS}
    for line in lines[1:-2]:
        kind, *words = line.split(" ")
        if kind not in _KINDS:
            raise ValueError("unknown kind of line")
        found[kind].append(_item(_KINDS[kind], words))
    return Memory(*(tuple(items) for items in found.values()))  # type: ignore[arg-type]


def _item(
    kind: type[Standing | Kept | Answer | Carrier], words: list[str]
) -> Standing | Kept | Answer | Carrier:
    names = fields(kind)
    if len(words) != len(names):
        raise ValueError("damaged line")
    settings: dict[str, Any] = {}
    for name, word in zip(names, words, strict=True):
        text = "" if word == _EMPTY else word
        if name not in _TEXTS:
            settings[name] = int(text)
        elif name == "interface" and text and not is_interface_name(text):
            raise ValueError("not an interface name")
        elif name == "verdict" and word not in VERDICTS:
            raise ValueError("not a verdict")
        else:
            settings[name] = text.replace("_", " ") if name == "trouble" else text
    if settings["family"] not in FAMILIES:
        raise ValueError("not a family")
    if "address" in settings and not is_address(settings["family"], settings["address"]):
        raise ValueError("not an address of its family")
    return kind(**settings)
