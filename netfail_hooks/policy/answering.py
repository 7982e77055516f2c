"""Which NIC answers ARP for the machine's addresses where several are on one LAN. Pure.

One NIC answers ARP: the active uplink; on a LAN that it is not on, the best one. The others are
silent (``sysctls.SILENT``). They stay so with no process, whatever policy rules the machine has.
One NIC answers before another falls silent, so a run that is killed between leaves two that
answer rather than none.

The LAN need not believe what we announced last. A NIC of ours may have spoken since: it answered
before it was silenced, or asked by ARP for a neighbour with the shared address as the sender (a
packet of a socket bound to it, a name server by a route of its own). No setting forbids that:
``arp_announce`` chooses among the NIC's own addresses, and the shared one is its own. So all
addresses are announced again when such a NIC is lost, since the LAN may send to it; and those of
the other uplinks also when a silent one has spoken. An active uplink that was unhealthy announces
again once it is healthy: perhaps nobody heard it before.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.changes import AddAddress, Announce, Change, FlushNeighbours, SetSysctl
from netfail_hooks.policy.choose import is_local_to, speaker
from netfail_hooks.policy.facts import Observation, Sysctl
from netfail_hooks.policy.state import AddressOwner, State, UplinkState
from netfail_hooks.policy.sysctls import ANSWERS, SILENT, arp_ignore
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def silent(config: Config, observed: Observation, state: State) -> list[str]:
    """Return the uplinks that must answer no ARP: another one answers for their addresses.

    None where addresses stay where they are: the LAN may refuse them from another NIC.
    """
    if not config.follow_addresses:
        return []
    return [
        name
        for name in config.names()
        if state.active_uplink(4) and _speaker(observed, state, name) != name
    ]


def opened(
    config: Config, observed: Observation, after: State, quiet: Sequence[str]
) -> list[Change]:
    """Return the changes that let uplinks answer: the active one, and any alone on its LAN.

    ``quiet`` are the silent ones, here and below.
    """
    settings = {sysctl.key: sysctl.setting for sysctl in observed.sysctls}
    speakers = [_speaker(observed, after, name) for name in quiet]
    result: list[Change] = []
    for name in config.names():
        now = settings.get(arp_ignore(name), ANSWERS)
        shared = name in speakers  # it answers for one that is silent
        if name not in quiet and (now == SILENT or (shared and now != ANSWERS)):
            result.append(SetSysctl(Sysctl(arp_ignore(name), ANSWERS)))
    return result


def closed(observed: Observation, quiet: Sequence[str]) -> list[Change]:
    """Return the changes that silence the others, once the active uplink answers."""
    answering = _answering(observed)
    return [SetSysctl(Sysctl(arp_ignore(name), SILENT)) for name in quiet if name in answering]


def announcements(
    observed: Observation,
    before: State,
    after: State,
    quiet: Sequence[str],
    planned: Sequence[Change],
) -> list[Change]:
    """Return the announcements: of new owners, and of addresses that the LAN may have wrong.

    Of what is planned, a FlushNeighbours is of an uplink that has asked for neighbours, so has
    spoken on the LAN; and what an AddAddress gives to an uplink may have been elsewhere, and
    announced there, by a run that was killed before it could note so.
    """
    names = dict.fromkeys(uplink_state.interface for uplink_state in after.uplinks)
    spoke = [change.interface for change in planned if isinstance(change, FlushNeighbours)]
    spoke += [name for name in _answering(observed) if name in quiet]
    known = {owner.address: owner.interface for owner in before.owners}
    moved = {
        (change.address.interface, change.address.address)
        for change in planned
        if isinstance(change, AddAddress)
    }
    lans = _Lans(observed, after)
    doubtful = [
        owner
        for owner in after.owners
        if known.get(owner.address) != owner.interface
        or (owner.interface, owner.address) in moved
        or any(_is_doubtful(lans, (before, after), owner, name, spoke) for name in names)
    ]
    result: list[Change] = []
    for owner in doubtful:
        link = observed.link(owner.interface)
        if not link:
            continue
        default_route = observed.default_route(owner.interface, owner.family)
        gateway = default_route.gateway if default_route else ""
        result.append(Announce(owner.interface, owner.family, owner.address, link.mac, gateway))
    return result


class _Lans:
    """Which addresses an uplink has, and whether another one is on their LAN: found once each."""

    def __init__(self, observed: Observation, state: State) -> None:
        self._observed = observed
        self._own: dict[tuple[str, int], set[str]] = {}
        self._shared: dict[tuple[str, str, int], bool] = {}
        for known in state.known_addresses:
            self._own.setdefault((known.interface, known.family), set()).add(known.address)

    def own(self, name: str, family: int) -> set[str]:
        """Return the addresses that an uplink has, or had when it was last seen with one."""
        return self._own.get((name, family), set())

    def is_shared(self, who: str, name: str, family: int) -> bool:
        """Tell whether ``who`` is on the LAN of one of the addresses of ``name``."""
        key = who, name, family
        found = self._shared.get(key)
        if found is None:
            own = self.own(name, family)
            found = any(is_local_to(self._observed, who, family, address) for address in own)
            self._shared[key] = found
        return found


def _is_doubtful(
    lans: _Lans,
    states: tuple[State, State],
    owner: AddressOwner,
    name: str,
    spoke: Sequence[str],
) -> bool:
    """Tell whether the LAN may seek an address in the wrong place because of an uplink."""
    before, after = states
    family, who = owner.family, owner.interface
    old, new = before.uplink_state(name, family), after.uplink_state(name, family)
    away = old and new and _was_away(old, new)
    # One with another reason has had a carrier, say, for a while: it may have spoken, too.
    went = old and new and not new.serves and (old.serves or old.reason != new.reason)
    came = old and new and not old.serves and new.serves
    if name == who:
        return bool(away or came)
    own = lans.own(name, family)
    if own and not lans.is_shared(who, name, family):
        return False  # on another LAN; an uplink without known addresses may have been on this one
    keeps = owner.address in own and new is not None and new.serves
    return bool(away or went) or (family == 4 and name in spoke and not keeps)


def _was_away(old: UplinkState, new: UplinkState) -> bool:
    """Tell whether an uplink lost its carrier between two looks, or is another NIC by now."""
    exchanged = old.index and new.index and old.index != new.index
    return bool(exchanged or old.down_count != new.down_count)


def _speaker(observed: Observation, state: State, name: str) -> str:
    """Return the uplink that answers ARP for an uplink."""
    return speaker(observed, state, name, _answered(observed, state, name))


def _answering(observed: Observation) -> list[str]:
    """Return the interfaces that answer ARP now, as far as their settings show."""
    loud = [sysctl.key for sysctl in observed.sysctls if sysctl.setting != SILENT]
    return [link.name for link in observed.links if arp_ignore(link.name) in loud]


def _answered(observed: Observation, state: State, name: str) -> list[str]:
    """Return the IPv4 addresses that say on which LAN an uplink answers.

    One with nothing but other people's addresses answers for all of ours as well.
    """
    foreign = [address.address for address in observed.all_addresses(name, 4)]
    return _addresses(state, name, 4) or foreign


def _addresses(state: State, name: str, family: int) -> list[str]:
    """Return the addresses that an uplink has, or had when it was last seen with one."""
    return [k.address for k in state.known_addresses if (k.interface, k.family) == (name, family)]
