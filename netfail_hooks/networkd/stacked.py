"""What sits on a NIC: what it is a part of, and what it carries (ABI/testing/sysfs-class-net).

networkd, as it sets a link up, takes it out of what it is a part of, unless its file names that
(``link_request_to_set_master()`` in networkd-setlink.c; KeepMaster= of systemd.network(5)). What a
link carries it leaves alone, and so does the kernel while the link stays up.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from netfail_hooks.networkd.file import Section, is_yes, last
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths

MASTERS = ("Bond", "Bridge", "VRF", "BatmanAdvanced")  # in [Network]
_UPPER = "upper_"
_HOLDS = ("hsr",)  # takes all that its ports hear, and is no master of theirs (net/hsr)
# They stay as they are while the link below is down, but for the carrier: macvlan_device_event(),
# ipvlan_device_event(), macsec_notify(); a vxlan does not heed it. A VLAN goes down with it, and
# loses its IPv6 addresses and all routes but the connected ones (vlan_device_event()).
_STAYS = ("macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "vxlan")


@dataclass(frozen=True, slots=True)
class Upper:
    """An interface on a NIC: its kind as ``ip -details link`` has it, "" where nobody knows.

    ``holds``: the NIC is a part of it, as of a bridge or a bond.
    """

    name: str
    kind: str = ""
    holds: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})" if self.kind else self.name

    @property
    def stays(self) -> bool:
        """Tell whether it keeps its addresses and routes while the NIC is down."""
        return not self.holds and self.kind in _STAYS


def uppers(paths: Paths, name: str) -> tuple[Upper, ...]:
    """Return what sits on a NIC in this network namespace, what it is a part of first."""
    directory = paths.at(f"/sys/class/net/{name}")
    master = ""
    with contextlib.suppress(OSError):
        master = os.path.basename(os.readlink(f"{directory}/master"))
    entries = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    names = [entry.removeprefix(_UPPER) for entry in entries if entry.startswith(_UPPER)]
    found = [_upper(paths, one, master) for one in dict.fromkeys(filter(None, (master, *names)))]
    return tuple(sorted(found, key=lambda one: not one.holds))


def master_of(paths: Paths, name: str) -> str:
    """Return what a NIC is a part of, "" for nothing."""
    return next((one.name for one in uppers(paths, name) if one.holds), "")


def named_masters(sections: tuple[Section, ...]) -> tuple[str, ...]:
    """Return what a ``.network`` file makes its NIC a part of."""
    if is_yes(last(sections, "KeepMaster")):
        return ()  # "Bond=" and the like are without effect then
    return tuple(filter(None, (last(sections, key) for key in MASTERS)))


def _upper(paths: Paths, name: str, master: str) -> Upper:
    nic = read_nic(name, paths)
    kind = nic.kind or dict(nic.properties).get("DEVTYPE", "")
    return Upper(name, kind, holds=name == master or kind in _HOLDS)
