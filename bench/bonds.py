"""Bonds as contenders: as how-to's publish one, with the usual MII monitor, and ours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from bench.stage import ROUTER, Stage
from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab
from netfail_hooks.lab.namespaces import until

_ACTIVE = "/sys/class/net/bond0/bonding/active_slave"
_ASKED = ("unshare", "--net", "ip", "link", "add", "probe", "type", "bond")
_MII = "\n[Bond]\nMode=active-backup\nFailOverMACPolicy=active\nMIIMonitorSec=100ms\n"


def active(lab: Lab) -> str:
    """Return the slave that carries the traffic; in a mode that uses all of them, the first."""
    return lab.read(_ACTIVE).strip() or next(iter(lab.ports))


def files(options: str = "", primary: str = "") -> Callable[[Stage], None]:
    """Return how to set up a bond from files: with no options, as it is published."""

    def prepare(stage: Stage) -> None:
        _needs_driver(stage)
        address = next(iter(stage.lab.ports.values())).host
        stage.lab.write(
            "/etc/systemd/network/20-bond0.netdev", f"[NetDev]\nName=bond0\nKind=bond\n{options}"
        )
        stage.lab.write(
            "/etc/systemd/network/20-bond0.network",
            "[Match]\nName=bond0\n\n[Network]\n"
            f"Address={address}/24\nGateway={ROUTER}\nDNS={ROUTER}\n",
        )
        for name in stage.lab.ports:
            first = "PrimarySlave=yes\n" if name == primary else ""
            stage.lab.write(
                f"/etc/systemd/network/20-{name}.network",
                f"[Match]\nName={name}\n\n[Network]\nBond=bond0\n{first}",
            )
        stage.lab.start(routable=False)
        stage.lab.wait_routable("bond0")
        _ready(stage)

    return prepare


mii = files(_MII, "eth0")


def ours(stage: Stage) -> None:
    """Take the how-to's files over into a bond."""
    _needs_driver(stage)
    lab = stage.lab
    lab.write_files(lab.howto_files())
    lab.start()
    host = next(iter(lab.ports.values())).host
    done = lab.netfail(
        "install",
        "--yes",
        "--mode",
        "bond",
        "--primary",
        "eth0",
        "--backup",
        "wlan0",
        "--address",
        f"{host}/24",
        "--gateway",
        ROUTER,
        "--dns",
        ROUTER,
        seconds=120,
    )
    if done.returncode:
        raise Problem(f"install: {done.stderr.strip()}")
    _ready(stage)


def _ready(stage: Stage) -> None:
    """Wait until the first uplink has the traffic, and there is a way out."""
    until(lambda: active(stage.lab) == "eth0", "eth0 in use", seconds=20)
    until(lambda: stage.lab.used_uplink() == "bond0", "a way out", seconds=20)


def has_driver() -> bool:
    """Tell whether this machine's kernel has one."""
    return not subprocess.run(_ASKED, capture_output=True, check=False).returncode


def _needs_driver(stage: Stage) -> None:
    if stage.lab.run(*_ASKED).returncode:
        raise Problem("this kernel has no bonding driver (CONFIG_BONDING)")
