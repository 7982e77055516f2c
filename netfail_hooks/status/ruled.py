"""Where policy rules send packets with an address of ours: by the uplink in use, or elsewhere.

A rule such as ``from 192.168.1.252 lookup 100`` comes before the routes that we move
(ip-rule(8)), so traffic may leave by a lost uplink while every route is right.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.kernel import lookup
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation, host_prefix
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from collections.abc import Sequence


@value
class Ruled:
    """How packets from ``address`` leave ("": by no interface), and what is wrong with that."""

    address: str
    destination: str
    interface: str
    gateway: str
    reason: str


def look(
    config: Config, observed: Observation, netlink: Netlink, lookups: Sequence[lookup.RouteLookup]
) -> tuple[Ruled, ...]:
    """Return the uplinks' addresses whose traffic goes another way than the rest."""
    if config.mode == "bond":
        return ()
    result = []
    for family in FAMILIES:
        used = next(
            (answer for answer in lookups if (":" in answer.destination) == (family == 6)), None
        )
        for address in _addresses(config, observed, family) if used else ():
            answer = lookup.look_up(netlink, family, lookup.destination(config, family), address)
            if used and (answer is None or answer.interface != used.interface):
                result.append(judge(config, observed, used, address, answer))
    return tuple(result)


def judge(
    config: Config,
    observed: Observation,
    used: lookup.RouteLookup,
    address: str,
    answer: lookup.RouteLookup | None,
) -> Ruled:
    """Return how packets from an address leave, given the kernel's answer for it. Pure."""
    if answer is None:
        return Ruled(address, used.destination, "", "", "no way out")
    name, names = answer.interface, config.names()
    link = observed.link(name)
    sender = host_prefix(address)
    kept = any(rule.ours and rule.sender == sender for rule in observed.rules)  # policy/sources.py
    reason = ""
    if name in names and not (link and link.carrier):
        reason = "no carrier"
    elif not kept and name in names and used.interface in names[names.index(name) + 1 :]:
        reason = f"{name} was given up for {used.interface}"
    return Ruled(address, used.destination, name, answer.gateway, reason)


def _addresses(config: Config, observed: Observation, family: int) -> list[str]:
    every = (
        address.address
        for name in config.names()
        for address in observed.own_addresses(name, family)
    )
    return list(dict.fromkeys(every))
