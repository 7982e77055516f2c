"""What interfaces(5) puts on a NIC: by whose options, by which patterns and commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Unfit, ifupdown, interfaces, stacked
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_OWN = "auto eth0\niface eth0 inet {}\n"
_MANUAL, _DHCP = _OWN.format("manual"), _OWN.format("dhcp")
_BRIDGE = "auto br0\niface br0 inet dhcp\n  "


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _read(machine: Machine, text: str) -> interfaces.Interfaces:
    machine.write(interfaces.TOP, text)
    known = interfaces.read(machine.paths)
    assert not known.wrong
    return known


_HELD = (
    "bridge_ports eth0",
    "bridge-ports wlan0 eth0",
    "bridge_ports all",
    "bridge_ports regex eth.*",
    "bridge_ports regex wlan.* noregex eth0",
    "bridge_ports regex eth0|nothing",
    "bridge_ports regex eth[[:digit:]]+",
    "bridge_ports regex (",
    "bond-slaves eth0 eth1",
    "bond_slaves all",
    "slaves eth0",
    "ovs_ports eth0 tap0",
    "up brctl addif br0 eth0",
    "pre-up ip link set eth0 master $IFACE",
    "post-up ip link set dev eth0 up; ip link set dev eth0 master br0",
    "up ovs-vsctl add-port br0 eth0",
    "up ifenslave bond0 eth0",
    "up echo +eth0 >/sys/class/net/bond0/bonding/slaves",
    "up batctl if add eth0",
)
_FREE = (
    "bridge_ports none",
    "bridge_ports wlan0 eth01",
    "bridge_ports regex wlan.* noregex eth",
    "bridge_ports regex eth[1-9]",
    "bridge_ports eth.*",
    "bridge_fd 0",
    "bond-slaves none",
    "up ip link set eth0 up",
    "up ip link set eth0 nomaster",
    "up ip route add 192.0.2.0/24 dev eth0",
    "up iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
    "up ip link add mv0 link eth0 type macvlan mode bridge",
)


@pytest.mark.parametrize("own", [_MANUAL, _DHCP, ""])
@pytest.mark.parametrize("line", _HELD)
def test_what_takes_a_nic_in_is_known(machine: Machine, own: str, line: str) -> None:
    """Whatever its own stanza says: Debian's usual one for a bridge's port says nothing."""
    known = _read(machine, own + _BRIDGE + line + "\n")
    found = list(stacked.held_by(known, "eth0"))
    assert found
    assert all(stacked.at_boot(known, one) for _, one in found)
    if own:
        with pytest.raises(Unfit, match="which ifupdown puts down as it lets go of it"):
            ifupdown.profile(machine.paths, read_nic("eth0", machine.paths))


@pytest.mark.parametrize("line", _FREE)
def test_what_leaves_it_alone_is_no_matter(machine: Machine, line: str) -> None:
    known = _read(machine, _MANUAL + _BRIDGE + line + "\n")
    assert not list(stacked.held_by(known, "eth0"))
    assert not list(stacked.carried_by(known, "eth0"))
    assert ifupdown.profile(machine.paths, read_nic("eth0", machine.paths)) is None


@pytest.mark.parametrize(
    "text",
    [
        "iface eth0.10 inet dhcp\n",
        "iface eth0.10 inet manual\n",
        "iface lan inet dhcp\n  vlan-raw-device eth0\n",
        "iface lan inet dhcp\n  vlan_raw_device eth0\n",
        "iface vx inet static\n  address 10.0.0.1/24\n  vxlan-physdev eth0\n",
        "iface br0 inet dhcp\n  bridge_ports eth0.10\n",
    ],
)
def test_what_a_nic_carries_goes_down_with_it(machine: Machine, text: str) -> None:
    known = _read(machine, _MANUAL + text)
    assert list(stacked.carried_by(known, "eth0"))
    assert not list(stacked.held_by(known, "eth0"))
    assert not list(stacked.carried_by(known, "eth1"))
    with pytest.raises(Unfit):
        ifupdown.profile(machine.paths, read_nic("eth0", machine.paths))


@pytest.mark.parametrize("line", ["bond-master bond0", "bond_master bond0", "ovs_bridge br0"])
def test_what_the_parts_own_stanza_says(machine: Machine, line: str) -> None:
    for own in ("auto eth0\niface eth0 inet manual\n", "auto eth0=lan\niface lan inet manual\n"):
        known = _read(machine, f"{own}  {line}\n")
        ((told, one),) = stacked.held_by(known, "eth0")
        assert told == f"{line.split()[1]} sits on eth0"
        assert stacked.at_boot(known, one)


@pytest.mark.parametrize(
    ("text", "at_boot"),
    [
        ("auto br0\n", True),
        ("allow-hotplug br0\n", True),
        ("auto br0=home\n", False),
        ("auto lan0=br0\n", True),
        ("auto /br*\n", True),
        ("allow-mine br0\n", False),
        ("", False),
    ],
)
def test_whether_a_boot_makes_it_so(
    machine: Machine,
    text: str,
    at_boot: bool,  # noqa: FBT001
) -> None:
    known = _read(machine, f"{text}iface br0 inet dhcp\n  bridge_ports eth0\n")
    (found,) = stacked.held_by(known, "eth0")
    assert stacked.at_boot(known, found[1]) == at_boot
    machine.write("/sbin/ifup", "", mode=0o755)
    if not at_boot:
        assert machine.install("--primary", "eth0", "--backup", "wlan0", "--yes") == 0
        return
    before = machine.shape()
    for options in ((), ("--dhcp", "eth0"), ("--dhcp", "eth0", "--dry-run")):
        with pytest.raises(Misuse, match="br0 sits on eth0, and ifupdown raises that at boot"):
            machine.install("--primary", "eth0", "--backup", "wlan0", "--yes", *options)
    assert machine.shape() == before


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.sampled_from(["e", "t", "h", "0", ".", "*", "|", "[0-9]", "+", "?"]), min_size=1),
    st.sampled_from(["eth0", "eth1", "e", "th", "enp3s0"]),
)
def test_a_pattern_is_egreps(machine: Machine, pieces: list[str], name: str) -> None:
    """What bridge-utils asks of it. Of one that Python can't read, that it fits."""
    pattern = "".join(pieces)
    if pattern in ("all", "regex", "noregex"):
        return
    words = ["grep", "-E", "-q", "-e", f"^{pattern}$"]
    done = subprocess.run(words, input=f"{name}\n", text=True, capture_output=True, check=False)
    known = _read(machine, f"iface br0 inet dhcp\n  bridge_ports regex {pattern}\n")
    found = bool(list(stacked.held_by(known, name)))
    assert found or done.returncode != 0
    if pattern[0] not in "*+?|" and not any(s in pattern for s in ("**", "++", "+*", "*+", "?+")):
        assert found == (done.returncode == 0)
