"""A tree below ``--root`` is a world of its own: its links end in it, and all is given back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.chase import chase
from tests.support.machine import HOWTO, Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
_NAMES = ("a", "b", "c")
_paths = st.lists(st.sampled_from([*_NAMES, "..", "."]), min_size=1, max_size=4).map("/".join)
_targets = st.builds(str.__add__, st.sampled_from(["", "/", "../", "/../"]), _paths)


def _build(top: Path, links: dict[str, str]) -> None:
    """Make a tree of two levels; each path without a link is a directory, or a file at the end."""
    for first in _NAMES:
        for path in (first, *(f"{first}/{second}" for second in _NAMES)):
            place = top / path
            if not place.parent.is_dir() or place.parent.is_symlink():
                continue
            if path in links:
                place.symlink_to(links[path])
            elif "/" in path:
                place.write_text(path)
            else:
                place.mkdir()


def _read(place: str) -> str:
    try:
        return Path(place).read_text()
    except OSError as error:
        return f"error {error.errno}"


def _read_in_chroot(top: Path, path: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.chroot(top)
        os.chdir("/")
        os.write(writing, _read(path).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as file:
        return file.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(
    st.dictionaries(
        st.sampled_from([*_NAMES, *(f"{x}/{y}" for x in _NAMES for y in _NAMES)]), _targets
    ),
    _paths.map("/".__add__),
)
def test_links_lead_where_chroot_lets_them(
    tmp_path: Path, links: dict[str, str], path: str
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as outer:
        top = Path(outer, "root")
        top.mkdir()
        _build(top, links)
        for name in _NAMES:  # what lies beyond
            Path(outer, name).write_text("outside")
        expected = _read_in_chroot(top, path)
        try:
            found = _read(chase(str(top), path, last=True))
        except OSError as error:
            found = f"error {error.errno}"
        if expected.startswith("error"):  # we go up from what is no directory, too
            assert found != "outside"
        else:
            assert found == expected


def test_a_link_at_the_end_is_itself_where_it_is_what_is_written() -> None:
    with tempfile.TemporaryDirectory() as top:
        Path(top, "x").symlink_to("/y")
        assert chase(top, "/x", last=False) == f"{top}/x"
        assert chase(top, "/x", last=True) == f"{top}/y"
        assert chase(top, "/x/", last=False) == f"{top}/x/"
        assert chase(top, "/x/z", last=False) == f"{top}/y/z"
        assert chase(top, "", last=True) == top


@pytest.mark.parametrize("kind", ["directory", "file", "drop-ins", "config", "above"])
def test_an_absolute_link_of_the_image_is_followed_in_it(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "20-eth0.network").write_text(HOWTO.format(name="eth0", host=99))
    machine = Machine(tmp_path / "image")
    (tmp_path / "image/var/log").mkdir()
    inside = Path(f"{machine.root}{outside}")
    inside.mkdir(parents=True)
    network = Path(machine.paths.network)
    if kind == "directory":
        for file in network.iterdir():
            file.rename(inside / file.name)
        network.rmdir()
        network.symlink_to(outside)
    elif kind == "file":
        (network / "20-eth0.network").rename(inside / "20-eth0.network")
        (network / "20-eth0.network").symlink_to(outside / "20-eth0.network")
    elif kind == "drop-ins":
        (outside / "10-more.conf").write_text("[Network]\nNTP=10.9.9.9\n")
        (inside / "10-more.conf").write_text("[Network]\nNTP=10.0.0.1\n")
        (network / "20-eth0.network.d").symlink_to(outside)
    elif kind == "config":
        text = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
        (outside / "config.toml").write_text("wrong")
        (inside / "config.toml").write_text(f"# ours\n{text}")
        os.makedirs(os.path.dirname(machine.paths.config))
        os.symlink(outside / "config.toml", machine.paths.config)
    else:
        os.rename(f"{machine.root}/etc/systemd", inside / "systemd")
        os.symlink(outside / "systemd", f"{machine.root}/etc/systemd")
    before = machine.shape()
    beyond = {path: path.read_bytes() for path in outside.iterdir()}
    assert machine.install(*PAIR) == 0
    ours = Path(machine.paths.through("/etc/systemd/network/10-netfail-eth0.network"))
    assert "192.168.1.252/24" in ours.read_text()
    assert ("10.0.0.1" in ours.read_text()) is (kind == "drop-ins")
    assert {path: path.read_bytes() for path in outside.iterdir()} == beyond
    assert machine.uninstall("--yes") == 0
    assert machine.shape() == before
    assert {path: path.read_bytes() for path in outside.iterdir()} == beyond


@pytest.mark.parametrize("there", ["", "/var", "/var/lib", "/var/lib/netfail-hooks"])
def test_uninstall_leaves_no_directory_that_install_made(tmp_path: Path, there: str) -> None:
    machine = Machine(tmp_path)
    os.removedirs(f"{tmp_path}/var/lib")
    os.makedirs(f"{tmp_path}{there}", exist_ok=True)
    before = machine.shape()
    assert machine.install(*PAIR) == 0
    assert machine.install(*PAIR, "--interval", "7") == 0
    assert machine.uninstall("--yes") == 0
    before.pop(f"{tmp_path}/var/lib/netfail-hooks", None)  # by whose name it is ours
    assert machine.shape() == before


def test_nor_does_an_install_that_fails(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    os.removedirs(f"{tmp_path}/var/lib")
    os.makedirs(f"{tmp_path}/etc/systemd/system/netfail-hooks-check.timer/x")
    before = machine.shape()
    with pytest.raises(OSError, match="directory"):
        machine.install(*PAIR)
    assert machine.shape() == before
