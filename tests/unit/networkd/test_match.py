"""Which file networkd uses for a NIC: the order of files, and what a [Match] means."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.match import effective, netdev
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths

NIC = Nic(
    "eth0",
    "02:00:00:00:00:0a",
    "02:00:00:00:00:0b",
    "r8169",
    "ether",
    altnames=("enp3s0", "lan-with-a-name-longer-than-the-kernels"),
    path="pci-0000:03:00.0",
    properties=(("ID_VENDOR", "a b"), ("INTERFACE", "eth0")),
    present=True,
)
VETH = replace(NIC, kind="veth", driver="veth", path="")
UNPLUGGED = Nic("eth0")
WIRELESS = Nic("wlan0", type="wlan", wireless=True, present=True)


def _write(root: Path, files: dict[str, str]) -> Paths:
    for place, text in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return Paths(str(root))


def _fits(root: Path, conditions: str, nic: Nic = NIC) -> bool:
    files = {"etc/systemd/network/x.network": f"[Match]\n{conditions}\n", "etc/hostname": "Pi\n"}
    paths = _write(root, files)
    return effective(paths, nic) is not None


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ("", False),
        ("Name=eth0", True),
        ("Name=eth1", False),
        ("Name=wlan0 eth0", True),
        ("Name=eth*", True),
        ("Name=ETH0", False),
        ("OriginalName=eth0", False),  # of .link files; all that is left here: tests/vm/matching.py
        ("OriginalName=wlan0\nName=eth0", True),
        ("Name=!eth0", True),  # by its other names: net_condition_test_ifname(), tried with 252
        ("Name=!eth0 enp* lan*", False),
        ("Name=!wlan0 eth1", True),
        ("MACAddress=02:00:00:00:00:0A", True),
        ("MACAddress=02-00-00-00-00-0a", True),
        ("MACAddress=0200.0000.000a", True),
        ("MACAddress=02:00:00:00:00:0b", False),
        ("MACAddress=02:00:00:00:00:0b 02:00:00:00:00:0a", True),
        ("MACAddress=!02:00:00:00:00:0b", False),
        ("Name=eth0\nMACAddress=02:*", True),
        ("MACAddress=02:*", False),
        ("PermanentMACAddress=02:00:00:00:00:0b", True),
        ("Driver=r8169", True),
        ("Driver=bcm*", False),
        ("Type=ether", True),
        ("Type=wlan", False),
        ("Host=pi", True),
        ("Host=zero", False),
        ("WLANInterfaceType=station", False),
        ("Name=eth0\nType=wlan", False),
        ("Type=ether\nName=eth0", True),
        ("Name=wlan0\nName=eth0", True),
        ("Name=wlan0\n[Match]\nName=eth0", True),
        ("Name=wlan0\n[Match]\nType=ether", False),
        ("Name=wlan0\nName=", False),
        ("Type=ether\nName=wlan0\nName=", True),
        ("Name=eth0 eth1\nName=!eth0", False),
        ("Type=e*\nType=!ether", False),
        ("Name=enp3s0", True),
        ("Name=enp*", True),
        ("Name=lan-with-*", True),
        ("Type=ether\nKind=!*", True),
        ("Kind=veth", False),
        ("Kind=*", False),
        ("Path=pci-*", True),
        ("Path=platform-*", False),
        ("SSID=home", False),
        ("SSID=*", False),
        ("Name=eth0\nSSID=!home", True),
        ("BSSID=02:00:00:00:00:0a", False),
        ('Property="ID_VENDOR=a b" INTERFACE=eth*', True),
        ("Property=ID_VENDOR=b", False),
        ("Property=!ID_MODEL=x", True),
        ("Host=PI\nName=eth0", True),
        ("Host=zero\nHost=p?", True),
        ("Host=!pi", False),
        ("Name=eth0\n[Network]\nName=wlan0", True),
        ("Name=eth0\u00a0", False),
        ("Name=wlan0\u00a0eth0", False),
        ("Type=[[:alpha:]]the[^0-9]", True),
        ("Name=eth0\nName=[[:digit:]]*", True),
        ("Name=wlan[[:digit:]]", False),
        ("Name=eth[^1-9]", True),
        ("Name=eth[^0]", False),
        ("Name=e\\th0", True),
        ("Name=eth\\*", True),
        ("Name=eth\\ 0", False),
        ("Driver=\\*", False),
        ('Name="eth0"', False),
        ('Type="ether"', True),
        ("Type=wl'an' 'eth'er", True),
        ("Type='ether wlan'", False),
        ('Type=ether "wlan', True),
        ('Type="ether', False),
    ],
)
def test_a_file_is_for_whom_its_match_names(tmp_path: Path, conditions: str, *, fits: bool) -> None:
    assert _fits(tmp_path, conditions) is fits


@pytest.mark.parametrize(
    ("conditions", "fits"), [("Driver=\nName=eth0", True), ("Driver=r8169\nName=wlan0", False)]
)
def test_what_nobody_knows_of_a_nic_may_not_matter(
    tmp_path: Path, conditions: str, *, fits: bool
) -> None:
    assert _fits(tmp_path, conditions, UNPLUGGED) is fits


@pytest.mark.parametrize(
    ("nic", "fits"), [(Nic("wlan0"), True), (WIRELESS, True), (NIC, False), (VETH, False)]
)
def test_an_uplink_by_radio_is_a_client(tmp_path: Path, nic: Nic, *, fits: bool) -> None:
    assert _fits(tmp_path, "WLANInterfaceType=station", nic) is fits


def test_any_network_by_radio_will_do(tmp_path: Path) -> None:
    """As systemd's own 80-wifi-station.network.example has it."""
    any_network = "Type=wlan\nWLANInterfaceType=station\nSSID=*"
    assert _fits(tmp_path, any_network, WIRELESS)
    with pytest.raises(Misuse, match=r"SSID=\* !guests means wlan0: .*one file for all of them"):
        _fits(tmp_path, f"{any_network}\nSSID=!guests", WIRELESS)


_LONG = "x" * (1 << 20)
_DAMAGED = (
    "[Network\nDHCP=yes\n",
    "[Link] # wired\n",
    "  [Route;\n",
    "[Net\\\nwork\n",
    "DNS=\udcfc\n",
    "[Netw\udcfcrk]\n",
    "DNS=1\\\n\ufffe\n",
    f"# {_LONG}\n",
    f"#{'ü' * (1 << 19)}",
    f"DNS={_LONG[5:]}\\\n1\n",
)


@pytest.mark.parametrize("damage", _DAMAGED, ids=range(len(_DAMAGED)))
@pytest.mark.parametrize("place", ["file", "drop-in"])
def test_a_damaged_file_is_none(tmp_path: Path, damage: str, place: str) -> None:
    """As networkd has it: of a header that does not end it reads nothing, nor beside it."""
    text, first = "[Match]\nName=eth0\n", "etc/systemd/network/10-a.network"
    files = {first: text}
    files |= {first: text + damage} if place == "file" else {f"{first}.d/b.conf": damage}
    assert effective(_write(tmp_path, files), NIC) is None
    second = "etc/systemd/network/20-b.network"
    whole = f"{text}[Network]\n# [Network\nDNS=[2001:db8::1\n# \udcff\n#{_LONG[2:]}\n"
    source = effective(_write(tmp_path, {second: whole}), NIC)
    assert source
    assert source.path == f"/{second}"


@pytest.mark.parametrize(
    ("conditions", "nic", "told", "hint"),
    [
        ("Driver=r8169 x", UNPLUGGED, "Driver=r8169 x means eth0", "or plug eth0 in"),
        ("Driver=a\nType=b", UNPLUGGED, "Driver=a means eth0", "or plug eth0 in"),
        ("Kind=!*", UNPLUGGED, "Kind=!* means eth0", "or plug eth0 in"),
        ("Odd=x", NIC, "Odd=x means eth0", "write Name=eth0 in its stead"),
        ("Name=eth[[:digit:]]", NIC, "Name=eth[[:digit:]] means eth0", "write Name=eth0"),
        ("Virtualization=vm", NIC, "Virtualization=vm means eth0", "write Name=eth0 in its stead"),
        ("SSID=home", WIRELESS, "SSID=home means wlan0", "changes with the access point"),
        ("Property=A=b", UNPLUGGED, "Property=A=b means eth0", "or plug eth0 in"),
    ],
)
def test_what_nobody_can_judge_is_refused_if_it_matters(
    tmp_path: Path, conditions: str, nic: Nic, told: str, hint: str
) -> None:
    with pytest.raises(Misuse) as wrong:
        _fits(tmp_path, conditions, nic)
    assert f"cannot tell whether [Match] {told}" in str(wrong.value)
    assert hint in str(wrong.value)
    assert ("plug" in str(wrong.value)) is not nic.present


@pytest.mark.parametrize(
    ("number", "uevent", "conditions", "fits"),
    [
        ("1", "", "Type=ether", True),
        ("1", "DEVTYPE=wwan\n", "Type=ether", False),  # qmi_wwan, cdc_mbim
        ("1", "DEVTYPE=wwan\n", "Type=wwan", True),
        ("1", "DEVTYPE=bridge\n", "Type=bridge", True),
        ("512", "DEVTYPE=ppp\n", "Type=ppp", True),
        ("519", "", "Type=rawip", True),
        ("768", "", "Type=tunnel", True),
        ("778", "", "Type=*", True),
        ("823", "", "Type=!ether", True),
        ("65000", "", "Type=*", False),
        ("1", "", "Property=SUBSYSTEM=net", True),
        ("1", "", "Property=DEVPATH=/devices/platform/*", True),
        ("1", "", "Property=DEVPATH=/devices/virtual/*", False),
        ("1", "DEVTYPE=wwan\n", "Property=DEVTYPE=wwan", True),
    ],
)
def test_types_and_properties_are_udevs(
    tmp_path: Path, number: str, uevent: str, conditions: str, *, fits: bool
) -> None:
    device = "sys/devices/platform/soc/net/eth0"
    files = {f"{device}/type": f"{number}\n", f"{device}/uevent": f"{uevent}INTERFACE=eth0\n"}
    paths = _write(tmp_path, files)
    (tmp_path / "sys/class/net").mkdir(parents=True)
    (tmp_path / "sys/class/net/eth0").symlink_to(f"../../{device.removeprefix('sys/')}")
    nic = read_nic("eth0", paths)
    assert _fits(tmp_path, conditions, nic) is fits


# --- files --------------------------------------------------------------------------------------

ANY, ETH, WLAN = "[Match]\nName=*\n", "[Match]\nName=eth0\n", "[Match]\nName=wlan0\n"


@pytest.mark.parametrize(
    ("files", "used"),
    [
        ({}, ""),
        ({"etc/systemd/network/20-a.network": WLAN}, ""),
        (
            {"etc/systemd/network/20-a.network": ETH, "etc/systemd/network/10-b.network": ANY},
            "/etc/systemd/network/10-b.network",
        ),
        (
            {"etc/systemd/network/20-a.network": ETH, "usr/lib/systemd/network/10-b.network": ANY},
            "/usr/lib/systemd/network/10-b.network",
        ),
        (
            {"etc/systemd/network/x.network": ETH, "run/systemd/network/x.network": ANY},
            "/etc/systemd/network/x.network",
        ),
        ({"etc/systemd/network/x.network": "\n", "lib/systemd/network/x.network": ANY}, ""),
        ({"etc/systemd/network/x.netdev": ANY}, ""),
    ],
    ids=["none", "another's", "by name", "across directories", "hidden", "masked", "no network"],
)
def test_the_first_that_fits_is_used(tmp_path: Path, files: dict[str, str], used: str) -> None:
    found = effective(_write(tmp_path, files), NIC)
    assert (found.path if found else "") == used


def test_one_may_look_past_files(tmp_path: Path) -> None:
    paths = _write(
        tmp_path,
        {
            "etc/systemd/network/10-a.network": f"# ours\n{ANY}",
            "etc/systemd/network/20-b.network": WLAN,
            "etc/systemd/network/30-c.network": ETH,
        },
    )
    found = effective(paths, NIC, lambda text: "ours" in text)
    assert found
    assert found.path == "/etc/systemd/network/30-c.network"


def test_dropins_count_by_name_from_any_directory(tmp_path: Path) -> None:
    paths = _write(
        tmp_path,
        {
            "lib/systemd/network/a.network": ETH,
            "etc/systemd/network/a.network.d/20.conf": "[Network]\nDHCP=yes\n",
            "lib/systemd/network/a.network.d/10.conf": "[Match]\nType=ether\n",
            "lib/systemd/network/a.network.d/readme": "[Match]\nName=wlan0\n",
        },
    )
    found = effective(paths, NIC)
    assert found
    assert [os.path.basename(path) for path, _ in found.dropins] == ["10.conf", "20.conf"]
    assert [one.name for one in found.sections] == ["", "Match"] * 2 + ["", "Network"]
    assert effective(paths, Nic("eth0", type="wlan")) is None


def test_a_match_in_a_dropin_is_one_with_the_files_own(tmp_path: Path) -> None:
    paths = _write(
        tmp_path,
        {
            "etc/systemd/network/a.network": WLAN,
            "etc/systemd/network/a.network.d/10.conf": "[Match]\nName=eth0\n",
            "etc/systemd/network/b.network": "[Match]\nName=eth1\n",
            "etc/systemd/network/b.network.d/10.conf": "[Match]\nName=\nName=eth2\n",
        },
    )
    used = [effective(paths, Nic(name)) for name in ("wlan0", "eth0", "eth1", "eth2")]
    assert [found.path[-9:] if found else "" for found in used] == [
        "a.network",
        "a.network",
        "",
        "b.network",
    ]


def test_a_nul_ends_a_line(tmp_path: Path) -> None:
    text = "[Match]\0Name=eth0\0[Network]\0DHCP=yes"
    found = effective(_write(tmp_path, {"etc/systemd/network/x.network": text}), NIC)
    assert found
    assert found.sections[-1].get("DHCP") == "yes"


def test_a_file_that_has_no_end_is_refused(tmp_path: Path) -> None:
    text = ETH + "# no end\n" * (1 << 20)
    with pytest.raises(Misuse, match=r"x\.network is longer than we read"):
        effective(_write(tmp_path, {"etc/systemd/network/x.network": text}), NIC)


def test_the_mark_of_an_encoding_is_no_part_of_a_file(tmp_path: Path) -> None:
    found = effective(_write(tmp_path, {"etc/systemd/network/x.network": f"\ufeff{ETH}"}), NIC)
    assert found
    assert found.text == ETH


def test_the_file_that_makes_a_device_is_found_by_what_it_says(tmp_path: Path) -> None:
    paths = _write(
        tmp_path,
        {
            "etc/systemd/network/a.netdev": "[NetDev]\nName=bond1\n",
            "etc/systemd/network/b.netdev": "[NetDev]\nName=bond0\n",
            "etc/systemd/network/c.netdev": "[NetDev]\nName=bond0\n#c\n",
            "etc/systemd/network/d.network": ETH,
        },
    )
    places = [
        found.path[-8:] if found else ""
        for found in (
            netdev(paths, "bond0"),
            netdev(paths, "bond1"),
            netdev(paths, "eth0"),
            netdev(paths, "bond0", lambda text: "#c" not in text),
        )
    ]
    assert places == ["b.netdev", "a.netdev", "", "c.netdev"]


# --- a NIC --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"type": "1\n"}, "ether"),
        ({"type": "772\n"}, "loopback"),
        ({"type": "65534\n"}, "none"),
        ({}, ""),
        ({"type": "1\n", "phy80211/x": ""}, "wlan"),
        ({"type": "1\n", "wireless/x": ""}, "wlan"),
        ({"type": "1\n", "uevent": "DEVTYPE=wlan\nIFINDEX=3\n"}, "wlan"),
        ({"type": "1\n", "uevent": "DEVTYPE=bridge\n"}, "bridge"),
        ({"type": "1\n", "uevent": "DEVTYPE=wwan\n"}, "wwan"),
    ],
)
def test_the_type_of_a_nic(tmp_path: Path, files: dict[str, str], kind: str) -> None:
    _write(tmp_path / "sys/class/net/x", files)
    assert read_nic("x", Paths(str(tmp_path))).type == kind


@pytest.mark.parametrize(("assigned", "own"), [("0", True), ("1", False), ("3", False)])
def test_a_hardware_address_is_permanent_unless_somebody_set_it(
    tmp_path: Path, assigned: str, *, own: bool
) -> None:
    mac = "02:00:00:00:00:0a"
    files = {"address": mac.upper() + "\n", "addr_assign_type": assigned + "\n", "device/x": ""}
    _write(tmp_path / "sys/class/net/eth0", files)
    os.symlink("../../../bus/drivers/r8169", tmp_path / "sys/class/net/eth0/device/driver")
    found = read_nic("eth0", Paths(str(tmp_path)))
    assert (found.mac, found.permanent_mac, found.driver) == (mac, mac if own else "", "r8169")
    assert found.present
