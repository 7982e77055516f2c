"""Uplinks on one LAN share their static IPv4 addresses, so that a failover needs no hook.

Each uplink gets the others' addresses too, as /32 with a label of ours, and every route of the
LAN the most preferred uplink's as its source: the default routes, and the connected ones in place
of what the kernel makes for an address. So an address stays the machine's whatever link is lost,
and the machine goes on talking from it: when the kernel moves to another uplink, its first ARP
request, whatever for, tells the LAN where the address is now (``kernel/observe.py``). With
another source to the router than beyond it, that request would tell of one of the two alone, and
answers to the other be lost until a hook has announced it.

One NIC answers (``policy/answering.py``). IPv6 has no such setting, so there the hooks move
addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    NetmaskValueError,
)

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.file import Section, parse, render, section
from netfail_hooks.policy.facts import SHARED_LABEL


def share(files: Mapping[str, str]) -> dict[str, str]:
    """Return our ``.network`` files, by uplink in rank order, with all addresses shared.

    Raises Misuse where two uplinks have the same address of their own.
    """
    own = {name: _addresses(parse(text)) for name, text in files.items()}
    _refuse_twins(own)
    return {name: _shared(text, name, own) for name, text in files.items()}


def _shared(text: str, name: str, own: Mapping[str, list[IPv4Interface]]) -> str:
    networks = {address.network for address in own[name]}
    lan = [
        (other, a) for other, addresses in own.items() for a in addresses if a.network in networks
    ]
    added = [
        section("Address", ("Address", f"{address.ip}/32"), ("Label", SHARED_LABEL))
        for other, address in lan
        if other != name
    ]
    if not added:
        return text
    addresses = [address for _, address in lan]
    sections = list(parse(text))
    led = [_connected(one, addresses) for one in sections]
    ours = [route.get("Destination") for route in led if route]
    kept = [
        one.set("AddPrefixRoute", "no") if route else _near(_sourced(one, addresses), ours)
        for one, route in zip(sections, led, strict=True)
    ]
    return render([*kept, *dict.fromkeys(filter(None, led)), *added])


def _near(one: Section, lans: list[str]) -> Section:
    """Return a route whose gateway the kernel does not look for in the connected routes.

    networkd sets an uplink up anew in no certain order: with the connected route not back yet the
    kernel would refuse the others ("Nexthop has invalid gateway"), and networkd give the uplink up.
    """
    if one.name != "Route" or one.get("GatewayOnLink") or one.get("GatewayOnlink"):
        return one
    try:
        gateway = IPv4Address(one.get("Gateway"))
    except AddressValueError:
        return one
    near = any(gateway in IPv4Network(lan) for lan in lans)
    return one.set("GatewayOnLink", "yes") if near else one


def _connected(one: Section, lan: list[IPv4Interface]) -> Section | None:
    """Return the route to the LAN of an address that has to be left for another source.

    None for the most preferred uplink's address, and where the user wants no such route.
    """
    own = next(iter(_addresses((one,))), None)
    if own is None or one.get("AddPrefixRoute"):
        return None
    source = next((address for address in lan if address.network == own.network), own)
    if source == own or not one.get("RouteMetric"):
        return None
    return section(
        "Route",
        ("Destination", str(own.network)),
        ("PreferredSource", str(source.ip)),
        ("Scope", "link"),
        ("Metric", one.get("RouteMetric")),
    )


def _sourced(one: Section, lan: list[IPv4Interface]) -> Section:
    """Return a default route with the most preferred uplink's address as its source."""
    if one.name != "Route" or one.get("Destination") or one.get("PreferredSource"):
        return one
    try:
        gateway = IPv4Address(one.get("Gateway"))
    except AddressValueError:
        return one
    source = next((address for address in lan if gateway in address.network), None)
    return one.set("PreferredSource", str(source.ip)) if source else one


def _addresses(sections: tuple[Section, ...]) -> list[IPv4Interface]:
    found = []
    for one in sections:
        if one.name == "Address" and not one.get("Peer"):
            try:
                address = IPv4Interface(one.get("Address"))
            except (AddressValueError, NetmaskValueError):
                continue  # IPv6, or nothing that networkd would take
            if not address.ip.is_unspecified:  # for which networkd takes one out of a pool
                found.append(address)
    return found


def _refuse_twins(own: Mapping[str, list[IPv4Interface]]) -> None:
    observed: dict[IPv4Address, str] = {}
    for name, addresses in own.items():
        for address in addresses:
            other = observed.setdefault(address.ip, name)
            if other != name:
                raise Misuse(
                    f"{other} and {name} both have {address.ip}",
                    hint="give each an address of its own; failover moves them",
                )
