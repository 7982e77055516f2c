"""What is to be known of a NIC for systemd-networkd to choose a file for it.

From netlink (rtnetlink(7)), sysfs (ABI/testing/sysfs-class-net), ethtool's driver information and
udev's database, where networkd has it from, too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from netfail_hooks.files import read_text
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths

_TYPES = {  # ARPHRD_*, linux/if_arp.h; in [Match] networkd takes these names in lower case
    "1": "ether",
    "24": "ieee1394",
    "32": "infiniband",
    "256": "slip",
    "280": "can",
    "512": "ppp",
    "519": "rawip",
    "768": "tunnel",
    "769": "tunnel6",
    "772": "loopback",
    "776": "sit",
    "778": "ipgre",
    "803": "ieee80211_radiotap",
    "823": "ip6gre",
    "824": "netlink",
    "825": "6lowpan",
    "826": "vsockmon",
    "65534": "none",
}
# linux/if_link.h
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME, _IFLA_PERM_ADDRESS, _IFLA_INFO_KIND = 52, 53, 54, 1
_SIOCETHTOOL = 0x8946  # linux/sockios.h
# linux/ethtool.h: commands, and how many bytes the answers have.
_ETHTOOL_GDRVINFO, _DRVINFO_BYTES, _ETHTOOL_GWOL, _WOLINFO_BYTES = 0x3, 196, 0x5, 20
_UNASSIGNED = "0"  # NET_ADDR_PERM, linux/netdevice.h


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC as far as files can choose by it.

    ``present`` tells whether there is one; if not, "" is what nobody knows, else what it has not.
    ``type`` and ``kind`` are as in networkctl(1) and in ``ip -details link``. ``deaf``: its
    driver says that it wakes the machine by nothing.
    """

    name: str
    mac: str = ""
    permanent_mac: str = ""
    driver: str = ""
    type: str = ""
    kind: str = ""
    path: str = ""
    altnames: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    wireless: bool = False
    present: bool = False
    deaf: bool = False

    @property
    def wlan_type(self) -> str:
        """Return what it does by radio: an uplink is a client, a station, of an access point.

        The 80-wifi-adhoc.network that systemd brings along asks for it.
        """
        return "station" if self.wireless or not self.present else ""


def read_nic(name: str, paths: Paths) -> Nic:
    """Return a NIC as a machine has it. Of another root's nothing but sysfs can be asked."""
    directory = paths.at(f"/sys/class/net/{name}")
    mac = _line(f"{directory}/address").lower()
    uevent = _assignments(read_text(f"{directory}/uevent"))
    marked = any(os.path.isdir(f"{directory}/{mark}") for mark in ("phy80211", "wireless"))
    wireless = marked or uevent.get("DEVTYPE") == "wlan"
    link = {} if paths.root else _link(name)
    known = _udev(paths, link.get("index") or _line(f"{directory}/ifindex"))
    driver = "" if paths.root else _ethtool_driver(name)
    with contextlib.suppress(OSError):
        driver = driver or os.path.basename(os.readlink(f"{directory}/device/driver"))
    permanent = link.get("permanent", "")
    if not permanent and _line(f"{directory}/addr_assign_type") == _UNASSIGNED:
        permanent = mac
    return Nic(
        name=name,
        mac=mac,
        permanent_mac=permanent,
        driver=driver or known.get("ID_NET_DRIVER", ""),
        type=_type(paths, _line(f"{directory}/type"), uevent, wireless=wireless),
        kind=link.get("kind", ""),
        path=known.get("ID_PATH", ""),
        altnames=tuple(link.get("altnames", "").split()),
        properties=tuple((_of_device(paths, directory) | uevent | known).items()),
        wireless=wireless,
        present=os.path.isdir(directory),
        deaf=not paths.root and _is_deaf(name),
    )


def _of_device(paths: Paths, directory: str) -> dict[str, str]:
    """Return the properties that a NIC has by its place in sysfs (sd-device)."""
    if not os.path.isdir(directory):
        return {}
    below = os.path.relpath(os.path.realpath(directory), os.path.realpath(paths.at("/sys")))
    return {"SUBSYSTEM": "net", "DEVPATH": f"/{below}"}


def _type(paths: Paths, number: str, uevent: dict[str, str], *, wireless: bool) -> str:
    """Return what networkd calls a NIC's type: the driver's own word (DEVTYPE) where udev runs.

    It thinks that udev runs where it can write /sys (``udev_available()`` in systemd). Our check
    can't, anywhere (ReadOnlyPaths= in its unit), so we look for udev itself, its control socket.
    """
    with_udev = paths.root or os.path.exists("/run/udev/control")
    if with_udev and (uevent.get("DEVTYPE") or wireless):
        return uevent.get("DEVTYPE") or "wlan"
    return _TYPES.get(number, "")


def _link(name: str) -> dict[str, str]:
    """Return what netlink alone tells of a NIC; nothing where there is none."""
    try:
        with rt.Netlink() as netlink:
            kind = rt.IFLA_IFNAME if is_interface_name(name) else _IFLA_ALT_IFNAME
            ask = bytes(16) + rt.attribute(kind, os.fsencode(name) + b"\0")
            answer = netlink.get(rt.GETLINK, ask)
    except OSError:
        return {}
    found = rt.attributes(answer, 16)
    info = rt.attributes(found.get(rt.IFLA_LINKINFO, b""))
    names = _each(found.get(_IFLA_PROP_LIST, b""), _IFLA_ALT_IFNAME)
    return {
        "name": _text(found[rt.IFLA_IFNAME]),
        "index": str(struct.unpack_from("=i", answer, 4)[0]),
        "kind": _text(info.get(_IFLA_INFO_KIND, b"")),
        "permanent": found.get(_IFLA_PERM_ADDRESS, b"").hex(":"),
        "altnames": " ".join(map(_text, names)),
    }


def resolve_name(name: str) -> str:
    """Return the kernel's name of an interface, given any of its names; what has none, as it is.

    ``names.kernel_name`` needs no netlink, but can't ask for an altname of more than 15 letters.
    """
    return _link(name).get("name", name)


def _each(data: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the attributes of a kind, of which there are several."""
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        if kind & 0x3FFF == wanted:
            yield data[at + 4 : at + size]
        at += size + 3 & ~3


def _ethtool_driver(name: str) -> str:
    """Return the driver as ``ethtool -i`` has it (struct ethtool_drvinfo), "" for none."""
    try:
        return _text(_ethtool(name, _ETHTOOL_GDRVINFO, _DRVINFO_BYTES)[4:36])
    except OSError:
        return ""


def _is_deaf(name: str) -> bool:
    """Tell whether a driver says that its NIC wakes nobody (struct ethtool_wolinfo).

    It is asked by whoever may administer the network alone; for others none is said to be.
    """
    try:
        return not any(_ethtool(name, _ETHTOOL_GWOL, _WOLINFO_BYTES)[4:8])
    except OSError as error:
        return error.errno == errno.EOPNOTSUPP


def _ethtool(name: str, command: int, size: int) -> bytes:
    """Return what a driver answers. Raises OSError."""
    info = array("B", struct.pack("=I", command) + bytes(size - 4))
    request = struct.pack("16sP16x", name.encode()[:15], info.buffer_info()[0])  # struct ifreq
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SIOCETHTOOL, request)
    return info.tobytes()


def _udev(paths: Paths, index: str) -> dict[str, str]:
    """Return the properties that udev keeps of a NIC (its database is read by its number)."""
    lines = read_text(paths.at(f"/run/udev/data/n{index}")).splitlines() if index else []
    return _assignments("\n".join(line[2:] for line in lines if line.startswith("E:")))


def _assignments(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: setting for key, equals, setting in pairs if equals}


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _line(path: str) -> str:
    return read_text(path).strip()
