"""Which metric each default route of an uplink's file gets: the uplink's, and those after it.

Somebody who gave two routers of one NIC metrics of their own has an order in mind: the first gets
the uplink's metric, the next one more, and so on, each family by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netfail_hooks.networkd.file import (
    Section,
    asks_dhcp4,
    default_routes,
    family_of,
    is_no,
    is_yes,
    last,
    listed,
)

_UNSET = {4: 0, 6: 1024}  # systemd.network(5), Metric=; ip6_route_info_create() in net/ipv6/route.c
_DYNAMIC = 1024  # systemd.network(5), RouteMetric=
DHCP4, RA = ("DHCPv4", "DHCP"), ("IPv6AcceptRA",)
_FAMILIES = {"_dhcp4": 4, "_ipv6ra": 6}


def ranks(sections: Sequence[Section]) -> dict[int, list[int]]:
    """Return the metrics of a user's default routes by family, those that come first first."""
    metrics: dict[int, set[int]] = {4: set(), 6: set()}
    for family, metric in _metrics(sections):
        metrics.setdefault(family, set()).add(metric)
    return {family: sorted(found) for family, found in metrics.items()}


def default_metrics(sections: Sequence[Section]) -> tuple[int, ...]:
    """Return the metrics that a file of ours gives its uplink's default routes."""
    found = ranks(sections)
    return tuple(sorted({metric for family in found for metric in found[family]}))


def metric_of_route(one: Section, known: dict[int, list[int]], first: int) -> int:
    """Return the metric that a user's default route gets, ``first`` being the uplink's."""
    return _ranked(known, *place_of_route(one), first)


def place_of_route(one: Section) -> tuple[int, int]:
    """Return the family of a user's default route, and the metric that it has without us."""
    return _family(one), _own_metric(one)


def metric_of_gateway(gateway: str, known: dict[int, list[int]], first: int) -> int:
    """Return the metric of the route that a Gateway= of [Network] stands for."""
    family = family_of(gateway)
    return _ranked(known, family, _UNSET.get(family, 0), first)


def metric_of_dynamic(
    names: tuple[str, ...], sections: Sequence[Section], known: dict[int, list[int]], first: int
) -> int:
    """Return the metric of what DHCP (``DHCP4``) or a router (``RA``) says."""
    return _ranked(known, 4 if names == DHCP4 else 6, _dynamic(names, sections), first)


def _ranked(known: dict[int, list[int]], family: int, own: int, first: int) -> int:
    found = known.get(family, [])
    return first + (found.index(own) if own in found else 0)


def _metrics(sections: Sequence[Section]) -> Iterator[tuple[int, int]]:
    for gateway in listed(sections, "Gateway"):
        family = family_of(gateway)
        yield family, _UNSET.get(family, 0)
    if is_yes(last(sections, "DefaultRouteOnDevice")):
        yield 4, _UNSET[4]
    for one in default_routes(sections):
        yield _family(one), _own_metric(one)
    if asks_dhcp4(sections):
        yield 4, _dynamic(DHCP4, sections)
    if not is_no(last(sections, "IPv6AcceptRA")):
        yield 6, _dynamic(RA, sections)


def _family(one: Section) -> int:
    gateway = one.get("Gateway")
    return family_of(one.get("Destination")) or _FAMILIES.get(gateway) or family_of(gateway)


def _own_metric(one: Section) -> int:
    number = one.get("Metric")
    if number.isdecimal():
        return int(number)
    return _DYNAMIC if one.get("Gateway") in _FAMILIES else _UNSET.get(_family(one), 0)


def _dynamic(names: tuple[str, ...], sections: Sequence[Section]) -> int:
    said = [one.get("RouteMetric") for one in sections if one.name in names]
    numbers = [int(number) for number in said if number.isdecimal()]
    return numbers[-1] if numbers else _DYNAMIC
