"""The networks of a wpa_supplicant.conf(5) that somebody else has written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork

_OPEN = "WPA-PSK WPA-EAP"  # what wpa_supplicant takes where key_mgmt is not said
# Ways of the same key: a newer hash, a faster change of access points. Ours offers the hash, too.
_VARIANT = re.compile("FT-|-SHA256$")
_ORDER = ("WPA-PSK", "SAE", "WPA-EAP")  # as WirelessNetwork has them
_ESCAPED = re.compile(rb'\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([\\"enrt]))')
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"e": b"\033"}
# EAP's own (wpa_supplicant.conf: eap_methods, certificates, what is sent in the tunnel).
_EAP = re.compile(
    "eap|identity|anonymous_identity|password|(ca_cert|ca_path|client_cert|private_key"
    "|private_key_passwd|dh_file|subject_match|altsubject_match|domain_match"
    "|domain_suffix_match)2?|phase[12]|pin|pac_file|fragment_size|openssl_ciphers|ocsp"
)
_BARE = ("eap", "fragment_size", "ocsp")  # values without quotes
# What the access point's beacon decides anyway, or tunes how it is looked for.
_RADIO = ("freq_list", "scan_freq", "proto", "pairwise", "group")
# A card or a chip that holds the key, and ways of EAP that want more than is carried over.
_ELSEWHERE = ("engine", "engine2", "engine_id", "key_id", "pcsc", "eappsk", "nai", "pin")
_BESIDE = re.compile(
    "proto|pairwise|group|group_mgmt|ieee80211w|auth_alg|scan_freq|freq_list|bgscan|disabled|id_str"
    "|proactive_key_caching|mode|mac_addr|ap_scan|sae_password_id|beacon_int|dtim_period|wps_.*"
    "|frequency|ssid_allow|bssid_.*"
)


@dataclass(frozen=True, slots=True)
class SupplicantFile:
    """What a file says: the networks that are not disabled, and the country of radio rules."""

    networks: tuple[WirelessNetwork, ...]
    country: str = ""
    messages: tuple[str, ...] = ()


def parse(path: str, text: str) -> SupplicantFile:
    """Return what a file says. Raises Misuse for a network that can't be carried over."""
    networks = []
    messages: list[str] = []
    country = ""
    for name, settings in _blocks(text):
        if name == "network":
            found = network(path, settings)
            networks += [found] if found else []
            messages += [f"{path}: {key} is not carried over" for key in lost(settings)]
        elif name == "country":
            country = settings["country"].strip('"').upper()
    return SupplicantFile(tuple(networks), country, tuple(dict.fromkeys(messages)))


def network(path: str, settings: Mapping[str, str]) -> WirelessNetwork | None:
    """Return a network block's value, None for one that is disabled. Raises Misuse."""
    ssid = unquoted(settings.get("ssid", ""))
    label = ssid.decode("utf-8", "backslashreplace")
    if settings.get("disabled", "0") == "1" or settings.get("mode", "0") == "2":
        return None  # mode 2 is an access point
    wep = any(key.startswith("wep_") for key in settings)
    static = wep or settings.get("mode", "0") not in ("0", "")
    if static or not ssid:
        why = "WEP is" if wep else "ad hoc mode is" if static else "a network without an ssid is"
        raise Misuse(
            f"{path}: {why} not carried over: {label!r}",
            hint="take it out, or have wpa_supplicant join it by a file of your own",
        )
    needed = next((key for key in _ELSEWHERE if key in settings), "")
    if needed:
        raise Misuse(
            f"{path}: {needed} is not carried over, and {label!r} not joined without it",
            hint="take that network out, or have wpa_supplicant join it by a file of your own",
        )
    secret = settings.get("sae_password", "") or settings.get("psk", "")
    if secret.startswith("ext:") or settings.get("password", "").startswith("ext:"):
        raise Misuse(
            f"{path}: the key of {label!r} is somewhere else (ext_password_backend)",
            hint="write it into the file",
        )
    return WirelessNetwork(
        ssid=ssid,
        key_mgmt=_key_mgmt(settings),
        psk=_text(secret),
        hidden=settings.get("scan_ssid", "0") == "1",
        priority=_number(path, settings.get("priority", "") or "0"),
        bssid=settings.get("bssid", ""),
        eap=tuple((key, _said(key, said)) for key, said in settings.items() if _EAP.fullmatch(key)),
        pmf=settings.get("ieee80211w", ""),
        radio=tuple((key, settings[key]) for key in _RADIO if key in settings),
    )


def _number(path: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Misuse(f"{path}: priority={text} is no number", hint="mend that line") from None


def lost(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the settings of a network that nobody here knows."""
    known = ("ssid", "psk", "sae_password", "key_mgmt", "scan_ssid", "priority", "bssid")
    return tuple(
        key
        for key in settings
        if key not in known and not _EAP.fullmatch(key) and not _BESIDE.fullmatch(key)
    )


def _key_mgmt(settings: Mapping[str, str]) -> str:
    said = " ".join(settings.get("key_mgmt", "").split())
    if said:
        words = dict.fromkeys(map(_of_variant, said.split()))
        known = [word for word in _ORDER if word in words]
        return " ".join([*known, *(word for word in words if word not in known)])
    if "sae_password" in settings and "psk" not in settings:
        return "SAE"
    if "psk" in settings:
        return "WPA-PSK"
    return "WPA-EAP" if "eap" in settings else _OPEN


def _of_variant(word: str) -> str:
    plain = _VARIANT.sub("", word)
    return f"WPA-{plain}" if plain in ("PSK", "EAP") else plain


def _said(key: str, text: str) -> str:
    return text if key in _BARE else _text(text)


def _text(text: str) -> str:
    """Return a setting without its quotes; 64 hex digits of a key, or a hash, stay as they are."""
    quoted = text.startswith(('"', 'P"'))
    return unquoted(text).decode("utf-8", "surrogateescape") if quoted else text


def unquoted(text: str) -> bytes:
    r"""Return the octets of "text", P"te\x78t" or hex digits (wpa_config_parse_string())."""
    raw = text.encode("utf-8", "surrogateescape")
    if raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1:
        return raw[1:-1]
    if raw.startswith(b'P"') and raw.endswith(b'"') and len(raw) > 2:
        return _ESCAPED.sub(_octet, raw[2:-1])
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _octet(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].decode())
    if found[2]:
        return bytes([int(found[2], 8) & 0xFF])
    return _LETTERS.get(found[3], found[3])


def _blocks(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each block's name with its settings, and each setting outside of one by itself."""
    inside: dict[str, str] | None = None
    name = ""
    for raw in text.splitlines():
        line = _uncommented(raw).strip()
        key, equals, value = line.partition("=")
        if line == "}":
            if inside is not None:
                yield name, inside
            inside = None
        elif equals and value.strip() == "{" and inside is None:
            name, inside = key.strip(), {}
        elif equals and inside is not None:
            inside[key.strip()] = value.strip()
        elif equals:
            yield key.strip(), {key.strip(): value.strip()}


def _uncommented(line: str) -> str:
    """Return a line without a comment; a # between the first and last quote is none.

    As wpa_config_get_line() has it.
    """
    if line.lstrip().startswith("#"):
        return ""
    first = line.find('"')
    last = line.rfind('"')
    if first != -1 and last > first:
        return line[: last + 1] + line[last + 1 :].partition("#")[0]
    return line.partition("#")[0]
