"""Translate a keyfile of NetworkManager into the words of systemd.network(5) and wpa_supplicant.

nm-settings-keyfile(5) and nm-settings(5) tell what it may say. What can't be carried over is
refused by name where it counts, and told where it doesn't; a value is never told, only its key:
there are secrets among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Unfit, WirelessNetwork
from netfail_hooks.managers.nm import glib, ip, known, wifi
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.managers.nm.identity import Machine
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.nic import Nic

_TYPES = {
    "802-3-ethernet": "802-3-ethernet",
    "ethernet": "802-3-ethernet",
    "802-11-wireless": "802-11-wireless",
    "wifi": "802-11-wireless",
}
_ONE_EACH = ("Link", "Network", "DHCPv4", "DHCPv6", "IPv6AcceptRA")
_ORDER = ("Link", "Network", "Address", "Route", "RoutingPolicyRule", *_ONE_EACH[2:])
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
_MADE_UP = ("random", "stable", "stable-ssid")
_RESOLVED = {"0": "no", "1": "resolve", "2": "yes", "no": "no", "resolve": "resolve", "yes": "yes"}
_OVER_TLS = {**_RESOLVED, "1": "opportunistic", "opportunistic": "opportunistic"}
# NM_SETTING_WIRED_WAKE_ON_LAN_*, and WakeOnLan= of systemd.link(5).
_WAKES = {2: "phy", 4: "unicast", 8: "multicast", 16: "broadcast", 32: "arp", 64: "magic"}
_WAKE_DEFAULT, _WAKE_MAGIC, _WAKE_IGNORE = 1, 64, 0x8000


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the machine and NetworkManager.conf(5) say where a keyfile doesn't."""

    settings: tuple[tuple[str, str], ...] = ()  # of [connection], such as ipv6.ip6-privacy
    machine_id: str = ""
    iwd: bool = False  # has Wi-Fi joined, by files of its own (nm/backend.py)


@dataclass(frozen=True, slots=True)
class Translation:
    """A keyfile as others say it; ``link``, its password and ``messages`` are a Profile's.

    ``wireless`` is None for a cable, and where iwd has the network.
    """

    name: str
    sections: tuple[Section, ...]
    wireless: WirelessNetwork | None = None
    link: tuple[tuple[str, str], ...] = ()
    wake_password: str = field(default="", repr=False)
    messages: tuple[str, ...] = ()
    power_save: str = ""


_NONE = Defaults()


def translate(
    path: str, text: str, nic: Nic, defaults: Defaults = _NONE, *, told: str = ""
) -> Translation:
    """Return what a keyfile's text says of a NIC. Raises Misuse for what can't be carried over.

    ``told`` is how the file is named to people, by default by its path.
    """
    file = glib.read(text)
    name = printable(file.text("connection", "id"))
    try:
        return _translated(path, file, nic, defaults)
    except Misuse as error:
        where = f"{printable(told or path) or 'NetworkManager'}: "
        where += f"profile '{name}': " if name else ""
        raise type(error)(where + str(error.args[0]), hint=error.hint) from None


def type_of(file: KeyFile) -> str:
    """Return a profile's type by its long name, "" for one that no uplink has."""
    return _TYPES.get(file.text("connection", "type"), "")


def _translated(path: str, file: KeyFile, nic: Nic, defaults: Defaults) -> Translation:
    kind = type_of(file)
    _refuse(file, kind)
    global_settings = dict(defaults.settings)

    def setting(group: str, key: str) -> str:
        return _in_force(file, global_settings, group, key)

    machine = Machine(nic.name, nic.mac, nic.permanent_mac or nic.mac, defaults.machine_id)
    is_wifi = kind == wifi.WIFI
    by_iwd = is_wifi and defaults.iwd
    if by_iwd:
        wifi.name(file)  # refuses what is no network to join
    # iwd sets the hardware address, by a file of its own (nm-wifi-utils.c).
    mac = "" if by_iwd else _mac(setting(kind, "cloned-mac-address"), nic)
    if mac:
        machine = Machine(nic.name, mac, machine.permanent_mac, defaults.machine_id)
    parts = [
        section("Link", *_link(file, kind, mac, setting)),
        section("Network", *_names(setting)),
        *ip.sections(file, setting, machine),
    ]
    joins = is_wifi and not by_iwd
    return Translation(
        name=printable(file.text("connection", "id")),
        sections=tuple(_joined(parts)),
        wireless=wifi.network(path, file, setting, nic.driver) if joins else None,
        link=() if is_wifi else tuple(_udev(file, setting)),
        wake_password="" if is_wifi else _wake_password(file, setting),
        messages=tuple(known.messages(file, kind, nic, setting)),
        power_save=wifi.power_save(setting) if is_wifi else "",
    )


def _in_force(file: KeyFile, defaults: dict[str, str], group: str, key: str) -> str:
    """Return a setting; where the profile leaves it to the default, that, "" for none."""
    said = file.text(_group(group), key)
    # No section at all is what a new profile has, a section without the key what an old one had.
    if (group, key) == ("ipv6", "addr-gen-mode"):
        said = said or ("default-or-eui64" if file.has("ipv6") else "default")
    if said and said not in known.AS_DEFAULT.get(f"{group}.{key}", ("-1", "default")):
        return said
    short = {"802-3-ethernet": "ethernet", "802-11-wireless": "wifi"}.get(group, group)
    found = defaults.get(f"{short}.{key}") or defaults.get(f"{group}.{key}")
    if (group, key) == ("ipv6", "addr-gen-mode") and not found:
        return "eui64" if said in ("2", "default-or-eui64") else "stable-privacy"
    return found or ""


def _group(name: str) -> str:
    return "802-11-wireless-security" if name == "wifi-sec" else name


def _refuse(file: KeyFile, kind: str) -> None:
    """Refuse what makes a NIC something else than an uplink of its own. Raises Misuse."""
    said = file.text("connection", "type")
    if not kind:
        raise Misuse(
            f"connection.type={printable(said)} is neither a cable's nor Wi-Fi's",
            hint="name another NIC as the uplink",
        )
    for key in ("controller", "master"):
        if file.text("connection", key):
            raise Unfit(
                f"connection.{key} makes this NIC part of another one",
                hint="name another NIC as the uplink, or take it out of that one",
            )
    if kind != wifi.WIFI and file.group(wifi.EAP):
        raise Unfit(
            "802-1x: a cable with a login, which is not carried over",
            hint="name another NIC as the uplink",
        )
    for group in known.REFUSED:
        if file.has(group):
            raise Unfit(f"[{group}] is not carried over", hint="name another NIC as the uplink")


def _mac(said: str, nic: Nic) -> str:
    """Return the hardware address that a NIC is to have, "" for the one that it has anyway.

    One that NetworkManager made up stays the one it has now: the router knows it by that.
    """
    if _MAC.fullmatch(said):
        return said.lower()
    changed = nic.permanent_mac not in ("", nic.mac)
    if said in _MADE_UP and changed:
        return nic.mac
    return nic.permanent_mac if said == "permanent" and changed else ""


def _link(file: KeyFile, kind: str, mac: str, setting: ip.Setting) -> Iterator[tuple[str, str]]:
    if mac:
        yield "MACAddress", mac
    mtu = setting(kind, "mtu")
    if mtu.isdecimal() and int(mtu):
        yield "MTUBytes", mtu
    promiscuous = file.text(kind, "accept-all-mac-addresses")
    if promiscuous in ("1", "true"):
        yield "Promiscuous", "yes"


def _names(setting: ip.Setting) -> Iterator[tuple[str, str]]:
    """Yield how names are resolved, where somebody says so."""
    for key, word, words in (
        ("mdns", "MulticastDNS", _RESOLVED),
        ("llmnr", "LLMNR", _RESOLVED),
        ("dns-over-tls", "DNSOverTLS", _OVER_TLS),
    ):
        said = setting("connection", key)
        if said in words:
            yield word, words[said]


def _wakes(setting: ip.Setting) -> int:
    said = setting("802-3-ethernet", "wake-on-lan")
    return int(said) if said.isdecimal() else _WAKE_DEFAULT


def _wake_password(file: KeyFile, setting: ip.Setting) -> str:
    """Return the password of magic packets, "" for none (of what is none it takes no profile)."""
    said = file.text("802-3-ethernet", "wake-on-lan-password").lower().replace("-", ":")
    return said if _wakes(setting) & _WAKE_MAGIC and _MAC.fullmatch(said) else ""


def _udev(file: KeyFile, setting: ip.Setting) -> Iterator[tuple[str, str]]:
    """Yield what only a .link file can say."""
    group, flags = "802-3-ethernet", _wakes(setting)
    if not flags & (_WAKE_DEFAULT | _WAKE_IGNORE):
        words = [word for bit, word in _WAKES.items() if flags & bit]
        yield "WakeOnLan", " ".join(words) or "off"
    speed, duplex = file.number(group, "speed"), file.text(group, "duplex")
    if speed and duplex in ("half", "full"):
        if not file.flag(group, "auto-negotiate"):
            yield "AutoNegotiation", "no"
        yield from (("BitsPerSecond", f"{speed}M"), ("Duplex", duplex))


def _joined(parts: Iterable[Section]) -> Iterator[Section]:
    """Yield the sections in their order, those of which there is one joined. Raises Misuse."""
    found = [one for one in parts if one.items]
    for name in _ORDER:
        of_name = [one for one in found if one.name == name]
        pairs = [_checked(name, item.key, item.setting) for one in of_name for item in one.items]
        if name in _ONE_EACH:
            if pairs:
                yield section(name, *pairs)
        else:
            for one in of_name:
                yield section(name, *(_checked(name, i.key, i.setting) for i in one.items))


def _checked(name: str, key: str, setting: str) -> tuple[str, str]:
    """Return an assignment of a value that ends where its line does (systemd.syntax(7))."""
    if not setting.isprintable() or "\\" in setting or setting != setting.strip():
        raise Misuse(
            f"what is to be {key}= in [{name}] has a character that can't stand there",
            hint="mend the profile",
        )
    return key, setting
