"""Change a bond by netlink: quick, and it works where /sys is read-only, as in the check's unit."""

from __future__ import annotations

from netfail_hooks.config import RESELECT
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.bond import (
    ACTIVE_SLAVE,
    ARP_ALL_TARGETS,
    ARP_INTERVAL,
    ARP_IP_TARGET,
    ARP_VALIDATE,
    NS_IP6_TARGET,
    PRIMARY,
    PRIMARY_RESELECT,
    down_body,
    master_body,
    settings_body,
)
from netfail_hooks.policy.changes import SetMonitor
from netfail_hooks.policy.facts import ALL_TARGETS_ANY, VALIDATE_ALL


def set_active(netlink: rt.Netlink, bond: int, slave: int) -> None:
    """Make a slave the active one. Raises NetlinkError (EINVAL: the monitor has it down)."""
    netlink.change(rt.NEWLINK, 0, settings_body(bond, rt.number(ACTIVE_SLAVE, slave)))


def enslave(netlink: rt.Netlink, bond: int, slave: int) -> None:
    """Put an interface into a bond; the bond takes it up. Raises NetlinkError."""
    netlink.change(rt.NEWLINK, 0, down_body(slave))
    netlink.change(rt.NEWLINK, 0, master_body(slave, bond))


def set_monitor(netlink: rt.Netlink, change: SetMonitor, bond: int, primary: int) -> None:
    """Set the monitor up as a whole; an interval of it ends MII monitoring (bonding.rst)."""
    four = [one for one in change.targets if ":" not in one]
    six = [one for one in change.targets if ":" in one]
    settings = [rt.attribute(ARP_IP_TARGET, _list(4, four))] if four else []
    settings += [rt.attribute(NS_IP6_TARGET, _list(6, six))] if six else []
    settings += [
        rt.number(ARP_INTERVAL, change.arp_interval),
        rt.number(ARP_VALIDATE, VALIDATE_ALL),
        rt.number(ARP_ALL_TARGETS, ALL_TARGETS_ANY),
        rt.attribute(PRIMARY_RESELECT, bytes([RESELECT.index(change.reselect)])),
    ]
    if primary:
        settings.append(rt.number(PRIMARY, primary))
    netlink.change(rt.NEWLINK, 0, settings_body(bond, *settings))


def _list(family: int, addresses: list[str]) -> bytes:
    return b"".join(
        rt.attribute(place, rt.packed(family, one)) for place, one in enumerate(addresses)
    )
