"""Perform a drill: make the fault, ask targets meanwhile, put all back, tell how it went.

Who notices, moves the traffic and takes it back are hooks, watch and checks, as ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

from netfail_hooks.config import Config
from netfail_hooks.drill import heal
from netfail_hooks.drill.plan import Plan, delay
from netfail_hooks.drill.traffic import Traffic
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.kernel import lookup, outage
from netfail_hooks.kernel.observe import now
from netfail_hooks.lab.traffic_result import Window
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.probe.measure import BURST
from netfail_hooks.process import wait_until
from netfail_hooks.reconcile import load_state
from netfail_hooks.recorder.drills import (
    CABLE,
    CUT_SHORT,
    FAILED,
    PASSED,
    Drill,
    Family,
    Flow,
    Outcome,
)
from netfail_hooks.terminal import span
from netfail_hooks.terminal.progress import doing
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config.cache import Generation

_SETTLES = 1.0  # seconds for traffic to flow before the fault, and after the way back
_TAKES_BACK = 30  # seconds beyond the hold-down, for checks to come round
_DELAYS = 4  # most that are waited for: a poor line before and behind a hold-down
_STEP = 0.05  # seconds
_LOSES = 3.0  # seconds for a link to lose its carrier
_AGAIN = 0.7  # seconds after which a link has to negotiate anew: it needs more than one
_BY_HAND = "drill with --gateway, or pull the cable"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Tell = Callable[[float, str], None]


class Cut(BaseException):
    """Somebody wants the drill to end."""


def way_of(plan: Plan, paths: Paths) -> str:
    """Return by what the uplink can be made to fail. Raises Problem where its driver can't."""
    if plan.fault != CABLE:
        return outage.SILENCE
    return outage.carrier_way(plan.interface, read_nic(plan.interface, paths).driver)


def perform(  # noqa: PLR0913 - what a drill starts from has many sides
    config: Config, plan: Plan, way: str, paths: Paths, tell: Tell, *, since: Generation
) -> Outcome:
    """Make the uplink fail, heal it, wait for the traffic to come back; return how it went.

    ``since`` is what was installed when it was planned, ``tell`` gets a line of progress and the
    seconds since the fault. Raises Problem where there was no fault after all.
    """
    try:
        index = outage.index_of(plan.interface)
    except OSError as error:
        told = f"{plan.interface}: {error.strerror}"
        raise Problem(told, hint="see 'sudo netfail-hooks status'") from None
    drill = Drill(os.urandom(8).hex(), plan.fault, way, plan.interface, 0, index)
    lasts = (plan.seconds + int(2 * _SETTLES)) * 1000
    with _armed(paths, drill, lasts, since) as armed, _deaf_until_healed():
        performance = _Performance(config, plan, paths, armed, tell)
        with contextlib.suppress(Cut):
            performance.play()
    return performance.outcome()


@contextlib.contextmanager
def _armed(paths: Paths, drill: Drill, lasts: int, since: Generation) -> Iterator[Drill]:
    """Have the fault ended in any case, from here on and on the way out. Raises Problem."""
    armed = heal.arm(paths, drill, lasts, since)
    try:
        yield armed
    finally:
        heal.disarm(paths, armed)


class _Performance:
    """One drill."""

    def __init__(self, config: Config, plan: Plan, paths: Paths, drill: Drill, tell: Tell) -> None:
        self._plan, self._paths, self._drill, self._say = plan, paths, drill, tell
        families = [family for family, _ in plan.backups]
        places = {family: lookup.destination(config, family) for family in families}
        self._traffic = Traffic(plan.targets, places, self._moved)
        self._fault: Window = (0.0, 0.0)
        self._back_until = 0.0
        self._cut = False
        self._deaf: tuple[str, ...] = ()  # who answered nobody before the fault either
        window = next(one.window for one in config.uplinks if one.interface == plan.interface)
        self._clears = (window // BURST + 1) * config.period * 1000

    def play(self) -> None:
        """Do it all; end early where somebody wants it to."""
        with self._traffic:
            try:
                time.sleep(_SETTLES)
                seconds = self._plan.seconds
                with self._broken(), doing(f"{self._plan.interface} fails", seconds, told=True):
                    time.sleep(seconds)
            except Cut:
                self._cut = True
            if self._fault[0]:
                self._fault = (self._fault[0], time.monotonic())
                self._tell(f"{self._plan.interface} is healed")
                with doing(f"waiting for the traffic to come back to {self._plan.interface}"):
                    self._await_return()
            self._back_until = time.monotonic()

    @contextlib.contextmanager
    def _broken(self) -> Iterator[None]:
        ended = threading.Event()
        again = threading.Thread(target=self._renegotiate, args=(ended,), daemon=True)
        begin = time.monotonic()
        self._deaf = self._traffic.silent(begin - _SETTLES, begin)
        self._fault = (begin, 0.0)
        for target in self._deaf:
            self._tell(f"{target} did not answer before the fault either: it is left out")
        self._tell(f"{self._plan.interface} fails")
        try:
            outage.begin(self._drill.way, self._plan.interface)
            if self._drill.way == outage.RENEGOTIATE:
                again.start()
            if self._plan.fault == CABLE:
                self._await_loss()
            yield
        finally:
            ended.set()
            heal.disarm(self._paths, self._drill)

    def _await_loss(self) -> None:
        try:
            wait_until(self._has_no_carrier, _LOSES, "loss of the carrier")
        except Problem as problem:
            why = str(problem)
            raise outage.not_failed(self._plan.interface, why, self._drill.way) from None

    def _has_no_carrier(self) -> bool:
        return read_text(f"/sys/class/net/{self._plan.interface}/carrier").strip() != "1"

    def _renegotiate(self, ended: threading.Event) -> None:
        while not ended.wait(_AGAIN):
            with contextlib.suppress(OSError):
                outage.renegotiate(self._plan.interface)

    def _await_return(self) -> None:
        """Wait until the traffic is back, if it is to come by itself, and flows."""
        if not self._plan.awaited or self._cut:
            return
        families = [family for family, _ in self._plan.backups]
        end, told = time.monotonic() + _TAKES_BACK, [""]
        with contextlib.suppress(Cut):
            while time.monotonic() < end:
                state = load_state(self._paths.state)
                if all(self._is_back(state, family) for family in families):
                    time.sleep(_SETTLES)
                    return
                why, left = delay(self._plan, state, now(), self._clears)
                if why and why != told[-1] and len(told) <= _DELAYS:
                    told.append(why)
                    end = max(end, time.monotonic() + left / 1000 + _TAKES_BACK)
                    self._tell(f"{self._plan.interface} {why} for {span(left // 1000)} more")
                time.sleep(_STEP)

    def _is_back(self, state: State, family: int) -> bool:
        chosen = state.active_uplink(family) == self._plan.interface
        judged = state.uplink_state(self._plan.interface, family)
        # Where nothing was noticed it has never left.
        return chosen and bool(judged and judged.state == "up" and not judged.fails)

    def _moved(self, family: int, interface: str) -> None:
        if self._fault[0]:
            self._tell(f"IPv{family} goes by {interface or 'no uplink'}")

    def _tell(self, text: str) -> None:
        self._say(time.monotonic() - self._fault[0], text)

    def outcome(self) -> Outcome:
        """Return how it went."""
        begin, end = self._fault
        families = tuple(self._family(family, backup) for family, backup in self._plan.backups)
        flows = _without(self._traffic.flows(self._fault, (end, self._back_until)), self._deaf)
        silent = self._traffic.silent(end - _SETTLES, end)
        reasons = () if self._cut else tuple(_reasons(self._plan, families, flows, silent))
        return Outcome(
            time=int(time.time()),
            verdict=CUT_SHORT if self._cut else FAILED if reasons else PASSED,
            fault=self._plan.fault,
            way=self._drill.way,
            interface=self._plan.interface,
            seconds=round(end - begin),
            awaited=self._plan.awaited,
            families=families,
            flows=flows,
            reasons=reasons,
            untried=self._plan.untried,
        )

    def _family(self, family: int, backup: str) -> Family:
        begin, end = self._fault
        name, ways = self._plan.interface, self._traffic.ways[family]
        away = [when for when, way in ways if begin <= when < end and way not in (name, "")]
        back = [when for when, way in ways if when >= end and way == name]
        return Family(
            family,
            backup,
            moved_ms=round((away[0] - begin) * 1000) if away else -1,
            back_ms=round((back[-1] - end) * 1000) if back else -1,
        )


def _reasons(
    plan: Plan, families: tuple[Family, ...], flows: tuple[Flow, ...], silent: tuple[str, ...]
) -> Iterator[str]:
    """Yield what was not as it should be. A connection may end: on another subnet it must."""
    for one in families:
        if one.moved_ms < 0:
            yield f"IPv{one.family} did not go over to {one.backup} within {plan.seconds} s"
        elif plan.awaited and one.back_ms < 0:
            yield f"IPv{one.family} did not come back to {plan.interface}"
    asked = {flow.target for flow in flows if flow.sent}
    for target in silent:
        if target in asked:
            yield f"{target} did not answer by the backup"


def _without(flows: tuple[Flow, ...], deaf: tuple[str, ...]) -> tuple[Flow, ...]:
    """Return what flowed, but for the echoes to who answers none at any time: they show nothing."""
    return tuple(flow for flow in flows if flow.kind != "echo" or flow.target not in deaf)


@contextlib.contextmanager
def _deaf_until_healed() -> Iterator[None]:
    """Have a signal that would end us end the drill first; a second one is not heard."""

    def cut(*_: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise Cut

    old = {number: signal.signal(number, cut) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def refuse_where_unsupported(paths: Paths) -> None:
    """Refuse while another drill is on. Raises Problem."""
    if os.path.exists(paths.uninstalling):
        raise Problem("an uninstall is at work", hint="there is nothing to drill after it")
    heal.refuse_while_on(paths)
