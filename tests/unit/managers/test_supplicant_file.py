"""A wpa_supplicant.conf that somebody else has written, as wpa_supplicant reads it."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.managers.wifi.supplicant_file import parse, unquoted
from tests.support.supplicant import read_by_the_real_one

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
        b"Home # 1",
        "WPA-PSK WPA-EAP",
        block=(
            ("ssid", '"Home # 1"'),
            ("psk", '"pass # phrase"'),
            ("scan_ssid", "1"),
            ("priority", "5"),
            ("id_str", '"home"'),
        ),
    )
    assert (cafe.ssid, cafe.key_mgmt) == ("Café".encode(), "NONE")
    assert (tab.ssid, tab.key_mgmt) == (b"Tab\there", "WPA-PSK SAE")
    assert ("odd_setting", "1") in tab.block
    assert ("phase2", '"auth=MSCHAPV2"') in work.block
    assert (found.country, found.group, found.lines) == ("GB", "netdev", ())
    assert found.messages == (
        "/a.conf: network 'Off' is disabled there, so it is left out",
        (
            "/a.conf: write new networks into it, then install again: what wpa_cli saves "
            "(update_config=1) would go to a file of ours"
        ),
    )
    assert "secret" not in repr(found)
    assert "phrase" not in repr(found)


_PARTS = (
    "openssl_ciphers=DEFAULT@SECLEVEL=0",
    "pmf=2",
    "mac_addr=1",
    "freq_list=5180 5200",
    "sae_pwe=2",
    "sae_groups=19 20",
    "ap_scan=1",
    "fast_reauth=1",
    'bgscan="simple:30:-45:300"',
    'cred={\n\tusername="joe"\n\tpassword="open"\n\trealm="example.com"\n}',
    "blob-base64-corp={\n\tQUJDREVG\n\tR0hJ\n}",
)
_SETTINGS = (
    "scan_ssid=1",
    "priority=7",
    'sae_password_id="guest"',
    'bgscan="simple:30:-70:86400"',
    "mac_addr=1",
    "bssid_ignore=02:00:00:00:00:01",
    "bssid_blacklist=02:00:00:00:00:01/ff:ff:ff:ff:ff:00",
    "fragment_size=1300",
    "ocsp=1",
    "key_mgmt=WPA-PSK WPA-PSK-SHA256 FT-PSK SAE FT-SAE",
    "key_mgmt=WPA-EAP FT-EAP",
    "ieee80211w=2",
    "eap=PEAP TTLS",
    "identity=6a6f65",
    'identity="joe # at home"',
    "password=hash:bd5844bb04ba1a4cff3ba1a97b3f1d7c",
    "password=6f70656e",
    'password="hash:BD5844BB04BA1A4CFF3BA1A97B3F1D7C"',
    'anonymous_identity=P"a\\x09b"',
    'ca_cert="blob://corp"',
    "private_key_passwd=736563726574",
    'altsubject_match="DNS:a.example;DNS:b.example"',
    'phase2="auth=MSCHAPV2"',
)


@given(
    st.lists(st.sampled_from(_PARTS), unique=True, max_size=6),
    st.lists(st.lists(st.sampled_from(_SETTINGS), unique=True, max_size=7), min_size=1, max_size=3),
    st.sampled_from(["", " ", "\t", "  # a comment", "\r"]),
)
@settings(max_examples=15, deadline=None)
def test_the_real_one_has_of_ours_what_it_has_of_theirs(
    parts: list[str], blocks: list[list[str]], end: str
) -> None:
    """Of each kind that joining depends on: hashes, digits, blobs, and what is about all."""
    networks = [
        "\n".join(
            ["network={", f' ssid="net{number}"', f' psk="key number {number}"']
            + [f" {line}{end}" for line in block]
            + ["}"]
        )
        for number, block in enumerate(blocks)
    ]
    half = len(parts) // 2
    text = "\n".join([*parts[:half], *networks, *parts[half:], ""])
    found = parse("/a.conf", text)
    ours = supplicant.config(found.networks, found.country, lines=found.lines)
    assert parse("/b.conf", ours).networks == found.networks
    assert _held(ours) == _held(text)
    for line in "\n".join(parts).split("\n"):
        assert line.strip() in [one.strip() for one in ours.split("\n")]


def _held(text: str) -> list[str]:
    """Return what the real one has read, as it saves it (wpa_cli(8), save_config)."""
    kept = [line for line in text.split("\n") if not line.startswith(("ctrl_", "update_"))]
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as place,
        read_by_the_real_one(
            Path(place), "\n".join(["ctrl_interface=/run/wpa_supplicant", "update_config=1", *kept])
        ) as ask,
    ):
        assert ask("SAVE_CONFIG") == "OK\n"
        saved = (Path(place) / "wpa.conf").read_text()
    lines = [line.strip() for line in saved.split("\n")]
    return [line for line in lines if line and not line.startswith("ctrl_interface=")]


@pytest.mark.parametrize(
    ("block", "why", "hint"),
    [
        ('ssid="Home"\nkey_mgmt=NONE\nwep_key0="12345"', "network 'Home': WEP", "take it out"),
        ('ssid="Home"\nmode=1', "network 'Home': ad hoc", "take it out"),
        ("key_mgmt=NONE", "without an ssid", "ssid="),
        ('ssid="Home"\npsk=ext:home', "network 'Home': its key is somewhere else", "write the key"),
        ('ssid="Home"', "network 'Home': neither a key nor key_mgmt", "key_mgmt=NONE"),
        ('ssid="Home"\nengine=1\npin="12345"', "network 'Home': engine", "take that"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name_without_its_key(
    block: str, why: str, hint: str
) -> None:
    with pytest.raises(Misuse, match=why) as told:
        parse("/a.conf", f"network={{\n{block}\n}}\n")
    assert str(told.value).startswith("/a.conf: ")
    assert hint in told.value.hint
    assert "12345" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        'network={ ssid="a"\n key_mgmt=NONE\n}\n',
        'network = {\n ssid="a"\n key_mgmt=NONE\n}\n',
        'network={\n ssid = "a"\n key_mgmt=NONE\n}\n',
        'network={\n ssid="a"\n key_mgmt=NONE\n',
        'network={\n ssid="a\n key_mgmt=NONE\n}\n',
        "country = GB\n",
        "}\n",
        "odd\n",
    ],
)
def test_what_the_real_one_cannot_read_is_refused_by_its_line(text: str) -> None:
    with pytest.raises(Misuse, match=r"/a.conf:\d+: ") as told:
        parse("/a.conf", text)
    assert told.value.hint
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as place,
        pytest.raises(AssertionError, match="Line "),
        read_by_the_real_one(Path(place), f"ctrl_interface=/run/wpa_supplicant\n{text}"),
    ):
        pass


@pytest.mark.parametrize(
    ("said", "group", "told"),
    [
        ("ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev", "netdev", False),
        ("ctrl_interface=DIR=/run/wpa_supplicant", "", False),
        ("ctrl_interface=/var/run/wpa_supplicant\nctrl_interface_group=0", "0", False),
        ("ctrl_interface=/tmp/mine", "", True),
        ("ctrl_interface=DIR=/tmp/mine GROUP=wheel", "wheel", True),
        ("ctrl_interface=udp", "", True),
    ],
)
def test_who_may_use_wpa_cli_still_may(said: str, group: str, told: bool) -> None:  # noqa: FBT001
    found = parse("/a.conf", f'{said}\nnetwork={{\n ssid="a"\n key_mgmt=NONE\n}}\n')
    assert (found.group, found.lines) == (group, ())
    assert any("ctrl_interface" in one for one in found.messages) == told
    text = supplicant.config(found.networks, group=found.group)
    assert (f" GROUP={group}\n" in text) == bool(group)
    assert "/run/wpa_supplicant" in text


def test_keys_in_another_place_stay_there() -> None:
    text = 'ext_password_backend=file:/etc/keys\nnetwork={\n ssid="a"\n psk=ext:home\n}\n'
    found = parse("/a.conf", text)
    assert found.lines == ("ext_password_backend=file:/etc/keys",)
    assert ("psk", "ext:home") in found.networks[0].block


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
