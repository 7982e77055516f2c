"""Where policy rules send what has an address of ours: by the uplink in use, or elsewhere.

A rule such as ``from 192.168.1.252 lookup 100`` is asked before the routes that we move
(ip-rule(8)), so traffic may go out by a lost uplink while every route is right.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.kernel import lookup
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from collections.abc import Sequence


@value
class Ruled:
    """How what has ``address`` as its source leaves, "" by no interface, and what is wrong."""

    address: str
    destination: str
    interface: str
    gateway: str
    reason: str


def look(
    config: Config, observed: Observation, netlink: Netlink, ways: Sequence[lookup.RouteLookup]
) -> tuple[Ruled, ...]:
    """Return the addresses of uplinks whose traffic goes otherwise than the rest."""
    if config.mode == "bond":
        return ()
    found = []
    for family in FAMILIES:
        used = next((one for one in ways if (":" in one.destination) == (family == 6)), None)
        for address in _addresses(config, observed, family) if used else ():
            theirs = lookup.look_up(netlink, family, lookup.destination(config, family), address)
            if used and (theirs is None or theirs.interface != used.interface):
                found.append(judge(config, observed, used, address, theirs))
    return tuple(found)


def judge(
    config: Config,
    observed: Observation,
    used: lookup.RouteLookup,
    address: str,
    theirs: lookup.RouteLookup | None,
) -> Ruled:
    """Return what to tell of an address, the kernel's answer for it given. Pure."""
    if theirs is None:
        return Ruled(address, used.destination, "", "", "no way out")
    name, names = theirs.interface, config.names()
    link = observed.link(name)
    sender = f"{address}/{128 if ':' in address else 32}"
    kept = any(rule.ours and rule.sender == sender for rule in observed.rules)  # policy/sources.py
    reason = ""
    if name in names and not (link and link.carrier):
        reason = "no carrier"
    elif not kept and name in names and used.interface in names[names.index(name) + 1 :]:
        reason = f"{name} was given up for {used.interface}"
    return Ruled(address, used.destination, name, theirs.gateway, reason)


def _addresses(config: Config, observed: Observation, family: int) -> list[str]:
    every = (one.address for name in config.names() for one in observed.own_addresses(name, family))
    return list(dict.fromkeys(every))
