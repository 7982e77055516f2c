"""Which changes make of the machine's files those that are wanted. Changes nothing itself."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netfail_hooks.install import nodes
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.nodes import Node
from netfail_hooks.networkd import takeover
from netfail_hooks.paths import Paths


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path from ``before`` to ``after``; None is nothing. Paths are without the root."""

    path: str
    before: Node | None
    after: Node | None

    def __str__(self) -> str:
        if self.after is None:
            return f"remove {self.path}"
        if self.after.kind == nodes.DIRECTORY:
            return f"{'make' if self.before is None else 'set mode of'} {self.path}/"
        return f"{'write' if self.before is None else 'change'} {self.path}"


def file_changes(
    paths: Paths, wanted: Mapping[str, Node], manifest: Manifest
) -> tuple[FileChange, ...]:
    """Return what is to be done, in the order of ``wanted``, directories before what is in them.

    What an earlier install made and this one doesn't want goes last. Raises OSError.
    """
    result = [*_wanted(paths, wanted), *_retired(paths, wanted, manifest)]
    return tuple(result)


def _wanted(paths: Paths, wanted: Mapping[str, Node]) -> Iterator[FileChange]:
    whole: dict[str, Node] = {}
    for path, node in wanted.items():
        for parent in missing_parents(paths, path):
            whole.setdefault(parent, nodes.directory())
        whole[path] = node
    for path, node in whole.items():
        before = nodes.read(paths.at(path))
        if not nodes.same(before, node):
            yield FileChange(path, before, node)


def in_order(changes: Sequence[FileChange], names: Sequence[str]) -> tuple[FileChange, ...]:
    """Give the uplinks' ``.network`` files the order of ``names``, others last; the rest stays."""
    ranks = {name: rank for rank, name in enumerate(names)}
    places = [place for place, change in enumerate(changes) if takeover.uplink_of(change.path)]
    networks = [changes[place] for place in places]
    networks.sort(key=lambda change: ranks.get(takeover.uplink_of(change.path), len(ranks)))
    moved = dict(zip(places, networks, strict=True))
    return tuple(moved.get(place, change) for place, change in enumerate(changes))


def missing_parents(paths: Paths, path: str) -> list[str]:
    """Return the directories above a path that are not there, the topmost first."""
    result: list[str] = []
    parent = os.path.dirname(path)
    while parent != "/" and not os.path.isdir(paths.through(parent)):
        result.insert(0, parent)
        parent = os.path.dirname(parent)
    return result


def _retired(paths: Paths, wanted: Mapping[str, Node], manifest: Manifest) -> Iterator[FileChange]:
    for entry in reversed(manifest.entries):
        if entry.path in wanted or entry.path == Paths().config or _is_directory(entry.before):
            continue
        now = nodes.read(paths.at(entry.path))
        if now and now.kind != nodes.DIRECTORY and entry.is_ours(now):
            yield FileChange(entry.path, now, entry.before)


def _is_directory(node: Node | None) -> bool:
    return node is not None and node.kind == nodes.DIRECTORY


def _whole(_: FileChange, text: str) -> str:
    return text


def diff(changes: Iterable[FileChange], hide: Callable[[FileChange, str], str] = _whole) -> str:
    """Return changes as a unified diff for people; ``patch`` reads it where nothing is hidden.

    What happens alike to several files, as to the hooks, is shown once, with all their paths.
    ``hide`` returns the text to show in place of a file's, line for line.
    """
    alike: dict[tuple[Node | None, Node | None, str], list[FileChange]] = {}
    for change in changes:
        apart = "" if nodes.FILE in _kinds(change) else change.path
        alike.setdefault((change.before, change.after, apart), []).append(change)
    return "".join(
        _diff(first, [change.path for change in rest], hide) for first, *rest in alike.values()
    )


def _kinds(change: FileChange) -> list[str]:
    return [node.kind for node in (change.before, change.after) if node]


def _diff(change: FileChange, alike: list[str], hide: Callable[[FileChange, str], str]) -> str:
    shown = change.after or change.before
    if shown is None:
        return ""
    old, new = (_lines(change, node, hide) for node in (change.before, change.after))
    head = f"diff --git a{change.path} b{change.path}\n"
    if change.before is None:
        head += f"new {shown.kind} mode {shown.mode:04o}\n"
    elif change.after is None:
        head += f"deleted {shown.kind} mode {shown.mode:04o}\n"
    elif change.before.mode != change.after.mode:
        head += f"old mode {change.before.mode:04o}\nnew mode {change.after.mode:04o}\n"
    labels = (
        f"a{change.path}" if change.before else "/dev/null",
        f"b{change.path}" if change.after else "/dev/null",
    )
    head += "".join(f"and the same at {path}\n" for path in alike)
    if any(line != seen for line, seen in (*old, *new)):
        head += "(redacted) below stands for what may be secret: it is in the file, not in this\n"
    return head + "".join(_unified(old, new, labels))


def _unified(
    old: list[tuple[str, str]], new: list[tuple[str, str]], labels: tuple[str, str]
) -> Iterator[str]:
    """Compare lines as they are, and yield them as they are shown."""
    numbers: dict[tuple[str, str], int] = {}
    first, second = (
        [str(numbers.setdefault(line, len(numbers))) for line in side] for side in (old, new)
    )
    texts = [shown for _, shown in numbers]
    for at, line in enumerate(difflib.unified_diff(first, second, *labels)):
        yield line if at < 2 or line.startswith("@@") else line[0] + texts[int(line[1:])]


def _lines(
    change: FileChange, node: Node | None, hide: Callable[[FileChange, str], str]
) -> list[tuple[str, str]]:
    """Return each line, with what is shown of it. Only a newline ends one, as for networkd."""
    if node is None or node.kind == nodes.DIRECTORY:
        return []
    text = node.data.decode("utf-8", "surrogateescape")
    pairs = zip(split(text), split(hide(change, text)), strict=True)
    return [(_ended(line), _ended(shown)) for line, shown in pairs]


def split(text: str) -> list[str]:
    """Return a text's lines, each with what ends it."""
    return re.findall(r".*\n|.+", text)


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
