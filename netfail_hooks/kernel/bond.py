"""Read a bond and its slaves from the kernel, and set them (rtnetlink(7), IFLA_LINKINFO)."""

from __future__ import annotations

import struct

from netfail_hooks.config import RESELECT, Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.changes import SetMonitor
from netfail_hooks.policy.facts import (
    ALL_TARGETS_ANY,
    LINK_STATES,
    MAC_POLICIES,
    MODES,
    VALIDATE_ALL,
    Bonding,
    Link,
    Observation,
    Slave,
)
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

# linux/if_link.h
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
(
    MODE,
    ACTIVE_SLAVE,
    MIIMON,
    ARP_INTERVAL,
    ARP_IP_TARGET,
    ARP_VALIDATE,
    ARP_ALL_TARGETS,
    PRIMARY,
    PRIMARY_RESELECT,
    FAIL_OVER_MAC,
    _MISSED_MAX,
    NS_IP6_TARGET,
) = (1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 30, 31)
_SLAVE_STATE, _SLAVE_MII, _SLAVE_FAILURES, _SLAVE_HWADDR = 1, 2, 3, 4
_KIND = b"bond"


def with_bond(config: Config, netlink: rt.Netlink, observed: Observation) -> Observation:
    """Return the observation with the configured bond and slaves, as far as they are there."""
    names = {link.index: link.name for link in observed.links}
    details = {link.name: _details(netlink, link) for link in observed.links}
    bonds = [
        _bonding(name, info, names)
        for name, (_, info) in details.items()
        if name == config.bond.name and _kind(info, _INFO_KIND) == _KIND
    ]
    slaves = [
        _slave(name, names.get(master, f"#{master}"), info)
        for name, (master, info) in details.items()
        if name in config.names() and _kind(info, _INFO_SLAVE_KIND) == _KIND
    ]
    return replace(observed, bonds=tuple(bonds), slaves=tuple(slaves))


def _details(netlink: rt.Netlink, link: Link) -> tuple[int, rt.Attributes]:
    body = struct.pack("=BxHiII", 0, 0, link.index, 0, 0)
    try:
        attributes = rt.attributes(netlink.get(rt.GETLINK, body), 16)
    except rt.NetlinkError:
        return 0, {}  # gone since
    return rt.whole(attributes.get(rt.IFLA_MASTER)), rt.attributes(
        attributes.get(rt.IFLA_LINKINFO, b"")
    )


def _kind(info: rt.Attributes, which: int) -> bytes:
    return info.get(which, b"").rstrip(b"\0")


def _bonding(name: str, info: rt.Attributes, names: dict[int, str]) -> Bonding:
    data = rt.attributes(info.get(_INFO_DATA, b""))
    four = rt.attributes(data.get(ARP_IP_TARGET, b"")).values()
    six = rt.attributes(data.get(NS_IP6_TARGET, b"")).values()
    return Bonding(
        name=name,
        mode=_word(MODES, data.get(MODE)),
        active=names.get(rt.whole(data.get(ACTIVE_SLAVE)), ""),
        primary=names.get(rt.whole(data.get(PRIMARY)), ""),
        reselect=_word(RESELECT, data.get(PRIMARY_RESELECT)),
        fail_over_mac=_word(MAC_POLICIES, data.get(FAIL_OVER_MAC)),
        miimon=rt.whole(data.get(MIIMON)),
        arp_interval=rt.whole(data.get(ARP_INTERVAL)),
        targets=(*(rt.text(4, target) for target in four), *(rt.text(6, target) for target in six)),
        validate=rt.whole(data.get(ARP_VALIDATE)),
        all_targets=rt.whole(data.get(ARP_ALL_TARGETS)),
        # Reported by any kernel from 5.17 on; the targets themselves only if there are some.
        asks_ipv6=_MISSED_MAX in data,
    )


def _slave(name: str, bond: str, info: rt.Attributes) -> Slave:
    data = rt.attributes(info.get(_INFO_SLAVE_DATA, b""))
    return Slave(
        interface=name,
        bond=bond,
        active=rt.whole(data.get(_SLAVE_STATE)) == 0,
        link=_word(LINK_STATES, data.get(_SLAVE_MII)),
        failures=rt.whole(data.get(_SLAVE_FAILURES)),
        permanent_mac=data.get(_SLAVE_HWADDR, b"").hex(":"),
    )


def _word(words: Sequence[str], number: bytes | None) -> str:
    position = rt.whole(number)
    return words[position] if position < len(words) else f"#{position}"


def settings_body(index: int, *settings: bytes) -> bytes:
    """Return the message that changes settings of a bond (rtnetlink(7), RTM_NEWLINK)."""
    data = rt.attribute(_INFO_KIND, _KIND) + rt.attribute(_INFO_DATA, b"".join(settings))
    return struct.pack("=BxHiII", 0, 0, index, 0, 0) + rt.attribute(rt.IFLA_LINKINFO, data)


def master_body(index: int, bond: int) -> bytes:
    """Return the message that puts an interface into a bond."""
    return struct.pack("=BxHiII", 0, 0, index, 0, 0) + rt.number(rt.IFLA_MASTER, bond)


def down_body(index: int) -> bytes:
    """Return the message that takes an interface down: only then can it be enslaved."""
    return struct.pack("=BxHiII", 0, 0, index, 0, 1)


def set_active(netlink: rt.Netlink, bond: int, slave: int) -> None:
    """Make a slave the active one. Raises NetlinkError (EINVAL: the monitor has it down)."""
    netlink.change(rt.NEWLINK, 0, settings_body(bond, rt.number(ACTIVE_SLAVE, slave)))


def enslave(netlink: rt.Netlink, bond: int, slave: int) -> None:
    """Put an interface into a bond; the bond takes it up. Raises NetlinkError."""
    netlink.change(rt.NEWLINK, 0, down_body(slave))
    netlink.change(rt.NEWLINK, 0, master_body(slave, bond))


def set_monitor(netlink: rt.Netlink, change: SetMonitor, bond: int, primary: int) -> None:
    """Set all of the monitor; an ARP interval ends MII monitoring (bonding.rst)."""
    four = [target for target in change.targets if ":" not in target]
    six = [target for target in change.targets if ":" in target]
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
        rt.attribute(place, rt.packed(family, address)) for place, address in enumerate(addresses)
    )
