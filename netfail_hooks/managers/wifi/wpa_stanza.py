"""The network that a stanza's wpa- options make, as wpasupplicant's functions.sh tells it.

That script tells wpa_supplicant one option at a time, and heeds no answer; a file with a line that
wpa_supplicant can't read is read not at all. So what it could not read is refused here by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from netfail_hooks.errors import Misuse
from netfail_hooks.files import read_text
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.interfaces import Stanza
from netfail_hooks.managers.wifi import supplicant_file as supplicant
from netfail_hooks.paths import Paths

# Read by others than conf_wpa_supplicant(), or told beside a network, or without saying in a file.
_BESIDE = re.compile(
    "conf|roam|roam-default-iface|driver|debug-level|logfile|verbosity|maint-debug|bridge|iface"
    "|preauthenticate|eap-methods|eapol-flags|peerkey"
)
_KEY_FILES = ("psk-file", "passphrase-file")
# What it sets as it stands, and what wpa_supplicant reads there (config.c); all else is in quotes.
_NUMBERS = r"\d{1,5}( +\d{1,5})*"
_CIPHERS = "(CCMP|TKIP|GCMP|CCMP-256|GCMP-256|NONE)"
_MANAGED = "(NONE|OWE|SAE|FT-SAE|(WPA|FT)-(PSK|EAP)|WPA-(PSK|EAP)-SHA256|IEEE8021X)"
_METHODS = "(MD5|TLS|MSCHAPV2|PEAP|TTLS|GTC|OTP|PWD|LEAP|FAST|SIM|AKA|AKA'|PAX|SAKE|GPSK|IKEV2)"
_BARE = {
    "priority": r"-?\d{1,9}",
    "bssid": r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}",
    "key-mgmt": f"{_MANAGED}( +{_MANAGED})*",
    "scan-ssid": "[01]",
    "eap": f"{_METHODS}( +{_METHODS})*",
    "proto": "(WPA|RSN|WPA2)( +(WPA|RSN|WPA2))*",
    "pairwise": f"{_CIPHERS}( +{_CIPHERS})*",
    "group": f"{_CIPHERS}( +{_CIPHERS})*",
    "mode": "[0-5]",
    "auth-alg": "(OPEN|SHARED|LEAP)( +(OPEN|SHARED|LEAP))*",
    "ieee80211w": "[012]",
    "disabled": "[012]",
    "frequency": r"\d{1,5}",
    "scan-freq": _NUMBERS,
    "freq-list": _NUMBERS,
    "fragment-size": r"\d{1,4}",
    "proactive-key-caching": "[01]",
}
_QUOTED = re.compile(
    "ssid|psk|sae-password|identity|anonymous-identity|password|(ca-cert|ca-path|client-cert"
    "|private-key|subject-match|altsubject-match|domain-match|domain-suffix-match)2?"
    "|private-key2?-passwd|phase[12]|pac-file|id-str"
)
# Refused where the network is made: WEP, a card that has the key.
_REFUSED = re.compile("wep-.*|eappsk|nai|pcsc|pin|engine2?|engine-id|key-id")


def network(
    paths: Paths, one: Stanza, said: Mapping[str, str]
) -> tuple[WirelessNetwork | None, list[str]]:
    """Return the network of the options ``said``, without their "wpa-", and those left out.

    Raises Misuse, which names the option, and never what it says.
    """
    pairs, left = [], []
    for key, text in _said(paths, one, said).items():
        if not text or _BESIDE.fullmatch(key) or (key, text) == ("ap-scan", "1"):
            continue
        plain = text[1:-1] if text[:1] == text[-1:] == '"' and len(text) > 1 else text
        bare = _BARE.get(key)
        if "\n" in plain:
            raise _bad(one, key, "stands there twice")
        if bare and not re.fullmatch(bare, plain, re.ASCII):
            raise _bad(one, key, "is nothing that wpa_supplicant could read there")
        if key == "ssid" and len(plain.encode("utf-8", "surrogateescape")) > 32:
            raise _bad(one, key, "has more than the 32 bytes that there can be")
        raw = key == "psk" and bool(re.fullmatch("[0-9A-Fa-f]{64}", plain))
        if key == "psk" and not (raw or 8 <= len(plain.encode("utf-8", "surrogateescape")) <= 63):
            raise _bad(one, key, "has 8 to 63 characters, or is a key of 64 hex digits")
        if not (bare or _QUOTED.fullmatch(key) or _REFUSED.fullmatch(key)):
            left.append(key)
            continue
        pairs.append((key.replace("-", "_"), plain if bare or raw else f'"{plain}"'))
    return supplicant.network(f"{one.path}: iface {one.name}", pairs), left


def _said(paths: Paths, one: Stanza, said: Mapping[str, str]) -> dict[str, str]:
    """Return the options with one word each for the name and the key, wherever that is."""
    own = dict(said)
    own["ssid"] = own.pop("essid", "") or own.get("ssid", "")
    for key in _KEY_FILES:
        path = own.pop(key, "")
        if path:
            own["psk"] = read_text(paths.through(path)).rstrip("\n")
            if not own["psk"]:
                raise _bad(one, key, f"{path} can't be read, or is empty")
    own["psk"] = own.pop("passphrase", "") or own.get("psk", "")
    return own


def _bad(one: Stanza, key: str, why: str) -> Misuse:
    return Misuse(
        f"{one.path}: iface {one.name}: wpa-{key} {why}",
        hint="mend it, or take it out (/usr/share/doc/wpasupplicant/README.Debian.gz)",
    )
