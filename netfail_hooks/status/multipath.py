"""Endpoints of Multipath TCP as ``status`` tells of them: which there are, which not. Pure."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.multipath import wanted
from netfail_hooks.policy.state import State
from netfail_hooks.values import value


@value
class Endpoint:
    """An endpoint in the kernel. ``interface`` is the uplink's that has the address, "" for none.

    ``backup``: used only while no other one works. ``ours``: we keep it in step.
    """

    address: str
    interface: str
    backup: bool
    ours: bool


@value
class Multipath:
    """What the kernel has: ``subflows`` of a connection at most, beside its first.

    ``missing`` are addresses that should be endpoints and are not, as far as we know what counts.
    """

    endpoints: tuple[Endpoint, ...]
    missing: tuple[str, ...]
    subflows: int


def multipath(config: Config, observed: Observation, state: State | None) -> Multipath | None:
    """Return what there is; None where it is not asked for, or the kernel tells of nothing."""
    if not config.multipath_tcp or config.mode != "routes" or observed.subflows < 0:
        return None
    homes = {address.address: address.interface for address in observed.addresses}
    endpoints = tuple(
        Endpoint(one.address, homes.get(one.address, ""), one.backup, one.ours)
        for one in observed.endpoints
        if not one.implicit  # of one connection alone
    )
    there = {one.address for one in endpoints}
    missing = [one for one in wanted(config, observed, state) if one not in there] if state else []
    return Multipath(endpoints, tuple(missing), observed.subflows)


def lines(found: Multipath) -> list[str]:
    """Return it for people."""
    told = [f"{one.address}{_more(one)}" for one in found.endpoints]
    none = "" if told else "no endpoint, "
    return [*told, f"{none}a connection has {found.subflows} more subflows at most"]


def _more(one: Endpoint) -> str:
    where = f" of {one.interface}" if one.interface else ""
    use = ", backup" if one.backup else ""
    return f"{where}{use}{'' if one.ours else ', not ours'}"
