"""Rules of ``doctor`` about default routes and bonds: the kernel's order of the uplinks. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from ipaddress import ip_interface
from itertools import combinations

from netfail_hooks.doctor.facts import BondSeen, Facts, NetworkFile, Symptom
from netfail_hooks.doctor.rules.shared import AGAIN, CONFIG
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.crowd import advice, message
from netfail_hooks.policy.facts import ACTIVE_BACKUP, MAIN, Route
from netfail_hooks.policy.health import NO_ADDRESS, NO_GATEWAY, can_ask, unusable_reason

_CHECK = "netfail-hooks check"
_OFTEN = 6  # times an hour that a bond's monitor loses a slave
_SLOWEST = 1000  # ms between two questions: one that asks no oftener is not too quick


def metric_too_low(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink's default route ahead of our own metric: ours has to go before it."""
    if not facts.config or facts.mode != "routes":
        return
    for route in _defaults(facts):
        if route.metric <= facts.config.override_metric:
            what = f"{_described(route)}, and ours {facts.config.override_metric}: it comes first"
            yield Symptom(what, _fix(facts, route), about=(_key(route),))


def metric_equal(facts: Facts) -> Iterator[Symptom]:
    """Find default routes of two uplinks that the kernel has no order for."""
    for other, route in combinations(_defaults(facts), 2):
        alike = (route.family, route.metric) == (other.family, other.metric)
        if alike and route.interface != other.interface:
            odd = other if _is_right(facts, route) else route
            what = (
                f"IPv{route.family} default routes of {other.interface} and "
                f"{route.interface} both have metric {route.metric}"
            )
            fix = _fix(facts, odd) if facts.config else (AGAIN,)
            yield Symptom(what, fix, about=(_key(route), _key(other)))


def way_blocked(facts: Facts) -> Iterator[Symptom]:
    """Find a default route that refuses packets ahead of an uplink's, or no way for another reason.

    What a VPN's default route comes before is meant so: nothing shall leave beside the tunnel.
    """
    observed = facts.kernel.observed
    if not observed:
        return
    told = set()
    for family in FAMILIES:
        routes = observed.defaults(family)
        tunnels = [route.metric for route in routes if not observed.link(route.interface)]
        own = [route for route in routes if observed.link(route.interface)]
        for place in observed.taken:
            blocked = [route.interface for route in own if route.metric >= place.metric]
            default = (place.family, place.destination, place.table) == (family, "default", MAIN)
            if not (default and blocked) or min(tunnels, default=place.metric) < place.metric:
                continue
            told.add(family)
            yield Symptom(
                f"an IPv{family} default route that refuses packets has metric {place.metric}: "
                f"it comes before that of {' and '.join(dict.fromkeys(blocked))}",
                (f"ip -{family} route show default  # whose is it? It needs a greater metric",),
            )
    for address in facts.kernel.unreached:
        family = 6 if ":" in address else 4
        if family not in told:
            yield Symptom(
                f"the kernel finds no way out for IPv{family}, though there is a default route",
                (f"ip route get {address}", "ip rule"),
            )


def ruled_elsewhere(facts: Facts) -> Iterator[Symptom]:
    """Find an address of ours that policy rules send out by a lost uplink, or nowhere."""
    for one in facts.kernel.ruled if facts.mode == "routes" else ():
        way = (
            facts.kernel.observed.in_use(6 if ":" in one.address else 4)
            if facts.kernel.observed
            else None
        )
        if not one.reason or not way:
            continue
        by = f"by {one.interface}" if one.interface else "nowhere"
        move = f"ip route replace default{_via(way)} dev {way.interface} table TABLE"
        yield Symptom(
            f"policy rules send what comes from {one.address} {by}: {one.reason}",
            (f"ip rule  # which TABLE is it? then: {move}",),
        )


def masquerade(facts: Facts) -> Iterator[Symptom]:
    """Find packets masqueraded that could have the address that uplinks on one LAN share."""
    observed = facts.kernel.observed
    if not (facts.services.masquerades and observed and facts.mode == "routes"):
        return
    shared = {one.address for one in observed.addresses if one.shared}
    for name in facts.uplinks:
        own = next((a for a in observed.own_addresses(name, 4) if a.address in shared), None)
        if own is None:
            continue
        if own.address not in facts.services.translated_to:
            lan = ip_interface(f"{own.address}/{own.length}").network
            rule = f"POSTROUTING -o $nic ! -s {lan} -j SNAT --to-source {own.address}"
            each = f"for nic in {' '.join(facts.uplinks)}; do iptables -t nat -I {rule}; done"
            yield Symptom(
                "what containers or guests send is masqueraded", (f"{each}  # at each boot",)
            )
        return


def metric_wrong(facts: Facts) -> Iterator[Symptom]:
    """Find a default route with another metric than configured."""
    if not facts.config or facts.mode != "routes":
        return
    for route in _defaults(facts):
        if not _is_right(facts, route):
            yield Symptom(
                f"{_described(route)}, and the configuration {_metric(facts, route.interface)}",
                _fix(facts, route),
                about=(_key(route),),
            )


def no_gateway(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that networkd has set up without a way out, or that lost it since."""
    if facts.mode == "bond":
        return
    for name in facts.uplinks:
        link = facts.kernel.link(name)
        if not (link and link.carrier and facts.services.setup(name) == "configured"):
            continue
        present = {route.gateway for route in _defaults(facts) if route.interface == name}
        file = next((file for file in facts.files.networks if file.interface == name), None)
        lost = [gateway for gateway in (file.gateways if file else ()) if gateway not in present]
        again = f"networkctl reconfigure {name}"
        if lost:
            what = f"{name} has lost its default route via {' and '.join(lost)}"
            yield Symptom(what, (again,), about=(name,))
        elif not present and file and not file.has_default_route:
            yield _never_had_one(facts, file)
        elif not present:
            first = f"networkctl status {name}  # is there a Gateway= or a DHCP lease?"
            yield Symptom(f"{name} has no default route", (first, again), about=(name,))


def no_ipv6_gateway(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that stays without an IPv6 gateway while another one has one.

    Not of one that is to have none by its file, nor before its routers can have answered.
    """
    observed = facts.kernel.observed
    if not observed or facts.mode != "routes":
        return
    having = [name for name in facts.uplinks if not unusable_reason(observed, name, 6)]
    for name in facts.uplinks if having else ():
        reason = unusable_reason(observed, name, 6)
        file = next((file for file in facts.files.networks if file.interface == name), None)
        if reason not in (NO_ADDRESS, NO_GATEWAY) or name not in facts.kernel.settled:
            continue
        if facts.services.setup(name) != "configured" or (file and 6 not in file.families):
            continue
        place = file.path if file and file.path else f"/etc/systemd/network/{name}.network"
        none = "if its network has no IPv6: [Network], and below it IPv6AcceptRA=no"
        yield Symptom(
            f"{name} has no IPv6 gateway, and {' and '.join(having)} has one",
            (
                f"networkctl reconfigure {name}  # asks its routers anew",
                f"editor {shlex.quote(place)}.d/ipv6.conf  # {none}",
                "networkctl reload",
            ),
            about=(name,),
        )


def not_probed(facts: Facts) -> Iterator[Symptom]:
    """Find a family of an uplink of which rounds of probes have nothing to ask, unmeant."""
    if (
        not (facts.kernel.observed and facts.config and facts.config.interval)
        or facts.mode == "bond"
    ):
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
            and not can_ask(uplink, facts.kernel.observed, family)
            and not unusable_reason(facts.kernel.observed, uplink.interface, family)
        ]
        if mute:
            told = f"{uplink.interface} has neither a gateway to ask nor a target in "
            first = f"editor {CONFIG}  # add targets to the uplink {uplink.interface}"
            yield Symptom(told + " and ".join(mute), (first,))


def _never_had_one(facts: Facts, file: NetworkFile) -> Symptom:
    """Return the symptom of an uplink that nobody gave a gateway: to reconfigure it brings none."""
    name = file.interface
    path = file.source if file.ours else file.path
    what = f"{name} is given neither a gateway nor DHCP by {path or file.path}"
    if file.yaml:
        what += f", which netplan makes of {file.yaml}"
        asks = f"{name} asks DHCP, but not for a default route"
        says = "add routes: [{to: default, via: IP}]"
        if file.withheld:
            says = f"so that {file.withheld} does not come of it"
        first = f"editor {shlex.quote(file.yaml)}  # {says}"
        return Symptom(asks if file.withheld else what, (first, "netplan generate", AGAIN))
    if file.withheld:
        first = f"editor {shlex.quote(path or file.path)}  # take {file.withheld} out"
        told = f"{name} asks DHCP, but not for a default route"
        return Symptom(told, (first, AGAIN), about=(name,))
    if not path:
        new = [word for uplink in facts.uplinks for word in ("--uplink", uplink)]
        new += ["--address", f"{name}=IP/LENGTH", "--gateway", f"{name}=IP"]
        return Symptom(what, (shlex.join(["netfail-hooks", "install", *new]),), about=(name,))
    first = f"editor {shlex.quote(path)}  # add Gateway=IP to [Network]"
    return Symptom(what, (first, AGAIN), about=(name,))


def bond_missing(facts: Facts) -> Iterator[Symptom]:
    """Find that the configured bond is not there."""
    if facts.config and facts.mode == "bond" and _ours(facts) is None:
        name = facts.config.bond.name
        yield Symptom(
            f"there is no {name}",
            ("modprobe bonding", "networkctl reload", AGAIN),
            about=(f"{name}.netdev",),
        )


def bond_mode(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that sends by all its slaves at once, or the like."""
    for bond in _bonds(facts):
        if bond.mode != ACTIVE_BACKUP:
            yield Symptom(
                f"{bond.name} is in mode {bond.mode}, not {ACTIVE_BACKUP}",
                _make_again(facts),
                about=(bond.name,),
            )


def bond_mac(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that gives a Wi-Fi slave the hardware address of another."""
    for bond in _bonds(facts):
        wireless = [name for name in bond.slaves if name in facts.kernel.wireless]
        if bond.fail_over_mac == "none" and (wireless or bond is _ours(facts)):
            yield Symptom(
                f"{bond.name} has fail_over_mac none, not active",
                _make_again(facts),
                about=(bond.name,),
            )


def bond_slave(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink that is not in the bond."""
    bond = _ours(facts)
    for name in facts.uplinks if bond else ():
        if bond and facts.kernel.link(name) and name not in bond.slaves:
            yield Symptom(f"{name} is not in {bond.name}", (_CHECK,), safe=True)


def bond_monitor(facts: Facts) -> Iterator[Symptom]:
    """Find a bond that asks no gateway."""
    for bond in _bonds(facts):
        if not (bond.arp_interval and bond.targets):
            ours = bond is _ours(facts)
            yield Symptom(
                f"{bond.name} has no ARP monitor",
                (_CHECK,) if ours else _make_again(facts),
                safe=ours,
                about=(bond.name,),
            )


def bond_flaps(facts: Facts) -> Iterator[Symptom]:
    """Find a bond whose monitor loses a slave again and again."""
    bond = facts.config.bond if facts.config else None
    for name, times in facts.unheard:
        if bond and times >= _OFTEN and bond.arp_interval < _SLOWEST:
            slower = f"[bond] arp_interval = {min(_SLOWEST, max(250, bond.arp_interval * 2))}"
            yield Symptom(
                f"{name} gave {bond.name}'s monitor no answer {times} times in the last hour; it "
                f"asks each {bond.arp_interval} ms",
                (f"editor {CONFIG}  # {slower}", _CHECK),
                about=(name,),
            )


def _defaults(facts: Facts) -> list[Route]:
    """Return the uplinks' default routes but ours; what leads elsewhere (a VPN) is no fault."""
    if not facts.kernel.observed:
        return []
    routes = [route for family in FAMILIES for route in facts.kernel.observed.defaults(family)]
    return [route for route in routes if route.interface in facts.uplinks]


def _key(route: Route) -> str:
    return f"{route.interface} IPv{route.family} {route.metric}"


def _described(route: Route) -> str:
    return f"the IPv{route.family} default route of {route.interface} has metric {route.metric}"


def _fix(facts: Facts, route: Route) -> tuple[str, ...]:
    """Return how to be rid of a route: if the uplink has no right one, networkd has to set it."""
    if any(
        _is_right(facts, other)
        for other in _defaults(facts)
        if (other.interface, other.family) == (route.interface, route.family)
    ):
        default = f"default{_via(route)} dev {route.interface} metric {route.metric}"
        return (f"ip -{route.family} route delete {default}",)
    return ("networkctl reload", f"networkctl reconfigure {route.interface}", AGAIN)


def _via(route: Route) -> str:
    """Return where a route leads as ip-route(8) takes it: what is not of its family is named."""
    family = "inet6 " if route.family == 4 and ":" in route.gateway else ""
    return f" via {family}{route.gateway}" if route.gateway else ""


def _is_right(facts: Facts, route: Route) -> bool:
    files = (file for file in facts.files.networks if file.interface == route.interface)
    ranked = next((file.metrics for file in files), ())
    return route.metric == _metric(facts, route.interface) or route.metric in ranked


def _metric(facts: Facts, name: str) -> int | None:
    uplinks = facts.config.uplinks if facts.config else ()
    return next((uplink.metric for uplink in uplinks if uplink.interface == name), None)


def _bonds(facts: Facts) -> list[BondSeen]:
    """Return the configured bond, and others that have an uplink in them."""
    ours = _ours(facts)
    return [
        bond for bond in facts.kernel.bonds if bond is ours or set(bond.slaves) & set(facts.uplinks)
    ]


def _ours(facts: Facts) -> BondSeen | None:
    name = facts.config.bond.name if facts.config and facts.mode == "bond" else ""
    return next((bond for bond in facts.kernel.bonds if bond.name == name), None)


def _make_again(facts: Facts) -> tuple[str, ...]:
    """Return the command that makes the bond again, which takes the machine off for a second."""
    ranks = " --backup ".join(facts.uplinks)
    return (f"netfail-hooks install --mode bond --primary {ranks}",)


def crowded(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink with more addresses or routes than are looked at, where its LAN says so.

    What its owner set, or a routing daemon, is no fault.
    """
    crowds = facts.kernel.observed.crowds if facts.kernel.observed else ()
    for crowd in (crowd for crowd in crowds if crowd.learnt):
        files = (f.path for f in facts.files.networks if f.interface == crowd.interface)
        path = shlex.quote(f"{next(files, '') or '/etc/systemd/network/NAME.network'}.d/lan.conf")
        fix = (f"editor {path}  # {advice(crowd)}", "networkctl reload")
        yield Symptom(message(crowd), fix, about=(crowd.interface,))
