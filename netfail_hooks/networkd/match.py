"""Which ``.network`` file systemd-networkd uses for a NIC (systemd.network(5)).

The files of all directories are one list, sorted by name; the first whose [Match] fits is
used. A condition that we can't judge is refused rather than guessed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netfail_hooks.errors import Misuse, NotPermitted
from netfail_hooks.files import read_text
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.paths import Paths

# The earlier directory's file hides the later one's of the same name.
DIRECTORIES = (
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
)
_LIMIT = 1 << 20  # characters
_KINDS = {"1": "ether", "772": "loopback"}  # linux/if_arp.h


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC as far as files can choose by it; "" is what nobody knows (it isn't plugged in)."""

    name: str
    mac: str = ""
    permanent_mac: str = ""
    driver: str = ""
    kind: str = ""  # as networkctl's TYPE: ether, wlan, loopback
    host: str = ""

    @property
    def wlan_type(self) -> str:
        """Return what it does by radio: an uplink is a client, a station, of an access point.

        The 80-wifi-adhoc.network that systemd brings along asks for it.
        """
        return "station" if self.kind in ("", "wlan") else "none"


@dataclass(frozen=True, slots=True)
class Source:
    """A file and its drop-ins, each a path and its text; paths are without the root."""

    path: str
    text: str
    dropins: tuple[tuple[str, str], ...] = ()

    @property
    def sections(self) -> tuple[networkfile.Section, ...]:
        """Return the sections of all of it, in the order in which networkd reads them."""
        texts = map(networkfile.ended, [self.text, *(text for _, text in self.dropins)])
        return tuple(section for text in texts for section in networkfile.parse(text))


def read_nic(name: str, sys: str = "/sys") -> Nic:
    """Return a NIC as sysfs has it (ABI/testing/sysfs-class-net)."""
    directory = f"{sys}/class/net/{name}"
    mac = _line(f"{directory}/address").lower()
    driver = ""
    with contextlib.suppress(OSError):
        driver = os.path.basename(os.readlink(f"{directory}/device/driver"))
    kind = _KINDS.get(_line(f"{directory}/type"), "")
    marked = any(os.path.isdir(f"{directory}/{mark}") for mark in ("phy80211", "wireless"))
    if marked or "DEVTYPE=wlan" in read_text(f"{directory}/uevent").splitlines():
        kind = "wlan"
    permanent = mac if _line(f"{directory}/addr_assign_type") == "0" else ""
    return Nic(name, mac, permanent, driver, kind, os.uname().nodename)


def effective(
    paths: Paths, nic: Nic, ignore: Callable[[str], bool] = lambda _: False
) -> Source | None:
    """Return the file that networkd uses for a NIC, None for none.

    Files for whose text ``ignore`` returns true are skipped. Raises Misuse for a file of which we
    can't say whether it fits.
    """
    for source in sources(paths):
        if not ignore(source.text) and _fits(source, nic):
            return source
    return None


def sources(paths: Paths) -> Iterator[Source]:
    """Give the files that are not empty or masked, in the order in which networkd tries them."""
    for path in _listed(paths, DIRECTORIES, ".network"):
        text = read(paths, path)
        if text.strip():
            yield Source(path, text, tuple(_dropins(paths, os.path.basename(path))))


def _listed(paths: Paths, directories: tuple[str, ...], ending: str) -> list[str]:
    """Return the files of several directories by name, the earlier one's of the same name."""
    by_name: dict[str, str] = {}
    for directory in directories:
        try:
            names = os.listdir(paths.through(directory))
        except PermissionError:
            raise _refused(paths.through(directory)) from None
        except OSError:
            continue
        for name in names:
            if name.endswith(ending):
                by_name.setdefault(name, f"{directory}/{name}")
    return [by_name[name] for name in sorted(by_name)]


def read(paths: Paths, path: str) -> str:
    """Return a file's text, "" for none. Raises NotPermitted for one that we may not read.

    netplan's are for root and networkd alone (0640 root:systemd-network): without what is in
    them we would say that there are none.
    """
    place = paths.through(path)
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LIMIT)
    except PermissionError:
        raise _refused(place) from None
    except OSError:
        return ""


def _refused(place: str) -> NotPermitted:
    return NotPermitted(f"{place} cannot be read", hint="use sudo")


def dropins(paths: Paths, name: str) -> list[str]:
    """Return the paths of the drop-ins of a file of that name, in the order in which they count."""
    directories = tuple(f"{directory}/{name}.d" for directory in DIRECTORIES)
    return _listed(paths, directories, ".conf")


def _dropins(paths: Paths, name: str) -> Iterator[tuple[str, str]]:
    for path in dropins(paths, name):
        yield path, read(paths, path)


def _fits(source: Source, nic: Nic) -> bool:
    """Judge all conditions: each must hold. One that fails makes the rest not matter."""
    unknown = ""
    for section in source.sections:
        if section.name != "Match":
            continue
        for key in dict.fromkeys(item.key for item in section.items if item.key):
            words = " ".join(networkfile.settings([section], "Match", key)).split()
            holds = _holds(key, words, nic)
            if holds is None:
                unknown = unknown or f"{key}={' '.join(words)}"
            elif not holds:
                return False
    if unknown:
        raise Misuse(
            f"{source.path}: cannot tell whether [Match] {unknown} means {nic.name}",
            hint=f"write Name={nic.name} in its stead, or plug {nic.name} in",
        )
    return True


def _holds(key: str, words: list[str], nic: Nic) -> bool | None:
    """Judge one condition; None where we can't."""
    if not words:
        return True
    known = {
        "Name": nic.name,
        "OriginalName": nic.name,
        "MACAddress": nic.mac,
        "PermanentMACAddress": nic.permanent_mac,
        "Driver": nic.driver,
        "Type": nic.kind,
        "Host": nic.host,
        "WLANInterfaceType": nic.wlan_type,
    }.get(key, "")
    if not known:
        return None
    wanted = not words[0].startswith("!")
    patterns = [words[0].lstrip("!"), *words[1:]]
    if key.endswith("MACAddress"):
        return any(_mac(pattern) == _mac(known) for pattern in patterns) is wanted
    return any(fnmatchcase(known, pattern) for pattern in patterns) is wanted


def _mac(text: str) -> str:
    return text.lower().translate(str.maketrans("", "", ":-."))


def _line(path: str) -> str:
    return read_text(path).strip()


def netdev(
    paths: Paths, name: str, ignore: Callable[[str], bool] = lambda _: False
) -> Source | None:
    """Return the ``.netdev`` file that makes a device of that name, None for none."""
    for path in _listed(paths, DIRECTORIES, ".netdev"):
        source = Source(path, read(paths, path), tuple(_dropins(paths, os.path.basename(path))))
        named = networkfile.settings(source.sections, "NetDev", "Name") == [name]
        if named and not ignore(source.text):
            return source
    return None
