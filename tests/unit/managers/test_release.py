"""Who has an uplink, and how each manager is told to leave it, by files of ours alone."""

from __future__ import annotations

import configparser
import dataclasses
import subprocess
from pathlib import Path

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import detect, interfaces, release
from netfail_hooks.managers.detect import Managers
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_WAIT = "/etc/systemd/system/ifupdown-wait-online.service.d/zz-netfail-hooks.conf"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _ifupdown(machine: Machine, text: str, *names: str) -> release.Release:
    machine.write("/etc/network/interfaces", text)
    return release.ifupdown(machine.paths, interfaces.read(machine.paths), names)


def test_ifupdown_leaves_what_the_user_had_it_leave_too(machine: Machine) -> None:
    machine.write("/etc/default/networking", '#EXCLUDE_INTERFACES=x\nEXCLUDE_INTERFACES="tun* a"\n')
    text = (
        "auto eth0 eth0:1\niface eth0 inet dhcp\niface eth0:1 inet static\n address 192.0.2.1/24\n"
    )
    found = _ifupdown(
        machine, text + "allow-hotplug wlan0\niface wlan0 inet dhcp\n", "eth0", "wlan0"
    )
    lines = found.files["/etc/netfail-hooks/ifupdown.env"].splitlines()
    assert lines[1:] == ['EXCLUDE_INTERFACES="tun* a eth0 eth0:1 wlan0"']
    drop_in = found.files["/etc/systemd/system/networking.service.d/zz-netfail-hooks.conf"]
    assert drop_in.endswith("[Service]\nEnvironmentFile=-/etc/netfail-hooks/ifupdown.env\n")
    assert "/etc/systemd/system/ifup@wlan0.service.d/zz-netfail-hooks.conf" in found.files
    assert _WAIT in found.files
    assert found.release["eth0"] == (("ifdown", "eth0:1"), ("ifdown", "eth0"))
    assert found.take_back["eth0"][3:] == (("ifup", "eth0"), ("ifup", "eth0:1"))
    assert found.take_back["wlan0"][3:] == (("systemctl", "restart", "ifup@wlan0.service"),)


def test_a_logical_name_is_raised_again_by_it(machine: Machine) -> None:
    found = _ifupdown(machine, "auto eth0=home\niface home inet dhcp\n", "eth0")
    assert found.take_back["eth0"][-1] == ("ifup", "eth0=home")


def test_whoever_waits_for_others_goes_on_waiting(machine: Machine) -> None:
    text = "allow-hotplug eth0\niface eth0 inet dhcp\n"
    assert _WAIT not in _ifupdown(machine, text, "eth0").files
    machine.write("/etc/default/networking", "WAIT_ONLINE_IFACE=eth0\n")
    assert _WAIT in _ifupdown(machine, text, "eth0").files


def test_a_unit_that_is_never_for_an_uplink_is_skipped(machine: Machine) -> None:
    found = _ifupdown(machine, "allow-hotplug eth0\niface eth0 inet dhcp\n", "eth0")
    text = found.files["/etc/systemd/system/ifup@eth0.service.d/zz-netfail-hooks.conf"]
    condition = text.splitlines()[-1]
    done = subprocess.run(["systemd-analyze", "condition", condition], check=False)
    assert done.returncode == 1, condition


@pytest.mark.parametrize("name", ["eth0", "wlx00-11", "a.b", ".x", "br_0", "e@1"])
def test_names_are_escaped_as_systemd_does(name: str) -> None:
    done = subprocess.run(["systemd-escape", name], capture_output=True, text=True, check=True)
    assert release.escaped(name) == done.stdout.strip()


def test_dhcpcd_goes_on_by_the_command_that_is_in_force(machine: Machine) -> None:
    assert not any(
        "/dhcpcd.service.d" in path for path in release.dhcpcd(machine.paths, ["a"]).files
    )
    machine.write(
        "/lib/systemd/system/dhcpcd.service", "[Service]\nExecStart=/usr/sbin/dhcpcd -b\n"
    )
    machine.write(
        "/etc/systemd/system/dhcpcd.service.d/wait.conf",
        "[Service]\nExecStart=\nExecStart=/usr/lib/dhcpcd5/dhcpcd -q -w\n",
    )
    ours = "/etc/systemd/system/dhcpcd.service.d/zz-netfail-hooks.conf"
    found = release.dhcpcd(machine.paths, ["eth0", "wlan0"])
    machine.write(ours, found.files[ours])
    again = release.dhcpcd(machine.paths, ["eth0", "wlan0"])
    command = "ExecStart=/usr/lib/dhcpcd5/dhcpcd -q -w --denyinterfaces eth0,wlan0\n"
    assert found.files[ours].endswith(f"[Service]\nExecStart=\n{command}")
    assert again == found
    assert found.release["eth0"] == (("systemctl", "restart", "dhcpcd.service"),)
    machine.write("/run/dhcpcd/wlan0.pid", "7\n")
    alone = release.dhcpcd(machine.paths, ["eth0", "wlan0"])
    assert alone.release["wlan0"] == (("systemctl", "stop", "dhcpcd@wlan0.service"),)
    assert alone.take_back["wlan0"][3:] == (("systemctl", "start", "dhcpcd@wlan0.service"),)


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
