"""Have a running networkd follow the files, an uplink at a time, its traffic diverted."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import time
from collections.abc import Iterator, Sequence

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import diversion
from netfail_hooks.install.diversion import divert
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import revert_change, write_change
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.apply import address_body
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.snapshot import Snapshot
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.takeover import uplink_of
from netfail_hooks.paths import Paths
from netfail_hooks.policy import places
from netfail_hooks.policy.facts import FOREVER, Address
from netfail_hooks.process import TooSlow, wait_until
from netfail_hooks.terminal.progress import doing

_PATIENCE = 20.0  # seconds for an uplink to come back; a DHCP server has some of its own
_BEGUN = 0.5  # seconds; `networkctl reload` returns before networkd starts working on it
_FORGOTTEN_WITHIN = 2.0  # seconds; networkd needs a few milliseconds
_FORGETTING = 0.02  # seconds, where it can't tell whether it has
_RTA_NH_ID = 30  # linux/rtnetlink.h
_ROUTER = (rt.RTA_GATEWAY, rt.RTA_VIA)
_STATIC, _UNREACHED = 4, (errno.ESRCH, errno.ENODEV)  # linux/rtnetlink.h: networkd's own word


def networkd_answers() -> bool:
    """Tell whether systemd-networkd runs and can be asked.

    Raises TooSlow where it runs and does not answer, or the bus does not: it hangs, and what is
    taken away it would not give back.
    """
    if not networkctl.runs():
        return False
    networkctl.require_answer()
    return True


def keep(config: Config) -> tuple[Snapshot, ...]:
    """Return what the uplinks have of addresses and routes. Raises OSError."""
    with Netlink() as netlink:
        links = observe(config, netlink).links
        return tuple(snapshot.take(netlink, link.index) for link in links)


def put_back(kept: tuple[Snapshot, ...], config: Config, bonds: Sequence[str] = ()) -> None:
    """Give the uplinks what they had, if networkd does not answer. Raises OSError, Problem.

    Else it has done so by itself, as the files say that were put back before. A bond that was not
    there goes; what one had that is gone the first uplink gets.
    """
    if networkctl.answers():
        return
    refused: list[str] = []
    with Netlink() as netlink:
        known = {one.index for one in kept}
        for name in bonds:
            index = snapshot.index_of(name)
            if index and index not in known:
                snapshot.delete(netlink, index)
        present = [snapshot.index_of(name) for name in config.names() if name not in bonds]
        indexes = [index for index in present if index]
        for one in kept:
            is_there = one.index in indexes or snapshot.is_there(one.index)
            if not (is_there or indexes):
                continue
            whose = one if is_there else snapshot.moved(one, indexes[0])
            if snapshot.missing(netlink, whose):
                snapshot.set_up(netlink, whose.index)  # a bond leaves its slaves down
            refused += snapshot.put_back(netlink, whose, exactly=is_there)
    if refused:
        raise Problem(
            f"the kernel refused some of what was there: {', '.join(refused)}",
            hint="once networkd answers: sudo systemctl restart systemd-networkd",
        )


def write(
    change: FileChange, config: Config, paths: Paths, messages: list[str] | None = None
) -> None:
    """Write a file, and have networkd take up a ``.network`` file of ours, no traffic lost.

    An uplink that doesn't come back is a Problem; with ``messages`` given, a line more there.
    """
    interface = uplink_of(change.path)
    if not interface:
        write_change(paths, change)
        return
    with _diverted(interface, config, paths, messages):
        write_change(paths, change)
        networkctl.require_answer()
        drop_static_addresses(config, interface)
        networkctl.reload()


def revert(change: FileChange, config: Config, paths: Paths) -> None:
    """Take a change back, and have networkd follow where it is a ``.network`` file of ours.

    Each by itself: a reload that finds two of them changed reconfigures both uplinks at once,
    and for a moment there is no way out. Raises Problem, OSError; then the file at least is as
    it was, if it can be.
    """
    interface = uplink_of(change.path)
    if not interface:
        revert_change(paths, change)
        return
    try:
        with _reconfigured(interface, config, paths):
            revert_change(paths, change)
    except (Problem, OSError):  # networkd did not follow, or the lock was held
        revert_change(paths, change)
        raise


def finish_pending(config: Config, paths: Paths, messages: list[str] | None = None) -> None:
    """Reconfigure the uplinks that a killed run left unfinished. Raises Problem.

    One that is no uplink any more and that networkd leaves alone is somebody else's by now.
    """
    for interface in diversion.pending(paths):
        if interface not in config.names() and networkctl.leaves_alone(interface):
            diversion.clear_pending(paths, interface)
            continue
        with _reconfigured(interface, config, paths, messages):
            pass


@contextlib.contextmanager
def _reconfigured(
    interface: str, config: Config, paths: Paths, messages: list[str] | None = None
) -> Iterator[None]:
    """Have networkd reconfigure an uplink as its file then says, whatever was begun before.

    Nothing tells how far that came: of a file that networkd has read since it changed, a reload
    takes no notice, but the addresses may be gone all the same.

    What the old file gave goes before the reload, as in ``write``: with KeepConfiguration= in the
    new file networkd would keep its routes, and call them foreign from then on. And once more
    after it: networkd may still have been at what it was told before, and added addresses again.
    """
    if not os.path.isdir(paths.at(f"/sys/class/net/{interface}")):
        yield
        diversion.clear_pending(paths, interface)
        return
    all_uplinks = tuple(dict.fromkeys((*config.names(), interface)))
    known = Config(uplinks=default_metrics(all_uplinks))
    with _diverted(interface, known, paths, messages):
        yield
        networkctl.require_answer()
        drop_static_addresses(known, interface)
        networkctl.reload()
        time.sleep(_BEGUN)
        drop_static_addresses(known, interface)
        networkctl.reconfigure(interface)


@contextlib.contextmanager
def _diverted(
    interface: str, config: Config, paths: Paths, messages: list[str] | None
) -> Iterator[None]:
    """Divert an uplink's traffic; what then goes wrong is a line more in ``messages``, if given."""
    begun = False
    try:
        waiting = f"waiting for networkd to take {interface}'s file"
        with doing(waiting, _PATIENCE), divert(config, interface, paths, _PATIENCE):
            begun = True
            yield
    except Problem as problem:
        if messages is None or not begun:
            raise
        messages.append(str(problem))


def reload(config: Config) -> None:
    """Have networkd read files that were put back, and reconfigure what it has not restored."""
    if not networkctl.answers():
        return
    with contextlib.suppress(Problem):  # it has no new file
        networkctl.reload()
    reconfigure_addressless(config)


def reconfigure_addressless(config: Config) -> None:
    """Reconfigure an uplink that has a carrier and no address: one that a kill left so.

    Slaves of a bond have none, and are well so.
    """
    if config.mode == "bond":
        return
    with Netlink() as netlink:
        observed = observe(config, netlink)
    for link in observed.links:
        addressed = any(observed.all_addresses(link.name, family) for family in FAMILIES)
        if link.carrier and not addressed:
            try:
                networkctl.reconfigure(link.name)
            except TooSlow:
                return
            except Problem:
                continue


def crowded(config: Config) -> tuple[str, ...]:
    """Return what keeps routes of ours from a place ahead of the uplinks'."""
    with Netlink() as netlink:
        return places.crowded(config, observe(config, netlink))


def drop_static_addresses(config: Config, interface: str) -> None:
    """Remove what networkd's file gave an uplink; return once it has noticed. Raises OSError."""
    with rt.Netlink() as netlink:
        observed = observe(config, netlink)
        link = observed.link(interface)
        for body in _routes(netlink, interface, link.index) if link else ():
            _remove_route(netlink, body)
        gone = [address for address in observed.addresses if _is_static(address, interface)]
        for address in gone if link else ():
            _remove(netlink, address, link.index if link else 0)

    def forgotten() -> bool:
        known = networkctl.static(interface, "Addresses")
        if known is None:
            time.sleep(_FORGETTING)
        return not known

    if gone:
        try:
            wait_until(forgotten, _FORGOTTEN_WITHIN, "end of a static address")
        except TooSlow:
            raise
        except Problem:
            return


def _is_static(address: Address, interface: str) -> bool:
    others = address.ours or address.foreign
    return address.interface == interface and not others and address.valid == FOREVER


def _remove(netlink: rt.Netlink, address: Address, index: int) -> None:
    try:
        netlink.change(rt.DELADDR, 0, address_body(address, index))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
            raise


def _remove_route(netlink: rt.Netlink, body: bytes) -> None:
    try:
        netlink.change(rt.DELROUTE, 0, body)
    except OSError as error:
        if error.errno not in _UNREACHED:
            raise


def _routes(netlink: rt.Netlink, interface: str, index: int) -> list[bytes]:
    """Return the routes of the main table that networkd knows as its file's, to be removed.

    Those of IPv4 would go with the last address, but not where one stays (a link's own, say), nor
    where they lead to a next hop (ip-nexthop(8)): networkd forgets those, too.
    """
    known = {
        (route["Family"], route["DestinationPrefixLength"], route["Priority"])
        for route in networkctl.static(interface, "Routes") or ()
        if route["Table"] == rt.TABLE_MAIN
    }
    found = []
    for kind in rt.FAMILIES.values() if known else ():
        request = struct.pack("=BBBBBBBBI", kind, 0, 0, 0, rt.TABLE_MAIN, _STATIC, 0, 0, 0)
        for body in rt.dumped(netlink, rt.GETROUTE, request):
            attributes = rt.attributes(body, 12)
            key = (kind, body[1], rt.whole(attributes.get(rt.RTA_PRIORITY)))
            if key in known:
                found += [body[:12] + one for one in _identities(attributes, index)]
    return found


def _identities(attributes: rt.Attributes, index: int) -> list[bytes]:
    """Return the attributes by which the kernel finds a route by an interface again.

    It shows the uplinks' IPv6 routes of one destination and metric as one with several hops.
    """
    place = _kept(attributes, rt.RTA_DST, rt.RTA_PRIORITY)
    if rt.RTA_MULTIPATH not in attributes or _RTA_NH_ID in attributes:
        if rt.whole(attributes.get(rt.RTA_OIF)) != index:
            return []
        hop = (_RTA_NH_ID,) if _RTA_NH_ID in attributes else (rt.RTA_OIF, *_ROUTER)
        return [place + _kept(attributes, *hop)]
    return [
        place + _kept(parts, *_ROUTER) + rt.number(rt.RTA_OIF, index)
        for where, _, parts in rt.parted(attributes)
        if where == index
    ]


def _kept(attributes: rt.Attributes, *keys: int) -> bytes:
    return b"".join(rt.attribute(key, attributes[key]) for key in keys if attributes.get(key))
