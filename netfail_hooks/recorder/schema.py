"""A recorder's line as an object, with the present names: lines of schema 1 had others."""

from __future__ import annotations

import json
from typing import Any

from netfail_hooks.recorder import SCHEMA

_KEYS = {
    "carriers": "active",
    "seen": "observed",
    "standings": "uplinks",
    "kept": "known_addresses",
    "answers": "owners",
    "verdict": "state",
    "trouble": "reason",
    "well": "healthy",
    "end_flows": "close_connections",
}
_CHANGES = {"EndFlows": "CloseConnections", "Forget": "FlushNeighbours"}
_STATES = {"held": "recovering"}


def load(line: str) -> Any:  # noqa: ANN401 - JSON's own types
    """Return what a line holds. Raises ValueError or RecursionError where it is not JSON."""
    entry = json.loads(line)
    if isinstance(entry, dict) and entry.get("schema") == 1:
        return {**_renamed(entry), "schema": SCHEMA}
    return entry


def _renamed(data: object) -> Any:  # noqa: ANN401 - the same
    if isinstance(data, list):
        return [_renamed(item) for item in data]
    if not isinstance(data, dict):
        return data
    renamed = {_KEYS.get(key, key): _renamed(item) for key, item in data.items()}
    for key, names in (("state", _STATES), ("change", _CHANGES)):
        if isinstance(renamed.get(key), str):
            renamed[key] = names.get(renamed[key], renamed[key])
    return renamed
