"""``status`` of a bond: its slaves as the kernel reports them, and which one is active.

The kernel reports of each slave its state, the one that the monitor gives it, a count of failures
and its permanent hardware address. It does not report when the slave last had an ARP answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.bond import unusable_reason
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.health import BY_HAND
from netfail_hooks.recorder import boot_id
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.facts import (
    Fact,
    drifted,
    last,
    no_way_out,
    not_learnt,
    silence,
    unknown,
)
from netfail_hooks.status.report import failover_report
from netfail_hooks.status.text import DETAIL, DISABLED, UNWELL, WELL, fact_blocks, head_block
from netfail_hooks.status.values import SCHEMA, Failover
from netfail_hooks.terminal import BAD, GOOD, WAITING, painter
from netfail_hooks.terminal.layout import KEPT, cells, is_narrow, padded
from netfail_hooks.terminal.shorten import Block, lines_of
from netfail_hooks.values import replace, value


@value
class SlaveReport:
    """A slave: ``state`` is "active" or "backup", ``link`` the monitor's word; "" outside."""

    rank: int
    interface: str
    healthy: bool
    reason: str
    state: str
    link: str
    failures: int
    permanent_mac: str


@value
class BondReport:
    """The bond. ``healthy``: it is active-backup, all slaves are healthy, there is a route out."""

    schema: int
    time: str
    mode: str
    healthy: bool
    bond: str
    kernel_mode: str
    active: str
    primary: str
    arp_interval: int
    targets: tuple[str, ...]
    addresses: tuple[str, ...]
    slaves: tuple[SlaveReport, ...]
    lookups: tuple[RouteLookup, ...]
    last_failover: Failover | None
    unknown: tuple[str, ...]
    root_only: tuple[str, ...] = ()
    silence: str = ""
    drifted: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()


def bond_report(
    config: Config,
    observed: Observation,
    lookups: tuple[RouteLookup, ...],
    failover: Transition | None,
    problems: tuple[Problem, ...],
) -> BondReport:
    """Return the report on an observation; ``problems`` are what could not be learnt."""
    unlearnt, root_only = not_learnt(problems)
    name = config.bond.name
    bonding = observed.bonding(name)
    slaves = tuple(
        _slave(config, observed, rank, slave) for rank, slave in enumerate(config.names(), 1)
    )
    addresses = [address for family in FAMILIES for address in observed.own_addresses(name, family)]
    found = BondReport(
        schema=SCHEMA,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        mode="bond",
        healthy=False,
        bond=name,
        kernel_mode=bonding.mode if bonding else "",
        active=bonding.active if bonding else "",
        primary=bonding.primary if bonding else "",
        arp_interval=bonding.arp_interval if bonding else 0,
        targets=bonding.targets if bonding else (),
        addresses=tuple(f"{address.address}/{address.length}" for address in addresses),
        slaves=slaves,
        lookups=lookups,
        last_failover=failover_report(failover, time.time(), observed.now, boot_id()),
        unknown=unlearnt,
        root_only=root_only,
    )
    return replace(found, healthy=bond_is_healthy(found))


def bond_is_healthy(report: BondReport) -> bool:
    """Tell whether all is well; if not, a slave or a fact says so itself."""
    well = all(slave.healthy for slave in report.slaves)
    return well and not any(fact.unwell for fact in bond_facts(report))


def _slave(config: Config, observed: Observation, rank: int, name: str) -> SlaveReport:
    reason, slave = unusable_reason(config, observed, name), observed.slave(name)
    if slave is None:
        return SlaveReport(rank, name, False, reason, "", "", 0, "")  # noqa: FBT003 - not well
    state = "active" if slave.active else "backup"
    return SlaveReport(
        rank, name, not reason, reason, state, slave.link, slave.failures, slave.permanent_mac
    )


def render_bond(report: BondReport, *, colour: bool, width: int = 0) -> str:
    """Return the report as lines for people, of so many columns (0: any)."""
    return "\n".join(lines_of(blocks(report, colour=colour, width=width)))


def blocks(report: BondReport, *, colour: bool, width: int = 0) -> list[Block]:
    """Return it in parts, of which some can be left out."""
    paint = painter(colour=colour)
    found: list[Block] = []
    names = max(cells(slave.interface) for slave in report.slaves)
    marks = max(len(_mark(slave)[0]) for slave in report.slaves)
    if is_narrow(width):
        names = marks = 0
    for slave in report.slaves:
        active = slave.interface == report.active
        word, tone = _mark(slave)
        mark = paint(word, tone) + " " * (marks - len(word))
        head = f"{slave.rank}. {padded(slave.interface, names)} {'*' if active else ' '} {mark}  "
        vital = active or not slave.healthy
        found.append(head_block(head, slave_words(slave), width, vital=vital))
    return [*found, Block(DETAIL, ("",)), *fact_blocks(bond_facts(report), paint, width)]


def _mark(slave: SlaveReport) -> tuple[str, str]:
    if slave.reason == BY_HAND:
        return DISABLED, WAITING
    return (WELL, GOOD) if slave.healthy else (UNWELL, BAD)


def slave_words(slave: SlaveReport) -> str:
    """Return all that is told of a slave."""
    words = [slave.reason or "carrier"]
    if slave.state:
        failed = "failure" if slave.failures == 1 else "failures"
        words += [
            f"{slave.state} slave",
            f"monitor says {slave.link}",
            f"{slave.failures} link {failed}",
            f"hardware {slave.permanent_mac}",
        ]
    return ", ".join(words)


def bond_facts(report: BondReport) -> Iterator[Fact]:
    """Yield what is told beside the slaves."""
    asked = f"asks {', '.join(report.targets)} each {report.arp_interval}{KEPT}ms"
    words = [
        report.bond,
        report.kernel_mode or "there is no such bond",
        asked if report.arp_interval and report.targets else "no ARP monitor",
        f"primary {report.primary or 'none'}",
    ]
    wrong = report.kernel_mode != "active-backup"
    yield Fact("bond", ", ".join(words), BAD if wrong else "", unwell=wrong)
    yield Fact("address", ", ".join(report.addresses) or "none")
    for lookup in report.lookups:
        by = f"to{KEPT}{lookup.destination} by{KEPT}{lookup.interface}"
        yield Fact("traffic", f"{by}, slave {report.active or 'none'}")
    if not report.lookups:
        yield no_way_out()
    yield from (Fact("by hand", order) for order in report.by_hand)
    yield from last(report.last_failover)
    yield from drifted(report.drifted)
    yield from silence(report.silence)
    yield from unknown(report.unknown, report.root_only)
