"""Machines whose LANs say much: addresses, prefixes and routes by the hundred on each uplink."""

from __future__ import annotations

import random

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.policy.facts import (
    MAIN,
    NO_ROUTE,
    Address,
    Link,
    Observation,
    Route,
    Rule,
    Taken,
)
from netfail_hooks.values import replace

NAMES = ("eth0", "wlan0", "usb0")
DHCP, RA, KERNEL = 16, 9, 2


def config() -> Config:
    return Config(uplinks=default_metrics(NAMES))


def machine(
    chance: random.Random, much: dict[int, int], lost: tuple[str, ...] = (), *, apart: bool = False
) -> Observation:
    """Return a machine; ``much`` is how many of each kind an uplink has in a family."""
    links, addresses, routes, tables, taken, rules = [], [], [], [], [], []
    for rank, name in enumerate(NAMES):
        up = name not in lost
        losses = 0 if up else 1
        links.append(Link(name, rank + 1, up=True, carrier=up, down_count=losses, mac=f"02:{rank}"))
        for family, count in much.items():
            usual = _usual(name, rank, family, lan=rank if apart else 0)
            more = [_more(chance, name, rank, family) for _ in range(count)]
            addresses += [usual[0], *(one[0] for one in more)]
            routes += [*usual[1:], *(route for one in more for route in one[1:3])]
            tables += [one[3] for one in more]
            taken += [Taken(family, one[1].destination, 7) for one in more]
            sender = usual[1].destination
            rules += [Rule(family, 100 + n, 77, sender, protocol=4) for n in range(count)]
    return Observation(
        now=1_000_000,
        links=tuple(links),
        addresses=tuple(addresses),
        routes=tuple(_linkdown(route, lost) for route in routes),
        tables=tuple(_linkdown(route, lost) for route in tables),
        taken=tuple(taken),
        rules=tuple(rules),
        resolved=NAMES,
        ruled=1,
    )


def _linkdown(route: Route, lost: tuple[str, ...]) -> Route:
    return replace(route, linkdown=route.interface in lost)


def _usual(name: str, rank: int, family: int, lan: int) -> tuple[Address, Route, Route]:
    metric = 100 + 500 * rank
    if family == 4:
        own = f"10.{lan}.0.{50 + rank}"
        return (
            Address(name, 4, own, 24, metric=metric),
            Route(name, 4, f"10.{lan}.0.0/24", metric, source=own, protocol=KERNEL),
            Route(name, 4, "default", metric, f"10.{lan}.0.1", protocol=DHCP),
        )
    return (
        _learnt(name, 6, f"fd00:{lan}::{50 + rank}", 64),
        Route(name, 6, f"fd00:{lan}::/64", metric, protocol=RA),
        Route(name, 6, "default", metric, "fe80::1", protocol=RA),
    )


def _learnt(name: str, family: int, address: str, length: int) -> Address:
    return Address(name, family, address, length, preferred=900, valid=1800, metric=NO_ROUTE)


def _more(
    chance: random.Random, name: str, rank: int, family: int
) -> tuple[Address, Route, Route, Route]:
    """Return an address, its prefix, and routes of the main and another table, drawn."""
    metric = 100 + 500 * rank
    if family == 4:
        lan = f"172.{chance.randrange(16, 32)}.{chance.randrange(256)}"
        own = f"{lan}.{chance.randrange(2, 250)}"
        prefix, host, length = f"{lan}.0/24", f"192.168.{lan.split('.')[2]}.0/24", 24
        gateway, maker = f"10.{rank}.0.1", DHCP
    else:
        lan = f"fd77:{chance.randrange(16):x}:{chance.randrange(1 << 16):x}"
        length = chance.choice((64, 64, 64, 56, 60, 80, 127))
        own, prefix = f"{lan}::{chance.randrange(2, 1 << 16):x}", f"{lan}::/{length}"
        host, gateway, maker = f"fd88:{chance.randrange(1 << 16):x}::/48", "fe80::1", RA
    return (
        _learnt(name, family, own, length),
        Route(name, family, prefix, metric, protocol=maker),
        Route(name, family, host, metric, gateway, protocol=maker),
        Route(name, family, host, metric, gateway, protocol=maker, table=MAIN + 1000),
    )
