"""Wi-Fi's power saving, as another manager sets it when it joins a network.

Neither networkd nor wpa_supplicant has a setting for it (systemd.network(5), systemd.link(5),
wpa_supplicant.conf(5)), and the kernel keeps what it was told for as long as there is the NIC: so
iw(8) says it whenever wpa_supplicant@IF starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from netfail_hooks.paths import Paths

_IW = ("/usr/sbin/iw", "/sbin/iw", "/usr/bin/iw", "/usr/local/sbin/iw", "/usr/local/bin/iw")


def drop_in(power_save: str) -> str:
    """Return what the unit wpa_supplicant@IF is told; nothing depends on whether that works."""
    if not power_save:
        return ""
    return f"[Service]\nExecStartPost=-iw dev %I set power_save {power_save}\n"


def messages(paths: Paths, interface: str, power_save: str) -> Iterator[str]:
    """Yield what a person has to do for it."""
    if power_save and not any(os.path.lexists(paths.at(place)) for place in _IW):
        yield (
            f"iw is missing, so Wi-Fi's power saving is what the driver has: install iw, then "
            f"iw dev {interface} set power_save {power_save}"
        )
