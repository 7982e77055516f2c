"""Who has an uplink, and how each manager is told to leave it, by files of ours alone."""

from __future__ import annotations

import configparser
import dataclasses
import subprocess
from pathlib import Path

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import detect, release
from netfail_hooks.managers.detect import Managers
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("name", ["eth0", "wlx00-11", "a.b", ".x", "br_0", "e@1"])
def test_names_are_escaped_as_systemd_does(name: str) -> None:
    done = subprocess.run(["systemd-escape", name], capture_output=True, text=True, check=True)
    assert release.escaped(name) == done.stdout.strip()


def test_networkmanagers_file_is_one_that_it_can_read() -> None:
    found = release.networkmanager(["eth0", "wlan0"])
    ((path, text),) = found.files.items()
    assert path.startswith("/etc/NetworkManager/conf.d/zz")
    reader = configparser.ConfigParser(delimiters=("=",), strict=True)
    reader.read_string(text)
    listed = reader["keyfile"]["unmanaged-devices+"]
    assert listed == "interface-name:=eth0;interface-name:=wlan0"
    section = reader["device-netfail-hooks"]
    assert dict(section) == {"match-device": listed, "managed": "0"}


@pytest.mark.parametrize(
    ("seen", "who"),
    [
        (Managers(), ""),
        (Managers(networkmanager=True, raised="eth0"), "NetworkManager"),
        (Managers(raised="eth0", dhcpcd=True), "ifupdown"),
        (Managers(boots=True), "ifupdown"),
        (Managers(dhcpcd=True), "dhcpcd"),
        (Managers(raised="eth0", manual=True, dhcpcd=True), "dhcpcd"),
        (Managers(raised="eth0", manual=True), "ifupdown"),
    ],
)
def test_one_manager_has_it(seen: Managers, who: str) -> None:
    assert detect.decide("eth0", seen) == who
    if not seen.networkmanager:
        with pytest.raises(Misuse, match="ConnMan"):
            detect.decide("eth0", dataclasses.replace(seen, unread=("ConnMan",)))


def test_who_cannot_be_told_is_refused() -> None:
    with pytest.raises(Misuse, match="ifupdown2"):
        detect.decide("eth0", Managers(raised="eth0", ifupdown2=True))
    with pytest.raises(Misuse, match="Wi-Fi from ifupdown"):
        detect.decide("eth0", Managers(raised="eth0", manual=True, joins=True, dhcpcd=True))


def test_what_is_seen_in_files(machine: Machine) -> None:
    nic = read_nic("eth0", machine.paths)
    assert detect.manager_of(machine.paths, nic) == ""
    machine.write("/run/dhcpcd/pid", "77\n")
    assert detect.manager_of(machine.paths, nic) == ""
    machine.write("/proc/77/comm", "dhcpcd")
    assert detect.manager_of(machine.paths, nic) == "dhcpcd"
    machine.write("/etc/dhcpcd.conf", "denyinterfaces eth0\n")
    assert detect.manager_of(machine.paths, nic) == ""
    machine.write("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n")
    assert detect.manager_of(machine.paths, nic) == ""
    machine.write("/sbin/ifup", "")
    assert detect.manager_of(machine.paths, nic) == "ifupdown"
    machine.write("/etc/network/interfaces", "iface eth0 inet dhcp\n")
    assert detect.manager_of(machine.paths, nic) == ""
    machine.write("/run/network/ifstate", "lo=lo\neth0=eth0\n")
    assert detect.manager_of(machine.paths, nic) == "ifupdown"
