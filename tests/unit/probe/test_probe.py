"""A round of probes: who is asked, how often, and what an answer means."""

from __future__ import annotations

import errno
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from netfail_hooks import probe as rounds
from netfail_hooks.config import Config, Target
from netfail_hooks.policy.facts import Address, Link, Observation, Result, Route
from netfail_hooks.probe import SPACING, ProbeTarget, probe, subjects_of
from netfail_hooks.probe import targets as probe_targets
from netfail_hooks.values import replace
from tests.support.world import World, config_of

NEVER = 1e9


@dataclass(eq=False)
class ProbeSocket:
    """A question, and how long after it each packet comes: foreign ones, then the answer."""

    name: str
    lan: Lan
    foreign: list[float] = field(default_factory=list)
    answer: float = NEVER
    deaf: int = 0  # to so many questions
    refuses: OSError | None = None  # to be asked
    fails: OSError | None = None  # to be read
    hiccups: list[OSError] = field(default_factory=list)  # in the place of the first packets
    events: int = select.POLLIN
    hardware: str = ""
    asked: list[float] = field(default_factory=list)
    closed: bool = False

    def fileno(self) -> int:
        return self.lan.wires.index(self)

    def ask(self) -> None:
        self.asked.append(self.lan.now)
        if self.refuses:
            raise self.refuses
        if len(self.asked) > self.deaf:
            self.lan.coming += [(self.lan.now + delay, self, False) for delay in self.foreign]
            self.lan.coming.append((self.lan.now + self.answer, self, True))

    def answered(self) -> bool:
        if self.fails:
            raise self.fails
        if self.hiccups:
            raise self.hiccups.pop(0)
        return self.lan.heard

    def close(self) -> None:
        self.closed = True


class Lan:
    """All wires, in place of the kernel's sockets, its poll(2) and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tick = 0.0  # how long it takes to look at the clock
        self.wires: list[ProbeSocket] = []
        self.questions: list[tuple[str, str, str]] = []
        self.manners: dict[str, dict[str, Any]] = {}  # how a wire is, by "eth0 192.168.1.1"
        self.coming: list[tuple[float, ProbeSocket, bool]] = []
        self.heard = False
        self.watched: dict[int, int] = {}
        self.waits: list[float] = []

    def wire(self, interface: str, name: str) -> ProbeSocket:
        manner = self.manners.get(f"{interface} {name}", {"answer": 0.0004})
        if manner.get("none"):
            raise manner["none"]
        plain = {key: one for key, one in manner.items() if key != "hears_on"}
        self.wires.append(ProbeSocket(name, self, **plain))
        if len(plain) < len(manner):
            self.wires[-1].hears_on = True  # type: ignore[attr-defined]
        return self.wires[-1]

    def gateway(self, link: Link, gateway: str, own: str) -> ProbeSocket:
        self.questions.append((link.name, gateway, own))
        return self.wire(link.name, gateway)

    def target(self, target: Target, interface: str) -> ProbeSocket:
        return self.wire(interface, target.address)

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now

    def register(self, descriptor: int, events: int) -> None:
        self.watched[descriptor] = events

    def unregister(self, descriptor: int) -> None:
        del self.watched[descriptor]

    def poll(self, wait: float | None = None) -> Any:
        """Make a poll object (ourselves), or wait on it for so many milliseconds."""
        if wait is None:
            return self
        self.waits.append(wait)
        assert wait >= 0, "it would wait for ever"
        assert len(self.waits) < 50, "it does not wait at all"
        self.coming.sort(key=lambda one: one[0])
        while self.coming and self.coming[0][0] <= self.now + wait / 1000:
            at, wire, self.heard = self.coming.pop(0)
            self.now = max(self.now, at)
            if wire.fileno() in self.watched:
                return [(wire.fileno(), self.watched[wire.fileno()])]
        self.now += wait / 1000
        return []

    def asked(self) -> dict[str, int]:
        return {wire.name: len(wire.asked) for wire in self.wires}


@pytest.fixture
def lan(monkeypatch: pytest.MonkeyPatch) -> Lan:
    made = Lan()
    monkeypatch.setattr(rounds, "time", made)
    monkeypatch.setattr(rounds, "select", made)
    monkeypatch.setattr(rounds, "gateway_wire", made.gateway)
    monkeypatch.setattr(probe_targets, "target_wire", made.target)
    return made


FOUR, OTHER, SIX = Target(4, "198.51.100.1"), Target(4, "198.51.100.2"), Target(6, "2001:db8::1")
SILENT: dict[str, Any] = {}
GATEWAY = "192.168.1.1"
REFUSED = PermissionError(errno.EPERM, "Operation not permitted")
GONE = OSError(errno.ENODEV, "No such device")


def _config(**more: Any) -> Config:
    found = config_of("eth0", "wlan0")
    return replace(found, uplinks=tuple(replace(one, **more) for one in found.uplinks))


def _seen(*families: int, apart: tuple[str, ...] = (), **states: str) -> Observation:
    world = World(_config(), families=families or (4,), apart=apart)
    for name, state in states.items():
        world.event(name, state)
    return world.look()


def _round(
    config: Config, observed: Observation, only: str = ""
) -> dict[str, tuple[bool, int, str]]:
    found = probe(config, observed, only)
    return {f"{one.interface} {one.family}": (one.healthy, one.tries, one.reason) for one in found}


WELL = (True, 1, "")


def test_every_gateway_is_asked_once_and_answers(lan: Lan) -> None:
    found = probe(_config(), _seen(4, 6))
    assert found[0] == Result("eth0", 4, healthy=True, tries=1, rtt=400, reason="")
    assert [(one.interface, one.family) for one in found] == [
        ("eth0", 4),
        ("eth0", 6),
        ("wlan0", 4),
        ("wlan0", 6),
    ]
    assert all(one.healthy for one in found)
    assert [len(wire.asked) for wire in lan.wires] == [1] * 4
    assert lan.now < 1000.001, "nobody waits for what has come"
    assert all(wire.closed for wire in lan.wires)


def test_who_is_silent_is_asked_again_and_has_its_time(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": SILENT}
    found = _round(_config(failures=3, timeout=700), _seen())
    assert found == {"eth0 4": (False, 3, f"no answer from {GATEWAY}"), "wlan0 4": WELL}
    assert lan.wires[0].asked == pytest.approx([1000, 1000.2, 1000.4])
    assert lan.now == pytest.approx(1001.1)
    assert lan.waits[1:] == pytest.approx([199.6, 200, 700], rel=1e-6)


def test_who_has_more_time_keeps_nobody_waiting(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": SILENT, f"wlan0 {GATEWAY}": SILENT}
    slow, quick = _config(failures=1, timeout=2000).uplinks[0], _config(failures=3).uplinks[1]
    found = probe(replace(_config(), uplinks=(slow, quick)), _seen())
    assert [(one.tries, one.rtt) for one in found] == [(1, 0), (3, 0)]
    assert lan.wires[1].asked == pytest.approx([1000, 1000.2, 1000.4])
    assert lan.now == pytest.approx(1002)


def test_an_answer_to_a_later_question_counts(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.001, "deaf": 1}}
    (found, _) = probe(_config(), _seen())
    assert (found.healthy, found.tries, found.rtt) == (True, 2, 1000)


def test_a_busy_machine_neither_waits_for_ever_nor_too_long(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": SILENT}
    lan.tick = SPACING + 0.1
    assert _round(_config(timeout=200), _seen(), "eth0")["eth0 4"][:2] == (False, 2)
    assert lan.waits == [0, 0]


def test_nobody_elses_packet_counts_and_none_after_the_answer(lan: Lan) -> None:
    lan.manners = {
        f"eth0 {GATEWAY}": {"foreign": [0.001, 0.002], "answer": 0.003},
        f"wlan0 {GATEWAY}": SILENT,
    }
    found = _round(_config(), _seen())
    assert found["eth0 4"] == WELL
    assert lan.watched.keys() == {1}


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("", ["eth0", "wlan0"]),
        ("eth0", ["eth0"]),
        ("wlan0", ["wlan0"]),
        ("usb0", []),
    ],
)
@pytest.mark.usefixtures("lan")
def test_one_uplink_alone_may_be_asked(only: str, names: list[str]) -> None:
    assert [one.interface for one in probe(_config(), _seen(), only)] == names


@pytest.mark.parametrize("state", ["no-carrier", "off", "missing"])
@pytest.mark.usefixtures("lan")
def test_an_uplink_that_cannot_carry_traffic_is_not_asked(state: str) -> None:
    assert set(_round(_config(), _seen(eth0=state))) == {"wlan0 4"}


def _without(observed: Observation, what: str) -> Observation:
    """Return what is seen without something of eth0's."""
    first = observed.links[0]
    return {
        "route": replace(
            observed,
            routes=tuple(
                one for one in observed.routes if one.interface != "eth0" or not one.gateway
            ),
        ),
        "address": replace(observed, addresses=observed.addresses[1:]),
        "gateway": replace(
            observed, routes=tuple(replace(one, gateway="") for one in observed.routes)
        ),
        "mac": replace(observed, links=(replace(first, mac=""), *observed.links[1:])),
    }[what]


@pytest.mark.parametrize(
    ("lacks", "targets", "asked"),
    [
        ("route", (FOUR,), set()),
        ("address", (FOUR,), set()),
        ("gateway", (FOUR,), {FOUR.address}),
        ("mac", (FOUR,), {FOUR.address}),
        ("gateway", (), set()),
        ("mac", (), set()),
    ],
)
def test_what_lacks_the_means_is_not_asked(
    lan: Lan, lacks: str, targets: tuple[Target, ...], asked: set[str]
) -> None:
    probe(_config(targets=targets), _without(_seen(), lacks), "eth0")
    assert lan.asked().keys() == asked


def test_an_uplink_that_nobody_wants_probed_is_not(lan: Lan) -> None:
    assert _round(_config(gateway=False), _seen()) == {}
    assert lan.wires == []


def test_a_gateway_may_be_left_out_while_targets_count(lan: Lan) -> None:
    config = _config(gateway=False, targets=(SIX,))
    assert _round(config, _seen(4, 6), "eth0") == {"eth0 6": WELL}
    assert SIX.address in lan.asked()


def test_who_may_not_ask_is_told_so_and_who_cannot_is_left_out(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"none": GONE}}
    assert _round(_config(), _seen()) == {"wlan0 4": WELL}
    lan.manners = {f"eth0 {GATEWAY}": {"none": REFUSED}}
    with pytest.raises(PermissionError):
        probe(_config(), _seen())


def test_why_a_question_could_not_be_sent_is_told(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"refuses": REFUSED}}
    told = (False, 2, f"{GATEWAY}: Operation not permitted")
    assert _round(_config(), _seen())["eth0 4"] == told
    assert all(wire.closed for wire in lan.wires)


def test_a_wire_that_breaks_is_heard_no_more(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.001, "fails": GONE}}
    assert _round(_config(), _seen())["eth0 4"] == (False, 2, f"{GATEWAY}: No such device")
    assert lan.watched == {}


def test_after_a_hiccup_the_next_try_is_heard(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.001, "hiccups": [GONE]}}
    assert _round(_config(), _seen(), "eth0") == {"eth0 4": (True, 2, "")}
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.001, "hiccups": [GONE] * 2}}
    assert _round(_config(failures=3), _seen(), "eth0") == {"eth0 4": (True, 3, "")}
    assert lan.watched == {}


def test_who_hears_on_after_an_error_has_the_answer_of_the_same_try(lan: Lan) -> None:
    one = {"foreign": [0.001], "answer": 0.05, "hiccups": [GONE], "hears_on": True}
    lan.manners = {f"eth0 {GATEWAY}": one}
    assert _round(_config(), _seen(), "eth0") == {"eth0 4": WELL}


def test_an_error_after_the_last_try_is_the_end(lan: Lan) -> None:
    lan.manners = {f"eth0 {GATEWAY}": {"foreign": [0.001], "answer": 0.05, "hiccups": [GONE]}}
    found = _round(_config(failures=1), _seen(), "eth0")
    assert found == {"eth0 4": (False, 1, f"{GATEWAY}: No such device")}


@pytest.mark.usefixtures("lan")
def test_one_page_among_targets_has_its_time_and_hooks_leave_it() -> None:
    page = Target(4, "192.0.2.1", 0, "http", "", "/")
    config = _config(targets=(FOUR, page), timeout=500)
    assert not list(subjects_of(config, _seen(), "eth0", patient=False))
    (subject,) = subjects_of(config, _seen(), "eth0")
    assert subject.uplink.timeout == 2000
    for wire in subject.wires():
        wire.close()


def test_the_reason_is_of_who_has_not_answered_in_the_end(lan: Lan) -> None:
    lan.manners = {
        f"eth0 {FOUR.address}": {"answer": 0.001, "hiccups": [GONE]},
        f"eth0 {OTHER.address}": SILENT,
    }
    found = _round(_config(targets=(FOUR, OTHER), policy="all"), _seen(), "eth0")
    assert found["eth0 4"] == (False, 2, f"no answer from {OTHER.address}")


@pytest.mark.parametrize(
    ("policy", "silent", "healthy", "told"),
    [
        ("any", [], True, ""),
        ("any", [FOUR], True, ""),
        ("any", [FOUR, OTHER], False, "no answer from 198.51.100.1, 198.51.100.2"),
        ("all", [], True, ""),
        ("all", [OTHER], False, "no answer from 198.51.100.2"),
    ],
)
def test_of_targets_any_or_all_must_answer(
    lan: Lan, policy: str, silent: list[Target], told: str, *, healthy: bool
) -> None:
    lan.manners = {f"eth0 {one.address}": SILENT for one in silent}
    found = _round(_config(targets=(FOUR, OTHER), policy=policy), _seen(), "eth0")["eth0 4"]
    assert (found[0], found[2]) == (healthy, told)


@pytest.mark.parametrize(
    ("policy", "gateway", "healthy", "asked"),
    [("any", True, True, 1), ("all", True, False, 2), ("all", False, True, 1)],
)
def test_with_all_a_gateway_must_answer_where_it_is_asked_for(
    lan: Lan, policy: str, asked: int, *, gateway: bool, healthy: bool
) -> None:
    lan.manners = {f"eth0 {GATEWAY}": SILENT}
    config = _config(targets=(FOUR,), policy=policy, gateway=gateway)
    assert _round(config, _seen(), "eth0")["eth0 4"][:2] == (healthy, asked)
    assert lan.asked() == {GATEWAY: asked, FOUR.address: 1}


def test_a_gateways_answer_does_not_make_up_for_a_targets(lan: Lan) -> None:
    lan.manners = {f"eth0 {FOUR.address}": SILENT}
    config = _config(targets=(FOUR,))
    told = f"no answer from {FOUR.address}"
    assert _round(config, _seen(), "eth0")["eth0 4"] == (False, 2, told)
    assert lan.asked() == {GATEWAY: 1, FOUR.address: 2}, "who has answered is not asked again"
    assert [lan.wires[at].name for at in lan.watched] == [FOUR.address], "nor listened to"


# --- several routers of one link ----------------------------------------------------------------

SECOND = "192.168.1.2"


def _two(observed: Observation) -> Observation:
    """Return what is seen where eth0's link has a second router, of the same metric."""
    first = next(
        one for one in observed.routes if (one.interface, one.gateway) == ("eth0", GATEWAY)
    )
    return replace(observed, routes=(*observed.routes, replace(first, gateway=SECOND)))


@pytest.mark.parametrize(
    ("mute", "healthy", "silent", "took"),
    [
        ([], True, (), 0.0004),
        ([GATEWAY], True, (GATEWAY,), 0.7),
        ([SECOND], True, (SECOND,), 0.7),
        ([GATEWAY, SECOND], False, (), 0.7),
    ],
)
def test_each_router_is_asked_and_one_is_enough(
    lan: Lan, mute: list[str], silent: tuple[str, ...], took: float, *, healthy: bool
) -> None:
    lan.manners = {f"eth0 {one}": SILENT for one in mute}
    (found,) = probe(_config(), _two(_seen()), "eth0")
    assert (found.healthy, found.tries, found.silent) == (healthy, 1 if healthy else 2, silent)
    assert found.rtt == (400 if healthy else 0)
    assert lan.now - 1000 == pytest.approx(took)
    if not healthy:
        assert found.reason == f"no answer from {GATEWAY}, {SECOND}"


def test_another_metrics_router_is_not_in_use_and_not_asked(lan: Lan) -> None:
    observed = _seen()
    first = next(one for one in observed.routes if one.gateway)
    more = (replace(first, gateway=SECOND, metric=700), replace(first, protocol=157, metric=50))
    probe(_config(), replace(observed, routes=(*observed.routes, *more)), "eth0")
    assert lan.asked() == {GATEWAY: 1}


@pytest.mark.parametrize(
    ("policy", "gateway", "asked", "silent"),
    [
        ("any", True, {GATEWAY: 1, SECOND: 2, FOUR.address: 1}, (SECOND,)),
        ("all", True, {GATEWAY: 1, SECOND: 2, FOUR.address: 1}, (SECOND,)),
        ("any", False, {GATEWAY: 1, FOUR.address: 1}, ()),
    ],
)
def test_beside_targets_routers_are_judged_where_their_word_counts(
    lan: Lan, policy: str, asked: dict[str, int], silent: tuple[str, ...], *, gateway: bool
) -> None:
    lan.manners = {f"eth0 {SECOND}": SILENT}
    config = _config(targets=(FOUR,), policy=policy, gateway=gateway)
    (found,) = probe(config, _two(_seen()), "eth0")
    assert (found.healthy, found.silent, found.tries) == (True, silent, 1)
    assert lan.asked() == asked


def test_a_standby_shares_a_gateway_that_is_one_of_its_own(lan: Lan) -> None:
    """The carrier sends by the second router, since the first one is silent."""
    observed = _seen()
    routes = [
        replace(one, gateway=SECOND) if (one.interface, one.gateway) == ("eth0", GATEWAY) else one
        for one in observed.routes
    ]
    first = next(
        one for one in observed.routes if (one.interface, one.gateway) == ("wlan0", GATEWAY)
    )
    probe(
        _config(targets=(FOUR,)),
        replace(observed, routes=(*routes, replace(first, gateway=SECOND))),
    )
    assert {own for name, _, own in lan.questions if name == "wlan0"} == {""}
    assert len([wire for wire in lan.wires if wire.name == FOUR.address]) == 1


# --- standbys -----------------------------------------------------------------------------------


def _other_gateway(observed: Observation) -> Observation:
    return replace(
        observed,
        routes=tuple(
            replace(one, gateway="192.168.1.9") if one.interface == "wlan0" and one.gateway else one
            for one in observed.routes
        ),
    )


def _other_lan(observed: Observation) -> Observation:
    """Return another LAN behind wlan0, whose gateway has the same address, as fe80::1 may be."""
    return replace(
        observed,
        routes=tuple(
            replace(one, destination="10.0.0.0/8")
            if one.interface == "wlan0" and not one.gateway
            else one
            for one in observed.routes
        ),
    )


def _more_lans(observed: Observation) -> Observation:
    """Return what is seen where both uplinks have another LAN besides the one that they share."""
    others = [Address("eth0", 4, "10.1.0.2", 24), Address("wlan0", 4, "10.2.0.2", 24)]
    prefixes = [Route("wlan0", 4, "10.2.0.0/24", 600, protocol=2)]
    return replace(
        observed, addresses=(*observed.addresses, *others), routes=(*observed.routes, *prefixes)
    )


def _none_in_use(observed: Observation) -> Observation:
    return replace(observed, routes=tuple(replace(one, linkdown=True) for one in observed.routes))


@pytest.mark.parametrize(
    ("change", "shares"),
    [
        (lambda observed: observed, True),
        (_more_lans, True),
        (_other_gateway, False),
        (_other_lan, False),
        (_none_in_use, False),
    ],
)
def test_a_standby_of_the_carriers_gateway_gives_no_address_away_and_asks_no_target(
    lan: Lan, change: Callable[[Observation], Observation], *, shares: bool
) -> None:
    probe(_config(targets=(FOUR,)), change(_seen()))
    asked = {name: own for name, _, own in lan.questions}
    assert asked == {"eth0": "192.168.1.50", "wlan0": "" if shares else "192.168.1.51"}
    targets = [wire for wire in lan.wires if wire.name == FOUR.address]
    assert len(targets) == (1 if shares else 2)


@pytest.mark.parametrize(
    ("silent", "carrier", "standby"),
    [
        ([], "", ""),
        (
            [f"eth0 {FOUR.address}"],
            f"no answer from {FOUR.address}",
            f"no answer from {FOUR.address}",
        ),
        (
            [f"eth0 {FOUR.address}", f"wlan0 {GATEWAY}"],
            f"no answer from {FOUR.address}",
            f"no answer from {GATEWAY}",
        ),
        ([f"eth0 {FOUR.address}", f"eth0 {GATEWAY}"], f"no answer from {FOUR.address}", ""),
        ([f"eth0 {GATEWAY}"], "", ""),
    ],
    ids=["healthy", "beyond", "both", "cable", "gateway alone"],
)
def test_what_the_carrier_finds_beyond_the_gateway_holds_for_its_standby(
    lan: Lan, silent: list[str], carrier: str, standby: str
) -> None:
    lan.manners = dict.fromkeys(silent, SILENT)
    found = _round(_config(targets=(FOUR, SIX)), _seen(4, 6))
    assert [found[name][2] for name in ("eth0 4", "wlan0 4")] == [carrier, standby]
    assert [found[name][0] for name in ("eth0 4", "wlan0 4")] == [not carrier, not standby]
    assert found["wlan0 6"] == WELL, "of another family it says nothing"


def test_with_all_too_it_holds_for_the_standby(lan: Lan) -> None:
    lan.manners = {f"eth0 {FOUR.address}": SILENT}
    found = _round(_config(targets=(FOUR,), policy="all"), _seen())
    assert [one[0] for one in found.values()] == [False, False]


def test_what_an_uplink_of_its_own_lan_finds_is_its_own(lan: Lan) -> None:
    lan.manners = {f"eth0 {FOUR.address}": SILENT}
    found = _round(_config(targets=(FOUR,)), _seen(apart=("wlan0",)))
    assert [one[0] for one in found.values()] == [False, True]


def test_a_standby_shares_the_fate_of_the_active_uplink_alone(lan: Lan) -> None:
    lan.manners = {f"wwan0 {FOUR.address}": SILENT}
    names = ("eth0", "wlan0", "wwan0")
    config = config_of(*names)
    config = replace(config, uplinks=tuple(replace(u, targets=(FOUR,)) for u in config.uplinks))
    found = _round(config, World(config, families=(4,), apart=("wwan0",)).look())
    assert [found[f"{name} 4"][0] for name in names] == [True, True, False]


def test_the_time_of_an_answer_is_told_in_microseconds(lan: Lan) -> None:
    wire = ProbeSocket("x", lan)
    subject = ProbeTarget(_config().uplinks[0], 4, [wire])
    assert not subject.is_over(subject.due)
    subject.asked, lan.heard = lan.now, True
    lan.now += 5
    assert subject.receive(wire)
    assert subject.healthy
    assert subject.result().rtt == 5_000_000


def test_a_routers_answer_is_not_the_time_of_a_targets(lan: Lan) -> None:
    lan.manners = {f"eth0 {one}": {"answer": 0.002} for one in (GATEWAY, SECOND)}
    (found,) = probe(_config(targets=(FOUR,)), _two(_seen()), "eth0")
    assert found.rtt == 400
