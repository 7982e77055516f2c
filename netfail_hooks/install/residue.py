"""Take out of the kernel whatever bears our number; networkd's own routes stay beneath."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.policy.changes import Change, DropAddress, DropRoute
from netfail_hooks.policy.facts import PROTOCOL


def remove_ours() -> None:
    """Remove our routes, then our addresses, of any interface. Raises Problem."""
    try:
        with Netlink() as netlink, Announcer() as announcer:
            seen = observe(Config(uplinks=()), netlink)  # no uplinks: what is ours is left
            routes = [DropRoute(one) for one in seen.routes if one.protocol == PROTOCOL]
            addresses = [DropAddress(one) for one in seen.addresses if one.ours]
            changes: tuple[Change, ...] = (*routes, *addresses)
            failed = apply(changes, seen, netlink, announcer)
    except OSError as error:
        raise Problem(f"cannot look for what is ours in the kernel: {error}") from None
    if failed:
        told = "; ".join(f"{change}: {error.strerror}" for change, error in failed)
        raise Problem(f"cannot remove our routes and addresses: {told}")
