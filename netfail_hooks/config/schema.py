"""The [[uplink]] tables of config.toml: read, check and write them."""

from __future__ import annotations

import ipaddress
from typing import Any

from netfail_hooks.config import FIRST_METRIC, METRIC_STEP, Target, Uplink
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
