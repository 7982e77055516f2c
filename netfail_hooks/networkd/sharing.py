"""Uplinks on one LAN share their static IPv4 addresses, so that a failover needs no hook.

Each uplink gets the others' addresses too, as /32 with a label of ours, and every default
route the most preferred uplink's as its source. So an address stays the machine's whatever
link is lost, and the machine goes on talking from it: when the kernel moves to another uplink,
its first ARP request tells the LAN where the address is now (``kernel/observe.py``).
``arp_filter``
keeps it to one answerer. IPv6 has no such filter, so there the hooks move addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError

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
    return render([*(_sourced(one, addresses) for one in parse(text)), *added])


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
                found.append(IPv4Interface(one.get("Address")))
            except (AddressValueError, NetmaskValueError):
                continue  # IPv6, or nothing that networkd would take
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
