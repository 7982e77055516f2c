"""``status`` of a bond: its slaves as the kernel reports them, and which one is active.

The kernel reports of each slave its state, the one that the monitor gives it, a count of failures
and its permanent hardware address. It does not report when the slave last had an ARP answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from netfail_hooks.config import Config
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.bond import unusable_reason
from netfail_hooks.policy.facts import Observation
from netfail_hooks.recorder import boot_id
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.report import failover_report
from netfail_hooks.status.text import (
    UNWELL,
    WELL,
    drifted_facts,
    failover_words,
    silence_facts,
    well_mark,
)
from netfail_hooks.status.values import SCHEMA, Failover
from netfail_hooks.terminal import BAD, Paint, painter
from netfail_hooks.terminal.layout import KEPT, beside, cells, is_narrow, labelled, padded
from netfail_hooks.values import value


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
    silence: str = ""
    drifted: tuple[str, ...] = ()


def bond_report(
    config: Config,
    observed: Observation,
    lookups: tuple[RouteLookup, ...],
    failover: Transition | None,
    unknown: tuple[str, ...],
) -> BondReport:
    """Return the report on an observation."""
    name = config.bond.name
    bonding = observed.bonding(name)
    slaves = tuple(
        _slave(config, observed, rank, slave) for rank, slave in enumerate(config.names(), 1)
    )
    right = bonding is not None and bonding.mode == "active-backup"
    addresses = [address for family in FAMILIES for address in observed.own_addresses(name, family)]
    return BondReport(
        schema=SCHEMA,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        mode="bond",
        healthy=right and bool(lookups) and all(slave.healthy for slave in slaves),
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
        unknown=unknown,
    )


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
    paint = painter(colour=colour)
    lines: list[str] = []
    names = max(cells(slave.interface) for slave in report.slaves)
    marks = max(len(WELL if slave.healthy else UNWELL) for slave in report.slaves)
    if is_narrow(width):
        names = marks = 0
    for slave in report.slaves:
        star = "*" if slave.interface == report.active else " "
        mark = well_mark(paint, marks, healthy=slave.healthy)
        head = f"{slave.rank}. {padded(slave.interface, names)} {star} {mark}  "
        lines += beside(head, ", ".join(_words(slave)), width)
    lines.append("")
    for label, texts in _facts(report, paint):
        lines += labelled(label, texts, width)
    return "\n".join(lines)


def _words(slave: SlaveReport) -> list[str]:
    words = [slave.reason or "carrier"]
    if slave.state:
        failed = "failure" if slave.failures == 1 else "failures"
        words += [
            f"{slave.state} slave",
            f"monitor says {slave.link}",
            f"{slave.failures} link {failed}",
            f"hardware {slave.permanent_mac}",
        ]
    return words


def _facts(report: BondReport, paint: Paint) -> Iterator[tuple[str, list[str]]]:
    """Yield what is told beside the slaves, each with its label."""
    asked = f"asks {', '.join(report.targets)} each {report.arp_interval}{KEPT}ms"
    monitor = asked if report.arp_interval and report.targets else "no ARP monitor"
    facts = [
        report.bond,
        report.kernel_mode or "there is no such bond",
        monitor,
        f"primary {report.primary or 'none'}",
    ]
    yield "bond", [", ".join(facts)]
    yield "address", [", ".join(report.addresses) or "none"]
    ways = [
        f"to{KEPT}{answer.destination} by{KEPT}{answer.interface}, slave {report.active or 'none'}"
        for answer in report.lookups
    ]
    yield "traffic", ways or [paint("no way out", BAD)]
    yield "last move", [failover_words(report.last_failover)] if report.last_failover else []
    yield drifted_facts(report.drifted, paint)
    yield silence_facts(report.silence, paint)
    yield "unknown", list(report.unknown)
