"""Which uplinks ifupdown can be told to leave, from a machine's files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.install.handover import from_ifupdown
from netfail_hooks.install.handover.profiles import profiles_of
from netfail_hooks.install.manifest import Entry, Handed, Manifest
from netfail_hooks.managers import ifupdown
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_INTERFACES = "/etc/network/interfaces"
_UNIT = "/lib/systemd/system/networking.service"
_STATIC = "auto {0}\niface {0} inet static\n  address 192.0.2.7/24\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write(_UNIT, "[Service]\nExecStart=/sbin/ifup -a --read-environment\n")
    machine.write("/usr/sbin/dhclient", "", mode=0o755)
    return machine


def _hand(machine: Machine, text: str, name: str = "eth0") -> Handed:
    machine.write(_INTERFACES, text)
    return from_ifupdown.hand(machine.paths, read_nic(name, machine.paths))


def test_what_is_up_as_something_else_than_at_boot_is_refused(machine: Machine) -> None:
    text = "auto eth0=home\niface home inet dhcp\niface work inet dhcp\niface eth0 inet dhcp\n"
    for state in ("", "eth0=home\n"):
        machine.write("/run/network/ifstate", f"lo=lo\n{state}")
        assert _hand(machine, text) == Handed("eth0", "ifupdown")
    machine.write("/run/network/ifstate", "lo=lo\neth0=work\n")
    with pytest.raises(Misuse, match="up as work, and at boot as home"):
        _hand(machine, text)
    machine.write("/run/network/ifstate", "lo=lo\neth0=eth0\n")
    with pytest.raises(Misuse, match="up as eth0, and at boot not"):
        _hand(machine, text.replace("auto eth0=home\n", ""))


@pytest.mark.parametrize(
    ("up", "raised", "refused"),
    [
        ("eth0:1=eth0:1", "", "eth0:1 up as eth0:1, and at boot not"),
        ("eth0:vip=more", "", "eth0:vip up as more, and at boot not"),
        ("eth0:1=more", "auto eth0:1\n", "eth0:1 up as more, and at boot as eth0:1"),
        ("eth0:1=eth0:1", "allow-mine eth0:1\n", "eth0:1 up as eth0:1, and at boot not"),
        ("eth0:1=eth0:1", "auto eth0:1\n", ""),
        ("eth01:1=eth01:1", "", ""),
        ("", "", ""),
    ],
)
def test_an_alias_that_is_up_by_hand_is_refused(
    machine: Machine, up: str, raised: str, refused: str
) -> None:
    """ifdown of its NIC would take it away, and nobody would raise it again."""
    text = _STATIC.format("eth0") + raised
    text += "".join(f"iface {name} inet manual\n" for name in ("eth0:1", "more"))
    machine.write("/run/network/ifstate", f"eth0=eth0\n{up}\n")
    if not refused:
        assert _hand(machine, text) == Handed("eth0", "ifupdown")
        return
    with pytest.raises(Misuse, match=refused) as told:
        _hand(machine, text)
    assert f"auto {up}" in told.value.hint


def test_an_alias_is_in_a_place_of_ifupdowns_own_too(machine: Machine) -> None:
    machine.write("/opt/net/more", "auto eth0:1\n" + "iface eth0:1 inet manual\n")
    with pytest.raises(Misuse, match=r"/opt/net/more, which sets eth0 up"):
        _hand(machine, _STATIC.format("eth0") + "source /opt/net/*\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_STATIC.format("eth0").replace("auto", "allow-mine"), "allow-mine"),
        (_STATIC.format("eth0") + "  pre-up /usr/local/bin/mine\n", "pre-up /usr/local/bin/mine"),
        ("source /opt/net/*\n", "/opt/net/eth0, which sets eth0 up, is in no place"),
    ],
)
def test_what_it_cannot_be_told_is_refused_by_name(machine: Machine, text: str, why: str) -> None:
    machine.write("/opt/net/eth0", _STATIC.format("eth0"))
    with pytest.raises(Misuse, match=why) as told:
        _hand(machine, text)
    assert told.value.hint


def test_a_client_that_is_not_known_is_refused(machine: Machine) -> None:
    (machine.root / "usr/sbin/dhclient").rename(machine.root / "usr/sbin/udhcpc")
    with pytest.raises(Misuse, match="client that is not known"):
        _hand(machine, "auto eth0\niface eth0 inet dhcp\n")


def test_another_ifupdown_is_refused(machine: Machine) -> None:
    machine.write(_UNIT, "[Service]\nExecStart=/sbin/ifup -a\n")
    with pytest.raises(Misuse, match="here can be told to"):
        _hand(machine, _STATIC.format("eth0"))


def test_a_pattern_of_a_name_is_refused(machine: Machine) -> None:
    machine.nic("eth+0", 7)
    with pytest.raises(Misuse, match="told to leave"):
        _hand(machine, _STATIC.format("eth+0"), "eth+0")


def test_a_file_that_is_to_be_ours_is_not_the_users(machine: Machine) -> None:
    path = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
    machine.write(path, 'network={\n ssid="Home"\n key_mgmt=NONE\n}\n')
    text = f"auto wlan0\niface wlan0 inet dhcp\n  wpa-conf {path}\n"
    with pytest.raises(Misuse, match="which is to be ours"):
        _hand(machine, text, "wlan0")
    machine.write("/etc/wpa_supplicant/home.conf", 'network={\n ssid="H"\n key_mgmt=NONE\n}\n')
    text = text.replace(path, "/etc/wpa_supplicant/home.conf")
    assert _hand(machine, text, "wlan0") == Handed("wlan0", "ifupdown")


def test_scripts_that_no_longer_run_are_told(machine: Machine) -> None:
    for name in ("if-up.d/wpasupplicant", "if-pre-up.d/firewall", "if-post-down.d/mine"):
        machine.write(f"/etc/network/{name}", "#!/bin/sh\n", mode=0o755)
    _hand(machine, _STATIC.format("eth0"))
    found = ifupdown.profile(machine.paths, read_nic("eth0", machine.paths))
    assert found
    assert found.messages == ("/etc/network/if-*.d: no longer run for eth0: firewall, mine",)


def test_options_replace_addresses_and_no_wifi_network(machine: Machine) -> None:
    text = "auto wlan0\niface wlan0 inet dhcp\n  wpa-ssid Home\n  wpa-psk not so secret\n"
    handed = (_hand(machine, text, "wlan0"),)
    (machine.root / "etc/systemd/network/20-wlan0.network").unlink()
    known = Manifest(handed=handed, entries=(Entry(supplicant.path("wlan0"), None, ()),))
    for noted in (Manifest(), known):  # a first install, and the next
        profile = profiles_of(machine.paths, noted, handed, ("wlan0",))["wlan0"]
        assert profile.sections == ()
        assert [one.ssid for one in profile.wireless] == [b"Home"]


def test_a_radio_without_a_network_is_told_where_one_is_saved(machine: Machine) -> None:
    handed = (_hand(machine, "auto wlan0\niface wlan0 inet dhcp\n", "wlan0"),)
    (machine.root / "etc/systemd/network/20-wlan0.network").unlink()
    with pytest.raises(Misuse, match="no Wi-Fi network for wlan0") as told:
        profiles_of(machine.paths, Manifest(), handed, ())
    assert "wpa-ssid and wpa-psk in the iface wlan0 stanza" in told.value.hint
