"""Who speaks on a LAN for the machine's addresses, where several of our NICs are on it. Pure.

One NIC answers ARP: the carrier; on a LAN that it is not on, the best one. The others are silent
(``sysctls.SILENT``), and stay so with no process, whatever policy rules the machine has. One
answers before another falls silent, so a run that is killed between leaves two rather than none.

What the LAN believes is not what we announced last. A NIC of ours may have spoken since: it
answered before it was silenced, or asked by ARP for a neighbour, with the shared address as the
sender (a packet of a socket bound to it, a name server by a route of its own). That can't be
forbidden it: ``arp_announce`` chooses among its own addresses, and the shared one is its own. So
all is announced again where such a NIC is lost, since the LAN may send to it; what others have,
also where one has spoken. A carrier that was not well announces again once it is: nobody may have
heard it before.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.changes import Announce, Change, FlushNeighbours, SetSysctl
from netfail_hooks.policy.choose import is_local_to, speaker
from netfail_hooks.policy.facts import Observation, Sysctl
from netfail_hooks.policy.state import AddressOwner, State, UplinkState
from netfail_hooks.policy.sysctls import ANSWERS, SILENT, arp_ignore
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WELL = ("up", "recovering")


def silent(config: Config, observed: Observation, state: State) -> list[str]:
    """Return the uplinks that are to answer no ARP: another one answers for all that they have.

    None where addresses stay where they are: the LAN may refuse them from another NIC.
    """
    if not config.follow_addresses:
        return []
    return [
        name
        for name in config.names()
        if state.active_uplink(4)
        and speaker(observed, state, name, _addresses(state, name, 4)) != name
    ]


def opened(config: Config, observed: Observation, after: State) -> list[Change]:
    """Return what lets those answer who have to: the carrier, and who is alone on its LAN."""
    found = {sysctl.key: sysctl.setting for sysctl in observed.sysctls}
    quiet = silent(config, observed, after)
    result: list[Change] = []
    for name in config.names():
        now = found.get(arp_ignore(name), ANSWERS)
        shared = _has_mate(observed, after, name, quiet)
        if name not in quiet and (now == SILENT or (shared and now != ANSWERS)):
            result.append(SetSysctl(Sysctl(arp_ignore(name), ANSWERS)))
    return result


def closed(config: Config, observed: Observation, after: State) -> list[Change]:
    """Return what silences the others, once the carrier answers."""
    return [
        SetSysctl(Sysctl(arp_ignore(name), SILENT))
        for name in silent(config, observed, after)
        if name in _answering(observed)
    ]


def announcements(
    config: Config,
    observed: Observation,
    before: State,
    after: State,
    forgettings: list[FlushNeighbours],
) -> list[Change]:
    """Return what the LAN is to be told: who answers now, and what it may believe wrongly.

    ``forgettings`` are of uplinks that have asked for neighbours, so have spoken on the LAN.
    """
    quiet = silent(config, observed, after)
    spoke = [one.interface for one in forgettings]
    spoke += [name for name in _answering(observed) if name in quiet]
    known = {answer.address: answer.interface for answer in before.owners}
    told = [
        answer
        for answer in after.owners
        if known.get(answer.address) != answer.interface
        or any(
            _is_doubtful(observed, (before, after), answer, name, spoke) for name in config.names()
        )
    ]
    result: list[Change] = []
    for answer in told:
        link = observed.link(answer.interface)
        if not link:
            continue
        default_route = observed.default_route(answer.interface, answer.family)
        gateway = default_route.gateway if default_route else ""
        result.append(Announce(answer.interface, answer.family, answer.address, link.mac, gateway))
    return result


def _is_doubtful(
    observed: Observation,
    memories: tuple[State, State],
    answer: AddressOwner,
    name: str,
    spoke: Sequence[str],
) -> bool:
    """Tell whether what an uplink did, or befell it, may have the LAN seek an address wrongly."""
    before, after = memories
    family, who = answer.family, answer.interface
    old, new = before.uplink_state(name, family), after.uplink_state(name, family)
    away = old and new and _was_away(old, new)
    went = old and new and old.state in _WELL and new.state not in _WELL
    came = old and new and old.state not in _WELL and new.state in _WELL
    if name == who:
        return bool(away or came)
    own = _addresses(after, name, family)
    if own and not any(is_local_to(observed, who, family, one) for one in own):
        return False  # on another LAN; one of which nothing is left may have been on this
    theirs = answer.address in own and new is not None and new.state in _WELL
    return bool(away or went) or (family == 4 and name in spoke and not theirs)


def _was_away(old: UplinkState, new: UplinkState) -> bool:
    """Tell whether an uplink lost its carrier between two looks, or is another NIC by now."""
    exchanged = old.index and new.index and old.index != new.index
    return bool(exchanged or old.down_count != new.down_count)


def _has_mate(observed: Observation, state: State, name: str, quiet: list[str]) -> bool:
    """Tell whether an uplink answers for one that is silent."""
    return any(speaker(observed, state, one, _addresses(state, one, 4)) == name for one in quiet)


def _answering(observed: Observation) -> list[str]:
    """Return the interfaces that answer ARP now, as far as can be seen."""
    loud = [one.key for one in observed.sysctls if one.setting != SILENT]
    return [link.name for link in observed.links if arp_ignore(link.name) in loud]


def _addresses(state: State, name: str, family: int) -> list[str]:
    """Return the addresses that an uplink has, or had when it was last seen with one."""
    return [k.address for k in state.known_addresses if (k.interface, k.family) == (name, family)]
