"""What an uplink is at this moment, whoever has it, and how it becomes a NIC that nobody had."""

from __future__ import annotations

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.snapshot import Snapshot
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import settling
from netfail_hooks.policy.facts import Link

PATIENCE = 45.0  # seconds for one to come back: Wi-Fi is joined anew, DHCP asked again
_LINK_LOCAL = b"\xfe\x80"


def is_useful(interface: str) -> bool:
    """Tell whether an uplink has a way out by now, whoever has it."""
    return bool(useful_families(interface))


def useful_families(interface: str) -> tuple[int, ...]:
    """Return the families in which an uplink has a way out by now."""
    with Netlink() as netlink:
        observed = observe(Config(uplinks=default_metrics((interface,))), netlink)
    return tuple(one for one in FAMILIES if settling.is_useful(observed, interface, one))


def has_carrier(interface: str) -> bool:
    """Tell whether its cable is in, or it has joined a network."""
    link = _link(interface)
    return link is not None and link.carrier


def is_there(interface: str) -> bool:
    """Tell whether it is plugged in."""
    return _link(interface) is not None


def _link(interface: str) -> Link | None:
    with Netlink() as netlink:
        return observe(Config(uplinks=default_metrics((interface,))), netlink).link(interface)


def flush(interface: str) -> None:
    """Remove what the last one left: with KeepConfiguration= networkd would keep it for ever.

    But for link-local addresses: the kernel makes them as the link comes up, and only then.
    """
    index = snapshot.index_of(interface)
    if not index:
        return
    with Netlink() as netlink:
        now = snapshot.take(netlink, index)
        kept = tuple(item for item in now.items if _is_link_local(item))
        snapshot.put_back(netlink, Snapshot(now.index, kept, now.taken), exactly=True)


def _is_link_local(item: snapshot.Item) -> bool:
    kinds = (rt.IFA_ADDRESS, rt.RTA_DST)  # the same number, 1
    return any(kind in kinds and data[:2] == _LINK_LOCAL for kind, data in item.parts)
