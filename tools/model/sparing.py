"""What a sparing look shows of a kernel with much that is not ours, and a closer one beside it.

As kernel/crowded.py and kernel/foreign.py have it of the real one: the decisions must end in the
same place, whatever such a look leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface
from typing import TYPE_CHECKING, TypeVar

from netfail_hooks.policy.facts import MAIN, Observation, Route, Taken
from netfail_hooks.values import replace
from tools.model.kernel import Kernel

if TYPE_CHECKING:
    from netfail_hooks.policy.facts import Place

T = TypeVar("T")
ROUTES, ADDRESSES = 1, 2


def sparing(kernel: Kernel, now: int, crowded: int) -> Observation:
    """Return what is seen where routes, addresses or both are crowded."""
    whole = kernel.look(now)
    names = {link.name for link in whole.links}
    if crowded & ADDRESSES:
        seen = tuple(one for one in whole.addresses if one.interface in names)
        whole = replace(whole, addresses=seen)
    if not crowded & ROUTES:
        return whole
    ahead = kernel.route(6, all_=True)  # IPv6's default route of others, if it is the one taken
    return replace(
        whole,
        routes=tuple(
            route
            for route in whole.routes
            if route.interface in names
            or (route.destination == "default" and (route.family == 4 or _is(ahead, route)))
        ),
        tables=tuple(route for route in whole.tables if route.interface in names),
        taken=tuple(t for t in whole.taken if t.family == 4 and t.destination == "default"),
    )


def completed(  # noqa: PLR0913 - as the real one
    kernel: Kernel,
    observed: Observation,
    crowded: int,
    places: Iterable[Place],
    *,
    left: bool,
    lookup: bool,
) -> Observation:
    """Return it with other people's routes to some places, and what is ``left`` that is ours."""
    whole = kernel.look(observed.now)
    if left and crowded & ADDRESSES:
        ours = tuple(one for one in whole.addresses if one.ours)
        observed = replace(observed, addresses=_joined(observed.addresses, ours))
    if not crowded & ROUTES:
        return observed
    ours_of_main = tuple(route for route in whole.routes if left and route.ours)
    observed = replace(observed, routes=_joined(observed.routes, ours_of_main))
    names = {link.name for link in observed.links}
    for place in sorted(places):
        family, table, destination = place
        if (family == 4 and destination == "default") or (
            lookup and _is_an_uplinks(kernel, place, names)
        ):
            continue
        there = [r for r in (*whole.routes, *whole.tables) if _place(r) == place]
        taken = [t for t in whole.taken if (t.family, t.table, t.destination) == place]
        hidden = [
            Taken(family, destination, route.metric, table)
            for route in there
            if not (route.ours or route.interface in names or route in observed.routes)
        ]
        if table == MAIN:
            there = [route for route in there if route.ours or route.interface in names]
            observed = replace(observed, routes=_joined(observed.routes, there))
        else:
            observed = replace(observed, tables=_joined(observed.tables, there))
        observed = replace(observed, taken=_joined(observed.taken, (*taken, *hidden)))
    return observed


def _is(ahead: Route | None, route: Route) -> bool:
    return ahead is not None and ahead.table == MAIN and _way(ahead) == _way(route)


def _way(route: Route) -> tuple[object, ...]:
    return route.family, route.destination, route.metric, route.interface


def _place(route: Route) -> Place:
    return route.family, route.table, route.destination


def _is_an_uplinks(kernel: Kernel, place: Place, names: set[str]) -> bool:
    """Tell whether the kernel would reach a place by an uplink's own route to just that."""
    family, _, destination = place
    inside = "" if destination == "default" else str(ip_interface(destination).network[-1])
    route = kernel.route(family, inside, all_=True)
    return (
        route is not None
        and _place(route) == place
        and not route.ours
        and (route.interface in names)
    )


def _joined(known: tuple[T, ...], found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*known, *found)))
