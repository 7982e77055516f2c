"""Who joins Wi-Fi for NetworkManager: wpa_supplicant as it is told, or iwd by files of its own.

iwd joins by itself whatever it has joined once, and NetworkManager follows it
(NetworkManager.conf(5), wifi.iwd.autoconnect); told to leave a radio, it leaves iwd at it. So iwd
goes on as a service of the user's own does (wifi/joining.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence

from netfail_hooks.errors import Misuse
from netfail_hooks.managers.nm import conf, wifi
from netfail_hooks.managers.nm.conf import Conf
from netfail_hooks.managers.nm.glib import printable
from netfail_hooks.managers.nm.saved import Saved
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

_FOLLOWS = "wifi.iwd.autoconnect"
_NO = ("no", "false", "off", "0")


def is_iwd(paths: Paths, nic: Nic) -> bool:
    """Tell whether NetworkManager has iwd join a radio's networks (wifi.backend)."""
    return nic.wireless and _is_iwds(conf.read(paths), nic)


def _is_iwds(known: Conf, nic: Nic) -> bool:
    return known.defaults("device", nic).get("wifi.backend") == "iwd"


def joined_by_iwd(known: Conf, nic: Nic) -> bool:
    """Tell the same. Raises Misuse where iwd joins only what NetworkManager tells it to."""
    if not (nic.wireless and _is_iwds(known, nic)):
        return False
    if known.defaults("device", nic).get(_FOLLOWS, "").lower() in _NO:
        raise Misuse(
            f"{nic.name}: NetworkManager has iwd join no Wi-Fi network by itself ({_FOLLOWS}=no)",
            hint=f"take {_FOLLOWS} out of /etc/NetworkManager/conf.d, then reboot",
        )
    return True


def messages(fitting: Sequence[Saved], known: Collection[str], power_save: str) -> Iterator[str]:
    """Yield what iwd won't do of that which NetworkManager does, ``known`` the networks it joins.

    What it has never joined, NetworkManager alone knows the passphrase of.
    """
    for one in fitting:
        name = ""
        with contextlib.suppress(Misuse):  # an access point of its own, which nobody joins
            name = wifi.name(one.file).decode("utf-8", "replace")
        if name and one.by_itself and name not in known:
            yield (
                f"iwd has never joined the network '{printable(name)}', and does not know how: to "
                "have it joined later, too, connect to it by NetworkManager before this"
            )
    if power_save:
        yield (
            "wifi.powersave is not carried over, as iwd sets none: see PowerSaveDisable in "
            "iwd.config(5)"
        )
