"""What only root and networkd may read, and what sorts first: as networkd itself takes it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from netfail_hooks.lab import Lab
from tests.lab.suite import shape

MakeLab = Callable[..., Lab]
PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
NETWORK = "/etc/systemd/network"


def _closed(lab: Lab, number: str, mode: int, group: str) -> None:
    """Give the uplinks' files names that begin so, and that mode and group."""
    directory = lab.root + NETWORK
    for name in os.listdir(directory):
        place = f"{directory}/{number}-{name.partition('-')[2]}"
        os.rename(f"{directory}/{name}", place)
        shutil.chown(place, "root", group)
        os.chmod(place, mode)


def _file(lab: Lab, interface: str) -> str:
    """Return the file that networkd says it uses for an interface."""
    lines = lab.run("networkctl", "status", "--no-pager", interface).stdout.splitlines()
    found = [line.partition(":")[2].strip() for line in lines if "Network File:" in line]
    return found[0] if found else ""


def test_networkd_reads_a_closed_copy_that_sorts_before_00(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    _closed(lab, "00", 0o640, "systemd-network")
    lab.start()
    before = shape(lab)
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 0, done.stderr
    for interface, start, metric in (("eth0", "0", 100), ("wlan0", "00", 600)):
        ours = f"{NETWORK}/{start}-netfail-{interface}.network"
        assert _file(lab, interface) == ours
        of_ours, of_theirs = (
            os.stat(f"{lab.root}{path}") for path in (ours, f"{NETWORK}/00-{interface}.network")
        )
        for key in ("st_mode", "st_uid", "st_gid"):
            assert getattr(of_ours, key) == getattr(of_theirs, key)
        routes = lab.run("ip", "route", "show", "default", "dev", interface).stdout
        assert f"metric {metric}" in routes
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert shape(lab) == before
    assert _file(lab, "eth0") == f"{NETWORK}/00-eth0.network"


def test_what_networkd_cannot_read_it_does_not_use_and_we_refuse(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    lab.start(routable=True)
    _closed(lab, "20", 0o600, "root")
    before = shape(lab)
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 2
    assert "networkd cannot read what is in /etc/systemd/network/20-eth0.network" in done.stderr
    assert shape(lab) == before
    lab.restart_networkd()
    assert NETWORK not in _file(lab, "eth0")
    mend = done.stderr.strip().rpartition(": ")[2]
    assert lab.run("sh", "-c", mend.replace("sudo ", "")).returncode == 0, mend
    lab.restart_networkd()
    lab.wait_routable("eth0", "wlan0")
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 0, done.stderr
