"""install.sh for real, below a directory of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.install_sh import UPLINKS, Machine, call, fresh_checkout, snapshot
from tests.vm import image

SHELL_FILES = (
    "install.sh",
    "tests/run",
    ".ci/run",
    "packaging/deb",
    "packaging/arch/netfail-hooks.install",
    *(f"packaging/debian/{name}" for name in ("postinst", "prerm", "postrm")),
)


@pytest.fixture
def checkout() -> Iterator[Path]:
    with fresh_checkout() as place:
        yield place


@pytest.fixture
def machine(checkout: Path, tmp_path: Path) -> Machine:
    return Machine(checkout, tmp_path)


@pytest.fixture(scope="session")
def wheels() -> str:
    return image.wheels()


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
    done = call([str(ROOT / "install.sh"), "--demo", "--help"])
    assert (done.returncode, "--json" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--frobnicate",), "--frobnicate: see './install.sh --help'"),
        (("--bakup", "wlan0"), "did you mean --backup? See './install.sh --help'"),
        (("--demmo",), "did you mean --demo? See './install.sh --help'"),
        (("--primary",), "--primary needs an interface: see './install.sh --help'"),
        (("--demo", "--frobnicate"), "--frobnicate: see './install.sh --help'"),
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
    mistyped = call([str(checkout / "install.sh"), "--demmo"], user=user)
    assert (mistyped.returncode, "did you mean --demo?" in mistyped.stderr) == (2, True)
    done = call([str(checkout / "install.sh"), *task], user=user)
    assert done.returncode == 3
    assert done.stderr.startswith("install.sh: only root can")
    assert len(done.stderr.splitlines()) == 1


def test_uninstall_where_nothing_is_says_so(machine: Machine) -> None:
    done = machine.run("--uninstall", "--yes")
    assert done.returncode == 1
    assert "install.sh: not installed: nothing of netfail-hooks below" in done.stderr


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_uninstall_removes_a_demo_that_is_all_there_is(machine: Machine, user: str) -> None:
    before = snapshot(machine.checkout)
    machine.checkout.chmod(0o777)  # whoever it is, it is theirs
    (machine.checkout / ".demo/state").mkdir(parents=True)
    (machine.checkout / ".demo").chmod(0o777)
    who = user if os.geteuid() == 0 else None
    call_it = [str(machine.checkout / "install.sh"), "--prefix", "/nowhere", "--uninstall"]
    wrong = call([*call_it, "--frobnicate"], user=who)
    assert wrong.returncode == 2, wrong.stderr
    shown = call([*call_it, "--yes", "--dry-run"], user=who)
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.startswith(f"install.sh: would remove {machine.checkout}/.demo; nothing")
    assert (machine.checkout / ".demo/state").exists()
    done = call(call_it, user=who)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"install.sh: removed {machine.checkout}/.demo; nothing else")
    machine.checkout.chmod(0o755)
    assert snapshot(machine.checkout) == before


def test_a_demo_that_stays_is_told(checkout: Path) -> None:
    (checkout / ".demo/state").mkdir(parents=True)
    (checkout / ".demo").chmod(0o555)
    done = call(
        [str(checkout / "install.sh"), "--prefix", "/nowhere", "--uninstall"],
        user="nobody" if os.geteuid() == 0 else None,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (f"install.sh: cannot remove {checkout}/.demo; use sudo")


def test_a_demo_beside_an_install_by_another_prefix_stays(machine: Machine) -> None:
    (machine.checkout / ".demo/state").mkdir(parents=True)
    (machine.root / "var/lib/netfail-hooks").mkdir(parents=True)
    (machine.root / "var/lib/netfail-hooks/manifest.json").write_text("{}", encoding="utf-8")
    done = machine.run("--uninstall", "--yes")
    assert done.returncode == 1
    assert "install.sh: not installed: nothing of netfail-hooks below" in done.stderr
    assert (machine.checkout / ".demo/state").exists()


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
    assert not (machine.checkout / ".demo").exists()

    assert call(machine.argv(*UPLINKS), SUDO_UID=str(owner)).returncode == 0
    before = snapshot(machine.place)
    done = call(machine.argv(*UPLINKS, "--interval", "9", "--dry-run"), SUDO_UID=str(owner))
    assert done.returncode == 0, done.stderr
    assert "+interval = 9" in done.stdout
    assert snapshot(machine.place) == before
    made = list(machine.checkout.rglob("*"))
    assert machine.checkout / ".demo/packages/stamp" in made
    assert not (machine.checkout / ".demo/new").exists()
    assert [path for path in made if path.lstat().st_uid != owner] == []


def test_a_ready_config_is_looked_at_before_anything_is_changed(
    machine: Machine, wheels: str, tmp_path: Path
) -> None:
    ready, wrong = tmp_path / "fleet.toml", tmp_path / "wrong.toml"
    ready.write_text('[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n')
    wrong.write_text("checks = 1\n")
    before = snapshot(machine.place)
    for name, told in ((str(wrong), "checks: unknown key"), ("-", "--config -: ")):
        done = machine.run("--wheels", wheels, "--config", name, "--dhcp", "--yes")
        assert done.returncode == 2, done.stderr
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
    asked = ("--wheels", wheels, f"--config={ready}", "--dhcp", "--yes")
    shown = machine.run(*asked, "--dry-run", network=False)
    assert "would put the command" in shown.stderr
    assert snapshot(machine.place) == before
    done = machine.run(*asked, network=False)
    assert done.returncode == 0, done.stderr
    config = machine.root / "etc/netfail-hooks/config.toml"
    assert config.read_bytes() == ready.read_bytes()
    before = snapshot(machine.place)
    shown = machine.run(*asked, "--dry-run", "--json", network=False)
    assert f"the program below {machine.prefix} is that of this checkout" in shown.stderr
    assert not json.loads(shown.stdout)["changed"]
    done = machine.run(*asked, network=False)
    assert "nothing to do" in done.stdout
    assert snapshot(machine.place) == before
    assert not (machine.checkout / ".demo").exists()


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


_STEPS = r"""
eval "$(sed -n '/^say() {/p; /^begin_step() {/,/^}/p; /^end_step() {/,/^}/p' install.sh)"
counter=
trap 'exit 143' TERM
for step in $(seq 400); do begin_step "$step"; end_step; done
"""


def test_a_step_that_is_over_at_once_is_not_waited_for(checkout: Path, tmp_path: Path) -> None:
    """On a terminal its seconds are counted by a child, which has our traps until it has begun."""
    script = tmp_path / "steps"
    script.write_text(_STEPS, encoding="ascii")
    typed = ["script", "--quiet", "--return", "--command", f"sh -u {script}", "/dev/null"]
    done = subprocess.run(
        typed, cwd=checkout, timeout=60, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    assert b"install.sh: 400" in done.stdout
