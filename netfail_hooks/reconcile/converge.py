"""Make the changes that were decided, the urgent ones first, and look whether they were enough."""

from __future__ import annotations

import os
import time

from netfail_hooks.config import Config
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply
from netfail_hooks.kernel.netlink import NEWROUTE, Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.policy import bounded, decide
from netfail_hooks.policy.changes import Change, CloseConnections, FlushNeighbours, SetRoute
from netfail_hooks.policy.facts import MAIN, Observation
from netfail_hooks.policy.state import State
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from netfail_hooks.reconcile.closer import Thought

_PATIENT = (CloseConnections, FlushNeighbours)  # nobody's packets wait for these
_LOOKS = 3  # the kernel may move under us; what is left then waits for the next run


_STALE = 5000  # ms; networkd wrote its file for another event then


@value
class Plan:
    """What was seen at first, what we think of it, and what is to be done."""

    config: Config
    observed: Observation
    after: State
    changes: tuple[Change, ...]


def converge(
    plan: Plan, interface: str, heard: float, netlink: Netlink
) -> tuple[tuple[Change, ...], tuple[tuple[Change, OSError], ...], int]:
    """Return the changes that were tried, those that failed with the reason, and the time (ms).

    ``interface`` is whose event woke us, ``heard`` when a process that lives on heard of one (else
    0). Raises OSError.
    """
    config, observed, after, changes = plan.config, plan.observed, plan.after, plan.changes

    def judge(whole: Observation) -> Thought:
        look = bounded(whole, after)
        return look, after, decide(config, look, after, after)

    with Announcer() as announcer:
        failed, left_out = apply(_urgent(changes), observed, netlink, announcer)
        took = _since_word(heard) if heard else since_event(observed, interface)
        failed += apply(_patient(changes), observed, netlink, announcer)[0]
        tried = tuple(change for change in changes if change not in left_out)
        for _ in range(_LOOKS - 1):
            if failed or _is_as_decided(netlink, changes, observed):
                break
            try:
                whole = observe(config, netlink, sparing=True)
                if after.multipath:
                    from netfail_hooks.kernel.multipath import with_endpoints

                    whole = with_endpoints(whole)
                thought = judge(whole)
                if netlink.crowded:
                    from netfail_hooks.reconcile.closer import judged

                    first = (whole, thought)
                    thought = judged(config, netlink, first, after, judge, again=True)
                look, _, rest = thought
            except OSError:
                break  # what was done is worth remembering all the same
            failed_again, left_out = apply(rest, look, netlink, announcer)
            if not rest:
                break
            failed += failed_again
            changes += rest
            tried += tuple(change for change in rest if change not in left_out)
    return tried, tuple(failed), took


def _is_as_decided(netlink: Netlink, changes: tuple[Change, ...], observed: Observation) -> bool:
    """Tell, where to look again is dear, whether nothing has changed but what we did.

    Then there is nothing left to do (I4 of docs/how/guarantees.md). What else the kernel does for a
    change of ours, it tells in its own name: an address's routes, say. A route of ours that it does
    not tell of found its place taken, by somebody's whom no lookup shows (foreign.py). And an IPv6
    default route of somebody else's that was behind ours may be ahead by now: a lookup shows it.
    """
    if netlink.heard is None or observed.places_of_others(6, MAIN, "default"):
        return False
    from netfail_hooks.kernel.heard import messages

    told = messages(netlink.heard)
    if told is None or any(port != netlink.port for _, port, _ in told):
        return False
    made = sum(kind == NEWROUTE for kind, _, _ in told)
    return made >= sum(isinstance(change, SetRoute) for change in changes)


def _urgent(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if not isinstance(change, _PATIENT))


def _patient(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if isinstance(change, _PATIENT))


def _since_word(heard: float) -> int:
    return max(int((time.monotonic() - heard) * 1000), 0)


def since_event(observed: Observation, interface: str) -> int:
    """Return milliseconds since networkd noted a link's last change.

    networkd writes ``/run/systemd/netif/links/INDEX`` as it emits the signal that wakes the
    dispatcher. Without such a file the time since this process began has to do.
    """
    link = observed.link(interface)
    index = link.index if link else 0
    try:
        changed = os.stat(f"/run/systemd/netif/links/{index}").st_mtime_ns
    except OSError:
        return _since_start()
    passed = (time.time_ns() - changed) // 1_000_000
    return passed if 0 <= passed < _STALE else _since_start()


def _since_start() -> int:
    """Return this process's age; field 22 of /proc/self/stat is its start (proc(5))."""
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return max(int(age * 1000), 0)
