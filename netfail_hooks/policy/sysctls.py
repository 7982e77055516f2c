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

And how soon the kernel knows that a gateway is dead (policy/watch.py), on each uplink in both
families. A neighbour counts as there for half to one and a half times ``base_reachable_time_ms``
after its last sign of life, TCP's acknowledgements among them. Then, if anything is sent there or
it is a gateway that we watch, it is asked at once (``delay_first_probe_time`` 0) and every
``retrans_time_ms``: ``ucast_solicit`` times itself, ``mcast_resolicit`` times by asking all, for a
router that was replaced, or that answers no other question. ``interval_probe_time_ms``, one for
the whole machine, is when the kernel turns to those that are watched; one and a half times the
first is less, so that no turn is left out. All milliseconds are multiples of 20: the kernel counts
time in steps of 1 to 10 ms, and others would not be read as they were written.
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


# By ``watch``: base_reachable_time_ms, retrans_time_ms, interval_probe_time_ms.
# What they make of a dead gateway docs/how/how-it-works.md tells, in a sum.
_PACES = {"on": ("400", "100", "1000"), "fast": ("120", "60", "200")}
_INTERVALS = (
    "ipv4/neigh/default/interval_probe_time_ms",
    "ipv6/neigh/default/interval_probe_time_ms",
)
_ADVERTISED = ("/base_reachable_time_ms", "/retrans_time_ms")


def timers(watch: str, interfaces: tuple[str, ...]) -> tuple[Sysctl, ...]:
    """Return the settings by which the kernel watches gateways; none where it does not."""
    if watch not in _PACES:
        return ()
    reachable, again, interval = _PACES[watch]
    settings = (
        ("base_reachable_time_ms", reachable),
        ("delay_first_probe_time", "0"),
        ("retrans_time_ms", again),
        ("ucast_solicit", "2"),
        ("mcast_resolicit", "1"),
    )
    return (
        *(
            Sysctl(f"{family}/neigh/{interface}/{name}", setting)
            for interface in interfaces
            for family in ("ipv4", "ipv6")
            for name, setting in settings
        ),
        *(Sysctl(key, interval) for key in _INTERVALS),
    )


def is_advertised(key: str) -> bool:
    """Tell whether a setting is one that every advertisement of a router may change.

    Its Reachable Time and Retrans Timer (RFC 4861, 4.2) are set by the kernel where it listens to
    advertisements (ndisc_router_discovery() in net/ipv6/ndisc.c), else by systemd-networkd from 256
    on, where its file does not forbid it (networkd/takeover.py).
    """
    return key.startswith("ipv6/neigh/") and key.endswith(_ADVERTISED)


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
