"""install.sh for real, below a directory of the test's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.vm import image

SHELL_FILES = (
    "install.sh",
    "tests/run",
    ".ci/run",
    "packaging/deb",
    "packaging/arch/netfail-hooks.install",
    *(f"packaging/debian/{name}" for name in ("postinst", "prerm", "postrm")),
)
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


@pytest.fixture
def checkout() -> Iterator[Path]:
    """Make a checkout that anybody may read and nobody else has touched."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103 - for a user without rights
        place = Path(name) / "checkout"
        place.mkdir(mode=0o755)
        for shipped in SHIPPED:
            copy = shutil.copytree if (ROOT / shipped).is_dir() else shutil.copy2
            copy(ROOT / shipped, place / shipped)
        for cache in place.rglob("__pycache__"):
            shutil.rmtree(cache)
        yield place


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


@pytest.fixture
def machine(checkout: Path, tmp_path: Path) -> Machine:
    return Machine(checkout, tmp_path)


@pytest.fixture(scope="session")
def wheels() -> str:
    return image.wheels()


def call(
    argv: Sequence[str], *, user: str | None = None, cwd: str = "/", **environment: str
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


def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(
        ["shellcheck", *SHELL_FILES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_help_tells_of_every_option() -> None:
    done = call([str(ROOT / "install.sh"), "--help"])
    assert done.returncode == 0
    for option in ("--demo", "--uninstall", "--prefix", "--wheels", "--root", "--dry-run"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--frobnicate",), "--frobnicate"),
        (("--demo", "--frobnicate"), "--frobnicate"),
        (("--prefix",), "--prefix needs a directory"),
        (("--wheels", "/nowhere"), "/nowhere is no directory"),
    ],
)
def test_wrong_use_changes_nothing(machine: Machine, arguments: tuple[str, ...], told: str) -> None:
    before = snapshot(machine.checkout)
    done = (
        machine.run(*arguments)
        if arguments[0] != "--demo"
        else call([str(machine.checkout / "install.sh"), *arguments])
    )
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not machine.prefix.exists()
    assert snapshot(machine.checkout) == before


@pytest.mark.parametrize("task", [(), ("--uninstall",)])
def test_only_root_may(checkout: Path, task: tuple[str, ...]) -> None:
    user = "nobody" if os.geteuid() == 0 else None
    done = call([str(checkout / "install.sh"), *task], user=user)
    assert done.returncode == 3
    assert done.stderr.startswith("install.sh: only root can")
    assert len(done.stderr.splitlines()) == 1


def test_uninstall_where_nothing_is_says_so(machine: Machine) -> None:
    done = machine.run("--uninstall", "--yes")
    assert done.returncode == 1
    assert "nothing of netfail-hooks below" in done.stderr


def test_twice_is_once_and_uninstall_leaves_nothing(machine: Machine) -> None:
    checkout, empty = snapshot(machine.checkout), snapshot(machine.root)
    first = machine.run(*UPLINKS)
    assert first.returncode == 0, first.stderr
    assert snapshot(machine.checkout) == checkout
    assert machine.command("--version").stdout.startswith("netfail-hooks 0.")
    share = machine.prefix / "share"
    assert "complete" in (share / "bash-completion/completions/netfail-hooks").read_text()
    assert "#compdef" in (share / "zsh/site-functions/_netfail-hooks").read_text()
    assert "complete" in (share / "fish/vendor_completions.d/netfail-hooks.fish").read_text()
    manual = (ROOT / "man/netfail-hooks.8").read_text(encoding="utf-8")
    assert (share / "man/man8/netfail-hooks.8").read_text(encoding="utf-8") == manual
    hook = machine.root / "etc/networkd-dispatcher/no-carrier.d/50-netfail-hooks"
    assert machine.runs_installed("", hook.read_text(encoding="utf-8"))

    before = snapshot(machine.place)
    made = (machine.prefix / "lib/netfail-hooks/packages").stat().st_ino
    second = machine.run(*UPLINKS)
    assert second.returncode == 0, second.stderr
    assert snapshot(machine.place) == before
    assert (machine.prefix / "lib/netfail-hooks/packages").stat().st_ino == made

    (machine.checkout / ".demo/lib").mkdir(parents=True)
    assert machine.run("--uninstall", "--yes", "--dry-run").returncode == 0
    assert snapshot(machine.place) == before
    assert (machine.checkout / ".demo/lib").exists()
    gone = machine.run("--uninstall", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert not machine.prefix.exists()
    assert snapshot(machine.checkout) == checkout
    assert snapshot(machine.root) == empty


def test_dry_run_writes_nothing_but_in_the_checkout(machine: Machine) -> None:
    before = snapshot(machine.place)
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # of a checkout, whoever uses sudo there
    for path in (machine.checkout, *machine.checkout.rglob("*")):
        os.chown(path, owner, -1)
    done = call(machine.argv(*UPLINKS, "--dry-run"), SUDO_UID=str(owner))
    assert done.returncode == 0, done.stderr
    assert "+++" in done.stdout
    assert ".demo" not in done.stdout
    assert str(machine.checkout) not in done.stdout
    assert f"run from {machine.checkout}" not in done.stderr
    assert machine.runs_installed("+", done.stdout)
    assert snapshot(machine.place) == before
    made = list(machine.checkout.rglob("*"))
    assert machine.checkout / ".demo/packages/stamp" in made
    assert not (machine.checkout / ".demo/new").exists()
    assert [path for path in made if path.lstat().st_uid != owner] == []


def test_without_a_network_from_wheels(machine: Machine, wheels: str) -> None:
    done = machine.run("--wheels", wheels, *UPLINKS, network=False)
    assert done.returncode == 0, done.stderr
    assert machine.command("--version").returncode == 0


def test_a_wheel_with_another_byte_in_it_is_refused(machine: Machine, wheels: str) -> None:
    place = machine.place / "wheels"
    shutil.copytree(wheels, place)
    (wheel,) = place.glob("icmplib-*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"x")
    done = machine.run("--wheels", str(place), *UPLINKS, network=False)
    assert done.returncode == 1
    assert "HASH" in done.stderr.upper()
    assert not machine.prefix.exists()


def test_an_update_that_fails_leaves_the_old_one_working(machine: Machine) -> None:
    assert machine.run(*UPLINKS).returncode == 0
    before = snapshot(machine.prefix)
    with open(machine.checkout / "netfail_hooks/__init__.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    (machine.place / "empty").mkdir()
    done = machine.run("--wheels", str(machine.place / "empty"), *UPLINKS)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("install.sh: pip could not install")
    assert snapshot(machine.prefix) == before
    assert machine.command("--version").returncode == 0


def test_somebody_elses_command_stays(machine: Machine) -> None:
    theirs = machine.prefix / "bin/netfail-hooks"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("#!/bin/sh\n", encoding="utf-8")
    done = machine.run(*UPLINKS)
    assert done.returncode == 1
    assert "somebody else's" in done.stderr
    assert theirs.read_text(encoding="utf-8") == "#!/bin/sh\n"
