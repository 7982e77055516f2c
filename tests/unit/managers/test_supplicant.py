"""What wpa_supplicant is told; the real one reads every file that is drawn here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile, WirelessNetwork
from netfail_hooks.managers.wifi import supplicant
from tests.support.supplicant import read_by_the_real_one

_PSK = "ordinary key"
_EVERYTHING = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=8, max_size=15
)
_NETWORKS = st.lists(
    st.builds(
        WirelessNetwork,
        ssid=st.binary(min_size=1, max_size=32),
        key_mgmt=st.sampled_from(["NONE", "WPA-PSK", "SAE", "WPA-PSK SAE", "OWE", "WPA-EAP"]),
        psk=st.one_of(_EVERYTHING, st.just("ab" * 32)),
        hidden=st.booleans(),
        priority=st.integers(-999, 999),
        bssid=st.sampled_from(["", "02:00:00:00:01:00"]),
        eap=st.tuples(
            st.just(("eap", "PEAP TTLS TLS")),
            st.tuples(
                st.sampled_from(["identity", "password", "ca_cert", "private_key", "phase2"]),
                _EVERYTHING,
            ),
        ),
        pmf=st.sampled_from(["", "0", "1", "2"]),
        radio=st.sampled_from([(), (("freq_list", "2412 2437"), ("proto", "RSN"))]),
        roams=st.booleans(),
        fast=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(_NETWORKS)
@settings(max_examples=200)
def test_no_value_ends_its_line(networks: list[WirelessNetwork]) -> None:
    lines = supplicant.config(networks, "GB").splitlines()
    assert all(line.isascii() and line.replace("\t", "").isprintable() for line in lines)
    inside = [line for line in lines if line.startswith("\t")]
    assert all(re.fullmatch(r"\t[a-z_0-9]+=\S.*", line) for line in inside)
    assert lines.count("network={") == lines.count("}") == len(networks)
    assert sum(line.startswith("\tssid=") for line in inside) == len(networks)


def test_the_real_one_reads_whatever_is_drawn(tmp_path: Path) -> None:
    """All that some hundred drawings make, in one file: it takes it as a whole or not at all."""
    networks: list[WirelessNetwork] = []

    @given(_NETWORKS)
    @settings(max_examples=40, database=None)
    def draw(drawn: list[WirelessNetwork]) -> None:
        networks.extend(drawn)

    draw()
    assert len(networks) > 40
    assert _ssids(tmp_path, supplicant.config(networks, "GB")) == [one.ssid for one in networks]


def test_the_real_one_tells_of_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    text = supplicant.config([WirelessNetwork(b"x", "WPA-PSK", psk=_PSK)])
    with pytest.raises(AssertionError, match="psk"):
        _ssids(tmp_path, text.replace(f'"{_PSK}"', "broken"))


def _ssids(directory: Path, text: str) -> list[bytes]:
    """Return the networks as wpa_cli lists them."""
    found: list[bytes] = []
    with read_by_the_real_one(directory, text) as ask:
        while True:  # a reply holds 4 KiB; one more question goes on behind its last network
            told = ask("LIST_NETWORKS", *([f"LAST_ID={len(found) - 1}"] if found else []))
            lines = told.splitlines()[1:]
            if not lines:
                return found
            found += [_plain(line.split("\t")[1]) for line in lines]


def _plain(shown: str) -> bytes:
    r"""Return an SSID as it is: ``printf_encode()`` shows it with ``\xNN``, ``\"`` and the like."""
    marks = {"n": b"\n", "r": b"\r", "t": b"\t", "e": b"\x1b", '"': b'"', "\\": b"\\"}
    parts = re.findall(r"\\x([0-9a-f]{2})|\\(.)|(.)", shown, re.DOTALL)
    return b"".join(
        bytes.fromhex(code) if code else marks[mark] if mark else plain.encode()
        for code, mark, plain in parts
    )


def _block(one: WirelessNetwork) -> dict[str, str]:
    lines = supplicant.config([one]).splitlines()
    return dict(line[1:].split("=", 1) for line in lines if line.startswith("\t"))


@pytest.mark.parametrize(
    ("managed", "words", "protected"),
    [
        ("WPA-PSK", "WPA-PSK WPA-PSK-SHA256", "1"),
        ("WPA-PSK SAE", "WPA-PSK WPA-PSK-SHA256 SAE", "1"),
        ("SAE", "SAE", "2"),
        ("OWE", "OWE", "2"),
        ("WPA-EAP", "WPA-EAP WPA-EAP-SHA256", "1"),
    ],
)
def test_kinds_of_networks(managed: str, words: str, protected: str) -> None:
    block = _block(WirelessNetwork(b"x", managed, psk=_PSK))
    assert (block["key_mgmt"], block["ieee80211w"]) == (words, protected)
    assert "scan_ssid" not in block
    assert _block(WirelessNetwork(b"x", managed, psk=_PSK, hidden=True))["scan_ssid"] == "1"


@pytest.mark.parametrize(
    ("managed", "words", "looks"),
    [
        ("NONE", "NONE", '"simple:30:-70:86400"'),
        ("WPA-PSK", "WPA-PSK WPA-PSK-SHA256 FT-PSK", '"simple:30:-70:86400"'),
        ("WPA-PSK SAE", "WPA-PSK WPA-PSK-SHA256 FT-PSK SAE FT-SAE", '"simple:30:-70:86400"'),
        ("SAE", "SAE FT-SAE", '"simple:30:-70:86400"'),
        ("WPA-EAP", "WPA-EAP WPA-EAP-SHA256 FT-EAP", '"simple:30:-65:300"'),
    ],
)
def test_a_nearer_access_point_is_looked_for_as_by_networkmanager(
    managed: str, words: str, looks: str
) -> None:
    one = WirelessNetwork(b"x", managed, psk=_PSK, roams=True, fast=True)
    block = _block(one)
    assert (block["key_mgmt"], block["bgscan"]) == (words, looks)
    assert "bgscan" not in _block(replace(one, bssid="02:00:00:00:01:00"))
    slow = _block(replace(one, fast=False))
    assert "FT-" not in slow["key_mgmt"]
    assert slow["bgscan"] == looks


@pytest.mark.parametrize("managed", ["NONE", "WPA-PSK", "SAE", "WPA-PSK SAE"])
def test_wpa3_is_spoken_in_either_of_its_ways(managed: str) -> None:
    plain = WirelessNetwork(b"x", "WPA-PSK", psk=_PSK)
    text = supplicant.config([plain, WirelessNetwork(b"y", managed, psk=_PSK)])
    assert ("\nsae_pwe=2\n" in text.partition("network={")[0]) == ("SAE" in managed)


def test_an_open_network() -> None:
    assert _block(WirelessNetwork(b"\n}", "NONE")) == {"ssid": "0a7d", "key_mgmt": "NONE"}


def test_protection_that_is_asked_for() -> None:
    never = _block(WirelessNetwork(b"x", "WPA-PSK", psk=_PSK, pmf="0"))
    always = _block(WirelessNetwork(b"x", "WPA-PSK SAE", psk=_PSK, pmf="2"))
    assert (never["key_mgmt"], never["ieee80211w"]) == ("WPA-PSK", "0")
    assert (always["key_mgmt"], always["ieee80211w"]) == ("WPA-PSK-SHA256 SAE", "2")


def test_a_passphrase_that_cannot_stand_in_quotes_is_its_key() -> None:
    odd = 'a"b#c\nd}efgh'
    block = _block(WirelessNetwork(b"IEEE", "WPA-PSK SAE", psk=odd))
    assert block["psk"] == hashlib.pbkdf2_hmac("sha1", odd.encode(), b"IEEE", 4096, 32).hex()
    assert bytes.fromhex(block["sae_password"]).decode() == odd
    # IEEE 802.11-2020, J.4.2
    key = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert hashlib.pbkdf2_hmac("sha1", b"password", b"IEEE", 4096, 32).hex() == key


@pytest.mark.parametrize(
    "wrong",
    [
        WirelessNetwork(b"", "NONE"),
        WirelessNetwork(b"x" * 33, "NONE"),
        WirelessNetwork(b"x", "WEP"),
        WirelessNetwork(b"x", "WPA-PSK", psk="Xyzzy17"),
        WirelessNetwork(b"x", "WPA-PSK", psk="Xyzzy17" * 10),
        WirelessNetwork(b"x", "SAE"),
        WirelessNetwork(b"x", "NONE", bssid="}"),
        WirelessNetwork(b"x", "NONE", radio=(("freq_list", "2412\n}"),)),
        WirelessNetwork(b"x", "NONE", radio=(("psk", "Xyzzy17"),)),
        WirelessNetwork(b"x", "WPA-EAP", eap=(("eap", "PEAP\n}"),)),
        WirelessNetwork(b"x", "WPA-EAP", eap=(("bssid", "Xyzzy17"),)),
        WirelessNetwork(b"x", "WPA-EAP", eap=(("password", "Xyzzy17\0"),)),
        WirelessNetwork(b"x", "NONE", block=(("psk", "Xyzzy17\n}"),)),
    ],
)
def test_what_it_cannot_be_told_is_refused_without_a_secret(wrong: WirelessNetwork) -> None:
    with pytest.raises(Misuse) as refused:
        supplicant.config([wrong])
    assert "Xyzzy17" not in str(refused.value) + repr(wrong).replace("'Xyzzy17'),)", "")
    assert refused.value.hint


def test_a_refusal_names_the_file_and_the_network() -> None:
    networks = (WirelessNetwork(b"fine", "NONE"), WirelessNetwork(b"Home", "WPA-PSK", psk="short"))
    with pytest.raises(Misuse, match=r"^/a\.nmconnection: Wi-Fi network 'Home': a passphrase of"):
        supplicant.of(Profile("NetworkManager", "/a.nmconnection", "", (), wireless=networks))


def test_the_head_of_the_file() -> None:
    text = supplicant.config([], "GB", group="netdev")
    assert supplicant.is_ours(text)
    assert "\ncountry=GB\n" in text
    assert "ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev\n" in text
    assert supplicant.path("wlan0") == "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
    for country, group in (("gb", ""), ("G\n", ""), ("", "net dev")):
        with pytest.raises(Misuse):
            supplicant.config([], country, group=group)
