"""What ours were made of changes: each way is told, by whoever looks, and to the journal once."""

from __future__ import annotations

from pathlib import Path

import pytest

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.networkd import match, touched
from netfail_hooks.networkd.drift import drifted
from tests.support.machine import Machine

_CONFIG = Config(default_metrics(("eth0", "wlan0")))
_THEIRS = "/etc/systemd/network/20-eth0.network"
_OURS = "/etc/systemd/network/10-netfail-eth0.network"
# Each changes what networkd would use for eth0 if we were not here: a file, and its text.
_CHANGES = {
    "edited": (_THEIRS, "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"),
    "a drop-in added": (f"{_THEIRS}.d/dns.conf", "[Network]\nDNS=9.9.9.9\n"),
    "a drop-in for this boot": ("/run/systemd/network/20-eth0.network.d/a.conf", "[Network]\n"),
    "masked": (_THEIRS, ""),
    "another one first": ("/run/systemd/network/15-x.network", "[Match]\nName=eth*\n"),
    "another one of the same directory": (
        "/etc/systemd/network/15-e.network",
        "[Match]\nName=eth0\n",
    ),
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    assert machine.install("--primary", "eth0", "--backup", "wlan0", "--yes") == 0
    Path(machine.paths.run).mkdir(parents=True, exist_ok=True)
    return machine


def _told(machine: Machine) -> list[str]:
    return [str(one) for one in drifted(machine.paths, ("eth0", "wlan0"))]


def test_right_after_install_nothing_is_out_of_date(machine: Machine) -> None:
    assert _told(machine) == []
    assert touched.news(machine.paths, _CONFIG) == []


@pytest.mark.parametrize("change", _CHANGES)
def test_each_way_of_changing_is_told_once(machine: Machine, change: str) -> None:
    assert touched.news(machine.paths, _CONFIG) == []
    path, text = _CHANGES[change]
    machine.write(path, text)
    (told,) = touched.news(machine.paths, _CONFIG)
    assert told.startswith(f"{_THEIRS} ")
    assert told.endswith(f" since {_OURS} was made of it")
    assert _told(machine) == [told]
    assert touched.news(machine.paths, _CONFIG) == []
    machine.write("/etc/systemd/network/30-other.network", "[Match]\nName=tun0\n")
    assert touched.news(machine.paths, _CONFIG) == [], "said already"
    assert machine.install("--yes") == 0
    assert _told(machine) == []


def test_a_deleted_file_is_told(machine: Machine) -> None:
    Path(f"{machine.root}{_THEIRS}").unlink()
    assert _told(machine) == [f"{_THEIRS} is gone since {_OURS} was made of it"]


def test_what_was_only_touched_is_not(machine: Machine) -> None:
    assert touched.news(machine.paths, _CONFIG) == []
    machine.write(_THEIRS, machine.read(_THEIRS))
    assert (_told(machine), touched.news(machine.paths, _CONFIG)) == ([], [])


def test_a_drop_in_of_ours_is_the_users_and_in_effect(machine: Machine) -> None:
    machine.write(f"{_OURS}.d/mine.conf", "[Network]\nDNS=9.9.9.9\n")
    assert _told(machine) == []


def test_while_nothing_is_touched_no_file_is_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched.news(machine.paths, _CONFIG)
    monkeypatch.setattr(match, "sources", lambda _: pytest.fail("read again"))
    assert touched.news(machine.paths, _CONFIG) == []


def test_of_netplans_the_file_to_edit_is_netplans(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    Path(f"{tmp_path}{_THEIRS}").unlink()
    made = "/run/systemd/network/10-netplan-eth0.network"
    machine.write(made, "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n")
    assert machine.install("--primary", "eth0", "--backup", "wlan0", "--yes") == 0
    ours = next(path for path in (_OURS, _OURS.replace("10-", "00-")) if machine.has(path))
    first = machine.read(ours).partition("\n")[0]
    assert f"in place of {made}; change /etc/netplan, run 'netplan generate'" in first
    machine.write(made, "[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
    assert _told(machine)[0].startswith(f"{made} has changed")
