"""Facts about the machine, as plain values: the whole input of a decision.

Addresses and prefixes are text as iproute2 prints it ("192.168.1.252", "192.168.1.0/24",
"default"); a family is 4 or 6; times are milliseconds of CLOCK_BOOTTIME, which counts
suspend and never jumps (clock_gettime(2)).
"""

from __future__ import annotations

from netfail_hooks.names import FAMILIES, contains, is_address
from netfail_hooks.policy.prefixes import Addresses, Prefixes
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    Place = tuple[int, int, str]  # of routes: a family, a table and a destination

PROTOCOL = 157  # our routes (rtm_protocol) and addresses (IFA_PROTO), "netfail" in rt_protos.d
KERNEL = 2  # RTPROT_KERNEL (rtnetlink(7)): the kernel's own, such as an address's prefix
SHARED_LABEL = (
    "netfail"  # IFA_LABEL of another uplink's address, there for good (networkd/sharing.py)
)
NO_ROUTE = -1
MAIN = 254  # RT_TABLE_MAIN (rtnetlink(7))
OWN_TABLES = range(15701, 15801)  # ours, one for each uplink (policy/sources.py)
FOREVER = 2**32 - 1  # seconds: a lifetime without end (linux/if_addr.h, ifa_cacheinfo)


MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)
ACTIVE_BACKUP = "active-backup"
MAC_POLICIES = ("none", "active", "follow")  # IFLA_BOND_FAIL_OVER_MAC
LINK_STATES = ("up", "going down", "down", "going back")  # BOND_LINK_UP and so on
# For the active slave the gateway's replies count; for a backup the active slave's requests, which
# the LAN floods to it. So chatter of other hosts keeps no dead uplink alive (bonding.rst).
VALIDATE_ALL = 3
ALL_TARGETS_ANY = 0


@value
class Taken:
    """The place of a route of another interface than an uplink, or of a blackhole."""

    family: int
    destination: str
    metric: int
    table: int = MAIN


@value
class Rule:
    """A policy rule that looks up a table (ip-rule(8)). ``sender``: a prefix, "" for any.

    ``whole``: the table's default routes count, too; else only its longer prefixes do
    (``suppress_prefixlength 0``).
    """

    family: int
    priority: int
    table: int
    sender: str = ""
    whole: bool = True
    protocol: int = PROTOCOL

    @property
    def ours(self) -> bool:
        """Tell whether we made it."""
        return self.protocol == PROTOCOL


@value
class Link:
    """An uplink's interface. ``down_count`` counts carrier losses since it was made.

    ``mac`` is "" where neighbours are not asked for their hardware address: of a raw-ip modem, a
    tunnel, an interface with IFF_NOARP (netdevice(7)).
    """

    name: str
    index: int
    up: bool
    carrier: bool
    down_count: int
    mac: str


@value
class Counted:
    """How many bytes an uplink has carried in and out, of the interface with that number."""

    interface: str
    index: int
    bytes: int


@value
class Address:
    """A global address. ``valid`` and ``preferred`` are its lifetimes in seconds.

    ``ours``: we moved it here. ``shared``: another uplink's, which the ``.network`` file puts
    here too. ``metric``: of the connected route that the kernel makes for it, NO_ROUTE where it
    makes none. ``foreign``: neither networkd nor we set it, so it stays (kernel/addresses.py).
    """

    interface: str
    family: int
    address: str
    length: int
    ours: bool = False
    shared: bool = False
    preferred: int = FOREVER
    valid: int = FOREVER
    metric: int = NO_ROUTE
    foreign: bool = False


@value
class Route:
    """A unicast route of a table. ``linkdown``: the kernel skips it, no carrier."""

    interface: str
    family: int
    destination: str
    metric: int
    gateway: str = ""
    source: str = ""
    protocol: int = PROTOCOL
    linkdown: bool = False
    onlink: bool = False
    mtu: int = 0
    table: int = MAIN

    @property
    def ours(self) -> bool:
        """Tell whether we made it."""
        return self.protocol == PROTOCOL

    @property
    def form(self) -> tuple[object, ...]:
        """Return all of it but its metric, its protocol and the mark of its link."""
        return (
            self.family,
            self.table,
            self.destination,
            self.interface,
            self.gateway,
            self.source,
            self.onlink,
            self.mtu,
        )


@value
class Neighbour:
    """A neighbour of an uplink that the kernel keeps asking, or that has a fixed hardware address.

    ``ours``: we have it asked (policy/watch.py); else it is somebody else's.
    """

    interface: str
    family: int
    address: str
    ours: bool = True


@value
class Endpoint:
    """An address from which connections of Multipath TCP may go on (``ip mptcp endpoint``).

    ``number`` is its id, ``backup``: only while no other one works. ``ours``: we made it
    (policy/multipath.py); ``implicit``: the kernel did, for a connection that came in.
    """

    number: int
    family: int
    address: str
    backup: bool = False
    ours: bool = True
    implicit: bool = False


@value
class Sysctl:
    """A setting below /proc/sys/net, such as ``ipv4/conf/eth0/arp_ignore``."""

    key: str
    setting: str


@value
class Result:
    """How a round of probes of one uplink went: ``tries`` were sent up to the first good answer.

    ``rtt`` is in microseconds, 0 without a good answer; ``reason`` says what was wrong. ``silent``
    are the gateways that were asked and did not answer, ``router`` is one that did, ``hardware``
    the hardware address from which it did ("": none). Of a line that was measured, ``answered`` of
    the questions ``asked`` were, in ``waited`` milliseconds in all.
    """

    interface: str
    family: int
    healthy: bool
    tries: int
    rtt: int
    reason: str
    silent: tuple[str, ...] = ()
    router: str = ""
    hardware: str = ""
    asked: int = 0
    answered: int = 0
    waited: int = 0


@value
class Crowd:
    """An uplink with more addresses, or routes, of a family than are looked at: how many it has.

    Those that are left out are in no observation (policy/crowd.py). ``learnt``: some of them are
    what its LAN said.
    """

    interface: str
    family: int
    addresses: int
    routes: int
    learnt: bool = True


@value
class Observation:
    """The machine at one moment.

    Links, addresses and connected routes are those of the uplinks alone. Default routes, and
    whatever is ours, are those of any interface: one that is no uplink (any more) is "#" and its
    number. ``probes`` are the results of a round just made, if there was one; ``resolved`` are the
    uplinks with IPv4 neighbours whose hardware address the kernel has asked for, ``waiting`` those
    with packets that wait for one. In mode "bond" the links are the bond and its slaves.

    ``rules`` are those that are ours or look up a table of a user's own; ``tables`` are the routes
    in all such tables that are an uplink's or ours. ``taken`` are places of other people's routes
    that ours could want, those in ``routes`` and ``tables`` not among them. ``ruled`` is 1 where
    the kernel has policy rules, 0 where it has none, -1 where nobody looked, as in older
    recordings. ``crowds`` tells of which uplinks only a part is here; ``unseen`` are families whose
    routes the kernel would not show this time: nothing is decided about those. ``neighbours`` are
    those that the kernel keeps asking, and of the uplinks those with a fixed address; ``watches``
    is 1 where the kernel can do so, 0 where it can't, -1 where nobody looked. ``no_local`` are the
    uplinks with IPv6 addresses but without a link-local one. ``local`` is the local time of day in
    seconds, -1 where the config has no use for it, nor for what is ``counted``; ``day`` is the
    local date, such as 20261128, 0 without a use for it. ``endpoints`` are those of Multipath TCP,
    ``subflows`` how many ways more than the first a connection may take, -1 where nobody looked, or
    the kernel has no Multipath TCP. ``earlier`` is what had been counted at ``began``, before a
    round of probes: since then what flowed may be our own.
    """

    __slots__ = ("__dict__", "_index")  # the index is no part of the value

    now: int
    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    probes: tuple[Result, ...] = ()
    resolved: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    bonds: tuple[Bonding, ...] = ()
    slaves: tuple[Slave, ...] = ()
    rules: tuple[Rule, ...] = ()
    tables: tuple[Route, ...] = ()
    taken: tuple[Taken, ...] = ()
    ruled: int = -1
    crowds: tuple[Crowd, ...] = ()
    unseen: tuple[int, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    watches: int = -1
    no_local: tuple[str, ...] = ()
    local: int = -1
    counted: tuple[Counted, ...] = ()
    day: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    subflows: int = -1
    earlier: tuple[Counted, ...] = ()
    began: int = 0

    @property
    def index(self) -> Index:
        """Return what is here, found by what it is asked for: made once, when it is first asked."""
        index: Index | None = getattr(self, "_index", None)
        if index is None:
            index = Index(self)
            object.__setattr__(self, "_index", index)
        return index

    def link(self, name: str) -> Link | None:
        """Return the interface of that name, None where there is none now."""
        return next((link for link in self.links if link.name == name), None)

    def bonding(self, name: str) -> Bonding | None:
        """Return the bond of that name, None where there is none now."""
        return next((bond for bond in self.bonds if bond.name == name), None)

    def slave(self, name: str) -> Slave | None:
        """Return an interface as its bond sees it, None where it is in none."""
        return next((slave for slave in self.slaves if slave.interface == name), None)

    def defaults(self, family: int) -> list[Route]:
        """Return the default routes that are not ours, lowest metric first."""
        return self.index.defaults[family]

    def default_route(self, interface: str, family: int) -> Route | None:
        """Return networkd's own default route through an interface."""
        routes = self.index.best.get((interface, family))
        return routes[0] if routes else None

    def default_routes(self, interface: str, family: int) -> list[Route]:
        """Return networkd's own default routes through an interface, of the lowest metric.

        There is one for each router of its link: the kernel sends some traffic by each of them.
        """
        return self.index.best.get((interface, family), [])

    def answering_route(self, interface: str, family: int, silent: tuple[str, ...]) -> Route | None:
        """Return an uplink's default route by a router that is not among the silent ones.

        The first where all of them are; None where it has no default route.
        """
        routes = self.default_routes(interface, family)
        answering = (route for route in routes if route.gateway not in silent)
        return next(answering, routes[0] if routes else None)

    def in_use(self, family: int) -> Route | None:
        """Return the uplinks' default route that the kernel prefers now, ours or not.

        That of a VPN may come before it, and leads by it all the same.
        """
        names = [link.name for link in self.links]
        alive = [
            route
            for route in self.routes
            if (route.family, route.destination) == (family, "default")
            and route.interface in names
            and not route.linkdown
        ]
        return min(alive, key=_metric, default=None)

    def connected(self, interface: str, family: int) -> list[Route]:
        """Return the on-link prefixes of an interface, as networkd or the kernel set them."""
        return self.index.connected.get((interface, family), [])

    def prefixes(self, interface: str, family: int) -> Prefixes:
        """Return the same, to ask what lies in them."""
        return self.index.prefixes(interface, family)

    def routes_to(self, family: int, table: int, destination: str) -> list[Route]:
        """Return the routes of uplinks, and ours, to a destination in a table."""
        return self.index.routes_to.get((family, table, destination), [])

    def places_of_others(self, family: int, table: int, destination: str) -> list[int]:
        """Return the metrics that other people's routes to a destination have in a table."""
        return self.index.metrics_of_others.get((family, table, destination), [])

    def is_own_lan(self, route: Route) -> bool:
        """Tell whether a route leads to the LAN in which its uplink has an address."""
        if route.gateway or route.destination == "default":
            return False
        return self.index.numbers(route.interface, route.family).any_in(route.destination)

    def own_addresses(self, interface: str, family: int) -> list[Address]:
        """Return an interface's addresses, without those of other uplinks and of other people."""
        return self.index.own.get((interface, family), [])

    def all_addresses(self, interface: str, family: int) -> list[Address]:
        """Return an interface's addresses, other people's last; without those of other uplinks."""
        own = self.own_addresses(interface, family)
        return own + self.index.foreign.get((interface, family), [])


class Index:
    """What an observation holds, by what decisions ask for: each looks through all of it once.

    A decision asks the same of every address, and an uplink may have thousands. What few decisions
    ask for is sorted only then. Nobody may change the lists that are found here.
    """

    def __init__(self, observed: Observation) -> None:
        self._observed = observed
        self.defaults: dict[int, list[Route]] = {family: [] for family in FAMILIES}
        self.best: dict[tuple[str, int], list[Route]] = {}
        self.connected: dict[tuple[str, int], list[Route]] = {}
        for route in observed.routes:
            if route.protocol == PROTOCOL:
                continue
            if route.destination == "default":
                self.defaults[route.family].append(route)
            elif not route.gateway:
                self.connected.setdefault((route.interface, route.family), []).append(route)
        for routes in self.defaults.values():
            routes.sort(key=_metric)
            for route in routes:
                best = self.best.setdefault((route.interface, route.family), [])
                if not best or best[0].metric == route.metric:
                    best.append(route)
        self.own: dict[tuple[str, int], list[Address]] = {}
        self.foreign: dict[tuple[str, int], list[Address]] = {}
        for address in observed.addresses:
            if not (address.ours or address.shared):
                whose = self.foreign if address.foreign else self.own
                whose.setdefault((address.interface, address.family), []).append(address)
        self._prefixes: dict[tuple[str, int], Prefixes] = {}
        self._numbers: dict[tuple[str, int], Addresses] = {}
        self._routes_to: dict[tuple[int, int, str], list[Route]] | None = None
        self._metrics: dict[tuple[int, int, str], list[int]] | None = None
        self._texts: frozenset[str] | None = None

    def prefixes(self, interface: str, family: int) -> Prefixes:
        """Return an interface's on-link prefixes, in the order of ``connected``."""
        key = interface, family
        found = self._prefixes.get(key)
        if found is None:
            routes = self.connected.get(key, ())
            found = self._prefixes[key] = Prefixes(route.destination for route in routes)
        return found

    def numbers(self, interface: str, family: int) -> Addresses:
        """Return all addresses of an interface."""
        key = interface, family
        found = self._numbers.get(key)
        if found is None:
            addresses = self._observed.addresses
            texts = (a.address for a in addresses if (a.interface, a.family) == key)
            found = self._numbers[key] = Addresses(texts)
        return found

    @property
    def routes_to(self) -> dict[tuple[int, int, str], list[Route]]:
        """Return all routes by family, table and destination."""
        if self._routes_to is None:
            self._routes_to = {}
            for route in (*self._observed.routes, *self._observed.tables):
                key = (route.family, route.table, route.destination)
                self._routes_to.setdefault(key, []).append(route)
        return self._routes_to

    @property
    def metrics_of_others(self) -> dict[tuple[int, int, str], list[int]]:
        """Return the metrics of other people's routes by family, table and destination."""
        if self._metrics is None:
            self._metrics = {}
            for taken in self._observed.taken:
                key = (taken.family, taken.table, taken.destination)
                self._metrics.setdefault(key, []).append(taken.metric)
        return self._metrics

    @property
    def texts(self) -> frozenset[str]:
        """Return the addresses of all interfaces."""
        if self._texts is None:
            self._texts = frozenset(address.address for address in self._observed.addresses)
        return self._texts


def _metric(route: Route) -> int:
    return route.metric


def host_prefix(address: str) -> str:
    """Return the prefix that an address alone is in, as a rule's sender has it."""
    return f"{address}/{128 if ':' in address else 32}"


def is_prefix(text: str) -> bool:
    """Tell whether a text is ADDRESS/LENGTH, of either family."""
    address, _, length = text.partition("/")
    most = 128 if ":" in address else 32
    if not any(is_address(family, address) for family in FAMILIES):
        return False
    return length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= most


def is_within(inner: str, outer: str) -> bool:
    """Tell whether a prefix is another one, or a part of it. Neither is "default"."""
    address, _, length = inner.partition("/")
    return contains(outer, address) and int(length) >= int(outer.partition("/")[2])


@value
class Bonding:
    """A bond as it is now. ``active`` is "" while no slave is; ``primary`` is "" where none is set.

    ``asks_ipv6``: the kernel can monitor IPv6 targets (ns_ip6_target, Linux 5.18).
    """

    name: str
    mode: str
    active: str
    primary: str
    reselect: str
    fail_over_mac: str
    miimon: int
    arp_interval: int
    targets: tuple[str, ...]
    validate: int
    all_targets: int
    asks_ipv6: bool


@value
class Slave:
    """A slave as its bond sees it: ``link`` is the state that the monitor gives it (LINK_STATES).

    ``failures`` counts how often the monitor lost it since it was enslaved.
    """

    interface: str
    bond: str
    active: bool
    link: str
    failures: int
    permanent_mac: str
