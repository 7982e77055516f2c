"""The corpus of files that people have: each set's kind, files, and what holds after install."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import Any

from tests.support import ROOT

DIRECTORY = ROOT / "tests/corpus"
_ETC = "/etc/systemd/network"


@dataclass(frozen=True)
class FileSet:
    """One uplink's files. In all texts NIC, NET, NET6, MAC, METRIC, NUMBER and SEGMENT are its own.

    ``setup`` is shell that runs before networkd, ``uplink`` the name by which install is told of
    the uplink, ``nic`` the device that this is, where it is not the NIC itself. ``netplan`` is YAML
    of which netplan makes files, ``netplan13`` such for the netplan of Debian 13. ``serve`` are
    more arguments of the DHCP server. An address with ``awaited`` in it comes late. ``hold`` are
    words of a line, each, that must be there after install, ``absent`` such that must not. ``note``
    is said by install, ``refused`` the reason for which it ends.
    """

    kind: str
    files: dict[str, str] = field(default_factory=dict)
    hold: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    setup: str = ""
    uplink: str = "NIC"
    nic: str = "NIC"
    netplan: str = ""
    netplan13: str = ""
    serve: tuple[str, ...] = ()
    awaited: str = ""
    note: str = ""
    refused: str = ""
    dhcp: bool = False
    twice: bool = False
    group: str = field(default="", compare=False)

    @property
    def hears_routers(self) -> bool:
        """Tell whether advertisements come, and are heard."""
        texts = [self.netplan, self.netplan13, *self.files.values()]
        refused = ("IPv6AcceptRA=no", "accept-ra: false", "LinkLocalAddressing=ipv4")
        return self.dhcp and not any(word in text for text in texts for word in refused)


def read() -> list[FileSet]:
    """Return all of it, by file and in the order in which it is written there."""
    result = []
    for path in sorted(DIRECTORY.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["set"]:
            known: dict[str, Any] = {
                key: tuple(item) if isinstance(item, list) else item for key, item in entry.items()
            }
            result.append(FileSet(**known, group=path.stem))
    return result


def place(name: str) -> str:
    """Return where a file of a set is: below /etc unless it says another place."""
    return name if name.startswith("/") else f"{_ETC}/{name}"
