"""Make the changes that were decided, the urgent ones first, and look whether they were enough."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.policy import decide
from netfail_hooks.policy.changes import Change, EndFlows, Forget
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.memory import Memory
from netfail_hooks.reconcile.latency import since_event
from netfail_hooks.values import value

_PATIENT = (EndFlows, Forget)  # nobody's packets wait for these
_LOOKS = 3  # the kernel may move under us; what is left then waits for the next run


@value
class Plan:
    """What was seen at first, what we think of it, and what is to be done."""

    config: Config
    seen: Observation
    after: Memory
    changes: tuple[Change, ...]


def act(
    plan: Plan, interface: str, netlink: Netlink
) -> tuple[tuple[Change, ...], tuple[str, ...], int]:
    """Return all changes that were tried, those that failed, told, and how long it took (ms).

    ``interface`` is whose event woke us. Raises OSError.
    """
    config, seen, after, changes = plan.config, plan.seen, plan.after, plan.changes
    with Announcer() as announcer:
        failed = apply(_urgent(changes), seen, netlink, announcer)
        link = seen.link(interface)
        took = since_event(link.index if link else 0)
        failed += apply(_patient(changes), seen, netlink, announcer)
        for _ in range(_LOOKS - 1):
            if failed:
                break
            try:
                look = observe(config, netlink)
            except OSError:
                break  # what was done is worth remembering all the same
            rest = decide(config, look, after, after)
            failed += apply(rest, look, netlink, announcer)
            if not rest:
                break
            changes += rest
    return changes, tuple(f"{change}: {error.strerror}" for change, error in failed), took


def _urgent(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if not isinstance(change, _PATIENT))


def _patient(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if isinstance(change, _PATIENT))
