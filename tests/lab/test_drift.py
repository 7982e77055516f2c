"""Files change after install, under a real networkd: the check tells it once, install mends it."""

from __future__ import annotations

import json
import sys

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.lab.suite import install, status

_THEIRS = "/etc/systemd/network/20-eth0.network"
_NETPLAN = "/run/systemd/network/10-netplan-eth0.network"
_DNS = "[Network]\nDNS=192.168.1.53\n"
_INSTALL = "run 'sudo netfail-hooks install'"


def _told(lab: Lab) -> list[str]:
    """Return what a check says of files."""
    return [line for line in lab.tick().stderr.splitlines() if ".network" in line]


def _servers(lab: Lab) -> str:
    return lab.run("networkctl", "status", "eth0").stdout.partition("DNS:")[2]


def test_a_changed_drop_in_is_told_once_and_install_mends_it(lab: Lab) -> None:
    install(lab)
    assert [_told(lab), status(lab)["drifted"]] == [[], []]
    lab.write(f"{_THEIRS}.d/50-dns.conf", _DNS)
    (line,) = _told(lab)
    what = f"{_THEIRS} has changed, or a drop-in of it, since "
    assert what in line
    assert line.endswith(_INSTALL)
    assert _told(lab) == []
    assert [one.startswith(what) for one in status(lab)["drifted"]] == [True]
    found = json.loads(lab.netfail("doctor", "--json").stdout)["findings"]
    assert [one["code"] for one in found].count("file-outdated") == 1
    assert "192.168.1.53" not in _servers(lab)
    done = lab.netfail("install", "--yes")
    assert done.returncode == 0, done.stderr
    assert "192.168.1.53" in _servers(lab)
    assert [_told(lab), status(lab)["drifted"]] == [[], []]
    lab.write(f"{_THEIRS}.d/50-dns.conf", _DNS.replace("53", "54"))
    assert len(_told(lab)) == 1, "once more, since it was mended meanwhile"


def test_the_same_text_made_again_tells_nothing(lab: Lab) -> None:
    """As "netplan generate" does at each boot and each "netplan apply"."""
    text = lab.read(_THEIRS)
    lab.run("rm", _THEIRS)
    lab.write(_NETPLAN, text, mode=0o640)
    lab.run("chown", "root:systemd-network", _NETPLAN)
    install(lab)
    for _ in range(2):
        assert _told(lab) == []
        lab.run("rm", "-r", "/run/systemd/network")
        assert lab.read(_NETPLAN) == ""
        lab.write(_NETPLAN, text, mode=0o640)
        lab.run("chown", "root:systemd-network", _NETPLAN)
    lab.write(_NETPLAN, f"{text}Domains=home.example\n", mode=0o640)
    assert [_NETPLAN in line for line in _told(lab)] == [True]


def test_an_adapter_by_another_name_that_is_pulled_has_not_lost_its_file(lab: Lab) -> None:
    """Without the NIC nobody knows its alternative names, so no file seems to be for it."""
    name = "ip link property add dev eth0 altname enp3s0"
    lab.run("sh", "-ec", name).check_returncode()
    lab.write(_THEIRS, lab.read(_THEIRS).replace("Name=eth0", "Name=enp3s0"))
    install(lab)
    assert _told(lab) == []
    lab.remove("eth0")
    lab.write("/etc/systemd/network/30-other.network", "[Match]\nName=tun0\n")
    assert [_told(lab), status(lab)["drifted"]] == [[], []]
    done = lab.netfail("install", "--yes")
    assert done.returncode == 0, done.stderr
    lab.insert("eth0")
    lab.run("sh", "-ec", name).check_returncode()
    assert [_told(lab), status(lab)["drifted"]] == [[], []]


@pytest.mark.parametrize("lab", [{"unmanaged": True}], indirect=True)
def test_udevs_type_counts_where_udev_runs_though_sys_cannot_be_written(lab: Lab) -> None:
    """The check's own unit has /sys read-only (ReadOnlyPaths=), whatever networkd has."""
    lab.run("ip", "link", "add", "br0", "type", "bridge").check_returncode()
    assert lab.run("touch", "/sys/class/net/br0/mtu").returncode != 0, "/sys can be written"
    code = "from netfail_hooks.networkd.nic import *; print(read_nic('br0', Paths()).type)"
    home = {"PYTHONPATH": package_home()}

    def kind() -> str:
        return lab.run(sys.executable, "-c", code, environment=home).stdout.strip()

    assert kind() == "ether"
    lab.run("sh", "-ec", "mkdir -p /run/udev; : >/run/udev/control").check_returncode()
    assert kind() == "bridge"
