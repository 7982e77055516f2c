"""``netfail-hooks status``: each uplink, and which one carries the traffic now.

Looks, and changes nothing. An ordinary user sees all but what root alone may read.
"""

from __future__ import annotations

import os
import time

from netfail_hooks.config import Config, orders
from netfail_hooks.config.cache import load
from netfail_hooks.dispatcher import silence
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_owned
from netfail_hooks.kernel import lookup
from netfail_hooks.kernel.multipath import with_endpoints
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.managers import (
    dhcpcd,
    dhcpcd_release,
    drift,
    ifupdown,
    ifupdown_release,
    release,
)
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.policy import bounded
from netfail_hooks.policy import state as state_file
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import boot_id, drills, events
from netfail_hooks.status import ruled
from netfail_hooks.status.bond import BondReport, bond_report
from netfail_hooks.status.facts import by_hand
from netfail_hooks.status.report import Sources, report
from netfail_hooks.status.values import Report
from netfail_hooks.values import replace

_LOOK = "run 'sudo netfail-hooks check'"


def collect(paths: Paths) -> Report | BondReport:
    """Return the present state of all uplinks. Raises Problem."""
    config = load(paths)
    unknown: list[Problem] = []
    state = State() if config.mode == "bond" else _state(paths, unknown)
    try:
        with Netlink() as netlink:
            observed = bounded(observe(config, netlink), state or State())
            lookups = _lookups(config, netlink)
            elsewhere = ruled.look(config, observed, netlink, lookups)
    except OSError as error:
        raise Problem(f"cannot look at the kernel: {error}", hint="try again") from None
    if config.multipath_tcp and config.mode == "routes":
        observed = _with_endpoints(observed, unknown)
    drifted = drift.drifted(paths, config, unknown)
    if config.mode == "bond":
        failover = _failover(paths, unknown)
        found = bond_report(config, observed, lookups, failover, tuple(unknown))
        return replace(
            found,
            silence=silence(hooks=config.dispatcher),
            drifted=drifted,
            by_hand=tuple(by_hand(config, observed.now, orders.read(paths.kept_orders))),
        )
    states = networkctl.states()
    if not states:
        unknown.append(Problem("networkd's states: 'networkctl list' has no answer"))
    return report(
        Sources(
            config=config,
            observed=observed,
            state=state,
            states=states,
            lookups=lookups,
            ruled=elsewhere,
            failover=_failover(paths, unknown),
            clock=time.time(),
            boot=boot_id(),
            silence=silence(hooks=config.dispatcher),
            drifted=drifted,
            taken_over=_taken_over(paths, config),
            unknown=tuple(unknown),
            drill=drills.noted_now(paths),
            last_drill=drills.kept(paths),
            kept=tuple(orders.read(paths.kept_orders)),
        )
    )


def _with_endpoints(observed: Observation, unknown: list[Problem]) -> Observation:
    observed = with_endpoints(observed)
    if observed.subflows < 0:
        what = "endpoints of Multipath TCP"
        told = Problem(what, hint="see 'netfail-hooks doctor'")
        unknown.append(NotPermitted(what) if os.geteuid() else told)
    return observed


def _taken_over(paths: Paths, config: Config) -> tuple[tuple[str, str], ...]:
    left = ifupdown_release.leaves(paths, config.names())
    denied = dhcpcd_release.leaves(paths, config.names())
    return (
        *release.taken_over(paths),
        *((name, ifupdown.MANAGER) for name in left),
        *((name, dhcpcd.MANAGER) for name in denied),
    )


def _lookups(config: Config, netlink: Netlink) -> tuple[lookup.RouteLookup, ...]:
    answers = (
        lookup.look_up(netlink, family, lookup.destination(config, family)) for family in FAMILIES
    )
    return tuple(answer for answer in answers if answer)


def _state(paths: Paths, unknown: list[Problem]) -> State | None:
    """Return the state that the last run left; None where we can't read it."""
    path = paths.state
    try:
        return state_file.parse(read_owned(path).decode("ascii"))
    except FileNotFoundError:
        return State()
    except PermissionError:
        odd = Problem(f"health ({path}): not root's alone, {_LOOK}")
        unknown.append(NotPermitted("health") if os.geteuid() else odd)
    except (OSError, ValueError):
        unknown.append(Problem(f"health ({path} is damaged)", hint=_LOOK))
    return None


def _failover(paths: Paths, unknown: list[Problem]) -> events.Transition | None:
    what = "the last move of the traffic"
    try:
        return events.last_failover(paths.log)
    except NotPermitted:
        unknown.append(NotPermitted(what))
    except Problem as problem:
        unknown.append(Problem(f"{what}: {problem}"))
    return None
