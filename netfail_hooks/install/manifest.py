"""What install made and what was there before: all that uninstall needs to know.

It is on disk before the first change is, whole and synced, so whenever install is killed,
uninstall finds each path either as it was or as we made it. Originals are noted once: what a
second install finds is our own.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_owned
from netfail_hooks.install import nodes
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.told.program import Program
from netfail_hooks.names import is_interface_name
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

    def is_ours(self, node: Node | None) -> bool:
        """Tell whether that is what we put there, not what somebody made of it since."""
        return node is not None and digest(node) in self.ours


@dataclass(frozen=True, slots=True)
class Handed:
    """An uplink that another manager had, and by which of its connections, "" for none.

    ``joined_by`` is the unit of the user's own that has it join Wi-Fi, whoever has the addresses.
    """

    interface: str
    manager: str
    connection: str = ""
    joined_by: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries in the order in which they were made, and original settings by key.

    ``default_route_order`` are the uplinks in the order of their default routes then: of several
    with one metric the kernel uses the first. ``directories`` were made for the manifest itself.
    ``handed`` are the uplinks that another manager had, ``units`` what didn't run before us.
    ``program`` is the one that installed last.
    """

    entries: tuple[Entry, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    default_route_order: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    handed: tuple[Handed, ...] = ()
    units: tuple[str, ...] = ()
    program: Program = field(default_factory=Program)

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


def digest(node: Node) -> str:
    """Return what identifies a node's kind, content and mode."""
    text = f"{node.kind} {node.mode:o} ".encode() + node.data
    return hashlib.sha256(text).hexdigest()


def load(paths: Paths) -> Manifest | None:
    """Return the machine's manifest, None where nothing is installed. Raises Problem."""
    try:
        return _parse(json.loads(read_owned(paths.manifest, limit=_LIMIT)))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EACCES:
            raise NotPermitted(f"{paths.manifest} cannot be read", hint="use sudo") from None
        hint = "uninstall would write what it says, so it must be root's alone"
        raise Problem(f"{paths.manifest}: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "it was written by another version or damaged; nothing was changed"
        raise Problem(f"{paths.manifest}: cannot make sense of it: {error}", hint=hint) from None


def _parse(tree: dict[str, Any]) -> Manifest:
    if tree["schema"] != SCHEMA:
        raise ValueError(f"schema {tree['schema']}")
    entries = tuple(_entry(entry) for entry in tree["entries"])
    sysctls = {str(key): str(setting) for key, setting in tree["sysctls"].items()}
    ways = tree["ways"] if "ways" in tree else tree["default_route_order"]  # its first name
    order = tuple(str(name) for name in ways)
    made = tuple(_path(path) for path in tree.get("directories", ()))  # none in an older one
    before = tuple(map(handed, tree.get("handed", ())))
    units = tuple(str(unit) for unit in tree.get("units", ()))
    by = Program(*map(str, tree.get("program", ())))
    return Manifest(entries, sysctls, order, made, before, units, by)


def save(paths: Paths, manifest: Manifest) -> None:
    """Put the manifest on disk, synced. Raises OSError."""
    tree = {
        "schema": SCHEMA,
        "entries": [
            {"path": e.path, "before": plain(e.before), "ours": list(e.ours)}
            for e in manifest.entries
        ],
        "sysctls": dict(sorted(manifest.sysctls.items())),
        "default_route_order": list(manifest.default_route_order),
        "directories": list(manifest.directories),
        "handed": [plain_handed(one) for one in manifest.handed],
        "units": list(manifest.units),
        "program": [manifest.program.version, manifest.program.digest],
    }
    data = json.dumps(tree, indent=1).encode("ascii") + b"\n"
    os.makedirs(os.path.dirname(paths.manifest), mode=0o755, exist_ok=True)
    # Originals may hold secrets that only root could read: so may only root here.
    nodes.write(paths.manifest, Node(nodes.FILE, data, 0o600))


def plain_handed(one: Handed) -> list[str]:
    """Return an uplink that another manager had as JSON has it."""
    joined_by = [one.joined_by] if one.joined_by else []  # of which older versions know nothing
    return [one.interface, one.manager, one.connection, *joined_by]


def handed(tree: list[str]) -> Handed:
    """Return what ``plain_handed`` made ``tree`` of. Raises ValueError, TypeError."""
    interface, manager, connection, joined_by = map(str, tree if len(tree) > 3 else (*tree, ""))
    if not is_interface_name(interface):
        raise ValueError(f"an interface {interface[:20]!r}")
    return Handed(interface, manager, connection, joined_by)


def plain(node: Node | None) -> dict[str, Any] | None:
    """Return a node as JSON has it."""
    if node is None:
        return None
    data = base64.b64encode(node.data).decode("ascii")
    return {"kind": node.kind, "data": data, "mode": node.mode, "owner": list(node.owner)}


def _entry(tree: dict[str, Any]) -> Entry:
    return Entry(
        _path(tree["path"]), node(tree["before"]), tuple(str(digest) for digest in tree["ours"])
    )


def _path(item: object) -> str:
    path = str(item)
    if not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise ValueError(f"path {path[:80]!r}")
    return path


def node(tree: dict[str, Any] | None) -> Node | None:
    """Return the node that ``plain`` made ``tree`` of. Raises ValueError, KeyError, TypeError."""
    if tree is None:
        return None
    user, group = tree["owner"]
    data = base64.b64decode(tree["data"], validate=True)
    result = Node(str(tree["kind"]), data, int(tree["mode"]), (int(user), int(group)))
    _refuse_odd(result)
    return result


def _refuse_odd(node: Node) -> None:
    """Refuse what no file system could hold. Raises ValueError."""
    ids = all(0 <= number < 1 << 32 for number in node.owner)
    empty_link = node.kind == nodes.LINK and (not node.data or b"\0" in node.data)
    if node.kind not in _KINDS or node.mode & ~0o7777 or not ids or empty_link:
        raise ValueError(f"a {node.kind[:20]!r} that cannot be")
