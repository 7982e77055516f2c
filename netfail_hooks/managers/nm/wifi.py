"""What a keyfile says of a Wi-Fi network, in the words of wpa_supplicant.conf(5).

As NetworkManager itself tells wpa_supplicant (nm-supplicant-config.c). Refused is what joins no
network by itself: another mode, WEP, a secret that is not in the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.managers.nm.ip import Setting

WIFI, SECURITY, EAP = "802-11-wireless", "802-11-wireless-security", "802-1x"

_MODES = ("", "infrastructure")
_BY_ASKING = 3  # NM_SETTING_SECRET_FLAG_AGENT_OWNED, NOT_SAVED
_CHANNELS = {"a": 5000, "bg": 2407}
_CHANNEL_14 = 2484
# MHz of the bands where NetworkManager looks for a network that is in one of them
# (``wifi_freqs_to_string()``); others of the band than these hardly anybody has.
_BANDS = {
    "bg": (*range(2412, 2473, 5), _CHANNEL_14),
    "a": (
        *range(5180, 5321, 20),
        *range(5500, 5721, 20),
        *range(5745, 5886, 20),
    ),
}
_PMF = {"0": "", "1": "0", "2": "", "3": "2", "disable": "0", "required": "2"}
_WORD = re.compile("[a-z0-9-]+")
_HEX_KEY = re.compile("[0-9A-Fa-f]{64}")
_CA_PATH = "/etc/ssl/certs"  # where Debian's, Ubuntu's and Arch's system-ca-certs=true looks
# A setting of [802-1x] that is a text, and wpa_supplicant's word for it.
_TEXTS = {
    "identity": "identity",
    "anonymous-identity": "anonymous_identity",
    "password": "password",
    "pin": "pin",
    "private-key-password": "private_key_passwd",
    "phase2-private-key-password": "private_key2_passwd",
    "ca-path": "ca_path",
    "phase2-ca-path": "ca_path2",
    "subject-match": "subject_match",
    "phase2-subject-match": "subject_match2",
    "domain-suffix-match": "domain_suffix_match",
    "phase2-domain-suffix-match": "domain_suffix_match2",
    "domain-match": "domain_match",
    "phase2-domain-match": "domain_match2",
    "pac-file": "pac_file",
    "openssl-ciphers": "openssl_ciphers",
}
_FILES = {
    "ca-cert": "ca_cert",
    "phase2-ca-cert": "ca_cert2",
    "client-cert": "client_cert",
    "phase2-client-cert": "client_cert2",
    "private-key": "private_key",
    "phase2-private-key": "private_key2",
}
_PHASE1 = {
    "phase1-peapver": "peapver",
    "phase1-peaplabel": "peaplabel",
    "phase1-fast-provisioning": "fast_provisioning",
}
_PKCS12 = (".p12", ".pfx")
# What a path that does not begin with / ends in (nm_keyfile_detect_unqualified_path_scheme()).
_ENDINGS = (".pem", ".cert", ".crt", ".cer", ".p12", ".der", ".key")
# NM_SETTING_WIRELESS_POWERSAVE_*; 1, "ignore", is nobody's business, as is none.
_SAVES = {"2": "off", "disable": "off", "3": "on", "enable": "on"}
# Whose firmware changes over by itself, or not at all: their drivers know nothing of 802.11r, and
# wpa_supplicant before 2.10 would try all the same. NetworkManager asks it what they can.
_NEVER_FAST = re.compile(
    "|brcmfmac.*|mwifiex.*|ath6kl.*|wilc.*|wil6210|qtnfmac.*|wl|(rtl)?8[0-9x]{3}[a-f]u"
)


def power_save(setting: Setting) -> str:
    """Return what Wi-Fi's power saving is to be: "on", "off", "" for what the driver has."""
    return _SAVES.get(setting(WIFI, "powersave"), "")


def name(file: KeyFile) -> bytes:
    """Return the name (SSID) of the network that a keyfile is for. Raises Misuse."""
    mode = file.text(WIFI, "mode")
    if mode not in _MODES:
        raise Misuse(
            f"wifi.mode={printable(mode)} joins no access point",
            hint="name another NIC as the uplink",
        )
    ssid = file.data(WIFI, "ssid")
    if not 0 < len(ssid) <= 32:  # IEEE 802.11-2020, 9.4.2.2
        raise Misuse("wifi.ssid: none, or a longer one than there can be", hint="mend the profile")
    return ssid


def network(path: str, file: KeyFile, setting: Setting, driver: str = "") -> WirelessNetwork:
    """Return the network that a keyfile at ``path`` is for, joined by a NIC. Raises Misuse."""
    ssid = name(file)
    managed, psk, eap = _secured(path, file, setting)
    return WirelessNetwork(
        ssid=ssid,
        key_mgmt=managed,
        psk=psk,
        hidden=file.flag(WIFI, "hidden"),
        priority=file.number("connection", "autoconnect-priority"),
        bssid=file.text(WIFI, "bssid").strip().lower(),
        eap=eap,
        pmf=_PMF.get(setting("wifi-sec", "pmf"), "") if managed != "NONE" else "",
        radio=tuple(_radio(file)),
        roams=True,
        fast=not _NEVER_FAST.fullmatch(driver),
    )


Secured = tuple[str, str, tuple[tuple[str, str], ...]]


def _secured(path: str, file: KeyFile, setting: Setting) -> Secured:
    """Return key_mgmt, passphrase or key, and what EAP needs. Raises Misuse."""
    if not file.has(SECURITY):
        return "NONE", "", ()
    managed = file.text(SECURITY, "key-mgmt")
    if managed == "owe":
        return "OWE", "", ()
    if managed in ("wpa-psk", "sae"):
        psk = _secret(file, SECURITY, "psk", "")
        if managed == "sae":
            return "SAE", psk, ()
        # "wpa-psk" is WPA3 as well, where the access point has it; but a key is no passphrase.
        with_sae = not _HEX_KEY.fullmatch(psk) and _PMF.get(setting("wifi-sec", "pmf"), "") != "0"
        return "WPA-PSK SAE" if with_sae else "WPA-PSK", psk, ()
    if managed == "wpa-eap":
        return "WPA-EAP", "", tuple(_eap(path, file))
    if managed == "none" and not _is_wep(file):
        return "NONE", "", ()  # WEP without any key is no encryption
    label = printable(file.data(WIFI, "ssid").decode("utf-8", "replace"))
    what = "WEP or LEAP, which" if managed in ("none", "ieee8021x") else "which"
    raise Misuse(
        f"network '{label}': wifi-security.key-mgmt={printable(managed)}: {what} wpa_supplicant "
        "need not know",
        hint="set the access point up for WPA2 or WPA3, then sudo nmcli connection modify NAME "
        "wifi-security.key-mgmt wpa-psk wifi-security.psk SECRET",
    )


def _is_wep(file: KeyFile) -> bool:
    """Tell whether there is a key of WEP, or somebody is to be asked for one."""
    keys = any(file.text(SECURITY, f"wep-key{number}") for number in range(4))
    asked = file.number(SECURITY, "wep-key-flags") & _BY_ASKING
    return keys or bool(asked) or file.text(SECURITY, "auth-alg") == "shared"


def _radio(file: KeyFile) -> Iterator[tuple[str, str]]:
    """Yield where to look for it, and which ciphers it may have."""
    band, channel = file.text(WIFI, "band"), file.number(WIFI, "channel")
    if band in _BANDS and channel:
        far = band == "bg" and channel == 14
        yield "freq_list", str(_CHANNEL_14 if far else _CHANNELS[band] + 5 * channel)
    elif band in _BANDS:
        yield "freq_list", " ".join(map(str, _BANDS[band]))
    for key in ("proto", "pairwise", "group"):
        words = [word for word in file.items(SECURITY, key) if _WORD.fullmatch(word)]
        if words:
            yield key, " ".join(words).upper()
    if _WORD.fullmatch(file.text(SECURITY, "auth-alg")):
        yield "auth_alg", file.text(SECURITY, "auth-alg").upper()


def _secret(file: KeyFile, group: str, key: str, default: str | None) -> str:
    """Return a secret. Raises Misuse, without it, where somebody has to be asked for it."""
    found = file.text(group, key)
    asked = file.number(group, f"{key}-flags") & _BY_ASKING
    if found and not asked:
        return found
    short = {SECURITY: "wifi-security"}.get(group, group)
    if asked:
        raise Misuse(
            f"{short}.{key}: a key that only the user's keyring holds, or that is asked for",
            hint=f"have it saved for all users: sudo nmcli connection modify NAME "
            f"{short}.{key}-flags 0 {short}.{key} SECRET",
        )
    if default is None:
        return ""
    raise Misuse(
        f"{short}.{key}: no key is saved",
        hint=f"sudo nmcli connection modify NAME {short}.{key} SECRET",
    )


def _eap(path: str, file: KeyFile) -> Iterator[tuple[str, str]]:
    """Yield what WPA-EAP needs, in wpa_supplicant's words."""
    methods = [word for word in file.items(EAP, "eap") if _WORD.fullmatch(word)]
    if not methods:
        raise Misuse("802-1x.eap: no method is given", hint="mend the profile")
    yield "eap", " ".join(methods).upper()
    for key, word in _TEXTS.items():
        secret = "password" in key or key == "pin"
        found = _secret(file, EAP, key, None) if secret else file.text(EAP, key)
        if found:
            yield word, found
    if file.group(EAP).get("password-raw") and not file.text(EAP, "password"):
        _secret(file, EAP, "password-raw", None)
        yield "password", file.data(EAP, "password-raw").decode(errors="surrogateescape")
    pkcs12 = {"client-cert": "private-key", "phase2-client-cert": "phase2-private-key"}
    for key, word in _FILES.items():
        found = _certificate(path, file, key)
        # In PKCS #12 the certificate is where the key is (wpa_supplicant.conf(5)).
        bundled = key in pkcs12 and _certificate(path, file, pkcs12[key]).endswith(_PKCS12)
        if found and not bundled:
            yield word, found
    if file.flag(EAP, "system-ca-certs"):
        yield from (("ca_path", _CA_PATH), ("ca_path2", _CA_PATH))
    for key, word in (
        ("altsubject-matches", "altsubject_match"),
        ("phase2-altsubject-matches", "altsubject_match2"),
    ):
        matches = file.items(EAP, key)
        if matches:
            yield word, ";".join(matches)
    yield from _phases(file)


def _phases(file: KeyFile) -> Iterator[tuple[str, str]]:
    outer = [
        f"{word}={file.text(EAP, key)}" for key, word in _PHASE1.items() if file.text(EAP, key)
    ]
    if outer:
        yield "phase1", " ".join(outer)
    inner = [
        f"{word}={file.text(EAP, key).upper()}"
        for key, word in (("phase2-auth", "auth"), ("phase2-autheap", "autheap"))
        if file.text(EAP, key)
    ]
    if inner:
        yield "phase2", " ".join(inner)


def _certificate(path: str, file: KeyFile, key: str) -> str:
    """Return the path of a certificate or key, "" for none (``cert_parser()`` in nm-keyfile.c)."""
    found = os.fsdecode(file.data(EAP, key)).removesuffix("\0")
    scheme = found.partition(":")[0]
    if found.startswith(("data:", "pkcs11:")) or not _is_path(found):
        what = f"{scheme}:" if found.startswith(("data:", "pkcs11:")) else "its bytes"
        raise Misuse(
            f"802-1x.{key}: {what} is in the profile or on a card, not a file",
            hint=f"put it into a file, then sudo nmcli connection modify NAME 802-1x.{key} /PATH",
        )
    found = found.removeprefix("file://")
    if found and not found.startswith("/"):
        return os.path.join(os.path.dirname(path), found)
    return found


def _is_path(found: str) -> bool:
    """Tell whether a certificate is somewhere, rather than here itself, as bytes."""
    if not found or found.startswith("file://"):
        return True
    if not found.isprintable() or len(found) > 500:
        return False
    return found.startswith("/") or found.endswith(_ENDINGS)
