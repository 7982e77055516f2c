"""Whether a ``.network`` file names a way out, and what to add where not (systemd.network(5)).

Addresses without a gateway make an uplink that looks well and carries nothing beyond its LAN.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Sequence

from netfail_hooks.facts import SHARED_LABEL
from netfail_hooks.networkfile import Section, is_no, is_yes, settings

_DHCP4 = ("yes", "y", "true", "t", "on", "1", "ipv4", "both", "v4")
_EVERYWHERE = {"": 0, "default": 0, "0.0.0.0/0": 4, "::/0": 6}  # 0: either family
_TAKEN_OVER = re.compile(r"# netfail-hooks: in place of (.+); change that one")


def leads_out(sections: Sequence[Section]) -> bool:
    """Tell whether a default route can come of it: a gateway, DHCP, or a router's advertisements.

    Beside a static IPv4 address it must be one of IPv4. Addresses that uplinks share don't count.
    """
    if _last(sections, "DHCP").lower() in _DHCP4 or is_yes(_last(sections, "DefaultRouteOnDevice")):
        return True
    ways = set(_ways(sections))
    if 4 in _static(sections):
        return bool(ways & {0, 4})
    return bool(ways) or not is_no(_last(sections, "IPv6AcceptRA"))


def of_whom(text: str) -> str:
    """Return the path of the user's file that one of ours stands in for, "" for none."""
    found = _TAKEN_OVER.match(text)
    return found[1] if found else ""


def _ways(sections: Sequence[Section]) -> Iterator[int]:
    """Yield the family of each default route; 0 for what networkd finds out: ``_dhcp4``."""
    for gateway in settings(sections, "Network", "Gateway"):
        yield _family(gateway)
    for one in sections:
        everywhere = _EVERYWHERE.get(one.get("Destination").lower())
        in_main = one.get("Table").lower() in ("", "main", "254")  # RT_TABLE_MAIN, rtnetlink.h
        if one.name == "Route" and everywhere is not None and in_main:
            yield everywhere or _family(one.get("Gateway"))


def _static(sections: Sequence[Section]) -> set[int]:
    own = [one for one in sections if one.name == "Address" and one.get("Label") != SHARED_LABEL]
    listed = settings(sections, "Network", "Address")
    return {_family(text) for text in (*listed, *(one.get("Address") for one in own))}


def _family(text: str) -> int:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_interface(text).version
    return 0


def _last(sections: Sequence[Section], key: str) -> str:
    found = [one.get(key) for one in sections if one.name == "Network" and one.get(key)]
    return found[-1] if found else ""
