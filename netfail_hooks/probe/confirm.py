"""One brief question of our own, before an uplink is given up because the kernel said so.

The kernel has asked three times already. Four more questions cost less than 100 ms and keep a LAN
that loses some packets from moving the traffic: with one of ten lost each way, seven in a row go
unanswered once in 100,000 times. Standbys are asked in the same moment, if their
last answer is old; nobody waits for them. That they don't answer in that time says nothing: Wi-Fi
that sleeps takes longer.

A gateway that takes 400 ms is given up by the kernel before its answer comes. It comes all the
same, to the kernel if not to us: traffic stays with it. It is no round that went well, so it
proves nothing of an uplink that has to prove itself.

Whoever was given up all the same, and answered at once when it was asked with patience, is asked
with patience for a day: a gateway that is always so late, or a LAN that loses a third, moves the
traffic once and not to and fro. When such a one dies, it is left as much later.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.watch import answered
from netfail_hooks.names import family_of_address
from netfail_hooks.policy.facts import Neighbour, Observation, Result
from netfail_hooks.policy.state import State
from netfail_hooks.probe import ProbeTarget, ask, subjects_of
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    Results = tuple[Result, ...]

_OLD = 5000  # ms: an answer that long ago is no proof
_QUESTIONS = 4
# Seconds between two of them, and milliseconds for the last; by ``watch``.
_PACES = {"fast": (0.01, 15)}
_USUAL = (0.02, 30)
# Of whom is known to be late: half a second, and the ``timeout`` of its uplink for the last.
_PATIENT, _PATIENT_QUESTIONS = 0.07, 8


def confirm(
    config: Config, observed: Observation, state: State, since: float
) -> tuple[Results, Results]:
    """Ask the gateways of the active uplinks; return how each did, and which standbys answered.

    Apart from those: who answered too late for us, but the kernel, and ``since`` then (monotonic
    seconds). Raises PermissionError without CAP_NET_RAW.
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
        if judged and judged.is_late(observed.now):
            _be_patient(subject, config)
        if name == state.active_uplink(family):
            awaited.append(subject)
        elif judged is None or observed.now - judged.probed > _OLD:
            asked.append(subject)
    ask([*awaited, *asked], awaited)
    standbys = [subject.result() for subject in asked if subject.healthy]
    late = [subject for subject in awaited if _is_late(subject, observed, since)]
    in_time = [subject.result() for subject in awaited if subject not in late]
    return (*in_time, *standbys), tuple(subject.result() for subject in late)


def _be_patient(subject: ProbeTarget, config: Config) -> None:
    asked = next(u for u in config.uplinks if u.interface == subject.uplink.interface)
    patient = replace(subject.uplink, failures=_PATIENT_QUESTIONS, timeout=asked.timeout)
    subject.uplink = patient
    subject.spacing = _PATIENT


def _is_late(subject: ProbeTarget, observed: Observation, since: float) -> bool:
    """Tell whether there was an answer, too late for us and for the kernel's patience."""
    name = subject.uplink.interface
    link = observed.link(name)
    if subject.healthy or link is None:
        return False
    with Netlink() as netlink:
        return any(
            answered(netlink, Neighbour(name, family_of_address(router), router), link.index, since)
            for router in subject.routers
        )
