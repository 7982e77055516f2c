"""Who else may have an uplink today, and how it sets it up: NetworkManager, ifupdown, dhcpcd.

Each is read into one value, in the words of systemd.network(5), so that all that is done with a
user's own ``.network`` file is done with its settings too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.networkd.file import Section


class Unfit(Misuse):
    """A NIC is part of something, carries something or has to log in, whatever its addresses.

    So options that say these are no way out, as they are for what can't be carried over.
    """


class UnansweredError(Problem):
    """A manager does not answer, or does not run: nobody knows what it has, or is to have."""


@dataclass(frozen=True, slots=True)
class WirelessNetwork:
    """A Wi-Fi network that an uplink joins, as wpa_supplicant.conf(5) has it.

    ``key_mgmt`` is that file's word ("NONE", "WPA-PSK", "SAE", "WPA-PSK SAE", "WPA-EAP", "OWE").
    One that stood in such a file has its ``block``, as it was there, and that is all of it.
    Secrets are never part of its repr, so that no traceback and no log tells them.
    """

    ssid: bytes
    key_mgmt: str
    psk: str = field(default="", repr=False)  # a passphrase, or 64 hex digits
    hidden: bool = False
    priority: int = 0  # the greatest is joined first
    bssid: str = ""
    eap: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # key and value, unquoted
    pmf: str = ""  # ieee80211w of that file: "0" never, "2" always, "" as ``key_mgmt`` wants it
    radio: tuple[tuple[str, str], ...] = ()  # such as freq_list, proto: as that file has them
    roams: bool = False  # looks for a nearer access point while it has one
    fast: bool = False  # changes over to it by IEEE 802.11r, where both can
    block: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # keys, values as written


@dataclass(frozen=True, slots=True)
class Profile:
    """How another manager sets one uplink up.

    ``path`` is the file to name to people ("" for what a manager does without one), ``text`` that
    file as it was read. ``sections`` have neither [Match] nor a metric that counts. ``link`` is
    what only [Link] of a .link file can say (systemd.link(5)), ``messages`` what people are to be
    told: what isn't carried over, and what will be otherwise. ``joining`` are lines for all Wi-Fi
    networks, as wpa_supplicant.conf(5) has them, ``group`` may use wpa_cli. ``joined_by`` is the
    unit of the user's own that has it join Wi-Fi, and goes on (joining.py), ``by_iwd`` the names of
    the networks that NetworkManager leaves to iwd (nm/backend.py). ``identifiers`` are
    those that its IPv6 addresses have behind a router's prefix, and networkd would not make by
    itself.
    """

    manager: str
    path: str
    text: str = field(repr=False)
    sections: tuple[Section, ...]
    wireless: tuple[WirelessNetwork, ...] = ()
    country: str = ""  # of radio rules, ISO 3166-1, "" where nobody says
    joining: tuple[str, ...] = field(default=(), repr=False)  # there may be secrets in it
    group: str = ""
    power_save: str = ""  # of Wi-Fi: "on", "off", "" for what the driver does
    name: str = ""  # by which its manager's own tools call it, "" for none
    link: tuple[tuple[str, str], ...] = ()
    wake_password: str = field(default="", repr=False)  # of magic packets, as a MAC address
    messages: tuple[str, ...] = ()
    joined_by: str = ""
    by_iwd: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
