"""Whether the user's own ``.network`` files still are what ours were made of.

Ours is a copy with metrics. So what a person, netplan or cloud-init changes in the file that it
stands in for has no effect before the next install: that is told, by doctor, status and the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netfail_hooks.config import Config
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths


@dataclass(frozen=True, slots=True)
class Drift:
    """An interface whose file of ours is out of date: which one, made of which, and why."""

    interface: str
    ours: str
    source: str
    why: str

    def __str__(self) -> str:
        return f"{self.source} {self.why} since {self.ours} was made of it"


def interfaces(config: Config) -> tuple[str, ...]:
    """Return the interfaces that have files of ours."""
    return (*((config.bond.name,) if config.mode == "bond" else ()), *config.names())


def drifted(paths: Paths, names: Iterable[str]) -> Iterator[Drift]:
    """Yield which files of ours are out of date.

    Raises Misuse for a file of which we can't say whether it is an interface's.
    """
    for name in names:
        nic = read_nic(name, paths)
        ours = match.effective(paths, nic)
        noted = takeover.made_of(ours.text) if ours and takeover.is_ours(ours.text) else ""
        if not (ours and noted):
            continue
        source, now = takeover.of_whom(ours.text), takeover.users_file(paths, nic)
        if now is None:
            yield Drift(name, ours.path, source, "is gone")
        elif now.path != source:
            yield Drift(name, ours.path, source, f"has given way to {now.path}")
        elif now.fingerprint != noted:
            yield Drift(name, ours.path, source, "has changed, or a drop-in of it,")
