"""Read, write and remove what stands at a path: whole or not at all, and durably.

``files.write_whole`` serves what is lost at boot anyway; these outlive a power cut. What is
being written has a fixed name beside its path, so that the next run finds what a killed one left.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

FILE, LINK, DIRECTORY = "file", "link", "directory"
_ROOT = (0, 0)
_BESIDE = ".netfail-new"


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a symbolic link (``data`` is its target) or a directory (no ``data``)."""

    kind: str
    data: bytes = b""
    mode: int = 0o644
    owner: tuple[int, int] = _ROOT


def directory() -> Node:
    """Return a directory as networkd-dispatcher wants them: root's, 0755."""
    return Node(DIRECTORY, mode=0o755)


def link(target: str) -> Node:
    """Return a symbolic link, whose mode no file system keeps."""
    return Node(LINK, os.fsencode(target), mode=0o777)


def same(node: Node | None, other: Node | None) -> bool:
    """Tell whether two are alike; whose they are counts only where we can give them away."""
    if node is None or other is None:
        return node is other
    alike = (node.kind, node.data, node.mode) == (other.kind, other.data, other.mode)
    return alike and (node.owner == other.owner or os.geteuid() != 0)


def read(path: str) -> Node | None:
    """Return what stands at ``path``, None for nothing. Raises OSError for anything odd."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    owner, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Node(LINK, os.fsencode(os.readlink(path)), 0o777, owner)
    if stat.S_ISDIR(status.st_mode):
        return Node(DIRECTORY, mode=mode, owner=owner)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(22, "neither a file, a link nor a directory", path)
    with open(path, "rb") as file:
        return Node(FILE, file.read(), mode, owner)


def write(path: str, node: Node) -> None:
    """Make ``path`` be ``node``, in one step but for a directory's mode. Raises OSError."""
    if node.kind == DIRECTORY:
        if os.path.islink(path):  # whose target is not ours to change
            raise OSError(errno.ENOTDIR, "a symbolic link, where a directory must be", path)
        if not os.path.isdir(path):
            os.mkdir(path, node.mode)
        os.chmod(path, node.mode)
        _give(path, node.owner)
    else:
        aside = beside(path)
        remove(aside)
        _write(aside, node)
        os.replace(aside, path)
    _sync_directory(os.path.dirname(path))


def remove(path: str) -> bool:
    """Take away what stands at ``path``; a directory only if it is empty, else False."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        if not os.path.lexists(path):  # a read-only file system says so of what is not there, too
            return True
        if os.path.isdir(path) and os.listdir(path):
            return False
        raise
    _sync_directory(os.path.dirname(path))
    return True


def beside(path: str) -> str:
    """Return where the file for ``path`` is written first; nobody reads a name with a dot."""
    head, name = os.path.split(path)
    return f"{head}/.{name}{_BESIDE}"


def without_beside(path: str) -> str:
    """Return for which path that file is ``beside`` it; any other is its own."""
    head, name = os.path.split(path)
    if name.startswith(".") and name.endswith(_BESIDE):
        name = name[1:].removesuffix(_BESIDE)
    return f"{head}/{name}"


def _write(path: str, node: Node) -> None:
    if node.kind == LINK:
        os.symlink(os.fsdecode(node.data), path)
        _give(path, node.owner)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(node.data)
        file.flush()
        _give(path, node.owner)
        os.fchmod(file.fileno(), node.mode)  # after the owner: a change of that drops set-id bits
        os.fsync(file.fileno())


def _give(path: str, owner: tuple[int, int]) -> None:
    if os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
