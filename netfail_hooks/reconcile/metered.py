"""What others see of a metered uplink: a file that is there while it carries, a line in the log.

How much it carried today outlives a boot: that is kept when the traffic leaves it, and each five
minutes while it carries, so that no SD card wears out. What flowed since is lost with the power.
"""

from __future__ import annotations

import os
import time

from netfail_hooks import journal
from netfail_hooks.files import holds, own_directory, read_owned, write_whole
from netfail_hooks.kernel.counted import today
from netfail_hooks.paths import Paths
from netfail_hooks.policy import metering
from netfail_hooks.policy.metering import carries
from netfail_hooks.policy.state import Metered, State
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config
    from netfail_hooks.recorder import Run

_PAUSE = 300  # seconds from one time that it is kept to the next


def recalled(config: Config, paths: Paths, state: State) -> State:
    """Return the state with what was carried today before this boot, where it lacks that."""
    day = today()
    if not metering.lacks(config, day, state):
        return state
    return metering.recalled(config, day, _kept(paths.carried), state)


def _kept(path: str) -> metering.Kept:
    """Return what is kept; nothing where that is damaged."""
    try:
        rows = [line.split() for line in read_owned(path).decode("ascii").splitlines()]
        return {name: (int(day), int(size)) for name, day, size in rows}
    except (OSError, ValueError):
        return {}


def _keep(paths: Paths, done: Run) -> None:
    """Keep what was carried today. Raises OSError."""
    kept = metering.to_keep(done.after, _kept(paths.carried), done.observed.now)
    own_directory(os.path.dirname(paths.carried))
    text = "".join(f"{name} {day} {size}\n" for name, (day, size) in kept.items())
    write_whole(paths.carried, text.encode("ascii"), mode=0o644)


def conclude(paths: Paths, done: Run) -> None:
    """Bring the mark up to date, and tell what was carried when that ends, or the day does."""
    names = [uplink.interface for uplink in done.config.uplinks if uplink.metered]
    wanted = "".join(f"{name}\n" for name in names if carries(done.after, name)).encode("ascii")
    changed = not holds(paths.metered, wanted) if wanted else os.path.exists(paths.metered)
    try:
        if changed and wanted:
            write_whole(paths.metered, wanted, mode=0o644)
        elif changed:
            os.unlink(paths.metered)
    except OSError as error:
        journal.log(f"{paths.metered}: {error.strerror}", priority=journal.WARNING)
    if changed or (wanted and _is_due(paths.counted)):
        try:
            # Whether or not it can be kept: that is told as seldom.
            write_whole(paths.counted, b"")
            _keep(paths, done)
        except OSError as error:
            message = f"what is metered is not kept over a boot: {paths.carried}: {error.strerror}"
            journal.log(f"{message}; run 'sudo netfail-hooks install'", priority=journal.WARNING)
    for message in messages(done.before, done.after):
        journal.log(message, priority=journal.NOTICE)


def _is_due(path: str) -> bool:
    """Tell whether the pause is over since a file was written."""
    try:
        written = os.stat(path).st_mtime
    except OSError:
        return True
    return not 0 <= time.time() - written < _PAUSE


def messages(before: State, after: State) -> list[str]:
    """Return what is told of uplinks that had the traffic, or of a day that is over. Pure."""
    told = []
    known = {one.interface: one for one in after.metered}
    for old in before.metered:
        new = known.get(old.interface)
        if new and new.day != old.day and old.bytes:
            told.append(_line(old, ""))
        if new and carries(before, old.interface) and not carries(after, old.interface):
            told.append(_line(new, " so far"))
    return told


def _line(one: Metered, more: str) -> str:
    day = f"{one.day // 10000}-{one.day // 100 % 100:02}-{one.day % 100:02}"
    return f"{one.interface}, which is metered, carried {one.bytes / 1e6:.1f} MB on {day}{more}"
