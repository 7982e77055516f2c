"""What a way back gives back beside files, and the form in which its file keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netfail_hooks.install import manifest
from netfail_hooks.install.handover import Handover
from netfail_hooks.install.handover.returning import Ours
from netfail_hooks.install.manifest import Handed


@dataclass(frozen=True, slots=True)
class Live:
    """What to give back beside files: uplinks to their managers, and the kernel its settings.

    ``own`` are the uplinks that networkd had all along, ``ours`` the files by which it has others.
    """

    handover: Handover
    own: tuple[str, ...]
    sysctls: Mapping[str, str]
    ours: Ours = field(default_factory=dict)


def plain(live: Live) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "handed": [manifest.plain_handed(one) for one in live.handover.handed],
        "units": list(live.handover.idle),
        "own": list(live.own),
        "sysctls": dict(live.sysctls),
        "ours": {
            name: {path: manifest.plain(node) for path, node in files.items()}
            for name, files in live.ours.items()
        },
    }


def handed(tree: dict[str, Any]) -> tuple[Handed, ...]:
    """Return the uplinks that go back to other managers, none where no ``Live`` was kept."""
    return tuple(map(manifest.handed, tree.get("handed", ())))


def ours(tree: dict[str, Any]) -> Ours:
    """Return the files by which networkd has them. Raises ValueError, KeyError, TypeError."""
    return {
        name: {path: node for path, data in files.items() if (node := manifest.node(data))}
        for name, files in tree.get("ours", {}).items()
    }
