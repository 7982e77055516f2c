"""The [bond] table of config.toml: read, check and write it."""

from __future__ import annotations

import difflib
import ipaddress
from typing import Any

from netfail_hooks.config import RESELECT, Bond
from netfail_hooks.names import is_interface_name

INTERVAL = (50, 5000)  # milliseconds
TARGETS_MAX = 16  # BOND_MAX_ARP_TARGETS, include/net/bonding.h

# Key: what it is for, as config.toml explains it.
BOND_KEYS = {
    "name": "the interface that the bond is",
    "arp_interval": "milliseconds between two questions of the kernel's monitor",
    "reselect": '"always": the first uplink takes the traffic back at once; "better": if it is '
    'faster; "failure": only when the other one fails',
    "targets": "addresses that the monitor asks; none: the gateway",
}


def parse_bond(table: object, wrong: list[str]) -> Bond:
    """Return the bond of a table; what is wrong with it is added to ``wrong``."""
    if not isinstance(table, dict):
        wrong.append("bond: must be a table, [bond]")
        return Bond()
    for key in table:
        if key not in BOND_KEYS:
            near = difflib.get_close_matches(key, BOND_KEYS, n=1, cutoff=0)
            wrong.append(f"bond.{key}: unknown key, did you mean bond.{near[0]}?")
    initial = Bond()
    values: dict[str, Any] = {key: table.get(key, getattr(initial, key)) for key in BOND_KEYS}
    values["targets"] = tuple(values["targets"]) if isinstance(values["targets"], list) else ()
    found = _wrong(table, values)
    wrong += [f"bond.{one}" for one in found]
    return initial if found else Bond(**values)


def _wrong(table: dict[str, Any], values: dict[str, Any]) -> list[str]:
    found = []
    low, high = INTERVAL
    interval, name = values["arp_interval"], values["name"]
    if not isinstance(name, str) or not is_interface_name(name):
        found.append(f"name: not an interface name: {name!r}")
    if type(interval) is not int or not low <= interval <= high:
        found.append(f"arp_interval: must be {low} to {high}, not {interval!r}")
    if values["reselect"] not in RESELECT:
        listed = ", ".join(f'"{one}"' for one in RESELECT)
        found.append(f"reselect: must be one of {listed}, not {values['reselect']!r}")
    if not isinstance(table.get("targets", []), list) or len(values["targets"]) > TARGETS_MAX:
        found.append(f"targets: must be a list of at most {TARGETS_MAX} addresses")
    found += [f"targets: no address: {one!r}" for one in values["targets"] if not _is_address(one)]
    return found


def render_bond(bond: Bond) -> list[str]:
    """Return the lines of the table, every key explained."""
    shown = {
        "name": f'"{bond.name}"',
        "arp_interval": str(bond.arp_interval),
        "reselect": f'"{bond.reselect}"',
        "targets": "[" + ", ".join(f'"{one}"' for one in bond.targets) + "]",
    }
    return ["", "[bond]", *(f"{key} = {shown[key]}  # {BOND_KEYS[key]}" for key in BOND_KEYS)]


def _is_address(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(ipaddress.ip_address(text))
    except ValueError:
        return False
