"""Runs of ours on the machine: whole, killed, refused, late, torn, raced; each one is judged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netfail_hooks.install.diversion import route_plan
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy import bounded, decide, next_state
from netfail_hooks.policy.changes import (
    AddAddress,
    AddEndpoint,
    AddRule,
    Announce,
    Change,
    DropAddress,
    DropRoute,
    FlushNeighbours,
    SetMetric,
    SetRoute,
    UnwatchGateway,
    WatchGateway,
    stays,
)
from netfail_hooks.policy.facts import MAIN, Address, Observation, Result
from netfail_hooks.policy.metering import carries, lacks, recalled, rested, to_keep
from netfail_hooks.policy.state import State
from netfail_hooks.policy.sysctls import ANSWERS, SILENT, arp_ignore
from netfail_hooks.reconcile.closer import may_be_left, places_that_count, remembered
from netfail_hooks.recorder import Run
from netfail_hooks.values import replace
from tools.model import laws
from tools.model.ghost import BrokenError
from tools.model.machine import Machine, Setup
from tools.model.sparing import completed, sparing

if TYPE_CHECKING:
    from netfail_hooks.reconcile.closer import Thought

_CONTAINER = "veth7"
_LOOKS = 3  # as reconcile/__init__.py has it
_KEPT = 300_000  # milliseconds, as reconcile/metered.py has it


_ERRORS = (errno.ENOBUFS, errno.EPERM, errno.ENOSPC, errno.EEXIST)


class KilledError(Exception):
    """The run was killed: nothing more is done, nothing remembered."""


@dataclass(slots=True)
class Refusal:
    """Which changes the kernel refuses, and why: those from a place on, or of the kind there."""

    place: int
    error: int
    how: int  # 0 that one, 1 all from there on, 2 all of its kind from there on
    kind: type[Change] | None = None

    def meets(self, place: int, change: Change) -> None:
        """Raise OSError where a change is refused; only what is to be made may be there already."""
        if place == self.place:
            self.kind = type(change)
        kind = (None, type(change), self.kind)[self.how] if place > self.place else type(change)
        made = isinstance(change, SetRoute | AddAddress | AddRule | AddEndpoint)
        if place >= self.place and kind is type(change) and (made or self.error != errno.EEXIST):
            raise OSError(self.error, os.strerror(self.error), str(change))


@dataclass(slots=True)
class Fate:
    """What is in store for a run: which change it dies before, is refused, or meets an event.

    ``ways`` are the only right ones for each family's traffic at every instant of it.
    """

    kill: int = -1
    refusal: Refusal | None = None
    race: tuple[int, Callable[[], None]] | None = None
    ways: dict[int, set[str]] | None = None
    made: int = 0
    found: set[tuple[int, str]] = field(default_factory=set)  # who asks gets an answer
    after: State = field(default_factory=State)  # what the run thinks
    untold: list[str] = field(default_factory=list)
    refused: list[Change] = field(default_factory=list)

    def meets(self, change: Change) -> None:
        """Let it happen, just before a change. Raises KilledError or OSError."""
        at, self.made = self.made, self.made + 1
        if at == self.kill:
            raise KilledError
        if self.refusal:
            self.refusal.meets(at, change)
        if self.race and at == self.race[0]:
            self.race[1]()


def _by_number(change: Change) -> str:
    """Return the interface that a change goes to by its number, as it was when looked up."""
    match change:
        case SetRoute(route) | DropRoute(route):
            return route.interface
        case AddAddress(address) | DropAddress(address):
            return address.interface
        case SetMetric(interface) | FlushNeighbours(interface):
            return interface
        case WatchGateway(neighbour) | UnwatchGateway(neighbour):
            return neighbour.interface
    return ""  # by its name


class Trial(Machine):
    """A machine that runs us."""

    def __init__(self, setup: Setup, note: Callable[[Run], None] | None = None) -> None:
        super().__init__(setup)
        self.rounds: list[tuple[Result, ...]] = []  # begun, not yet told
        self.looks = 0
        self._received: tuple[object, ...] = ()  # of the uplinks, when a hook last looked
        self._note = note

    def _hook(self, a: int, b: int) -> None:
        if self._lets_by(self._told(a, b)):
            self.run("hook")

    def _hook_and_probe(self, a: int, b: int) -> None:
        name = self._told(a, b)
        if self._lets_by(name):
            self.run("hook", self.results(name if name in self.config.names() else ""))

    def _told(self, a: int, b: int) -> str:
        """Return whose event it is: an uplink's, by the dispatcher's name for it, or another's."""
        name = self._name(a)
        return _CONTAINER if b % 8 == 7 else self.called.get(name, name)

    def _lets_by(self, name: str) -> bool:
        """Tell whether the shell in hooks/routable starts Python for an event.

        It looks whether an uplink is another than when it last did: its number, its carrier, and
        what networkd has told of it, such as addresses.
        """
        names = self.config.names()
        nics = tuple(
            (nic.index, nic.losses, self.kernel.has_carrier(each)) if nic else None
            for each in names
            for nic in (self.kernel.nics.get(each),)
        )
        told = tuple(
            address
            for address, _ in self.kernel.addresses
            if address.interface in names and not (address.ours or address.foreign)
        )
        if name not in names and self._received == (nics, told):
            return False
        self._received = (nics, told)
        return True

    def _check(self, *_: int) -> None:
        self.run("check", self.results())

    def _begin_round(self, *_: int) -> None:
        self.rounds = [*self.rounds, self._of_timer()][-3:]

    def _end_round(self, a: int, _: int) -> None:
        if self.rounds:
            self.run("timer", self.rounds.pop(a % len(self.rounds)))

    def _unlucky_round(self, a: int, b: int) -> None:
        """One answer is lost on its way, or one uplink's whole result."""
        results = list(self._of_timer())
        if results:
            at = a % len(results)
            lost = replace(results[at], healthy=False, rtt=0, reason="mute", silent=())
            results[at : at + 1] = [lost] if b % 2 else []
        self.run("timer", tuple(results))

    def _of_timer(self) -> tuple[Result, ...]:
        """Return a round of the timer's: what is metered is left alone while it is well."""
        left = rested(self.config, self.kernel.look(self.now), self.state)
        return tuple(result for result in self.results() if result.interface not in left)

    def _killed(self, a: int, b: int) -> None:
        self.run("killed", self.results() if b % 2 else (), kill=a % 12)

    def _refused(self, a: int, b: int) -> None:
        """The kernel refuses a change: it alone, it and what follows, or it and all of its kind."""
        refusal = Refusal(a % 8, _ERRORS[b // 2 % 4], b // 8 % 3)
        self.run("refused", self.results() if b % 2 else (), refusal=refusal)

    def _unsaved(self, *_: int) -> None:
        self.run("unsaved", self.results(), save=False)

    def _torn(self, a: int, b: int) -> None:
        """A cable moves between the look at the links and the look at the routes."""
        early = self._see()
        self._cable(a, b)
        if b % 3 == 0:
            self._set_up_anew(a + b, 0)
        late = self._see()
        self.run("torn", observed=replace(late, links=early.links))

    def _raced(self, a: int, b: int) -> None:
        """Something happens between two of our changes."""
        acts = (
            self._cable,
            self._switch,
            self._unplug,
            self._set_up_anew,
            self._serve,
            self._rename,
        )
        self.run("raced", self.results(), race=(a // 6 % 6, lambda: acts[a % 6](b, a + b)))

    def _set_up_anew(self, a: int, _: int) -> None:
        """Let an uplink be reconfigured, as install does: traffic takes the diversion meanwhile."""
        name = self._name(a)
        led = route_plan(self.config, self.kernel.look(self.now), self.state, name)
        quiet = [
            key
            for key in {arp_ignore(route.interface) for route in led.routes}
            if self.kernel.sysctls[key] == SILENT
        ]
        self.kernel.sysctls.update(dict.fromkeys(quiet, ANSWERS))
        ways = {
            route.family: route.interface for route in led.routes if route.destination == "default"
        }
        for address in led.addresses:
            self.kernel.add_address(address)
        for route in led.routes:
            self.kernel.lead(route)
        self._announce(led.announced)
        for act in (
            self.networkd.reconfigure,
            lambda name: self.networkd.configure(name, self.now),
        ):
            act(name)
            for family, way in ways.items():
                if self.kernel.way(family) != way:
                    raise BrokenError(f"I1: IPv{family} leaves the diversion by {way}")
        for route in led.routes:
            self.kernel.drop_route(route)
        self._announce(replace(a, interface=name) for a in led.announced if a.address in led.back)
        self.kernel.sysctls.update(dict.fromkeys(quiet, SILENT))
        for address in led.addresses:
            self.kernel.drop_address(address)

    def _announce(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if self.kernel.has_carrier(address.interface):
                self.lan.told(address.interface, address.family, address.address)

    def run(  # noqa: PLR0913 - a fate has many sides
        self,
        trigger: str,
        probes: tuple[Result, ...] = (),
        *,
        kill: int = -1,
        refusal: Refusal | None = None,
        save: bool = True,
        observed: Observation | None = None,
        race: tuple[int, Callable[[], None]] | None = None,
    ) -> None:
        """Run once, as reconcile/__init__.py does, and judge what came of it."""
        clean = observed is None and race is None and refusal is None
        before = self._recalled()

        def judge(whole: Observation) -> Thought:
            seen = replace(bounded(whole, before), probes=probes)
            after = next_state(self.config, seen, before)
            return seen, after, decide(self.config, seen, before, after)

        seen = observed or self._see()
        always = not before.uplinks or before.has_former(self.config.names())
        observed, after, changes = self._closer(seen, judge, always=always)
        run = Run(trigger, self.config, observed, before, after, changes, (), 0)
        if self._note:
            self._note(run)
        self.looks += 1
        fate = Fate(kill, refusal, race)
        if clean or refusal:
            fate.ways = {
                family: {self.kernel.way(family), after.active_uplink(family)}
                for family in FAMILIES
                if after.active_uplink(family)
            }
        fate.after = after
        fate.found = self.lan.found() if (clean or refusal) and after.active_uplink(4) else set()
        try:
            self._make(observed, changes, after, fate)
        except KilledError:
            save = False
        if save:
            known = after.without_answers(fate.untold)
            if self.crowded:
                left = may_be_left(before, observed, always=always)
                known = remembered(known, observed, left=left)
            self.keep(replace(run, after=known))
            self.ghost.note(observed)
            self._keep_carried(before)
            laws.counted(self, observed)
            laws.bounded(self, written=self.looks % 50 == 0)
        if save and clean:
            for family in FAMILIES:
                self.ghost.judge(self.kernel.way(family), observed, family)
                laws.lan_follows(self, family)
                laws.router_answers(self, family)
                laws.routes_follow(self, family)
                laws.sources_stay(self, family)
                laws.foreign_first(self, family)
                laws.gateways_are_watched(self, family)
                laws.endpoints_follow(self, family)
            laws.is_found(self)
        else:
            self.ghost.lose_track()

    def _recalled(self) -> State:
        """Return what is remembered, with what metered uplinks carried today before a boot."""
        today = self.kernel.day(self.now)
        if not (self.config.metered and lacks(self.config, today, self.state)):
            return self.state
        return recalled(self.config, today, self.kept, self.state)

    def _keep_carried(self, before: State) -> None:
        """Keep that as reconcile/metered.py does."""
        names = [uplink.interface for uplink in self.config.uplinks if uplink.metered]
        was, now = ([n for n in names if carries(s, n)] for s in (before, self.state))
        if was != now or (now and self.now - self.kept_at >= _KEPT):
            self.kept = to_keep(self.state, self.kept, self.now)
            self.kept_at = self.now

    def _see(self) -> Observation:
        """Look as reconcile does: sparingly where there is much."""
        return sparing(self.kernel, self.now, self.crowded)

    def _closer(
        self,
        whole: Observation,
        judge: Callable[[Observation], Thought],
        *,
        always: bool = False,
        again: bool = False,
    ) -> Thought:
        """Return what is thought of a look, or of a closer one (reconcile/closer.py)."""
        thought = judge(whole)
        left = may_be_left(self.state, whole, always=always)
        places = places_that_count(thought, always=left, again=again) if self.crowded else None
        if places is None:
            return thought
        look = completed(self.kernel, whole, self.crowded, places, left=left, lookup=not again)
        return judge(look)

    def keep(self, run: Run) -> None:
        """Keep what a run remembers."""
        self.state = run.after

    def _make(
        self, observed: Observation, changes: tuple[Change, ...], after: State, fate: Fate
    ) -> None:
        """Make the changes, and after another look what is left, as reconcile/__init__.py does.

        That is nothing, but where a sparing look could not know of somebody's IPv6 default route.
        """
        clean = fate.ways is not None and fate.refusal is None
        hidden = bool(self.crowded) and bool(observed.places_of_others(6, MAIN, "default"))

        def judge(whole: Observation) -> Thought:
            seen = bounded(whole, after)
            return seen, after, decide(self.config, seen, after, after)

        for number in range(_LOOKS):
            if number > hidden and changes and clean:
                raise BrokenError(f"I4: still to do: {'; '.join(map(str, changes))}")
            indexes = {name: nic.index for name, nic in self.kernel.nics.items()}
            fate.refused.clear()
            failed = [
                refusal
                for change in changes
                if not stays(change, fate.refused)
                and (refusal := self._make_one(change, fate, indexes))
            ]
            if failed and clean:
                raise BrokenError(f"I4: the kernel refused: {'; '.join(failed)}")
            if failed or not changes:
                return
            _, _, changes = self._closer(self._see(), judge, again=True)

    def _make_one(self, change: Change, fate: Fate, indexes: dict[str, int]) -> str:
        """Make a change; return why the kernel refuses, "" if it doesn't.

        ``indexes`` are the interfaces' numbers as they were looked up: it goes by those.
        """
        laws.allowed(self, change)
        failed = ""
        try:
            fate.meets(change)
            self._find(_by_number(change), indexes)
            self.kernel.make(change, self.now)
            if isinstance(change, Announce):
                uplink_state = fate.after.uplink_state(change.interface, change.family)
                bad = uplink_state is None or not uplink_state.serves
                self.lan.told(change.interface, change.family, change.address, known_bad=bad)
        except OSError as error:
            fate.refused.append(change)
            if isinstance(change, Announce):
                fate.untold.append(change.address)
            if error.errno not in (
                errno.ENOENT,
                errno.ESRCH,
                errno.ENODEV,
                errno.EEXIST,
            ):  # as kernel/apply.py has it
                failed = f"{change}: {error.strerror}"
        laws.still_found(self, fate.found, change)
        for family, right in (fate.ways or {}).items():
            way = self.kernel.way(family)
            if way not in right:
                raise BrokenError(f"I1: IPv{family} by {way or 'none'} after: {change}")
        return failed

    def _find(self, name: str, indexes: dict[str, int]) -> None:
        """Raise OSError where an interface has not the number any more that it was looked up by."""
        nic = self.kernel.nics.get(name)
        if nic and indexes.get(name, nic.index) != nic.index:
            raise OSError(errno.ENODEV, "no such device")

    def _settle(self, *_numbers: int) -> None:
        """Let everything have its time: the truth alone decides where it ends (I2, I4)."""
        self.rounds.clear()
        # What is disabled until then has its hold-down after that.
        self.now = max(self.now, *(one.until for one in self.config.orders), 0)
        for name in self.config.names():
            self.networkd.configure(name, self.now)
        for _ in range(self.config.successes + 1):
            self.run("check", self.results())
            self.now += self.config.hold_down_max * 1000
        self.networkd.expire(self.now)
        self.run("check", self.results())
        laws.ended(self, self.kernel.look(self.now))
