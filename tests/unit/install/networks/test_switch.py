"""A user's slave files get another inode when their bond is another one, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netfail_hooks.install.networks.bond import slave_text
from netfail_hooks.install.networks.switch import renew, slave_files
from netfail_hooks.paths import Paths

_SLAVE = "[Match]\nName={}\n[Network]\nBond={}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "etc/systemd/network"
    found.mkdir(parents=True)
    return found


def test_only_the_users_own_slaves_of_the_bond_are_found(tmp_path: Path, place: Path) -> None:
    (place / "20-eth0.network").write_text(_SLAVE.format("eth0", "bond0"))
    (place / "21-wlan0.network").write_text("[Match]\nName=wlan0\n")
    (place / "21-wlan0.network.d").mkdir()
    (place / "21-wlan0.network.d/a.conf").write_text("[Network]\nBond=bond0\n")
    (place / "22-eth1.network").write_text(_SLAVE.format("eth1", "bond1"))
    (place / "23-eth2.network").write_text("[Match]\nName=eth2\n[Network]\nDHCP=yes\n")
    (place / "24-eth3.network").symlink_to("/dev/null")
    (place / "10-netfail-eth0.network").write_text(slave_text("eth0", "bond0", primary=True))
    found = slave_files(Paths(str(tmp_path)), ["bond0"])
    assert [os.path.basename(path) for path in found] == ["20-eth0.network", "21-wlan0.network"]


def test_a_renewed_file_is_the_same_but_for_its_inode(place: Path) -> None:
    file = place / "20-eth0.network"
    file.write_text(_SLAVE.format("eth0", "bond0"))
    file.chmod(0o640)
    os.utime(file, ns=(10**18, 10**18 + 5))
    link = place / "21-eth0.network"
    link.symlink_to(file)
    before, text = file.stat(), file.read_text()
    renew(str(link))
    now = file.stat()
    assert now.st_ino != before.st_ino
    assert (now.st_mode, now.st_uid, now.st_gid, now.st_mtime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
        before.st_mtime_ns,
    )
    assert file.read_text() == text
    assert link.is_symlink()
    assert sorted(path.name for path in place.iterdir()) == ["20-eth0.network", "21-eth0.network"]


def test_a_file_that_is_gone_is_no_matter(place: Path) -> None:
    renew(str(place / "20-eth0.network"))
    assert not list(place.iterdir())
