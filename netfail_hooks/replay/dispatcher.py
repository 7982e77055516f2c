"""Run hooks as networkd-dispatcher does: which ones, in which order, in which environment.

After networkd-dispatcher 2.2's ``scripts_in_path``, ``check_perms``, ``get_interface_data`` and
``run_hooks_for_state``, whose log alone tells of a hook that it won't run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from netfail_hooks import process
from netfail_hooks.install.layout import HOOK
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.replay.events import ADMINISTRATIVE, OPERATIONAL, Event

_LIBRARY = "/usr/lib/networkd-dispatcher"
_MODE = 0o755
_SINGLE = ("Type", "ESSID", "OperationalState")  # the others are lists


@dataclass(frozen=True)
class Script:
    """A file in a state directory; ``refused`` says why the dispatcher would not run it."""

    path: str
    refused: str = ""

    @property
    def is_ours(self) -> bool:
        """Tell whether install put it there."""
        return os.path.basename(self.path) == HOOK


def scripts(paths: Paths, state: str) -> list[Script]:
    """Return the hooks for a state in the order in which they run: /etc's hide the library's."""
    paths_by_name: dict[str, str] = {}
    for directory in (_LIBRARY, "/etc/networkd-dispatcher"):
        place = paths.at(f"{directory}/{state}.d")
        for name in os.listdir(place) if os.path.isdir(place) else []:
            if os.path.isfile(f"{place}/{name}"):
                paths_by_name[name] = f"{place}/{name}"
    return [Script(path, _refusal(path)) for _, path in sorted(paths_by_name.items())]


def environment(event: Event) -> dict[str, str]:
    """Return what the dispatcher adds to its own environment for a hook."""
    data = _interface_data(event)
    lines = data.get("Address", [])
    # networkctl adds to an address where it is from: "192.168.1.9 (DHCP4 via 192.168.1.1)".
    addresses = [line.partition(" (DHCP4")[0] for line in lines] if isinstance(lines, list) else []
    shown = [address for address in addresses if not address.startswith(("127.", "fe80:"))]
    return {
        "ADDR": addresses[0] if addresses else "",
        "ESSID": str(data.get("ESSID", "")),
        "IP_ADDRS": " ".join(a for a in shown if "." in a and ":" not in a),
        "IP6_ADDRS": " ".join(a for a in shown if ":" in a),
        "IFACE": event.interface,
        "STATE": event.state,
        "AdministrativeState": str(data["AdministrativeState"]),
        "OperationalState": str(data["OperationalState"]),
        "json": json.dumps(data, sort_keys=True),
    }


def run(script: Script, added: Mapping[str, str]) -> int:
    """Run a hook to its end; its output is ours. Returns its exit status. Raises OSError."""
    return subprocess.run([script.path], env={**os.environ, **added}, check=False).returncode


def _refusal(path: str) -> str:
    """Return what the dispatcher has against a hook, or its directory (not following links)."""
    for place, follow in ((os.path.dirname(path), False), (path, True)):
        status = os.stat(place, follow_symlinks=follow)
        if (status.st_uid, status.st_gid) != (0, 0):
            return f"{place} is not root:root"
        if status.st_mode & 0o7777 != _MODE:
            return f"{place} has mode {status.st_mode & 0o7777:04o}, not 0755"
    return ""


def _interface_data(event: Event) -> dict[str, str | list[str]]:
    operational, setup = networkctl.states().get(event.interface, ("", ""))
    data: dict[str, str | list[str]] = {
        "AdministrativeState": event.state if event.state in ADMINISTRATIVE else setup,
        "InterfaceName": event.interface,
        "OperationalState": event.state if event.state in OPERATIONAL else operational,
    }
    data.update(_status(event.interface))
    data["State"] = f"{data['OperationalState']} ({data['AdministrativeState']})"
    if data.get("Type") == "wlan":
        data["ESSID"] = _essid(event.interface)
    return data


def _status(interface: str) -> dict[str, str | list[str]]:
    """Return the ``key: value`` lines of networkctl's status; a line without a key goes on."""
    singles: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    key = ""
    for line in networkctl.status(interface)[1:]:
        head, mark, tail = line.partition(": ")
        key, text = (head.strip(), tail.strip()) if mark else (key, head.strip())
        if text and key in _SINGLE:
            singles[key] = text
        elif text:
            lists.setdefault(key, []).append(text)
    return {**lists, **singles}


def _essid(interface: str) -> str:
    """Return the Wi-Fi network's name, as ``iw DEV link`` has it."""
    if not shutil.which("iw"):
        return ""
    for line in process.run("iw", interface, "link", check=False).stdout.splitlines():
        head, _, name = line.strip().partition(": ")
        if head == "SSID":
            return name
    return ""
