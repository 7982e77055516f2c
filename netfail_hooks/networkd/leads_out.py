"""Whether a ``.network`` file names a way out, and what to add where not (systemd.network(5)).

Addresses without a gateway make an uplink that looks well and carries nothing beyond its LAN.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence

from netfail_hooks.networkd.file import Section, asks_dhcp4, is_no, is_yes, last, settings
from netfail_hooks.policy.facts import SHARED_LABEL


def leads_out(sections: Sequence[Section]) -> bool:
    """Tell whether a default route can come of it: a gateway, DHCP, or a router's advertisements.

    Beside a static IPv4 address it must be one of IPv4. Addresses that uplinks share don't count.
    """
    if asks_dhcp4(sections) or is_yes(last(sections, "DefaultRouteOnDevice")):
        return True
    ways = set(_ways(sections))
    if 4 in _static(sections):
        return bool(ways & {0, 4})
    return bool(ways) or not is_no(last(sections, "IPv6AcceptRA"))


def _ways(sections: Sequence[Section]) -> Iterator[int]:
    """Yield the family of each default route; 0 for what networkd finds out: ``_dhcp4``."""
    for gateway in settings(sections, "Network", "Gateway"):
        yield _family(gateway)
    for one in sections:
        if one.name == "Route" and one.leads_everywhere() and one.in_main_table():
            yield _family(one.get("Destination")) or _family(one.get("Gateway"))


def _static(sections: Sequence[Section]) -> set[int]:
    own = [one for one in sections if one.name == "Address" and one.get("Label") != SHARED_LABEL]
    listed = settings(sections, "Network", "Address")
    return {_family(text) for text in (*listed, *(one.get("Address") for one in own))}


def _family(text: str) -> int:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_interface(text).version
    return 0
