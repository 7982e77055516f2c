"""Which gateways the kernel keeps asking by itself: the active uplink's, while they answer. Pure.

A neighbour with NTF_EXT_MANAGED (Linux 5.16, include/uapi/linux/neighbour.h) is asked again and
again whether there is traffic or not. When it no longer answers the kernel says so at once, and the
service manager starts ``netfail_hooks.watch``. Until then nothing of ours runs.

- Only on the active uplink. On a standby the question would carry an address of ours and draw the
  LAN's traffic there; on an uplink that was given up, the shared address.
- Only while it answers. The kernel repeats its word every second or so, for as long as nobody
  answers: a machine without any way out would be woken all the time. The timer asks then.
- Of IPv6 only where the uplink has a link-local address: it asks by that alone, without one not at
  all (ndisc_send_ns() in net/ipv6/ndisc.c). It would then say that nobody answers each second, and
  packets that wait meanwhile would be lost ("No route to host").
- Never where somebody gave the gateway a fixed hardware address, or keeps asking it themselves:
  there is one entry for each neighbour, and it is theirs.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES, family_of_address
from netfail_hooks.policy.changes import Change, UnwatchGateway, WatchGateway
from netfail_hooks.policy.facts import Neighbour, Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RELEASE = (6, 0)  # of Linux: since then it says how often it asks (interval_probe_time_ms)


def gateways(config: Config, observed: Observation, after: State) -> list[Neighbour]:
    """Return the gateways that the kernel should keep asking."""
    if config.watch == "off" or observed.watches != 1:
        return []
    theirs = {
        (neighbour.interface, neighbour.address)
        for neighbour in observed.neighbours
        if not neighbour.ours
    }
    result = []
    for family in FAMILIES:
        name = after.active_uplink(family)
        judged = after.uplink_state(name, family)
        if judged is None or not _answers(judged) or not _is_askable(config, observed, name):
            continue
        if family == 6 and name in observed.no_local:
            continue
        silent = after.silent_routers(name, family)
        for route in observed.default_routes(name, family):
            wanted = Neighbour(name, family_of_address(route.gateway), route.gateway)
            left_out = route.gateway in ("", *silent) or (name, route.gateway) in theirs
            if not left_out and wanted not in result:
                result.append(wanted)
    return result


def unwatched(config: Config, observed: Observation, after: State) -> bool:
    """Tell whether a round asks gateways of the active uplinks that the kernel can't keep asking.

    Then a dead one is found by the timer alone.
    """
    if observed.watches < 0:
        return False
    watched = gateways(config, observed, after)
    return any(
        _is_askable(config, observed, name)
        and any(route.gateway for route in observed.default_routes(name, family))
        and not has_watched(watched, observed, name, family)
        for family in FAMILIES
        if (name := after.active_uplink(family))
    )


def has_watched(
    watched: Iterable[Neighbour], observed: Observation, name: str, family: int
) -> bool:
    """Tell whether one of an uplink's routers is among the neighbours that are kept asked."""
    routers = {route.gateway for route in observed.default_routes(name, family)}
    return any(one.interface == name and one.address in routers for one in watched)


def is_at_rest(config: Config, observed: Observation, after: State) -> bool:
    """Tell whether the timer's period is soon enough: all is well, or events will tell."""
    return config.mode == "bond" or not (
        any(one.state == "recovering" or one.fails for one in after.uplinks)
        or unwatched(config, observed, after)
    )


def _answers(judged: UplinkState) -> bool:
    return not judged.reason or judged.is_poor


def _is_askable(config: Config, observed: Observation, name: str) -> bool:
    link = observed.link(name)
    asks = any(uplink.interface == name and uplink.gateway for uplink in config.uplinks)
    return bool(asks and link and link.carrier and link.mac)


def moved(config: Config, observed: Observation, after: State) -> tuple[list[Change], list[Change]]:
    """Return what is no longer to be asked, and what is to be from now on."""
    want = gateways(config, observed, after)
    have = [neighbour for neighbour in observed.neighbours if neighbour.ours]
    return (
        [UnwatchGateway(one) for one in have if one not in want],
        [WatchGateway(one) for one in want if one not in have],
    )
