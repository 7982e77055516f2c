"""What is known of the uplinks as a file for Prometheus, kept up to date by hooks and checks.

node_exporter's textfile collector reads it (``metrics.textfile`` in config.toml).
"""

from __future__ import annotations

import errno
import os
import time

from netfail_hooks import journal
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import holds, read_owned, write_whole
from netfail_hooks.kernel.observe import now
from netfail_hooks.metrics import text as metrics_text
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.policy.state import parse as parse_state
from netfail_hooks.recorder import counters
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config
    from netfail_hooks.recorder.drills import Outcome

_FIRST_BYTES = b"# HELP netfail_"


def update(config: Config, paths: Paths) -> None:
    """Bring the configured file up to date, after a transition or a check. Never raises.

    The config allows no place where a write may hang (config/kinds.py).
    """
    path = paths.root + config.textfile  # a link on the way is refused, not followed
    try:
        write(path, exposition(config, paths, volatile=is_volatile(config.textfile)))
    except OSError as error:
        _complain(paths, reason(path, error))
    except Problem as problem:
        _complain(paths, str(problem))
    else:
        try:
            os.unlink(paths.metrics_failed)
        except OSError:
            return


def exposition(config: Config, paths: Paths, *, volatile: bool) -> str:
    """Return the metrics as they stand. Raises Problem where only root may know."""
    moment = now()
    known = metrics_text.Known(
        mode=config.mode,
        interfaces=config.names(),
        state=_state(paths.run + "/state"),
        counts=counters.load(paths),
        now=moment,
        clock=time.time(),
        drill=_drill(paths),
        metered=tuple(one.interface for one in config.uplinks if one.metered and config.metered),
        orders=tuple(config.orders_at(moment)),
        interval=config.period,
    )
    return metrics_text.render(known, volatile=volatile)


def _drill(paths: Paths) -> Outcome | None:
    if not os.path.exists(paths.drilled):
        return None
    from netfail_hooks.recorder import drills  # mostly there was none, and a hook comes here

    return drills.kept(paths)


def is_volatile(path: str) -> bool:
    """Tell whether a file may change at every check: in memory, so that no SD card wears out."""
    return path.startswith("/run/")


def write(path: str, text: str) -> None:
    """Replace the file unless it is the same already. Raises OSError.

    The directory must be ours and writable by nobody else, and is held open: whoever owns one
    above it, as Debian's prometheus does, could put another in its place meanwhile.
    """
    place, name = os.path.split(path)
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(directory)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(1, "owned or writable by somebody else", place)
        data = text.encode("ascii")
        if holds(path, data):
            return
        try:
            write_whole(name, data, mode=0o644, directory=directory)
        except FileNotFoundError:
            if not os.path.exists(path):
                raise
            # Another run was quicker, and took our unfinished file for one that a kill left.
    finally:
        os.close(directory)


def remove(path: str) -> None:
    """Remove the file if it is one of ours: what it says last would stand there for ever."""
    try:
        if read_owned(path).startswith(_FIRST_BYTES):
            os.unlink(path)
    except OSError:
        return


def reason(path: str, error: OSError) -> str:
    """Return why the file could not be written, with what to do about it."""
    named = str(error.filename or path)
    where = named if named.startswith("/") else path  # or it is beside the file
    hint = ""
    if error.errno == errno.EROFS:  # what is beyond the sandbox of the check
        hint = ": run 'sudo netfail-hooks install' again, which lets the check write there"
    elif error.errno == errno.EPERM:
        hint = f": sudo chown root {where}; sudo chmod go-w {where}"
    return f"{where}: {error.strerror}{hint}"


def _state(path: str) -> State:
    try:
        return parse_state(read_owned(path).decode("ascii"))
    except FileNotFoundError:
        return State()
    except PermissionError:
        raise NotPermitted(f"{path}: Permission denied", hint="use sudo") from None
    except (OSError, ValueError):
        raise Problem(f"{path} is damaged", hint="run 'sudo netfail-hooks check'") from None


def _complain(paths: Paths, message: str) -> None:
    """Log what is wrong once, not every few seconds."""
    logged = paths.metrics_failed
    data = message.encode("ascii", "replace")
    if holds(logged, data):
        return
    journal.log(f"cannot write metrics: {message}", priority=journal.WARNING)
    try:
        write_whole(logged, data)
    except OSError:
        return
