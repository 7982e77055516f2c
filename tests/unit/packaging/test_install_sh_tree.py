"""install.sh on a Debian of its own: what that lacks, and what of it is nobody else's to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.support import ROOT, sh_blocks
from tests.support.debian_tree import Tree
from tests.support.install_sh import Snapshot, snapshot
from tests.support.machine import HOWTO
from tests.unit.packaging.test_deb import HOOK
from tests.unit.packaging.test_newer_python import IN_A_VENV, INSTALL, LIB, UNINSTALL, with_checkout

IMAGE = "--root /image"
_NO_PYTHON = "mount --bind /dev/null /usr/bin/python3.11"
_NO_PIP = "mount -t tmpfs none /usr/share/python-wheels"
_NO_DISPATCHER = "mount --bind /dev/null /usr/bin/networkd-dispatcher"
_DEMO = "/opt/checkout/.demo"
_TERMINALS = "mount -t devpts -o ptmxmode=666 none /dev/pts; mount --bind /dev/pts/ptmx /dev/ptmx"
_THEIRS = "/opt/theirs"
_FROM_WHEELS = "[global]\nno-index = true\nfind-links = /opt/wheels\n"
_RUN_HOOK = f"IFACE=lo {HOOK}"
# Hooks as that version of install.sh had them written, too.
_OF_THE_VENV = (
    f"sed -i 's,{LIB}/packages,{LIB}/venv/lib/python3.11/site-packages,' "
    "/etc/networkd-dispatcher/*/50-netfail-hooks"
)


_OLD_PYTHON = """\
Package: python3
Status: install ok installed
Architecture: all
Version: {version}
Maintainer: nobody <nobody@example.org>
Description: as old as its release

"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = with_checkout(tmp_path_factory.mktemp("tree"))
    tree.sh("mkdir -p /image/etc /image/var/lib")
    return tree


def _program(tree: Tree) -> Snapshot:
    return snapshot(tree.root / "usr/local")


def test_python_is_installed_where_there_is_none(tree: Tree) -> None:
    """As far as apt-get goes here, which has no network, and takes what is hidden for installed."""
    for words in ("", " --dry-run"):
        done = tree.run(f"{_NO_PYTHON}; {INSTALL}{words}")
        assert done.returncode == 1
        does = "would install" if words else "installing"
        assert f"install.sh: {does} python3 python3-venv\n" in done.stderr, done.stderr
        assert "install.sh: no Python 3.11 or newer here" in done.stderr
    assert not (tree.root / LIB[1:]).exists()


@pytest.mark.parametrize("version", ["3.9.2-3", "3.10.6-1~22.04", "3.7.3-1"])
@pytest.mark.parametrize("asked", [INSTALL, f"{INSTALL} --dry-run", f"{INSTALL} --demo"])
def test_a_release_whose_python_is_too_old_is_told_before_anything_is_installed(
    tree: Tree, version: str, asked: str
) -> None:
    """A Raspberry Pi OS from before Bookworm, Ubuntu before 24.04: apt has no other Python."""
    status = tree.root / "var/lib/dpkg/status"
    before = status.read_text(encoding="utf-8") if status.exists() else ""
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(_OLD_PYTHON.format(version=version), encoding="utf-8")
    try:
        done = tree.run(f"{_NO_PYTHON}; {asked}")
    finally:
        status.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    has = ".".join(version.split(".")[:2])
    assert f" has Python {has}, and this takes 3.11 or newer; upgrade to Debian 12," in line


def test_a_dry_run_takes_no_library(tree: Tree) -> None:
    done = tree.run(f"{_NO_PIP}; {INSTALL} --dry-run")
    assert done.returncode == 0, done.stderr
    assert "would install python3-venv" in done.stderr
    assert "+++ b/etc/systemd/network/10-netfail-eth0.network" in done.stdout
    assert not (tree.root / _DEMO[1:]).exists()


def test_what_readme_tells_to_type_works_for_an_ordinary_user(tree: Tree) -> None:
    """All but the demo, of which tests/lab sees the same: a chroot has no namespaces for him."""
    demo, *lines = sh_blocks(ROOT / "README.md")[0].splitlines()
    assert demo.startswith("./install.sh --demo ")
    for name, host in (("eth0", 252), ("wlan0", 25)):
        file = tree.root / f"etc/systemd/network/20-{name}.network"
        file.write_text(HOWTO.format(name=name, host=host), encoding="utf-8")
    (tree.root / "etc/pip.conf").write_text(_FROM_WHEELS, encoding="ascii")
    tree.sh(f"{_TERMINALS}; cp -R /opt/checkout {_THEIRS}; chown -R nobody: {_THEIRS}")
    before = tree.files()
    shown, _ = (_as_typed(tree, line) for line in lines)
    assert "+++ b/etc/systemd/network/10-netfail-eth0.network" in shown[0]
    assert shown[1] == before
    assert (tree.root / HOOK[1:]).exists()
    tree.sh(f"{UNINSTALL}; rm -rf {_THEIRS} /etc/pip.conf /etc/systemd/network/20-*")


def _as_typed(tree: Tree, line: str) -> tuple[str, dict[str, tuple[int, int, int, str]]]:
    """Type a line on a terminal, and y if it asks; return what it tells, and the files after it."""
    command, *words = line.partition("#")[0].split()
    if command == "sudo":  # there is none
        typed = f"SUDO_UID=$(id -u nobody) {' '.join(words)}"
    else:
        typed = f"setpriv --reuid=nobody --regid=nogroup --clear-groups {command} {' '.join(words)}"
    terminal = f"echo y | script --quiet --return --command '{typed}' /dev/null"
    told = tree.sh(f"{_TERMINALS}; cd {_THEIRS}; {terminal}")
    return told, tree.files()


def test_without_a_dispatcher_none_is_installed_now_or_later(tree: Tree) -> None:
    wants = "would install networkd-dispatcher"
    config = tree.root / "etc/netfail-hooks/config.toml"
    assert wants in tree.sh(f"{_NO_DISPATCHER}; {INSTALL} --dry-run")
    assert wants not in tree.sh(f"{_NO_DISPATCHER}; {INSTALL} --dry-run --without-dispatcher")
    tree.sh(f"{_NO_DISPATCHER}; {INSTALL} --without-dispatcher")
    assert "dispatcher = false" in config.read_text(encoding="utf-8")
    assert not list((tree.root / "etc/networkd-dispatcher").glob("*/50-netfail-hooks"))
    assert wants not in tree.sh(f"{_NO_DISPATCHER}; {INSTALL} --dry-run")
    assert wants in tree.sh(f"{_NO_DISPATCHER}; {INSTALL} --dry-run --with-dispatcher")
    tree.sh(UNINSTALL)
    assert not config.exists()
    assert not (tree.root / LIB[1:]).exists()


@pytest.fixture
def running(tree: Tree) -> Iterator[Callable[[str], None]]:
    """Yield what has units run, as systemctl tells: a tree has no service manager to ask."""
    place = tree.root / "usr/local/sbin/systemctl"
    booted = tree.root / "run/systemd/system"

    def run(units: str) -> None:
        place.write_text(f'#!/bin/sh\ncase " {units} " in *" $3 "*) ;; *) exit 3 ;; esac\n')
        place.chmod(0o755)
        booted.mkdir(parents=True)

    yield run
    place.unlink()
    shutil.rmtree(tree.root / "run/systemd")


@pytest.mark.parametrize("unit", ["connman", "netctl", "wicked"])
def test_who_cannot_give_up_just_the_uplinks_is_named(
    tree: Tree, running: Callable[[str], None], unit: str
) -> None:
    running(f"{unit} networking")  # which Debian has, whoever else is there
    before = _program(tree)
    done = tree.run(f"{INSTALL}")
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"install.sh: {unit} runs this machine's network")
    assert told.endswith("move them to NetworkManager or systemd-networkd first")
    assert _program(tree) == before


@pytest.mark.parametrize(
    "units", ["NetworkManager", "NetworkManager networking", "networking", "dhcpcd networking"]
)
def test_who_gives_up_just_the_uplinks_is_no_reason_to_refuse(
    tree: Tree, running: Callable[[str], None], units: str
) -> None:
    running(units)
    done = tree.run(f"{INSTALL} --dry-run")
    assert "runs this machine's network" not in done.stderr
    assert "would put the command" in done.stderr


def test_an_image_of_the_same_version_leaves_this_machines_failover(tree: Tree) -> None:
    tree.sh(f"rm -rf {LIB}; {INSTALL}")
    before = _program(tree)
    tree.sh(f"{INSTALL} {IMAGE}")
    assert (tree.root / "image" / HOOK[1:]).exists()
    assert "failover runs from there" in tree.sh(f"{UNINSTALL} {IMAGE}")
    assert not (tree.root / "image" / HOOK[1:]).exists()
    assert _program(tree) == before
    tree.sh(_RUN_HOOK)
    tree.sh(UNINSTALL)
    assert not (tree.root / LIB[1:]).exists()


@pytest.mark.parametrize(
    "older", [f"echo old >{LIB}/packages/stamp", f"{_OF_THE_VENV}; {IN_A_VENV}"], ids=["", "venv"]
)
@pytest.mark.parametrize("dry", ["", " --dry-run"])
def test_an_image_is_no_reason_to_change_this_machines_program(
    tree: Tree, older: str, dry: str
) -> None:
    tree.sh(f"rm -rf {LIB}; {INSTALL}; {older}")
    before = _program(tree)
    done = tree.run(f"{INSTALL} {IMAGE}{dry}")
    assert done.returncode == 1, done.stderr
    assert "this machine's own failover runs from" in done.stderr
    assert "update that first" in done.stderr
    assert _program(tree) == before
    tree.sh(_RUN_HOOK)
    tree.sh(UNINSTALL)
