"""The report of ``status`` as values: their fields are the keys of its JSON (docs/use/json.md)."""

from __future__ import annotations

from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.recorder.drills import Untried
from netfail_hooks.status.multipath import Multipath
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.values import value

SCHEMA = 2
UNKNOWN = "unknown"


@value
class Probe:
    """The last round of probes: ``sent`` until the first good answer, if one came."""

    seconds_ago: int
    sent: int
    lost: int
    rtt_ms: float | None


@value
class Line:
    """What an uplink's line did with the last questions, as many as are in its window."""

    asked: int
    loss_percent: float
    latency_ms: float | None
    poor: bool


@value
class Family:
    """An uplink in one family. Times are in seconds; None means that we cannot know.

    ``chosen``: the last run chose it for the traffic; ``carries``: the kernel sends by it.
    ``silent`` are routers of its link that did not answer in the last round while another did.
    ``router`` answered last, from the hardware address ``hardware``; ``exchanged`` seconds ago it
    did from one that was not known of it (None: not within a day).
    ``watched``: the kernel keeps asking its gateway, and is heard; None where it is not meant to.
    ``asked``: there is something that probes can ask, a gateway or a target.
    ``waits`` says until what it does not take the traffic back, though it is up.
    ``quality`` is that of its line, None where that is not measured.
    ``rounds_failed`` and ``rounds_passed`` count the last rounds of probes in a row that did,
    ``rounds_to_go`` is how many more must pass before it takes the traffic back.
    """

    family: int
    chosen: bool
    carries: bool
    state: str
    reason: str
    since: str | None
    seconds: int | None
    hold_down_left: int
    rounds_failed: int
    rounds_passed: int
    rounds_to_go: int
    asked: bool
    watched: bool | None
    silent: tuple[str, ...]
    router: str
    hardware: str
    exchanged: int | None
    probe: Probe | None
    addresses: tuple[str, ...]
    gateway: str
    metric: int | None
    waits: str = ""
    quality: Line | None = None


@value
class UplinkReport:
    """An uplink: ``operational`` and ``setup`` are networkd's words, "" where it has none.

    ``taken_from`` is the manager that it was taken over from, "" for none. ``carried_today`` are
    bytes, None where nobody counts them.
    """

    rank: int
    interface: str
    healthy: bool
    present: bool
    carrier: bool
    operational: str
    setup: str
    metric: int
    families: tuple[Family, ...]
    taken_from: str = ""
    metered: bool = False
    carried_today: int | None = None


@value
class Failover:
    """The last time that traffic left an uplink."""

    time: str
    seconds_ago: int
    trigger: str
    summary: str
    took_ms: int


@value
class Drilled:
    """How the last fire drill went. ``seconds_ago`` is None where the clock was set back since."""

    time: str
    seconds_ago: int | None
    verdict: str
    fault: str
    interface: str
    moved_ms: int
    lost: int
    reasons: tuple[str, ...]
    untried: tuple[Untried, ...] = ()


@value
class Report:
    """The whole report. ``lookups`` are the kernel's answers for a real destination, by family.

    ``silence`` says why no event reaches the hooks, "" if they do as far as one can tell.
    ``ruled`` are the uplinks' addresses whose packets policy rules send another way.
    ``crowded`` says, a line each, which uplinks have more addresses or routes than are looked at.
    ``by_hand`` tells what a person asked for by hand, and how it ends.
    ``drill`` tells of the fire drill that is on, ``last_drill`` how the last one went.
    ``multipath`` has the endpoints of Multipath TCP, None where those are not asked for or known.
    ``unknown`` says, a line each, what could not be learnt and what would help; ``root_only`` is
    what root alone may read.
    ``drifted`` tells of files that have changed since ours were made of them.
    ``as_chosen``: the kernel sends by no other uplink than the last run chose.
    ``overdue`` says that the uplinks were not asked for long, "" if they were.
    """

    schema: int
    time: str
    healthy: bool
    as_chosen: bool
    state: str
    uplinks: tuple[UplinkReport, ...]
    lookups: tuple[RouteLookup, ...]
    ruled: tuple[Ruled, ...]
    our_routes: tuple[str, ...]
    our_addresses: tuple[str, ...]
    last_failover: Failover | None
    drifted: tuple[str, ...]
    unknown: tuple[str, ...]
    root_only: tuple[str, ...] = ()
    silence: str = ""
    crowded: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    drill: str = ""
    last_drill: Drilled | None = None
    multipath: Multipath | None = None
    overdue: str = ""
