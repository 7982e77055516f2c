"""What install changes in the kernel, and gives back: settings, route order, what is ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes
from netfail_hooks.kernel import observe as kernel_observe
from netfail_hooks.kernel.announce import Announcer
from netfail_hooks.kernel.apply import apply, write_sysctl
from netfail_hooks.kernel.lookup import destination, everywhere, look_up
from netfail_hooks.kernel.multipath import with_endpoints
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.lock import Lock
from netfail_hooks.names import FAMILIES
from netfail_hooks.paths import Paths
from netfail_hooks.policy import multipath, sysctls
from netfail_hooks.policy.changes import Change, DropAddress, DropRoute, DropRule, UnwatchGateway
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.process import wait_until
from netfail_hooks.reconcile import load_state, save_state
from netfail_hooks.terminal.progress import doing

_LEFT = "run it again; what is left is gone after a reboot"
_DETECTS = "ipv6/conf/{}/dad_transmits"
_CUT_OFF_AFTER = 5.0  # seconds; each uplink has come back by itself by then


def remove_our_routes() -> None:
    """Remove our rules, routes of all tables, and addresses, of any interface. Raises Problem."""

    def found(observed: Observation, netlink: Netlink) -> Iterator[Change]:
        yield from (DropRule(one) for one in observed.rules if one.ours)
        yield from (DropRoute(one) for one in everywhere(netlink))
        yield from _our_addresses(observed)
        yield from (UnwatchGateway(one) for one in observed.neighbours if one.ours)

    _remove("rules, routes and addresses", found)


def remove_our_addresses(families: Sequence[int] = FAMILIES) -> None:
    """Remove those that uplinks have from us, such as another one's by a detour. Raises Problem."""
    _remove("addresses", lambda observed, _: _our_addresses(observed, families))


def _our_addresses(observed: Observation, families: Sequence[int] = FAMILIES) -> Iterator[Change]:
    found = (one for one in observed.addresses if one.ours and one.family in families)
    yield from map(DropAddress, found)


def _remove(what: str, found: Callable[[Observation, Netlink], Iterable[Change]]) -> None:
    try:
        with Netlink() as netlink, Announcer() as announcer:
            observed = observe(Config(uplinks=()), netlink)  # no uplinks: what is ours is left
            failed, _ = apply(tuple(found(observed, netlink)), observed, netlink, announcer)
    except OSError as error:
        told = f"cannot look for what is ours in the kernel: {error}"
        raise Problem(told, hint=_LEFT) from None
    _refuse_left(what, failed)


def remove_our_endpoints(state: State) -> None:
    """Remove our endpoints of Multipath TCP, and give the limit back. Raises Problem."""
    without = Config(uplinks=())
    with Netlink() as netlink, Announcer() as announcer:
        observed = with_endpoints(Observation(now=0))
        changes = multipath.changes(without, observed, state)
        failed, _ = apply(tuple(changes), observed, netlink, announcer)
    _refuse_left("endpoints of Multipath TCP", failed)


def _refuse_left(what: str, failed: Sequence[tuple[Change, OSError]]) -> None:
    if failed:
        told = "; ".join(f"{change}: {error.strerror}" for change, error in failed)
        raise Problem(f"cannot remove our {what}: {told}", hint=_LEFT)


def remove_ours(paths: Paths) -> list[str]:
    """Remove all of ours, and give the limit of Multipath TCP back; return what goes wrong.

    Endpoints go before the rules by which their packets leave.
    """
    messages = []
    try:
        remove_our_endpoints(load_state(paths.state))
    except (Problem, OSError) as problem:
        messages.append(str(problem))
    try:
        remove_our_routes()
    except Problem as problem:
        messages.append(str(problem))
    return messages


def judge_anew(paths: Paths) -> None:
    """Have hooks forget how uplinks were. What the limit of Multipath TCP was before us stays.

    Else the next one would take ours for it.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Problem):  # a hook hangs
            stack.enter_context(Lock(paths.lock))
        kept = State(multipath=load_state(paths.state).multipath)
        if not kept.multipath:
            nodes.remove(paths.state)
            return
        with contextlib.suppress(OSError):  # the disk is full: it stays as it is
            save_state(paths.state, kept)


def reached_families(config: Config) -> tuple[int, ...]:
    """Return the families in which the kernel finds a route to beyond the machine's LANs."""
    with Netlink() as netlink:
        return tuple(
            family for family in FAMILIES if look_up(netlink, family, destination(config, family))
        )


def refuse_cut_off(before: Sequence[int], config: Config, wanted: Sequence[int]) -> list[str]:
    """Refuse to go on with a machine that has lost a way out which it had. Raises Problem.

    One in another family than ``wanted``, which the files give it no more, is a message instead.
    """

    def lost(families: Sequence[int]) -> list[int]:
        now = reached_families(config) if families else ()
        return [family for family in families if family not in now]

    kept = [family for family in before if family in wanted]
    waiting = doing("waiting for a way out", _CUT_OFF_AFTER)
    with waiting, contextlib.suppress(Problem):
        wait_until(lambda: not lost(kept), _CUT_OFF_AFTER, "way out")
    if families := lost(kept):
        named = " and ".join(f"IPv{family}" for family in families)
        place = destination(config, families[0])
        raise Problem(
            f"{named} had a way out before, and has none after",
            hint=f"see 'ip route get {place}' and 'ip -{families[0]} route'; does a route with "
            "Type=unreachable or the like come before those of the uplinks?",
        )
    return [
        f"IPv{family} has no way out any more: no uplink's .network file gives it one"
        for family in lost([family for family in before if family not in wanted])
    ]


def default_route_order(config: Config) -> tuple[str, ...]:
    """Return the uplinks in the order in which the kernel lists their IPv4 default routes."""
    with Netlink() as netlink:
        observed = observe(config, netlink)
    return tuple(
        route.interface for route in observed.defaults(4) if observed.link(route.interface)
    )


def networkds_sysctls(names: Sequence[str]) -> list[str]:
    """Return what networkd sets of a link as it sets it up, and no other manager sets back.

    (``link_set_sysctl()`` of systemd's networkd-sysctl.c, but for what ours has besides.)
    """
    kept = (
        "ipv4/conf/{}/promote_secondaries",
        _DETECTS,
        "ipv6/conf/{}/accept_ra",
        "ipv6/conf/{}/use_tempaddr",
        "ipv6/conf/{}/disable_ipv6",
    )
    return [key.format(name) for name in names for key in kept]


def undetected(names: Sequence[str]) -> list[str]:
    """Return what networkd sets by our files, which have it not look for duplicates of addresses.

    By a file that says nothing of that it leaves the setting as it is.
    """
    return [_DETECTS.format(name) for name in names]


def current_sysctls(names: Sequence[str], handed: Sequence[str] = ()) -> dict[str, str]:
    """Return the settings that we change, as they are now; as silent only we make an uplink.

    ``handed`` are uplinks that networkd has not had until now.
    """
    keys = [key for name in names for key in sysctls.keys(name)]
    keys += [*undetected(names), *networkds_sysctls(handed)]
    keys += [one.key for one in sysctls.timers("on", tuple(names))]
    found = {key: kernel_observe.read_sysctl(key) for key in keys}
    quiet = [sysctls.arp_ignore(name) for name in names]
    return {
        key: sysctls.ANSWERS if key in quiet and setting == sysctls.SILENT else setting
        for key, setting in found.items()
        if setting is not None
    }


def set_sysctls(settings: dict[str, str]) -> list[str]:
    """Give settings their value; return what the kernel refused. One that is gone is no matter."""
    refused = []
    for key, setting in settings.items():
        if kernel_observe.read_sysctl(key) in (None, setting):
            continue
        try:
            write_sysctl(key, setting)
        except OSError as error:
            refused.append(f"net.{key.replace('/', '.')}={setting}: {error.strerror}")
    return refused


def let_answer(names: Sequence[str], known: dict[str, str]) -> list[str]:
    """Have uplinks answer ARP as before us (``known``); return what the kernel refused."""
    keys = [sysctls.arp_ignore(name) for name in names]
    return set_sysctls({key: known.get(key, sysctls.ANSWERS) for key in keys})
