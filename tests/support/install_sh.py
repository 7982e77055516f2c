"""install.sh of a checkout of the test's own, for a prefix and a root of the test's own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support import ROOT

SHIPPED = (
    "install.sh",
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "netfail_hooks",
    "hooks",
    "man",
    "packaging",
)
UPLINKS = ("--primary", "eth0", "--backup", "wlan0", "--dhcp", "--yes")
PATIENCE = 240  # seconds: PyPI, and a small machine

Snapshot = dict[str, tuple[int, str]]


@contextlib.contextmanager
def fresh_checkout() -> Iterator[Path]:
    """Make a checkout that anybody may read and nobody else has touched."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103 - for a user without rights
        place = Path(name) / "checkout"
        copy_checkout(place)
        yield place


def copy_checkout(place: Path) -> None:
    """Copy what install.sh needs of this checkout, as nobody has used it yet."""
    place.mkdir(mode=0o755)
    for shipped in SHIPPED:
        copy = shutil.copytree if (ROOT / shipped).is_dir() else shutil.copy2
        copy(ROOT / shipped, place / shipped)
    for cache in place.rglob("__pycache__"):
        shutil.rmtree(cache)


class Machine:
    """A prefix and a root for one installation."""

    def __init__(self, checkout: Path, place: Path) -> None:
        self.checkout = checkout
        self.place = place
        self.prefix = place / "usr"
        self.root = place / "root"
        for directory in ("etc", "var/lib"):
            (self.root / directory).mkdir(parents=True, exist_ok=True)

    def argv(self, *arguments: str) -> list[str]:
        """Return the call of install.sh for this prefix and root."""
        below = ["--prefix", str(self.prefix), "--root", str(self.root)]
        return [str(self.checkout / "install.sh"), *below, *arguments]

    def run(self, *arguments: str, network: bool = True) -> subprocess.CompletedProcess[str]:
        """Run install.sh for this prefix and root."""
        return call([*([] if network else ["unshare", "--net"]), *self.argv(*arguments)])

    def runs_installed(self, before: str, text: str) -> bool:
        """Tell whether a hook runs from the prefix alone; ``before`` is ahead of each line."""
        line = f'{before}sys.path += ["{self.prefix}/lib/netfail-hooks/packages"]'
        return line in text.splitlines()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command."""
        return call([str(self.prefix / "bin/netfail-hooks"), *arguments])


def call(
    argv: Sequence[str], *, user: str | int | None = None, cwd: str = "/", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        user=user,
        env={**os.environ, **environment},
    )


def snapshot(place: Path) -> Snapshot:
    """Return every path below a place with its mode and what is in it."""
    found: Snapshot = {}
    for path in sorted(place.rglob("*")):
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            data = os.readlink(path).encode()
        else:
            data = path.read_bytes() if path.is_file() else b""
        if path.name != "__pycache__" and path.suffix != ".pyc":
            digest = hashlib.sha256(data).hexdigest()
            found[str(path.relative_to(place))] = (about.st_mode, digest)
    return found
