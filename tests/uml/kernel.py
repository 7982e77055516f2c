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

from tests.support import packages
from tests.vm.image import cache

_SUITE = "forky"
_PACKAGES = ("user-mode-linux", "libc6")


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
            packages.unpack(_SUITE, _PACKAGES, Path(aside))
            _link(Path(aside), place)
            os.rename(aside, place)
    return place


def _link(aside: Path, place: str) -> None:
    """Have the program use the C library that it came with: this machine's may be too old."""
    (loader,) = aside.glob("usr/lib/*/ld-linux-x86-64.so.2")
    libraries = f"{place}/{loader.parent.relative_to(aside)}"
    packages.run(
        "patchelf",
        "--set-interpreter",
        f"{libraries}/{loader.name}",
        "--set-rpath",
        libraries,
        f"{aside}/usr/bin/linux.uml",
    )
