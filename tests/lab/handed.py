"""A booted lab whose uplinks another manager has, and what tests of a handover ask of it."""

from __future__ import annotations

import contextlib
import difflib
import json
import sys
from collections.abc import Sequence
from typing import ClassVar

from netfail_hooks.lab.traffic_result import Result
from netfail_hooks.paths import package_home
from tests.lab.booted import Booted
from tests.lab.kills import Call, kill, trace
from tests.lab.suite import (
    SETTINGS,
    SETTLED,
    measure,
    shape,
    status,
    steady,
    used,
    wait,
    wait_used,
)

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
INSTALL = [sys.executable, "-m", "netfail_hooks", "install", *PAIR]
UNINSTALL = [sys.executable, "-m", "netfail_hooks", "uninstall", "--yes"]
# What a manager writes for itself, and networkd's own state, are no files of the user's.
_FILES = """
find /etc -type f -exec sha256sum {} + | sort -k 2
find /etc -exec stat -c '%A %u:%g %F %N' {} + 2>&1 | sort
find /var/lib/netfail-hooks /var/log/netfail-hooks 2>&1 | sort
"""
_ROUTES = """
ip route | sort
ip -o -4 address | sed 's/^[0-9]*: //; s/valid_lft.*//' | sort
ip rule
"""
_UNITS = """
for unit in {}; do systemctl is-active $unit; systemctl is-enabled $unit; done
"""
_POWER_CUT = """
systemctl stop 'netfail-hooks-*' 'systemd-networkd*' networkd-dispatcher {units}
for name in {names}; do
    ip link set $name down; ip address flush dev $name; ip link set $name up
done
ip route flush proto 157; ip -6 route flush proto 157
rm -rf {volatile} /run/netfail-hooks /run/systemd/netif /run/systemd/system/*.d
"""
_START = """
cd /etc/systemd/system
for target in sockets timers multi-user; do
    for unit in $target.target.wants/*; do systemctl start "${unit#*/}"; done
done
"""
_CONCERNED = ("foreign-manager", "file-changed", "source-changed")
_NETWORKDS = ("systemd-networkd.service", "systemd-networkd.socket")


class Handed(Booted):
    """A lab whose uplinks are to change hands.

    ``units`` are their manager's, ``volatile`` is where it keeps what no boot outlives, ``beside``
    are addresses of NICs of its own that it is to have up, too.
    """

    units: ClassVar[tuple[str, ...]] = ()
    volatile: ClassVar[str] = ""
    beside: ClassVar[tuple[str, ...]] = ()

    def seen(self) -> list[str]:
        """Return the manager's own view."""
        return []

    def state(self) -> list[str]:
        """Return all that is to be again what it was before: files, routes, settings, units."""
        units = _UNITS.format(" ".join((*_NETWORKDS, *self.units)))
        return [*shape(self, _FILES + _ROUTES + SETTINGS + units), *self.seen()]

    def settled(self) -> list[str]:
        """Return the state once it stays: files of a manager's come after the addresses."""
        return steady(self.state)

    def expect(self, wanted: list[str]) -> None:
        """Fail unless the machine is, or soon will be, as ``wanted``."""
        with contextlib.suppress(AssertionError):
            wait(lambda: self.state() == wanted, "all as before", seconds=10)
        now = self.state()
        assert now == wanted, "\n".join(difflib.unified_diff(wanted, now, "before", "now", n=0))

    def told(self, *words: str) -> str:
        """Run the suite; it must end well. Return what it says."""
        done = self.netfail(*words, seconds=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def under_traffic(self, *words: str) -> Result:
        """Run the suite under traffic; there must be a way out at each moment."""
        with self.watch() as watch, self.traffic() as traffic:
            measure(SETTLED)
            self.told(*words)
            measure(1)
        assert watch.gaps(4) == []
        return traffic.result()

    def stays_installed(self) -> Result:
        """Install once more under traffic, which changes nothing; then the cable, out and in."""
        installed = self.settled()
        again = self.under_traffic("install", *PAIR)
        print("again", again)
        self.expect(installed)
        self.cable_out("eth0")
        wait_used(self, "wlan0")
        self.cable_in("eth0")
        wait_used(self, "eth0", seconds=60)
        return again

    def install_traced(self, before: list[str]) -> list[Call]:
        """Return the calls of an install that is given back at once."""
        calls = trace(self, INSTALL, HERE)
        self.give_back(before)
        return calls

    def kill_and_give_back(self, at: Call, before: list[str]) -> None:
        """Kill an install: there must be a way out, and uninstall must lead all the way back."""
        print("killed at", at)
        kill(self, INSTALL, at, HERE)
        assert used(self), f"no way out after a kill at {at}"
        self.give_back(before)

    def give_back(self, before: list[str]) -> None:
        """Uninstall; all must be as before."""
        self.told("uninstall", "--yes")
        self.expect(before)

    def fail_without_gateways(self) -> str:
        """Install where no gateway answers, which must fail; return why."""
        for name in self.ports:
            self.dead_gateway(name)
        done = self.netfail("install", *PAIR, seconds=120)
        assert done.returncode == 1, done.stdout
        for name in self.ports:
            self.alive_gateway(name)
        return done.stderr

    def begin_way_back(self, calls: Sequence[Call], detour: str = "") -> None:
        """Kill an install while eth0 is with nobody; take its way back.

        Routes and addresses must tell of the ``detour`` until then.
        """
        at = between_hands(calls)
        kill(self, INSTALL, at, HERE)
        led = self.run("sh", "-c", "ip route; ip -o -4 address").stdout
        assert detour in led, f"no detour at {at}: {led}"
        self.systemctl("start", "netfail-hooks-rollback.service")

    def findings(self) -> list[str]:
        """Return what doctor finds about who has the uplinks, and by which files."""
        found = json.loads(self.netfail("doctor", "--json").stdout)["findings"]
        return [one["code"] for one in found if one["code"] in _CONCERNED]

    def drifted(self) -> list[str]:
        """Return what has changed of that of which our files were made."""
        found: list[str] = status(self)["drifted"]
        return found

    def is_addressed(self) -> bool:
        """Tell whether each has the address that it is to have, by whomever."""
        found = self.run("ip", "-4", "address").stdout
        wanted = (*(port.host for port in self.ports.values()), *self.beside)
        return all(f" {one}/24 " in found for one in wanted)

    def is_set_up(self) -> bool:
        """Tell whether each has its address, and there is the way out that comes after it."""
        return self.is_addressed() and used(self) != ""

    def boot_again(self) -> None:
        """Come up as after a power cut: by the files that there are, and nothing in /run."""
        names = " ".join(self.ports)
        units = " ".join(self.units)
        cut = _POWER_CUT.format(units=units, names=names, volatile=self.volatile)
        self.run("sh", "-c", cut)
        self.systemctl("daemon-reload")
        self.run("sh", "-c", _START)

    def leases(self) -> list[tuple[str, ...]]:
        """Return the router's leases: hardware address, address, and what the client called it."""
        rows = [line.split() for line in self.read("/run/lab/leases").splitlines()]
        return sorted((row[1], row[2], row[4]) for row in rows if len(row) == 5)


def between_hands(calls: Sequence[Call]) -> Call:
    """Return the call at which eth0 is with nobody, and its traffic takes a way around."""
    return next(one for one in calls if "rename" in one.name and "eth0.network" in one.text)
