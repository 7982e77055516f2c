"""Rules by which an address on another subnet keeps to its own uplink. Pure.

On different subnets an address cannot follow the traffic, and the traffic of a connection that
was opened over the backup must not follow the default route back: the packets would leave by an
uplink whose router knows nothing of them, and the connection would hang. So while an uplink
works and is not the active one, packets with its address leave by it (ip-rule(8)):

    32764: from ADDRESS lookup main suppress_prefixlength 0
    32765: from ADDRESS lookup 15702

By the first rule, any route more precise than a default one leads as it does for everybody: to
LANs, containers, tunnels. The table of the second has the uplink's default route alone. Rules
of the user's own, which the kernel numbers from 32765 downwards, come before or win by being
older. We make none for an address that one of them covers, nor while somebody else's default
route comes before those of all uplinks: traffic that is meant for a tunnel stays in it.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.changes import AddRule, Change, DropRule
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import (
    FOREVER,
    MAIN,
    OWN_TABLES,
    PROTOCOL,
    Observation,
    Route,
    Rule,
    host_prefix,
)
from netfail_hooks.policy.places import place
from netfail_hooks.policy.state import State
from netfail_hooks.values import replace

PRIORITIES = (32764, 32765)  # the main table is looked up at 32766
ADDRESSES = 8  # most of an uplink's, of each family


def sideways(
    config: Config, observed: Observation, state: State
) -> tuple[list[Change], list[Change], list[Route]]:
    """Return the rules to add, those to drop, and the routes wanted in our own tables."""
    rules, routes = sources(config, observed, state)
    ours = [rule for rule in observed.rules if rule.ours]
    added: list[Change] = [AddRule(rule) for rule in rules if rule not in ours]
    dropped: list[Change] = [DropRule(rule) for rule in ours if rule not in rules]
    return added, dropped, routes


def sources(config: Config, observed: Observation, state: State) -> tuple[list[Rule], list[Route]]:
    """Return the rules that are wanted now, and the routes in our own tables."""
    rules: list[Rule] = []
    routes: list[Route] = []
    for family in FAMILIES:
        chosen = state.active_uplink(family)
        able = chosen and observed.ruled > 0 and not is_led_away(config, observed, family)
        for rank, name in enumerate(config.names()) if able else ():
            silent = state.silent_routers(name, family)
            default_route = observed.answering_route(name, family, silent)
            uplink_state = state.uplink_state(name, family)
            serves = uplink_state is not None and uplink_state.serves
            if name == chosen or default_route is None or not serves:
                continue
            table = OWN_TABLES[rank]
            served = [rule.sender for rule in rules]  # two NICs may have the very same address
            new = [
                rule
                for rule in _rules(observed, name, chosen, family, table)
                if rule.sender not in served
            ]
            rules += new
            led = replace(default_route, protocol=PROTOCOL, table=table, linkdown=False)
            placed = place(config, observed, led, default_route.metric) if new else None
            if placed:
                routes.append(placed)
    return rules, routes


def is_led_away(config: Config, observed: Observation, family: int) -> bool:
    """Tell whether somebody else's default route comes before all uplinks', as a VPN's does."""
    first = min(uplink.metric for uplink in config.uplinks)
    names = config.names()
    return any(r.interface not in names and r.metric < first for r in observed.defaults(family))


def _rules(observed: Observation, name: str, chosen: str, family: int, table: int) -> list[Rule]:
    foreign = {rule.sender for rule in observed.rules if rule.family == family and not rule.ours}
    result: list[Rule] = []
    own = observed.own_addresses(name, family)
    if len(own) > ADDRESSES:
        # Who has rules keeps them, and what was configured comes before what a LAN says: newcomers,
        # however many are advertised, push none of them out.
        ruled = {rule.sender for rule in observed.rules if rule.ours}
        own = sorted(own, key=lambda a: (host_prefix(a.address) not in ruled, a.valid != FOREVER))
    for address in own:
        if len(result) == ADDRESSES * len(PRIORITIES):
            break  # only now: who needs no rule takes nobody's place
        source = host_prefix(address.address)
        covered = any(sender and contains(sender, address.address) for sender in foreign)
        if covered or is_local_to(observed, chosen, family, address.address):
            continue
        result.append(Rule(family, PRIORITIES[0], MAIN, source, whole=False))
        result.append(Rule(family, PRIORITIES[1], table, source))
    return result
