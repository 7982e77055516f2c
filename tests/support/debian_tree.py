"""A clean Debian tree with what our package depends on, made once and kept by its content's key.

It lies beside the machines of tests/vm, in ``NETFAIL_VM_CACHE``; remove it to have the newest
packages.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vm.image import cache

SUITE = "bookworm"
NEWER = "trixie"
NEWER_PYTHON = "/var/cache/newer"  # packages by which the tree's Python is exchanged by NEWER's
# Shells whose completions are tried, what install.sh needs, and Ansible.
ALSO = ("zsh", "fish", "python3-venv", "python3-apt")
# apt-get resolves by the tree's own state: what the newer Python pulls along differs each week.
_FETCH_NEWER = f"""
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" list="$1/etc/apt/sources.list.d/newer.list"
rm -f "$1"/var/cache/apt/archives/*.deb
echo "deb http://deb.debian.org/debian {NEWER} main" >"$list"
apt-get -qq update
apt-get -qq -y --download-only install \\
    python3/{NEWER} python3-minimal/{NEWER} python3-pip-whl/{NEWER}
mkdir "$1{NEWER_PYTHON}"
mv "$1"/var/cache/apt/archives/*.deb "$1{NEWER_PYTHON}"
rm "$list"
"""
_SOURCES = """\
deb http://deb.debian.org/debian {suite} main
deb http://deb.debian.org/debian-security {suite}-security main
"""
_PATIENCE = 540
# What dpkg, apt, man-db and we write down of what they did.
_BOOKKEEPING = (
    "/var/lib/dpkg/",
    "/var/lib/apt/",
    "/var/cache/",
    "/var/log/dpkg.log",
    "/var/log/apt/",
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Tree:
    """The root of a Debian that is not booted."""

    root: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the tree, with processes and a network of its own."""
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--net",
                f"--root={self.root}",
                "--mount-proc",
                "sh",
                "-euc",
                f"cd /; {script}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )

    def sh(self, script: str) -> str:
        """Return what a script says. Raises AssertionError with that if it fails."""
        done = self.run(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def files(self) -> dict[str, tuple[int, int, int, str]]:
        """Return every path with its mode and owner, in /etc with its content's digest too."""
        found = {}
        for path in self.root.rglob("*"):
            name = "/" + str(path.relative_to(self.root))
            if (name + "/").startswith(_BOOKKEEPING):
                continue
            about = path.lstat()
            whole = name.startswith("/etc/") and path.is_file() and not path.is_symlink()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if whole else ""
            found[name] = (about.st_mode, about.st_uid, about.st_gid, digest)
        return found


def unpack(packages: Sequence[str], place: Path) -> Tree:
    """Unpack a tree that has these packages. Raises RuntimeError if there can't be one."""
    root = place / "root"
    root.mkdir()
    _run(["tar", "--extract", "--file", _archive(sorted(packages)), "--directory", str(root)])
    return Tree(root)


def _archive(packages: Sequence[str]) -> str:
    key = hashlib.sha256(" ".join((SUITE, *packages, _FETCH_NEWER)).encode()).hexdigest()[:16]
    path = f"{cache()}/tree-{SUITE}-{key}.tar"
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/tree-{SUITE}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            for old in glob.glob(f"{cache()}/tree-{SUITE}-*"):
                os.unlink(old)
            aside = f"{cache()}/tree-{SUITE}-new.tar"
            trim = "--dpkgopt=path-exclude=/usr/share/locale/*"
            include = f"--include={','.join(packages)}"
            _run(
                [
                    "mmdebstrap",
                    "--quiet",
                    "--variant=minbase",
                    include,
                    trim,
                    f"--customize-hook={_FETCH_NEWER}",
                    SUITE,
                    aside,
                    "-",
                ],
                given=_SOURCES.format(suite=SUITE),
            )
            os.rename(aside, path)
    return path


def _run(argv: list[str], given: str = "") -> None:
    done = subprocess.run(
        argv, input=given, capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{(done.stderr or done.stdout)[-3000:]}")
