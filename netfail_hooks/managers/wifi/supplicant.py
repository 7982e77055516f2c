"""The file by which wpa_supplicant joins an uplink's Wi-Fi networks (wpa_supplicant.conf(5)).

No value can end its line. What we put into words is ASCII: what is not plain stands as hexadecimal
digits, which config.c of wpa_supplicant takes wherever it takes a string. What such a file of the
user's said stands as it did there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile, WirelessNetwork

LISTENS = "/run/wpa_supplicant"  # where one that runs by a file of ours has its socket
_MARK = "# netfail-hooks:"
_TOLD = f"{_MARK} as 'netfail-hooks install' found it; keys are in it, so it is for root alone"
_MANAGED = ("NONE", "WPA-PSK", "SAE", "WPA-PSK SAE", "WPA-EAP", "OWE")
# Hash-to-element, too, which some access points have alone; and the firmware of a Raspberry Pi says
# by itself that it is known, so that others would refuse who then does without (raspberrypi/linux,
# issues 4718, 7528). By default only the older way (wpa_supplicant.conf(5)).
_EITHER_WAY = "sae_pwe=2"
_KEY = re.compile("[0-9A-Fa-f]{64}")
_COUNTRY = re.compile("[A-Z]{2}|00")
_BSSID = re.compile("([0-9a-f]{2}:){5}[0-9a-f]{2}")
# What a string in quotes can hold: no quote, no number sign, which begins a comment.
_PLAIN = re.compile(r"[A-Za-z0-9 !$%&'()*+,./:;<=>?@\[\]^_`{|}~-]*")
# For passphrases, which have no hexadecimal form: IEEE 802.11-2020, J.4.1, has 0x20 to 0x7e.
_PASSPHRASE = re.compile("[ -~]{8,63}")
# By NetworkManager's own measure (nm_supplicant_config_add_bgscan() of 1.42): look for a nearer
# access point where the signal is below -70 dBm, and hardly ever else; where a login, which makes a
# change slow, is asked for, sooner.
_LOOKS = {False: '"simple:30:-70:86400"', True: '"simple:30:-65:300"'}
# Its faster way of changing over (IEEE 802.11r) beside each. wpa_supplicant leaves it out by itself
# where the driver can't (wpa_supplicant_set_suites(), since 2.10).
_FAST = {"WPA-PSK": "FT-PSK", "SAE": "FT-SAE", "WPA-EAP": "FT-EAP"}
# A word or several, or numbers, that stand as they are.
_WORDS = re.compile(r"[A-Za-z0-9+-]+( [A-Za-z0-9+-]+)*")
_RADIO = ("freq_list", "scan_freq", "proto", "pairwise", "group", "auth_alg")
_EAP = re.compile(
    "identity|anonymous_identity|password|pin|phase[12]|pac_file|openssl_ciphers|"
    "(ca_cert|ca_path|client_cert|private_key|subject_match|altsubject_match|domain_match|"
    "domain_suffix_match)2?|private_key2?_passwd"
)


def path(interface: str) -> str:
    """Return where the unit wpa_supplicant@INTERFACE looks for it."""
    return f"/etc/wpa_supplicant/wpa_supplicant-{interface}.conf"


def is_ours(text: str) -> bool:
    """Tell whether we wrote a file."""
    return text.startswith(_MARK)


def of(profile: Profile) -> str:
    """Return the file for how a manager joins an uplink's networks. Raises Misuse."""
    try:
        return config(profile.wireless, profile.country, group=profile.group, lines=profile.joining)
    except Misuse as error:
        where = f"{profile.path}: " if profile.path else ""
        raise Misuse(f"{where}{error}", hint=error.hint) from None


def config(
    networks: Iterable[WirelessNetwork],
    country: str = "",
    *,
    group: str = "",
    lines: Iterable[str] = (),
) -> str:
    """Return the file; it holds secrets, so it is root's alone.

    With ``group`` its members may use wpa_cli, as Debian's netdev; ``lines`` are about all
    networks, as such a file has them. Raises Misuse, without a secret, for what wpa_supplicant
    can't be told.
    """
    networks = tuple(networks)
    head = [_TOLD, "ctrl_interface=" + _control(group), "update_config=0"]
    if any("SAE" in one.key_mgmt and not one.block for one in networks):
        head.append(_EITHER_WAY)
    if country:
        if not _COUNTRY.fullmatch(country):
            raise Misuse("a country has two capital letters", hint="such as GB (ISO 3166-1)")
        head.append(f"country={country}")
    blocks = [line for one in networks for line in ("", "network={", *_lines(one), "}")]
    text = [*head, *lines, *blocks]
    if any("\n" in line for line in text):
        raise Misuse("what is to stand on a line of its own has two", hint="mend the profile")
    return "\n".join([*text, ""])


def _control(group: str) -> str:
    if not group:
        return LISTENS
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]*", group):  # or its number
        raise Misuse(f"{group!a} is no name of a group", hint="such as netdev")
    return f"DIR={LISTENS} GROUP={group}"


def _lines(one: WirelessNetwork) -> list[str]:
    """Return a network block's lines. Raises Misuse, which names the network."""
    try:
        return [f"\t{key}={value}" for key, value in one.block or _network(one)]
    except Misuse as error:
        label = one.ssid.decode("utf-8", "backslashreplace")
        raise Misuse(f"Wi-Fi network {label!r}: {error}", hint=error.hint) from None


def _network(one: WirelessNetwork) -> Iterator[tuple[str, str]]:
    """Yield a network block's assignments."""
    if one.key_mgmt not in _MANAGED:
        raise Misuse(f"key_mgmt={one.key_mgmt!a} is not known", hint=f"it is one of {_MANAGED}")
    if not 0 < len(one.ssid) <= 32:
        raise Misuse("an SSID has 1 to 32 bytes", hint="mend the profile")
    yield "ssid", one.ssid.hex()
    if one.hidden:
        yield "scan_ssid", "1"
    if one.bssid:
        if not _BSSID.fullmatch(one.bssid.lower()):
            raise Misuse("a BSSID is a hardware address", hint="such as 02:00:00:00:01:00")
        yield "bssid", one.bssid.lower()
    if one.priority:
        yield "priority", str(int(one.priority))
    for key, given in one.radio:
        if key not in _RADIO or not _WORDS.fullmatch(given):
            raise Misuse(f"{key!a} can't be set to that", hint=f"it is one of {_RADIO}")
        yield key, given
    if one.roams and not one.bssid:
        yield "bgscan", _LOOKS[one.key_mgmt == "WPA-EAP"]
    yield from _security(one)


def _security(one: WirelessNetwork) -> Iterator[tuple[str, str]]:
    protected = one.pmf if one.pmf in ("0", "1", "2") else _protection(one.key_mgmt)
    yield "key_mgmt", _managed(one.key_mgmt, protected, fast=one.fast)
    if one.key_mgmt != "NONE":
        yield "ieee80211w", protected
    if "PSK" in one.key_mgmt or "SAE" in one.key_mgmt:
        yield from _passphrase(one)
    if one.key_mgmt == "WPA-EAP":
        yield from _eap(one)


def _protection(key_mgmt: str) -> str:
    """Return which management frames are to be protected: WPA3 wants it, all else may have it."""
    return "2" if key_mgmt in ("SAE", "OWE") else "1"


def _managed(key_mgmt: str, protected: str, *, fast: bool) -> str:
    """Return with the newer hash as well, which some access points have alone, and 802.11r."""
    words = []
    for word in key_mgmt.split():
        hashed = word in ("WPA-PSK", "WPA-EAP")
        words += [] if hashed and protected == "2" else [word]
        words += [f"{word}-SHA256"] if hashed and protected != "0" else []
        words += [_FAST[word]] if fast and word in _FAST else []
    return " ".join(words)


def _passphrase(one: WirelessNetwork) -> Iterator[tuple[str, str]]:
    """Yield the key. Raises Misuse, without it."""
    if "PSK" not in one.key_mgmt:
        if not one.psk:
            raise Misuse("a network of WPA3 wants its passphrase", hint="save it")
        yield "sae_password", _string(one.psk)
    elif _KEY.fullmatch(one.psk):
        yield "psk", one.psk.lower()
    elif _PASSPHRASE.fullmatch(one.psk) and not set('"#') & set(one.psk):
        yield "psk", f'"{one.psk}"'
    else:
        data = one.psk.encode(errors="surrogateescape")
        if not 8 <= len(data) <= 63:
            raise Misuse("a passphrase of WPA has 8 to 63 bytes", hint="mend the profile")
        # The key that it stands for (IEEE 802.11-2020, J.4.1), since it can't stand in quotes.
        yield "psk", hashlib.pbkdf2_hmac("sha1", data, one.ssid, 4096, 32).hex()
        if "SAE" in one.key_mgmt:
            yield "sae_password", data.hex()


def _eap(one: WirelessNetwork) -> Iterator[tuple[str, str]]:
    for key, given in one.eap:
        if key == "eap":
            if not _WORDS.fullmatch(given):
                raise Misuse("eap= lists methods", hint="such as PEAP")
            yield key, given
        elif _EAP.fullmatch(key):
            yield key, _string(given)
        else:
            raise Misuse(f"{key!a} is not known of EAP", hint="take it out of the profile")


def _string(text: str) -> str:
    """Return a string in quotes where it is plain, else as hexadecimal digits."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    if "\0" in text:
        raise Misuse("a text has a zero byte in it", hint="mend the profile")
    return text.encode(errors="surrogateescape").hex()
