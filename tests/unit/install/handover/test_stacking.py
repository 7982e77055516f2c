"""What sits on an uplink: who is refused for it, and who is not, by facts that are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse
from netfail_hooks.install.handover import Handover, stacking
from netfail_hooks.install.manifest import Handed, Manifest
from netfail_hooks.managers import dhcpcd, ifupdown
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.networkd.stacked import Upper, uppers
from tests.support.machine import Machine

_PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
_BOND = ("--mode", "bond", *_PAIR)
_MASTERS = ("bridge", "bond", "team", "vrf", "batadv", "openvswitch", "")
_LIVING = ("macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "vxlan")
_DYING = ("vlan", "dsa", "rmnet", "")
_MANAGERS = (NETWORKMANAGER, ifupdown.MANAGER, dhcpcd.MANAGER)
_CONFIG = Config(uplinks=default_metrics(("eth0", "wlan0")))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("options", [(), ("--dhcp", "eth0"), ("--dhcp", "eth0", "--dry-run")])
@pytest.mark.parametrize("kind", _MASTERS)
@pytest.mark.parametrize("file", [True, False])
def test_a_part_of_something_is_refused_by_name(
    machine: Machine, kind: str, options: tuple[str, ...], *, file: bool
) -> None:
    """Also where no ``.network`` file is for it, and none is asked for by options."""
    if not file:
        (machine.root / "etc/systemd/network/20-eth0.network").unlink()
    machine.stack("up0", kind, "eth0", master=True)
    before = machine.shape()
    with pytest.raises(Misuse, match=r"eth0 is a part of up0") as refused:
        machine.install(*_PAIR, *options)
    assert "ip link set eth0 nomaster" in refused.value.hint
    assert machine.shape() == before


def test_a_ring_takes_all_that_its_ports_hear_and_is_no_master(machine: Machine) -> None:
    machine.stack("ring0", "hsr", "wlan0")
    with pytest.raises(Misuse, match=r"wlan0 is a part of ring0 \(hsr\)"):
        machine.install(*_PAIR)


@pytest.mark.parametrize("kind", [*_LIVING, *_DYING])
def test_what_networkds_own_uplink_carries_is_no_matter(machine: Machine, kind: str) -> None:
    """It stays up as it is set up anew. So a VLAN of networkd's own, and of anybody else's."""
    machine.stack("on0", kind, "eth0")
    assert machine.install(*_PAIR) == 0


def test_a_bond_of_ours_is_none_of_somebodys(machine: Machine) -> None:
    assert machine.install(*_BOND) == 0
    for name in ("eth0", "wlan0"):
        machine.stack("bond0", "bond", name, master=True)
    assert machine.install(*_BOND) == 0
    assert machine.install("--mode", "routes", *_PAIR) == 0
    assert machine.install("--mode", "routes", *_PAIR) == 0  # whose first run was killed


def test_a_bond_by_hand_is_somebodys_whatever_its_name(machine: Machine) -> None:
    machine.stack("bond0", "bond", "eth0", master=True)
    with pytest.raises(Misuse, match=r"eth0 is a part of bond0 \(bond\)"):
        machine.install(*_PAIR)
    assert machine.install(*_BOND) == 0  # which makes it what it is to be


def test_a_bond_of_the_users_is_told_by_its_file(machine: Machine) -> None:
    machine.stack("lag", "bond", "eth0", master=True)
    machine.write("/etc/systemd/network/20-eth0.network", "[Match]\nName=eth0\n[Network]\nBond=lag")
    with pytest.raises(Misuse, match="Bond=lag makes this NIC part of another one"):
        machine.install(*_PAIR)


@pytest.mark.parametrize("line", ["Bridge=br0", "VRF=br0", "BatmanAdvanced=br0"])
def test_a_master_that_is_kept_is_not_named(machine: Machine, line: str) -> None:
    """KeepMaster=yes leaves it, and what is named beside it is without effect."""
    machine.stack("br0", "bridge", "eth0", master=True)
    text = f"[Match]\nName=eth0\n[Network]\nDHCP=yes\nKeepMaster=yes\n{line}\n"
    machine.write("/etc/systemd/network/20-eth0.network", text)
    with pytest.raises(Misuse, match="eth0 is a part of br0"):
        machine.install(*_PAIR)


_DRAWN = st.lists(st.tuples(st.sampled_from([*_LIVING, *_DYING]), st.booleans()), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_DRAWN, st.sampled_from(_MANAGERS), st.booleans())
def test_what_goes_with_an_uplinks_manager_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, bool]],
    manager: str,
    now: bool,  # noqa: FBT001
) -> None:
    """A kind of each, and whether NetworkManager has it."""
    machine = Machine(tmp_path_factory.mktemp("drawn"))
    for number, (kind, _) in enumerate(drawn):
        machine.stack(f"on{number}", kind, "eth0")
    managers = [f"on{number}" for number, (_, has) in enumerate(drawn) if has]
    lost = [stacking.why_lost(one, manager, managers) for one in uppers(machine.paths, "eth0")]
    dying = any(kind in _DYING for kind, _ in drawn)
    wanted = {ifupdown.MANAGER: dying, NETWORKMANAGER: bool(managers), dhcpcd.MANAGER: False}
    assert any(lost) == wanted[manager]
    handover = Handover((Handed("eth0", manager),), ("eth0",) if now else ())
    stacking.refuse_held(machine.paths, _CONFIG, Manifest())
    if now and dying and manager == ifupdown.MANAGER:
        with pytest.raises(Misuse, match="as ifdown puts that down"):
            stacking.refuse_carried(machine.paths, handover)
    else:
        stacking.refuse_carried(machine.paths, handover)


def test_what_it_is_a_part_of_comes_first(machine: Machine) -> None:
    assert uppers(machine.paths, "eth0") == ()
    assert uppers(machine.paths, "gone0") == ()
    machine.stack("a0", "vlan", "eth0")
    machine.stack("z0", "bridge", "eth0", master=True)
    assert uppers(machine.paths, "eth0") == (Upper("z0", "bridge", holds=True), Upper("a0", "vlan"))
    assert str(Upper("z0")) == "z0"
