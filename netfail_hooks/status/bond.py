"""``status`` of a bond: its slaves as the kernel reports them, and which one is active.

The kernel tells of each slave its state, the monitor's verdict, a count of failures and its
permanent hardware address. When it last had an answer by ARP it tells nobody.
"""

from __future__ import annotations

import time

from netfail_hooks.config import Config
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.bond import unusable_reason
from netfail_hooks.policy.facts import Observation
from netfail_hooks.recorder import boot_id
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.report import told_failover
from netfail_hooks.status.text import UNWELL, WELL, labelled, render_failover, well_mark
from netfail_hooks.status.values import SCHEMA, Failover
from netfail_hooks.terminal import BAD, painter
from netfail_hooks.values import value


@value
class SlaveReport:
    """A slave: ``state`` is "active" or "backup", ``link`` the monitor's verdict; "" outside."""

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
    """The bond. ``healthy``: it is active-backup, its slaves are well, and there is a way out."""

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


def bond_report(
    config: Config,
    observed: Observation,
    lookups: tuple[RouteLookup, ...],
    failover: Transition | None,
    unknown: tuple[str, ...],
) -> BondReport:
    """Return the report on what was seen."""
    name = config.bond.name
    bonding = observed.bonding(name)
    slaves = tuple(
        _slave(config, observed, rank, one) for rank, one in enumerate(config.names(), 1)
    )
    right = bonding is not None and bonding.mode == "active-backup"
    found = [one for family in FAMILIES for one in observed.own_addresses(name, family)]
    return BondReport(
        schema=SCHEMA,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        mode="bond",
        healthy=right and bool(lookups) and all(one.healthy for one in slaves),
        bond=name,
        kernel_mode=bonding.mode if bonding else "",
        active=bonding.active if bonding else "",
        primary=bonding.primary if bonding else "",
        arp_interval=bonding.arp_interval if bonding else 0,
        targets=bonding.targets if bonding else (),
        addresses=tuple(f"{one.address}/{one.length}" for one in found),
        slaves=slaves,
        lookups=lookups,
        last_failover=told_failover(failover, time.time(), observed.now, boot_id()),
        unknown=unknown,
    )


def _slave(config: Config, observed: Observation, rank: int, name: str) -> SlaveReport:
    reason, found = unusable_reason(config, observed, name), observed.slave(name)
    if found is None:
        return SlaveReport(rank, name, False, reason, "", "", 0, "")  # noqa: FBT003 - not well
    state = "active" if found.active else "backup"
    return SlaveReport(
        rank, name, not reason, reason, state, found.link, found.failures, found.permanent_mac
    )


def render_bond(report: BondReport, *, colour: bool) -> str:
    """Return the report as lines for people."""
    paint = painter(colour=colour)
    width = max(len(one.interface) for one in report.slaves)
    marks = max(len(WELL if one.healthy else UNWELL) for one in report.slaves)
    lines = []
    for one in report.slaves:
        words = [one.reason or "carrier"]
        if one.state:
            failed = "failure" if one.failures == 1 else "failures"
            words += [
                f"{one.state} slave",
                f"monitor says {one.link}",
                f"{one.failures} link {failed}",
                f"hardware {one.permanent_mac}",
            ]
        star = "*" if one.interface == report.active else " "
        mark = well_mark(paint, marks, healthy=one.healthy)
        lines.append(f"{one.rank}. {one.interface:{width}} {star} {mark}  {', '.join(words)}")
    asked = f"asks {', '.join(report.targets)} each {report.arp_interval} ms"
    monitor = asked if report.arp_interval and report.targets else "no ARP monitor"
    told = [
        report.bond,
        report.kernel_mode or "there is no such bond",
        monitor,
        f"primary {report.primary or 'none'}",
    ]
    lines += ["", *labelled("bond", [", ".join(told)])]
    lines += labelled("address", [", ".join(report.addresses) or "none"])
    lines += labelled(
        "traffic",
        [
            f"to {way.destination} by {way.interface}, slave {report.active or 'none'}"
            for way in report.lookups
        ]
        or [paint("no way out", BAD)],
    )
    if report.last_failover:
        lines += labelled("last", [render_failover(report.last_failover)])
    return "\n".join([*lines, *labelled("unknown", list(report.unknown))])
