"""What is in effect on a lab's host, as the kernel and networkd have it, to be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netfail_hooks.lab import Lab

Views = dict[str, list[Any]]

_OURS = ("157", "netfail")
_ASKED = {
    "routes": "ip -d -j route show table all",
    "routes6": "ip -6 -d -j route show table all",
    "rules": "ip -d -j rule",
    "rules6": "ip -6 -d -j rule",
    "links": "ip -d -j address",
    "neighbours": "ip -j neighbour show nud permanent",
    "networkd": "networkctl --json=short",
}
_SETTINGS = "grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf"
_STATES = "grep -r . /run/systemd/netif/links"
_LINK = ("mtu", "flags", "group", "promiscuity", "allmulti", "inet6_addr_gen_mode", "address")
_PASSING = ("life_time", "tentative")  # of an address: until a date, until nobody else has it
# What networkd says of an interface, but for addresses and routes: those the kernel shows.
_SAID = (
    "DNS",
    "NTP",
    "SearchDomains",
    "RouteDomains",
    "DNSSettings",
    "SIP",
    "RequiredForOnline",
    "RequiredOperationalStateForOnline",
    "RequiredFamilyForOnline",
    "ActivationPolicy",
    "CaptivePortal",
)
_KEPT_STATES = ("LLMNR", "MDNS", "DNSSEC", "DNSSEC_NTA", "DNS_OVER_TLS", "DNS_DEFAULT_ROUTE")
# sysctls of ours, and those of which networkd sets our own options by (networkd/takeover.py).
_OUR_SETTINGS = re.compile(
    r"(ignore_routes_with_linkdown|arp_\w+|rp_filter|accept_dad|dad_transmits|stable_secret)$"
)
# What is lent with name servers (networkd/name_servers.py).
_SHARES = ("DNS", "SearchDomains", "RouteDomains", "DNSSettings", "states")


def views(lab: Lab, names: Iterable[str]) -> dict[str, Views]:
    """Return what is in effect on each of some interfaces, but for what is ours, by its parts."""
    script = "\n".join([*(f"{one}; echo" for one in _ASKED.values()), _SETTINGS, _STATES])
    lines = iter(lab.run("sh", "-c", script).stdout.splitlines())
    known = {part: _document(lines) for part in _ASKED}
    rest = list(lines)
    return {name: _of(name, known, rest) for name in names}


def _document(lines: Iterator[str]) -> Any:
    text = ""
    for line in lines:
        if not line:
            break
        text += line
    return json.loads(text or "[]")


def _of(nic: str, known: Mapping[str, Any], lines: list[str]) -> Views:
    (link,) = (one for one in known["links"] if one.get("ifname") == nic)
    said = next(one for one in known["networkd"]["Interfaces"] if one["Name"] == nic)
    routes = [
        {k: v for k, v in route.items() if k not in ("expires", "flags", "pref")}
        for family in ("routes", "routes6")
        for whole in known[family]
        if str(whole.get("protocol")) not in ("kernel", *_OURS)
        for route in _hops(whole, nic)
    ]
    rules = [
        rule
        for rule in (*known["rules"], *known["rules6"])
        if str(rule.get("protocol")) not in _OURS
    ]
    prefixes = (f"/proc/sys/net/ipv4/conf/{nic}/", f"/proc/sys/net/ipv6/conf/{nic}/")
    settings = [
        line.removeprefix("/proc/sys/net/")
        for line in lines
        if line.startswith(prefixes) and not _OUR_SETTINGS.search(line.partition(":")[0])
    ]
    state = f"/run/systemd/netif/links/{link['ifindex']}:"
    states = [line.removeprefix(state) for line in lines if line.startswith(state)]
    return {
        "addresses": [
            {key: one[key] for key in sorted(one) if not key.endswith(_PASSING)}
            for one in link.get("addr_info", ())
            if one.get("scope") != "link" or one["family"] == "inet"
            if not one.get("temporary")  # drawn anew each time (RFC 8981)
        ],
        "routes": sorted(routes, key=json.dumps),
        "rules": sorted(rules, key=json.dumps),
        "neighbours": sorted(
            (one for one in known["neighbours"] if one.get("dev") == nic), key=json.dumps
        ),
        "link": [{key: link.get(key) for key in _LINK}],
        "settings": sorted(settings),
        "states": [line for line in states if line.partition("=")[0] in _KEPT_STATES],
        **{key: [said.get(key)] for key in _SAID},
    }


def _hops(route: dict[str, Any], nic: str) -> Iterator[dict[str, Any]]:
    """Yield a route as far as it leads by an interface, or by none at all.

    The kernel makes one of two IPv6 routes of the same metric, each by another uplink.
    """
    hops = route.get("nexthops", ())
    own = [hop for hop in hops if hop.get("dev") == nic]
    if own and len(own) == len(hops):
        yield route
    elif own:
        whole = {key: item for key, item in route.items() if key != "nexthops"}
        yield from ({**whole, "gateway": hop.get("gateway"), "dev": nic} for hop in own)
    elif not hops and route.get("dev", nic) == nic:
        yield route


def unranked(view: Views) -> Views:
    """Return the same without what orders uplinks: metrics, and the marks of our own options."""
    gone = ("metric", "nodad", "optimistic")
    return {
        part: sorted(
            ({k: v for k, v in one.items() if k not in gone} for one in found), key=json.dumps
        )
        if part == "routes"
        else [
            {k: v for k, v in one.items() if k not in gone} if isinstance(one, dict) else one
            for one in found
        ]
        for part, found in view.items()
    }


def differences(where: str, before: Views, after: Views) -> list[str]:
    """Return what is otherwise, but that who had no name servers may have been lent some."""
    lent = _SHARES if before["DNS"] == [None] else ()
    result = []
    for part in before:
        if before[part] != after[part] and part not in lent:
            gone = [one for one in before[part] if one not in after[part]]
            new = [one for one in after[part] if one not in before[part]]
            result.append(f"{where}: {part} lack {gone}, have {new}")
    return result
