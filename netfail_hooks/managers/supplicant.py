"""The file by which wpa_supplicant joins an uplink's Wi-Fi networks (wpa_supplicant.conf(5))."""

from __future__ import annotations

from collections.abc import Iterable

from netfail_hooks.managers import WirelessNetwork

_MARK = "# netfail-hooks:"


def path(interface: str) -> str:
    """Return where the unit wpa_supplicant@INTERFACE looks for it."""
    return f"/etc/wpa_supplicant/wpa_supplicant-{interface}.conf"


def is_ours(text: str) -> bool:
    """Tell whether we wrote a file."""
    return text.startswith(_MARK)


def config(networks: Iterable[WirelessNetwork], country: str = "") -> str:
    """Return the file; it holds secrets, so it is root's alone. Raises Misuse."""
    lines = [_MARK, "ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev", "update_config=0"]
    lines += [f"country={country}"] if country else []
    lines += [f"network={{\n\tssid={one.ssid.hex()}\n}}" for one in networks]
    return "\n".join([*lines, ""])
