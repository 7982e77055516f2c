"""Endpoints of Multipath TCP: read and set by generic netlink (linux/mptcp_pm.h), as ``ip mptcp``.

Loaded only where they are wanted, or some may be ours.
"""

from __future__ import annotations

import errno
import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.changes import AddEndpoint, DropEndpoint, LimitSubflows, MarkEndpoint
from netfail_hooks.policy.facts import Endpoint, Observation
from netfail_hooks.policy.multipath import NUMBERS
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

# linux/genetlink.h
_CTRL, _GETFAMILY, _FAMILY_ID, _FAMILY_NAME = 0x10, 3, 1, 2
# linux/mptcp_pm.h, linux/mptcp.h
_NAME, _VERSION, _NESTED = b"mptcp_pm\0", 1, 0x8000
_ADD, _DELETE, _GET, _SET_LIMITS, _GET_LIMITS, _SET_FLAGS = 1, 2, 3, 5, 6, 7
_ADDR, _SUBFLOWS = 1, 3
_FAMILY, _ID, _ADDR4, _ADDR6, _PORT, _FLAGS, _IF_IDX = 1, 2, 3, 4, 5, 6, 7
_SUBFLOW, _BACKUP, _IMPLICIT = 2, 4, 16

_Change = AddEndpoint | DropEndpoint | MarkEndpoint | LimitSubflows


def with_endpoints(observed: Observation) -> Observation:
    """Return an observation with the endpoints, as it was where the kernel does not tell of any.

    That is no reason to leave the rest undone; ``doctor`` tells why it may be so.
    """
    try:
        with rt.Netlink(rt.NETLINK_GENERIC) as netlink:
            family = _family(netlink)
            limits = rt.attributes(netlink.get(family, _head(_GET_LIMITS)), 4)
            bodies = netlink.dump(family, _head(_GET))
    except OSError:
        return observed
    return replace(
        observed,
        endpoints=tuple(_endpoints(bodies)),
        subflows=rt.whole(limits.get(_SUBFLOWS)),
    )


def make(change: _Change) -> None:
    """Make a change of endpoints. Raises OSError."""
    with rt.Netlink(rt.NETLINK_GENERIC) as netlink:
        family = _family(netlink)
        match change:
            case AddEndpoint(endpoint):
                netlink.change(family, 0, _head(_ADD) + _whole(endpoint))
            case MarkEndpoint(endpoint):
                # By its address: an id alone is understood since Linux 5.18.
                parts = _address(endpoint) + rt.number(_FLAGS, _flags(endpoint))
                netlink.change(family, 0, _head(_SET_FLAGS) + _nested(parts))
            case DropEndpoint(endpoint):
                _drop(netlink, family, endpoint)
            case LimitSubflows(subflows):
                netlink.change(family, 0, _head(_SET_LIMITS) + rt.number(_SUBFLOWS, subflows))


def _drop(netlink: rt.Netlink, family: int, endpoint: Endpoint) -> None:
    """Drop an endpoint, unless its number is somebody else's by now."""
    there = _endpoints(netlink.dump(family, _head(_GET)))
    if not any((one.number, one.address) == (endpoint.number, endpoint.address) for one in there):
        raise rt.NetlinkError(errno.ENOENT, "no such endpoint")
    netlink.change(family, 0, _head(_DELETE) + _whole(endpoint))


def _family(netlink: rt.Netlink) -> int:
    """Return the number by which the kernel knows it; NetlinkError where it has no such thing."""
    request = struct.pack("=BBxx", _GETFAMILY, 1) + rt.attribute(_FAMILY_NAME, _NAME)
    return rt.whole(rt.attributes(netlink.get(_CTRL, request), 4).get(_FAMILY_ID))


def _endpoints(bodies: Iterable[bytes]) -> Iterable[Endpoint]:
    for body in bodies:
        parts = rt.attributes(rt.attributes(body, 4).get(_ADDR, b""))
        family = rt.FAMILY_NUMBERS.get(rt.whole(parts.get(_FAMILY)))
        if family is None:
            continue
        number, flags = rt.whole(parts.get(_ID)), rt.whole(parts.get(_FLAGS))
        bound = rt.whole(parts.get(_IF_IDX)) or rt.whole(parts.get(_PORT))
        yield Endpoint(
            number=number,
            family=family,
            address=rt.text(family, parts.get(_ADDR4 if family == 4 else _ADDR6)),
            backup=bool(flags & _BACKUP),
            ours=number in NUMBERS and not bound and flags & ~_BACKUP == _SUBFLOW,
            implicit=bool(flags & _IMPLICIT),
        )


def _whole(endpoint: Endpoint) -> bytes:
    parts = _address(endpoint) + rt.attribute(_ID, bytes([endpoint.number]))
    return _nested(parts + rt.number(_FLAGS, _flags(endpoint)))


def _address(endpoint: Endpoint) -> bytes:
    kind = _ADDR4 if endpoint.family == 4 else _ADDR6
    return rt.attribute(_FAMILY, struct.pack("=H", rt.FAMILIES[endpoint.family])) + rt.attribute(
        kind, rt.packed(endpoint.family, endpoint.address)
    )


def _flags(endpoint: Endpoint) -> int:
    return _SUBFLOW | (_BACKUP if endpoint.backup else 0)


def _nested(parts: bytes) -> bytes:
    return rt.attribute(_ADDR | _NESTED, parts)


def _head(command: int) -> bytes:
    return struct.pack("=BBxx", command, _VERSION)
