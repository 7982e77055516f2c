"""Choose which uplink carries the traffic, and who answers for each address. Pure."""

from __future__ import annotations

from netfail_hooks.config import DISABLE, USE, Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import FOREVER, KERNEL, PROTOCOL, Observation
from netfail_hooks.policy.health import judge
from netfail_hooks.policy.state import (
    Active,
    AddressOwner,
    Crowded,
    KnownAddress,
    Metered,
    Quality,
    State,
    Usage,
    Way,
)
from netfail_hooks.values import replace

_BEST = ("up", "recovering", "poor", "down", "absent")
_SAME_END = 2000  # ms; the kernel gives lifetimes in whole seconds


def next_state(config: Config, observed: Observation, state: State) -> State:
    """Return the state to remember after this observation."""
    qualities, poor = _qualities(config, observed, state)
    uplink_states = judge(config, observed, state, poor)
    judged = State(uplink_states, state.known_addresses, state.owners, state.active)
    usages: tuple[Usage, ...] = ()
    if config.failback == "idle":
        from netfail_hooks.policy import patience  # what mostly nobody asks for

        usages = patience.usages(config, observed, state)
        judged = replace(judged, usages=usages)
    active = tuple(
        _active(judged, family, select_uplink(config, observed, judged, family), observed.now)
        for family in FAMILIES
    )
    known = tuple(_known_addresses(config, observed, state))
    judged = State(uplink_states, known, state.owners, active)
    owners = tuple(_owners(config, observed, judged))
    crowded = tuple(Crowded(crowd.interface, crowd.family) for crowd in observed.crowds)
    ways = _ways(config, observed, state)
    metered: tuple[Metered, ...] = ()
    if config.metered:
        from netfail_hooks.policy import metering

        metered = metering.metered(config, observed, state)
    return State(
        uplink_states, known, owners, active, ways, crowded, usages, metered, qualities=qualities
    )


def _qualities(
    config: Config, observed: Observation, state: State
) -> tuple[tuple[Quality, ...], dict[tuple[str, int], str]]:
    """Return the qualities of lines that are measured, and why some are poor: mostly none is."""
    if not any(uplink.measured for uplink in config.uplinks):
        return (), {}
    from netfail_hooks.policy.quality import next_quality, poor_reasons

    qualities = next_quality(config, observed, state)
    return qualities, poor_reasons(config, qualities)


def _ways(config: Config, observed: Observation, state: State) -> tuple[Way, ...]:
    """Return the uplinks' routes beside the default ones: mostly there are none."""
    usual = observed.ruled < 0 or (
        not observed.tables
        and all(
            route.destination == "default"
            or route.protocol in (KERNEL, PROTOCOL)
            or observed.is_own_lan(route)
            for route in observed.routes
        )
    )
    if usual and not state.ways:
        return ()
    from netfail_hooks.policy.ways import ways

    return ways(config, observed, state)


def select_uplink(config: Config, observed: Observation, state: State, family: int) -> str:
    """Return the uplink that should carry a family's traffic, "" where none has a gateway.

    What a person asked for by hand, if it is up. Else the most preferred that is up; but the one in
    use, if that is up, where those that were lost have to wait (patience.py, or for a person). Else
    one in its hold-down, or that answers though its line is poor: the active uplink before the
    others, or a flap would cost two switches; then those in their hold-down. Else the most
    preferred with carrier, one that was disabled by hand last of all.
    """
    present = state.active_uplink(family)
    usable = []
    recovering = []
    poor = []
    for name in config.names():
        uplink_state = state.uplink_state(name, family)
        condition = uplink_state.state if uplink_state else "absent"
        if condition == "up":
            usable.append(name)
        if condition == "recovering":
            recovering.append(name)
        if uplink_state and uplink_state.is_poor:
            poor.append(name)
    if usable:
        wanted = config.ordered(USE, observed.now)
        if config.waits and present in usable and _waits(config, observed, state, present):
            better = usable[: usable.index(present)]
            new = [name for name in better if state.has_come_first(name, family)]
            wanted += new[:1] or [present]
        return next((name for name in wanted if name in usable), usable[0])
    if second := recovering + poor:
        return present if present in second else second[0]
    disabled = config.ordered(DISABLE, observed.now)
    for name in sorted(config.names(), key=disabled.__contains__):
        link = observed.link(name)
        if link and link.carrier and observed.default_route(name, family):
            return name
    return ""


def _waits(config: Config, observed: Observation, state: State, present: str) -> bool:
    if config.failback == "manual":
        return True
    from netfail_hooks.policy import patience

    return bool(patience.waits(config, observed, state, present))


def is_local_to(observed: Observation, interface: str, family: int, address: str) -> bool:
    """Tell whether an address lies in a subnet that an interface is on."""
    return address in observed.prefixes(interface, family)


def _active(state: State, family: int, chosen: str, now: int) -> Active:
    for old in state.active:
        if (old.family, old.interface) == (family, chosen):
            return old
    return Active(family, chosen, now)


def _known_addresses(config: Config, observed: Observation, state: State) -> list[KnownAddress]:
    """Remember each uplink's addresses: a downed or removed link no longer has any."""
    result = []
    before: dict[tuple[str, int], list[KnownAddress]] = {}
    for known in state.known_addresses:
        before.setdefault((known.interface, known.family), []).append(known)
    for name in config.names():
        for family in FAMILIES:
            addresses = observed.own_addresses(name, family)
            old = before.get((name, family), [])
            if not addresses:
                result += [k for k in old if not k.expires or k.expires > observed.now]
            by_address = {known.address: known for known in reversed(old)}
            for address in addresses:
                same = by_address.get(address.address)
                expires = 0 if address.valid == FOREVER else observed.now + address.valid * 1000
                if same and same.expires and abs(same.expires - expires) < _SAME_END:
                    expires = same.expires  # the same end, rounded; not worth a write
                result.append(KnownAddress(name, family, address.address, address.length, expires))
    return result


def _owners(config: Config, observed: Observation, state: State) -> list[AddressOwner]:
    if not config.follow_addresses:
        return []
    result = {}
    before = {owner.address: owner.interface for owner in reversed(state.owners)}
    for known in state.known_addresses:
        chosen = state.active_uplink(known.family)
        # With nowhere to move it to, it is as it was.
        as_it_was = before.get(known.address, "")
        who = _owner(observed, state, known, chosen) if chosen else as_it_was
        if known.address not in result or known.interface == chosen:
            result[known.address] = AddressOwner(known.family, known.address, who)
    return list(result.values())


def _owner(observed: Observation, state: State, known: KnownAddress, chosen: str) -> str:
    uplink_state = state.uplink_state(known.interface, known.family)
    if known.interface == chosen:
        return chosen
    if is_local_to(observed, chosen, known.family, known.address):
        # The active uplink answers for all IPv4 addresses (policy/answering.py). A neighbour
        # solicitation is answered only where the address is (RFC 4861, 7.2.3).
        stays = known.family == 6 and uplink_state is not None and uplink_state.state == "up"
        return known.interface if stays else chosen
    if known.family == 4 and known.address in observed.index.texts:
        name = speaker(observed, state, known.interface, [known.address])
        uplink_state = state.uplink_state(name, 4)
    else:
        name = known.interface
    return name if uplink_state and uplink_state.serves else ""


def speaker(observed: Observation, state: State, interface: str, addresses: list[str]) -> str:
    """Return the uplink that answers ARP for an uplink's IPv4 addresses; itself where none can.

    It is on their LAN: the active uplink, else the best that has carrier.
    """
    chosen = state.active_uplink(4)
    able = [
        uplink_state
        for uplink_state in state.uplinks
        if uplink_state.family == 4
        and (
            uplink_state.interface == interface
            or _is_near(observed, uplink_state.interface, addresses)
        )
    ]
    best = min(
        able,
        key=lambda uplink_state: (
            uplink_state.interface != chosen,
            _BEST.index("poor" if uplink_state.is_poor else uplink_state.state),
        ),
    )
    return best.interface


def _is_near(observed: Observation, interface: str, addresses: list[str]) -> bool:
    link = observed.link(interface)
    near = addresses and all(is_local_to(observed, interface, 4, address) for address in addresses)
    return bool(near and link and link.carrier)
