"""Which user-mode-linux is booted: the newest that Debian has, else this machine's own.

From Linux 6.16 on it need not trace its processes (``seccomp=``, "SECCOMP" in arch/um/Kconfig),
and they start three times as quickly: what a hook gains can be measured. It is kept where the
images of whole machines are, with the C library that it wants; remove it to have the newest.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.vm.image import cache

_SUITE = "forky"
_SOURCE = "deb [signed-by={}] http://deb.debian.org/debian {} main\n"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PACKAGES = ("user-mode-linux", "libc6")
_SECONDS = 300  # for the list of packages, 10 MB, and for the packages


@dataclass(frozen=True)
class Kernel:
    """A program to boot, its arguments, and where its modules are (``MODULES/VERSION``)."""

    program: str
    modules: str
    arguments: tuple[str, ...] = ()


OWN = Kernel("linux.uml", "/usr/lib/uml/modules")


def kernel() -> Kernel:
    """Return the quickest kernel that can be had; says so where that is this machine's own."""
    try:
        place = _fetched()
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: no loader
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        why = told[-1] if told else "unknown"
        print(f"uml: {_SUITE}'s kernel can't be had, so this machine's: {why}", file=sys.stderr)
        return OWN
    return Kernel(f"{place}/usr/bin/linux.uml", f"{place}/usr/lib/uml/modules", ("seccomp=auto",))


def _fetched() -> str:
    """Return the directory into which the packages were unpacked, once."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    place = f"{cache()}/uml-{key}"
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/uml.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            aside = f"{place}.new"
            for old in glob.glob(f"{cache()}/uml-*"):
                shutil.rmtree(old)
            for package in _downloaded(Path(aside, "apt")):
                _run("dpkg-deb", "--extract", str(package), aside)
            _link(Path(aside), place)
            shutil.rmtree(f"{aside}/apt")
            os.rename(aside, place)
    return place


def _downloaded(apt: Path) -> list[Path]:
    """Fetch the packages with an apt of its own: no list of this machine's is touched."""
    for name in ("state/lists/partial", "cache/archives/partial", "packages"):
        (apt / name).mkdir(parents=True)
    (apt / "sources.list").write_text(_SOURCE.format(_KEYS, _SUITE), encoding="ascii")
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
    _run("apt-get", *options, "--quiet", "update")
    _run("apt-get", *options, "--quiet", "download", *_PACKAGES, cwd=apt / "packages")
    return sorted((apt / "packages").iterdir())


def _link(aside: Path, place: str) -> None:
    """Have the program use the C library that it came with: this machine's may be too old."""
    (loader,) = aside.glob("usr/lib/*/ld-linux-x86-64.so.2")
    libraries = f"{place}/{loader.parent.relative_to(aside)}"
    _run(
        "patchelf",
        "--set-interpreter",
        f"{libraries}/{loader.name}",
        "--set-rpath",
        libraries,
        f"{aside}/usr/bin/linux.uml",
    )


def _run(*argv: str, cwd: Path | None = None) -> None:
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True, timeout=_SECONDS)
