"""Ask an uplink some times in a row: what of it is lost, and how long answers take.

One question of a round says little of a line that loses one in ten. So where an uplink has a limit
(``loss_max``, ``latency_max``) a check asks ``BURST`` times, ``_SPACING`` apart: the first ICMP
target of the family, else the gateway. Where uplinks share a gateway it is the gateway for each:
what is beyond it is the same by all of them, and no reason to take another.

The first question is not counted as asked or answered: it finds the neighbour, wakes Wi-Fi up, and
some gateways don't answer one without a sender's address. An answer does not say which question it
is for (ARP has no number), so it goes to the last that has none. Where all are answered the average
is right whatever the order, the first question's wait included; where some are lost, a quick answer
counts as quick. What comes later than twice ``latency_max``, and than ``timeout``, is lost.
"""

from __future__ import annotations

import time

from netfail_hooks.config import Config
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.probe import ProbeTarget, results, subjects_of
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from netfail_hooks.probe import ProbeSocket

BURST = 10
_SPACING = 0.05  # seconds between two questions
_OTHERS = 4  # who is not measured is asked with each fourth question: as often as ever


class Measured(ProbeTarget):
    """An uplink in one family of which the line is measured by ``wire``."""

    def __init__(self, subject: ProbeTarget, wire: ProbeSocket) -> None:
        super().__init__(
            subject.uplink,
            subject.family,
            subject.silent,
            subject.routers,
            needed=subject.needed,
            defers_to=subject.defers_to,
            pages=subject.pages,
        )
        self._wire = wire
        self._open: list[tuple[float, bool]] = []  # questions without an answer; do they count?
        self._questions = 1 + max(BURST, self.uplink.failures)
        patience = max(self.uplink.timeout, 2 * self.uplink.latency_max)
        self._patience = patience / 1000
        self._answered = 0
        self._waits: list[float] = []

    def is_over(self, now: float) -> bool:
        """Ask (again) if it is time to; tell whether the uplink's round is over."""
        waits = self.tries < self._questions or self._open
        if self.portal or (not waits and self.is_decided):
            return True
        if now >= self.due:
            if self.tries == self._questions:
                return True
            self._ask(now)
        return False

    def _ask(self, now: float) -> None:
        self.tries += 1
        last = self.tries == self._questions
        self.due = now + (self._patience if last else _SPACING)
        if self.tries % _OTHERS == 1:
            self.asked = now
            self._send([wire for wire in self.wires() if wire is not self._wire])
        self._open.append((now, self.tries > 1))
        self._send([self._wire])

    def receive(self, wire: ProbeSocket) -> bool:
        """Read from a socket; tell whether nothing more is expected on it."""
        if wire is not self._wire:
            return super().receive(wire)
        try:
            if not wire.answered():
                return False
        except OSError as error:
            return self._fail(wire, error)
        if self._open:
            sent, counts = self._open.pop()
            took = time.monotonic() - sent
            self._answered += counts
            self._waits.append(took)
            if wire in self.wires():
                self._note(wire, round(took * 1_000_000))
        return self.tries == self._questions and not self._open

    def result(self) -> Result:
        """Return how it went."""
        average = sum(self._waits) / max(len(self._waits), 1)
        return replace(
            super().result(),
            asked=max(self.tries - 1, 0),
            answered=self._answered,
            waited=round(average * self._answered * 1000),
        )


def probe(config: Config, observed: Observation, only: str = "") -> tuple[Result, ...]:
    """Make a round as probe.probe() does, and measure. Raises PermissionError."""
    return results(measured(list(subjects_of(config, observed, only))))


def measured(subjects: list[ProbeTarget]) -> list[ProbeTarget]:
    """Return them with those measured that have a limit, and something that can be asked often."""
    return [_measured(subject, subjects) for subject in subjects]


def _measured(subject: ProbeTarget, subjects: list[ProbeTarget]) -> ProbeTarget:
    place = (subject.uplink.interface, subject.family)
    shares = any((other.defers_to, other.family) == place for other in subjects)
    echoes = [wire for wire in subject.silent if getattr(wire, "repeats", False)]
    routers = list(subject.routers.values())
    wires = [*routers, *echoes] if shares else [*echoes, *routers]
    if not wires or not subject.uplink.measured:
        return subject
    return Measured(subject, wires[0])
