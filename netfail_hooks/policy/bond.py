"""Judge a bond and decide what to change in it. Pure.

The kernel's ARP monitor does the work, failback too (``primary_reselect``). What is left to us:
a lost carrier, which we hear of before the monitor notices; a slave or a setting that somebody
or something took away; and telling the LAN, and people, what happened.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import Announce, Change, Enslave, SetActive, SetMonitor
from netfail_hooks.policy.facts import ALL_TARGETS_ANY, VALIDATE_ALL, Bonding, Observation, Slave
from netfail_hooks.policy.memory import Carrier, Memory, Standing
from netfail_hooks.values import replace

_PATIENCE = 2000  # ms that networkd has to enslave an interface before we do


def think(config: Config, seen: Observation, memory: Memory) -> Memory:
    """Return how each slave stands and which one has the traffic, to be remembered."""
    name = config.bond.name
    families = [one for one in FAMILIES if seen.way_out(name, one)] or [4]
    standings = tuple(
        _judge(config, seen, memory, slave, family)
        for family in families
        for slave in config.names()
    )
    chosen = choose(config, seen)
    carriers = tuple(
        _carrier(memory, family, chosen if family in families else "", seen.now)
        for family in FAMILIES
    )
    return Memory(standings, (), (), carriers)


def trouble(config: Config, seen: Observation, interface: str) -> str:
    """Return what keeps a slave from carrying traffic, "" for nothing."""
    link, slave = seen.link(interface), seen.slave(interface)
    if link is None:
        return "interface is gone"
    if slave is None or slave.bond != config.bond.name:
        return f"not in {config.bond.name}"
    if not link.up:
        return "link is down"
    if not link.carrier:
        return "no carrier"
    return "" if slave.link == "up" else "no answer to the kernel's monitor"


def choose(config: Config, seen: Observation) -> str:
    """Return the slave that should be active, "" while the kernel itself searches for one.

    The kernel's choice, unless it has not noticed yet: that the cable is out; or is in again,
    after we had moved the traffic before the monitor ever lost that slave.
    """
    bonding = seen.bonding(config.bond.name)
    if bonding is None or not bonding.active:
        return ""
    well = [name for name in config.names() if not trouble(config, seen, name)]
    first = config.names()[0]
    if first in well and config.bond.reselect == "always":
        return first
    link = seen.link(bonding.active)
    lost = link is None or not link.carrier
    return well[0] if lost and well else bonding.active


def decide(config: Config, seen: Observation, before: Memory, after: Memory) -> tuple[Change, ...]:
    """Return the changes, the most urgent first."""
    bonding = seen.bonding(config.bond.name)
    if bonding is None:
        return ()
    chosen = choose(config, seen)
    active = () if chosen in ("", bonding.active) else (SetActive(bonding.name, chosen),)
    return (
        *active,
        *_announcements(seen, bonding, before, after),
        *_monitor(config, seen, bonding),
        *_missing(config, seen, before),
    )


def targets(config: Config, seen: Observation) -> tuple[str, ...]:
    """Return what the monitor is to ask: the configured targets, else the gateways.

    The kernel takes no link-local one, as router advertisements bring (bond_options.c).
    """
    if config.bond.targets:
        return config.bond.targets
    ways = (seen.way_out(config.bond.name, family) for family in FAMILIES)
    found = (way.gateway for way in ways if way)
    return tuple(one for one in found if one and not one.startswith("fe80:"))


def _monitor(config: Config, seen: Observation, bonding: Bonding) -> list[Change]:
    asked = targets(config, seen)
    wanted = tuple(one for one in asked if ":" not in one or bonding.asks_ipv6)
    first = config.names()[0]
    there = seen.slave(first)
    primary = first if there and there.bond == bonding.name else bonding.primary
    as_is = (
        bonding.arp_interval,
        bonding.validate,
        bonding.all_targets,
        bonding.primary,
        bonding.reselect,
        set(bonding.targets),
    )
    to_be = (
        config.bond.arp_interval,
        VALIDATE_ALL,
        ALL_TARGETS_ANY,
        primary,
        config.bond.reselect,
        set(wanted),
    )
    if not wanted or bonding.mode != "active-backup" or as_is == to_be:
        return []
    bond = replace(config.bond, targets=wanted)
    return [SetMonitor(bond.name, bond.arp_interval, wanted, primary, bond.reselect)]


def _missing(config: Config, seen: Observation, before: Memory) -> list[Change]:
    """Enslave again what has been out of the bond for a while."""
    result: list[Change] = []
    for name in config.names():
        now = trouble(config, seen, name)
        known = [one for one in before.standings if one.interface == name and one.trouble == now]
        since = max((one.since for one in known), default=seen.now)
        if now.startswith("not in") and seen.now - since >= _PATIENCE:
            result.append(Enslave(config.bond.name, name))
    return result


def _announcements(
    seen: Observation, bonding: Bonding, before: Memory, after: Memory
) -> list[Change]:
    link = seen.link(bonding.name)
    result: list[Change] = []
    for family in FAMILIES:
        now = after.carrier(family)
        slave = seen.slave(now)
        if not (link and slave and before.carriers) or now == before.carrier(family):
            continue
        way_out = seen.way_out(bonding.name, family)
        gateway = way_out.gateway if way_out else ""
        mac = _mac(bonding, slave, link.mac)
        result += [
            Announce(bonding.name, family, one.address, mac, gateway)
            for one in seen.own_addresses(bonding.name, family)
        ]
    return result


def _mac(bonding: Bonding, slave: Slave, present: str) -> str:
    """Return the hardware address that the bond has once this slave is active."""
    return slave.permanent_mac if bonding.fail_over_mac == "active" else present


def _judge(config: Config, seen: Observation, memory: Memory, name: str, family: int) -> Standing:
    ails = trouble(config, seen, name)
    slave = seen.slave(name)
    old = memory.standing(name, family)
    never = old is None or old.verdict == "absent"
    verdict = "up" if not ails else "absent" if never else "down"
    same = old is not None and (old.verdict, old.trouble) == (verdict, ails)
    since = old.since if old and same else seen.now
    failures = slave.failures if slave else 0
    return Standing(name, family, verdict, since, down_count=failures, trouble=ails)


def _carrier(memory: Memory, family: int, chosen: str, now: int) -> Carrier:
    for old in memory.carriers:
        if (old.family, old.interface) == (family, chosen):
            return old
    return Carrier(family, chosen, now)
