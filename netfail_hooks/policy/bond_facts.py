"""A bond as the kernel describes it (linux/if_link.h, Documentation/networking/bonding.rst)."""

from __future__ import annotations

from netfail_hooks.values import value

MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb",
         "balance-alb")  # fmt: skip
ACTIVE_BACKUP = "active-backup"
RESELECT = ("always", "better", "failure")  # IFLA_BOND_PRIMARY_RESELECT: 0, 1, 2
MAC_POLICIES = ("none", "active", "follow")  # IFLA_BOND_FAIL_OVER_MAC
LINK_STATES = ("up", "going down", "down", "going back")  # BOND_LINK_UP and so on
# Of the active slave the gateway's replies count, of a backup the active one's requests, which
# the LAN floods to it: chatter of other hosts keeps no dead uplink alive (bonding.rst).
VALIDATE_ALL = 3
ALL_TARGETS_ANY = 0


@value
class Bond:
    """What a bond is to be. ``arp_interval`` is in milliseconds; no ``targets``: the gateway."""

    name: str = "bond0"
    arp_interval: int = 100
    reselect: str = "always"
    targets: tuple[str, ...] = ()


@value
class Bonding:
    """A bond as it is. ``active`` is "" while no slave is; ``primary`` where none is set.

    ``asks_ipv6``: the kernel can monitor IPv6 targets (ns_ip6_target, Linux 5.18).
    """

    name: str
    mode: str
    active: str
    primary: str
    reselect: str
    fail_over_mac: str
    miimon: int
    arp_interval: int
    targets: tuple[str, ...]
    validate: int
    all_targets: int
    asks_ipv6: bool


@value
class Slave:
    """A slave as its bond sees it: ``link`` is the monitor's verdict, one of LINK_STATES.

    ``failures`` counts how often the monitor lost it since it was enslaved.
    """

    interface: str
    bond: str
    active: bool
    link: str
    failures: int
    permanent_mac: str
