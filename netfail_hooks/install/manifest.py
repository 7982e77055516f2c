"""What install made and what was there before: all that uninstall needs to know.

It is on disk before the first change is, whole and synced, so whenever install is killed,
uninstall finds each path either as it was or as we made it. Originals are noted once: what a
second install finds is our own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_owned
from netfail_hooks.install import nodes
from netfail_hooks.install.nodes import Node
from netfail_hooks.paths import Paths

SCHEMA = 1
_LIMIT = 1 << 28
_KINDS = (nodes.FILE, nodes.LINK, nodes.DIRECTORY)


@dataclass(frozen=True, slots=True)
class Entry:
    """A path of the machine (without the root): its original, and every form we gave it."""

    path: str
    before: Node | None
    ours: tuple[str, ...]

    def is_ours(self, found: Node | None) -> bool:
        """Tell whether that is what we put there, not what somebody made of it since."""
        return found is not None and digest(found) in self.ours


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries in the order in which they were made, and original settings by key.

    ``default_route_order`` are the uplinks in the order of their default routes then: of several
    with one metric the kernel uses the first.
    """

    entries: tuple[Entry, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    default_route_order: tuple[str, ...] = ()

    def entry(self, path: str) -> Entry | None:
        """Return what is known of a path."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def noting(self, path: str, before: Node | None, after: Node) -> Manifest:
        """Return a manifest that also knows of a change; the oldest original stays."""
        known = self.entry(path)
        if known is None:
            entry = Entry(path, before, (digest(after),))
            return replace(self, entries=(*self.entries, entry))
        ours = tuple(dict.fromkeys((*known.ours, digest(after))))
        entries = (replace(e, ours=ours) if e is known else e for e in self.entries)
        return replace(self, entries=tuple(entries))


def digest(one: Node) -> str:
    """Return what identifies a node's kind, content and mode."""
    text = f"{one.kind} {one.mode:o} ".encode() + one.data
    return hashlib.sha256(text).hexdigest()


def load(paths: Paths) -> Manifest | None:
    """Return the machine's manifest, None where nothing is installed. Raises Problem."""
    try:
        return _parse(json.loads(read_owned(paths.manifest, limit=_LIMIT)))
    except FileNotFoundError:
        return None
    except OSError as error:
        hint = "uninstall would write what it says, so it must be root's alone"
        raise Problem(f"{paths.manifest}: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "it was written by another version or damaged; nothing was changed"
        raise Problem(f"{paths.manifest}: cannot make sense of it: {error}", hint=hint) from None


def _parse(tree: dict[str, Any]) -> Manifest:
    if tree["schema"] != SCHEMA:
        raise ValueError(f"schema {tree['schema']}")
    entries = tuple(_entry(one) for one in tree["entries"])
    sysctls = {str(key): str(one) for key, one in tree["sysctls"].items()}
    return Manifest(entries, sysctls, tuple(str(one) for one in tree["default_route_order"]))


def save(paths: Paths, manifest: Manifest) -> None:
    """Put the manifest on disk, synced. Raises OSError."""
    tree = {
        "schema": SCHEMA,
        "entries": [
            {"path": e.path, "before": plain(e.before), "ours": list(e.ours)}
            for e in manifest.entries
        ],
        "sysctls": manifest.sysctls,
        "default_route_order": list(manifest.default_route_order),
    }
    data = json.dumps(tree, indent=1).encode("ascii") + b"\n"
    os.makedirs(os.path.dirname(paths.manifest), mode=0o755, exist_ok=True)
    # Originals may hold secrets that only root could read: so may only root here.
    nodes.write(paths.manifest, Node(nodes.FILE, data, 0o600))


def plain(one: Node | None) -> dict[str, Any] | None:
    """Return a node as JSON has it."""
    if one is None:
        return None
    data = base64.b64encode(one.data).decode("ascii")
    return {"kind": one.kind, "data": data, "mode": one.mode, "owner": list(one.owner)}


def _entry(tree: dict[str, Any]) -> Entry:
    path = str(tree["path"])
    if not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise ValueError(f"path {path[:80]!r}")
    return Entry(path, node(tree["before"]), tuple(str(one) for one in tree["ours"]))


def node(found: dict[str, Any] | None) -> Node | None:
    """Return the node that ``plain`` made ``found`` of. Raises ValueError, KeyError, TypeError."""
    if found is None:
        return None
    user, group = found["owner"]
    data = base64.b64decode(found["data"], validate=True)
    one = Node(str(found["kind"]), data, int(found["mode"]), (int(user), int(group)))
    _refuse_odd(one)
    return one


def _refuse_odd(one: Node) -> None:
    """Refuse what no file system could hold. Raises ValueError."""
    ids = all(0 <= number < 1 << 32 for number in one.owner)
    empty_link = one.kind == nodes.LINK and (not one.data or b"\0" in one.data)
    if one.kind not in _KINDS or one.mode & ~0o7777 or not ids or empty_link:
        raise ValueError(f"a {one.kind[:20]!r} that cannot be")
