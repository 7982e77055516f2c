"""What sits on a NIC, of the kinds for which a machine may lack the driver, and what becomes of it.

Each while the NIC goes down and up, and while install takes an uplink over from networkd's file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

from netfail_hooks.lab import Lab
from netfail_hooks.networkd.stacked import uppers
from netfail_hooks.paths import Paths
from tests.uml.scenarios import PAIR, Results

_MODULES = "8021q macvlan macvtap ipvlan ipvtap macsec vxlan team vrf hsr batman-adv geneve"
# Each is on "down0", and has what no link of an address alone has: a route beyond, and IPv6.
CARRIED = {
    "vlan": "link down0 name on type vlan id 7",
    "macvlan": "link down0 name on type macvlan mode bridge",
    "macvtap": "link down0 name on type macvtap mode bridge",
    "ipvlan": "link down0 name on type ipvlan mode l2",
    "ipvtap": "link down0 name on type ipvtap mode l2",
    "macsec": "link down0 name on type macsec",
    "vxlan": "name on type vxlan id 7 dstport 4789 dev down0",
}
HOLDING = {
    "bridge": "name on type bridge",
    "bond": "name on type bond",
    "team": "name on type team",
    "vrf": "name on type vrf table 7",
    "batadv": "name on type batadv",
}
_RING = "name on type hsr slave1 down0 slave2 down1"
_FILL = """
ip link set on up
ip address add 10.8.0.1/24 dev on
ip address add fd00:8::1/64 dev on nodad
ip route add 10.9.0.0/24 via 10.8.0.2
ip route add fd00:9::/64 via fd00:8::2
"""
_SEEN = """
ip -o address show dev on | sed 's/^[0-9]*: //; s/valid_lft.*//' | grep -v 'inet6 fe80' | sort
(ip route; ip -6 route) | sed -n '/^fe80/d; s/ dead//; s/ linkdown//; s/ *$//; /dev on/p' | sort
"""


def main(out: str) -> int:
    """Run everything; leave the results, and what went wrong, in a file."""
    results: Results = {"kernel": os.uname().release, "errors": {}}
    for module in _MODULES.split():
        subprocess.run(["modprobe", "-d", "/run/modules", module], check=False)
    for scenario in (carried, holding, taken_over):
        try:
            results[scenario.__name__] = scenario()
        except Exception:  # noqa: BLE001 - told outside, with the rest
            results["errors"][scenario.__name__] = traceback.format_exc()
    Path(out).write_text(json.dumps(results), encoding="utf-8")
    return 0


def carried() -> Results:
    """Return of each kind what is known of it, and what it has before and after."""
    return {kind: _carried(words) for kind, words in CARRIED.items()}


def _carried(words: str) -> Results:
    _sh("ip link add down0 type veth peer name down1; ip link set down0 up; ip link set down1 up")
    try:
        _ip("link", "add", *words.split())
        _sh(f"set -e; {_FILL}")
        (known,) = uppers(Paths(), "down0")
        before = _sh(_SEEN)
        _sh("ip link set down0 down; ip link set down0 up")
        return {
            "kind": known.kind,
            "holds": known.holds,
            "stays": known.stays,
            "before": before,
            "after": _sh(_SEEN),
        }
    finally:
        _sh("ip link del on; ip link del down0")


def holding() -> Results:
    """Return of each kind what is known of it."""
    found = {}
    for kind, words in {**HOLDING, "hsr": _RING}.items():
        _sh("ip link add down0 type veth peer name down1")
        _ip("link", "add", *words.split())
        if kind != "hsr":
            _ip("link", "set", "down0", "master", "on")
        found[kind] = [(one.name, one.kind, one.holds) for one in uppers(Paths(), "down0")]
        _sh("ip link del on; ip link del down0")
    return found


def taken_over() -> Results:
    """Return what install does where networkd has an uplink with a VLAN of somebody's, or a VRF."""
    with Lab() as lab:
        lab.write_files(lab.howto_files())
        lab.start()
        on_uplink = CARRIED["vlan"].replace("down0", "eth0")
        lab.run("sh", "-ec", f"ip link add {on_uplink}\n{_FILL}").check_returncode()
        before = lab.run("sh", "-c", _SEEN).stdout
        done = lab.netfail("install", *PAIR)
        after = lab.run("sh", "-c", _SEEN).stdout
        lab.run("ip", "link", "add", "vrf0", "type", "vrf", "table", "7").check_returncode()
        lab.run("ip", "link", "set", "eth0", "master", "vrf0").check_returncode()
        refused = lab.netfail("install", *PAIR)
        return {
            "status": done.returncode,
            "said": done.stdout + done.stderr,
            "before": before,
            "after": after,
            "refused": refused.stderr,
            "held": lab.run("ip", "link", "show", "master", "vrf0").stdout,
        }


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _sh(script: str) -> str:
    done = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
