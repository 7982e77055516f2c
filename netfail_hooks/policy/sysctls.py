"""The kernel settings of an uplink (Documentation/networking/ip-sysctl.rst), and why.

- ``ignore_routes_with_linkdown``: routes of a link without carrier are skipped, at once and
  with no process.
- ``arp_filter`` 0: it would let a NIC answer ARP only where the kernel would route the reply
  out of it, and asks the policy rules for that. A VPN's rules, or ``from ADDRESS lookup
  TABLE``, make the machine deaf to questions for its own address (arp_filter() in
  net/ipv4/arp.c looks up with the address as the source).
- ``rp_filter`` 2 (loose): while neighbours learn of a move, packets still come in by the
  other NIC; strict filtering would drop them.

And one setting moves with the traffic (policy/answering.py), so that of several NICs on one LAN
only the active uplink answers:

- ``arp_ignore`` 8: no ARP request is answered, whatever the rules say. It is 0 until our first
  run, as at boot or on a NIC just plugged in: two answers are better than none.
"""

from __future__ import annotations

from netfail_hooks.policy.facts import Sysctl

ANSWERS, SILENT = "0", "8"  # arp_ignore

_PER_UPLINK = (
    ("ipv4", "ignore_routes_with_linkdown", "1"),
    ("ipv4", "arp_filter", "0"),
    ("ipv4", "rp_filter", "2"),
    ("ipv6", "ignore_routes_with_linkdown", "1"),
)


def wanted(interface: str) -> tuple[Sysctl, ...]:
    """Return the settings that an uplink must have, keys below /proc/sys/net."""
    return tuple(
        Sysctl(f"{family}/conf/{interface}/{name}", setting)
        for family, name, setting in _PER_UPLINK
    )


def arp_ignore(interface: str) -> str:
    """Return the key of the setting that lets an uplink answer ARP, or silences it."""
    return f"ipv4/conf/{interface}/arp_ignore"


def keys(interface: str) -> tuple[str, ...]:
    """Return the keys of all settings of an uplink that we ever change."""
    return (*(sysctl.key for sysctl in wanted(interface)), arp_ignore(interface))
