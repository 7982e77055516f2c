"""Choose which uplink carries the traffic, and who answers for each address. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.facts import FOREVER, Observation
from netfail_hooks.policy.health import judge
from netfail_hooks.policy.memory import Answer, Carrier, Kept, Memory

_SAME_END = 2000  # ms; lifetimes are told in whole seconds


def think(config: Config, seen: Observation, memory: Memory) -> Memory:
    """Return what is to be remembered after this look: the whole judgement."""
    standings = judge(config, seen, memory)
    judged = Memory(standings, memory.kept, memory.answers, memory.carriers)
    carriers = tuple(
        _carrier(judged, family, choose(config, seen, judged, family), seen.now)
        for family in FAMILIES
    )
    kept = tuple(_kept(config, seen, memory))
    judged = Memory(standings, kept, memory.answers, carriers)
    answers = tuple(_answers(config, seen, judged))
    return Memory(standings, kept, answers, carriers)


def choose(config: Config, seen: Observation, memory: Memory, family: int) -> str:
    """Return the uplink that should carry a family's traffic, "" where none has a gateway.

    The most preferred that is up; else one that is held down (the present carrier before
    the others, or a flap would cost two switches); else the most preferred with carrier.
    """
    present = memory.carrier(family)
    held = []
    for name in config.names():
        standing = memory.standing(name, family)
        verdict = standing.verdict if standing else "absent"
        if verdict == "up":
            return name
        if verdict == "held":
            held.append(name)
    if held:
        return present if present in held else held[0]
    for name in config.names():
        link = seen.link(name)
        if link and link.carrier and seen.way_out(name, family):
            return name
    return ""


def is_local_to(seen: Observation, interface: str, family: int, address: str) -> bool:
    """Tell whether an address lies in a subnet that an interface is on."""
    return any(contains(r.destination, address) for r in seen.connected(interface, family))


def _carrier(memory: Memory, family: int, chosen: str, now: int) -> Carrier:
    for old in memory.carriers:
        if (old.family, old.interface) == (family, chosen):
            return old
    return Carrier(family, chosen, now)


def _kept(config: Config, seen: Observation, memory: Memory) -> list[Kept]:
    """Remember each uplink's addresses: a downed or removed link no longer has any."""
    result = []
    for name in config.names():
        for family in FAMILIES:
            found = seen.own_addresses(name, family)
            old = [k for k in memory.kept if (k.interface, k.family) == (name, family)]
            if not found:
                result += [k for k in old if not k.expires or k.expires > seen.now]
            for one in found:
                same = next((k for k in old if k.address == one.address), None)
                expires = 0 if one.valid == FOREVER else seen.now + one.valid * 1000
                if same and same.expires and abs(same.expires - expires) < _SAME_END:
                    expires = same.expires  # the same end, rounded; not worth a write
                result.append(Kept(name, family, one.address, one.length, expires))
    return result


def _answers(config: Config, seen: Observation, memory: Memory) -> list[Answer]:
    if not config.follow_addresses:
        return []
    result = {}
    for kept in memory.kept:
        chosen = memory.carrier(kept.family)
        if chosen:
            who = _answerer(seen, memory, kept, chosen)
        else:  # nowhere to move it to: as it was
            who = next((a.interface for a in memory.answers if a.address == kept.address), "")
        if kept.address not in result or kept.interface == chosen:
            result[kept.address] = Answer(kept.family, kept.address, who)
    return list(result.values())


def _answerer(seen: Observation, memory: Memory, kept: Kept, chosen: str) -> str:
    standing = memory.standing(kept.interface, kept.family)
    verdict = standing.verdict if standing else "absent"
    if kept.interface == chosen:
        return chosen
    if is_local_to(seen, chosen, kept.family, kept.address):
        # arp_filter makes the carrier answer for all IPv4 addresses. A neighbour
        # solicitation is answered only where the address is (RFC 4861, 7.2.3).
        stays = kept.family == 6 and verdict == "up"
        return kept.interface if stays else chosen
    return "" if verdict in ("down", "absent") else kept.interface
