"""Every change that we can make to a machine, as values. ``str()`` describes it to people."""

from __future__ import annotations

from netfail_hooks.policy.facts import MAIN, Address, Endpoint, Neighbour, Route, Rule, Sysctl
from netfail_hooks.policy.sysctls import ANSWERS, SILENT
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netfail_hooks.policy.facts import Place


@value
class SetSysctl:
    """Give a kernel setting its value."""

    sysctl: Sysctl

    def __str__(self) -> str:
        return f"set net.{self.sysctl.key.replace('/', '.')}={self.sysctl.setting}"


@value
class AddAddress:
    """Let an uplink take over an address."""

    address: Address

    def __str__(self) -> str:
        return f"add {self.address.address}/{self.address.length} to {self.address.interface}"


@value
class DropAddress:
    """Give an address back."""

    address: Address

    def __str__(self) -> str:
        return f"drop {self.address.address}/{self.address.length} from {self.address.interface}"


@value
class SetMetric:
    """Give an address the metric of its uplink again, and so its connected route."""

    interface: str
    address: str
    length: int
    metric: int

    def __str__(self) -> str:
        return f"set metric {self.metric} of {self.address}/{self.length} on {self.interface}"


@value
class SetRoute:
    """Add a route of ours, in a place that is free (policy/places.py)."""

    route: Route

    def __str__(self) -> str:
        return f"set {_route(self.route)}"


@value
class DropRoute:
    """Remove a route of ours."""

    route: Route

    def __str__(self) -> str:
        return f"drop {_route(self.route)}"


@value
class Announce:
    """Tell the LAN where an address is now, the gateway first of all."""

    interface: str
    family: int
    address: str
    mac: str
    gateway: str

    def __str__(self) -> str:
        return f"announce {self.address} from {self.interface}"


@value
class CloseConnections:
    """End the connections, TCP and UDP, of an address that can no longer be reached."""

    family: int
    address: str

    def __str__(self) -> str:
        return f"end connections of {self.address}"


@value
class FlushNeighbours:
    """Forget the neighbours of an uplink not in use, and what waits for them."""

    interface: str

    def __str__(self) -> str:
        return f"forget the neighbours of {self.interface}"


@value
class WatchGateway:
    """Have the kernel keep asking a gateway."""

    neighbour: Neighbour

    def __str__(self) -> str:
        return f"watch {self.neighbour.address} on {self.neighbour.interface}"


@value
class UnwatchGateway:
    """Have the kernel ask it no more."""

    neighbour: Neighbour

    def __str__(self) -> str:
        return f"watch {self.neighbour.address} on {self.neighbour.interface} no more"


@value
class SetActive:
    """Make a slave the active one of its bond."""

    bond: str
    interface: str

    def __str__(self) -> str:
        return f"make {self.interface} the active slave of {self.bond}"


@value
class SetMonitor:
    """Set a bond's ARP monitor, and its primary."""

    bond: str
    arp_interval: int
    targets: tuple[str, ...]
    primary: str
    reselect: str

    def __str__(self) -> str:
        monitoring = f"ask {', '.join(self.targets)} every {self.arp_interval} ms"
        return f"have {self.bond} {monitoring}, primary {self.primary or 'none'} ({self.reselect})"


@value
class Enslave:
    """Put an interface into a bond again."""

    bond: str
    interface: str

    def __str__(self) -> str:
        return f"put {self.interface} into {self.bond}"


@value
class AddRule:
    """Add a policy rule of ours."""

    rule: Rule

    def __str__(self) -> str:
        return f"add rule {_rule(self.rule)}"


@value
class DropRule:
    """Remove a policy rule of ours."""

    rule: Rule

    def __str__(self) -> str:
        return f"drop rule {_rule(self.rule)}"


@value
class AddEndpoint:
    """Have connections of Multipath TCP go on from an address, too."""

    endpoint: Endpoint

    def __str__(self) -> str:
        return f"add MPTCP endpoint {_endpoint(self.endpoint)}"


@value
class DropEndpoint:
    """Have none go on from it any more: what they have there, ends."""

    endpoint: Endpoint

    def __str__(self) -> str:
        return f"drop MPTCP endpoint {_endpoint(self.endpoint)}"


@value
class MarkEndpoint:
    """Say anew whether an endpoint is for use, or a backup."""

    endpoint: Endpoint

    def __str__(self) -> str:
        return f"set MPTCP endpoint {_endpoint(self.endpoint)}"


@value
class LimitSubflows:
    """Say how many ways more than the first a connection of Multipath TCP may take."""

    subflows: int

    def __str__(self) -> str:
        return f"set MPTCP limit of subflows {self.subflows}"


if TYPE_CHECKING:
    Change = (
        SetSysctl
        | AddAddress
        | DropAddress
        | SetMetric
        | SetRoute
        | DropRoute
        | AddRule
        | DropRule
        | Announce
        | CloseConnections
        | FlushNeighbours
        | WatchGateway
        | UnwatchGateway
        | SetActive
        | SetMonitor
        | Enslave
        | AddEndpoint
        | DropEndpoint
        | MarkEndpoint
        | LimitSubflows
    )
else:
    Change = object  # a hook makes none while all is well: no time to make a union of types


def _answering(sysctl: Sysctl) -> str:
    """Return whether an uplink is to answer for addresses of others, "" for another setting."""
    return sysctl.setting if sysctl.key.endswith("/arp_ignore") else ""


def stays(change: Change, refused: Iterable[Change]) -> bool:
    """Tell whether what is ours is to stay, since the kernel refused what comes in its place.

    New before old: without the new one traffic would fall back to what it was led away from. Nor
    is one uplink made silent where another one was to answer for it.
    """
    match change:
        case DropRoute(old):
            way = (old.family, old.table, old.destination)
            routes = (one.route for one in refused if isinstance(one, SetRoute))
            return any((new.family, new.table, new.destination) == way for new in routes)
        case DropAddress(given):
            added = (one.address for one in refused if isinstance(one, AddAddress))
            return any(new.address == given.address for new in added)
        case DropRule(rule):
            rules = (one.rule for one in refused if isinstance(one, AddRule))
            return any((new.family, new.sender) == (rule.family, rule.sender) for new in rules)
        case SetSysctl(sysctl) if _answering(sysctl) == SILENT:
            told = (one.sysctl for one in refused if isinstance(one, SetSysctl))
            return any(_answering(new) == ANSWERS for new in told)
    return False


def family_of(change: Change) -> int:
    """Return the family of the route, rule or address that is changed; 0 where it is none."""
    match change:
        case SetRoute(route) | DropRoute(route):
            return route.family
        case AddRule(rule) | DropRule(rule):
            return rule.family
        case AddAddress(address) | DropAddress(address):
            return address.family
        case Announce() | CloseConnections():
            return change.family
        case WatchGateway(neighbour) | UnwatchGateway(neighbour):
            return neighbour.family
    return _of_endpoint(change)


def _of_endpoint(change: Change) -> int:
    if isinstance(change, (AddEndpoint, DropEndpoint, MarkEndpoint)):
        return change.endpoint.family
    return 0


def places_of(routes: Iterable[Route], changes: Iterable[Change]) -> frozenset[Place]:
    """Return where routes of ours are, or are to be."""
    ours = [route for route in routes if route.ours]
    ours += [change.route for change in changes if isinstance(change, SetRoute)]
    return frozenset((route.family, route.table, route.destination) for route in ours)


def _route(route: Route) -> str:
    via = f" via {route.gateway}" if route.gateway else ""
    table = f" table {route.table}" if route.table != MAIN else ""
    return f"{route.destination}{via} dev {route.interface} metric {route.metric}{table}"


def _endpoint(endpoint: Endpoint) -> str:
    backup = " backup" if endpoint.backup else ""
    return f"{endpoint.address} id {endpoint.number}{backup}"


def _rule(rule: Rule) -> str:
    table = "main" if rule.table == MAIN else str(rule.table)
    less = "" if rule.whole else " suppress_prefixlength 0"
    return f"{rule.priority} from {rule.sender or 'all'} lookup {table}{less}"
