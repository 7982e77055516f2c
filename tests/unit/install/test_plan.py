"""Which steps lead from the files that are there to those that are wanted, and in what order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netfail_hooks.install import nodes
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange, diff, file_changes, in_order
from netfail_hooks.paths import Paths


def _file(text: str, mode: int = 0o644) -> Node:
    return Node(nodes.FILE, text.encode(), mode)


NEW = _file("new\n")
OLD = _file("old\n")


def _put(paths: Paths, path: str, node: Node) -> None:
    os.makedirs(os.path.dirname(paths.at(path)), exist_ok=True)
    nodes.write(paths.at(path), node)


def _told(paths: Paths, wanted: dict[str, Node], manifest: Manifest | None = None) -> list[str]:
    return [str(step) for step in file_changes(paths, wanted, manifest or Manifest())]


def test_directories_come_before_what_is_in_them_and_once(tmp_path: Path) -> None:
    wanted = {"/a/b/one": NEW, "/a/b/two": NEW, "/c": NEW}
    assert _told(Paths(str(tmp_path)), wanted) == [
        "make /a/",
        "make /a/b/",
        "write /a/b/one",
        "write /a/b/two",
        "write /c",
    ]


def test_what_is_there_already_is_no_step(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    _put(paths, "/a/one", NEW)
    _put(paths, "/a/two", OLD)
    assert _told(paths, {"/a/one": NEW, "/a/two": NEW}) == ["change /a/two"]


def test_a_step_tells_what_it_does() -> None:
    directory = nodes.directory()
    pairs = ((None, NEW), (OLD, NEW), (OLD, None), (None, directory), (directory, directory))
    told = [str(FileChange("/a", before, after)) for before, after in pairs]
    assert told == ["write /a", "change /a", "remove /a", "make /a/", "set mode of /a/"]


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        (NEW, (), ["remove /etc/x"]),
        (NEW, ("/etc/x",), []),
        (None, (), []),
        (_file("mine\n"), (), []),  # somebody changed it since: theirs now
    ],
    ids=["retired", "still wanted", "gone already", "changed"],
)
def test_what_an_earlier_install_made_goes_unless_wanted_or_changed(
    tmp_path: Path, found: Node | None, wanted: tuple[str, ...], told: list[str]
) -> None:
    paths = Paths(str(tmp_path))
    manifest = Manifest().noting("/etc/x", None, NEW)
    if found:
        _put(paths, "/etc/x", found)
    assert _told(paths, dict.fromkeys(wanted, NEW), manifest) == told


def test_an_original_comes_back_the_config_and_directories_stay(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    config = Paths().config
    manifest = Manifest()
    for path, before, after in (
        ("/etc/x", OLD, NEW),
        (config, None, NEW),
        ("/etc/d", nodes.directory(), NEW),
    ):
        manifest = manifest.noting(path, before, after)
        _put(paths, path, after)
    assert list(file_changes(paths, {}, manifest)) == [FileChange("/etc/x", NEW, OLD)]
    made = Manifest().noting("/etc/e", None, nodes.directory())
    os.makedirs(paths.at("/etc/e"))
    assert list(file_changes(paths, {}, made)) == []


def test_the_last_made_goes_first(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    manifest = Manifest().noting("/etc/x", None, NEW).noting("/etc/y", None, NEW)
    for path in ("/etc/x", "/etc/y"):
        _put(paths, path, NEW)
    assert _told(paths, {}, manifest) == ["remove /etc/y", "remove /etc/x"]


def test_the_uplinks_files_take_an_order_and_the_rest_keeps_its_place() -> None:
    network = "/etc/systemd/network/10-netfail-{}.network"
    paths = ["/a", *map(network.format, ("eth0", "wlan0")), "/b", network.format("usb0")]
    changes = [FileChange(path, None, _file("x")) for path in paths]
    for names, wanted in (
        (("usb0", "eth0", "wlan0"), ("usb0", "eth0", "wlan0")),
        (("usb0",), ("usb0", "eth0", "wlan0")),
        (("wwan0", "wlan0", "eth0"), ("wlan0", "eth0", "usb0")),
        ((), ("eth0", "wlan0", "usb0")),
    ):
        first, second, third = map(network.format, wanted)
        ordered = [change.path for change in in_order(changes, names)]
        assert ordered == ["/a", first, second, "/b", third], names


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    os.mkdir(paths.at("/a"), 0o700)
    assert _told(paths, {"/a/b/one": NEW}) == ["make /a/b/", "write /a/b/one"]


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (None, NEW, ["--- /dev/null", "+++ b/x"]),
        (OLD, NEW, ["--- a/x", "+++ b/x"]),
        (OLD, None, ["--- a/x", "+++ /dev/null"]),
    ],
)
def test_a_diff_names_both_sides(before: Node | None, after: Node | None, names: list[str]) -> None:
    lines = diff([FileChange("/x", before, after)]).splitlines()
    assert [line for line in lines if line.startswith(("---", "+++"))] == names


def test_a_diff_names_modes_and_ends() -> None:
    run = _file("new\n", 0o755)
    assert diff([FileChange("/a", None, NEW)]).splitlines()[:3] == [
        "diff --git a/a b/a",
        "new file mode 0644",
        "--- /dev/null",
    ]
    assert diff([FileChange("/a", OLD, None)]).splitlines()[1] == "deleted file mode 0644"
    assert diff([FileChange("/a", NEW, run)]).splitlines()[1:] == ["old mode 0644", "new mode 0755"]
    assert diff([FileChange("/a", OLD, NEW)]).splitlines()[1:] == [
        "--- a/a",
        "+++ b/a",
        "@@ -1 +1 @@",
        "-old",
        "+new",
    ]
    assert diff([FileChange("/a", None, None)]) == ""
    assert "+bare\n\\ No newline at end of file\n" in diff([FileChange("/a", OLD, _file("bare"))])
    assert diff([FileChange("/d", None, nodes.directory())]).splitlines() == [
        "diff --git a/d b/d",
        "new directory mode 0755",
    ]


def test_files_alike_are_shown_once_and_directories_each() -> None:
    directory = nodes.directory()
    shown = diff(
        [
            FileChange("/a", None, NEW),
            FileChange("/d", None, directory),
            FileChange("/b", None, NEW),
            FileChange("/e", None, directory),
            FileChange("/c", OLD, NEW),
        ]
    )
    heads = [line for line in shown.splitlines() if line.startswith(("diff", "and"))]
    assert heads == [
        "diff --git a/a b/a",
        "and the same at /b",
        "diff --git a/d b/d",
        "diff --git a/e b/e",
        "diff --git a/c b/c",
    ]
