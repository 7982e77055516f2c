"""Rules of ``doctor`` about default routes and bonds: the kernel's order of the uplinks. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from netfail_hooks.doctor.facts import NEW, BondSeen, Facts, Symptom
from netfail_hooks.doctor.rules.shared import AGAIN, CONFIG
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import ACTIVE_BACKUP, Route
from netfail_hooks.policy.health import can_ask, unusable_reason

_CHECK = "netfail-hooks check"


def metric_too_low(facts: Facts) -> Iterator[Symptom]:
    """Find a default route ahead of our own: no failover can win against it."""
    if not facts.config or facts.mode != "routes":
        return
    for route in _defaults(facts):
        if route.metric <= facts.config.override_metric:
            told = f"{_told(route)}, and ours {facts.config.override_metric}: it always wins"
            yield Symptom(told, _mend(facts, route))


def metric_equal(facts: Facts) -> Iterator[Symptom]:
    """Find default routes of two uplinks that the kernel has no order for."""
    found = _defaults(facts)
    low = facts.config.override_metric if facts.config else -1
    for at, route in enumerate(found):
        for other in found[:at]:
            apart = route.interface != other.interface and route.family == other.family
            if apart and low < route.metric == other.metric:
                odd = other if _is_right(facts, route) else route
                told = (
                    f"IPv{route.family} default routes of {other.interface} and "
                    f"{route.interface} both have metric {route.metric}"
                )
                yield Symptom(told, _mend(facts, odd) if facts.config else (AGAIN,))


def metric_wrong(facts: Facts) -> Iterator[Symptom]:
    """Find a default route with another metric than configured; of equal ones the above tells."""
    if not facts.config or facts.mode != "routes":
        return
    found = _defaults(facts)
    for route in found:
        same = [one for one in found if (one.family, one.metric) == (route.family, route.metric)]
        alone = len({one.interface for one in same}) == 1
        if alone and route.metric > facts.config.override_metric and not _is_right(facts, route):
            yield Symptom(
                f"{_told(route)}, and the configuration {_metric(facts, route.interface)}",
                _mend(facts, route),
            )


def no_gateway(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that networkd has set up without a way out, or that lost it since."""
    if not facts.observed or facts.mode == "bond":
        return
    for name in facts.uplinks:
        link = facts.observed.link(name)
        if not (link and link.carrier and facts.setup(name) == "configured"):
            continue
        ways = [route for route in _defaults(facts) if route.interface == name]
        meant = [one for file in facts.networks if file.interface == name for one in file.gateways]
        lost = [one for one in meant if one not in {route.gateway for route in ways}]
        again = f"networkctl reconfigure {name}"
        if lost:
            yield Symptom(f"{name} has lost its default route via {' and '.join(lost)}", (again,))
        elif not ways and not all(f.leads_out for f in facts.networks if f.interface == name):
            yield _never_one(facts, name)
        elif not ways:
            first = f"networkctl status {name}  # is there a Gateway= or a DHCP lease?"
            yield Symptom(f"{name} has no default route", (first, again))


def not_probed(facts: Facts) -> Iterator[Symptom]:
    """Find a family of an uplink of which rounds of probes have nothing to ask, unmeant."""
    if not (facts.observed and facts.config and facts.config.interval) or facts.mode == "bond":
        return
    low = {
        route.interface
        for route in _defaults(facts)
        if route.metric <= facts.config.override_metric
    }
    for uplink in facts.config.uplinks:
        if uplink.interface in low:
            continue  # metric-too-low tells of a route that is not meant to be there
        mute = [
            f"IPv{family}"
            for family in FAMILIES
            if uplink.probed
            and not can_ask(uplink, facts.observed, family)
            and not unusable_reason(facts.observed, uplink.interface, family)
        ]
        if mute:
            told = f"{uplink.interface} has neither a gateway to ask nor a target in "
            first = f"editor {CONFIG}  # add targets to the uplink {uplink.interface}"
            yield Symptom(told + " and ".join(mute), (first,))


def _never_one(facts: Facts, name: str) -> Symptom:
    """Return the find of an uplink that nobody gave a gateway: none comes by setting it up anew."""
    file = next(one for one in facts.networks if one.interface == name)
    path = file.source if file.ours else file.path
    what = f"{name} is given neither a gateway nor DHCP by {path or file.path}"
    if not path:
        new = [word for one in facts.uplinks for word in ("--uplink", one)]
        new += ["--address", f"{name}=IP/LENGTH", "--gateway", f"{name}=IP"]
        return Symptom(what, (shlex.join(["netfail-hooks", "install", *new]),))
    return Symptom(what, (f"editor {shlex.quote(path)}  # add Gateway=IP to [Network]", AGAIN))


def bond_missing(facts: Facts) -> Iterator[Symptom]:
    """Find that the configured bond is not there."""
    if facts.config and facts.mode == "bond" and _ours(facts) is None and not _is_new(facts):
        yield Symptom(
            f"there is no {facts.config.bond.name}",
            ("modprobe bonding", "networkctl reload", AGAIN),
        )


def bond_mode(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that sends by all its slaves at once, or the like."""
    for bond in _bonds(facts):
        if bond.mode != ACTIVE_BACKUP:
            yield Symptom(f"{bond.name} is in mode {bond.mode}, not {ACTIVE_BACKUP}", _anew(facts))


def bond_mac(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that gives a Wi-Fi slave the hardware address of another."""
    for bond in _bonds(facts):
        wireless = [name for name in bond.slaves if name in facts.wireless]
        odd = bond.mode == ACTIVE_BACKUP and bond.fail_over_mac == "none"
        if odd and (wireless or bond is _ours(facts)):
            yield Symptom(f"{bond.name} has fail_over_mac none, not active", _anew(facts))


def bond_slave(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that is not in the bond."""
    bond = _ours(facts)
    if not bond or not facts.observed:
        return
    for name in facts.uplinks:
        if facts.observed.link(name) and name not in bond.slaves:
            yield Symptom(f"{name} is not in {bond.name}", (_CHECK,), safe=True)


def bond_monitor(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that asks no gateway."""
    for bond in _bonds(facts):
        if bond.mode == ACTIVE_BACKUP and not (bond.arp_interval and bond.targets):
            ours = bond is _ours(facts)
            yield Symptom(
                f"{bond.name} has no ARP monitor", (_CHECK,) if ours else _anew(facts), safe=ours
            )


def _defaults(facts: Facts) -> list[Route]:
    """Return the uplinks' default routes but ours; what leads elsewhere (a VPN) is no fault."""
    if not facts.observed:
        return []
    found = [route for family in FAMILIES for route in facts.observed.defaults(family)]
    return [route for route in found if route.interface in facts.uplinks]


def _told(route: Route) -> str:
    return f"the IPv{route.family} default route of {route.interface} has metric {route.metric}"


def _mend(facts: Facts, route: Route) -> tuple[str, ...]:
    """Return how to be rid of a route: the uplink's only one is networkd's to set anew."""
    if any(
        _is_right(facts, one)
        for one in _defaults(facts)
        if (one.interface, one.family) == (route.interface, route.family)
    ):
        via = f" via {route.gateway}" if route.gateway else ""
        way = f"default{via} dev {route.interface} metric {route.metric}"
        return (f"ip -{route.family} route delete {way}",)
    return ("networkctl reload", f"networkctl reconfigure {route.interface}", AGAIN)


def _is_right(facts: Facts, route: Route) -> bool:
    return route.metric == _metric(facts, route.interface)


def _metric(facts: Facts, name: str) -> int | None:
    found = facts.config.uplinks if facts.config else ()
    return next((uplink.metric for uplink in found if uplink.interface == name), None)


def _bonds(facts: Facts) -> list[BondSeen]:
    """Return the configured bond, and others that have an uplink in them."""
    ours = _ours(facts)
    return [bond for bond in facts.bonds if bond is ours or set(bond.slaves) & set(facts.uplinks)]


def _ours(facts: Facts) -> BondSeen | None:
    name = facts.config.bond.name if facts.config and facts.mode == "bond" else ""
    return next((bond for bond in facts.bonds if bond.name == name), None)


def _is_new(facts: Facts) -> bool:
    """Tell whether install has never made it: config-not-installed tells of that."""
    name = f"-netfail-{facts.config.bond.name}.netdev" if facts.config else ""
    return any(file.state == NEW and file.path.endswith(name) for file in facts.files)


def _anew(facts: Facts) -> tuple[str, ...]:
    """Return the command that makes the bond anew, which takes the machine off for a second."""
    ranks = " --backup ".join(facts.uplinks)
    return (f"netfail-hooks install --mode bond --primary {ranks}",)
