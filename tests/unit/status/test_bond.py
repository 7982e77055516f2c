"""The status of a bond: what is well, what is told of it, and how it reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from netfail_hooks.config import Order
from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.policy.facts import Address, Observation
from netfail_hooks.recorder.events import Transition
from netfail_hooks.status.bond import BondReport, SlaveReport, bond_report, render_bond
from netfail_hooks.status.facts import by_hand
from netfail_hooks.values import replace
from tests.unit.policy.test_bond import BOND, CABLE_OUT, CONFIG, SEEN, slave

WAY = RouteLookup("1.1.1.1", "bond0", "192.168.1.1", "192.168.1.252")
EVENT = Transition(
    datetime(2026, 11, 24, 11, 58, 30, tzinfo=UTC),
    "eth0 no-carrier",
    "IPv4 now by wlan0",
    (),
    (),
    24,
    {"ipv4": "wlan0"},
    {"ipv4": "eth0"},
)


def _report(observed: Observation = SEEN, lookups: tuple[RouteLookup, ...] = (WAY,)) -> BondReport:
    return bond_report(CONFIG, observed, lookups, None, ())


@pytest.mark.parametrize(
    ("observed", "lookups", "healthy"),
    [
        (SEEN, (WAY,), True),
        (SEEN, (), False),
        (CABLE_OUT, (WAY,), False),
        (replace(SEEN, bonds=()), (WAY,), False),
        (replace(SEEN, bonds=(replace(BOND, mode="balance-rr"),)), (WAY,), False),
        (replace(SEEN, slaves=SEEN.slaves[:1]), (WAY,), False),
    ],
    ids=["healthy", "no way out", "cable out", "no bond", "mode", "outside"],
)
def test_well_is_an_active_backup_bond_of_well_slaves_with_a_way_out(
    observed: Observation, lookups: tuple[RouteLookup, ...], *, healthy: bool
) -> None:
    assert _report(observed, lookups).healthy is healthy


def test_a_slave_that_is_disabled_by_hand_is_no_fault_to_look_for() -> None:
    config = replace(CONFIG, orders=(Order("disable", "wlan0"),))
    found = bond_report(config, SEEN, (WAY,), None, ())
    found = replace(found, by_hand=tuple(by_hand(config, SEEN.now, ())))
    assert not found.healthy
    lines = render_bond(found, colour=False).splitlines()
    assert lines[0].startswith("1. eth0  * ok        carrier, active slave")
    assert lines[1].startswith("2. wlan0   disabled  disabled by hand, backup slave")
    told = "wlan0 is disabled until the next boot: 'sudo netfail-hooks enable wlan0' ends it"
    assert any(line.endswith(told) for line in lines)


def test_all_of_the_bond_is_told() -> None:
    mac = "02:00:00:00:00:"
    six = Address("bond0", 6, "fd00::252", 64)
    found = _report(replace(SEEN, addresses=(six, *SEEN.addresses)))
    assert (found.schema, found.mode, found.kernel_mode) == (2, "bond", "active-backup")
    assert (found.active, found.primary) == ("eth0", "eth0")
    assert (found.arp_interval, found.targets) == (100, ("192.168.1.1",))
    assert found.addresses == ("192.168.1.252/24", "fd00::252/64")
    assert found.slaves == (
        SlaveReport(1, "eth0", True, "", "active", "up", 0, f"{mac}10"),  # noqa: FBT003 - well
        SlaveReport(2, "wlan0", True, "", "backup", "up", 0, f"{mac}11"),  # noqa: FBT003 - well
    )


def test_of_a_bond_that_is_not_there_nothing_is_told() -> None:
    found = _report(replace(SEEN, bonds=(), slaves=()))
    told = (found.kernel_mode, found.active, found.primary, found.arp_interval, found.targets)
    assert told == ("", "", "", 0, ())
    slave = found.slaves[1]
    assert (slave.healthy, slave.state, slave.link, slave.failures, slave.permanent_mac) == (
        False,
        "",
        "",
        0,
        "",
    )


_WELL = """\
1. eth0  * ok  carrier, active slave, monitor says up, 0 link failures, \
hardware 02:00:00:00:00:10
2. wlan0   ok  carrier, backup slave, monitor says up, 0 link failures, \
hardware 02:00:00:00:00:11

bond      bond0, active-backup, asks 192.168.1.1 each 100 ms, primary eth0
address   192.168.1.252/24
traffic   to 1.1.1.1 by bond0, slave eth0"""

_ILL = """\
1. enp0s31f6   NOT WELL  no carrier, backup slave, monitor says down, 1 link failure, \
hardware 02:00:00:00:00:01
2. wlan0     * ok        carrier, active slave, monitor says up, 0 link failures, \
hardware 02:00:00:00:00:02

bond      uplink-bond, active-backup, asks 192.168.1.1 each 100 ms, primary enp0s31f6
address   192.168.1.252/24
traffic   no way out
not shown a thing: root alone may read it: 'sudo netfail-hooks status'"""


def test_how_it_reads() -> None:
    assert render_bond(_report(), colour=False) == _WELL
    slaves = (
        SlaveReport(1, "enp0s31f6", False, "no carrier", "backup", "down", 1, "02:00:00:00:00:01"),  # noqa: FBT003 - not well
        SlaveReport(2, "wlan0", True, "", "active", "up", 0, "02:00:00:00:00:02"),  # noqa: FBT003 - well
    )
    ill = BondReport(
        schema=1,
        time="",
        mode="bond",
        healthy=False,
        bond="uplink-bond",
        kernel_mode="active-backup",
        active="wlan0",
        primary="enp0s31f6",
        arp_interval=100,
        targets=("192.168.1.1",),
        addresses=("192.168.1.252/24",),
        slaves=slaves,
        lookups=(),
        last_failover=None,
        unknown=(),
        root_only=("a thing",),
    )
    assert render_bond(ill, colour=False) == _ILL
    painted = render_bond(ill, colour=True)
    assert "\033[31mno way out\033[0m" in painted
    assert re.sub(r"\033\[\d+m", "", painted) == _ILL


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bonds": ()}, "bond      bond0, there is no such bond, no ARP monitor, primary none"),
        ({"bonds": (replace(BOND, arp_interval=0),)}, "no ARP monitor, primary eth0"),
        ({"bonds": (replace(BOND, targets=()),)}, "no ARP monitor, primary eth0"),
        ({"bonds": (replace(BOND, active=""),)}, "traffic   to 1.1.1.1 by bond0, slave none"),
        ({"addresses": ()}, "address   none"),
        ({"slaves": (SEEN.slaves[0],)}, "2. wlan0   NOT WELL  not in bond0\n"),
        ({"slaves": (replace(slave("eth0"), failures=2), SEEN.slaves[1])}, "2 link failures"),
    ],
)
def test_what_is_missing_is_told(change: dict[str, Any], told: str) -> None:
    assert told in render_bond(_report(replace(SEEN, **change)), colour=False)


def test_the_last_failover_is_told() -> None:
    found = bond_report(CONFIG, SEEN, (WAY,), EVENT, ())
    last = render_bond(found, colour=False).splitlines()[-1]
    assert last.startswith("last move ")
    assert last.endswith(" ago: IPv4 now by wlan0 [woken by eth0 (no-carrier), acted in 24 ms]")


def test_that_no_event_comes_is_told() -> None:
    shown = render_bond(replace(_report(), silence="nobody listens: wake them"), colour=False)
    assert "events    nobody listens: wake them" in shown


def test_files_that_changed_since_install_are_told() -> None:
    shown = render_bond(replace(_report(), drifted=("20-eth0.network has changed",)), colour=False)
    assert "files     20-eth0.network has changed: run 'sudo netfail-hooks install'" in shown
