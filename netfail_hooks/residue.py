"""Take out of the kernel whatever bears our number; networkd's own routes stay beneath."""

from __future__ import annotations

import errno
import socket
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netfail_hooks.errors import Problem
from netfail_hooks.facts import PROTOCOL

_GONE = (errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)


def remove_ours() -> None:
    """Remove our routes, then our addresses, of any interface. Raises Problem."""
    try:
        with IPRoute() as kernel:
            for family in (socket.AF_INET, socket.AF_INET6):
                kernel.flush_routes(family=family, proto=PROTOCOL)
            for one in kernel.get_addr():
                if one.get_attr("IFA_PROTO") == PROTOCOL:
                    _remove_address(kernel, one)
    except (NetlinkError, OSError) as error:
        raise Problem(f"cannot remove our routes and addresses: {error}") from None


def _remove_address(kernel: Any, one: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
    address = one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS")
    try:
        kernel.addr("del", index=one["index"], address=address, prefixlen=one["prefixlen"])
    except NetlinkError as error:
        if error.code not in _GONE:
            raise
