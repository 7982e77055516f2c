"""What is not ours, in numbers: routes, addresses, neighbours and interfaces of other people's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab

FOREIGN = "other0"  # the interface that they are all on
_PATIENCE = 300  # seconds


@dataclass(frozen=True)
class Row:
    """So many of other people's, and so many uplinks."""

    name: str
    routes: int = 0
    routes6: int = 0
    addresses: int = 0
    neighbours: int = 0
    links: int = 0
    count: int = 2

    @property
    def uplinks(self) -> tuple[str, ...]:
        """Return the names of the uplinks."""
        return ("eth0", "wlan0", *(f"usb{number}" for number in range(self.count - 2)))

    def crowd(self, lab: Lab) -> None:
        """Give them all to a host. Raises Problem."""
        _ip(
            lab,
            "-4",
            f"link add {FOREIGN} type veth peer name {FOREIGN}p",
            f"link set {FOREIGN}p up",
            f"link set {FOREIGN} up",
            *(f"link add more{number} type bridge" for number in range(self.links)),
            *(f"address add {_host(21, n)}/32 dev {FOREIGN}" for n in range(self.addresses)),
            *(
                f"neighbour add {_host(22, n)} lladdr 02:00:00:00:00:99 dev {FOREIGN} nud permanent"
                for n in range(self.neighbours)
            ),
            *(f"route add {_host(20, n)}/32 dev {FOREIGN} metric 50" for n in range(self.routes)),
        )
        _ip(lab, "-6", *(f"route add {net} dev {FOREIGN}" for net in _networks6(self.routes6)))


ROWS = (
    Row("nothing"),
    Row("1,000 routes", routes=1_000),
    Row("10,000 routes", routes=10_000),
    Row("20,000 routes", routes=20_000),
    Row("100,000 routes", routes=100_000),
    Row("20,000 IPv6 routes", routes6=20_000),
    Row("1,000 addresses", addresses=1_000),
    Row("10,000 addresses", addresses=10_000),
    Row("1,000 neighbours", neighbours=1_000),
    Row("4,000 neighbours", neighbours=4_000),
    Row("100 links", links=100),
    Row("1,000 links", links=1_000),
    Row("6 uplinks", count=6),
    Row("20 uplinks", count=20),
    Row(
        "all of it, 6 uplinks",
        routes=20_000,
        addresses=10_000,
        neighbours=4_000,
        links=1_000,
        count=6,
    ),
)


def _host(first: int, number: int) -> str:
    return f"{first}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _networks6(count: int) -> Iterator[str]:
    return (f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::/64" for n in range(count))


def _ip(lab: Lab, family: str, *lines: str) -> None:
    done = lab.run("ip", family, "-batch", "-", stdin="\n".join(lines), seconds=_PATIENCE)
    if done.returncode:
        raise Problem(f"ip: {done.stderr.strip()[:300]}")
