"""install --mode bond on a machine that is only files."""

from __future__ import annotations

import pytest

from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse
from tests.support.machine import Machine

BOND = ("--mode", "bond", "--primary", "eth0", "--backup", "wlan0", "--yes")
STATIC = ("--address", "192.168.1.252/24", "--gateway", "192.168.1.1", "--dns", "9.9.9.9")
NETWORK = "/etc/systemd/network"


@pytest.fixture
def machine(tmp_path: object) -> Machine:
    return Machine(tmp_path)  # type: ignore[arg-type]


def test_the_files_that_the_howto_meant(machine: Machine) -> None:
    before = machine.shape()
    machine.install(*BOND, *STATIC)
    netdev = machine.read(f"{NETWORK}/10-netfail-bond0.netdev")
    for line in (
        "Mode=active-backup",
        "FailOverMACPolicy=active",
        "PrimaryReselectPolicy=always",
        "ARPIntervalSec=100ms",
        "ARPIPTargets=192.168.1.1",
        "ARPValidate=all",
        "ARPAllTargets=any",
    ):
        assert f"{line}\n" in netdev
    assert "MIIMonitorSec" not in netdev
    network = machine.read(f"{NETWORK}/10-netfail-bond0.network")
    assert "Address=192.168.1.252/24\n" in network
    assert "Gateway=192.168.1.1\n" in network
    assert "DNS=9.9.9.9\n" in network
    first = machine.read(f"{NETWORK}/10-netfail-eth0.network")
    assert "Bond=bond0\nPrimarySlave=yes\n" in first
    second = machine.read(f"{NETWORK}/10-netfail-wlan0.network")
    assert "Bond=bond0\n" in second
    for text in (first, second):
        assert "Address=" not in text
        assert "RequiredForOnline=no\n" in text
    assert "PrimarySlave" not in second
    assert config_file.read(machine.paths.config).mode == "bond"
    assert not machine.has("/etc/sysctl.d/60-netfail-hooks.conf")
    machine.uninstall("--yes")
    assert machine.shape() == before


def test_the_primarys_file_is_taken_over_where_nothing_is_said(machine: Machine) -> None:
    machine.install(*BOND)
    network = machine.read(f"{NETWORK}/10-netfail-bond0.network")
    assert "Name=bond0\n" in network
    assert "Address=192.168.1.252/24\n" in network
    assert "192.168.1.25/24" not in network
    assert "ARPIPTargets=192.168.1.1\n" in machine.read(f"{NETWORK}/10-netfail-bond0.netdev")


_OF_ONE_NIC = (
    "MACAddress=02:00:00:00:00:00",
    "PermanentMACAddress=02:00:00:00:00:00",
    "Property=INTERFACE=eth0",
    "Type=ether",
    "Kind=!*",
)


@pytest.mark.parametrize("condition", _OF_ONE_NIC)
def test_files_of_one_nic_are_none_of_the_bonds(machine: Machine, condition: str) -> None:
    place = f"{NETWORK}/20-eth0.network"
    machine.write(place, machine.read(place).replace("Name=eth0", condition))
    machine.install(*BOND)
    assert "Address=192.168.1.252/24\n" in machine.read(f"{NETWORK}/10-netfail-bond0.network")


def test_with_dhcp_the_monitor_comes_when_the_gateway_is_known(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install(*BOND, "--dhcp")
    netdev = machine.read(f"{NETWORK}/10-netfail-bond0.netdev")
    assert "MIIMonitorSec=100ms\n" in netdev
    assert "ARPIntervalSec" not in netdev
    assert "DHCP=yes\n" in machine.read(f"{NETWORK}/10-netfail-bond0.network")
    assert "until DHCP or a router tells one" in capsys.readouterr().err


def test_the_howtos_bond_is_named_part_by_part(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.write(f"{NETWORK}/05-bond0.netdev", "[NetDev]\nName=bond0\nKind=bond\n")
    machine.write(
        f"{NETWORK}/25-bond0.network",
        "[Match]\nName=bond0\n[Network]\nAddress=10.1.1.9/24\nGateway=10.1.1.1\n",
    )
    for name in ("eth0", "wlan0"):
        text = f"[Match]\nName={name}\n[Network]\nBond=bond0\n"
        machine.write(f"{NETWORK}/20-{name}.network", text)
    before = machine.shape()
    machine.install(*BOND)
    told = capsys.readouterr().err
    for part in (
        "balance-rr",
        "FailOverMACPolicy=active",
        "no ARP monitor",
        "PrimaryReselectPolicy",
        "PrimarySlave=yes",
    ):
        assert part in told
    assert "ARPIPTargets=10.1.1.1\n" in machine.read(f"{NETWORK}/00-netfail-bond0.netdev")
    assert "10.1.1.9/24" in machine.read(f"{NETWORK}/10-netfail-bond0.network")
    machine.uninstall("--yes")
    assert machine.shape() == before


def test_modes_switch_both_ways(machine: Machine) -> None:
    machine.install("--primary", "eth0", "--backup", "wlan0", "--yes")
    routes = machine.shape()
    machine.install("--mode", "bond", "--yes")
    once = machine.shape()
    machine.install("--yes")
    assert machine.shape() == once
    machine.install("--mode", "routes", "--yes")
    manifest = f"{machine.root}/var/lib/netfail-hooks/manifest.json"
    back = machine.shape()
    assert {k: v for k, v in back.items() if k != manifest} == {
        k: v for k, v in routes.items() if k != manifest
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--address", "eth0=192.168.1.9/24"), "in a bond eth0 has no address of its own"),
        (("--address", "192.168.1.9"), "no length"),
        (("--gateway", "192.168.1.1"), "without --address"),
        (("--address", "192.168.1.9/24", "--dhcp"), "exclude each other"),
        (("--address", "192.168.1.9/24", "--gateway", "10.0.0.1"), "no neighbour"),
    ],
)
def test_what_cannot_be_is_refused(machine: Machine, words: tuple[str, ...], told: str) -> None:
    before = machine.shape()
    with pytest.raises(Misuse, match=told):
        machine.install(*BOND, *words)
    assert machine.shape() == before
