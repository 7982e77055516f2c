"""The files of a bond, and what is told of those that they stand in for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netfail_hooks.config import Bond
from netfail_hooks.errors import Misuse
from netfail_hooks.install.networks.bond import bond_files, netdev_text, slave_text
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.takeover import AddressConfig, write_new
from netfail_hooks.values import replace
from tests.support.machine import Machine
from tests.support.world import config_of

NETWORK = "/etc/systemd/network"
_TOLD = "# netfail-hooks: as 'netfail-hooks install' was asked; run it again for a change\n"
_CONFIG = replace(config_of("eth0", "wlan0"), mode="bond")
_STATIC = "[Match]\nName={}\n[Network]\nAddress=10.0.0.{}/24\nGateway=10.0.0.1\n"
_SLAVE = "[Match]\nName={}\n[Network]\nBond=bond0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose NICs no file sets up."""
    found = Machine(tmp_path)
    for name in ("eth0", "wlan0"):
        (tmp_path / f"etc/systemd/network/20-{name}.network").unlink()
    return found


def _made(machine: Machine, setup: AddressConfig | None = None) -> tuple[dict[str, str], list[str]]:
    """Return the files by their names, and what is told."""
    files, notes = bond_files(machine.paths, _CONFIG, setup)
    assert all(path.startswith(f"{NETWORK}/") for path in files)
    return {path.removeprefix(f"{NETWORK}/"): text for path, text in files.items()}, notes


_DHCP = f"""\
{_TOLD}
[Match]
Name=bond0

[Network]
DNS=9.9.9.9
DHCP=yes

[Network]
IgnoreCarrierLoss=yes
IPv6DuplicateAddressDetection=0
KeepConfiguration=dhcp-on-stop

[DHCPv4]
RouteMetric=100

[IPv6AcceptRA]
RouteMetric=100
"""
_FIRST = f"""\
{_TOLD}
[Match]
Name=eth0

[Link]
RequiredForOnline=no

[Network]
Bond=bond0
PrimarySlave=yes
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_SECOND = _FIRST.replace("eth0", "wlan0").replace("PrimarySlave=yes\n", "")
_NETDEV = f"""\
{_TOLD}
[NetDev]
Name=bond0
Kind=bond

[Bond]
Mode=active-backup
PrimaryReselectPolicy=always
FailOverMACPolicy=active
MIIMonitorSec=100ms
"""


def test_a_bond_by_dhcp_byte_for_byte(machine: Machine) -> None:
    files, notes = _made(machine, AddressConfig(dns=("9.9.9.9",), dhcp=True))
    assert list(files.items()) == [
        ("10-netfail-bond0.netdev", _NETDEV),
        ("10-netfail-bond0.network", _DHCP),
        ("10-netfail-eth0.network", _FIRST),
        ("10-netfail-wlan0.network", _SECOND),
    ]
    (note,) = notes
    assert note == (
        "no gateway is named: until DHCP or a router tells one, the bond sees a pulled cable, and "
        "no dead router (MII); then the hook sets the ARP monitor"
    )
    assert slave_text("wlan0", "bond0", primary=False) == _SECOND


@pytest.mark.parametrize(
    ("targets", "monitor"),
    [
        (
            ("192.0.2.1", "fd00::1", "192.0.2.2"),
            [
                "ARPIntervalSec=250ms",
                "ARPIPTargets=192.0.2.1 192.0.2.2",
                "ARPValidate=all",
                "ARPAllTargets=any",
            ],
        ),
        (("fd00::1",), ["MIIMonitorSec=250ms"]),
    ],
)
def test_networkd_monitors_by_ipv4_alone(targets: tuple[str, ...], monitor: list[str]) -> None:
    bond = Bond("bond1", arp_interval=250, reselect="better", targets=targets)
    assert netdev_text(bond).splitlines()[2:] == [
        "[NetDev]",
        "Name=bond1",
        "Kind=bond",
        "",
        "[Bond]",
        "Mode=active-backup",
        "PrimaryReselectPolicy=better",
        "FailOverMACPolicy=active",
        *monitor,
    ]


def test_the_gateways_of_default_routes_are_monitored(machine: Machine) -> None:
    machine.write(
        f"{NETWORK}/20-bond0.network",
        _STATIC.format("bond0", 9) + "[Route]\nGateway=_dhcp4\n"
        "[Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.7\n"
        "[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.2\n"
        "[Route]\nGateway=10.0.0.2\n",
    )
    files, notes = _made(machine)
    assert "\nARPIPTargets=10.0.0.1 10.0.0.2\n" in files["10-netfail-bond0.netdev"]
    assert notes == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("20-x.netdev", "10-netfail-bond0.netdev"),
        ("05-x.netdev", "00-netfail-bond0.netdev"),
        ("10-netfail-bond0.netdev", "00-netfail-bond0.netdev"),
        ("00-a.netdev", "0-netfail-bond0.netdev"),
        ("00-netfail-bond0.netdev", "0-netfail-bond0.netdev"),
        ("05-bond0.network", "00-netfail-bond0.network"),
        ("05-eth0.network", "00-netfail-eth0.network"),
        ("05-wlan0.network", "00-netfail-wlan0.network"),
    ],
)
def test_ours_sorts_before_theirs(machine: Machine, theirs: str, ours: str) -> None:
    name = theirs[3:].partition(".")[0]
    text = "[NetDev]\nName=bond0\n" if theirs.endswith("netdev") else _STATIC.format(name, 9)
    machine.write(f"{NETWORK}/{theirs}", text)
    files, _ = _made(machine, AddressConfig(dhcp=True))
    assert ours in files
    assert len(files) == 4


@pytest.mark.parametrize("name", ["0--a.netdev", "+a.netdev"])
def test_a_device_file_that_ours_cannot_get_ahead_of_is_refused(
    machine: Machine, name: str
) -> None:
    machine.write(f"{NETWORK}/{name}", "[NetDev]\nName=bond0\n")
    with pytest.raises(Misuse, match=rf"no name of ours sorts before {re.escape(name)}"):
        _made(machine, AddressConfig(dhcp=True))


def test_a_file_that_makes_an_uplink_a_slave_says_nothing_of_addresses(machine: Machine) -> None:
    machine.write(f"{NETWORK}/20-eth0.network", _SLAVE.format("eth0"))
    machine.write(f"{NETWORK}/20-wlan0.network", _STATIC.format("wlan0", 25))
    files, _ = _made(machine)
    assert "Address=10.0.0.25/24\n" in files["10-netfail-bond0.network"]


def test_what_another_mode_was_asked_is_kept(machine: Machine) -> None:
    with pytest.raises(Misuse, match=r"no \.network file says how bond0 is to be set up"):
        _made(machine)
    machine.write(f"{NETWORK}/10-netfail-eth0.network", _FIRST)
    with pytest.raises(Misuse, match=r"no \.network file says how bond0 is to be set up"):
        _made(machine)
    machine.write(
        f"{NETWORK}/10-netfail-wlan0.network",
        write_new(Nic("wlan0"), AddressConfig(dns=("9.9.9.9",), dhcp=True), 200),
    )
    files, _ = _made(machine)
    assert files["10-netfail-bond0.network"] == _DHCP


def test_what_the_bond_was_asked_is_kept(machine: Machine) -> None:
    asked, _ = _made(machine, AddressConfig(("10.0.0.9/24",), ("10.0.0.1",), ("9.9.9.9",)))
    for name, text in asked.items():
        machine.write(f"{NETWORK}/{name}", text)
    assert _made(machine) == (asked, [])
    assert "ARPIPTargets=10.0.0.1\n" in asked["10-netfail-bond0.netdev"]


_RIGHT = {
    "Mode": "active-backup",
    "FailOverMACPolicy": "active",
    "ARPIntervalSec": "100ms",
    "ARPIPTargets": "10.0.0.1",
    "PrimaryReselectPolicy": "always",
}


def _told(machine: Machine, **changes: str) -> list[str]:
    """Return what is told of a bond of the user's own that is right but for the changes."""
    lines = "".join(f"{key}={word}\n" for key, word in (_RIGHT | changes).items() if word)
    path = f"{NETWORK}/20-bond0.netdev"
    machine.write(path, f"[NetDev]\nName=bond0\nKind=bond\n[Bond]\n{lines}")
    machine.write(f"{NETWORK}/20-bond0.network", _STATIC.format("bond0", 9))
    _, notes = _made(machine)
    end = "; ours is read in its stead"
    assert all(note.startswith(f"{path}: ") and note.endswith(end) for note in notes)
    return [note.removeprefix(f"{path}: ").removesuffix(end) for note in notes]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Mode": ""}, "no Mode=, so it is balance-rr: wired and Wi-Fi take active-backup"),
        (
            {"Mode": "active-backup\nMode=802.3ad"},
            "Mode=802.3ad: wired and Wi-Fi take active-backup",
        ),
        (
            {"FailOverMACPolicy": "none"},
            (
                "no FailOverMACPolicy=active: a Wi-Fi NIC can't take the other one's hardware "
                "address on "
                "while it is associated"
            ),
        ),
        (
            {"ARPIntervalSec": "", "MIIMonitorSec": "1s"},
            "no ARP monitor: MIIMonitorSec= sees a cable pulled, no dead gateway",
        ),
        ({"ARPIPTargets": ""}, "no ARP monitor: it sees nothing, no dead gateway"),
        ({"PrimaryReselectPolicy": ""}, "no PrimaryReselectPolicy="),
    ],
)
def test_what_is_wrong_with_a_users_own_bond(
    machine: Machine, changes: dict[str, str], told: str
) -> None:
    assert _told(machine, **changes) == [told]


def test_a_users_own_bond_names_the_first_uplink_its_primary(machine: Machine) -> None:
    assert _told(machine) == []  # no file makes eth0 a slave yet, so none forgets to say it
    machine.write(f"{NETWORK}/20-wlan0.network", _SLAVE.format("wlan0"))
    path = f"{NETWORK}/20-eth0.network"
    machine.write(path, _SLAVE.format("eth0"))
    assert _told(machine) == [f"{path} makes eth0 no primary (PrimarySlave=yes)"]
    machine.write(path, _SLAVE.format("eth0") + "PrimarySlave=yes\n")
    assert _told(machine) == []
