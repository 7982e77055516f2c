"""End connections that cannot survive, so that programs hear of it and connect again.

The kernel resets them (SOCK_DESTROY, sock_diag(7), as ``ss --kill`` does): a program blocked
in a read gets ECONNABORTED now rather than ETIMEDOUT after a quarter of an hour. A connected
UDP socket keeps its old address for good, too, and gets the same error. This runs after the
switch, so pyroute2's start-up delays nothing.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.diag import SOCK_DESTROY, DiagSocket, inet_diag_req
from pyroute2.netlink.exceptions import NetlinkError

from netfail_hooks.policy.changes import CloseConnections

# All states but LISTEN, CLOSE and TIME_WAIT (include/net/tcp_states.h): those are no connections,
# and a listener serves the other uplinks too. The only state of a UDP socket with a peer is
# "established" (udp_diag_dump() in net/ipv4/udp_diag.c).
_CONNECTIONS = 0xFFF & ~(1 << 10 | 1 << 7 | 1 << 6)
_STATES = {socket.IPPROTO_TCP: _CONNECTIONS, socket.IPPROTO_UDP: 1 << 1}


def end(change: CloseConnections) -> int:
    """End the connections that have the change's address as their own; return how many.

    Raises OSError where the kernel can't (CONFIG_INET_DIAG_DESTROY, CAP_NET_ADMIN).
    """
    families = [socket.AF_INET6]  # a dual-stack server's IPv4 connections are IPv6 sockets
    addresses = {change.address, f"::ffff:{change.address}"}
    if change.family == 4:
        families.append(socket.AF_INET)
    ended = 0
    with DiagSocket() as kernel:
        kernel.bind()
        for protocol, states in _STATES.items():
            for family in families:
                for connection in kernel.get_sock_stats(family, states, protocol):
                    if connection["idiag_src"] in addresses and connection["idiag_dport"]:
                        ended += _destroy(kernel, family, protocol, connection)
    return ended


def _destroy(kernel: Any, family: int, protocol: int, connection: Any) -> int:  # noqa: ANN401 - pyroute2
    request = inet_diag_req()
    request["sdiag_family"] = family
    request["sdiag_protocol"] = protocol
    request["idiag_states"] = _STATES[protocol]
    for name in ("idiag_sport", "idiag_dport", "idiag_if", "idiag_cookie"):
        request[name] = connection[name]
    for name in ("idiag_src", "idiag_dst"):
        request[name] = _words(family, connection[name])
    try:
        tuple(kernel.nlm_request(request, SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK))
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return 0  # it ended by itself
        raise OSError(error.code, "ending a connection") from error
    return 1


def _words(family: int, address: str) -> tuple[int, ...]:
    data = socket.inet_pton(family, address).ljust(16, b"\0")
    return tuple(int.from_bytes(data[at : at + 4], "big") for at in range(0, 16, 4))
