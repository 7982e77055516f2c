"""What the real ip(8) makes of a stanza's commands is what networkd makes of our words for them.

Of the family of values that networkd passes over, the line with them: names of tables, scopes and
protocols above all, as the files of iproute2 give them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.managers import ifupdown
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.nic import read_nic
from tests.lab.conftest import MakeLab
from tests.lab.suite import wait
from tests.support.machine import Machine

_NAMES = {
    "/etc/iproute2/rt_tables": "255 local\n254 main\n253 default\n100 isp1\n200\tisp2 # other\n",
    "/etc/iproute2/rt_tables.d/vpn.conf": "# more\n0x1388 vpn\n",
    "/etc/iproute2/rt_scopes": "0 global\n255 nowhere\n254 host\n253 link\n200 site\n",
    "/etc/iproute2/rt_protos": "2 kernel\n3 boot\n4 static\n9 ra\n77 mine\n",
}
_TABLES = ("isp1", "isp2", "vpn", "main", "254", "7", "0x10", "70000")
_PROTOCOLS = ("static", "mine", "boot", "ra", "44")
_STANZA = "auto eth0\niface eth0 inet static\n  address 10.0.0.252/24\n"


def _commands(random: Random) -> Iterator[str]:
    for number in range(24):
        words = f"ip route add 198.51.{number}.0/24"
        direct = random.random() < 0.3
        words += " scope link" if direct else " via 10.0.0.1"
        words += " dev eth0"
        for option in random.sample(("table", "proto", "metric", "src", "mtu"), 3):
            given = {
                "table": random.choice(_TABLES),
                "proto": random.choice(_PROTOCOLS),
                "metric": str(random.randrange(1, 9999)),
                "src": "10.0.0.252",
                "mtu": "1400",
            }
            words += f" {option} {given[option]}"
        yield words
    for number in range(16):
        chosen = random.choice(
            ("from 10.0.0.252", "to 203.0.113.0/24", "fwmark 0x5/0xf", "iif eth0", "from all")
        )
        table = f"{random.choice(('table', 'lookup'))} {random.choice(_TABLES)}"
        yield f"ip rule add {chosen} {table} {random.choice(('prio', 'pref'))} {1000 + number}"


@pytest.mark.parametrize("seed", range(2))
def test_networkd_does_what_ip_does(make_lab: MakeLab, seed: int) -> None:
    commands = list(_commands(Random(seed)))  # noqa: S311
    theirs, ours = make_lab(start=False), make_lab(start=False)
    for path, text in _NAMES.items():
        theirs.write(path, text)
    theirs.run("sh", "-ec", "ip link set eth0 up; ip address add 10.0.0.252/24 dev eth0")
    for command in commands:
        theirs.run(*command.split()).check_returncode()

    with tempfile.TemporaryDirectory() as root:
        machine = Machine(Path(root))
        for path, text in _NAMES.items():
            machine.write(path, text)
        said = "".join(f"  up {command}\n" for command in commands)
        machine.write("/etc/network/interfaces", _STANZA + said)
        found = ifupdown.profile(machine.paths, read_nic("eth0", machine.paths))
        assert found
    ours.write(
        "/etc/systemd/network/20-eth0.network",
        "[Match]\nName=eth0\n\n" + render(found.sections),
    )
    ours.start(routable=False)
    wait(lambda: len(_routes(ours)) == len(_routes(theirs)), "routes")
    assert _routes(ours) == _routes(theirs)
    assert _rules(ours) == _rules(theirs)


def _routes(lab: Lab) -> list[dict[str, Any]]:
    told = lab.run("ip", "-j", "-N", "-4", "route", "show", "table", "all", "dev", "eth0").stdout
    found = [one for one in json.loads(told or "[]") if one["dst"].startswith("198.51.")]
    for one in found:
        # Of a route whose origin nobody tells ip(8) says 3 (boot), and networkd 4 (static).
        origin = one.get("protocol", "3")
        one["protocol"] = {"3": "4"}.get(origin, origin)
        one.setdefault("table", "254")
    return sorted(found, key=lambda one: str(one["dst"]))


def _rules(lab: Lab) -> list[dict[str, Any]]:
    found = json.loads(lab.run("ip", "-j", "-N", "-4", "rule").stdout)
    for one in found:
        one.pop("protocol", "")  # networkd marks its own
    return sorted(
        (one for one in found if 1000 <= one["priority"] < 2000), key=lambda one: one["priority"]
    )
