"""The networks of a wpa_supplicant.conf(5) that somebody else has written.

What stands in it is wpa_supplicant's own, so each line is carried over as it is: what we make of it
is read by the same program. Only who may talk to it, and whether it writes its file, is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork

_DEFAULT = "WPA-PSK WPA-EAP"  # what wpa_supplicant takes where key_mgmt is not said
_ESCAPED = re.compile(rb'\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([\\"enrt]))')
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"e": b"\033"}
_KEYWORD = re.compile("[A-Za-z0-9_]+")
_BLOB = re.compile(r"blob-base64-\S+")
_SPACE = " \t\r"
# A card or a chip that holds the key, and ways of EAP that want more than is carried over.
_ELSEWHERE = ("engine", "engine2", "engine_id", "key_id", "pcsc", "eappsk", "nai", "pin")
_KEYS = ("psk", "sae_password", "mem_only_psk", "eap", "dpp_connector", "pmk_r1_push")
_SOCKETS = ("/run/wpa_supplicant", "/var/run/wpa_supplicant")
_OURS = ("ctrl_interface", "ctrl_interface_group", "update_config", "country")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SupplicantFile:
    """What a file says: the networks that are joined, and what is about all of them.

    ``lines`` stand as they do there, with logins (cred) and blobs; ``group`` may use wpa_cli.
    """

    networks: tuple[WirelessNetwork, ...]
    country: str = ""
    messages: tuple[str, ...] = ()
    lines: tuple[str, ...] = field(default=(), repr=False)
    group: str = ""


def parse(path: str, text: str) -> SupplicantFile:
    """Return what a file says. Raises Misuse for a network that can't be carried over."""
    parts = list(_parts(path, text))
    settings = {key: value for name, lines in parts if not name for key, value in _paired(lines)}
    networks, messages = [], []
    for name, lines in parts:
        if name == "network":
            pairs = list(_paired(lines))
            found = network(path, pairs, elsewhere="ext_password_backend" in settings)
            networks += [found] if found else []
            messages += [] if found else [_left_out(path, dict(pairs))]
    group, told = _control(path, settings)
    return SupplicantFile(
        tuple(networks),
        _country(path, settings.get("country", "")),
        tuple(dict.fromkeys([*messages, *told])),
        tuple(_others(parts)),
        group,
    )


def network(path: str, pairs: Pairs, *, elsewhere: bool = False) -> WirelessNetwork | None:
    """Return a network block's value, None for one that is not joined. Raises Misuse.

    ``elsewhere``: keys may be in another place, which the file names (ext_password_backend).
    """
    settings = dict(pairs)
    ssid = unquoted(settings.get("ssid", ""))
    label = _label(settings)
    if _is_left(settings):
        return None
    wep = any(key.startswith("wep_") for key in settings)
    if wep or settings.get("mode", "0") not in ("0", ""):
        why = "WEP is" if wep else "ad hoc or mesh mode is"
        raise Misuse(
            f"{path}: network {label}: {why} not carried over",
            hint="take it out, or have wpa_supplicant join it by a file of your own",
        )
    if not ssid:
        raise Misuse(
            f"{path}: a network without an ssid, which joins any, is not carried over",
            hint="name the network with ssid=, or take that block out",
        )
    needed = next((key for key in _ELSEWHERE if key in settings), "")
    if needed:
        raise Misuse(
            f"{path}: network {label}: {needed} is not carried over, and it is not joined without",
            hint="take that network out, or have wpa_supplicant join it by a file of your own",
        )
    secrets = [settings.get(key, "").startswith("ext:") for key in ("psk", "password")]
    secrets.append(settings.get("sae_password", "").strip('"').startswith("ext:"))
    if any(secrets) and not elsewhere:
        raise Misuse(
            f"{path}: network {label}: its key is somewhere else, and no ext_password_backend is "
            "named",
            hint="write the key into the file",
        )
    managed = " ".join(settings.get("key_mgmt", "").split())
    if not managed and not any(key in settings for key in _KEYS):
        raise Misuse(
            f"{path}: network {label}: neither a key nor key_mgmt, so that it joins nothing",
            hint="for an open network add key_mgmt=NONE, else psk=, or take that block out",
        )
    return WirelessNetwork(ssid=ssid, key_mgmt=managed or _DEFAULT, block=tuple(pairs))


def _is_left(settings: Mapping[str, str]) -> bool:
    """Tell whether a network is disabled, or what others join (mode 2 is an access point)."""
    return settings.get("disabled", "0") != "0" or settings.get("mode", "0") == "2"


def _left_out(path: str, settings: Mapping[str, str]) -> str:
    why = "an access point" if settings.get("mode", "0") == "2" else "disabled there"
    return f"{path}: network {_label(settings)} is {why}, so it is left out"


def _label(settings: Mapping[str, str]) -> str:
    return repr(unquoted(settings.get("ssid", "")).decode("utf-8", "backslashreplace"))


def _control(path: str, settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the group that may use wpa_cli, and what is otherwise from now on."""
    told = []
    said = settings.get("ctrl_interface", "")
    found = re.fullmatch(r"DIR=(\S+)(?:[ \t]+GROUP=(\S+))?|(/\S*)", said)
    directory, group = (found[1] or found[3], found[2] or "") if found else (said, "")
    if directory and directory not in _SOCKETS:
        told.append(f"{path}: ctrl_interface is /run/wpa_supplicant from now on")
    if settings.get("update_config", "0") != "0":
        told.append(
            f"{path}: write new networks into it, then install again: what wpa_cli saves "
            "(update_config=1) would go to a file of ours"
        )
    return group or settings.get("ctrl_interface_group", ""), told


def _country(path: str, said: str) -> str:
    country = said.strip('"').upper()[:2]
    if country and not re.fullmatch("[A-Z]{2}|00", country):
        raise Misuse(
            f"{path}: country={country!a}: a country has two capital letters",
            hint="such as GB (ISO 3166-1)",
        )
    return country


def _others(parts: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    """Yield the lines that are about all networks, but for those that are ours to say."""
    for name, lines in parts:
        if not name:
            yield from (line for line in lines if line.partition("=")[0] not in _OURS)
        elif name != "network":
            yield from (f"{name}={{", *(f"\t{line}" for line in lines), "}")


def _paired(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, _, value = line.partition("=")
        yield key, value


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


def _parts(path: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each block's name with its lines, and each line outside of one under "".

    Raises Misuse, without the line, for one of which wpa_supplicant would take the file not at all.
    """
    name, inside = "", list[str]()
    for number, raw in enumerate(text.split("\n"), 1):
        line = _uncommented(raw).strip(_SPACE)
        opened = line.removesuffix("={") if line.endswith("={") else ""
        key = line.partition("=")[0]
        if not line:
            continue
        if name and line == "}":
            yield name, inside
            name, inside = "", []
        elif name:
            if not (_BLOB.fullmatch(name) or _is_setting(line)):
                raise _unreadable(path, number)
            inside.append(line)
        elif opened in ("network", "cred") or _BLOB.fullmatch(opened):
            name = opened
        elif _KEYWORD.fullmatch(key) and "=" in line and key not in ("network", "cred"):
            yield "", [line]
        else:
            raise _unreadable(path, number)
    if name:
        raise _unreadable(path, number)


def _is_setting(line: str) -> bool:
    key, equals, value = line.partition("=")
    quotes = value.count('"') != 1 or not value.startswith('"')
    return bool(equals and quotes and _KEYWORD.fullmatch(key))


def _unreadable(path: str, number: int) -> Misuse:
    return Misuse(
        f"{path}:{number}: wpa_supplicant reads no file with such a line, or without a }} there",
        hint="mend it (wpa_supplicant.conf(5)), each setting on a line of its own",
    )


def _uncommented(line: str) -> str:
    """Return a line without a comment; a # between the first and last quote is none.

    As wpa_config_get_line() has it.
    """
    if line.lstrip(_SPACE).startswith("#"):
        return ""
    first = line.find('"')
    last = line.rfind('"')
    if first != -1 and last > first:
        return line[: last + 1] + line[last + 1 :].partition("#")[0]
    return line.partition("#")[0]
