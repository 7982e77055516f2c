"""What others see of a metered uplink: a file that is there while it carries, a line in the log."""

from __future__ import annotations

import os

from netfail_hooks import journal
from netfail_hooks.files import holds, write_whole
from netfail_hooks.paths import Paths
from netfail_hooks.policy.metering import carries
from netfail_hooks.policy.state import Metered, State
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.recorder import Run


def conclude(paths: Paths, done: Run) -> None:
    """Bring the mark up to date, and tell what was carried when that ends, or the day does."""
    names = [uplink.interface for uplink in done.config.uplinks if uplink.metered]
    wanted = "".join(f"{name}\n" for name in names if carries(done.after, name)).encode("ascii")
    try:
        if not wanted:
            if os.path.exists(paths.metered):
                os.unlink(paths.metered)
        elif not holds(paths.metered, wanted):
            write_whole(paths.metered, wanted, mode=0o644)
    except OSError as error:
        journal.log(f"{paths.metered}: {error.strerror}", priority=journal.WARNING)
    for message in messages(done.before, done.after):
        journal.log(message, priority=journal.NOTICE)


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
