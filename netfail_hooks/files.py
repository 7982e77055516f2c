"""Write a file whole or not at all, never through somebody's symlink; believe only our own."""

from __future__ import annotations

import os

# stat.S_ISREG() and its like, without the import.
_KIND, _REGULAR, _DIRECTORY, _LINK = 0o170000, 0o100000, 0o040000, 0o120000
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(
    path: str,
    data: bytes,
    *,
    mode: int = 0o600,
    directory: int | None = None,
    modified: int | None = None,
) -> None:
    """Replace ``path`` by ``data`` in one step; a reader sees the old bytes or the new.

    With an open ``directory``, ``path`` is a name in it. With ``modified``, in nanoseconds, that
    is the time of its last change. Of two writers at once one may fail.
    Raises OSError, with the temporary file gone and ``path`` as it was (a full disk too).
    """
    aside = f"{path}.{os.getpid()}.tmp"
    _sweep(path, directory)
    descriptor = os.open(aside, _NEW, mode, dir_fd=directory)
    try:
        try:
            os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
            if modified is not None:
                os.utime(descriptor, ns=(modified, modified))
        finally:
            os.close(descriptor)
        os.replace(aside, path, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(aside, dir_fd=directory)
        raise


def write_named(path: str, data: bytes, *, mode: int, keep: bool = False) -> None:
    """Put ``data`` into the file that a person named on the command line, in one step.

    Root may name a place where others write, such as /tmp, and who is there first must not choose
    what we write to: a link, hard or symbolic, leads elsewhere, a pipe has its reader. So it is a
    new file, of ``mode`` (umask(2) applies), that takes the name of what was there, if that was a
    file of ours. With ``keep`` it also takes on the mode and group of that one. One that others
    may not read belongs to who is root by sudo(8), and wants to read it.
    Raises OSError for any other, with it as it was.
    """
    before = _to_replace(path)
    aside = os.path.join(os.path.dirname(path), f".netfail-{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(aside, _NEW, 0o600 if before and keep else mode)
        try:
            try:
                if before and keep:
                    _open_alike(descriptor, before)
                elif not mode & 0o004:
                    _give_to_asker(descriptor)
                _write_all(descriptor, data)
            finally:
                os.close(descriptor)
            os.rename(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as error:  # of a name that the person has never seen
        raise OSError(error.errno, error.strerror, path) from None


def asker() -> int:
    """Return the number of the user who is root by sudo(8), else our own."""
    uid = os.environ.get("SUDO_UID", "")
    return int(uid) if uid.isascii() and uid.isdigit() and os.geteuid() == 0 else os.geteuid()


def _give_to_asker(descriptor: int) -> None:
    if asker() != os.geteuid():
        os.fchown(descriptor, asker(), -1)


def _open_alike(descriptor: int, status: os.stat_result) -> None:
    """Let a new file be read and written by those who may with another of that status."""
    try:
        os.fchown(descriptor, -1, status.st_gid)
    except PermissionError:  # a group that we are not in
        os.fchmod(descriptor, status.st_mode & 0o707)
    else:
        os.fchmod(descriptor, status.st_mode & 0o777)


def _to_replace(path: str) -> os.stat_result | None:
    """Return the status of a file of ours, None for nothing. Raises OSError for what is neither."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    kind = status.st_mode & _KIND
    if kind == _DIRECTORY:
        raise IsADirectoryError(21, "is a directory", path)
    if kind == _LINK:
        raise OSError(40, "a symbolic link, which is not followed", path)
    if kind != _REGULAR:
        raise OSError(22, "not a regular file", path)
    if status.st_uid not in (os.geteuid(), asker()):
        raise PermissionError(1, "belongs to somebody else", path)
    return status


def without_temporary(path: str) -> str:
    """Return for which path ``write_whole`` made that temporary file; any other is its own."""
    rest, _, ending = path.rpartition(".")
    for_path, _, process = rest.rpartition(".")
    return for_path if for_path and ending == "tmp" and process.isdigit() else path


def entries(directory: str) -> list[str]:
    """Return the names in a directory, none where it can't be read or is not there."""
    try:
        return os.listdir(directory)
    except OSError:
        return []


def read_text(path: str, *, limit: int = 1 << 20, errors: str = "surrogateescape") -> str:
    """Return a file's text, "" where it can't be read; at most ``limit`` characters, -1 for all.

    By ``surrogateescape`` a byte of another encoding than UTF-8 is itself again once written.
    """
    try:
        with open(path, encoding="utf-8", errors=errors) as file:
            return file.read(limit)
    except OSError:
        return ""


def read_owned(path: str, *, limit: int = 1 << 20, or_roots: bool = False) -> bytes:
    """Return the bytes of a regular file that belongs to us, or to root, at most ``limit`` of them.

    Raises FileNotFoundError where there is none, OSError for a symlink (open(2), O_NOFOLLOW),
    PermissionError for a file of another owner or one that others may write.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_mode & _KIND != _REGULAR:
            raise OSError(22, "not a regular file", path)
        owners = (os.geteuid(), 0) if or_roots else (os.geteuid(),)
        if status.st_uid not in owners or status.st_mode & 0o022:
            raise PermissionError(1, "owned or writable by somebody else", path)
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def holds(path: str, data: bytes) -> bool:
    """Tell whether a file of ours has just these bytes."""
    try:
        return read_owned(path) == data
    except OSError:
        return False


def own_directory(path: str) -> None:
    """Make sure that ``path`` is a directory of ours in which nobody else can write.

    Raises OSError: a symlink would send what we write to a place of somebody's choice, and
    the owner of a directory can put a link in the place of any file in it.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        os.makedirs(path, mode=0o755, exist_ok=True)
        status = os.lstat(path)
    if status.st_mode & _KIND != _DIRECTORY:
        raise NotADirectoryError(20, "not a directory, or a link to one", path)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(1, "owned or writable by somebody else", path)


def only_root_can_change(path: str) -> bool:
    """Tell whether nobody else can change what stands at a path, or a directory above it.

    Where a symlink is on the way, both it and what it leads to must be so. Raises OSError.
    """
    for place in {os.path.abspath(path), os.path.realpath(path)}:
        above = place
        while above != "/":
            if not _is_roots(above):
                return False
            above = os.path.dirname(above)
    return True


def _is_roots(path: str) -> bool:
    status = os.lstat(path)
    if status.st_mode & _KIND == _LINK:  # a symlink's own mode means nothing
        return status.st_uid == 0
    sticky = status.st_mode & 0o1000 and status.st_mode & _KIND == _DIRECTORY
    # In a sticky directory one renames only what is one's own.
    return status.st_uid == 0 and not (status.st_mode & 0o022 and not sticky)


def _sweep(path: str, directory: int | None) -> None:
    """Remove what a killed writer left beside ``path``."""
    place, slash, name = path.rpartition("/")
    for other in os.listdir(directory if directory is not None else place or "/"):
        if other.startswith(name + ".") and other.endswith(".tmp"):
            try:
                os.unlink(place + slash + other, dir_fd=directory)
            except OSError:
                continue


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
