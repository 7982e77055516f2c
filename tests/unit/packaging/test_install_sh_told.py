"""What install.sh tells: before it works, what it lacks; after it, what it leaves."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_tree import Tree
from tests.support.install_sh import Machine, call, fresh_checkout, snapshot
from tests.unit.packaging.test_newer_python import INSTALL, LIB, UNINSTALL, with_checkout
from tests.vm import image

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--dhcp")
_NO_PIP = "mount -t tmpfs none /usr/share/python-wheels"
# An archive of one package, in the manner of deb(5) and sources.list(5).
_ARCHIVE = """
mkdir -p /archive/{package}/DEBIAN /archive/{package}/usr/bin /archive/{package}/lib/systemd/system
cd /archive
cat >{package}/DEBIAN/control <<END
Package: {package}
Version: 99
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: its place
END
printf '#!/bin/sh\\n' >{package}/usr/bin/{program}
chmod 755 {package}/usr/bin/{program}
printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' \\
    >{package}/lib/systemd/system/{package}.service
dpkg-deb --root-owner-group --build {package} {package}.deb
{{
    dpkg-deb --field {package}.deb
    echo "Filename: ./{package}.deb"
    echo "Size: $(stat -c %s {package}.deb)"
    echo "SHA256: $(sha256sum <{package}.deb | cut -d' ' -f1)"
}} >Packages
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/archive ./' >/etc/apt/sources.list
"""
# Another package, which comes to need that one.
_NEEDS = """
mkdir -p /needs/DEBIAN
cat >/needs/DEBIAN/control <<END
Package: needs-it
Version: 1
Architecture: all
Depends: {package}
Maintainer: nobody <nobody@example.org>
Description: what needs it
END
dpkg-deb --root-owner-group --build /needs /needs.deb
dpkg --install /needs.deb
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with fresh_checkout() as place:
        yield Machine(place, tmp_path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return with_checkout(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("task", ["demo", "install"])
def test_without_pip_nothing_is_said_to_be_fetched(machine: Machine, task: str) -> None:
    asked = ["--demo"] if task == "demo" else [*PAIR, "--yes"]
    if random.random() < 0.5:  # noqa: S311 - one of both
        (machine.checkout / ".demo").mkdir()
    before = snapshot(machine.checkout)
    hidden = ["unshare", "--mount", "sh", "-euc", f'{_NO_PIP}; exec "$@"', "sh"]
    below = (
        machine.argv(*asked) if task == "install" else [f"{machine.checkout}/install.sh", *asked]
    )
    done = call([*hidden, *below])
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.sh: this Python has no pip; ")
    (machine.checkout / ".demo").mkdir(exist_ok=True)  # an empty one is swept
    (machine.checkout / ".demo").rmdir()
    before.pop(".demo", None)
    assert snapshot(machine.checkout) == before
    assert not machine.prefix.exists()


def test_nobody_to_ask_is_told_before_anything_is_installed(machine: Machine) -> None:
    options = [["--interval", "9"], ["--mode", "bond"], ["--json"], ["--no-live"]]
    chosen = random.sample(options, random.randrange(3))  # noqa: S311 - drawn
    words = [word for option in chosen for word in option]
    done = machine.run(*PAIR, *words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.sh: nobody to ask whether to go on: add --yes")
    assert not machine.prefix.exists()


def test_of_packages_those_alone_are_told_that_it_installed(tree: Tree) -> None:
    """They stay: others may need them by now."""
    name = "networkd-dispatcher"
    assert name not in tree.run(f"{INSTALL}; {UNINSTALL}").stderr.splitlines()[-1]
    tree.sh(f"dpkg --purge {name}; {_ARCHIVE.format(package=name, program=name)}")
    refused = tree.run(f"{INSTALL} --primary nic0 --backup nic0")
    assert name not in refused.stderr
    done = tree.run(INSTALL)
    assert done.returncode == 0, done.stderr
    tree.sh(f"rm {LIB}/packages/stamp; {INSTALL}")  # an update, which installs none
    shown = tree.run(f"{UNINSTALL} --dry-run")
    done = tree.run(UNINSTALL)
    assert done.returncode == 0, done.stderr
    assert not (tree.root / LIB[1:]).exists()
    told = done.stderr.splitlines()[-1]
    assert told == shown.stderr.splitlines()[-1]
    assert f"packages that it installed stay, as others may need them by now: {name};" in told
    command = told.partition("(it lists them, and asks): ")[2].replace("sudo ", "")
    tree.sh(f"{_NEEDS.format(package=name)}\n{command} --yes")
    assert name in tree.sh("dpkg-query -Wf '${Package} ${db:Status-Status}\\n' | grep installed")
    tree.sh(f"dpkg --purge needs-it; {command} --yes")
    assert tree.run(f"dpkg-query -Wf '${{db:Status-Status}}' {name}").stdout != "installed"


def test_what_goes_is_told_and_what_others_put_beside_it_with_what_removes_it(
    machine: Machine,
) -> None:
    what = f"the command, its libraries, man page and completions below {machine.prefix}"
    lib = machine.prefix / "lib/netfail-hooks"
    for beside in random.sample([False, True], 2):
        assert machine.run(*PAIR, "--wheels", image.wheels(), "--yes").returncode == 0
        if beside:
            (lib / "theirs").touch()
        shown = machine.run("--uninstall", "--yes", "--dry-run")
        assert shown.stderr.splitlines()[-1] == f"install.sh: would remove {what}"
        assert (lib / "packages").exists()
        done = machine.run("--uninstall", "--yes")
        assert done.returncode == 0, done.stderr
        told = [f"install.sh: removed {what}"]
        if beside:
            told.append(f"install.sh: {lib} stays; to remove it: sudo rm -r '{lib}'")
        assert done.stderr.splitlines()[-len(told) :] == told
        shutil.rmtree(lib, ignore_errors=True)
