"""The [[uplink]] tables of config.toml: read, check and write them."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from typing import Any

from netfail_hooks.config import FIRST_METRIC, METRIC_STEP, RESELECT, Bond, Target, Uplink
from netfail_hooks.names import is_interface_name

METRIC_MAX = 2**32 - 1
POLICIES = ("any", "all")

# Key: what it is for, as config.toml explains it.
KEYS = {
    "interface": "its name, as 'networkctl' lists it; the only key that must be there",
    "metric": "of networkd's own routes through it; greater than that of the uplink before",
    "gateway": "probe the gateway: ARP for IPv4, neighbour discovery for IPv6",
    "targets": 'and beyond it, by address: "icmp:1.1.1.1", "tcp:9.9.9.9:53", "tcp:[2620:fe::9]:53"',
    "policy": '"any": one target that answers is enough; "all": the gateway and all of them must',
    "failures": "tries in a row without an answer before the traffic moves",
    "timeout": "milliseconds that the last try of a round may take",
}
BOUNDS = {"metric": (1, METRIC_MAX), "failures": (1, 20), "timeout": (50, 5000)}


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


_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - refused


def parse_uplink(rank: int, entry: dict[str, Any]) -> tuple[Uplink | None, list[str]]:
    """Return the uplink of a table whose keys are known, and all that is wrong with it."""
    wrong = []
    values: dict[str, Any] = {"metric": FIRST_METRIC + rank * METRIC_STEP, **entry}
    name = values.get("interface")
    if not isinstance(name, str) or not is_interface_name(name):
        wrong.append(f"interface: not an interface name: {name!r}")
    for key, (low, high) in BOUNDS.items():
        found = values.get(key, low)
        if type(found) is not int or not low <= found <= high:
            wrong.append(f"{key}: must be {low} to {high}, not {found!r}")
    if not isinstance(values.get("gateway", True), bool):
        wrong.append(f"gateway: must be true or false, not {values['gateway']!r}")
    if values.get("policy", "any") not in POLICIES:
        wrong.append(f'policy: must be "any" or "all", not {values["policy"]!r}')
    values["targets"] = _targets(values.get("targets", []), wrong)
    return (None if wrong else Uplink(**values)), wrong


def render_uplink(uplink: Uplink) -> list[str]:
    """Return the lines of an uplink's table, every key explained."""
    lines = ["", "[[uplink]]"]
    for key, about in KEYS.items():
        lines.append(f"{key} = {_toml(getattr(uplink, key))}  # {about}")
    return lines


def parse_target(text: str) -> Target:
    """Return the target that ``icmp:ADDRESS`` or ``tcp:ADDRESS:PORT`` names.

    Raises ValueError. Names are refused: where the network is broken, so is looking them up.
    """
    kind, _, rest = text.partition(":")
    if kind == "icmp":
        address = _destination(rest)
        return Target(address.version, str(address))
    host, _, port = rest.rpartition(":")
    address = _destination(host.removeprefix("[").removesuffix("]"))
    if kind != "tcp" or not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ValueError("neither icmp:ADDRESS nor tcp:ADDRESS:PORT")
    return Target(address.version, str(address), int(port))


def _destination(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of one host; the uplink is named elsewhere, so no ``%eth0``."""
    address = ipaddress.ip_address(text)
    if "%" in text or address.is_multicast or address.is_unspecified or address.is_loopback:
        raise ValueError("not the address of a host beyond the gateway")
    return address


def _targets(found: object, wrong: list[str]) -> tuple[Target, ...]:
    if not isinstance(found, list):
        wrong.append(f"targets: must be a list, not {found!r}")
        return ()
    result = []
    for text in found:
        try:
            result.append(parse_target(text))
        except (ValueError, AttributeError):
            wrong.append(f"targets: neither icmp:ADDRESS nor tcp:ADDRESS:PORT: {text!r}")
    return tuple(result)


def _toml(found: object) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, tuple):
        return "[" + ", ".join(f'"{one}"' for one in found) + "]"
    return f'"{found}"' if isinstance(found, str) else str(found)


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


_PLAIN = re.compile(r"/[A-Za-z0-9_./+@,=-]{1,200}")  # what a unit and a state file take as it is


def wrong_textfile(found: object) -> str:
    """Return what is wrong with the setting, "" for nothing."""
    if not isinstance(found, str):
        return f"must be a path, not {found!r}"
    shown = repr(found[:60])
    complaints = (
        (
            not _PLAIN.fullmatch(found) or os.path.normpath(found) != found,
            f"must be an absolute path of plain characters, not {shown}",
        ),
        (
            found.count("/") < 3,
            f"must have a directory of its own, as in '/run/x/netfail.prom', not {shown}",
        ),
        (
            not found.endswith(".prom"),
            f"must end in .prom, or node_exporter does not read it, not {shown}",
        ),
        (
            found.startswith(_HIDDEN),
            f"the check can't write below {_top(found)}; try '/run/netfail-hooks/netfail.prom'",
        ),
    )
    return next((told for wrong, told in complaints if found and wrong), "")


def _top(path: str) -> str:
    return next((one.rstrip("/") for one in _HIDDEN if path.startswith(one)), "")
