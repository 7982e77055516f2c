"""What of NetworkManager's an ordinary user may not read is said, and taken for no change."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.managers import networkmanager, sources
from netfail_hooks.managers.drift import drifted
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine
from tests.support.nobody import as_nobody

_CONFIG = Config(default_metrics(("eth0", "wlan0")))
NETWORK = "/etc/systemd/network"
_SAVED = "/etc/NetworkManager/system-connections"
_KEYFILE = f"{_SAVED}/home.nmconnection"
_CONF = "/etc/NetworkManager/conf.d"
_DENIED = "/var/lib/NetworkManager/no-auto-default.state"
_PROFILE = "[connection]\nid=home\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n"


def _taken_over(root: Path, *, keyfile: bool) -> Machine:
    """Return a machine whose eth0 was NetworkManager's, by a keyfile or by its own default."""
    machine = Machine(root)
    os.unlink(f"{root}/etc/systemd/network/20-eth0.network")
    machine.write(f"{_CONF}/mine.conf", "[connection]\nipv6.method=disabled\n")
    machine.write(_DENIED, "02:00:00:00:00:77\n")
    if keyfile:
        machine.write(_KEYFILE, _PROFILE, mode=0o600)
    whose = _KEYFILE if keyfile else "the settings of NetworkManager"
    profile = networkmanager.profile(machine.paths, read_nic("eth0", machine.paths), made_of=whose)
    assert profile
    source = sources.as_source(profile)
    machine.write(
        "/etc/systemd/network/10-netfail-eth0.network",
        f"# netfail-hooks: in place of {source.path}; change that\n"
        f"# netfail-hooks: made of {source.fingerprint}\n[Match]\nName=eth0\n",
    )
    return machine


def _seen(machine: Machine) -> list[list[str]]:
    unknown: list[Problem] = []
    found = list(drifted(machine.paths, _CONFIG, unknown))
    assert all(isinstance(problem, NotPermitted) for problem in unknown)
    return [found, list(map(str, unknown))]


@pytest.mark.parametrize(
    ("path", "mode", "keyfile"),
    [
        (_KEYFILE, 0o600, True),
        (_SAVED, 0o700, True),
        (_SAVED, 0o744, True),
        (_SAVED, 0o700, False),
        (_CONF, 0o700, False),
        (f"{_CONF}/mine.conf", 0o600, False),
        (os.path.dirname(_DENIED), 0o700, False),
    ],
)
def test_it_is_unknown_to_others_and_known_to_root(
    tmp_path: Path, path: str, mode: int, *, keyfile: bool
) -> None:
    tmp_path.chmod(0o755)
    machine = _taken_over(tmp_path, keyfile=keyfile)
    os.makedirs(f"{tmp_path}{_SAVED}", exist_ok=True)
    os.chmod(f"{tmp_path}{path}", mode)
    assert _seen(machine) == [[], []]
    found, (unknown,) = as_nobody(lambda: _seen(machine))
    assert found == []
    what = _KEYFILE if keyfile else "the settings of NetworkManager for eth0"
    assert unknown == f"whether {what} has changed since install: use sudo"


@settings(max_examples=20, deadline=None)
@given(
    others=st.lists(
        st.tuples(st.sampled_from("0aguz"), st.sampled_from([0o600, 0o700])), max_size=4
    ),
    place=st.sampled_from([_SAVED, "/run/NetworkManager/system-connections", NETWORK]),
)
def test_no_file_is_named_to_others_that_may_be_nobodys_concern(
    others: list[tuple[str, int]], place: str
) -> None:
    """Guests' Wi-Fi, another cable's: whatever comes first, and wherever it is."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top)
        root.chmod(0o755)
        machine = _taken_over(root, keyfile=True)
        ending = "network" if place == NETWORK else "nmconnection"
        for at, (start, mode) in enumerate(others):
            text = "[Match]\nName=usb0\n" if place == NETWORK else _PROFILE.replace("eth0", "usb0")
            machine.write(f"{place}/{start}guests{at}.{ending}", text, mode=mode)
        assert _seen(machine) == [[], []]
        found, unknown = as_nobody(lambda: _seen(machine))
        assert found == []
        assert not [one for one in unknown if "guests" in one], unknown
        assert any("has changed since install: use sudo" in one for one in unknown)


def test_what_everybody_may_read_is_judged_by_everybody(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    machine = _taken_over(tmp_path, keyfile=False)
    assert as_nobody(lambda: _seen(machine)) == [[], []]
    machine.write(_DENIED, "02:00:00:00:00:00\n")
    found, unknown = as_nobody(lambda: _seen(machine))
    assert unknown == []
    assert [one.partition(" is gone")[0] for one in found] == ["the settings of NetworkManager"]
