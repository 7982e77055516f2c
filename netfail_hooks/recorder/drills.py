"""Fire drills: the one that is on, in ``/run/netfail-hooks/drill``, and how the last ones went.

All is JSON, written whole; a damaged or foreign file, or line, is as good as none.
"""

from __future__ import annotations

import json
import os

from netfail_hooks.files import own_directory, read_owned, write_whole
from netfail_hooks.kernel.observe import now
from netfail_hooks.paths import Paths
from netfail_hooks.recorder.recording import build
from netfail_hooks.values import TYPE_CHECKING, plain, value

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

GATEWAY, CABLE = "gateway", "cable"
_YEAR_6325 = 1 << 37  # in seconds: gmtime(3) and datetime have a date for those before
FAULTS = (GATEWAY, CABLE)
PASSED, FAILED, CUT_SHORT = "passed", "failed", "cut short"
VERDICTS = (PASSED, FAILED, CUT_SHORT)
MOST = 24  # that are kept: two years of one a month
MARGIN = 5  # seconds after its own end when a drill is ended in any case


@value
class Drill:
    """A drill that is on: ``until`` (ms since boot) the ``interface`` fails, by a ``way``.

    ``token`` tells it from one that comes later; ``index`` is the interface's.
    """

    token: str
    fault: str
    way: str
    interface: str
    until: int
    index: int


@value
class Flow:
    """What one kind of traffic lost. Times are in milliseconds; ``kind`` is "echo" or "tcp".

    ``lost`` and ``outage_ms`` are of the time with the fault, ``back_lost`` of the way back. A
    connection has ``outage_ms`` for the longest time in which its other side said nothing.
    """

    kind: str
    target: str
    sent: int
    lost: int
    outage_ms: int
    back_lost: int = 0
    alive: bool = True


@value
class Family:
    """How the traffic of a family moved: milliseconds after the fault, and after its end.

    -1 where it did not. ``backup`` is the uplink that was to take it.
    """

    family: int
    backup: str
    moved_ms: int
    back_ms: int


@value
class Untried:
    """A family of which a drill shows nothing, and why, for people."""

    family: int
    why: str

    def __str__(self) -> str:
        return f"IPv{self.family} was not tried: {self.why}"


@value
class Outcome:
    """How a drill went. ``time`` is seconds since the epoch, ``seconds`` how long the fault was.

    ``reasons`` are what was not as it should be; ``awaited``: whether the traffic was to come back
    by itself.
    """

    time: int
    verdict: str
    fault: str
    way: str
    interface: str
    seconds: int
    awaited: bool
    families: tuple[Family, ...] = ()
    flows: tuple[Flow, ...] = ()
    reasons: tuple[str, ...] = ()
    untried: tuple[Untried, ...] = ()


def note(paths: Paths, drill: Drill) -> None:
    """Note that a drill is on. Raises OSError."""
    own_directory(paths.run)
    write_whole(paths.drill, json.dumps(plain(drill)).encode("ascii"), mode=0o644)


def forget(paths: Paths, token: str) -> None:
    """Note that it is over, unless another one is on by now."""
    noted = _read(paths.drill, Drill)
    if noted is None or noted.token == token:
        try:
            os.unlink(paths.drill)
        except OSError:
            return


def noted_now(paths: Paths) -> Drill | None:
    """Return the drill that is on, None where none is.

    A note that nobody took away means nothing once the drill's time must be over.
    """
    drill = _read(paths.drill, Drill)
    return drill if drill and now() < drill.until + (MARGIN + 1) * 1000 else None


def left(drill: Drill) -> int:
    """Return the seconds that a drill still has, 0 or more."""
    return (max(drill.until - now(), 0) + 999) // 1000


def keep(paths: Paths, outcome: Outcome) -> None:
    """Keep how a drill went, for status and metrics, and for report. Raises OSError."""
    earlier = history(paths)
    own_directory(os.path.dirname(paths.drilled))
    write_whole(paths.drilled, json.dumps(plain(outcome)).encode("ascii"), mode=0o644)
    lines = [json.dumps(plain(one)) for one in (outcome, *earlier[: MOST - 1])]
    write_whole(paths.drills, "\n".join([*lines, ""]).encode("ascii"), mode=0o644)


def kept(paths: Paths) -> Outcome | None:
    """Return how the last drill went, None where there was none."""
    outcome = _read(paths.drilled, Outcome)
    return outcome if outcome and _is_known(outcome) else None


def history(paths: Paths) -> tuple[Outcome, ...]:
    """Return how the last drills went, the newest first."""
    try:
        lines = read_owned(paths.drills, or_roots=True).splitlines()
    except OSError:
        lines = []
    outcomes = [one for line in lines if (one := _built(line, Outcome)) and _is_known(one)]
    last = kept(paths)
    if last and last not in outcomes[:1]:  # of a version that kept no more, or killed between
        outcomes.insert(0, last)
    return tuple(outcomes)


def _is_known(outcome: Outcome) -> bool:
    known = outcome.verdict in VERDICTS and outcome.fault in FAULTS
    return known and 0 <= outcome.time < _YEAR_6325


def _read(path: str, kind: type[T]) -> T | None:
    try:
        return _built(read_owned(path, or_roots=True), kind)
    except OSError:
        return None


def _built(text: bytes, kind: type[T]) -> T | None:
    try:
        return build(kind, json.loads(text), "drill")
    except (ValueError, RecursionError):
        return None
