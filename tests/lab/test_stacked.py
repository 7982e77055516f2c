"""What sits on an uplink that changes hands: refused where that would be lost, else it lives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.lab.booted import Booted, running
from tests.lab.handed import PAIR, Handed
from tests.lab.led import MANAGERS, led_by
from tests.lab.managed import PROFILES, UUID, Managed
from tests.lab.raised import INTERFACES, Raised
from tests.lab.suite import wait

_HOLD = """
ip link add name br9 type bridge
ip address add 10.9.9.1/24 dev br9
ip link set br9 up
ip link set eth0 master br9
"""
# Each has what only its own link's going down would take: IPv6 addresses and routes beyond.
_CARRY = """
set -e
ip link add link eth0 name on0 type macvlan mode bridge
ip link add link eth0 name on1 type macvtap mode bridge
ip link add name on2 type vxlan id 7 dstport 4789 dev eth0
for n in 0 1 2; do
    ip link set on$n up
    ip address add 10.8.$n.1/24 dev on$n
    ip address add fd00:8:$n::1/64 dev on$n nodad
    ip route add 10.9.$n.0/24 via 10.8.$n.2
    ip route add fd00:9:$n::/64 via fd00:8:$n::2
done
"""
_CARRIED = """
ip -o link show | sed -n 's/^[0-9]*: \\(on[0-9]@*[a-z0-9]*\\).*<\\(.*\\)> mtu.*/\\1 \\2/p'
ip -o address | sed -n '/ on[0-9] /{s/^[0-9]*: //; s/valid_lft.*//; p}' | sort
(ip route; ip -6 route) | grep 'dev on' | sed 's/ expires [0-9]*sec//' | sort
"""


@pytest.fixture
def handed(request: pytest.FixtureRequest) -> Iterator[Handed]:
    with led_by(request.param, shown=40) as lab:
        yield lab


def _hold(lab: Booted) -> None:
    lab.run("sh", "-ec", _HOLD).check_returncode()
    assert lab.run("ip", "link", "show", "master", "br9").stdout


def _refused(lab: Booted, why: str, *options: str) -> None:
    """Fail unless an install is refused for that, and br9 has its cable still."""
    done = lab.netfail("install", *PAIR, *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stderr, done.stderr
    assert "eth0" in lab.run("ip", "link", "show", "master", "br9").stdout


@pytest.mark.share(1)
@pytest.mark.parametrize("handed", MANAGERS, indirect=True)
def test_a_bridge_on_an_uplink_is_refused_by_name(handed: Handed) -> None:
    lab = handed
    _hold(lab)
    before = lab.settled()
    for options in ((), ("--dhcp", "eth0"), ("--dhcp", "eth0", "--dry-run")):
        _refused(lab, "eth0 is a part of br9 (bridge)", *options)
    assert lab.state() == before


def _downs(lab: Booted) -> str:
    return lab.read("/sys/class/net/eth0/carrier_down_count")


@pytest.mark.share(1)
@pytest.mark.parametrize("handed", MANAGERS, indirect=True)
def test_what_an_uplink_carries_lives_on_there_and_back(handed: Handed) -> None:
    lab = handed
    lab.run("sh", "-ec", _CARRY).check_returncode()
    carried = lab.run("sh", "-c", _CARRIED).stdout
    assert carried.count("on") > 15, carried
    for words in (("install", *PAIR), ("uninstall", "--yes")):
        downs = _downs(lab)
        lab.told(*words)
        # With the link a VLAN, for which there may be no driver here, would have gone down.
        assert (_downs(lab) != downs) == isinstance(lab, Raised), words
        with contextlib.suppress(AssertionError):
            wait(lambda: lab.run("sh", "-c", _CARRIED).stdout == carried, "all", seconds=10)
        now = lab.run("sh", "-c", _CARRIED).stdout
        assert now.splitlines() == carried.splitlines(), words


def test_networkd_alone_and_an_uplink_that_becomes_a_part_of_a_bridge_is_told() -> None:
    with running() as lab:
        _hold(lab)
        before = lab.run("sh", "-c", "find /etc -type f | sort; ip -o address").stdout
        for options in ((), ("--dhcp", "eth0", "--interval", "1")):
            _refused(lab, "eth0 is a part of br9 (bridge)", *options)
        assert lab.run("sh", "-c", "find /etc -type f | sort; ip -o address").stdout == before
        lab.run("ip", "link", "set", "eth0", "nomaster").check_returncode()
        lab.run("sh", "-ec", _CARRY).check_returncode()
        carried = lab.run("sh", "-c", _CARRIED).stdout
        done = lab.netfail("install", *PAIR)
        assert done.returncode == 0, done.stderr
        assert lab.run("sh", "-c", _CARRIED).stdout == carried
        lab.run("ip", "link", "del", "on0")
        lab.run("ip", "link", "del", "on1")  # a NIC that carries one is no bridge's
        lab.run("ip", "link", "set", "eth0", "master", "br9").check_returncode()
        found = json.loads(lab.netfail("doctor", "--json").stdout)["findings"]
        told = {one["code"]: one for one in found}["uplink-enslaved"]
        assert told["what"] == "eth0 is a part of br9"
        for command in told["fix"]:
            lab.run("sh", "-c", command).check_returncode()
        assert not lab.run("ip", "link", "show", "master", "br9").stdout


def test_what_networkmanager_makes_of_an_uplink_is_refused_up_or_not() -> None:
    with Managed() as lab:
        lab.start_dhcp()
        lab.write_profiles()
        text = (
            f"[connection]\nid=guests\nuuid={UUID.format(8)}\ntype=macvlan\ninterface-name=mv8\n"
            "autoconnect=false\n\n[macvlan]\nmode=2\nparent=eth0\n\n"
            "[ipv4]\nmethod=manual\naddress1=10.6.6.1/24\n\n[ipv6]\nmethod=disabled\n"
        )
        lab.write(f"{PROFILES}/guests.nmconnection", text, mode=0o600)
        lab.start_manager()
        before = lab.settled()
        for options in ((), ("--dhcp", "eth0")):
            done = lab.netfail("install", *PAIR, *options)
            assert done.returncode == 2, done.stdout
            assert "a macvlan of NetworkManager's is on eth0" in done.stderr
        assert lab.state() == before


def test_a_bridge_that_a_boot_would_make_is_refused() -> None:
    with running() as lab:
        lab.write(INTERFACES, "auto br9\niface br9 inet manual\n  bridge_ports regex eth.*\n")
        done = lab.netfail("install", *PAIR, "--dhcp", "eth0")
        assert done.returncode == 2, done.stdout
        assert "br9 sits on eth0, and ifupdown raises that at boot" in done.stderr
