"""What a drill is to do, or why it is refused. Pure: config, observation and state in."""

from __future__ import annotations

from netfail_hooks.config import Config, Target
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.health import can_ask
from netfail_hooks.policy.patience import hours, is_within
from netfail_hooks.policy.state import State
from netfail_hooks.recorder.drills import GATEWAY, Untried
from netfail_hooks.values import value

FEWEST, MOST = 5, 300  # seconds of a fault
_DAY = 24 * 60 * 60  # seconds


@value
class Plan:
    """Which uplink fails for how long, who is to take its traffic, and what is asked meanwhile.

    ``backups`` are pairs of a family and an uplink. ``awaited``: the traffic comes back by itself.
    """

    fault: str
    interface: str
    seconds: int
    backups: tuple[tuple[int, str], ...]
    targets: tuple[Target, ...]
    awaited: bool
    untried: tuple[Untried, ...] = ()


def plan(config: Config, observed: Observation, state: State, fault: str, seconds: int) -> Plan:
    """Return what to do. Raises Problem where it would cut the machine off, or show nothing."""
    _refuse_config(config, observed)
    primary = state.active_uplink(4) or state.active_uplink(6)
    if not primary:
        raise Problem("no uplink carries any traffic now", hint="see 'sudo netfail-hooks status'")
    families = [family for family in FAMILIES if state.active_uplink(family) == primary]
    backups = []
    for family in families:
        if not _is_up(state, primary, family):
            raise Problem(f"{primary} is not up itself", hint="see 'sudo netfail-hooks status'")
        backup = next(
            (name for name in config.names() if name != primary and _is_up(state, name, family)), ""
        )
        if not backup:
            others = [name for name in config.names() if name != primary]
            why = "; ".join(f"{name} is {_why(state, name, family)}" for name in others)
            raise Problem(
                f"no other uplink is up in IPv{family}, a drill would cut the machine off: {why}",
                hint="mend one first; see 'sudo netfail-hooks status'",
            )
        backups.append((family, backup))
    uplink = next(uplink for uplink in config.uplinks if uplink.interface == primary)
    if fault == GATEWAY and not any(can_ask(uplink, observed, family) for family in families):
        raise Problem(
            f"nothing asks whether somebody is there beyond {primary}, so nothing would be noticed",
            hint="set gateway or targets, or drill with --cable",
        )
    first = next(name for name in config.names() if _is_up(state, name, families[0]))
    return Plan(
        fault=fault,
        interface=primary,
        seconds=seconds,
        backups=tuple(backups),
        targets=tuple(_targets(config, observed, primary, tuple(backups))),
        awaited=primary == first and comes_back(config, observed, seconds),
        untried=tuple(
            Untried(family, _why_not(config, state, primary, family))
            for family in FAMILIES
            if family not in families
        ),
    )


def comes_back(config: Config, observed: Observation, seconds: int) -> bool:
    """Tell whether the traffic of a drill now would come back by itself, after the hold-down."""
    if not config.failback_between or config.failback != "auto":
        return config.failback == "auto"
    _, end = hours(config.failback_between)
    left = (end - observed.local) % _DAY
    within = observed.local >= 0 and is_within(config.failback_between, observed.local)
    return within and left > seconds + config.hold_down_max


def delay(plan: Plan, state: State, now: int, clears: int) -> tuple[str, int]:
    """Return what keeps an uplink that is healed from its traffic, and how long (ms).

    "" for nothing. ``clears`` is after how long a window of questions has forgotten the fault.
    """
    own = [one for one in state.uplinks if one.interface == plan.interface]
    if any(one.is_poor for one in own):
        return "has a poor line", clears
    ready = [one.ready for one in own if one.state == "recovering"]
    return ("is held down", max(*ready, now) - now) if ready else ("", 0)


def survives(config: Config, observed: Observation, plan: Plan, source: str) -> bool:
    """Tell whether a connection from an address of ours lives on while the traffic is away."""
    family = 6 if ":" in source else 4
    backup = dict(plan.backups).get(family, "")
    return config.follow_addresses and is_local_to(observed, backup, family, source)


def _refuse_config(config: Config, observed: Observation) -> None:
    if config.mode == "bond":
        raise Misuse(
            "a drill is for mode routes",
            hint="in mode bond pull a cable; or 'sudo netfail-hooks disable IF', then enable it",
        )
    if len(config.uplinks) < 2:
        raise Misuse("there is only one uplink", hint="'sudo netfail-hooks install --backup IF'")
    orders = config.orders_at(observed.now)
    if orders:
        given = ", ".join(f"{order.kind} {order.interface}" for order in orders)
        ends = {order.kind for order in orders}
        how = "sudo netfail-hooks use --auto" if "use" in ends else "sudo netfail-hooks enable IF"
        raise Problem(f"orders by hand count now: {given}", hint=f"end them first: '{how}'")


def _targets(
    config: Config, observed: Observation, primary: str, backups: tuple[tuple[int, str], ...]
) -> list[Target]:
    """Return whom to ask all the time: targets beyond, else the router if both uplinks share it.

    One that only one of them reaches shows nothing: it is on the LAN of that one. So does one
    whose address is still to be looked up: that itself goes by whatever uplink there is.
    """
    asked: list[Target] = []
    for family, backup in backups:
        beyond = [
            target
            for uplink in config.uplinks
            for target in uplink.targets
            if target.family == family and _is_beyond(observed, target, primary, backup)
        ]
        # Who answers at a port need not answer an echo: whoever does so as a target comes first.
        echoes = sorted(beyond, key=lambda target: bool(target.kind or target.port))
        route = observed.default_route(backup, family)
        if route and is_local_to(observed, primary, family, route.gateway):
            echoes.append(Target(family, route.gateway))
        asked += [Target(family, one.address) for one in echoes if _is_global(one)][:1]
        asked += [Target(family, one.address, one.port) for one in beyond if one.port][:1]
    return asked


def _is_beyond(observed: Observation, target: Target, primary: str, backup: str) -> bool:
    """Tell whether a target has an address to which the way is by either uplink."""
    if not target.address or not _is_global(target):
        return False
    by = [is_local_to(observed, name, target.family, target.address) for name in (primary, backup)]
    return all(by) or not any(by)


def _is_global(target: Target) -> bool:
    return not target.address.startswith("fe80:")


def _is_up(state: State, interface: str, family: int) -> bool:
    judged = state.uplink_state(interface, family)
    return bool(judged and judged.state == "up" and not judged.reason)


def _why_not(config: Config, state: State, primary: str, family: int) -> str:
    """Return why nothing moves in a family when an uplink fails that has the other one's traffic.

    A family that it has, and nobody to take it over, is no such one: the drill is refused then.
    """
    other = state.active_uplink(family)
    if other:
        return f"it goes by {other}, and {primary} is {_why(state, primary, family)} in it"
    each = "; ".join(f"{name} is {_why(state, name, family)}" for name in config.names())
    return f"no uplink is up in it: {each}"


def _why(state: State, interface: str, family: int) -> str:
    judged = state.uplink_state(interface, family)
    if judged is None:
        return "not known"
    return f"{judged.state} ({judged.reason})" if judged.reason else judged.state
