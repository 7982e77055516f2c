"""Packages of Debian's, fetched and unpacked aside: nothing on this machine is changed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.vm.image import cache

_SOURCE = "deb [signed-by={}] http://deb.debian.org/debian {} main\n"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SECONDS = 300  # for the list of packages, 10 MB, and for the packages


def unpack(suite: str, packages: Sequence[str], place: Path) -> None:
    """Unpack a suite's packages below an empty directory. Raises OSError or CalledProcessError."""
    apt = place / "apt"
    for package in _downloaded(suite, packages, apt):
        run("dpkg-deb", "--extract", str(package), str(place))
    run("rm", "--recursive", str(apt))


def fetched(name: str, suite: str, packages: Sequence[str]) -> Path:
    """Return where a suite's packages are unpacked, fetched once for all tests.

    Raises OSError or CalledProcessError.
    """
    place = Path(cache(), f"{name}-{suite}")
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            aside = place.with_suffix(".new")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            unpack(suite, packages, aside)
            aside.rename(place)
    return place


def run(*argv: str, cwd: Path | None = None) -> None:
    """Run a command quietly. Raises OSError or CalledProcessError."""
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True, timeout=_SECONDS)


def _downloaded(suite: str, packages: Sequence[str], apt: Path) -> list[Path]:
    """Fetch the packages with an apt of its own: no list of this machine's is touched."""
    for name in ("state/lists/partial", "cache/archives/partial", "packages"):
        (apt / name).mkdir(parents=True)
    (apt / "sources.list").write_text(_SOURCE.format(_KEYS, suite), encoding="ascii")
    (apt / "status").touch()
    settings = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": apt / "state",
        "Dir::State::Status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
    }
    options = [f"--option={key}={setting}" for key, setting in settings.items()]
    run("apt-get", *options, "--quiet", "update")
    run("apt-get", *options, "--quiet", "download", *packages, cwd=apt / "packages")
    return sorted((apt / "packages").iterdir())
