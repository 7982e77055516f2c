"""Debian 12 becomes Debian 13 with failover running; then a cable, a reboot, and uninstall.

All packages but the kernel, which QEMU brings: fetched here, as the machine has no way out.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.vm.bench import Bench, Row, said
from tests.vm.image import Image
from tests.vm.scenarios import cable

SUITE, NEWER = "bookworm", "trixie"
_MIRROR = "http://deb.debian.org/debian"
# An emulated processor takes half an hour for what a real one does in one minute.
_PATIENCE = 3600
# networkd is exchanged and started again meanwhile, on a machine that has little time for anything.
_LIMIT = 10000.0
_UPGRADE = """
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get install -y -qq --allow-downgrades -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
    -o DPkg::Options::=--force-confold -o DPkg::Options::=--force-unsafe-io \
    /opt/vm/newer/*.deb >/var/log/vm-upgrade 2>&1 || { tail -30 /var/log/vm-upgrade; exit 1; }
"""
# What udev keeps in /run/udev names the port that the machine is driven by.
_LEFT = (
    "find /etc /usr/local /var/lib /var/log /run -name '*netfail*' ! -name '*.network~' "
    "! -path '/var/log/journal/*' ! -path '/run/udev/*' 2>/dev/null || true"
)


def packages(image: Image) -> str:
    """Return a directory with the packages of the newer release, fetched once."""
    place = f"{os.path.dirname(image.disk)}/newer"
    if os.path.isdir(place):
        return place
    aside = f"{place}.new"
    shutil.rmtree(aside, ignore_errors=True)
    for name in ("lists/partial", "archives/partial"):
        os.makedirs(f"{aside}/{name}")
    with open(f"{aside}/sources.list", "w", encoding="utf-8") as sources:
        sources.write(f"deb {_MIRROR} {NEWER} main\n")
    with (
        open(f"{os.path.dirname(image.disk)}/status", encoding="utf-8") as status,
        open(f"{aside}/status", "w", encoding="utf-8") as held,
    ):
        for about in status.read().split("\n\n"):
            is_kernel = about.startswith("Package: linux-image")
            held.write(about.replace("Status: install", "Status: hold") if is_kernel else about)
            held.write("\n\n")
    options = {
        "Dir::State::status": f"{aside}/status",
        "Dir::State::Lists": f"{aside}/lists",
        "Dir::Cache::Archives": f"{aside}/archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::SourceList": f"{aside}/sources.list",
        "Dir::Etc::SourceParts": "-",
        "APT::Sandbox::User": "root",
    }
    settings = [word for key, setting in options.items() for word in ("-o", f"{key}={setting}")]
    for what in (["update"], ["dist-upgrade", "--download-only", "-y", "--no-install-recommends"]):
        done = subprocess.run(
            ["apt-get", "-qq", *settings, *what], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"apt-get {what[0]} failed:\n{done.stderr[-3000:]}")
    shutil.rmtree(f"{aside}/archives/partial")
    os.rename(f"{aside}/archives", place)
    shutil.rmtree(aside)
    return place


def upgrade(bench: Bench) -> None:
    """Upgrade, and go on as before; what is left after uninstall is a fault."""
    machine = bench.machine
    said(f"{bench.suite} {bench.mode}: upgrade to {NEWER}")
    old = machine.sh("python3 --version; networkctl --version | head -1")
    began = machine.now()
    machine.ask("pulse", seconds=60)
    machine.sh(_UPGRADE, seconds=_PATIENCE)
    result = machine.ask("measure", windows=[[began, 0.0]], seconds=300)["results"][0]
    new = machine.sh("python3 --version; networkctl --version | head -1")
    outages = {flow["name"]: flow["outage_ms"] for flow in result["flows"]}
    faults = [] if old != new else [f"nothing was exchanged: {old}"]
    if max(outages.values()) > _LIMIT:
        faults.append(f"outage {max(outages.values()):.0f} ms, more than {_LIMIT:.0f}")
    faults += _told(bench)
    _row(bench, f"upgrade to {NEWER}", max(outages.values()), outages, faults)
    cable(bench)
    said(f"{bench.suite} {bench.mode}: reboot into {NEWER}")
    machine.reboot()
    bench.settled(180)
    cable(bench)
    said(f"{bench.suite} {bench.mode}: uninstall on {NEWER}")
    machine.sh("cd /opt/vm/checkout && sh install.sh --uninstall --yes 2>&1", seconds=300)
    left = machine.sh(_LEFT).splitlines()
    _row(bench, f"uninstall on {NEWER}", 0, {}, [f"left: {' '.join(left)}"] if left else [])


def _told(bench: Bench) -> list[str]:
    """Return what of command, hook and check does not start any more."""
    faults = []
    for script in (
        "netfail-hooks --version",
        "IFACE=lo /etc/networkd-dispatcher/routable.d/50-netfail-hooks",
        "systemctl start netfail-hooks-check.service",
        "! netfail-hooks doctor | grep -e hook-broken -e check-failed -e venv-outdated",
    ):
        try:
            bench.machine.sh(script, seconds=120)
        except AssertionError as error:
            faults.append(str(error))
    return faults


def _row(
    bench: Bench, name: str, outage: float, outages: dict[str, float], faults: list[str]
) -> None:
    note = "command, hook and check start" if outages else "nothing of ours is left"
    bench.row(
        Row(
            bench.suite,
            bench.mode,
            name,
            outage,
            _LIMIT,
            {},
            outages,
            faults=faults,
            connections=note,
        )
    )
