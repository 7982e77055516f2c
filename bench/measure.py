"""Measure one contender and one fault, on a host of its own that nothing else has touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.contenders import Contender
from bench.faults import BACK, CABLE, RETURN, Fault
from bench.results import Outage, Sample
from bench.stage import Stage
from netfail_hooks.lab import Lab
from netfail_hooks.lab.traffic import Traffic
from netfail_hooks.lab.traffic_result import Result, Window

# A neighbour that has just learnt where an address is believes no other word for a second
# (``locktime``, arp(7)); the traffic itself tells it, as it begins.
SETTLED = 1.6
_LAST = 0.5  # seconds at the end by which we tell whether the outage still lasts
_LOSSY = 0.1  # part lost of a stream that is not well: a bond may lose every second datagram
_POLL, _STEP = 0.1, 0.01


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to look (seconds).

    ``told`` and ``untold``: at most, for traffic to move after a fault that the kernel tells of
    or does not; ``back``: for it to return; ``least``: at least, whatever happens.
    """

    told: float = 10.0
    untold: float = 60.0
    back: float = 30.0
    least: float = 3.0


def measure(
    contender: Contender, fault: Fault, patience: Patience, *, phase: float, back: bool = True
) -> list[Sample]:
    """Measure a fault; after a cable out, the failback too, unless ``back`` is false.

    ``phase`` (0 to 1) is the fault's place between two rounds of a contender that works in
    rounds. Raises Problem if it does not get ready.
    """
    with Stage(booted=contender.booted) as stage:
        contender.prepare(stage)
        trial = _Trial(stage.lab, contender, contender.way(stage.lab), patience)
        with contender.work(stage):
            first = time.monotonic() + phase * contender.period
            found = [trial.left(fault, first) if fault.idle else trial.broken(fault, first)]
            if back and fault.name == CABLE:
                found += trial.mended()
    return found


@dataclass(frozen=True, slots=True)
class _Trial:
    """A contender that is ready, and the uplink that it used then."""

    lab: Lab
    contender: Contender
    used: str
    patience: Patience

    def broken(self, fault: Fault, first: float) -> Sample:
        """Break the uplink in use; look until the traffic has moved.

        If it takes rounds to see the fault, it comes whole periods after ``first``.
        """
        with self.lab.traffic(address=_address(self.lab, self.used)) as traffic:
            time.sleep(SETTLED)
            if fault.waits and self.contender.period:
                time.sleep((first - time.monotonic()) % self.contender.period)
            broken = time.monotonic()
            fault.do(self.lab, self.used)
            limit = self.patience.untold if fault.waits else self.patience.told
            if self._moved(broken + limit, away_from=self.used):
                # A connection asks again after twice the time it has waited (RFC 6298, 5.5).
                waited = 2 * (time.monotonic() - broken) + _LAST
                _until(broken + max(self.patience.least, waited))
        return _judged(self.contender.key, fault.name, traffic, broken)

    def left(self, fault: Fault, first: float) -> Sample:
        """Break the uplink in use while nobody sends; tell how long the route stays there."""
        time.sleep(SETTLED)
        if self.contender.period:
            time.sleep((first - time.monotonic()) % self.contender.period)
        broken = time.monotonic()
        fault.do(self.lab, self.used)
        moved = self._moved(broken + self.patience.untold, away_from=self.used, step=_STEP)
        return _timed(self.contender.key, fault.name, time.monotonic() - broken, over=not moved)

    def mended(self) -> list[Sample]:
        """Plug the cable in again; look until its uplink has the traffic back, and when."""
        with self.lab.traffic(address=_address(self.lab, self.used)) as traffic:
            time.sleep(SETTLED)
            mended = time.monotonic()
            self.lab.cable_in(self.used)
            moved = self.contender.prefers and self._moved(
                mended + self.patience.back, to=self.used
            )
            took = time.monotonic() - mended
            _until(max(time.monotonic() + _LAST, mended + self.patience.least))
        key = self.contender.key
        when = [_timed(key, RETURN, took, over=not moved)] if self.contender.prefers else []
        return [_judged(key, BACK, traffic, mended), *when]

    def _moved(self, end: float, *, away_from: str = "", to: str = "", step: float = _POLL) -> bool:
        """Wait, until ``end`` at most, for the traffic to go by ``to`` or not by ``away_from``."""
        while time.monotonic() < end:
            way = self.contender.way(self.lab)
            if way == to or (away_from and way not in (away_from, "")):
                return True
            time.sleep(step)
        return False


def _until(end: float) -> None:
    time.sleep(max(0.0, end - time.monotonic()))


def _address(lab: Lab, used: str) -> str:
    """Return the address that the host still has: that of the uplink once used, else another's."""
    local = lab.run("ip", "-4", "route", "show", "table", "local").stdout
    hosts = [lab.ports[used].host, *(port.host for port in lab.ports.values())]
    return next((host for host in hosts if f"local {host} " in local), hosts[0])


def _timed(contender: str, fault: str, seconds: float, *, over: bool) -> Sample:
    took = Outage(over=over, ms=round(seconds * 1000))
    return Sample(contender, fault, took, took, 0, 0, 0, 0, 0.0)


def _judged(contender: str, fault: str, traffic: Traffic, since: float) -> Sample:
    window = (since, traffic.window[1])
    whole = traffic.result(between=window)
    last = traffic.result(between=(window[1] - _LAST, window[1]))
    return Sample(
        contender,
        fault,
        outage(whole, last, ("out", "gateway"), window),
        outage(whole, last, ("bound", "in"), window),
        whole.lost(),
        max(flow.total for flow in whole.flows),
        sum(talk.alive for talk in whole.talks),
        len(whole.talks),
        whole.stall_ms,
        whole.unanswered(),
    )


def outage(whole: Result, last: Result, names: Sequence[str], window: Window) -> Outage:
    """Return the longest outage of these streams, the whole time if one is not well yet."""
    if any(last.flow(name).lost >= _LOSSY * last.flow(name).total for name in names):
        return Outage(over=True, ms=round((window[1] - window[0]) * 1000))
    return Outage(over=False, ms=max(whole.flow(name).outage_ms for name in names))
