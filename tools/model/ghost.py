"""What the decisions owe to whoever looks on: bounds that say nothing of how they are made.

For each uplink and family it notes, from what saved runs saw, since when it has been well and
how many rounds of probes it has passed since. From that follows which uplinks *must* count as
healthy (never lost, or long proven) and which *may* (the shortest hold-down is over). What lies
between is the core's own business: how much longer a hold-down is after many losses.
"""

from __future__ import annotations

from dataclasses import dataclass

from netfail_hooks.config import DISABLE, USE, Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Observation, Result

Key = tuple[str, int]


class BrokenError(AssertionError):
    """An invariant of DESIGN does not hold."""


@dataclass(slots=True)
class Seen:
    """One uplink in one family."""

    known: bool = False  # was well at some time
    lost: bool = False  # and was not at a later one
    bad: bool = True
    mute: bool = False  # its last round of probes went badly
    poor: bool = False  # or lost too much of what was asked
    since: int = 0  # well since
    proofs: int = 0
    excused: bool = False  # it may have been trusted before anybody asked it
    losses: tuple[int, int] = (0, 0)  # of which interface, by its number, and how many


class Ghost:
    """What was seen, and which ways are right after it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.now = 0
        self.of: dict[Key, Seen] = {}
        self._asked: set[Key] = set()
        self.silent: dict[Key, tuple[str, ...]] = {}  # routers, by the last round that told
        self._returns: dict[Key, int] = {}
        self._way: dict[int, str] = {}
        self._taken: dict[int, int] = {}  # when that was seen to be the way first
        self._hour_is_wrong = False
        self._carried: dict[str, tuple[int, int, int]] = {}  # when, of which interface, how much
        self._busy: set[str] = set()

    def forget(self) -> None:
        """Forget all, as the core does when /run is emptied."""
        self.of.clear()
        self.silent.clear()
        self._returns.clear()
        self._way.clear()
        self._taken.clear()

    def note(self, observed: Observation) -> None:
        """Take notice of what a run saw, and remembered."""
        self.now = observed.now
        self._hour_is_wrong = not is_time(self.config, observed)
        for count in observed.counted:
            at, index, size = self._carried.get(count.interface, (0, 0, 0))
            self._busy.discard(count.interface)
            if index == count.index and self.now > at:
                flowed = (count.bytes - size) * 1000 // max(self.now - at, 1000)
                if flowed > self.config.idle_bytes and self.config.failback == "idle":
                    self._busy.add(count.interface)
            self._carried[count.interface] = (self.now, count.index, count.bytes)
        probes = {(result.interface, result.family): result for result in observed.probes}
        for uplink in self.config.uplinks:
            for family in FAMILIES:
                key = (uplink.interface, family)
                self._asked.discard(key)
                if self.asks(observed, *key):
                    self._asked.add(key)
                self._note(key, observed, probes.get(key))

    def _note(self, key: Key, observed: Observation, result: Result | None) -> None:
        link = observed.link(key[0])
        first = key not in self.of
        seen = self.of.setdefault(key, Seen())
        serves = link and link.up and link.carrier and _has_way(observed, *key)
        disabled = key[0] in self.config.ordered(DISABLE, observed.now)
        broken = not serves or disabled
        seen.known |= bool(serves and disabled)
        seen.lost |= bool(serves and disabled)
        if broken or key not in self._asked:
            seen.mute = seen.poor = False
            self.silent.pop(key, None)
        elif result is not None:
            was_mute, seen.mute = seen.mute, not result.healthy
            self.silent[key] = result.silent
            if was_mute and result.healthy:
                seen.poor = False  # a part of the round is the outage's
            elif result.answered:
                seen.poor = result.answered < 8  # of ten, with Setup's limits
        losses = (link.index, link.down_count) if link else (0, 0)
        blip = losses != seen.losses and seen.known and not seen.bad and not first
        if seen.bad or blip:
            seen.since, seen.proofs, seen.excused = observed.now, 0, False
        if losses != seen.losses and not (result and result.answered):
            seen.poor = False  # of the line that there is now nothing is known yet
        seen.lost |= seen.known and (broken or seen.mute or seen.poor or blip)
        seen.bad, seen.losses = broken or seen.mute or seen.poor, losses
        seen.known |= not seen.bad
        if seen.bad:
            seen.excused = False
        if seen.bad or key not in self._asked:
            seen.proofs = 0
        elif result is not None:
            seen.proofs += 1

    def is_bad(self, name: str, family: int) -> bool:
        """Tell whether the last saved run saw that an uplink does not serve a family."""
        return (name, family) not in self.of or self.of[name, family].bad

    def may(self, name: str, family: int) -> bool:
        """Tell whether an uplink may be taken for healthy."""
        excused = self.of.get((name, family), Seen()).excused
        return self._returned(name, family, self.config.hold_down, excused=excused)

    def must(self, name: str, family: int) -> bool:
        """Tell whether it must be."""
        return self._returned(name, family, self.config.hold_down_max)

    def reconsider(self, config: Config) -> None:
        """Go by another config: who may be trusted already need not prove what is new in it."""
        for (name, family), seen in self.of.items():
            seen.excused = self.may(name, family)
        self.config = config

    def _returned(self, name: str, family: int, hold: int, *, excused: bool = False) -> bool:
        seen = self.of.get((name, family), Seen())
        if seen.bad:
            return False
        asked = (name, family) in self._asked and not excused
        proven = not asked or seen.proofs >= self.config.successes
        return not seen.lost or (proven and self.now - seen.since >= hold * 1000)

    def asks(self, observed: Observation, name: str, family: int) -> bool:
        """Tell whether a round has a question: a target of the family, or a gateway there is."""
        uplink = self.config.uplinks[self.config.names().index(name)]
        gateways = [
            r.gateway
            for r in observed.routes
            if not r.ours
            and r.destination == "default"
            and (r.interface, r.family) == (name, family)
        ]
        return family in {target.family for target in uplink.targets} or (
            uplink.gateway and any(gateways)
        )

    def lose_track(self) -> None:
        """Take no move after a hurt run for a return: it repairs what that run left."""
        self._way.clear()
        self._taken.clear()

    def judge(self, way: str, observed: Observation, family: int) -> None:
        """Raise BrokenError where a family's traffic goes a way that is wrong now."""
        names = self.config.names()
        must = [name for name in names if self.must(name, family)]
        wanted = self._wanted(way, family)
        if must and wanted:
            if way != wanted and self.must(wanted, family):
                raise BrokenError(f"I2: IPv{family} by {way or 'none'}, {wanted} was asked for")
        elif must:
            if way not in names or names.index(way) > names.index(must[0]):
                raise BrokenError(f"I2: IPv{family} by {way or 'none'}, {must[0]} is healthy")
            if not self.may(way, family):
                raise BrokenError(f"I3: IPv{family} back on {way}, not proven since its loss")
        elif all(self.of[name, family].bad for name in names):
            self._judge_unwell(way, observed, family)
        elif self.answers_badly(way, family) and way == self._way.get(family, way):
            pass  # until one that is well has proven itself
        elif way not in names or self.of[way, family].bad:
            raise BrokenError(f"I2: IPv{family} by {way or 'none'}, though another one is well")
        self._pace(way, family)

    def _judge_unwell(self, way: str, observed: Observation, family: int) -> None:
        """Raise BrokenError where none is well, and another one should be used.

        One that answers, however badly: that which is in use, if it does, before others.
        """
        names = self.config.names()
        disabled = self.config.ordered(DISABLE, observed.now)
        able = [n for n in sorted(names, key=disabled.__contains__) if _can(observed, n, family)]
        stays = self._way.get(family, way)
        poor = [n for n in names if self.answers_badly(n, family)]
        if poor:
            able = [stays] if stays in poor else poor
        if able and way != able[0]:
            raise BrokenError(f"I2: IPv{family} by {way or 'none'}, none well: {able[0]}")

    def answers_badly(self, name: str, family: int) -> bool:
        """Tell whether an uplink serves a family, but by a line that is poor."""
        seen = self.of.get((name, family), Seen())
        return seen.poor and not seen.mute

    def _wanted(self, way: str, family: int) -> str:
        """Return the uplink that may come before those of a better rank, "" for none.

        That which a person asked for, or the one in use where only a person takes traffic back:
        but for one that was never lost, and came after it, as at boot.
        """
        asked = self.config.ordered(USE, self.now)[:1]
        waits = self.config.failback != "auto" or self._hour_is_wrong
        present = self._way.get(family, way)
        stays = self._first_come(present, family) or present
        if waits and way in (present, stays):
            asked.append(stays)
        return next((name for name in asked if self.may(name, family)), "")

    def _first_come(self, present: str, family: int) -> str:
        """Return the best uplink that comes before the one in use, came after it, was never lost.

        "" for none, and where nobody knows since when that one is in use.
        """
        names = self.config.names()
        for name in names[: names.index(present)] if present in names else ():
            seen = self.of[name, family]
            came = family in self._taken and seen.since > self._taken[family]
            if came and not seen.lost and self.must(name, family):
                return name
        return ""

    def _pace(self, way: str, family: int) -> None:
        """Raise BrokenError where traffic returns to an uplink sooner than hold_down (I8)."""
        before, self._way[family] = self._way.get(family, ""), way
        if before != way:
            self._taken[family] = self.now
        names = self.config.names()
        if way not in names or before not in names or names.index(way) >= names.index(before):
            return
        if self.of[before, family].bad or self.config.ordered(USE, self.now):
            return  # no choice
        waits = self._hour_is_wrong or self.config.failback == "manual" or before in self._busy
        if waits and self.of[way, family].lost and self.must(before, family):
            raise BrokenError(f"I12: IPv{family} back on {way} from {before}, which is to wait")
        last = self._returns.get((way, family))
        self._returns[way, family] = self.now
        if last is not None and self.now - last < self.config.hold_down * 1000:
            raise BrokenError(f"I8: IPv{family} twice back on {way} in {self.now - last} ms")


def is_time(config: Config, observed: Observation) -> bool:
    """Tell whether it is an hour in which traffic may go back, by counting each minute of them."""
    begin, _, end = config.failback_between.partition("-")
    if not begin:
        return True
    minute, last = (int(text[:2]) * 60 + int(text[3:]) for text in (begin, end))
    now = observed.local // 60
    while minute != last:
        if minute == now:
            return True
        minute = (minute + 1) % 1440
    return False


def _has_way(observed: Observation, name: str, family: int) -> bool:
    return _can(observed, name, family) and any(
        (a.interface, a.family) == (name, family) and not (a.ours or a.shared)
        for a in observed.addresses
    )


def _can(observed: Observation, name: str, family: int) -> bool:
    """Tell whether networkd has a live default route there."""
    link = observed.link(name)
    return bool(link and link.carrier) and any(
        (r.interface, r.family, r.destination) == (name, family, "default") and not r.ours
        for r in observed.routes
    )
