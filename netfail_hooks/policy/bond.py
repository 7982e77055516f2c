"""Judge a bond and decide what to change in it. Pure.

The kernel's ARP monitor does the work, failback too (``primary_reselect``). We do the rest: react
to a lost carrier, of which we hear before the monitor notices; restore a slave or a setting that
somebody took away; have the primary be the slave that a person asked for by hand; and tell the
LAN, and people, what happened.
"""

from __future__ import annotations

from netfail_hooks.config import DISABLE, USE, Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.changes import Announce, Change, Enslave, SetActive, SetMonitor
from netfail_hooks.policy.facts import ALL_TARGETS_ANY, VALIDATE_ALL, Bonding, Observation, Slave
from netfail_hooks.policy.health import BY_HAND
from netfail_hooks.policy.state import Active, Crowded, State, UplinkState
from netfail_hooks.values import replace

NO_ANSWER = "no answer to the kernel's monitor"
_PATIENCE = 2000  # ms that networkd has to enslave an interface before we do


def next_state(config: Config, observed: Observation, state: State) -> State:
    """Return the state of each slave, and the active one, to remember."""
    name = config.bond.name
    families = [family for family in FAMILIES if observed.default_route(name, family)] or [4]
    uplink_states = tuple(
        _judge(config, observed, state, slave, family)
        for family in families
        for slave in config.names()
    )
    chosen = choose(config, observed)
    active = tuple(
        _active(state, family, chosen if family in families else "", observed.now)
        for family in FAMILIES
    )
    crowded = tuple(Crowded(crowd.interface, crowd.family) for crowd in observed.crowds)
    return State(uplink_states, (), (), active, crowded=crowded)


def unusable_reason(config: Config, observed: Observation, interface: str) -> str:
    """Return what keeps a slave from carrying traffic, "" for nothing."""
    link, slave = observed.link(interface), observed.slave(interface)
    if link is None:
        return "interface is gone"
    if slave is None or slave.bond != config.bond.name:
        return f"not in {config.bond.name}"
    if not link.up:
        return "link is down"
    if not link.carrier:
        return "no carrier"
    if slave.link != "up":
        return NO_ANSWER
    return BY_HAND if interface in config.ordered(DISABLE, observed.now) else ""


def _by_order(config: Config, now: int) -> tuple[str, ...]:
    """Return the slaves, the one to prefer first: what a person asked for goes before the rank."""
    used, disabled = config.ordered(USE, now), config.ordered(DISABLE, now)

    def rank(name: str) -> tuple[bool, int]:
        return name in disabled, used.index(name) if name in used else len(used)

    return tuple(sorted(config.names(), key=rank))


def choose(config: Config, observed: Observation) -> str:
    """Return the slave that should be active, "" while the kernel itself searches for one.

    The kernel's choice, unless it has not noticed yet: that the cable is out; or is in again,
    after we had moved the traffic before the monitor ever lost that slave; or what a person asked
    for, or asks for no more.
    """
    bonding = observed.bonding(config.bond.name)
    if bonding is None or not bonding.active:
        return ""
    ordered = _by_order(config, observed.now)
    why = {name: unusable_reason(config, observed, name) for name in ordered}
    healthy = [name for name in ordered if not why[name]]
    first = healthy[:1] == list(ordered[:1])
    if healthy and _goes_to(config, observed, bonding, healthy[0], first=first):
        return healthy[0]
    link = observed.link(bonding.active)
    lost = link is None or not link.carrier
    if healthy and (lost or why.get(bonding.active) == BY_HAND):
        return healthy[0]
    disabled = [name for name in ordered if why[name] == BY_HAND]
    return disabled[0] if lost and disabled else bonding.active


def _goes_to(
    config: Config, observed: Observation, bonding: Bonding, best: str, *, first: bool
) -> bool:
    """Tell whether the traffic goes to the best slave of all though the active one is well.

    ``first``: none is preferred to it, well or not. To have another primary the kernel uses it at
    once, whatever ``primary_reselect`` says (``bond_option_primary_set()`` in its bond_options.c).
    """
    used = config.ordered(USE, observed.now)
    becomes_primary = first and bonding.primary != best and bool(targets(config, observed))
    if best in used or becomes_primary:
        return True
    return config.bond.reselect == "always" and (first or bool(used))


def decide(
    config: Config, observed: Observation, before: State, after: State
) -> tuple[Change, ...]:
    """Return the changes, the most urgent first."""
    bonding = observed.bonding(config.bond.name)
    if bonding is None:
        return ()
    chosen = choose(config, observed)
    active = () if chosen in ("", bonding.active) else (SetActive(bonding.name, chosen),)
    return (
        *active,
        *_announcements(observed, bonding, before, after),
        *_monitor(config, observed, bonding),
        *_missing(config, observed, before),
    )


def targets(config: Config, observed: Observation) -> tuple[str, ...]:
    """Return whom the monitor must ask: the configured targets, else the gateways.

    The kernel takes no link-local ones, which router advertisements bring (bond_options.c).
    """
    if config.bond.targets:
        return config.bond.targets
    routes = (observed.default_route(config.bond.name, family) for family in FAMILIES)
    gateways = (route.gateway for route in routes if route)
    return tuple(gateway for gateway in gateways if gateway and not gateway.startswith("fe80:"))


def _monitor(config: Config, observed: Observation, bonding: Bonding) -> list[Change]:
    asked = targets(config, observed)
    wanted = tuple(target for target in asked if ":" not in target or bonding.asks_ipv6)
    first = _by_order(config, observed.now)[0]
    there = observed.slave(first)
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


def _missing(config: Config, observed: Observation, before: State) -> list[Change]:
    """Enslave again what has been out of the bond for a while."""
    result: list[Change] = []
    for name in config.names():
        now = unusable_reason(config, observed, name)
        known = [
            uplink_state
            for uplink_state in before.uplinks
            if uplink_state.interface == name and uplink_state.reason == now
        ]
        since = max((uplink_state.since for uplink_state in known), default=observed.now)
        if now.startswith("not in") and observed.now - since >= _PATIENCE:
            result.append(Enslave(config.bond.name, name))
    return result


def _announcements(
    observed: Observation, bonding: Bonding, before: State, after: State
) -> list[Change]:
    link = observed.link(bonding.name)
    result: list[Change] = []
    for family in FAMILIES:
        now = after.active_uplink(family)
        slave = observed.slave(now)
        if not (link and slave and before.active) or now == before.active_uplink(family):
            continue
        default_route = observed.default_route(bonding.name, family)
        gateway = default_route.gateway if default_route else ""
        mac = _mac(bonding, slave, link.mac)
        result += [
            Announce(bonding.name, family, address.address, mac, gateway)
            for address in observed.own_addresses(bonding.name, family)
        ]
    return result


def _mac(bonding: Bonding, slave: Slave, present: str) -> str:
    """Return the hardware address that the bond has once this slave is active."""
    return slave.permanent_mac if bonding.fail_over_mac == "active" else present


def _judge(
    config: Config, observed: Observation, state: State, name: str, family: int
) -> UplinkState:
    reason = unusable_reason(config, observed, name)
    slave = observed.slave(name)
    old = state.uplink_state(name, family)
    never = old is None or old.state == "absent"
    absent = never and reason != BY_HAND
    condition = "up" if not reason else "absent" if absent else "down"
    same = old is not None and (old.state, old.reason) == (condition, reason)
    since = old.since if old and same else observed.now
    failures = slave.failures if slave else 0
    return UplinkState(name, family, condition, since, down_count=failures, reason=reason)


def _active(state: State, family: int, chosen: str, now: int) -> Active:
    for old in state.active:
        if (old.family, old.interface) == (family, chosen):
            return old
    return Active(family, chosen, now)
