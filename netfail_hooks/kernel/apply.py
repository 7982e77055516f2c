"""Make changes in the kernel: of hooks and checks the only writer of routes, rules, addresses.

Settings, too. ``install`` writes some by itself (install/diversion, reconfigure, kernel_state).

Every change can be made twice, and late: it does not fail if it was made already, or if its
object is gone. The next run decides again.
"""

from __future__ import annotations

import errno
import struct
from _socket import AF_INET

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import watch
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.observe import (
    INCOMPLETE,
    NDA_DST,
    NDMSG,
    neighbour_bodies,
    neighbours,
    sysctl_path,
)
from netfail_hooks.policy.changes import (
    AddAddress,
    AddEndpoint,
    AddRule,
    Announce,
    Change,
    CloseConnections,
    DropAddress,
    DropEndpoint,
    DropRoute,
    DropRule,
    Enslave,
    FlushNeighbours,
    LimitSubflows,
    MarkEndpoint,
    SetActive,
    SetMetric,
    SetMonitor,
    SetRoute,
    SetSysctl,
    UnwatchGateway,
    WatchGateway,
    stays,
)
from netfail_hooks.policy.facts import PROTOCOL, Address, Observation, Route, Rule

# No duplicate address detection: the other owner is us. No prefix route: networkd made it.
_IPV6_FLAGS = 0x02 | rt.IFA_F_NOPREFIXROUTE  # IFA_F_NODAD (linux/if_addr.h)
_FR_ACT_TO_TBL = 1  # linux/fib_rules.h

_GONE = (errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.EEXIST, errno.ENOENT)


def apply(
    changes: tuple[Change, ...], observed: Observation, netlink: rt.Netlink, announcer: Announcer
) -> tuple[list[tuple[Change, OSError]], list[Change]]:
    """Make the changes in order; return those that failed with the reason, and those left out.

    A failure doesn't stop the rest: a later change may be the one that restores the traffic. But
    what was to be replaced stays then, for the next look.
    """
    failed, left_out = [], []
    refused: list[Change] = []
    for change in changes:
        if refused and stays(change, refused):
            left_out.append(change)
            continue
        try:
            _make(change, observed, netlink, announcer)
        except OSError as error:
            refused.append(change)
            if error.errno not in _GONE:
                failed.append((change, error))
    return failed, left_out


def _make(change: Change, observed: Observation, netlink: rt.Netlink, announcer: Announcer) -> None:
    match change:
        case SetRoute() | DropRoute():
            _make_of_route(change, observed, netlink)
        case AddRule() | DropRule():
            _make_of_rule(change, netlink)
        case AddAddress() | DropAddress() | SetMetric():
            _make_of_address(change, observed, netlink)
        case Announce():
            announcer.send(change)
        case SetSysctl(sysctl):
            with open(sysctl_path(sysctl.key), "wb", buffering=0) as file:
                file.write(sysctl.setting.encode("ascii"))
        case FlushNeighbours() | WatchGateway() | UnwatchGateway():
            _make_of_neighbour(change, observed, netlink)
        case CloseConnections():
            from netfail_hooks.kernel.connections import end

            end(change)
        case SetActive() | SetMonitor() | Enslave():
            _make_of_bond(change, observed, netlink)
        case AddEndpoint() | DropEndpoint() | MarkEndpoint() | LimitSubflows():
            from netfail_hooks.kernel import multipath

            multipath.make(change)


def _make_of_route(
    change: SetRoute | DropRoute, observed: Observation, netlink: rt.Netlink
) -> None:
    route = change.route
    body = route_body(route, _index(observed, route.interface))
    if isinstance(change, SetRoute):
        netlink.change(rt.NEWROUTE, _flags(route), body)
    else:
        netlink.change(rt.DELROUTE, 0, body)


def _make_of_rule(change: AddRule | DropRule, netlink: rt.Netlink) -> None:
    body = rule_body(change.rule)
    if isinstance(change, AddRule):
        netlink.change(rt.NEWRULE, rt.F_CREATE | rt.F_EXCL, body)
    else:
        netlink.change(rt.DELRULE, 0, body)


def _make_of_neighbour(
    change: FlushNeighbours | WatchGateway | UnwatchGateway,
    observed: Observation,
    netlink: rt.Netlink,
) -> None:
    match change:
        case FlushNeighbours(interface):
            flush_neighbours(netlink, _index(observed, interface))
        case WatchGateway(neighbour):
            watch.watch(netlink, neighbour, _index(observed, neighbour.interface))
        case UnwatchGateway(neighbour):
            watch.unwatch(netlink, neighbour, _index(observed, neighbour.interface))


def _make_of_address(
    change: AddAddress | DropAddress | SetMetric, observed: Observation, netlink: rt.Netlink
) -> None:
    match change:
        case AddAddress(address):
            body = address_body(address, _index(observed, address.interface))
            netlink.change(rt.NEWADDR, rt.F_CREATE | rt.F_REPLACE, body)
        case DropAddress(address):
            body = address_body(address, _index(observed, address.interface))
            netlink.change(rt.DELADDR, 0, body)
        case SetMetric():
            set_metric(netlink, change, _index(observed, change.interface))


def _make_of_bond(
    change: SetActive | SetMonitor | Enslave, observed: Observation, netlink: rt.Netlink
) -> None:
    from netfail_hooks.kernel import bond

    index = _index(observed, change.bond)
    match change:
        case SetActive():
            bond.set_active(netlink, index, _index(observed, change.interface))
        case Enslave():
            bond.enslave(netlink, index, _index(observed, change.interface))
        case SetMonitor():
            primary = _index(observed, change.primary) if change.primary else 0
            bond.set_monitor(netlink, change, index, primary)


def _index(observed: Observation, interface: str) -> int:
    link = observed.link(interface)
    if link is None and interface[:1] == "#":
        return int(interface[1:])  # an interface that is no uplink any more; see Observation
    if link is None:
        raise OSError(errno.ENODEV, "no such interface", interface)
    return link.index


def _flags(route: Route) -> int:
    """Return the flags that put a route into a free place, so that it replaces, or joins, none.

    Somebody may have taken the place since we looked: then the next run chooses another. An IPv4
    route without a metric can be overridden only by another one without, put ahead of it
    (policy/places.py).
    """
    return rt.F_CREATE | (rt.F_EXCL if route.metric or route.family == 6 else 0)


def route_body(route: Route, index: int) -> bytes:
    """Return an rtmsg with its attributes (rtnetlink(7))."""
    destination, _, length = route.destination.partition("/")
    scope = rt.SCOPE_UNIVERSE if route.gateway or route.family == 6 else rt.SCOPE_LINK
    low = route.table if route.table < 256 else 0
    body = struct.pack(
        "=BBBBBBBBI",
        rt.FAMILIES[route.family],
        int(length or 0),
        0,
        0,
        low,
        route.protocol,
        scope,
        rt.UNICAST,
        rt.RTNH_F_ONLINK if route.onlink else 0,
    )
    if length:
        body += rt.attribute(rt.RTA_DST, rt.packed(route.family, destination))
    if route.gateway:
        body += rt.to_router(route.family, route.gateway)
    if route.source:
        body += rt.attribute(rt.RTA_PREFSRC, rt.packed(route.family, route.source))
    if route.mtu:
        body += rt.attribute(rt.RTA_METRICS, rt.number(rt.RTAX_MTU, route.mtu))
    if not low:
        body += rt.number(rt.RTA_TABLE, route.table)
    return body + rt.number(rt.RTA_OIF, index) + rt.number(rt.RTA_PRIORITY, route.metric)


def rule_body(rule: Rule) -> bytes:
    """Return a fib_rule_hdr with its attributes (linux/fib_rules.h)."""
    source, _, length = rule.sender.partition("/")
    low = rule.table if rule.table < 256 else 0
    body = struct.pack(
        "=BBBBBBBBI",
        rt.FAMILIES[rule.family],
        0,
        int(length or 0),
        0,
        low,
        0,
        0,
        _FR_ACT_TO_TBL,
        0,
    )
    if source:
        body += rt.attribute(rt.FRA_SRC, rt.packed(rule.family, source))
    if not rule.whole:
        body += rt.number(rt.FRA_SUPPRESS_PREFIXLEN, 0)
    body += rt.number(rt.FRA_PRIORITY, rule.priority) + rt.number(rt.FRA_TABLE, rule.table)
    return body + rt.attribute(rt.FRA_PROTOCOL, bytes([rule.protocol]))


def address_body(address: Address, index: int) -> bytes:
    """Return an ifaddrmsg with its attributes (rtnetlink(7)), marked as ours."""
    packed = rt.packed(address.family, address.address)
    flags = _IPV6_FLAGS if address.family == 6 else 0
    lifetimes = struct.pack("=IIII", address.preferred, address.valid, 0, 0)
    return (
        struct.pack("=BBBBI", rt.FAMILIES[address.family], address.length, 0, 0, index)
        + rt.attribute(rt.IFA_LOCAL, packed)
        + rt.attribute(rt.IFA_ADDRESS, packed)
        + rt.number(rt.IFA_FLAGS, flags)
        + rt.attribute(rt.IFA_PROTO, bytes([PROTOCOL]))
        + rt.attribute(rt.IFA_CACHEINFO, lifetimes)
    )


def flush_neighbours(netlink: rt.Netlink, index: int) -> None:
    """Make the kernel forget an interface's neighbours, and drop packets that wait for them.

    Raises OSError.
    """
    for family, where, state, address in neighbours(neighbour_bodies(netlink, (index,))):
        if where == index and (family == AF_INET or state & INCOMPLETE):
            body = struct.pack(NDMSG, family, 0, 0, index, 0, 0, 0)
            netlink.change(rt.DELNEIGH, 0, body + rt.attribute(NDA_DST, address))


def set_metric(netlink: rt.Netlink, change: SetMetric, index: int) -> None:
    """Set the metric, unless the address is gone. Raises NetlinkError."""
    for body in netlink.dump(rt.GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, index)):
        kind, length, _, scope, where = struct.unpack_from("=BBBBI", body)
        attributes = rt.attributes(body, 8)
        if (kind, length, where) != (rt.FAMILIES[4], change.length, index):
            continue
        if rt.text(4, attributes.get(rt.IFA_LOCAL)) != change.address:
            continue
        preserved = (rt.IFA_LOCAL, rt.IFA_ADDRESS, rt.IFA_CACHEINFO, rt.IFA_PROTO)
        again = struct.pack("=BBBBI", kind, length, 0, scope, index)
        again += b"".join(
            rt.attribute(number, attributes[number]) for number in preserved if number in attributes
        )
        again += rt.number(rt.IFA_RT_PRIORITY, change.metric)
        netlink.change(rt.NEWADDR, rt.F_REPLACE, again)
