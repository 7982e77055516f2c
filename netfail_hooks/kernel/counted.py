"""What only some configurations need to know: how many bytes each uplink has carried, the hour."""

from __future__ import annotations

import struct
import time

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.policy.facts import Counted, Observation
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from netfail_hooks.config import Config

_IFLA_STATS64 = (
    23  # linux/if_link.h, struct rtnl_link_stats64: packets in and out, bytes in and out
)
_BYTES = struct.Struct("=16xQQ")


def with_counts(config: Config, netlink: rt.Netlink, observed: Observation) -> Observation:
    """Return an observation with what its config needs, as it is now."""
    if config.failback_between:
        clock = time.localtime()
        seconds = (clock.tm_hour * 60 + clock.tm_min) * 60 + min(clock.tm_sec, 59)
        observed = replace(observed, local=seconds)
    if not config.counts:
        return observed
    if config.metered:
        observed = replace(observed, day=today())
    counted = []
    for link in observed.links:
        try:
            answer = netlink.get(rt.GETLINK, struct.pack("=BxHiII", 0, 0, link.index, 0, 0))
        except rt.NetlinkError:
            continue  # gone
        stats = rt.attributes(answer, 16).get(_IFLA_STATS64, b"")
        if len(stats) >= _BYTES.size:
            received, sent = _BYTES.unpack_from(stats)
            counted.append(Counted(link.name, link.index, received + sent))
    return replace(observed, counted=tuple(counted))


def today() -> int:
    """Return which day it is here, such as 20261129."""
    date = time.localtime()
    return (date.tm_year * 100 + date.tm_mon) * 100 + date.tm_mday
