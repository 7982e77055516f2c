"""Divert the traffic of an uplink to another one while networkd reconfigures it.

networkd then drops the uplink's addresses and routes, and adds them again a moment later. So
another uplink gets routes of ours ahead of all others and, on a shared subnet, the addresses;
nothing that passes by there is lost. The lock keeps hooks and checks away meanwhile: they would
see the uplink lost, and our routes as unwanted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import address_body, route_body, write_sysctl
from netfail_hooks.kernel.heard import ADDRESSES, listen
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.snapshot import Snapshot
from netfail_hooks.lock import Lock
from netfail_hooks.names import FAMILIES, is_interface_name
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.settling import Return, await_return, is_useful
from netfail_hooks.paths import Paths
from netfail_hooks.policy import places, sysctls
from netfail_hooks.policy.changes import Announce
from netfail_hooks.policy.choose import is_local_to
from netfail_hooks.policy.facts import PROTOCOL, Address, Observation, Route
from netfail_hooks.policy.routes import override
from netfail_hooks.policy.state import State
from netfail_hooks.policy.ways import following_routes
from netfail_hooks.process import TooSlow
from netfail_hooks.reconcile import load_state
from netfail_hooks.terminal.progress import doing
from netfail_hooks.values import replace

# Ahead of everything: an IPv4 route without NLM_F_APPEND goes before those of its own metric
# (fib_table_insert() in net/ipv4/fib_trie.c), and 0 is the lowest; IPv6 reads 0 as 1024.
_METRICS = {4: 0, 6: 1}
# It is so already, or what it would be on is not there; or the gateway is on none of the other
# uplink's LANs just now: then there is no way around, and traffic waits.
_NO_MATTER = (
    errno.EEXIST,
    errno.ESRCH,
    errno.ENODEV,
    errno.EADDRNOTAVAIL,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
)
_HALVES = ("0.0.0.0/1", "128.0.0.0/1")
_HEARD = 0.1  # seconds for neighbours to send elsewhere
_LOCKED = 1.1  # seconds for which they then won't hear of another change (arp's ``locktime``)


@contextlib.contextmanager
def divert(  # noqa: PLR0913 - how it is led has many sides
    config: Config,
    interface: str,
    paths: Paths,
    patience: float,
    *,
    aside: bool = False,
    first: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Divert traffic while the caller reconfigures ``interface``; return once it works again.

    ``aside``: the place of the default route is left to whoever adds one (``in_halves``). ``first``
    is done once a killed run would be known to have begun, and before neighbours hear anything.

    Raises Problem if it has not all that it had before after ``patience`` seconds, but for what its
    file no longer gives it. A run that is killed on the way leaves the interface marked as pending.
    """
    with (
        Lock(paths.lock),
        rt.Netlink() as netlink,
        Announcer() as announcer,
        contextlib.closing(listen(ADDRESSES)) as heard,
    ):
        before = observe(config, netlink)
        kept = _kept(netlink, before, interface)
        state = load_state(paths.state)
        led = _planned(config, before, state, interface, aside=aside)
        uplink = Return(interface, before, lambda: observe(config, netlink), paths)
        began = time.monotonic()
        mark_pending(paths, interface)
        try:
            if first:
                first()
            _answer(led, before)
            _lead(netlink, announcer, before, interface, led)
            yield
            with doing(f"waiting for {interface}'s address and way out", patience):
                await_return(uplink, heard, paths, patience)
            if led.moves:
                time.sleep(max(0.0, began + _LOCKED - time.monotonic()))
        except BaseException as reason:
            _put_back(netlink, kept, reason)
            raise
        finally:
            observed = observe(config, netlink)
            # A killed run's detour was around addresses that may be back only now.
            led = led.joined(_planned(config, observed, state, interface, aside=aside))
            _lead_back(netlink, announcer, observed, interface, led)
            _fall_silent(led, before)
        clear_pending(paths, interface)


def _kept(netlink: rt.Netlink, observed: Observation, interface: str) -> Snapshot | None:
    link = observed.link(interface)
    return snapshot.take(netlink, link.index) if link else None


def _put_back(netlink: rt.Netlink, kept: Snapshot | None, reason: BaseException) -> None:
    """Give an uplink back what it had, if networkd, whose work that is, does not answer."""
    if kept is None or not snapshot.missing(netlink, kept):
        return
    if isinstance(reason, TooSlow) or not networkctl.answers():
        sys.stderr.write("note: systemd-networkd does not answer: all is put back without it\n")
        snapshot.put_back(netlink, kept)


@dataclass(frozen=True, slots=True)
class Diversion:
    """What another uplink gets meanwhile: routes, and addresses that it didn't have.

    It announces all those that neighbours are to send to it: a NIC without any address drops
    what comes in (``no_addr`` in __fib_validate_source(), net/ipv4/fib_frontend.c). ``back`` are
    those that the uplink announces once it is set up: not where it is lost, and another carries.

    ``moves``: what neighbours send goes to another NIC than what the machine sends. Where it does
    not, as with a standby, whose addresses are with the uplink in use meanwhile, a neighbour may
    believe the way back later: the one in use takes in what is for any of ours.
    """

    routes: tuple[Route, ...] = ()
    addresses: tuple[Address, ...] = ()
    announced: tuple[Address, ...] = ()
    back: tuple[str, ...] = ()
    moves: bool = False

    def joined(self, other: Diversion) -> Diversion:
        """Return all that is in one of two detours."""
        return Diversion(
            tuple(dict.fromkeys((*self.routes, *other.routes))),
            tuple(dict.fromkeys((*self.addresses, *other.addresses))),
            tuple(dict.fromkeys((*self.announced, *other.announced))),
            tuple(dict.fromkeys((*self.back, *other.back))),
            self.moves or other.moves,
        )


def route_plan(config: Config, observed: Observation, state: State, interface: str) -> Diversion:
    """Return the detour around an uplink; nothing in it where there is no other way. Pure."""
    routes: list[Route] = []
    moved: list[Address] = []
    moves = False
    for family in FAMILIES:
        other = _other(config, observed, state, interface, family)
        silent = state.silent_routers(other, family)
        default_route = observed.answering_route(other, family, silent)
        if default_route is None:
            continue
        shared = {route.destination for route in observed.connected(interface, family)}
        led = [
            *(r for r in observed.connected(other, family) if r.destination in shared),
            default_route,
        ]
        ours = [
            replace(r, metric=_ahead(config, observed, r), protocol=PROTOCOL, linkdown=False)
            for r in led
        ]
        staying = _staying(config, observed, state, family)
        routes += [r for r in ours if r not in staying]
        shifted = [
            replace(one, interface=other, length=32 if family == 4 else 128, ours=True)
            for one in observed.own_addresses(interface, family)
            if is_local_to(observed, other, family, one.address)
        ]
        moves = moves or bool(shifted and _in_use(observed, family) != other)
        moved += shifted
    there = {
        (one.interface, one.address)
        for one in observed.addresses
        if not one.ours or _is_lost(state, interface, one.family)
    }
    added = tuple(one for one in moved if (one.interface, one.address) not in there)
    back = [one.address for one in moved if not _is_lost(state, interface, one.family)]
    return Diversion(tuple(routes), added, tuple(moved), tuple(back), moves)


def _planned(
    config: Config, observed: Observation, state: State, interface: str, *, aside: bool
) -> Diversion:
    led = route_plan(config, observed, state, interface)
    return in_halves(led) if aside else led


def in_halves(led: Diversion) -> Diversion:
    """Return a detour whose IPv4 default route of metric 0 is one to each half of all addresses.

    ``ip route add default`` fails while any default route has its metric (NLM_F_EXCL in
    fib_table_insert(), net/ipv4/fib_trie.c): that of ifupdown, and of dhclient's script.
    """
    routes: list[Route] = []
    for route in led.routes:
        taken = (route.family, route.destination, route.metric) == (4, "default", 0)
        into = _HALVES if taken else (route.destination,)
        routes += [replace(route, destination=destination) for destination in into]
    return Diversion(tuple(routes), led.addresses, led.announced, led.back, led.moves)


def _staying(config: Config, observed: Observation, state: State, family: int) -> list[Route]:
    """Return the routes that are there and stay: of ours only those that the hooks want.

    Others were left by a detour that was killed, and go with this one. If they didn't, the kernel
    would take ours for its own once an IPv6 address of that LAN goes: of the routes to a prefix by
    a device it removes the first (addrconf_get_prefix_route() in net/ipv6/addrconf.c).
    """
    hooks = [
        *override(config, observed, state, family),
        *following_routes(config, observed, state, family),
    ]
    return [route for route in observed.routes if not route.ours or route in hooks]


def _ahead(config: Config, observed: Observation, route: Route) -> int:
    """Return a metric ahead of all uplinks' routes, and ours; behind what others put there."""
    names = config.names()
    there = places.same_destination(observed, route)
    theirs = min((r.metric for r in there if r.interface in names), default=0)
    foreign = places.foreign_metrics(config, observed, route, there)
    before = [metric for metric in foreign if metric < theirs]
    return max(before) + 1 if before else _METRICS[route.family]


def _is_lost(state: State, interface: str, family: int) -> bool:
    """Tell whether an uplink's addresses are with another one for as long as it is lost.

    Otherwise one of ours was left by a detour that was killed: it goes with this one. One that
    was lost and is active all the same, since no other can be, has its own.
    """
    uplink_state = state.uplink_state(interface, family)
    lost = uplink_state is not None and uplink_state.is_lost
    return lost and state.active_uplink(family) != interface


def _other(config: Config, observed: Observation, state: State, interface: str, family: int) -> str:
    """Return the best other uplink with a way out, "" for none: rather one that is well.

    Of those that are well rather the one in use: then no traffic moves.
    """
    found = [
        name for name in config.names() if name != interface and is_useful(observed, name, family)
    ]
    uplink_states = {name: state.uplink_state(name, family) for name in found}
    sick = [name for name, one in uplink_states.items() if one and one.state != "up"]
    used = _in_use(observed, family)
    return min(found, key=lambda name: (name in sick, name != used), default="")


def _in_use(observed: Observation, family: int) -> str:
    """Return the uplink by which the kernel sends now, "" for none."""
    route = observed.in_use(family)
    return route.interface if route else ""


def _lead(
    netlink: rt.Netlink, announcer: Announcer, observed: Observation, interface: str, led: Diversion
) -> None:
    """Let another uplink have the traffic.

    Neighbours hear first that the addresses are where they are. Those that have sent to the other
    one already would else hear nothing new, and believe the next that asks for somebody, such as
    networkd when it gives a DHCP lease back: for ``locktime`` after a change they do not.
    """
    for address in led.addresses:
        _change(netlink, rt.NEWADDR, rt.F_CREATE, _body(observed, address))
    for route in led.routes:
        _change(netlink, rt.NEWROUTE, rt.F_CREATE, _body(observed, route))
    if led.announced:
        _announce(announcer, observed, _returning(observed, interface, led))
        _announce(announcer, observed, led.announced)
        time.sleep(_HEARD)


def _returning(observed: Observation, interface: str, led: Diversion) -> list[Address]:
    own = [one for family in FAMILIES for one in observed.own_addresses(interface, family)]
    return [one for one in own if one.address in led.back]


def _answer(led: Diversion, before: Observation) -> None:
    """Let a standby that gets the traffic meanwhile answer ARP."""
    for key in _silent(led, before):
        _set(key, sysctls.ANSWERS)


def _fall_silent(led: Diversion, before: Observation) -> None:
    for key in _silent(led, before):
        _set(key, sysctls.SILENT)


def _silent(led: Diversion, before: Observation) -> list[str]:
    keys = {sysctls.arp_ignore(route.interface) for route in led.routes}
    return [one.key for one in before.sysctls if one.key in keys and one.setting == sysctls.SILENT]


def _set(key: str, setting: str) -> None:
    with contextlib.suppress(OSError):
        write_sysctl(key, setting)


def _lead_back(
    netlink: rt.Netlink, announcer: Announcer, observed: Observation, interface: str, led: Diversion
) -> None:
    for route in led.routes:
        _change(netlink, rt.DELROUTE, 0, _body(observed, route))
    _announce(announcer, observed, _returning(observed, interface, led))
    for address in led.addresses:
        _change(netlink, rt.DELADDR, 0, _body(observed, address))


def _body(observed: Observation, item: Route | Address) -> bytes:
    link = observed.link(item.interface)
    index = link.index if link else 0
    return route_body(item, index) if isinstance(item, Route) else address_body(item, index)


def _announce(announcer: Announcer, observed: Observation, addresses: Sequence[Address]) -> None:
    for one in addresses:
        link, default_route = (
            observed.link(one.interface),
            observed.default_route(one.interface, one.family),
        )
        if link and link.carrier:
            gateway = default_route.gateway if default_route else ""
            told = Announce(one.interface, one.family, one.address, link.mac, gateway)
            with contextlib.suppress(OSError):
                announcer.send(told)


def _change(netlink: rt.Netlink, kind: int, flags: int, body: bytes) -> None:
    try:
        netlink.change(kind, flags, body)
    except OSError as error:
        if error.errno not in _NO_MATTER:
            raise


def mark_pending(paths: Paths, interface: str) -> None:
    """Note that an uplink is about to be reconfigured."""
    _mark(paths.pending(interface))


def clear_pending(paths: Paths, interface: str) -> None:
    """Note that an uplink has been reconfigured."""
    _clear(paths.pending(interface))


def pending(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks whose reconfiguration was begun and not finished, by name."""
    return _marked(paths.pending(""))


def mark_taken(paths: Paths, interface: str) -> None:
    """Note that an uplink is taken from its manager, or was, and is to be given back."""
    _mark(paths.taken(interface))


def clear_taken(paths: Paths, interface: str) -> None:
    """Note that it was given back, or that it is to stay."""
    _clear(paths.taken(interface))


def taken(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks that have changed hands and are on the way still, by name."""
    return _marked(paths.taken(""))


def _mark(path: str) -> None:
    """Make an empty file; a full disk must not prevent what it tells of."""
    with contextlib.suppress(OSError):
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))


def _clear(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _marked(start: str) -> tuple[str, ...]:
    """Return the interfaces that have such a mark, whose path is ``start`` and the name."""
    directory, mark = os.path.split(start)
    try:
        found = os.listdir(directory)
    except OSError:
        return ()
    names = (name.removeprefix(mark) for name in sorted(found) if name.startswith(mark))
    return tuple(name for name in names if is_interface_name(name))
