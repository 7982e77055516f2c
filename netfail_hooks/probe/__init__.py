"""One round of probes: every uplink is asked at once, each through its own device.

A target or gateway without an answer after ``SPACING`` is asked again, up to the uplink's number
of tries, and has its ``timeout`` after the last try. So a single round is enough to be sure. A
round ends as soon as every uplink's policy is met, and no portal can be found any more. With two
NICs on one subnet a bound source address would prove nothing, since the echo leaves by the other
NIC: so every socket is bound to its device.

An answer from one of several routers on an uplink's link is enough, but each is asked: traffic
goes by those that answer (policy/routes.py).

Targets are not asked through a standby that shares the active uplink's gateway. The kernel would
tell the LAN that our address is there now, and traffic would follow. Its gateway is asked instead,
and what the active uplink learns of the path beyond that gateway holds for the standby too.
"""

from __future__ import annotations

import select
import time

from netfail_hooks.config import Config, Target, Uplink
from netfail_hooks.errors import PortalError
from netfail_hooks.names import FAMILIES, contains
from netfail_hooks.policy.facts import Observation, Result, Route
from netfail_hooks.probe.gateway import gateway_wire
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class ProbeSocket(Protocol):
        """A socket bound to a device, with a question to ask."""

        name: str
        events: int  # for poll(2): what to wait for

        def fileno(self) -> int:
            """Return the descriptor to wait on."""

        def ask(self) -> None:
            """Send the question, again if called again, and after an error. Raises OSError."""

        def answered(self) -> bool:
            """Read what has come; tell whether the answer was among it. Raises OSError."""

        def close(self) -> None:
            """Close the socket."""

    class RouterSocket(ProbeSocket, Protocol):
        """One that asks a router, and has learnt its hardware address ("" for none yet)."""

        hardware: str


SPACING = 0.2  # seconds between two tries
_LONGER = 4  # times the uplink's ``timeout``, where a page or a program is asked


class ProbeTarget:
    """One uplink in one family while it is being probed.

    ``wires`` are the sockets of its targets, ``routers`` those of its gateways, by address. With
    ``needed`` a gateway has to answer; else gateways only show where the trouble is.
    ``defers_to`` is the active uplink, through which alone the targets of a standby are asked.
    ``pages`` are those of the sockets that may find a portal: then whatever else answers is no
    way out, so the round waits for them.
    """

    def __init__(  # noqa: PLR0913 - what is asked, and how it counts
        self,
        uplink: Uplink,
        family: int,
        wires: list[ProbeSocket],
        routers: dict[str, RouterSocket] | None = None,
        *,
        needed: bool = False,
        defers_to: str = "",
        pages: list[ProbeSocket] | None = None,
    ) -> None:
        self.uplink = uplink
        self.family = family
        self.defers_to = defers_to
        self.silent = wires
        self.routers = routers or {}
        self.needed = needed
        self.pages = pages or []
        self.portal = False
        self.mute = dict(self.routers)
        self.total = len(wires)
        self.tries = 0
        self.enough = 0  # tries after which the policy was met
        self.due = 0.0  # monotonic seconds: the next try, or after the last one the end
        self.asked = 0.0
        self.rtt = 0  # microseconds
        self.wrong: dict[ProbeSocket, str] = {}  # of those without an answer, the last one last
        self.spacing = SPACING

    @property
    def healthy(self) -> bool:
        """Tell whether the uplink's policy is met."""
        answers = self.total - len(self.silent)
        wanted = min(self.total, self.wanted)
        return answers >= wanted and not (
            self.portal or (self.needed and not self.gateway_answered)
        )

    @property
    def wanted(self) -> int:
        """Return how many targets must answer, if there are as many."""
        policy = self.uplink.policy
        if policy == "any":
            return 1
        return self.total if policy == "all" else int(policy)

    @property
    def gateway_answered(self) -> bool:
        """Tell whether a router has answered."""
        return len(self.mute) < len(self.routers)

    def is_over(self, now: float) -> bool:
        """Ask (again) if it is time to; tell whether the uplink's round is over."""
        if self.portal or self.is_decided:
            return True
        if now >= self.due:
            if self.tries == self.uplink.failures:
                return True
            self._ask(now)
        return False

    @property
    def is_decided(self) -> bool:
        """Tell whether the policy is met, and no answer would say more."""
        return self.healthy and not self.pages and (len(self.routers) < 2 or not self.mute)

    def _ask(self, now: float) -> None:
        self.tries += 1
        self.asked = now
        last = self.tries == self.uplink.failures
        self.due = now + (self.uplink.timeout / 1000 if last else self.spacing)
        self._send(self.wires())

    def _send(self, wires: list[ProbeSocket]) -> None:
        for wire in wires:
            try:
                wire.ask()
            except OSError as error:  # also EPERM of a firewall, EACCES of a prohibit route
                self._blame(wire, error)

    def _blame(self, wire: ProbeSocket, error: OSError) -> None:
        self.wrong.pop(wire, None)
        self.wrong[wire] = f"{wire.name}: {error.strerror}"

    def wires(self) -> list[ProbeSocket]:
        """Return the sockets that have no answer yet."""
        return [*self.silent, *self.mute.values()]

    def receive(self, wire: ProbeSocket) -> bool:
        """Read from a socket; tell whether nothing more is expected on it before it asks again."""
        try:
            if not wire.answered():
                return False
        except OSError as error:
            return self._fail(wire, error)
        self._note(wire, round((time.monotonic() - self.asked) * 1_000_000))
        return True

    def _note(self, wire: ProbeSocket, took: int) -> None:
        """Note that a socket has brought its answer, after so many microseconds."""
        self.pages = [page for page in self.pages if page is not wire]
        self.wrong.pop(wire, None)
        if wire in self.silent:
            self.silent.remove(wire)
            self.rtt = took
        else:
            if self.needed and not self.gateway_answered:
                self.rtt = took
            self.mute = {
                gateway: router for gateway, router in self.mute.items() if router is not wire
            }
        if self.healthy and not self.enough:
            self.enough = self.tries

    def _fail(self, wire: ProbeSocket, error: OSError) -> bool:
        """Note what is wrong by a socket; tell whether it brings no answer to what it has asked."""
        self.pages = [page for page in self.pages if page is not wire]
        if not self.portal:
            self._blame(wire, error)
        self.portal |= isinstance(error, PortalError)
        return not getattr(wire, "hears_on", False)

    def result(self) -> Result:
        """Return how it went."""
        missed = [] if self.gateway_answered or not self.needed else list(self.mute.values())
        silent = ", ".join(wire.name for wire in (*missed, *self.silent))
        wrong = next(reversed(self.wrong.values()), f"no answer from {silent}")
        reason = "" if self.healthy else wrong
        name = self.uplink.interface
        tries = self.enough or self.tries
        # A router that had no time to answer isn't silent, nor is one where none answers.
        mute = tuple(self.mute) if self.gateway_answered else ()
        met = ((router, wire.hardware) for router, wire in self.routers.items() if wire.hardware)
        router, hardware = next(met, ("", ""))
        return Result(
            name, self.family, self.healthy, tries, self.rtt, reason, mute, router, hardware
        )


def probe(
    config: Config, observed: Observation, only: str = "", *, patient: bool = True
) -> tuple[Result, ...]:
    """Ask every uplink that could carry traffic (or one only); return how each did.

    Unless ``patient``, none that has a target for which it takes long. Raises PermissionError
    without CAP_NET_RAW.
    """
    return results(list(subjects_of(config, observed, only, patient=patient)))


def results(subjects: list[ProbeTarget]) -> tuple[Result, ...]:
    """Make a round of these; return how each did."""
    ask(subjects, subjects)
    return tuple(_result(subject, subjects) for subject in subjects)


def ask(subjects: list[ProbeTarget], awaited: list[ProbeTarget]) -> None:
    """Ask them all, until the round of each one that is awaited is over."""
    wires = {wire.fileno(): (subject, wire) for subject in subjects for wire in subject.wires()}
    poll = select.poll()
    for descriptor, (_, wire) in wires.items():
        poll.register(descriptor, wire.events)
    broken: dict[int, int] = {}  # who is not heard, since an error at that try
    try:
        while True:
            waiting = [s for s in subjects if not s.is_over(time.monotonic())]
            if not any(subject in awaited for subject in waiting):
                break
            for descriptor, (subject, wire) in wires.items():
                if subject.tries > broken.get(descriptor, subject.tries):
                    poll.register(descriptor, wire.events)
                    del broken[descriptor]
            rest = min(subject.due for subject in waiting) - time.monotonic()
            for descriptor, _ in poll.poll(max(rest * 1000, 0)):
                subject, wire = wires[descriptor]
                if subject.receive(wire):
                    poll.unregister(descriptor)
                    if wire in subject.wires():
                        broken[descriptor] = subject.tries
    finally:
        for _, wire in wires.values():
            wire.close()


def _result(subject: ProbeTarget, subjects: list[ProbeTarget]) -> Result:
    """Return how an uplink did; a standby shares the fate of the uplink that it defers to."""
    own = subject.result()
    for other in subjects:
        defers = (other.uplink.interface, other.family) == (subject.defers_to, subject.family)
        if defers and other.gateway_answered and not other.healthy:
            return replace(own, healthy=False, reason=own.reason or other.result().reason)
    return own


def subjects_of(
    config: Config, observed: Observation, only: str = "", *, patient: bool = True
) -> Iterator[ProbeTarget]:
    """Yield what can be asked of each uplink in each family. Raises PermissionError."""
    for uplink in config.uplinks:
        for family in FAMILIES:
            if not patient and any(t.slow for t in uplink.targets if t.family == family):
                continue
            route = observed.default_route(uplink.interface, family)
            link = observed.link(uplink.interface)
            own = observed.all_addresses(uplink.interface, family)
            if route and link and link.carrier and own and only in ("", uplink.interface):
                defers_to = _defers_to(observed, route) if link.mac else ""
                sender = "" if defers_to else own[0].address
                try:
                    routers: dict[str, RouterSocket] = {
                        gateway: gateway_wire(link, gateway, sender)
                        for gateway in _gateways(uplink, observed, family)
                        if link.mac
                    }
                    subject = _subject(uplink, family, routers, defers_to)
                except PermissionError:
                    raise
                except OSError:
                    continue  # it has gone since we looked: the next run will see that
                if subject.wires():
                    yield subject


def _gateways(uplink: Uplink, observed: Observation, family: int) -> list[str]:
    """Return the gateways to ask; only the first where their answers do not count."""
    asked = uplink.gateway or any(target.family == family for target in uplink.targets)
    gateways = [
        route.gateway
        for route in observed.default_routes(uplink.interface, family)
        if route.gateway
    ]
    return (gateways if uplink.gateway else gateways[:1]) if asked else []


def _subject(
    uplink: Uplink, family: int, routers: dict[str, RouterSocket], defers_to: str
) -> ProbeTarget:
    """Return what to probe of an uplink: a target's answer proves more than a gateway's."""
    targets = [target for target in uplink.targets if target.family == family]
    if not targets:
        return ProbeTarget(uplink, family, [], routers, needed=True)
    if defers_to:
        return ProbeTarget(uplink, family, [], routers, needed=True, defers_to=defers_to)
    if any(target.slow for target in targets):
        uplink = replace(uplink, timeout=uplink.timeout * _LONGER)
    seconds = SPACING * (uplink.failures - 1) + uplink.timeout / 1000
    wires = [_target_wire(target, uplink.interface, seconds) for target in targets]
    needed = bool(routers) and uplink.gateway and uplink.policy == "all"
    pages = [wire for wire, t in zip(wires, targets) if t.kind == "http"]  # noqa: B905 - the same
    return ProbeTarget(uplink, family, wires, routers, needed=needed, pages=pages)


def _target_wire(target: Target, interface: str, seconds: float) -> ProbeSocket:
    """Return the socket that asks a target through an interface, for so long. Raises OSError."""
    if target.kind == "exec":
        from netfail_hooks.probe.program import program_wire

        return program_wire(target, interface, seconds)
    if target.slow:
        from netfail_hooks.probe.web import page_wire

        return page_wire(target, interface, seconds)
    if target.kind == "dns":
        from netfail_hooks.probe.name_server import Question

        return Question(target, interface)
    from netfail_hooks.probe.targets import target_wire

    return target_wire(target, interface)


def _defers_to(observed: Observation, route: Route) -> str:
    """Return the active uplink if it has the same gateway on the same LAN, "" otherwise."""
    in_use = observed.in_use(route.family)
    if not in_use or in_use.interface == route.interface:
        return ""
    routes = observed.default_routes(route.interface, route.family)
    if not in_use.gateway or in_use.gateway not in {route.gateway for route in routes}:
        return ""
    same_lan = any(
        contains(prefix.destination, address.address)
        for prefix in observed.connected(route.interface, route.family)
        for address in observed.own_addresses(in_use.interface, route.family)
    )
    return in_use.interface if same_lan else ""
