"""install.sh where the caller, the checkout, the disk or a kill is against it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.install_sh import UPLINKS, Machine, Snapshot, call, copy_checkout, snapshot
from tests.vm import image

EVIL_MODULE = "open({mark!r}, 'w')\nraise SystemExit('evil')\n"
EVIL_SHELL = "#!/bin/sh\n: >{mark}\nexit 1\n"
EVIL_PIP = "[global]\ntarget = {elsewhere}\nindex-url = http://127.0.0.1:9/\nno-index = true\n"
PROGRAMS = ("python3", "env", "sed", "id", "mkdir", "cp", "pip", "find", "readlink")
HOSTILE = {
    "PIP_TARGET": "{elsewhere}",
    "PIP_PREFIX": "{elsewhere}",
    "PIP_ROOT": "{elsewhere}",
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": "{evil}/pip.conf",
    "PIP_CONSTRAINT": "/nowhere",
    "PIP_NO_BINARY": ":all:",
    "PIP_PYTHON": "/nowhere",
    "PIP_LOG": "{elsewhere}/log",
    "PIP_DRY_RUN": "1",
    "PYTHONPATH": "{evil}",
    "PYTHONHOME": "/nowhere",
    "PYTHONWARNINGS": "error",
    "PYTHONINSPECT": "1",
    "PYTHONPYCACHEPREFIX": "{elsewhere}",
    "PYTHONPLATLIBDIR": "nowhere",
    "PYTHONUSERBASE": "{evil}",
    "TMPDIR": "/nowhere",
    "HOME": "{evil}",
    "XDG_CONFIG_HOME": "{evil}/.config",
    "XDG_CONFIG_DIRS": "{evil}/.config",
    "XDG_CACHE_HOME": "{elsewhere}",
    "PATH": "{evil}/bin:.",
    "CDPATH": "{evil}:/tmp",
    "IFS": "/n",
    "ENV": "{evil}/shell",
    "BASH_ENV": "{evil}/shell",
    "POSIXLY_CORRECT": "1",
    "LC_ALL": "xx_YY.nowhere",
    "SUDO_UID": "-1",
    "NETFAIL_HOOKS_PACKAGE": "/nowhere",
    "odd": "a\nPATH=/nowhere\nhere=/nowhere",
    # what install.sh itself calls its values
    **dict.fromkeys(("aside", "fresh", "made", "paths", "python", "pip"), "{evil}"),
    **dict.fromkeys(("wheels", "root", "prefix", "task", "dry_run", "manifest", "lib"), "{evil}"),
}


@dataclass(frozen=True)
class Stage:
    """A machine, a hostile place, and what a plain run leaves on the machine."""

    machine: Machine
    evil: Path
    wheels: str
    installed: tuple[Snapshot, Snapshot]

    @property
    def mark(self) -> Path:
        """Return the file that exists once anything of the hostile place was run."""
        return self.evil / "mark"

    def argv(self, *more: str) -> list[str]:
        """Return the call that installs."""
        return self.machine.argv("--wheels", self.wheels, *UPLINKS, *more)

    def state(self) -> tuple[Snapshot, Snapshot]:
        """Return all that is below the prefix and the root."""
        return snapshot(self.machine.prefix), snapshot(self.machine.root)

    def empty(self) -> None:
        """Remove whatever is installed."""
        shutil.rmtree(self.machine.prefix, ignore_errors=True)
        shutil.rmtree(self.machine.root)
        Machine(self.machine.checkout, self.machine.place)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    place = tmp_path_factory.mktemp("hostile")
    copy_checkout(place / "checkout")
    machine = Machine(place / "checkout", place)
    evil = place / "evil"
    (evil / "bin").mkdir(parents=True)
    (evil / ".config/pip").mkdir(parents=True)
    (evil / "netfail_hooks").mkdir()
    known = {"mark": str(evil / "mark"), "elsewhere": str(place / "elsewhere")}
    for module in ("sitecustomize", "json", "ctypes", "netfail_hooks/__init__"):
        (evil / f"{module}.py").write_text(EVIL_MODULE.format(**known), encoding="utf-8")
    for program in (*(f"bin/{name}" for name in PROGRAMS), *PROGRAMS, "shell"):
        (evil / program).write_text(EVIL_SHELL.format(**known), encoding="utf-8")
        (evil / program).chmod(0o755)
    for config in ("pip.conf", ".config/pip/pip.conf"):
        (evil / config).write_text(EVIL_PIP.format(**known), encoding="utf-8")
    (evil / ".pydistutils.cfg").write_text("[install]\nhome = /nowhere\n", encoding="utf-8")
    stage = Stage(machine, evil, image.wheels(), ({}, {}))
    done = call(stage.argv())
    assert done.returncode == 0, done.stderr
    return Stage(machine, evil, stage.wheels, stage.state())


@given(st.sets(st.sampled_from(sorted(HOSTILE)), min_size=8), st.sampled_from([0, 0o022, 0o077]))
@example(set(HOSTILE), 0)
@settings(max_examples=2, deadline=None, database=None)
def test_the_callers_environment_does_not_count(stage: Stage, names: set[str], mask: int) -> None:
    stage.empty()
    known = {"evil": str(stage.evil), "elsewhere": str(stage.machine.place / "elsewhere")}
    hostile = {name: HOSTILE[name].format(**known) for name in names}
    hostile["PATH"] = f"{hostile.get('PATH', '')}:{os.environ['PATH']}"
    before = os.umask(mask)
    try:
        done = call(stage.argv(), cwd=str(stage.evil), **hostile)
        assert done.returncode == 0, done.stderr
        assert not stage.mark.exists()
        assert stage.state() == stage.installed
        gone = call(stage.machine.argv("--uninstall", "--yes"), cwd=str(stage.evil), **hostile)
    finally:
        os.umask(before)
    assert gone.returncode == 0, gone.stderr
    assert not stage.mark.exists()
    assert not (stage.machine.place / "elsewhere").exists()
    assert not stage.machine.prefix.exists()


def test_a_proxy_counts(stage: Stage) -> None:
    """https_proxy and its like may be the only way out, and what comes that way has a digest."""
    stage.empty()
    refused = "http://127.0.0.1:9"  # nobody listens
    done = call(stage.machine.argv(*UPLINKS), https_proxy=refused, http_proxy=refused)
    assert done.returncode == 1
    assert "roxy" in done.stderr
    assert not stage.machine.prefix.exists()


# --- killed -----------------------------------------------------------------------------------

HARD, SOFT = signal.SIGKILL, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@given(st.sampled_from([HARD, HARD, *SOFT]), st.floats(0.02, 0.98), st.booleans())
@settings(max_examples=3, deadline=None, database=None)
def test_killed_at_any_moment(stage: Stage, how: signal.Signals, share: float, again: bool) -> None:  # noqa: FBT001
    """A kill leaves what was there before, or what comes after, and nothing beside it."""
    stage.empty()
    nothing = stage.state()
    if again:
        assert call(stage.argv()).returncode == 0
        with open(stage.machine.checkout / "netfail_hooks/__init__.py", "ab") as file:
            file.write(b"# changed\n")
    _kill(stage, how, share)
    home = stage.machine.prefix / "lib/netfail-hooks"
    if again:
        assert stage.machine.command("--version").returncode == 0
    if how != HARD:
        assert not (home / "new").exists()
        if not again and not (stage.machine.root / "var/lib/netfail-hooks").exists():
            assert stage.state() == nothing
    done = call(stage.argv())
    assert done.returncode == 0, done.stderr
    assert set(stage.state()[0]) == set(stage.installed[0])
    assert set(stage.state()[1]) == set(stage.installed[1])
    _kill(stage, how, share, "--uninstall", "--yes")
    if home.exists():
        gone = stage.machine.run("--uninstall", "--yes")
        assert gone.returncode == 0, gone.stderr
    assert stage.state() == nothing
    assert not stage.machine.prefix.exists()


def _kill(stage: Stage, how: signal.Signals, share: float, *task: str) -> None:
    """Run install.sh and kill it, and all that it started, after a share of its usual time."""
    argv = stage.machine.argv(*task) if task else stage.argv()
    usual = 0.3 if task else 2.0
    with subprocess.Popen(
        argv,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(share * usual)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, how)
        running.wait(60)
    until = time.monotonic() + 10  # the group's last have gone, too
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(running.pid, 0)
            time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own takes root")
@pytest.mark.parametrize("kilobytes", [64, 1500, 4500])
def test_a_full_disk_leaves_nothing(stage: Stage, kilobytes: int) -> None:
    stage.empty()
    prefix = str(stage.machine.prefix)
    os.mkdir(prefix)
    script = (
        f'mount -t tmpfs -o size={kilobytes}k,mode=755 disk "$0"; "$@"; status=$?; '
        'find "$0" -mindepth 1; exit $status'
    )
    done = call(["unshare", "--mount", "sh", "-c", script, prefix, *stage.argv()])
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert not (stage.machine.root / "etc/netfail-hooks").exists()


def test_a_refused_install_leaves_nothing(stage: Stage) -> None:
    stage.empty()
    before = snapshot(stage.machine.root)
    argv = [word for word in stage.argv() if word != "--yes"]
    done = call(argv)
    assert done.returncode == 2
    assert "nobody to ask" in done.stderr
    assert not stage.machine.prefix.exists()
    assert snapshot(stage.machine.root) == before


def test_what_install_would_refuse_is_refused_before_anything_is_fetched(stage: Stage) -> None:
    stage.empty()
    before = snapshot(stage.machine.root)
    argv = [word for word in stage.argv() if word not in UPLINKS]
    done = call([*argv, "--wheels", str(stage.machine.place), "--yes"])  # in which there are none
    assert done.returncode == 2
    assert done.stderr.startswith("netfail-hooks: which uplinks? "), done.stderr
    assert not stage.machine.prefix.exists()
    assert snapshot(stage.machine.root) == before


def test_two_at_once(stage: Stage) -> None:
    stage.empty()
    assert call(stage.argv()).returncode == 0
    alone = stage.state()  # of the checkout as the tests before this one have left it
    stage.empty()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    first, second = (
        subprocess.Popen(stage.argv(), cwd="/", stderr=subprocess.PIPE, text=True, **quiet)  # type: ignore[call-overload]
        for _ in range(2)
    )
    said = [each.communicate(timeout=60)[1] for each in (first, second)]
    assert sorted([first.returncode, second.returncode]) == [0, 1], said
    assert any("another install.sh is at work" in each for each in said)
    pairs = zip(stage.state(), alone, strict=True)
    odd = [path for now, was in pairs for path in {*now, *was} if now.get(path) != was.get(path)]
    assert odd == []


# --- a checkout that others can change --------------------------------------------------------

NOBODY = 65534
ODD = ("--frobnicate",)  # wrong use, which is found once the checkout is trusted
WAYS = ("others may write", "a group may write", "somebody's")


@pytest.mark.skipif(os.geteuid() != 0, reason="to give a file away takes root")
@given(st.data(), st.sampled_from(WAYS), st.booleans())
@settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_a_checkout_that_others_can_change_is_refused(
    stage: Stage,
    data: st.DataObject,
    way: str,
    dry: bool,  # noqa: FBT001
) -> None:
    checkout = stage.machine.checkout
    parts = [checkout / name for name in ("netfail_hooks", "hooks", "man", "packaging")]
    inside = [path for part in parts for path in (part, *part.rglob("*"))]
    path = data.draw(st.sampled_from([checkout, checkout / "install.sh", *sorted(inside)]))
    argv = stage.argv(*ODD, *(["--dry-run"] if dry else []))
    with _made_theirs(path, way):
        done = call(argv)
        assert done.returncode == 3, done.stderr
        assert f"install.sh: {path}: others can change" in done.stderr
        if way == "somebody's":  # whoever calls sudo is root already
            assert call(argv, SUDO_UID=str(NOBODY)).returncode == 2
    assert call(argv).returncode == 2


@contextlib.contextmanager
def _made_theirs(path: Path, way: str) -> Iterator[None]:
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if way == "somebody's":
        os.chown(path, NOBODY, -1)
    elif way == "a group may write":
        os.chown(path, -1, 100)  # users
        path.chmod(mode | 0o020)
    else:
        path.chmod(mode | 0o002)
    try:
        yield
    finally:
        os.chown(path, about.st_uid, about.st_gid)
        path.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="to give a file away takes root")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["above", "wheels", "a wheel"])
def test_so_are_the_way_to_it_and_wheels(
    stage: Stage, where: str, way: str, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    shutil.copytree(stage.wheels, wheels)
    a_wheel = next(wheels.iterdir())
    path = {"above": stage.machine.place, "wheels": wheels, "a wheel": a_wheel}[where]
    argv = stage.machine.argv("--wheels", str(wheels), *ODD)
    with _made_theirs(path, way):
        done = call(argv)
    assert done.returncode == 3, done.stderr
    assert f"{path}: others can change" in done.stderr
    assert call(argv).returncode == 2


def test_a_group_of_nobody_else_is_no_danger(stage: Stage) -> None:
    """So it is after a clone with umask 002, the default of some."""
    path = stage.machine.checkout / "netfail_hooks"
    path.chmod(0o775)
    try:
        done = call(stage.argv(*ODD))
    finally:
        path.chmod(0o755)
    assert done.returncode == 2, done.stderr
