"""The flight recorder: one JSON line for each run in which something changed.

A line holds the decision's whole input, so that ``replay`` can make it again, unless that is too
long: no single event pushes out the history. Nothing is written while all is well: an SD card is
spared.
"""

from __future__ import annotations

import os
import time

from netfail_hooks.config import Config
from netfail_hooks.files import own_directory
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import (
    Announce,
    Change,
    FlushNeighbours,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
)
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.policy.sysctls import is_advertised
from netfail_hooks.values import replace, value

SCHEMA = 2
FILE = "/events.jsonl"
OLD_FILE = FILE + ".1"
LONGEST = 1 << 16  # bytes of a line; most have some thousand
_FIRST = 32  # changes of a line that was cut
DRILL = " (drill)"  # behind a trigger while a fire drill is on
KEYS = (
    "schema",
    "time",
    "boot",
    "trigger",
    "summary",
    "active",
    "did",
    "failed",
    "took_ms",
    "config",
    "observed",
    "before",
    "after",
    "changes",
)


@value
class Run:
    """A run: its trigger, what was observed and remembered, what was decided and done.

    ``took`` is milliseconds from the event (as networkd noted it, else from our start) to the
    last urgent change; ``failed`` are the changes that the kernel refused, as text.
    """

    trigger: str
    config: Config
    observed: Observation
    before: State
    after: State
    changes: tuple[Change, ...]
    failed: tuple[str, ...]
    took: int


def is_transition(run: Run) -> bool:
    """Tell whether a run is worth a line: something was changed, or has another state now.

    Flushing neighbours isn't, nor is announcing an address again: both are done again and again
    while all is well, where somebody sends by a standby. Nor is what the kernel is to ask, which
    follows from where the traffic goes, and is set again wherever somebody flushes neighbours, nor
    what a router's advertisement changes each time that it comes.
    """
    return is_move(run) or any(not _is_routine(run, change) for change in run.changes)


def _is_routine(run: Run, change: Change) -> bool:
    if isinstance(change, Announce):
        announced = {owner.address: owner.interface for owner in run.before.owners}
        return announced.get(change.address) == change.interface
    if isinstance(change, SetSysctl):
        return is_advertised(change.sysctl.key)
    return isinstance(change, (FlushNeighbours, WatchGateway, UnwatchGateway))


def is_move(run: Run) -> bool:
    """Tell whether an uplink's state, or the active uplink, is another than before."""
    return _states(run.before) != _states(run.after)


def _states(state: State) -> dict[tuple[str, int], str]:
    """Return the states that matter, by interface and family; the active uplink's name by ""."""
    states = {(s.interface, s.family): s.state for s in state.uplinks if s.state != "absent"}
    return states | {("", c.family): c.interface for c in state.active if c.interface}


def summary(run: Run) -> str:
    """Return what happened in one line for people: the cause, and the active uplink now.

    What is so of both families is told once.
    """
    told: dict[tuple[str, str], list[str]] = {}  # of which families, by what is told of them
    for one in run.after.uplinks:
        old = run.before.uplink_state(one.interface, one.family)
        if (old.state if old else "absent") != one.state:
            what = f"{one.interface} ", f" {_became(run, one)}"
            told.setdefault(what, []).append(f"IPv{one.family}")
    for old in run.before.uplinks:
        gone = run.after.uplink_state(old.interface, old.family) is None
        if gone and old.state != "absent":
            what = f"{old.interface} ", " not looked at any more"
            told.setdefault(what, []).append(f"IPv{old.family}")
    for family in FAMILIES:
        old_active, new_active = run.before.active_uplink(family), run.after.active_uplink(family)
        if old_active != new_active:
            healthy = any(
                s.state in ("up", "recovering")
                for s in run.after.uplinks
                if (s.interface, s.family) == (new_active, family)
            )
            but = ", though it is not well: none is" if new_active and not healthy else ""
            what = "", f" now by {new_active or 'no uplink'}{but}"
            told.setdefault(what, []).append(f"IPv{family}")
    parts = (f"{who}{' and '.join(each)}{what}" for (who, what), each in told.items())
    return "; ".join(parts) or ", ".join(str(change) for change in run.changes)


def _became(run: Run, uplink_state: UplinkState) -> str:
    """Return what an uplink is now, and why; of one in its hold-down, how long that is."""
    if uplink_state.state == "recovering":
        longer = uplink_state.hold > run.config.hold_down
        why = ", longer since it was lost more than once" if longer else ""
        return f"recovering: must stay well for {uplink_state.hold} s first{why}"
    return uplink_state.state + (f" ({uplink_state.reason})" if uplink_state.reason else "")


def line(run: Run) -> str:
    """Return a run as a line of the recorder, newline included."""
    text = _dumps(run)
    return text if len(text) <= LONGEST else _dumps(_shortened(run), f"{len(text)} bytes long")


def _shortened(run: Run) -> Run:
    """Return what is kept of a run that is too long for a line: what people read, and no more.

    It is compared with other lines, and told of by the next run, as a whole one is. The config
    stays: nobody but the machine's owner makes that long.
    """
    return replace(
        run,
        observed=Observation(now=run.observed.now, crowds=run.observed.crowds),
        before=State(run.before.uplinks, active=run.before.active),
        after=State(run.after.uplinks, active=run.after.active),
        changes=run.changes[:_FIRST],
        failed=run.failed[:_FIRST],
    )


def _dumps(run: Run, cut: str = "") -> str:
    """Return a line; ``cut`` says why it is not a whole one. ``parts`` takes that for what it is.

    It is no key of KEYS: lines that are whole have none.
    """
    from netfail_hooks.recorder.jsonline import dumps  # most runs are no transition

    entry = {
        "schema": SCHEMA,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "boot": boot_id(),
        "trigger": run.trigger,
        "summary": summary(run),
        "active": {f"ipv{family}": run.after.active_uplink(family) for family in FAMILIES},
        "did": [str(change) for change in run.changes],
        "failed": run.failed,
        "took_ms": run.took,
        **({"cut": cut} if cut else {}),
        "config": run.config,
        "observed": run.observed,
        "before": run.before,
        "after": run.after,
        "changes": [{"change": type(change).__name__, **vars(change)} for change in run.changes],
    }
    return dumps(entry) + "\n"


def parts(line: str) -> dict[str, str]:
    """Return the text of each of a line's values, by key. Raises ValueError for a damaged line.

    Reading it as JSON would cost a hook more than all its rest (docs/how/speed.md). The keys are
    in their order, and no value holds the key that comes after it, except in a string, where each
    quote has a backslash before it.
    """
    if line[:1] != "{" or line[-3:] != "]}\n":
        raise ValueError("not a whole line")
    texts = []
    rest = "," + line[1:-2]
    for key in KEYS:
        text, mark, rest = rest.partition(f',"{key}":')
        if not mark:
            raise ValueError(f"no {key}")
        texts.append(text)
    return dict(zip(KEYS, [*texts[1:], rest], strict=True))


def write(directory: str, line: str, limit: int) -> None:
    """Append a line; past ``limit`` bytes the next one begins a new file.

    Raises OSError (full or read-only disk), with no part of the line left. A write that is killed
    can leave a part, though, and so can a power cut: so the next write begins a new line.
    """
    own_directory(directory)
    path = directory + FILE
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line.encode("ascii")
        if os.write(descriptor, data) < len(data):
            os.ftruncate(descriptor, size)
            raise OSError(28, "no space left for the whole line", path)
    finally:
        os.close(descriptor)
    if size + len(data) > limit:
        os.replace(path, directory + OLD_FILE)


def boot_id() -> str:
    """Return the kernel's name for this boot, "" where it has none."""
    try:
        # Not as text: to find the codec "ascii" by its name, Python imports a module.
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode("ascii").strip()
    except OSError:
        return ""
