"""Look once for two: what was seen holds as long as the kernel tells of no change since.

A check looks, asks the LAN for up to some seconds, and looks again under the lock before it
decides. Mostly nothing has changed meanwhile, and the kernel would have told (rtnetlink(7)): of
links, addresses, rules, next hops and routes, but for those that go with one of these.
"""

from __future__ import annotations

from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.observe import in_the_way, neighbour_bodies, now, observe, settings_of
from netfail_hooks.kernel.watch import kept
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from typing import Self

    from netfail_hooks.config import Config
    from netfail_hooks.policy.facts import Observation

# linux/rtnetlink.h, enum rtnetlink_groups: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR,
# IPV6_ROUTE, IPV6_IFINFO, IPV6_RULE, NEXTHOP
_GROUPS = sum(1 << group - 1 for group in (1, 5, 7, 8, 9, 11, 12, 19, 32))


class Unchanged:
    """An observation, and the socket that hears of any change. Use it as a context manager."""

    def __init__(self, config: Config) -> None:
        """Look. Raises OSError if the kernel won't say."""
        self._config = config
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, rt.NETLINK_ROUTE)
        try:
            self._socket.bind((0, _GROUPS))
            self._socket.settimeout(0)
            with rt.Netlink() as netlink:
                self.observed = observe(config, netlink, sparing=True)
                self._crowded = netlink.crowded
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def again(self, netlink: rt.Netlink) -> Observation | None:
        """Return the observation as it is now, None where anything has changed, or was not seen."""
        if self.observed.unseen:
            return None
        try:
            self._socket.recv(1)
        except BlockingIOError:
            netlink.crowded |= self._crowded
            netlink.heard = self._socket if self._crowded else None
            return _observe_unannounced(self._config, netlink, self.observed)
        except OSError:
            pass  # ENOBUFS: more than could be heard
        return None


def _observe_unannounced(config: Config, netlink: rt.Netlink, observed: Observation) -> Observation:
    """Return an observation with what changes untold as it is now."""
    names = {link.index: link.name for link in observed.links}
    known = neighbour_bodies(netlink, names)
    learnt, waiting = in_the_way(known)
    if config.failback_between or config.counts:
        from netfail_hooks.kernel.counted import with_counts

        observed = with_counts(config, netlink, observed)
    return replace(
        observed,
        now=now(),
        sysctls=() if config.mode == "bond" else tuple(settings_of(config, names.values())),
        neighbours=kept(known, names),
        resolved=tuple(sorted(names[index] for index in learnt if index in names)),
        waiting=tuple(sorted(names[index] for index in waiting if index in names)),
    )
