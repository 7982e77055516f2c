"""Directories and files that somebody else has put where ours belong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netfail_hooks import reconcile, recorder
from netfail_hooks.config import cache
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.files import only_root_can_change, own_directory
from netfail_hooks.install import manifest
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.policy import state as state_file
from netfail_hooks.policy.state import State
from netfail_hooks.reconcile import notify
from tests.conftest import Tried
from tests.support import ROOT
from tests.support.machine import Machine
from tests.support.nobody import NOBODY, as_nobody

pytestmark = pytest.mark.faults
PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")


def _linked(place: Path) -> None:
    place.rename(f"{place}.real")
    place.symlink_to(f"{place}.real")


def _file(place: Path) -> None:
    place.rmdir()
    place.write_text("")


SPOILT: dict[str, Callable[[Path], object]] = {
    "a link": _linked,
    "somebody's": lambda place: os.chown(place, NOBODY, NOBODY),
    "open to a group": lambda place: place.chmod(0o775),
    "open to all": lambda place: place.chmod(0o1777),
    "a file": _file,
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "netfail-hooks"
    place.mkdir(mode=0o755)
    return place


def test_a_directory_is_made_where_there_is_none(tmp_path: Path) -> None:
    own_directory(f"{tmp_path}/run/netfail-hooks")
    own_directory(f"{tmp_path}/run/netfail-hooks")


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_nothing_is_locked_in_a_directory_that_is_not_ours_alone(
    place: Path, spoil: Callable[[Path], object], tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    spoil(place)
    why = r"netfail-hooks: (not a directory|owned or writable)"
    with pytest.raises(Problem, match=why) as told:
        Lock(f"{place}/lock").__enter__()
    assert "use sudo" not in str(told.value)
    assert not place.is_dir() or os.listdir(place) == []


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_nothing_is_recorded_in_a_directory_that_is_not_ours_alone(
    place: Path, spoil: Callable[[Path], object], tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    spoil(place)
    with pytest.raises(OSError, match=r"not a directory|owned or writable"):
        recorder.write(str(place), "{}\n", 1000)
    assert not place.is_dir() or os.listdir(place) == []


@pytest.mark.parametrize("name", ["lock", "events.jsonl"])
def test_a_link_in_the_place_of_a_file_is_not_followed(
    place: Path, name: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    victim = place.parent / "victim"
    victim.write_text("precious")
    (place / name).symlink_to(victim)
    if name == "lock":
        with pytest.raises(Problem, match="symbolic links"):
            Lock(f"{place}/lock").__enter__()
    else:
        with pytest.raises(OSError, match="symbolic links"):
            recorder.write(str(place), "{}\n", 1000)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("kind", ["fifo", "directory", "somebody's", "open to all", "link"])
def test_a_state_file_that_is_not_ours_is_not_believed(
    place: Path, kind: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    state = place / "state"
    wrong = state_file.render(State((state_file.UplinkState("evil0", 4, "up", 1),)))
    if kind == "fifo":
        os.mkfifo(state)
    elif kind == "directory":
        state.mkdir()
    elif kind == "link":
        (place / "elsewhere").write_text(wrong)
        state.symlink_to("elsewhere")
    else:
        state.write_text(wrong)
        state.chmod(0o666 if kind == "open to all" else 0o600)
        os.chown(state, NOBODY if kind == "somebody's" else 0, 0)
    assert reconcile.load_state(str(state)) == State()


def test_a_config_that_is_no_file_is_told_at_once(tmp_path: Path, tried: Tried) -> None:
    tried("spoilt files and directories", 2)
    paths = Paths(str(tmp_path))
    os.makedirs(os.path.dirname(paths.config))
    os.mkfifo(paths.config)
    with pytest.raises(Misuse, match="not a file"):
        cache.load(paths)
    os.unlink(paths.config)
    os.mkdir(paths.config)
    with pytest.raises(Misuse, match="not a file"):
        cache.load(paths)


def _mine(paths: Paths, name: str = "10-mail") -> Path:
    os.makedirs(paths.notify, exist_ok=True)
    hook = Path(paths.notify, name)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    return hook


@pytest.mark.parametrize("spoilt", ["hook", "notify.d", "netfail-hooks", "etc"])
@pytest.mark.parametrize("how", ["somebody's", "open"])
def test_nobodys_hook_runs_if_any_directory_above_it_is_open(
    tmp_path: Path, spoilt: str, how: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    paths = Paths(str(tmp_path))
    hook = _mine(paths)
    assert notify.executables(paths.notify) == [str(hook)]
    places = {
        "hook": hook,
        "notify.d": hook.parent,
        "netfail-hooks": hook.parent.parent,
        "etc": hook.parent.parent.parent,
    }
    if how == "open":
        places[spoilt].chmod(0o777)
    else:
        os.chown(places[spoilt], NOBODY, NOBODY)
    assert notify.executables(paths.notify) == []


@pytest.mark.parametrize("spoilt", ["", "target", "its directory", "link", "dangling", "loop"])
def test_a_linked_hook_runs_only_if_its_target_is_roots_too(
    tmp_path: Path, spoilt: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    paths = Paths(str(tmp_path))
    os.makedirs(paths.notify)
    target = tmp_path / "opt" / "mail"
    target.parent.mkdir()
    target.write_text("#!/bin/sh\n")
    target.chmod(0o777 if spoilt == "target" else 0o755)
    if spoilt == "its directory":
        target.parent.chmod(0o775)
    link = Path(paths.notify, "10-mail")
    link.symlink_to(link if spoilt == "loop" else target)
    if spoilt == "dangling":
        target.unlink()
    if spoilt == "link":
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert notify.executables(paths.notify) == ([] if spoilt else [str(link)])


def test_only_files_are_hooks(tmp_path: Path, tried: Tried) -> None:
    tried("spoilt files and directories", 2)
    paths = Paths(str(tmp_path))
    os.makedirs(f"{paths.notify}/10-directory", mode=0o755)
    os.mkfifo(f"{paths.notify}/20-fifo", 0o755)
    assert notify.executables(paths.notify) == []


def test_what_root_alone_can_change(tmp_path: Path) -> None:
    assert only_root_can_change("/usr/bin/env")
    assert only_root_can_change(str(tmp_path))  # below a sticky /tmp
    loose = tmp_path / "sticky-file"
    loose.write_text("")
    loose.chmod(0o1777)
    assert not only_root_can_change(str(loose))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("spoil", ["somebody's", "open to all", "link", "fifo"])
def test_uninstall_believes_no_manifest_but_roots_own(
    machine: Machine, spoil: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    machine.install(*PAIR)
    path = Path(machine.paths.manifest)
    if spoil == "somebody's":
        os.chown(path, NOBODY, NOBODY)
    elif spoil == "open to all":
        path.chmod(0o666)
    else:
        path.rename(f"{path}.real")
        if spoil == "link":
            path.symlink_to(f"{path}.real")
        else:
            os.mkfifo(path)
    before = machine.shape() if spoil != "fifo" else None
    with pytest.raises(Problem, match="must be root's alone"):
        machine.uninstall("--yes")
    assert before in (None, machine.shape())


ORDINARY = {"kind": "file", "data": "", "mode": 0o644, "owner": [0, 0]}


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "/../../etc/passwd", "before": None, "ours": []},
        {"path": "etc/passwd", "before": None, "ours": []},
        {"path": "/etc/../../x", "before": ORDINARY, "ours": []},
        {"path": "/etc//x", "before": ORDINARY, "ours": []},
        {"path": "/etc/x\0y", "before": ORDINARY, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"kind": "device"}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"mode": 1 << 40}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"owner": [-1, 0]}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"owner": [0]}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"data": "!"}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"kind": "link"}, "ours": []},
        {"path": "/etc/x", "before": ORDINARY | {"kind": "link", "data": "YQBi"}, "ours": []},
        {"path": 7, "before": [], "ours": 3},
    ],
)
def test_a_manifest_that_leads_elsewhere_is_refused(
    machine: Machine, entry: object, tried: Tried
) -> None:
    tried("fuzz inputs: manifest", 1)
    tree = {"schema": 1, "entries": [entry], "sysctls": {}, "ways": []}
    machine.write("/var/lib/netfail-hooks/manifest.json", json.dumps(tree), mode=0o600)
    before = machine.shape()
    with pytest.raises(Problem, match="cannot make sense of it"):
        machine.uninstall("--yes")
    assert machine.shape() == before


def test_a_deep_manifest_is_refused(machine: Machine, tried: Tried) -> None:
    tried("fuzz inputs: manifest", 1)
    machine.write("/var/lib/netfail-hooks/manifest.json", "[" * 100_000, mode=0o600)
    with pytest.raises(Problem, match="cannot make sense of it"):
        manifest.load(machine.paths)


@pytest.mark.parametrize("where", ["/etc/netfail-hooks/notify.d", "/etc/networkd-dispatcher/off.d"])
def test_install_changes_no_directory_behind_a_link(
    machine: Machine, where: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    target = Path(f"{machine.root}/home/somebody")
    target.mkdir(parents=True, mode=0o700)
    place = Path(f"{machine.root}{where}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    before = machine.shape()
    with pytest.raises(OSError, match="a symbolic link, where a directory must be"):
        machine.install(*PAIR)
    assert machine.shape() == before
    assert target.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["link", "fifo", "file", "full directory"])
def test_what_lies_where_install_writes_first_does_no_harm(
    machine: Machine, kind: str, tried: Tried
) -> None:
    tried("spoilt files and directories", 1)
    victim = Path(f"{machine.root}/victim")
    victim.write_text("precious")
    machine.write("/etc/systemd/network/.keep", "")
    aside = Path(f"{machine.root}/etc/systemd/network/.10-netfail-eth0.network.netfail-new")
    if kind == "link":
        aside.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(aside)
    elif kind == "file":
        aside.write_text("half")
    else:
        aside.mkdir()
        (aside / "x").write_text("")
    before = machine.shape()
    if kind == "full directory":
        with pytest.raises(OSError, match="exists"):
            machine.install(*PAIR)
        assert machine.shape() == before
        return
    assert machine.install(*PAIR) == 0
    assert victim.read_text() == "precious"
    machine.uninstall("--yes")
    assert {path: now for path, now in before.items() if path != str(aside)} == machine.shape()


def test_a_run_without_root_is_told_to_use_it(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir(mode=0o755)
    tmp_path.chmod(0o755)

    def enter() -> None:
        Lock(f"{place}/lock").__enter__()

    with pytest.raises(NotPermitted, match="use sudo"):
        as_nobody(enter)


@pytest.mark.parametrize("limits", ["size=4k", "ro"])
@pytest.mark.parametrize("where", ["/run", "/var/log", "/etc", "/var/lib"])
def test_a_full_or_read_only_disk_is_told_and_nothing_is_lost(
    machine: Machine, where: str, limits: str, tried: Tried
) -> None:
    """install on it ends in one line, with all as it was; a disk of 4 kB holds no hook."""
    tried("full and read-only disks", 1)
    os.makedirs(f"{machine.root}{where}", exist_ok=True)
    script = """
    set -e
    cp -a "$1$2" "$1.kept"; mount -t tmpfs -o mode=755,size=1m kept "$1$2"
    cp -a "$1.kept/." "$1$2"; rm -r "$1.kept"
    head -c 2000000 /dev/zero >"$1$2/fill" 2>/dev/null || true
    [ "$3" != ro ] || mount -o remount,ro "$1$2"
    before=$(cd "$1"; find . -type f ! -name fill -exec sha256sum {} + | sort)
    status=0
    "$4" -m netfail_hooks install --root "$1" --primary eth0 --backup wlan0 --yes || status=$?
    after=$(cd "$1"; find . -type f ! -name fill -exec sha256sum {} + | sort)
    if [ $status -ne 0 ]; then [ "$before" = "$after" ] || exit 99; fi
    exit $status
    """
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            str(machine.root),
            where,
            limits,
            sys.executable,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if where in ("/run", "/var/log"):  # install puts nothing there
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "No space left" in done.stderr or "Read-only" in done.stderr
