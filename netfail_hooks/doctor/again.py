"""Look at a machine twice where something seems wrong: what is there for a moment is no fault.

While a hook, a check or an install is at work, a setting is what it was and a route is what it will
be; networkd sets an uplink up from nothing; a service is started anew. So all but what lasts by its
nature counts only if it is still so once nobody of ours is at work, and a little later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from netfail_hooks.doctor.facts import Facts
from netfail_hooks.doctor.gather import gather
from netfail_hooks.doctor.rules import is_lasting
from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths
from netfail_hooks.terminal.progress import doing
from netfail_hooks.values import replace

_A_LITTLE = 2.0  # seconds; a small machine takes one to start the hook that mends what networkd did
_PATIENCE = 15.0  # seconds; an install may take longer, and says itself how it ends
_STEP = 0.1
_AT_WORK = (
    "what is wrong for good: a hook, a check or an install is at work; run it again once it is over"
)


def look(paths: Paths) -> tuple[Facts, Facts | None]:
    """Return what is so, and what was so shortly before, None where that does not matter."""
    before = gather(paths)
    if is_lasting(before):
        return before, None
    with doing("looking again, since it may be so for a moment only", told=True):
        time.sleep(_A_LITTLE)
        end = time.monotonic() + _PATIENCE
        while (busy := is_busy(paths)) and time.monotonic() < end:
            time.sleep(_STEP)
        facts = gather(paths)
    if busy:
        facts = replace(facts, unknown=(*facts.unknown, _AT_WORK))
    return facts, before


def is_busy(paths: Paths) -> bool:
    """Tell whether anybody of ours is at work: the kernel tells everybody who holds a lock.

    To take it ourselves, if only to see, would be root's alone, and in the way of a hook.
    """
    held = read_text(paths.at("/proc/locks"))
    return any(f":{inode} " in held for inode in _inodes(paths))


def _inodes(paths: Paths) -> Iterator[str]:
    """Yield where the locks' files are, as /proc/locks has it (proc_locks(5)): minor and inode."""
    for path in (paths.lock, paths.turn):
        try:
            about = os.stat(path)
        except OSError:
            continue
        yield f"{os.minor(about.st_dev):02x}:{about.st_ino}"
