"""install.sh and its undoing on the machine."""

from __future__ import annotations

import difflib

from tests.vm.bench import Bench, Row, said

OPTIONS = {
    "routes": "--mode routes --primary eth0 --backup wlan0",
    "bond": "--mode bond --primary eth0 --backup wlan0",
}
SHAPE = r"""
find /etc /usr/local /var/lib/netfail-hooks /var/log/netfail-hooks /run/netfail-hooks \
    -printf '%p %y %m %u %l\n' 2>/dev/null | sort
find /etc /usr/local -type f -exec sha256sum {} + | sort -k2
ip -4 route | sort; ip -br link | cut -d' ' -f1 | sort
for name in eth0 wlan0; do
    grep -s . /proc/sys/net/ipv4/conf/$name/* /proc/sys/net/ipv[46]/neigh/$name/*
done | grep -v interval_probe_time_ms # a new NIC copies it from default, where alone it is read
"""


def shape(bench: Bench) -> str:
    """Return all files, routes, links and settings that install may touch."""
    ready = (
        "networkctl --no-legend list eth0 wlan0 | grep -c routable | grep -q 2 && "
        "test $(ip -4 route show default | wc -l) = 2"
    )
    bench.machine.until(ready, "two routable uplinks", seconds=180)
    return bench.machine.sh(SHAPE)


def install(bench: Bench) -> None:
    """Install from the checkout, or switch the mode. Raises AssertionError with what it said."""
    said(f"{bench.suite} {bench.mode}: install.sh")
    told = bench.machine.sh(
        "cd /opt/vm/checkout && sh install.sh --wheels /opt/vm/wheels "
        f"{OPTIONS[bench.mode]} --yes 2>&1",
        seconds=600,
    )
    for line in told.splitlines():
        if line.startswith("note:"):
            said(f"  {line}")
    bench.settled(90)


def uninstall(bench: Bench, before: str) -> None:
    """Uninstall; all must be as it was, byte for byte."""
    machine = bench.machine
    said(f"{bench.suite} {bench.mode}: uninstall")
    faults: list[str] = []
    began = machine.now()
    machine.ask("pulse", seconds=60)
    machine.sh("cd /opt/vm/checkout && sh install.sh --uninstall --yes 2>&1", seconds=600)
    result = machine.ask("measure", windows=[[began, 0.0]], seconds=60)["results"][0]
    outage = max(flow["outage_ms"] for flow in result["flows"])
    faults += differences("uninstall", before, shape(bench))
    limit = 2000.0 if bench.mode == "routes" else 10000.0
    if outage > limit:
        faults.append(f"outage {outage:.0f} ms, more than {limit:.0f}")
    bench.row(
        Row(
            bench.suite,
            bench.mode,
            "uninstall",
            outage,
            limit,
            {flow["name"]: flow["lost"] for flow in result["flows"]},
            {flow["name"]: flow["outage_ms"] for flow in result["flows"]},
            faults=faults,
            connections="files, routes, settings as before",
        )
    )


def reboot(bench: Bench, before: str) -> None:
    """Reboot after uninstall; all must still be as it was."""
    machine = bench.machine
    said(f"{bench.suite} {bench.mode}: reboot after uninstall")
    machine.reboot()
    faults = differences("reboot", before, shape(bench))
    up = int(machine.sh("systemctl show -P ActiveEnterTimestampMonotonic systemd-networkd")) / 1e6
    answered = machine.ask("routes", since=0.0, table=False, seconds=30)["answered"]
    took = round(1000 * (answered - up)) if answered else float("inf")
    bench.row(
        Row(
            bench.suite,
            bench.mode,
            "reboot after uninstall",
            took,
            20000,
            faults=faults,
            connections="files, routes, settings as before",
        )
    )


def differences(what: str, before: str, after: str) -> list[str]:
    """Return as a fault what is other than before, if anything is."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return [f"after {what}: {' | '.join(changed[:8])}"] if changed else []
