"""Give an IPv4 address, and with it its connected route, another metric.

RTM_NEWADDR with NLM_F_REPLACE keeps an address that is there, and the kernel adds the route of the
new metric before it removes the old one (fib_modify_prefix_metric() in net/ipv4/fib_frontend.c).
Lifetimes that are left are said again, else they would be endless. One that is gone would be
added, so it is looked for just before.
"""

from __future__ import annotations

import struct

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.changes import SetMetric

# linux/if_addr.h
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_RT_PRIORITY, _IFA_PROTO = 1, 2, 6, 9, 11


def set_metric(netlink: rt.Netlink, change: SetMetric, index: int) -> None:
    """Set the metric, unless the address is gone. Raises NetlinkError."""
    for body in netlink.dump(rt.GETADDR, bytes(8)):
        kind, length, _, scope, where = struct.unpack_from("=BBBBI", body)
        found = rt.attributes(body, 8)
        if (kind, length, where) != (rt.FAMILIES[4], change.length, index):
            continue
        if rt.text(4, found.get(_IFA_LOCAL)) != change.address:
            continue
        kept = (_IFA_LOCAL, _IFA_ADDRESS, _IFA_CACHEINFO, _IFA_PROTO)
        again = struct.pack("=BBBBI", kind, length, 0, scope, index)
        again += b"".join(rt.attribute(one, found[one]) for one in kept if one in found)
        again += rt.number(_IFA_RT_PRIORITY, change.metric)
        netlink.change(rt.NEWADDR, rt.F_REPLACE, again)
