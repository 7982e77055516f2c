"""The machine under test: faults, what counts as recovered in each mode, and measured rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.vm.machine import Machine

FAR = "198.51.100.1"
HOWTO_STEP7 = ("eth0", "wlan0")
_SEEN = 1.0  # seconds of traffic measured after a change has settled
_DIAGNOSIS = """
journalctl --no-pager -b -o short-monotonic -n 80 _COMM=systemd-networkd + \
    _COMM=wpa_supplicant + _COMM=hostapd + SYSLOG_IDENTIFIER=netfail-hooks + \
    _COMM=NetworkManager + _COMM=dhclient + _COMM=dhcpcd + _COMM=ifup
networkctl --no-pager; ip -br address; ip route; cat /proc/net/bonding/* 2>/dev/null
"""
_PORTS = {"eth0": "port0", "wlan0": "port1"}
# Milliseconds by which datagrams may be late where none is lost, whatever the limit: a program that
# starts holds the emulated processor up, and with it whoever counts arrivals. And as long again as
# it let nobody wake up who had slept for 10 ms.
_LATE = 1000.0
_HELD_UP = 200.0  # that are worth a note


@dataclass
class Row:
    """One fault or return: its outage, what it may be, and what else was seen."""

    suite: str
    mode: str
    scenario: str
    outage_ms: float
    limit_ms: float
    lost: dict[str, int] = field(default_factory=dict)
    outages: dict[str, float] = field(default_factory=dict)
    connections: str = ""
    faults: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def healthy(self) -> bool:
        """Tell whether it is as it must be."""
        return not self.faults


@dataclass(frozen=True)
class Step:
    """What to do, when it has taken effect, and the longest outage allowed.

    Without ``lives``, there was no way out for seconds: connections may still wait to send again
    at the end, as TCP's timer has doubled meanwhile (RFC 6298).
    """

    name: str
    do: Callable[[], object]
    then: Callable[[], object]
    limit_ms: float
    lives: bool = True
    gap: bool = False  # an instant without a default route is no fault


class Bench:
    """A machine in a mode, and its rows."""

    def __init__(self, machine: Machine, suite: str, mode: str, rows: list[Row]) -> None:
        self.machine = machine
        self.suite, self.mode, self.rows = suite, mode, rows
        self.address = ""  # eth0's, if not that of how-to's file
        self.online = "network-online.target"  # what says at boot that there is a way out

    # --- faults ---------------------------------------------------------------------------------

    def cable(self, *, plugged: bool) -> None:
        """Plug eth0's cable in or out."""
        self.machine.cable(plugged=plugged)

    def access_point(self, *, on: bool) -> None:
        """Cut the access point's power, or switch it on again: nothing says goodbye.

        hwsim's radios of another group don't hear each other (mac80211_hwsim.c).
        """
        group = "/sys/kernel/debug/ieee80211/$(cat /run/vm-ap-phy)/hwsim/group"
        if on:
            self.machine.sh(f"rm -f /opt/vm/ap-off; echo 1 >{group}; systemctl restart vm-ap")
        else:
            self.machine.sh(
                f"echo 2 >{group}; touch /opt/vm/ap-off; sync; systemctl kill -s KILL vm-ap || true"
            )

    def deauthenticate(self) -> None:
        """Have the access point throw the station out."""
        self.machine.sh("ip netns exec lan hostapd_cli -i port1 deauthenticate ff:ff:ff:ff:ff:ff")

    def gateway(self, name: str, *, alive: bool) -> None:
        """Move an uplink's far end to an empty bridge, its link staying up; or back."""
        bridge = "lan0" if alive else "dead"
        self.machine.sh(f"ip -n lan link set {_PORTS[name]} master {bridge}")

    def link(self, name: str, state: str) -> None:
        """Set an uplink down or up, as how-to's step 7 does."""
        self.machine.sh(f"ip link set {name} {state}")

    # --- what is waited for ---------------------------------------------------------------------

    def uses(self, name: str, seconds: float = 40) -> None:
        """Wait until traffic goes by an uplink."""
        test = f'ip -4 route get {FAR} | grep -q "dev {name} "'
        if self.mode == "bond":
            test = f'test "$(cat /sys/class/net/bond0/bonding/active_slave)" = {name}'
        self.machine.until(test, f"traffic by {name}", seconds=seconds)

    def lost(self, name: str) -> None:
        """Wait until an uplink is known to be of no use."""
        test = f"netfail-hooks status --json | {_unhealthy(name)}"
        if self.mode == "bond":
            test = f'{_slave(name)} | grep -q "MII Status: down"'
        self.machine.until(test, f"{name} seen as lost", seconds=90)  # a standby: by the timer

    def settled(self, seconds: float = 60) -> None:
        """Wait until all is as it should be with two good uplinks."""
        ours = "ip route show proto 157 | grep -q ."
        test = f'ip -4 route get {FAR} | grep -q "dev eth0 " && ! {ours}'
        if self.mode == "bond":
            test = (
                'test "$(cat /sys/class/net/bond0/bonding/active_slave)" = eth0 && '
                'test "$(grep -c "MII Status: up" /proc/net/bonding/bond0)" = 3'
            )
        both = "test $(cat /sys/class/net/eth0/carrier)$(cat /sys/class/net/wlan0/carrier) = 11"
        self.machine.until(f"{both} && {test}", "return to normal", seconds=seconds)

    # --- rows -----------------------------------------------------------------------------------

    def measure(self, *steps: Step, ready: Callable[[], object] | None = None) -> None:
        """Do the steps one after another under a pulse; make a row of each.

        ``ready`` waits for what is all well before the first, by default ``settled``.
        """
        (ready or self.settled)()
        machine = self.machine
        if self.mode == "routes":  # the hold-down doubles at each loss: every scenario is the first
            machine.sh("rm -f /run/netfail-hooks/state; netfail-hooks check || true")
        begin = machine.ask("pulse", seconds=60, address=self.address)["now"]
        windows = []
        faults: list[list[str]] = []
        for step in steps:
            said(f"{self.suite} {self.mode}: {step.name}")
            begin = machine.now()
            step.do()
            try:
                step.then()
                faults.append([])
            except AssertionError as error:
                faults.append([str(error)])
            time.sleep(_SEEN)  # the traffic that is counted
            windows.append([begin, 0.0 if step is steps[-1] else machine.now()])
        results = machine.ask("measure", windows=windows, seconds=120)["results"]
        # A bond has no carrier for some ms while the kernel looks for a slave; its route stays.
        asked = {"since": windows[0][0], "table": self.mode == "bond"}
        gaps = machine.ask("routes", seconds=30, **asked)["gaps"]
        for step, window, result, found in zip(steps, windows, results, faults, strict=True):
            end = window[1] or float("inf")
            own = [gap for gap in gaps if gap[1] > window[0] and gap[0] < end]
            self.add(step, result, own, found)

    def add(self, step: Step, result: dict[str, Any], gaps: list[Any], faults: list[str]) -> None:
        """Make a row of what was measured."""
        outages = {flow["name"]: flow["outage_ms"] for flow in result["flows"]}
        dead = [f"{talk['name']} {talk['error']}" for talk in result["talks"] if talk["error"]]
        waits = [talk["name"] for talk in result["talks"] if not (talk["alive"] or talk["error"])]
        stall = max(talk["stall_ms"] for talk in result["talks"])
        worst = max(outages.values())
        lost = {flow["name"]: flow["lost"] for flow in result["flows"]}
        held = float(result["held_ms"])
        limit = allowed(step.limit_ms, lost, held)
        if worst > limit:
            faults.append(f"outage {worst:.0f} ms, more than {limit:.0f}")
        if dead or (waits and step.lives):
            faults.append(f"TCP dead: {', '.join(dead + waits)}")
        if gaps and not step.gap:
            faults.append(f"no default route for {1000 * (gaps[0][1] - gaps[0][0]):.0f} ms")
        self.row(
            Row(
                self.suite,
                self.mode,
                step.name,
                worst,
                step.limit_ms,
                lost,
                outages,
                "TCP waits to send again" if waits else f"TCP live, stall {stall:.0f} ms",
                faults,
                note=held_up(held),
            )
        )

    def row(self, row: Row) -> None:
        """Keep a row and tell of it."""
        self.rows.append(row)
        state = "ok" if row.healthy else "; ".join(row.faults)
        said(f"  {row.scenario}: outage {row.outage_ms:.0f} ms, {row.connections} - {state}")
        if not row.healthy:
            self.diagnose()

    def diagnose(self) -> None:
        """Show what the machine says of itself."""
        said(self.machine.sh(_DIAGNOSIS, check=False))


def said(text: str) -> None:
    """Tell of progress."""
    print(f"vm: {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def allowed(limit_ms: float, lost: Mapping[str, int], held_ms: float) -> float:
    """Return the longest outage allowed: of datagrams that are late and not lost, more."""
    return limit_ms if any(lost.values()) else max(limit_ms, _LATE + held_ms)


def held_up(held_ms: float) -> str:
    """Return what to note of a processor that let nobody wake up."""
    return f"processor held up for {held_ms:.0f} ms" if held_ms > _HELD_UP else ""


def _slave(name: str) -> str:
    return f'grep -A1 "Slave Interface: {name}" /proc/net/bonding/bond0'


def _unhealthy(name: str) -> str:
    """Return a filter that says yes to an uplink that status calls unhealthy, to nothing else.

    It has an entry for each family, and shows those that it says no to.
    """
    healthy = f"[u['healthy'] for u in t['uplinks'] if u['interface'] == '{name}']"
    wrong = f"set({healthy}) != {{False}} and str(t['uplinks'])"
    code = f"import json, sys; t = json.load(sys.stdin); sys.exit({wrong})"
    return f'/usr/bin/python3 -ISc "{code}"'
