"""Look at the kernel, and return plain values. Changes nothing, imports nothing heavy."""

from __future__ import annotations

import errno
import struct
import time
from _socket import AF_INET, AF_UNSPEC

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import (
    FOREVER,
    MAIN,
    NO_ROUTE,
    PROTOCOL,
    SHARED_LABEL,
    Address,
    Link,
    Observation,
    Route,
    Sysctl,
)
from netfail_hooks.policy.sysctls import keys
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netfail_hooks.policy.facts import Rule, Taken

# linux/if_link.h, linux/if.h, RFC 2863
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_OPERSTATE, _IFLA_CARRIER_DOWN = 1, 3, 16, 48
_IFF_UP, _IFF_LOWER_UP, _IFF_DORMANT, _OPER_UNKNOWN, _OPER_UP = 0x1, 0x10000, 0x20000, 0, 6
_IFF_NOARP, _MAC_BYTES = 0x80, 6
# linux/if_addr.h
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 3, 6, 8
_IFA_RT_PRIORITY, _IFA_PROTO = 9, 11
_IFA_F_SECONDARY, _IFA_F_DADFAILED, _IFA_F_TENTATIVE, _IFA_F_NOPREFIXROUTE = 1, 0x08, 0x40, 0x200
# That of what networkd made of an advertised prefix (kernel/addresses.py)
_IFA_F_MANAGETEMPADDR = 0x100
_SCOPE_SITE = 200
_FAMILY_NUMBERS = {kind: family for family, kind in rt.FAMILIES.items()}
# linux/rtnetlink.h
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_METRICS = 1, 4, 5, 6, 7, 8
_RTA_MULTIPATH, _RTA_TABLE, _RTAX_MTU, _RTNH_F_ONLINK, _RTNH_F_LINKDOWN = 9, 15, 2, 0x4, 0x10
_OUR_RULE = struct.pack("=HHB", 5, 21, PROTOCOL)  # FRA_PROTOCOL of ours (linux/fib_rules.h)
_BUILT_IN = (0, 253, MAIN, 255)  # none, RT_TABLE_DEFAULT, RT_TABLE_LOCAL (linux/rtnetlink.h)
_LABEL = SHARED_LABEL.encode() + b"\0"


# linux/neighbour.h: struct ndmsg; REACHABLE, STALE, DELAY and PROBE have a hardware address
# that was learnt, FAILED was asked for in vain; PERMANENT and NOARP are somebody's will.
_NDMSG, _NDA_DST = "=BBHiHBB", 1
_INCOMPLETE, _ASKED = 0x01, 0x02 | 0x04 | 0x08 | 0x10 | 0x20


def now() -> int:
    """Return the milliseconds since boot, suspend included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def observe(config: Config, netlink: rt.Netlink) -> Observation:
    """Return all that a decision may depend on. Raises OSError if the kernel won't say."""
    bonded = config.mode == "bond"
    wanted_links = (config.bond.name, *config.names()) if bonded else config.names()
    present = (_link(netlink, name) for name in wanted_links)
    links = tuple(link for link in present if link)
    names = {link.index: link.name for link in links}
    with_carrier = {link.index for link in links if link.carrier}
    learnt, waiting = in_the_way(netlink)
    bodies = [b""] if bonded else _rules(netlink)
    rules: tuple[Rule, ...] = ()
    others: list[tuple[list[Route], list[Taken]]] = []
    if any(bodies):
        from netfail_hooks.kernel.rules import looked_up, read_rules

        rules = read_rules(bodies)
        others = [routes_of(netlink, names, *table) for table in looked_up(rules)]
    main = [routes_of(netlink, names, family) for family in FAMILIES]
    observed = Observation(
        now=now(),
        links=links,
        addresses=tuple(_addresses(netlink, names, with_carrier, config)),
        routes=tuple(route for routes, _ in main for route in routes),
        sysctls=() if bonded else tuple(_sysctls(names.values())),
        resolved=tuple(sorted(names[index] for index in learnt if index in names)),
        waiting=tuple(sorted(names[index] for index in waiting if index in names)),
        rules=rules,
        tables=tuple(route for routes, _ in others for route in routes),
        taken=tuple(place for _, taken in (*main, *others) for place in taken),
        ruled=int(bool(bodies)),
    )
    if bonded:
        from netfail_hooks.kernel.bond import with_bond

        return with_bond(config, netlink, observed)
    return observed


def _link(netlink: rt.Netlink, name: str) -> Link | None:
    body = bytes(16) + rt.attribute(_IFLA_IFNAME, name.encode() + b"\0")
    try:
        answer = netlink.get(rt.GETLINK, body)
    except rt.NetlinkError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    index, flags = struct.unpack_from("=iI", answer, 4)
    attributes = rt.attributes(answer, 16)
    return Link(
        name=name,
        index=index,
        up=bool(flags & _IFF_UP),
        carrier=_has_carrier(flags, rt.whole(attributes.get(_IFLA_OPERSTATE))),
        down_count=rt.whole(attributes.get(_IFLA_CARRIER_DOWN)),
        mac=_mac(flags, attributes.get(_IFLA_ADDRESS, b"")),
    )


def _mac(flags: int, address: bytes) -> str:
    """Return a hardware address by which neighbours are asked; a tunnel's is an IP address."""
    return "" if flags & _IFF_NOARP or len(address) != _MAC_BYTES else address.hex(":")


def _has_carrier(flags: int, operstate: int) -> bool:
    """Judge as networkd does (netif_has_carrier() there; RFC 2863): some drivers say UNKNOWN."""
    if operstate == _OPER_UNKNOWN:
        return bool(flags & _IFF_LOWER_UP) and not flags & _IFF_DORMANT
    return operstate == _OPER_UP


def _addresses(
    netlink: rt.Netlink, names: dict[int, str], with_carrier: set[int], config: Config
) -> list[Address]:
    metrics = {uplink.interface: uplink.metric for uplink in config.uplinks}
    named = {address for uplink in config.uplinks for address in uplink.follow}
    result = []
    for body in netlink.dump(rt.GETADDR, bytes(8)):
        kind, length, _, scope, index = struct.unpack_from("=BBBBI", body)
        family = _FAMILY_NUMBERS.get(kind)
        if family is None or scope > _SCOPE_SITE:
            continue
        attributes = rt.attributes(body, 8)
        ours = rt.whole(attributes.get(_IFA_PROTO)) == PROTOCOL
        if index not in names and not ours:
            continue
        flags = rt.whole(attributes.get(_IFA_FLAGS))
        # Without carrier duplicate address detection can't end: tentative says nothing then.
        if flags & _IFA_F_DADFAILED or (flags & _IFA_F_TENTATIVE and index in with_carrier):
            continue
        preferred, valid = struct.unpack_from("=II", attributes[_IFA_CACHEINFO])
        interface = names.get(index, f"#{index}")
        text = rt.text(family, attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS))
        shared = attributes.get(_IFA_LABEL) == _LABEL
        known = (
            ours
            or shared
            or valid != FOREVER
            or flags & _IFA_F_MANAGETEMPADDR
            or rt.whole(attributes.get(_IFA_RT_PRIORITY)) == metrics.get(interface)
            or config.mode == "bond"
            or text in named
        )
        result.append(
            Address(
                interface=interface,
                family=family,
                address=text,
                length=length,
                ours=ours,
                shared=shared,
                preferred=preferred,
                valid=valid,
                metric=_metric(attributes, flags),
                foreign=not (known or _is_listed(text, index)),
            )
        )
    return result


def _is_listed(address: str, index: int) -> bool:
    from netfail_hooks.kernel.addresses import is_listed  # seldom needed

    return is_listed(address, index)


def _metric(attributes: rt.Attributes, flags: int) -> int:
    if flags & (_IFA_F_SECONDARY | _IFA_F_NOPREFIXROUTE):
        return NO_ROUTE
    return rt.whole(attributes.get(_IFA_RT_PRIORITY))


def _rules(netlink: rt.Netlink) -> list[bytes]:
    """Return the rules that there are, those of the kernel's own that aren't ours without a body.

    Mostly there are no others, and these need not be read.
    """
    return [
        b"" if body[4] in _BUILT_IN and _OUR_RULE not in body else body
        for body in dumped(netlink, rt.GETRULE, bytes(12))
    ]


def routes_of(
    netlink: rt.Netlink, names: dict[int, str], family: int, table: int = MAIN
) -> tuple[list[Route], list[Taken]]:
    """Return the routes of a table that count, and other people's places beside them."""
    low = table if table < 256 else 0
    request = struct.pack("=BBBBBBBBI", rt.FAMILIES[family], 0, 0, 0, low, 0, 0, 0, 0)
    if not low:
        request += rt.number(_RTA_TABLE, table)
    result: list[Route] = []
    others: list[tuple[str, int, int]] = []
    for body in dumped(netlink, rt.GETROUTE, request):
        _, length, _, tos, _, protocol, _, kind, flags = struct.unpack_from("=BBBBBBBBI", body)
        attributes = rt.attributes(body, 12)
        address = rt.text(family, attributes.get(_RTA_DST))
        if tos or address.startswith("fe80:"):
            continue  # link-local prefixes are on every link and never ours to move
        destination = f"{address}/{length}" if length else "default"
        metric = rt.whole(attributes.get(_RTA_PRIORITY))
        if kind != rt.UNICAST:
            others.append((destination, metric, protocol))
            continue
        metrics = rt.attributes(attributes.get(_RTA_METRICS, b""))
        for index, gateway, marks in _hops(attributes, flags):
            everybodys = not length and table == MAIN
            if not (index in names or everybodys or protocol == PROTOCOL):
                others.append((destination, metric, protocol))
                continue
            result.append(
                Route(
                    interface=names.get(index, f"#{index}"),
                    family=family,
                    destination=destination,
                    metric=metric,
                    gateway=rt.text(family, gateway),
                    source=rt.text(family, attributes.get(_RTA_PREFSRC)),
                    protocol=protocol,
                    linkdown=bool(marks & _RTNH_F_LINKDOWN),
                    onlink=bool(marks & _RTNH_F_ONLINK),
                    mtu=rt.whole(metrics.get(_RTAX_MTU)),
                    table=table,
                )
            )
    if not others:
        return result, []
    from netfail_hooks.kernel.rules import taken

    return result, taken(result, others, family, table)


def dumped(netlink: rt.Netlink, kind: int, request: bytes) -> list[bytes]:
    """Return the routes of a table, or all rules; none where there is no such table, or no rules.

    The kernel makes even the main table when it gets its first route.
    """
    try:
        return netlink.dump(kind, request)
    except rt.NetlinkError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            return []
        raise


def _hops(attributes: rt.Attributes, flags: int) -> list[tuple[int, bytes | None, int]]:
    """Return where a route leads: interfaces, each with its gateway and flags.

    IPv6 tells routes of one destination and metric as one with several hops (struct rtnexthop,
    rtnetlink(7)): uplinks are like that as long as nobody gave them metrics.
    """
    several = attributes.get(_RTA_MULTIPATH)
    if several is None:
        return [(rt.whole(attributes.get(_RTA_OIF)), attributes.get(_RTA_GATEWAY), flags)]
    hops = []
    while len(several) >= 8:
        size, marks, _, index = struct.unpack_from("=HBBi", several)
        hops.append((index, rt.attributes(several[8:size]).get(_RTA_GATEWAY), marks))
        several = several[max(size, 8) + 3 & ~3 :]
    return hops


def _sysctls(interfaces: Iterable[str]) -> list[Sysctl]:
    settings = ((key, read_sysctl(key)) for interface in interfaces for key in keys(interface))
    return [Sysctl(key, setting) for key, setting in settings if setting is not None]


def in_the_way(netlink: rt.Netlink) -> tuple[set[int], set[int]]:
    """Return the interfaces on which an IPv4 neighbour was asked for, and where packets wait."""
    learnt, waiting = set(), set()
    for family, index, state, _ in neighbours(netlink):
        if state & _INCOMPLETE:
            waiting.add(index)
        elif family == AF_INET:
            learnt.add(index)
    return learnt, waiting


def neighbours(netlink: rt.Netlink) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield each neighbour that was learnt or is waited for: family, interface, state, address."""
    for body in netlink.dump(rt.GETNEIGH, struct.pack(_NDMSG, AF_UNSPEC, 0, 0, 0, 0, 0, 0)):
        family, _, _, index, state, _, _ = struct.unpack_from(_NDMSG, body)
        if state & (_ASKED | _INCOMPLETE):
            yield family, index, state, rt.attributes(body, 12)[_NDA_DST]


def sysctl_path(key: str) -> str:
    """Return the file of a setting."""
    return f"/proc/sys/net/{key}"


def read_sysctl(key: str) -> str | None:
    """Return a setting; None where the kernel has no such key (IPv6 switched off)."""
    try:
        with open(sysctl_path(key), "rb", buffering=0) as file:
            return file.read().decode("ascii").strip()
    except OSError:
        return None
