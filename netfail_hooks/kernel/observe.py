"""Observe the kernel, and return plain values. Changes nothing, imports nothing heavy."""

from __future__ import annotations

import errno
import os
import struct
import time
from _socket import AF_INET, AF_INET6, AF_UNSPEC

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.watch import can_watch, kept
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
from netfail_hooks.policy.sysctls import keys, timers
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netfail_hooks.policy.facts import Rule, Taken

    _Table = tuple[list[Route], list[Taken]]

# linux/if.h
_IFF_UP, _IFF_NOARP, _IFF_LOWER_UP, _IFF_DORMANT = 0x1, 0x80, 0x10000, 0x20000
_MAC_BYTES = 6
# linux/if_addr.h, linux/rtnetlink.h
_IFA_F_SECONDARY, _IFA_F_DADFAILED, _IFA_F_TENTATIVE, _RTNH_F_LINKDOWN = 0x01, 0x08, 0x40, 0x10
_SCOPE_SITE, _SCOPE_LINK = 200, 253
_OUR_RULE = struct.pack("=HHB", 5, rt.FRA_PROTOCOL, PROTOCOL)
_BUILT_IN = (0, 253, MAIN, 255)  # none, RT_TABLE_DEFAULT, RT_TABLE_LOCAL (linux/rtnetlink.h)
_LABEL = SHARED_LABEL.encode() + b"\0"
# linux/neighbour.h: struct ndmsg; REACHABLE, STALE, DELAY and PROBE have a hardware address
# that was learnt, FAILED was asked for in vain; PERMANENT and NOARP were configured deliberately.
NDMSG, NDA_DST = "=BBHiHBB", 1
INCOMPLETE, _ASKED = 0x01, 0x02 | 0x04 | 0x08 | 0x10 | 0x20
# Bytes of a dump that are read whatever is in it: some 300 routes, 200 addresses. Where there is
# more, the kernel is asked for less (crowded.py).
_MOST = 1 << 14


def now() -> int:
    """Return the milliseconds since boot, suspend included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def observe(config: Config, netlink: rt.Netlink, *, sparing: bool = False) -> Observation:
    """Return all that a decision may depend on. Raises OSError if the kernel won't say.

    Where there is much (``netlink.crowded``), ``sparing`` leaves out what matters only once there
    is something to do: all but the uplinks' own and IPv4's default routes. See foreign.py.
    """
    bonded = config.mode == "bond"
    wanted_links = (config.bond.name, *config.names()) if bonded else config.names()
    present = (_link(netlink, name) for name in wanted_links)
    links = tuple(link for link in present if link)
    names = {link.index: link.name for link in links}
    with_carrier = {link.index for link in links if link.carrier}
    known = neighbour_bodies(netlink, names)
    learnt, waiting = in_the_way(known)
    bodies = [] if bonded else _rules(netlink)
    rules: tuple[Rule, ...] = ()
    tables: list[tuple[int, int]] = []
    if any(len(body) > 1 for body in bodies):
        from netfail_hooks.kernel.rules import looked_up, read_rules

        rules = read_rules(bodies)
        tables = looked_up(rules)
    main, others, unseen = _routes(netlink, names, tables, sparing=sparing)
    addressed = _address_bodies(netlink, names, sparing=sparing)
    observed = Observation(
        now=now(),
        links=links,
        addresses=tuple(read_addresses(addressed, names, with_carrier, config)),
        routes=tuple(route for routes, _ in main for route in routes),
        sysctls=() if bonded else tuple(settings_of(config, names.values())),
        resolved=tuple(sorted(names[index] for index in learnt if index in names)),
        waiting=tuple(sorted(names[index] for index in waiting if index in names)),
        rules=rules,
        tables=tuple(route for routes, _ in others for route in routes),
        taken=tuple(place for _, taken in (*main, *others) for place in taken),
        ruled=int(bonded or {body[0] for body in bodies} >= _families()),
        unseen=unseen,
        neighbours=kept(known, names),
        watches=int(can_watch()),
        no_local=without_local(addressed, names),
    )
    if config.failback_between or config.counts:
        from netfail_hooks.kernel.counted import with_counts

        observed = with_counts(config, netlink, observed)
    if bonded:
        from netfail_hooks.kernel.bond import with_bond

        return with_bond(config, netlink, observed)
    return observed


def _routes(
    netlink: rt.Netlink, names: dict[int, str], tables: list[tuple[int, int]], *, sparing: bool
) -> tuple[list[_Table], list[_Table], tuple[int, ...]]:
    """Return the routes of the main table and of others, and the families that are not told of.

    One family's trouble, in whichever table, is not the other's. Raises OSError where the kernel
    tells of neither.
    """
    main: list[_Table] = []
    others: list[_Table] = []
    refused: dict[int, OSError] = {}
    for family in FAMILIES:
        wanted = ((family, MAIN), *(table for table in tables if table[0] == family))
        try:
            found = [routes_of(netlink, names, *table, sparing=sparing) for table in wanted]
        except OSError as error:
            refused[family] = error
        else:
            main.append(found[0])
            others += found[1:]
    if not main:
        raise refused[FAMILIES[0]]
    return main, others, tuple(refused)


def _link(netlink: rt.Netlink, name: str) -> Link | None:
    body = bytes(16) + rt.attribute(rt.IFLA_IFNAME, name.encode() + b"\0")
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
        carrier=_has_carrier(flags, rt.whole(attributes.get(rt.IFLA_OPERSTATE))),
        down_count=rt.whole(attributes.get(rt.IFLA_CARRIER_DOWN)),
        mac=_mac(flags, attributes.get(rt.IFLA_ADDRESS, b"")),
    )


def _mac(flags: int, address: bytes) -> str:
    """Return a hardware address by which neighbours are asked; a tunnel's is an IP address."""
    return "" if flags & _IFF_NOARP or len(address) != _MAC_BYTES else address.hex(":")


def _has_carrier(flags: int, operstate: int) -> bool:
    """Judge as networkd does (netif_has_carrier() there; RFC 2863): some drivers say UNKNOWN."""
    if operstate == rt.OPER_UNKNOWN:
        return bool(flags & _IFF_LOWER_UP) and not flags & _IFF_DORMANT
    return operstate == rt.OPER_UP


def read_addresses(
    bodies: Iterable[bytes], names: dict[int, str], with_carrier: set[int], config: Config
) -> list[Address]:
    """Return the addresses of the uplinks, and ours, of those that the kernel tells of."""
    metrics = {uplink.interface: uplink.metric for uplink in config.uplinks}
    named = {address for uplink in config.uplinks for address in uplink.follow}
    result = []
    for body in bodies:
        kind, length, _, scope, index = struct.unpack_from("=BBBBI", body)
        family = rt.FAMILY_NUMBERS.get(kind)
        if family is None or scope > _SCOPE_SITE:
            continue
        attributes = rt.attributes(body, 8)
        ours = rt.whole(attributes.get(rt.IFA_PROTO)) == PROTOCOL
        if index not in names and not ours:
            continue
        flags = rt.whole(attributes.get(rt.IFA_FLAGS))
        # Without carrier duplicate address detection can't end: tentative says nothing then.
        if flags & _IFA_F_DADFAILED or (flags & _IFA_F_TENTATIVE and index in with_carrier):
            continue
        preferred, valid = struct.unpack_from("=II", attributes[rt.IFA_CACHEINFO])
        interface = names.get(index, f"#{index}")
        text = rt.text(family, attributes.get(rt.IFA_LOCAL) or attributes.get(rt.IFA_ADDRESS))
        shared = attributes.get(rt.IFA_LABEL) == _LABEL
        known = (
            ours
            or shared
            or valid != FOREVER
            or flags & rt.IFA_F_MANAGETEMPADDR
            or rt.whole(attributes.get(rt.IFA_RT_PRIORITY)) == metrics.get(interface)
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


def without_local(bodies: Iterable[bytes], names: dict[int, str]) -> tuple[str, ...]:
    """Return the uplinks with IPv6 addresses, none of which is a link-local one that is usable."""
    with_any, with_local = set(), set()
    for body in bodies:
        # The first eight flags are in the head, too (rtnetlink(7)): nothing has to be parsed.
        kind, _, flags, scope, index = struct.unpack_from("=BBBBI", body)
        if rt.FAMILY_NUMBERS.get(kind) != 6 or index not in names:
            continue
        with_any.add(index)
        if scope == _SCOPE_LINK and not flags & (_IFA_F_DADFAILED | _IFA_F_TENTATIVE):
            with_local.add(index)
    return tuple(sorted(names[index] for index in with_any - with_local))


def _address_bodies(netlink: rt.Netlink, names: Iterable[int], *, sparing: bool) -> list[bytes]:
    if not sparing:
        return netlink.dump(rt.GETADDR, bytes(8))
    try:
        return netlink.dump(rt.GETADDR, bytes(8), most=_MOST)
    except rt.CrowdedError:
        from netfail_hooks.kernel import crowded

        return crowded.addresses(netlink, names)


def _is_listed(address: str, index: int) -> bool:
    from netfail_hooks.kernel.addresses import is_listed  # seldom needed

    return is_listed(address, index)


def _metric(attributes: rt.Attributes, flags: int) -> int:
    if flags & (_IFA_F_SECONDARY | rt.IFA_F_NOPREFIXROUTE):
        return NO_ROUTE
    return rt.whole(attributes.get(rt.IFA_RT_PRIORITY))


def _rules(netlink: rt.Netlink) -> list[bytes]:
    """Return all rules; of each that looks up a built-in table and is not ours the family alone.

    Mostly there are no others, and those need not be read.
    """
    return [
        body[:1] if body[4] in _BUILT_IN and _OUR_RULE not in body else body
        for body in rt.dumped(netlink, rt.GETRULE, bytes(12))
    ]


def _families() -> set[int]:
    """Return the families that the kernel has. It may have policy rules in one alone."""
    return {AF_INET, AF_INET6} if os.path.exists("/proc/sys/net/ipv6") else {AF_INET}


def routes_of(
    netlink: rt.Netlink,
    names: dict[int, str],
    family: int,
    table: int = MAIN,
    *,
    sparing: bool = False,
) -> tuple[list[Route], list[Taken]]:
    """Return the routes of a table that matter, and the places of other people's routes."""
    return read_routes(
        _route_bodies(netlink, names, family, table, sparing=sparing), names, family, table
    )


def read_routes(
    bodies: Iterable[bytes], names: dict[int, str], family: int, table: int
) -> tuple[list[Route], list[Taken]]:
    """Return what :func:`routes_of` does, of routes as the kernel tells of them."""
    result: list[Route] = []
    others: list[tuple[str, int, int]] = []
    for body in bodies:
        _, length, _, tos, _, protocol, _, kind, flags = struct.unpack_from("=BBBBBBBBI", body)
        attributes = rt.attributes(body, 12)
        address = rt.text(family, attributes.get(rt.RTA_DST))
        if tos or address.startswith("fe80:"):
            continue  # link-local prefixes are on every link and never ours to move
        destination = f"{address}/{length}" if length else "default"
        metric = rt.whole(attributes.get(rt.RTA_PRIORITY))
        if kind != rt.UNICAST:
            others.append((destination, metric, protocol))
            continue
        metrics = rt.attributes(attributes.get(rt.RTA_METRICS, b""))
        for index, gateway, marks in hops(attributes, flags):
            main_default = not length and table == MAIN
            if not (index in names or main_default or protocol == PROTOCOL):
                others.append((destination, metric, protocol))
                continue
            result.append(
                Route(
                    interface=names.get(index, f"#{index}"),
                    family=family,
                    destination=destination,
                    metric=metric,
                    gateway=gateway,
                    source=rt.text(family, attributes.get(rt.RTA_PREFSRC)),
                    protocol=protocol,
                    linkdown=bool(marks & _RTNH_F_LINKDOWN),
                    onlink=bool(marks & rt.RTNH_F_ONLINK),
                    mtu=rt.whole(metrics.get(rt.RTAX_MTU)),
                    table=table,
                )
            )
    if not others:
        return result, []
    from netfail_hooks.kernel.rules import taken

    return result, taken(result, others, family, table)


def _route_bodies(
    netlink: rt.Netlink, names: Iterable[int], family: int, table: int, *, sparing: bool
) -> list[bytes]:
    request = rt.table_request(family, table)
    if not sparing:
        return rt.dumped(netlink, rt.GETROUTE, request)
    try:
        return rt.dumped(netlink, rt.GETROUTE, request, most=_MOST)
    except rt.CrowdedError as too_many:
        from netfail_hooks.kernel import crowded

        return crowded.routes(netlink, names, (family, table), too_many.bodies)


def hops(attributes: rt.Attributes, flags: int) -> list[tuple[int, str, int]]:
    """Return where a route leads: interfaces, each with its gateway and flags.

    The kernel shows IPv6 routes of one destination and metric as one with several hops (struct
    rtnexthop, rtnetlink(7)), such as those of uplinks to which nobody gave metrics.
    """
    if rt.RTA_MULTIPATH not in attributes:
        return [(rt.whole(attributes.get(rt.RTA_OIF)), rt.router(attributes), flags)]
    return [(index, rt.router(parts), marks) for index, marks, parts in rt.parted(attributes)]


def settings_of(config: Config, interfaces: Iterable[str]) -> list[Sysctl]:
    """Return the settings that count of some interfaces, as far as the kernel has them."""
    names = tuple(interfaces)
    wanted = [key for interface in names for key in keys(interface)]
    wanted += [one.key for one in timers(config.watch, names)]
    settings = ((key, read_sysctl(key)) for key in wanted)
    return [Sysctl(key, setting) for key, setting in settings if setting is not None]


def in_the_way(bodies: Iterable[bytes]) -> tuple[set[int], set[int]]:
    """Return the interfaces that asked for an IPv4 neighbour, and those where packets wait."""
    learnt, waiting = set(), set()
    for family, index, state, _ in neighbours(bodies):
        if state & INCOMPLETE:
            waiting.add(index)
        elif family == AF_INET:
            learnt.add(index)
    return learnt, waiting


def neighbours(bodies: Iterable[bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield each neighbour that was learnt or is waited for: family, interface, state, address."""
    for body in bodies:
        family, _, _, index, state, _, _ = struct.unpack_from(NDMSG, body)
        if state & (_ASKED | INCOMPLETE):
            yield family, index, state, rt.attributes(body, 12)[NDA_DST]


def neighbour_bodies(netlink: rt.Netlink, indexes: Iterable[int]) -> list[bytes]:
    """Return the neighbours of ``indexes`` at least, of both families; all where there are few."""
    request = struct.pack(NDMSG, AF_UNSPEC, 0, 0, 0, 0, 0, 0)
    try:
        return netlink.dump(rt.GETNEIGH, request, most=_MOST)
    except rt.CrowdedError:
        from netfail_hooks.kernel import crowded

        return crowded.neighbours(netlink, request, indexes)


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
