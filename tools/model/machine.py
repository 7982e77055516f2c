"""A machine and what befalls it: cables, servers, gateways, networkd, people, time.

Every rule takes two whole numbers and makes of them what it needs, so that a life is a plain
list of steps: easy to draw, to keep in a file, and to shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netfail_hooks.config import DISABLE, FAILBACKS, USE, Config, Order, Target, Uplink
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import MAIN, Address, Endpoint, Neighbour, Result, Route, Rule
from netfail_hooks.policy.metering import Kept
from netfail_hooks.policy.state import State
from netfail_hooks.values import replace
from tools.model.ghost import BrokenError, Ghost
from tools.model.kernel import Kernel
from tools.model.lan import Lan
from tools.model.networkd import KINDS, Net, Networkd

NAMES = ("eth0", "wlan0", "usb0", "wwan0", "eth1", "wlan1")
_PAUSES = (1, 20, 300, 1_000, 5_000, 11_000, 60_000, 700_000, 8 * 3_600_000)  # ms
_TARGETS = {
    2: (Target(4, "198.51.100.1"),),
    3: (Target(6, "2001:db8:ffff::1"),),
    4: (Target(4, "198.51.100.1"), Target(6, "2001:db8:ffff::1")),
}
HOURS = ("", "02:00-05:00", "22:00-06:00")
VIRTUAL = 200  # the host part of an address that somebody like keepalived puts on an uplink
_FOREIGN = "#99"  # an interface that is no uplink


@dataclass(frozen=True, slots=True)
class Setup:
    """A machine: for each uplink how it gets its addresses, its LAN, if it is probed, and more.

    That is which routes it has beside the default one (``Net.extras``).
    """

    # Of each: IPv4 kind, IPv6 kind, LAN, what is asked, more.
    uplinks: tuple[tuple[int, ...], ...]
    hold_down: int = 10
    hold_down_max: int = 40
    quiet: int = 100
    successes: int = 2
    follow: int = 1
    failback: int = 0  # of FAILBACKS
    hours: int = 0  # of HOURS, in which a better uplink takes the traffic back
    multipath: int = 0  # endpoints of Multipath TCP
    limits: int = 0  # lines are measured, and left while they are poor
    metered: int = 0  # which uplinks are paid for by what they carry, a bit each

    def config(self) -> Config:
        """Return the config that goes with it."""
        uplinks = tuple(
            asking(Uplink(NAMES[rank], 100 + 500 * rank), numbers[3])
            for rank, numbers in enumerate(self.uplinks)
        )
        config = Config(
            uplinks,
            hold_down=self.hold_down,
            hold_down_max=self.hold_down_max,
            quiet=self.quiet,
            successes=self.successes,
            follow_addresses=bool(self.follow),
            failback=FAILBACKS[self.failback],
            failback_between=HOURS[self.hours],
            idle_seconds=5,
            multipath_tcp=bool(self.multipath),
        )
        # A window of one round: what lies between the limits is for policy/test_quality.py.
        limits = {"loss_max": 20, "latency_max": 500, "window": 10} if self.limits else {}
        return replace(
            config,
            uplinks=tuple(
                replace(u, metered=bool(self.metered >> rank & 1), **limits)
                for rank, u in enumerate(config.uplinks)
            ),
        )

    def nets(self) -> list[Net]:
        """Return what networkd sets up."""
        return [
            Net(
                u.interface,
                family,
                KINDS[family][numbers[at] % len(KINDS[family])],
                numbers[2],
                50 + rank,
                u.metric,
                more=numbers[4] if len(numbers) > 4 else 0,
            )
            for rank, (u, numbers) in enumerate(
                zip(self.config().uplinks, self.uplinks, strict=True)
            )
            for at, family in enumerate(FAMILIES)
        ]


def asking(uplink: Uplink, what: int) -> Uplink:
    """Return an uplink of which rounds ask nothing (0), the gateway (1), a target or both."""
    return replace(uplink, gateway=what in {1, 4}, targets=_TARGETS.get(what, ()))


class Machine:
    """The machine, what we remember of it, and who watches."""

    def __init__(self, setup: Setup) -> None:
        self.config = setup.config()
        self.kernel = Kernel(self.config.names())
        self.kernel.counts = self.config.counts
        self.kernel.tells_hour = bool(self.config.failback_between)
        self.kernel.tells_day = self.config.metered
        self.kept: Kept = {}  # of what metered uplinks carried, over a boot
        self.kept_at = 0
        self.flowed: dict[str, int] = {}  # since a saved run last looked, by a metered uplink
        self.carried: Kept = {}  # what was to be counted
        self.counting: dict[str, int] = {}  # on which interface, by its number
        self.networkd = Networkd(self.kernel, setup.nets())
        self.ghost = Ghost(self.config)
        self.state = State()
        self.marked = False  # it is remembered that endpoints may be ours
        self.crowded = 0  # of what there is much that is not ours (sparing.py)
        self.now = 1_000_000
        self.sick: set[tuple[str, int]] = set()
        self.poor: set[tuple[str, int]] = set()  # lines that lose packets or answer late
        self.silent: set[tuple[str, int, str]] = set()  # routers, while others may answer
        self.called: dict[str, str] = {}  # by the dispatcher, which keeps an adapter's first name
        self.kernel.rules += [
            Rule(
                net.family,
                32000,
                net.table,
                f"{net.address}/{32 if net.family == 4 else 128}",
                protocol=4,
            )
            for net in self.networkd.nets
            if net.kind and net.more & 8
        ]
        lans = {
            name: numbers[2]
            for name, numbers in zip(self.config.names(), setup.uplinks, strict=True)
        }
        self.lan = Lan(self.kernel, lans, self.sick, self.ghost)
        for name in self.config.names():
            self.networkd.configure(name, self.now)

    def step(self, rule: str, a: int, b: int) -> None:
        """Take one step. Raises BrokenError where an invariant does not hold."""
        getattr(self, f"_{rule}")(a, b)

    def _name(self, a: int) -> str:
        names = self.config.names()
        return names[a % len(names)]

    def _net(self, a: int) -> Net:
        return self.networkd.nets[a % len(self.networkd.nets)]

    def _cable(self, a: int, b: int) -> None:
        self.kernel.plug(self._name(a), cable=bool(b % 2))

    def _blip(self, a: int, b: int) -> None:
        for _ in range(1 + b % 3):
            self.kernel.plug(self._name(a), cable=False)
            self.kernel.plug(self._name(a), cable=True)

    def _switch(self, a: int, b: int) -> None:
        self.kernel.switch(self._name(a), up=bool(b % 2))

    def _unplug(self, a: int, _: int) -> None:
        self.kernel.remove(self._name(a))

    def _insert(self, a: int, _: int) -> None:
        if self._name(a) not in self.kernel.nics:
            self.called.pop(self._name(a), None)
        self.kernel.insert(self._name(a))

    def _rename(self, a: int, b: int) -> None:
        """An adapter is plugged in again, and renamed when the dispatcher has heard of it."""
        self.kernel.remove(self._name(a))
        self.kernel.insert(self._name(a))
        self.called[self._name(a)] = ("usb9", "eth7", self._name(a + 1))[b % 3]

    def _configure(self, a: int, _: int) -> None:
        self._adding(lambda: self.networkd.configure(self._name(a), self.now))

    def _reconfigure(self, a: int, _: int) -> None:
        self.networkd.reconfigure(self._name(a))

    def _restart(self, *_: int) -> None:
        self.networkd.restart()

    def _catch_up(self, *_: int) -> None:
        for name in self.config.names():
            self._adding(lambda name=name: self.networkd.configure(name, self.now))  # type: ignore[misc]

    def _serve(self, a: int, b: int) -> None:
        """A DHCP server, or a router's advertisements, fall silent or come back."""
        net = self._net(a)
        if net.kind in ("dhcp", "ra"):
            net.served = bool(b % 2)
            if not net.served and b % 4 == 0:
                self.networkd.lose_lease(net)
            elif not net.served:
                self.networkd.lose_router(net)

    def _crowd(self, a: int, b: int) -> None:
        """A host on the LAN advertises prefixes that nobody asked for, dozens of them."""
        net = self._net(a)
        if net.kind == "ra" and self.kernel.has_carrier(net.name):
            self.networkd.crowd(net, self.now, b % 50)

    def _throng(self, _: int, b: int) -> None:
        """Other people's routes, addresses or both become too many to be read, or few again."""
        self.crowded = b % 4

    def _move(self, a: int, b: int) -> None:
        """The server gives another address."""
        net = self._net(a)
        if net.kind in ("dhcp", "ra"):
            self.networkd.lose_lease(net)
            net.host = 100 + (net.host + b) % 100

    def _sicken(self, a: int, b: int) -> None:
        key = (self._name(a), FAMILIES[b % 2])
        self.sick.symmetric_difference_update({key})

    def _worsen(self, a: int, b: int) -> None:
        """An uplink's line begins to lose packets, or is as it was."""
        self.poor.symmetric_difference_update({(self._name(a), FAMILIES[b % 2])})

    def _silence(self, a: int, b: int) -> None:
        """One router of an uplink's link falls silent, or answers again."""
        net = self._net(a)
        if len(net.routers) > 1:
            router = (net.name, net.family, net.routers[b % 2])
            self.silent.symmetric_difference_update({router})

    def _fix(self, a: int, b: int) -> None:
        """Everything works again, for one uplink or for all; nobody was told."""
        for name in self.config.names() if b % 2 else (self._name(a),):
            self.kernel.insert(name)
            self.kernel.plug(name, cable=True)
            self.kernel.switch(name, up=True)
            for net in self.networkd.of(name):
                net.served = True
                self.sick.discard((name, net.family))
                self.poor.discard((name, net.family))
                self.silent -= {(name, net.family, router) for router in net.routers}
            self._configure(self.config.names().index(name), 0)

    def _neighbours(self, a: int, b: int) -> None:
        self.kernel.resolved = {n for at, n in enumerate(self.config.names()) if a >> at & 1}
        self.kernel.waiting = {n for at, n in enumerate(self.config.names()) if b >> at & 1}

    def _speak(self, a: int, b: int) -> None:
        self.lan.speak(self._name(a), b)

    def _ask(self, a: int, _: int) -> None:
        self.lan.ask(a)

    def _meddle(self, a: int, b: int) -> None:
        """Somebody changes a setting, flushes our routes, or has a way, an address of their own."""
        if b % 5 == 4:
            self._add_foreign(a, b // 5)
        elif b % 3 == 0:
            key = sorted(self.kernel.sysctls)[a % len(self.kernel.sysctls)]
            self.kernel.sysctls[key] = ("0", "1", "8")[b // 3 % 3]
        elif b % 3 == 1:
            self.kernel.routes = [route for route in self.kernel.routes if not route.ours]
        else:
            metric = (9_999, 50, 51, 70, 95)[a // 2 % 5]
            own = Route(_FOREIGN, 4 + a % 2 * 2, "default", metric, "10.9.9.9", protocol=3)
            self._toggle(own)

    def _add_foreign(self, a: int, b: int) -> None:
        """Somebody has a virtual address on an uplink, or a way to where a route of one leads."""
        net = self._net(a)
        if b % 7 == 6 and self.kernel.has_carrier(net.name):
            fixed = Neighbour(net.name, net.family, net.routers[0], ours=False)
            kept = [one for one in self.kernel.neighbours if one.address != fixed.address]
            self.kernel.neighbours = kept if fixed in self.kernel.neighbours else [*kept, fixed]
        elif b % 2 and net.name in self.kernel.nics:
            length = 32 if net.family == 4 else 128
            virtual = Address(net.name, net.family, net.host_at(VIRTUAL), length, foreign=True)
            if any(address == virtual for address, _ in self.kernel.addresses):
                self.kernel.drop_address(virtual)
            else:
                self.kernel.add_address(virtual)
        elif extras := net.kind and net.extras():
            extra = extras[a % len(extras)]
            metric = (50, 5, 70)[b // 2 % 3]
            self._toggle(replace(extra, interface=_FOREIGN, metric=metric, gateway=""))

    def _toggle(self, own: Route) -> None:
        """Add a route of somebody else's, as ``ip route add`` does, or remove it again."""
        place = (own.family, own.table, own.destination, own.metric)
        if own in self.kernel.routes:
            self.kernel.routes.remove(own)
        elif not any(
            (r.family, r.table, r.destination, r.metric) == place for r in self.kernel.routes
        ):
            self.kernel.routes.append(own)

    def _wait(self, a: int, b: int) -> None:
        """Let time pass, a suspend of hours too; networkd renews what it can, or not."""
        self.now += _PAUSES[a % len(_PAUSES)]
        if b % 4:
            self._catch_up()
        self.networkd.expire(self.now)

    def _talk(self, a: int, b: int) -> None:
        """Something is sent and received by an uplink, little or much."""
        name, size = self._name(a), 300 * 40 ** (b % 4)
        if name not in self.kernel.nics:
            return
        self.kernel.carry(name, size)
        if any(self.state.active_uplink(family) == name for family in FAMILIES):
            self.flowed[name] = self.flowed.get(name, 0) + size

    def _retarget(self, a: int, b: int) -> None:
        """Somebody changes what rounds of probes ask of an uplink; a hook reads that at once."""
        uplinks = list(self.config.uplinks)
        at = a % len(uplinks)
        uplinks[at] = asking(uplinks[at], b % 5)
        self.config = replace(self.config, uplinks=tuple(uplinks))
        self.ghost.reconsider(self.config)

    def _order(self, a: int, b: int) -> None:
        """A person asks for an uplink, does without one, or takes all of that back."""
        until = self.now + _PAUSES[b // 4 % len(_PAUSES)] if b % 4 == 3 else 0
        kinds: tuple[tuple[str, ...], ...] = ((), (USE,), (DISABLE,), (USE, DISABLE))
        orders = tuple(
            Order(kind, self._name(a + at), until) for at, kind in enumerate(kinds[b % 4])
        )
        self.config = replace(self.config, orders=orders)
        self.ghost.reconsider(self.config)
        self.ghost.lose_track()

    def _endpoint(self, a: int, b: int) -> None:
        """Endpoints of Multipath TCP are wanted, or no more; others make some, or drop all."""
        net = self._net(a)
        address = (net.address, net.host_at(VIRTUAL), f"10.9.9.{a % 9}")[b // 4 % 3]
        family = 6 if ":" in address else 4
        numbers = {one.number for one in self.kernel.endpoints}
        number = next(n for n in (a % 9 + 1, *range(1, 99)) if n not in numbers)
        if b % 4 == 0:
            self.config = replace(self.config, multipath_tcp=not self.config.multipath_tcp)
        elif b % 4 == 1:
            self.kernel.endpoints = [one for one in self.kernel.endpoints if b % 5 and one.ours]
        elif len(self.kernel.endpoints) < 8 and not any(
            one.address == address for one in self.kernel.endpoints
        ):
            made = Endpoint(number, family, address, ours=False, implicit=b % 4 == 2)
            self.kernel.endpoints.append(made)

    def _forget(self, *_: int) -> None:
        """Begin anew as after a boot, in which what was kept comes back."""
        self.state = State()
        self.marked = False
        self.ghost.forget()
        self.flowed.clear()
        self.counting.clear()
        self.carried = dict(self.kept)

    def _adding(self, act: Callable[[], None]) -> None:
        """Let networkd add what it likes: it moves no traffic to an uplink that was lost (I3)."""
        before = {family: self.kernel.way(family) for family in FAMILIES}
        act()
        for family, was in before.items():
            way = self.kernel.way(family)
            seen = self.ghost.of.get((way, family))
            if was in self.config.names() and way != was and seen and seen.lost:
                ours = any(
                    r.ours
                    and r.table == MAIN
                    and (r.interface, r.family, r.destination) == (was, family, "default")
                    for r in self.kernel.routes
                )
                if ours and not self.ghost.may(way, family):
                    raise BrokenError(f"I3: IPv{family} moved to {way} by networkd's own route")

    def results(self, only: str = "") -> tuple[Result, ...]:
        """Return what a round of probes would bring now."""
        observed = self.kernel.look(self.now)
        return tuple(
            self._result(name, family)
            for name in ([only] if only else self.config.names())
            for family in FAMILIES
            if self.kernel.has_carrier(name)
            and self.ghost.asks(observed, name, family)
            and observed.all_addresses(name, family)
            and observed.default_route(name, family)
        )

    def _result(self, name: str, family: int) -> Result:
        """Return what a round brings: of several routers one is enough, of targets all are sick."""
        silent = tuple(
            router for mute, four, router in sorted(self.silent) if (mute, four) == (name, family)
        )
        healthy = (name, family) not in self.sick and not self.is_cut_off(name, family)
        reported = silent if healthy else ()
        result = Result(name, family, healthy, 1, 400, "" if healthy else "mute", reported)
        if not any(uplink.measured for uplink in self.config.uplinks):
            return result
        answered = (5 if (name, family) in self.poor else 10) * healthy
        return replace(result, asked=10, answered=answered, waited=answered * 20)

    def is_cut_off(self, name: str, family: int) -> bool:
        """Tell whether no router of an uplink's link answers though each is asked."""
        uplink = self.config.uplinks[self.config.names().index(name)]
        routers = {
            (n.name, n.family, router)
            for n in self.networkd.of(name)
            if n.family == family
            for router in n.routers
        }
        asked = uplink.gateway and not any(target.family == family for target in uplink.targets)
        return asked and bool(routers) and routers <= self.silent
