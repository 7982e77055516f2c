"""One brief question of our own, before an uplink is given up because the kernel said so.

The kernel has asked three times already. Four more questions cost less than 100 ms and keep a LAN
that loses some packets from moving the traffic: with one of ten lost each way, seven in a row go
unanswered once in 100,000 times. Standbys are asked in the same moment, if their
last answer is old; nobody waits for them. That they don't answer in that time says nothing: Wi-Fi
that sleeps takes longer.

A gateway that takes 400 ms is given up by the kernel before its answer comes. It comes all the
same, to the kernel if not to us, and is as good as one to us: traffic stays with it.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.watch import answers
from netfail_hooks.policy.facts import Neighbour, Observation, Result
from netfail_hooks.policy.state import State
from netfail_hooks.probe import ProbeTarget, ask, subjects_of
from netfail_hooks.values import replace

_OLD = 5000  # ms: an answer that long ago is no proof
_QUESTIONS = 4
# Seconds between two of them, and milliseconds for the last; by ``watch``.
_PACES = {"fast": (0.01, 15)}
_USUAL = (0.02, 30)


def confirm(config: Config, observed: Observation, state: State) -> tuple[Result, ...]:
    """Ask the gateways of the active uplinks; return how each did, and which standbys answered.

    Raises PermissionError without CAP_NET_RAW.
    """
    spacing, timeout = _PACES.get(config.watch, _USUAL)
    brief = tuple(
        replace(u, targets=(), failures=_QUESTIONS, timeout=timeout) for u in config.uplinks
    )
    asked, awaited = [], []
    for subject in subjects_of(replace(config, uplinks=brief), observed):
        subject.spacing = spacing
        name, family = subject.uplink.interface, subject.family
        judged = state.uplink_state(name, family)
        if name == state.active_uplink(family):
            awaited.append(subject)
        elif judged is None or observed.now - judged.probed > _OLD:
            asked.append(subject)
    ask([*awaited, *asked], awaited)
    standbys = [subject.result() for subject in asked if subject.healthy]
    return (*(_unless_late(subject, observed) for subject in awaited), *standbys)


def _unless_late(subject: ProbeTarget, observed: Observation) -> Result:
    """Return how it did; an answer that came too late for the kernel's patience is one."""
    result = subject.result()
    link = observed.link(result.interface)
    if result.healthy or link is None:
        return result
    with Netlink() as netlink:
        for router in subject.routers:
            if answers(netlink, Neighbour(result.interface, result.family, router), link.index):
                return replace(result, healthy=True, reason="")
    return result
