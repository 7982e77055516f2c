"""The Debian package is upgraded, downgraded and purged on a booted Debian with traffic running."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from netfail_hooks import __version__
from tests.lab.booted import Booted, start_networkd
from tests.lab.suite import SETTLED, measure, used, wait_used
from tests.lab.test_failover import MOST_LOST
from tests.support import ROOT
from tests.support.debian_tree import ALSO, unpack
from tests.support.release import committed, copied
from tests.unit.packaging.test_deb import build, depends

# Nothing is released yet. This is how the program was before its folders were made; an unpacked
# archive, which has no history, upgrades from its own code under a lower version.
BEFORE, LOWER = "b8f3bfb", "0.0.9"
HOOK = "/etc/networkd-dispatcher/routable.d/50-netfail-hooks"
INSTALL = "netfail-hooks install --primary eth0 --backup wlan0 --yes"
# As either version reads it: what was lost comes back soon.
_CONFIG = """\
[hold_down]
seconds = 1
[check]
interval = 1
[[uplink]]
interface = "eth0"
[[uplink]]
interface = "wlan0"
"""
# Where packages put files, and what apt and dpkg remember: the tree's, in place of this machine's.
_ENTER = """
cd "$1"
for place in usr etc var/cache var/lib/*/; do
    mkdir -p "/$place"
    mount --bind "$place" "/$place"
    mount -o remount,bind,rw "/$place" # a bind mount is read-only where its source's mount is
done
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
"""
_SHAPE = "{ find /etc; find /usr /var/lib /var/log -name '*netfail*'; } | sort"
# What only BEFORE knew, its counters, is away with the next boot.
_RUN = "ls /run/netfail-hooks 2>/dev/null | grep -vx tally || true"


class Upgraded(Booted):
    """A booted lab that runs by the programs of a Debian tree, packages of its own included."""

    def __init__(self, tree: Path) -> None:
        super().__init__()
        self._tree = tree

    def __enter__(self) -> Self:
        done = self.run("sh", "-euc", _ENTER, "sh", str(self._tree))
        assert done.returncode == 0, done.stderr
        return super().__enter__()

    def apt(self, *words: str) -> str:
        """Run apt-get to a good end."""
        quiet = ("-y", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Options::=--force-unsafe-io")
        done = self.run("apt-get", *quiet, *words, environment=_UNASKED, seconds=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def sh(self, script: str) -> str:
        done = self.run("sh", "-euc", script, seconds=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


_UNASKED = {"DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True)
class Packages:
    before: Path
    now: Path


def put_older(checkout: Path, place: Path) -> None:
    """Put into ``place`` what is upgraded from. Fails where a clone has not all of its history."""
    if (checkout / ".git").exists():
        git = ["git", "-c", f"safe.directory={checkout}", "-C", str(checkout)]
        taken = subprocess.run([*git, "archive", BEFORE], capture_output=True, check=False)
        why = f"{taken.stderr.decode()}this clone lacks {BEFORE}: git fetch --unshallow"
        assert taken.returncode == 0, why
        subprocess.run(["tar", "-x"], input=taken.stdout, cwd=place, check=True)
        return
    copied(checkout, place)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    place = tmp_path_factory.mktemp("packages")
    old = place / "old"
    old.mkdir()
    put_older(ROOT, old)
    project = old / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    lower = re.sub(r'^version = ".*"$', f'version = "{LOWER}"', text, flags=re.MULTILINE)
    project.write_text(lower, encoding="utf-8")
    return Packages(build(place, old), build(place))


@pytest.fixture
def lab(packages: Packages, tmp_path: Path) -> Iterator[Upgraded]:
    tree = unpack([*depends(packages.now), *ALSO], tmp_path)
    with Upgraded(tree.root) as lab:
        for name, deb in (("before", packages.before), ("now", packages.now)):
            with open(f"{lab.root}/run/{name}.deb", "wb") as file:
                file.write(deb.read_bytes())
        start_networkd(lab)
        yield lab


def _version(lab: Upgraded) -> str:
    return lab.sh("dpkg-query --show --showformat='${Version}' netfail-hooks")


def _fails_over(lab: Upgraded) -> None:
    """Pull the cable, plug it in again, and see the traffic go and come back."""
    wait_used(lab, "eth0")
    with lab.traffic() as traffic:
        measure(SETTLED)
        lab.cable_out("eth0")
        wait_used(lab, "wlan0")
        measure(1)
    result = traffic.result()
    assert result.lost() <= MOST_LOST, result
    assert result.all_alive, result
    lab.cable_in("eth0")
    wait_used(lab, "eth0", seconds=30)


def test_an_upgrade_and_a_downgrade_lose_nothing_and_failover_goes_on(lab: Upgraded) -> None:
    before, way = lab.sh(_SHAPE), used(lab)
    lab.apt("install", "/run/before.deb")
    lab.write("/etc/netfail-hooks/config.toml", _CONFIG)
    lab.sh(INSTALL)
    assert _version(lab) == f"{LOWER}-1"
    _fails_over(lab)

    with lab.traffic() as traffic:
        told = lab.apt("install", "/run/now.deb")
    assert traffic.result().lost() == 0, traffic.result()
    assert f"netfail-hooks: {LOWER}-1 -> {__version__}-1; 'sudo netfail-hooks install'" in told
    _fails_over(lab)  # the old hooks call the new program

    with lab.traffic() as traffic:
        told = lab.sh(INSTALL)
    assert traffic.result().lost() == 0, traffic.result()
    assert re.search(rf"^upgraded (to|{LOWER} ->) {__version__}\b", told, re.MULTILINE), told
    _fails_over(lab)
    assert lab.run("netfail-hooks", "status").returncode == 0

    with lab.traffic() as traffic:
        lab.apt("install", "--allow-downgrades", "/run/before.deb")
    assert traffic.result().lost() == 0, traffic.result()
    assert _version(lab) == f"{LOWER}-1"

    with lab.traffic() as traffic:
        lab.apt("install", "/run/now.deb")
        lab.apt("purge", "netfail-hooks")
    assert traffic.result().lost() == 0, traffic.result()
    assert used(lab) == way
    assert lab.sh(_SHAPE) == before
    assert lab.sh(_RUN) == ""


def test_a_clone_without_its_history_is_no_reason_to_try_less(tmp_path: Path) -> None:
    clone, place = committed(tmp_path / "clone"), tmp_path / "place"
    place.mkdir()
    with pytest.raises(AssertionError, match="git fetch --unshallow"):
        put_older(clone, place)
    assert not list(place.iterdir())
    shutil.rmtree(clone / ".git")
    put_older(clone, place)
    assert (place / "netfail_hooks/__init__.py").exists()
