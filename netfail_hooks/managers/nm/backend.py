"""Who joins Wi-Fi for NetworkManager: wpa_supplicant as it is told, or iwd by files of its own.

iwd joins by itself whatever it knows, and NetworkManager follows it (NetworkManager.conf(5),
wifi.iwd.autoconnect); told to leave a radio, it leaves iwd at it. So iwd goes on as a service of
the user's own does (wifi/joining.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from netfail_hooks.errors import Misuse
from netfail_hooks.managers.nm import wifi
from netfail_hooks.managers.nm.conf import Conf
from netfail_hooks.managers.nm.glib import printable
from netfail_hooks.managers.nm.saved import Saved
from netfail_hooks.networkd.nic import Nic

_FOLLOWS = "wifi.iwd.autoconnect"
_NO = ("no", "false", "off", "0")
# Has a profile saved, and iwd join its network by itself.
LASTING = "sudo nmcli connection modify NAME connection.autoconnect yes"


def is_iwd(known: Conf, nic: Nic) -> bool:
    """Tell whether iwd joins a NIC's networks. Raises Misuse where it does so only if it is told.

    The word may be written in any way (``nm-wifi-factory.c``).
    """
    said = known.defaults("device", nic)
    if not nic.wireless or said.get("wifi.backend", "").lower() != "iwd":
        return False
    if said.get(_FOLLOWS, "").lower() in _NO:
        raise Misuse(
            f"{nic.name}: NetworkManager has iwd join no Wi-Fi network by itself ({_FOLLOWS}=no)",
            hint=f"say {_FOLLOWS}=yes in /etc/NetworkManager/conf.d, then reboot",
        )
    return True


def refuse_unlasting(chosen: Saved) -> None:
    """Refuse a profile without which, or by which, iwd would join nothing after a boot.

    NetworkManager tells iwd what the profile says (``sett_conn_changed()`` in nm-iwd-manager.c).
    Raises Misuse.
    """
    name = printable(chosen.file.text("connection", "id"))
    if not chosen.by_itself:
        raise Misuse(
            f"the network '{name}' is not joined by itself, so iwd would join none after a boot",
            hint=f"{LASTING}, then install again",
        )
    if chosen.file.flag(".nmmeta", "nm-generated"):
        raise Misuse(
            f"NetworkManager has made the profile '{name}' of what iwd knows, and saved it nowhere",
            hint=f"{LASTING}, which saves it; then install again",
        )


def names(profiles: Iterable[Saved]) -> tuple[str, ...]:
    """Return the networks that profiles are for, of those that are joined by themselves."""
    found = []
    for one in profiles:
        with contextlib.suppress(Misuse):  # an access point of its own, which nobody joins
            if one.by_itself:
                found.append(wifi.name(one.file).decode("utf-8", "replace"))
    return tuple(dict.fromkeys(found))
