"""``netfail-hooks metrics``, and the file of the same that hooks and checks keep up to date.

node_exporter's textfile collector reads it (``metrics.textfile`` in config.toml).
"""

from __future__ import annotations

import errno
import os
import time

from netfail_hooks import journal
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.kernel.observe import now
from netfail_hooks.metrics import text as metrics_text
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.policy.state import parse as parse_memory
from netfail_hooks.recorder import counters
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config

_PATIENCE, _STEP = 2.0, 0.005  # seconds; it takes 1 ms
_MARK = b"# HELP netfail_"
_AS_ROOT = "run as root"


def update(config: Config, paths: Paths) -> None:
    """Bring the configured file up to date, after a transition or a check.

    Never raises. A file system that hangs, as one over a network may, holds nobody up: outside
    of /run a child writes, and isn't waited for for ever.
    """
    path = paths.at(config.textfile)
    if _is_fleeting(config.textfile):
        _try(config, paths, path, volatile=True)
        return
    try:
        child = os.fork()
        if not child:
            try:
                _try(config, paths, path, volatile=False)
            finally:
                os._exit(0)
        ended = _await(child)
    except OSError as error:  # no memory, or the limit of processes (fork(2))
        _complain(paths, f"{path}: no process to write it: {error.strerror}")
        return
    if not ended:
        _complain(paths, f"{path}: not written after {_PATIENCE:.0f} s")


def _await(child: int) -> bool:
    """Tell whether a child ends while we have patience. Raises OSError."""
    until = time.monotonic() + _PATIENCE
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            return False
        time.sleep(_STEP)
    return True


def exposition(config: Config, paths: Paths, *, volatile: bool) -> str:
    """Return the metrics as they stand. Raises Problem where only root may know."""
    known = metrics_text.Known(
        mode=config.mode,
        interfaces=config.names(),
        state=_memory(paths.state),
        counts=counters.load(paths),
        now=now(),
        clock=time.time(),
    )
    return metrics_text.render(known, volatile=volatile)


def remove(path: str) -> None:
    """Remove the file if it is one of ours: its last word would be told for ever."""
    try:
        if read_owned(path).startswith(_MARK):
            os.unlink(path)
    except OSError:
        return


def _is_fleeting(path: str) -> bool:
    """Tell whether a file may change at every check: in memory, so that no SD card wears out."""
    return path.startswith("/run/")


def _memory(path: str) -> State:
    try:
        return parse_memory(read_owned(path).decode("ascii"))
    except FileNotFoundError:
        return State()
    except PermissionError:
        raise NotPermitted(f"{path}: Permission denied", hint=_AS_ROOT) from None
    except (OSError, ValueError):
        raise Problem(f"{path} is damaged", hint="run 'netfail-hooks check'") from None


def _write(path: str, text: str) -> None:
    """Replace the file unless it is the same already. Raises OSError.

    The directory must be ours and writable by nobody else, and is held open: whoever owns one
    above it could put another in its place meanwhile.
    """
    directory, name = os.path.split(path)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory, flags)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(1, "owned or writable by somebody else", directory)
        inside = f"/proc/self/fd/{descriptor}/{name}"
        data = text.encode("ascii")
        if not _holds(inside, data):
            _replace(inside, data)
    finally:
        os.close(descriptor)


def _replace(path: str, data: bytes) -> None:
    try:
        write_whole(path, data, mode=0o644)
    except FileNotFoundError:
        if not os.path.exists(path):
            raise
        # Another run was quicker, and took our unfinished file for one that a kill left.


def _holds(path: str, data: bytes) -> bool:
    try:
        return read_owned(path) == data
    except OSError:
        return False


def _try(config: Config, paths: Paths, path: str, *, volatile: bool) -> None:
    """Write the file; what is wrong is told once, not every few seconds."""
    try:
        _write(path, exposition(config, paths, volatile=volatile))
    except OSError as error:
        _complain(paths, _told(path, error))
    except Problem as problem:
        _complain(paths, str(problem))
    else:
        try:
            os.unlink(paths.metrics_failed)
        except OSError:
            return


def _told(path: str, error: OSError) -> str:
    named = str(error.filename or path)
    where = path if named.startswith("/proc/self/") else named
    hint = ""
    if error.errno == errno.EROFS:  # what is beyond the sandbox of the check
        hint = ": run 'netfail-hooks install' again, which lets the check write there"
    elif error.errno == errno.EPERM:
        hint = f": chown root {where}; chmod go-w {where}"
    return f"{where}: {error.strerror}{hint}"


def _complain(paths: Paths, told: str) -> None:
    known = paths.metrics_failed
    data = told.encode("ascii", "replace")
    if _holds(known, data):
        return
    journal.log(f"cannot write metrics: {told}", priority=journal.WARNING)
    try:
        write_whole(known, data)
    except OSError:
        return
