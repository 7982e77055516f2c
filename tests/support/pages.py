"""A page of the report as of a machine that had a bad month; names and words may be hostile."""

from __future__ import annotations

from netfail_hooks.doctor.facts import Finding
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.recorder.drills import Family as Moved
from netfail_hooks.recorder.drills import Flow, Outcome
from netfail_hooks.report import PERIODS, Page
from netfail_hooks.report.history import outages, period
from netfail_hooks.status.values import Failover, Family, Probe, Report, UplinkReport
from netfail_hooks.timeline import Now, Point, State
from netfail_hooks.values import replace

TIME = 1_800_000_000.0
UP, CARRIES = State("up", carries=False), State("up", carries=True)
HELD, DOWN = State("recovering", carries=False), State("down", carries=False)
_DAY = 86400


def point(at: float, after: dict[str, State], uplinks: tuple[str, ...], boot: str = "a") -> Point:
    """Return a transition so many seconds before the page's time."""
    return Point(TIME - at, boot, 40 * _DAY - at, uplinks, {}, after)


def page(first: str = "eth0", second: str = "wlan0", word: str = "no carrier") -> Page:
    """Return a page with outages short and long, one of both uplinks, and one that goes on."""
    names = (first, second)
    all_well = {first: CARRIES, second: UP}
    moved, back = {first: DOWN, second: CARRIES}, {first: HELD, second: CARRIES}
    none = {first: DOWN, second: DOWN}
    story = [
        (29 * _DAY, all_well, {}),
        (20 * _DAY, {first: CARRIES, second: DOWN}, {second: word}),
        (20 * _DAY - 7200, all_well, {}),
        (3 * _DAY, moved, {first: word}),
        (3 * _DAY - 90, none, {first: word, second: "no answer from the gateway"}),
        (3 * _DAY - 400, moved, {first: word}),
        (3 * _DAY - 5000, back, {}),
        (3 * _DAY - 5010, all_well, {}),
        (50_000, moved, {first: "no answer from the gateway"}),
        (49_999.2, back, {}),
        (49_980, all_well, {}),
        (3_000, moved, {first: word}),
    ]
    points = [point(at, after, names) for at, after, _ in story]
    causes = [cause for _, _, cause in story]
    now = Now(TIME, "a", 40 * _DAY)
    periods = tuple(period(name, points, now, TIME - seconds) for name, seconds in PERIODS)
    return Page(
        host="pi",
        time=TIME,
        status=_status(first, second, word),
        periods=periods,
        outages=outages(periods[-1].timeline, points, now, causes),
        diagnosis=_diagnosis(names, word),
        damaged=2,
        drills=_drills(first, second, word),
    )


def _drills(first: str, second: str, word: str) -> tuple[Outcome, ...]:
    """Return a drill that was cut short, one that failed, and one that passed."""
    target = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    passed = Outcome(
        time=int(TIME) - 31 * _DAY,
        verdict="passed",
        fault="gateway",
        way="silence",
        interface=first,
        seconds=20,
        awaited=True,
        families=(Moved(4, second, 712, 12_000), Moved(6, second, 903, 12_100)),
        flows=(
            Flow("echo", "198.51.100.1", 400, 14, 712),
            Flow("tcp", f"[{target}]:443", 20, 0, 903),
        ),
    )
    failed = replace(
        passed,
        time=int(TIME) - 2 * _DAY,
        verdict="failed",
        fault="cable",
        families=(Moved(4, second, -1, -1),),
        flows=(Flow("echo", target, 400, 380, 19_000, 3),),
        reasons=(word,),
    )
    cut = replace(failed, time=int(TIME) - _DAY, verdict="cut short", flows=(), reasons=())
    return cut, failed, passed


def _family(family: int, state: str, reason: str, *, carries: bool) -> Family:
    return Family(
        family=family,
        chosen=carries,
        carries=carries,
        state=state,
        reason=reason,
        since="2027-01-15T07:10:00Z",
        seconds=3000,
        hold_down_left=0,
        rounds_failed=0,
        rounds_passed=3,
        rounds_to_go=0,
        asked=True,
        watched=True,
        silent=(),
        router="192.168.1.1",
        hardware="02:00:00:00:00:01",
        exchanged=None,
        probe=Probe(3, 1, 0, 0.4),
        addresses=("192.168.1.25/24",) if family == 4 else ("2001:db8::25/64",),
        gateway="192.168.1.1" if family == 4 else "fe80::1",
        metric=600,
    )


def _status(first: str, second: str, word: str) -> Report:
    uplinks = (
        (first, False, _family(4, "down", word, carries=False), False),
        (second, True, _family(4, "up", "", carries=True), True),
    )
    return Report(
        schema=2,
        time="2027-01-15T08:00:00Z",
        healthy=False,
        as_chosen=True,
        state="known",
        uplinks=tuple(
            UplinkReport(
                rank=rank,
                interface=name,
                healthy=healthy,
                present=True,
                carrier=carrier,
                operational="routable",
                setup="configured",
                metric=500 * rank - 400,
                families=(ipv4, _family(6, ipv4.state, ipv4.reason, carries=ipv4.carries)),
            )
            for rank, (name, healthy, ipv4, carrier) in enumerate(uplinks, start=1)
        ),
        lookups=(),
        ruled=(),
        our_routes=("default via 192.168.1.1 dev wlan0 metric 50",),
        our_addresses=(),
        last_failover=Failover("2027-01-15T07:10:00Z", 3000, "eth0 no-carrier", word, 33),
        drifted=(),
        unknown=(word,),
    )


def _diagnosis(names: tuple[str, ...], word: str) -> Diagnosis:
    weak = Finding(
        "dns-one-uplink",
        "weak",
        f"names would not be looked up: {word}",
        f"its only name servers are those of {names[0]}",
        (f"add DNS= to the .network file of {names[1]}", "netfail-hooks install"),
        safe=False,
    )
    broken = Finding(
        "timer-stopped",
        "broken",
        "the timer of the check does not run",
        "a dead target is never noticed",
        ("systemctl enable --now netfail-hooks-check.timer",),
        safe=True,
    )
    return Diagnosis(
        schema=2,
        installed=True,
        healthy=False,
        mode="routes",
        uplinks=names,
        rules=51,
        findings=(broken, weak),
        did=(),
        would=(),
        failed=(),
        unknown=(word,),
    )
