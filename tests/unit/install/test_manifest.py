"""What is at a path comes back as it was, and originals are noted once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.errors import Problem
from netfail_hooks.install import manifest, nodes
from netfail_hooks.install.manifest import Handed, Manifest
from netfail_hooks.install.nodes import DIRECTORY, FILE, LINK, Node
from netfail_hooks.paths import Paths

OWNER = (os.geteuid(), os.getegid())
NODES = st.one_of(
    st.builds(
        Node,
        st.just(FILE),
        st.binary(max_size=200),
        st.sampled_from([0o600, 0o644, 0o4755]),
        st.just(OWNER),
    ),
    st.just(Node(LINK, b"../nowhere at all", 0o777, OWNER)),
    st.just(Node(DIRECTORY, mode=0o750, owner=OWNER)),
)


@given(before=st.none() | NODES, after=NODES)
def test_a_path_is_given_back(
    tmp_path_factory: pytest.TempPathFactory, before: Node | None, after: Node
) -> None:
    path = str(tmp_path_factory.mktemp("node") / "it")
    if before:
        nodes.write(path, before)
    assert nodes.read(path) == before
    if before and before.kind == DIRECTORY:
        return  # a directory is never replaced by something else
    if after.kind == DIRECTORY and before:
        return
    nodes.write(path, after)
    assert nodes.read(path) == after
    if before:
        nodes.write(path, before)
    else:
        nodes.remove(path)
    assert nodes.read(path) == before
    assert os.listdir(os.path.dirname(path)) == (["it"] if before else [])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | NODES, NODES), max_size=8))
def test_a_manifest_survives_the_disk_and_keeps_the_oldest_original(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, Node | None, Node]],
) -> None:
    paths = Paths(str(tmp_path_factory.mktemp("root")))
    noted = Manifest(sysctls={"ipv4/conf/eth0/arp_filter": "0"})
    first: dict[str, Node | None] = {}
    for name, before, after in changes:
        noted = noted.noting(f"/etc/{name}", before, after)
        first.setdefault(f"/etc/{name}", before)
    manifest.save(paths, noted)
    assert manifest.load(paths) == noted
    assert {entry.path: entry.before for entry in noted.entries} == first
    for name, _, after in changes:
        entry = noted.entry(f"/etc/{name}")
        assert entry is not None
        assert entry.is_ours(after)
    assert os.stat(paths.manifest).st_mode & 0o777 == 0o600


def test_what_lies_there_half_written_is_no_obstacle(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    with open(nodes.beside(path), "wb") as file:
        file.write(b"half")
    nodes.write(path, Node(FILE, b"whole", 0o644, OWNER))
    assert os.listdir(tmp_path) == ["file"]


def test_a_directory_with_something_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "theirs").touch()
    assert not nodes.remove(str(tmp_path / "d"))
    (tmp_path / "d" / "theirs").unlink()
    assert nodes.remove(str(tmp_path / "d"))
    assert nodes.remove(str(tmp_path / "d"))


def test_a_device_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="neither a file"):
        nodes.read(str(tmp_path / "pipe"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99}', '{"schema": 1, "entries": 3}'])
def test_a_damaged_manifest_is_told_and_nothing_done(tmp_path: Path, text: str) -> None:
    paths = Paths(str(tmp_path))
    os.makedirs(os.path.dirname(paths.manifest))
    with open(paths.manifest, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(Problem, match="cannot make sense of it"):
        manifest.load(paths)


def test_a_manifest_of_before_its_key_was_renamed_is_read(tmp_path: Path) -> None:
    """Else neither install nor uninstall, nor the package's removal, would do a thing any more."""
    paths = Paths(str(tmp_path))
    noted = Manifest(sysctls={"ipv4/conf/eth0/arp_filter": "0"}, default_route_order=("b", "a"))
    manifest.save(paths, noted)
    file = Path(paths.manifest)
    text = file.read_text(encoding="ascii")
    file.write_text(text.replace('"default_route_order"', '"ways"'), encoding="ascii")
    assert manifest.load(paths) == noted


def test_an_uplink_of_another_managers_is_known_again(tmp_path: Path) -> None:
    """Older versions, which wrote three words, read what says nothing of a fourth."""
    paths = Paths(str(tmp_path))
    plain = Handed("eth0", "NetworkManager", "a uuid")
    joined = Handed("wlan0", "dhcpcd", joined_by="wpa_supplicant@wlan0.service")
    manifest.save(paths, Manifest(handed=(plain, joined)))
    noted = manifest.load(paths)
    assert noted
    assert noted.handed == (plain, joined)
    assert manifest.plain_handed(plain) == ["eth0", "NetworkManager", "a uuid"]
    for words in (["eth0"], ["eth0", "dhcpcd", "", "a", "b"]):
        with pytest.raises(ValueError, match="unpack"):
            manifest.handed(words)
