"""Pages of the report: of a machine that is well, of one that had a bad month, and of one whose
uplinks are well while it is not. Names and words may be hostile; no page contradicts itself."""

from __future__ import annotations

import dataclasses

from netfail_hooks.doctor.facts import Finding
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.recorder.drills import Family as Moved
from netfail_hooks.recorder.drills import Flow, Outcome
from netfail_hooks.report import Page
from netfail_hooks.report.history import outages, periods
from netfail_hooks.status.report import Sources
from netfail_hooks.status.report import report as status_report
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.status.values import Failover, Report
from netfail_hooks.timeline import Now, Point, State
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

TIME = 1_800_000_000.0
UP, CARRIES = State("up", carries=False), State("up", carries=True)
HELD, DOWN = State("recovering", carries=False), State("down", carries=False)
_DAY = 86400
# Of each transition: how many seconds ago, the states after it, why which uplinks were down.
Story = list[tuple[float, dict[str, State], dict[str, str]]]


def point(at: float, after: dict[str, State], uplinks: tuple[str, ...], boot: str = "a") -> Point:
    """Return a transition so many seconds before the page's time."""
    return Point(TIME - at, boot, 40 * _DAY - at, uplinks, {}, after)


def page(first: str = "eth0", second: str = "wlan0", word: str = "no carrier") -> Page:
    """Return a page with outages short and long, one of both uplinks, and one that goes on."""
    names = (first, second)
    now = [(3_000, {first: DOWN, second: CARRIES}, {first: word})]
    return _page(
        [*_story(first, second, word), *now],
        names,
        status=_status(first, second, word),
        diagnosis=_diagnosis(names, word),
        damaged=2,
        drills=_drills(first, second, word),
    )


def well_page() -> Page:
    """Return one of a machine that is well, and was not always."""
    names = ("eth0", "wlan0")
    return _page(
        _story(*names, "no carrier"),
        names,
        status=_status(*names),
        diagnosis=replace(_diagnosis(names, ""), healthy=True, findings=(), unknown=()),
        drills=_drills(*names, "")[-1:],
    )


def young_page(seconds: float) -> Page:
    """Return one of a machine whose log begins so many seconds ago; 0: of one without any."""
    names = ("eth0", "wlan0")
    moved = {names[0]: DOWN, names[1]: CARRIES}
    story: Story = [
        (seconds, {names[0]: CARRIES, names[1]: UP}, {}),
        (seconds * 0.9, moved, {names[0]: "no carrier"}),
        (seconds * 0.8, {names[0]: CARRIES, names[1]: UP}, {}),
    ]
    well = well_page()
    assert well.diagnosis
    return _page(
        story if seconds else [], names, status=_status(*names), diagnosis=well.diagnosis, drills=()
    )


def odd_page() -> Page:
    """Return one whose uplinks are well, and doctor finds nothing; and yet it is not well."""
    names = ("eth0", "wlan0")
    told = replace(
        _status(*names, strays=True),
        ruled=(Ruled("192.168.1.51", "1.1.1.1", "eth0", "", "the wrong uplink"),),
        by_hand=(
            (
                "eth0 is used while it is up, over reboots too: "
                "'sudo netfail-hooks use --auto' ends it"
            ),
        ),
        silence="networkd-dispatcher does not run: no event reaches the hooks",
        drifted=("/etc/systemd/network/10-eth0.network",),
        crowded=("eth0 has 70 addresses, and 64 are looked at",),
        drill="eth0 is made to fail (cable) for 12 s more",
    )
    return dataclasses.replace(well_page(), status=told)


def _story(first: str, second: str, word: str) -> Story:
    all_well = {first: CARRIES, second: UP}
    moved, back = {first: DOWN, second: CARRIES}, {first: HELD, second: CARRIES}
    none = {first: DOWN, second: DOWN}
    return [
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
    ]


def _page(  # noqa: PLR0913 - what a page has
    story: Story,
    names: tuple[str, ...],
    *,
    status: Report,
    diagnosis: Diagnosis,
    drills: tuple[Outcome, ...],
    damaged: int = 0,
) -> Page:
    points = [point(at, after, names) for at, after, _ in story]
    causes = [cause for _, _, cause in story]
    now = Now(TIME, "a", 40 * _DAY)
    shown = periods(points, now)
    return Page(
        host="pi",
        time=TIME,
        status=status,
        periods=shown,
        outages=outages(shown[-1].timeline, points, now, causes),
        diagnosis=diagnosis,
        damaged=damaged,
        drills=drills,
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


def _status(first: str, second: str, word: str = "", *, strays: bool = False) -> Report:
    """Return the status of a machine whose first uplink is down for that reason, if for any.

    One that ``strays`` sends by its second uplink, though nobody chose that, and checks nothing.
    """
    world = World(config_of(first, second))
    world.now = 37 * _DAY * SECOND
    world.reconcile()
    world.now = (40 * _DAY - 3_000) * SECOND
    world.reconcile()
    if word:
        world.event(first, "no-carrier")
        world.reconcile()
    world.now = (40 * _DAY - 3) * SECOND
    if not strays:
        world.reconcile()
    world.now = 40 * _DAY * SECOND
    used = second if word or strays else first
    lookups = tuple(
        RouteLookup(target, used, world.subnet(used, family) + "1", world.address(used, family))
        for family, target in ((4, "1.1.1.1"), (6, "2606:4700:4700::1111"))
    )
    told = status_report(
        Sources(
            config=world.config,
            observed=world.look(),
            state=world.state,
            states={first: ("", "configured"), second: ("routable", "configured")},
            lookups=lookups,
            failover=None,
            unknown=(),
            clock=TIME,
        )
    )
    if not word:
        return told
    down = replace(
        told.uplinks[0],
        families=tuple(replace(one, reason=word) for one in told.uplinks[0].families),
    )
    moved = Failover("2027-01-15T07:10:00Z", 3000, f"{first} {word}", f"IPv4 now by {second}", 33)
    return replace(told, uplinks=(down, *told.uplinks[1:]), last_failover=moved)


def _diagnosis(names: tuple[str, ...], word: str) -> Diagnosis:
    weak = Finding(
        "dns-one-uplink",
        "weak",
        f"names would not be looked up: {word}",
        f"its only name servers are those of {names[0]}",
        (f"networkctl reconfigure {names[1]}", "netfail-hooks install"),
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
        unknown=(f"what the firewall does: {word}",),
    )
