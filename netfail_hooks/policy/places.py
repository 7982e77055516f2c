"""Which place in a table a route of ours takes: a free one, ahead of the routes that it replaces.

A place is a family, a table, a destination and a metric. A route that has a place keeps it: ours
takes the next. And what somebody else put ahead of all uplinks, as a VPN does, stays ahead: ours
comes after it, or traffic that was meant for a tunnel would leave in the clear.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import PROTOCOL, Observation, Route
from netfail_hooks.values import replace


def place(config: Config, observed: Observation, route: Route, beaten: int) -> Route | None:
    """Return a route with its metric, ahead of ``beaten``; None where no place is free. Pure.

    A route of ours that is right as it is keeps its place. One that is wrong gets the right one
    beside it, which takes over in one step when the wrong one goes. So nothing is ever replaced.
    """
    there = same_destination(observed, route)
    names = config.names()
    others = [
        other.metric
        for other in there
        if other.interface in names and not other.ours and other.interface != route.interface
    ]
    ceiling = min([beaten, *others])
    foreign = foreign_metrics(config, observed, route, there)
    low = max((metric for metric in foreign if metric < ceiling), default=-1) + 1
    for ours in sorted((other for other in there if other.ours), key=lambda other: other.metric):
        if low <= ours.metric <= max(ceiling - 1, 0) and ours.form == route.form:
            return replace(route, metric=ours.metric)
    if ceiling == 0:
        # No metric is less: but of IPv4 routes with one metric that counts which came last
        # (fib_insert_alias() in net/ipv4/fib_trie.c), and each keeps its own.
        return replace(route, metric=0) if route.family == 4 and 0 not in foreign else None
    taken = {other.metric for other in there}.union(foreign)
    for metric in _metrics(max(low, 1), ceiling, config.override_metric):
        if metric not in taken:
            return replace(route, metric=metric)
    return None


def same_destination(observed: Observation, route: Route) -> list[Route]:
    """Return the routes of all uplinks, and ours, to the same destination in the same table."""
    return observed.routes_to(route.family, route.table, route.destination)


def foreign_metrics(
    config: Config, observed: Observation, route: Route, there: list[Route]
) -> set[int]:
    """Return the metrics of other people's routes to the same destination.

    ``there`` are those that are seen (``same_destination``); the rest are places alone.
    """
    names = config.names()
    metrics = {other.metric for other in there if not other.ours and other.interface not in names}
    return metrics.union(observed.places_of_others(route.family, route.table, route.destination))


def _metrics(low: int, high: int, first: int) -> list[int] | range:
    """Return the metrics from ``low`` to below ``high``, ``first`` and what follows it first."""
    if not low <= first < high:
        return range(high - 1, low - 1, -1) if first >= high else range(low, high)
    return [*range(first, min(high, first + 1000)), *range(first - 1, low - 1, -1)]


def crowded(config: Config, observed: Observation) -> tuple[str, ...]:
    """Return why our default routes have no free place, a line for each family. Pure."""
    beaten = min((uplink.metric for uplink in config.uplinks), default=0)
    result = []
    for family in FAMILIES:
        route = Route(config.uplinks[0].interface, family, "default", 0, protocol=PROTOCOL)
        others = [
            default
            for default in observed.defaults(family)
            if default.interface not in config.names()
        ]
        first = [default for default in others if default.metric < beaten]
        if first and place(config, _without(config, observed), route, beaten) is None:
            metrics = " and ".join(str(default.metric) for default in first)
            result.append(
                f"IPv{family} default routes of others have metric {metrics}, the first "
                f"uplink {beaten}: no metric is left between them"
            )
    return tuple(result)


def _without(config: Config, observed: Observation) -> Observation:
    """Return the observation without the uplinks' routes, whose metrics are yet to be set."""
    foreign = [route for route in observed.routes if route.interface not in config.names()]
    return replace(observed, routes=tuple(foreign))
