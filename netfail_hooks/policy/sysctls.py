"""The kernel settings of an uplink (Documentation/networking/ip-sysctl.rst), and why.

- ``ignore_routes_with_linkdown``: routes of a link without carrier are skipped, at once and
  with no process.
- ``arp_filter``: of several NICs on one LAN only the one answers ARP out of which the kernel
  would route the reply. So the answerer is the uplink that carries the traffic, always.
- ``rp_filter`` 2 (loose): while neighbours learn of a move, packets still come in by the
  other NIC; strict filtering would drop them.
"""

from __future__ import annotations

from netfail_hooks.policy.facts import Sysctl

_PER_UPLINK = (
    ("ipv4", "ignore_routes_with_linkdown", "1"),
    ("ipv4", "arp_filter", "1"),
    ("ipv4", "rp_filter", "2"),
    ("ipv6", "ignore_routes_with_linkdown", "1"),
)


def wanted(interface: str) -> tuple[Sysctl, ...]:
    """Return the settings that an uplink must have, keys below /proc/sys/net."""
    return tuple(
        Sysctl(f"{family}/conf/{interface}/{name}", setting)
        for family, name, setting in _PER_UPLINK
    )
