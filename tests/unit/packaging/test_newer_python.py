"""A Debian 12 whose Python is exchanged by Debian 13's, with netfail-hooks on it by install.sh.

The interpreters are the real ones, put in place by apt-get as an upgrade of the release does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.debian_tree import ALSO, NEWER_PYTHON, Tree, unpack
from tests.support.install_sh import copy_checkout
from tests.unit.packaging.test_deb import HOOK, build, depends
from tests.vm import image

INSTALL = "/opt/checkout/install.sh --wheels /opt/wheels --primary eth0 --backup wlan0 --dhcp --yes"
UNINSTALL = "/opt/checkout/install.sh --uninstall --yes --no-live"
LIB = "/usr/local/lib/netfail-hooks"
# To have them on one disk with what they replace is what takes the time.
EXCHANGE = f"""
apt-get install -y -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
    -o DPkg::Options::=--force-unsafe-io {NEWER_PYTHON}/*.deb
"""
# A connection that has to be ended, and a target that is asked, take the libraries.
LIBRARIES = f"""
python3 -ISc 'import sys; sys.path += ["{LIB}/packages"]
import icmplib, pyroute2, tomlkit, platformdirs, netfail_hooks.kernel.connections'
"""


def with_checkout(place: Path) -> Tree:
    """Return a tree that has a checkout and the wheels of what that needs."""
    tree = unpack([*depends(build(place)), *ALSO], place)
    copy_checkout(tree.root / "opt/checkout")
    shutil.copytree(image.wheels(), tree.root / "opt/wheels")
    return tree


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a tree in which install.sh has been, and then an upgrade of Python."""
    tree = with_checkout(tmp_path_factory.mktemp("newer"))
    tree.sh(INSTALL)
    assert "3.11" in tree.sh("python3 --version")
    tree.sh(LIBRARIES)
    tree.sh(EXCHANGE)
    # Both are there until the administrator tidies up.
    tree.sh("dpkg --purge --force-depends python3.11-minimal python3.11 libpython3.11-minimal")
    assert "3.11" not in tree.sh("python3 --version; ls /usr/bin")
    return tree


def test_command_hook_check_and_libraries_start_as_before(newer: Tree) -> None:
    assert newer.sh("netfail-hooks --version").startswith("netfail-hooks 0.")
    told = newer.run("netfail-hooks doctor")
    assert "hook-broken" not in told.stdout
    assert "bug" not in told.stderr
    assert newer.run("netfail-hooks status").returncode == 1  # there is no eth0 here
    newer.sh(f"ip link add eth0 type veth peer name other; ip link set eth0 up; IFACE=eth0 {HOOK}")
    unit = (newer.root / "etc/systemd/system/netfail-hooks-check.service").read_text("utf-8")
    (command,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    newer.sh(command.removeprefix("ExecStart="))
    newer.sh(LIBRARIES)


def test_install_again_makes_byte_code_for_the_new_one(newer: Tree) -> None:
    newer.sh(INSTALL)
    home = newer.root / LIB[1:] / "packages/netfail_hooks"
    assert list(home.glob("__pycache__/hook.cpython-313.pyc"))
    assert not list(home.glob("__pycache__/hook.cpython-311.pyc"))


# As an earlier version of install.sh left it.
IN_A_VENV = (
    f"cd {LIB}; mkdir -p venv/bin venv/lib/python3.11; ln -s /usr/bin/python3.11 venv/bin/python; "
    "mv packages venv/lib/python3.11/site-packages; mv netfail-hooks venv/bin/; "
    "ln -sfn $PWD/venv/bin/netfail-hooks /usr/local/bin/netfail-hooks"
)


@pytest.mark.parametrize(
    "left",
    [
        "true",
        IN_A_VENV,
        f"rm -r {LIB}/packages",
        f"rm -r {LIB}/packages/netfail_hooks/policy",
        f"rm -r {LIB}",
        f"rm {LIB}/made; sed -i '1s/python3/python3.11/' {LIB}/netfail-hooks",
    ],
    ids=["whole", "a venv of an earlier version", "no packages", "damaged", "gone", "old command"],
)
def test_uninstall_always_works(newer: Tree, left: str) -> None:
    newer.sh(f"rm -rf {LIB}; {INSTALL}; {left}")
    newer.sh(UNINSTALL)
    found = newer.sh("find /etc /usr /var/lib /var/log -name '*netfail*' ! -path '/usr/local/*'")
    assert found == ""
    if "made" not in left and left != f"rm -r {LIB}":
        assert newer.sh("find /usr/local -name '*netfail*'") == ""


@pytest.mark.parametrize("what", ["netfail-hooks --version", UNINSTALL])
def test_too_old_a_python_is_told(newer: Tree, what: str) -> None:
    """No Debian that we support has one; a name and a number stand in for it."""
    newer.sh(f"rm -rf {LIB}; {INSTALL}")
    old = "import sys; sys.version_info = (3, 10, 9, 'final', 0)\n"
    place = Path(newer.root / "usr/lib/python3.13/encodings/__init__.py")  # read before all else
    whole = place.read_text("utf-8")
    place.write_text(whole + old, "utf-8")
    try:
        done = newer.run(what)
    finally:
        place.write_text(whole, "utf-8")
    assert done.returncode == 1
    assert "3.11" in done.stderr
    assert "Traceback" not in done.stderr
    assert (newer.root / HOOK[1:]).exists()
    newer.sh(UNINSTALL)
