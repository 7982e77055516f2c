"""A wpa_supplicant.conf that somebody else has written, as wpa_supplicant reads it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.supplicant_file import parse, unquoted

_PI = """\
ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev
update_config=1
country=GB # of radio rules

network={
	ssid="Home # 1"
	psk="pass # phrase"   # a comment
	scan_ssid=1
	priority=5
	id_str="home"
}
network={
	ssid=436166c3a9
	key_mgmt=NONE
}
#network={
#	ssid="old"
#}
network={
	ssid="Off"
	disabled=1
}
network={
	ssid=P"Tab\\there"
	key_mgmt=WPA-PSK SAE
	psk=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	bssid=02:00:00:00:00:01
	odd_setting=1
}
network={
	ssid="Work"
	key_mgmt=WPA-EAP
	eap=PEAP
	identity="someone"
	password="secret"
	phase2="auth=MSCHAPV2"
	ca_cert="/etc/ssl/certs/work.pem"
}
"""


def test_what_a_pi_has() -> None:
    found = parse("/a.conf", _PI)
    home, cafe, tab, work = found.networks
    assert home == WirelessNetwork(
        b"Home # 1", "WPA-PSK", psk="pass # phrase", hidden=True, priority=5
    )
    assert cafe == WirelessNetwork("Café".encode(), "NONE")
    assert (tab.ssid, tab.key_mgmt, len(tab.psk)) == (b"Tab\there", "WPA-PSK SAE", 64)
    assert tab.bssid == "02:00:00:00:00:01"
    assert dict(work.eap) == {
        "eap": "PEAP",
        "identity": "someone",
        "password": "secret",
        "phase2": "auth=MSCHAPV2",
        "ca_cert": "/etc/ssl/certs/work.pem",
    }
    assert found.country == "GB"
    assert found.messages == ("/a.conf: odd_setting is not carried over",)
    assert "secret" not in repr(found)
    assert "phrase" not in repr(found)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ('ssid="a"\nkey_mgmt=NONE\nwep_key0="12345"', "WEP"),
        ('ssid="a"\nmode=1', "ad hoc"),
        ("key_mgmt=NONE", "without an ssid"),
        ('ssid="a"\npriority=first', "priority"),
        ('ssid="a"\npsk=ext:home', "somewhere else"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_without_its_key(block: str, why: str) -> None:
    with pytest.raises(Misuse, match=why) as told:
        parse("/a.conf", f"network={{\n{block}\n}}\n")
    assert "12345" not in str(told.value)


@given(st.binary(min_size=1, max_size=32))
def test_any_ssid_is_read_in_each_of_its_forms(ssid: bytes) -> None:
    escaped = "".join(f"\\x{one:02x}" for one in ssid)
    assert unquoted(ssid.hex()) == unquoted(f'P"{escaped}"') == ssid
    text = ssid.decode("utf-8", "surrogateescape")
    assert unquoted(f'"{text}"') == ssid


@given(st.text('network={}\n"# ssidpk=\\', max_size=80))
def test_any_file_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Misuse):
        parse("/a.conf", text)


@pytest.mark.parametrize(
    ("said", "key_mgmt"),
    [
        ("WPA-PSK WPA-PSK-SHA256", "WPA-PSK"),
        ("SAE  WPA-PSK-SHA256", "WPA-PSK SAE"),
        ("FT-SAE SAE FT-PSK", "WPA-PSK SAE"),
        ("WPA-EAP-SHA256 FT-EAP", "WPA-EAP"),
        ("WPA-PSK OSEN", "WPA-PSK OSEN"),
        ("OWE", "OWE"),
    ],
)
def test_ways_of_the_same_key_are_one(said: str, key_mgmt: str) -> None:
    text = f'network={{\n ssid="a"\n psk="not so secret"\n key_mgmt={said}\n}}\n'
    (found,) = parse("/a.conf", text).networks
    assert found.key_mgmt == key_mgmt
