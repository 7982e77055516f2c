"""An uplink without name servers is lent those of the others, so that names outlive a failover.

systemd-resolved binds each question to the link that a server was given for ("Protocols and
routing", systemd-resolved.service(8)): a server of eth0 is not asked by way of wlan0, whatever
the routes say, and none at all is asked of a link without a carrier. It asks all links at the
same time and takes the first answer, so a second link with the same server costs nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from itertools import chain

from netfail_hooks.networkd.file import (
    Item,
    Section,
    is_no,
    is_yes,
    last,
    listed,
    parse,
    render,
    section,
    settings,
)
from netfail_hooks.networkd.words import words

Network = IPv4Network | IPv6Network

_BRACKETED = re.compile(r"\[([^]]+)\]")
_NOTE = "# netfail-hooks: lent by the other uplinks, since this one has no name server"
# How the servers of a link are asked, all of them alike (systemd.network(5)). Lent without these, a
# server that is to be asked by TLS would be asked in clear, on another uplink's LAN.
_MANNER = ("DNSOverTLS", "DNSSEC", "DNSSECNegativeTrustAnchors", "DNSDefaultRoute")


@dataclass(frozen=True, slots=True)
class _Lender:
    servers: list[str]
    domains: list[str]
    manner: dict[str, str]


def lend(files: Mapping[str, str]) -> dict[str, str]:
    """Return ``.network`` files, by uplink in rank order, each with name servers if any has some.

    An uplink with servers of its own, or to which a DHCP server may give some, is left as it is;
    so is one whose file says ``DNSDefaultRoute=no``. One link asks all its servers in one manner,
    so of several lenders those count that agree with the first; one whose servers are for all names
    goes before one whose are for its own domains.
    """
    parsed = {name: parse(text) for name, text in files.items()}
    lent = {name: _lent(name, parsed) for name in files}
    return {
        name: render([*parsed[name], lent[name]]) if lent[name].items else text
        for name, text in files.items()
    }


def is_lent(one: Section) -> bool:
    """Tell whether a section holds what other uplinks have lent."""
    return any(item.raw.strip() == _NOTE for item in one.items)


def _lent(name: str, parsed: Mapping[str, Sequence[Section]]) -> Section:
    """Return the servers and domains of the others that an uplink can use, empty for none."""
    lenders = _lenders(name, parsed) if _lacks(parsed[name]) else []
    if not lenders:
        return section("Network")
    first = min(lenders, key=lambda one: is_no(one.manner.get("DNSDefaultRoute", "")))
    alike = [one for one in lenders if one.manner == first.manner]
    own = _manner(parsed[name])
    lent = section(
        "Network",
        *(("DNS", server) for server in dict.fromkeys(chain(*(one.servers for one in alike)))),
        *(("Domains", domain) for domain in dict.fromkeys(chain(*(one.domains for one in alike)))),
        *((key, setting) for key, setting in first.manner.items() if key not in own),
    )
    return replace(lent, items=(Item(f"{_NOTE}\n"), *lent.items))


def _lenders(name: str, parsed: Mapping[str, Sequence[Section]]) -> list[_Lender]:
    """Return, of the others, whose servers an uplink can reach and ask as their file says."""
    sections = parsed[name]
    own, near = _manner(sections), _lans(sections) | _routed(sections)
    found = []
    for other in (parsed[key] for key in parsed if key != name):
        far = (_lans(other) | _routed(other)) - near
        usable = [server for server in _servers(other) if not _is_in(server, far)]
        manner = _manner(other)
        if usable and all(own.get(key, setting) == setting for key, setting in manner.items()):
            found.append(_Lender(usable, settings(other, "Network", "Domains"), manner))
    return found


def _manner(sections: Sequence[Section]) -> dict[str, str]:
    """Return what a file says of how its servers are asked, each boolean in one spelling."""
    said = {key: " ".join(settings(sections, "Network", key)[-1:]) for key in _MANNER}
    said["DNSSECNegativeTrustAnchors"] = " ".join(
        settings(sections, "Network", "DNSSECNegativeTrustAnchors")
    )
    return {key: _spelled(setting) for key, setting in said.items() if setting}


def _spelled(setting: str) -> str:
    if is_yes(setting):
        return "yes"
    return "no" if is_no(setting) else setting


def _lacks(sections: Sequence[Section]) -> bool:
    """Tell whether an uplink has addresses, and no name server can come of its file.

    One that a router's advertisement may give servers gets others' all the same: most that hear
    advertisements hear of none.
    """
    dhcp = last(sections, "DHCP")
    return bool(
        _lans(sections)
        and not _servers(sections)
        and (not dhcp or is_no(dhcp))
        and not is_no(last(sections, "DNSDefaultRoute"))
    )


def _servers(sections: Sequence[Section]) -> list[str]:
    """Return an uplink's name servers, as many as a line names.

    One with an interface of its own (``ADDRESS%INTERFACE``) is no other uplink's.
    """
    lines = settings(sections, "Network", "DNS")
    return [server for line in lines for server in words(line) if "%" not in server]


def _lans(sections: Sequence[Section]) -> set[Network]:
    """Return the subnets of an uplink's static addresses, its own alone."""
    own = [one.get("Address") for one in sections if one.name == "Address"]
    found = set()
    for address in (*listed(sections, "Address"), *own):
        with contextlib.suppress(ValueError):
            network = ip_interface(address).network
            if network.prefixlen < network.max_prefixlen:
                found.add(network)
    return found


def _routed(sections: Sequence[Section]) -> set[Network]:
    """Return what lies behind a router of an uplink's own, such as a company's network."""
    found = set()
    for one in sections:
        if one.name == "Route" and not one.leads_everywhere() and one.forwards():
            with contextlib.suppress(ValueError):
                found.add(ip_interface(one.get("Destination")).network)
    return found


def _is_in(server: str, lans: set[Network]) -> bool:
    """Tell whether a server is within one of some subnets ("DNS=" in systemd.network(5))."""
    plain = server.partition("#")[0]
    bracketed = _BRACKETED.match(plain)
    if bracketed:
        plain = bracketed[1]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    with contextlib.suppress(ValueError):
        return any(ip_address(plain) in lan for lan in lans)
    return False
