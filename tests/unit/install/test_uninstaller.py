"""uninstall gives back what was there, byte for byte, whatever happened in between."""

from __future__ import annotations

import importlib
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.install import nodes, systemd, uninstaller, units
from netfail_hooks.install.handover import (
    from_networkmanager,
    giving_back,
    returning,
    services,
    uplink,
)
from netfail_hooks.install.handover.resolving import RESOLV_CONF, resolver
from netfail_hooks.install.manifest import Handed, Manifest, load, save
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import note, write_change
from netfail_hooks.kernel import outage
from netfail_hooks.kernel.observe import now
from netfail_hooks.managers import dhcpcd, ifupdown
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import drills
from netfail_hooks.recorder.drills import Drill
from tests.conftest import Tried
from tests.support.machine import Machine, Shape
from tests.support.shares import moments

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
CONFIG = "/etc/netfail-hooks/config.toml"
# What a process can't do to a file system without one of these (Python's audit events).
_DEEDS = ("os.rename", "os.mkdir", "os.chmod", "os.chown", "os.remove", "os.rmdir", "os.symlink")
_EACH = 3  # deed is tried each day, the next ones the day after


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write("/etc/sysctl.d/60-netfail-hooks.conf", "an odd name of mine\n", mode=0o640)
    os.makedirs(f"{tmp_path}/etc/systemd/system", mode=0o711)
    return machine


def test_everything_is_given_back(machine: Machine) -> None:
    before = machine.shape()
    machine.install(*PAIR)
    assert machine.shape() != before
    assert machine.uninstall("--yes") == 0
    assert machine.shape() == before


def test_twice_says_that_nothing_is_installed(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.shape()
    machine.install(*PAIR)
    machine.uninstall("--yes")
    capsys.readouterr()
    assert machine.uninstall("--yes") == 0
    assert capsys.readouterr().out == "nothing is installed\n"
    assert machine.shape() == before


def test_after_several_different_installs_the_first_original_comes_back(machine: Machine) -> None:
    before = machine.shape()
    machine.install(*PAIR)
    machine.install("--primary", "wlan0", "--backup", "eth0", "--interval", "0", "--yes")
    machine.install("--interval", "2", "--yes")
    machine.uninstall("--yes")
    assert machine.shape() == before


def test_the_users_own_config_is_given_back_as_it_was(machine: Machine) -> None:
    machine.write(
        CONFIG, '[[uplink]]\ninterface="wlan0"\n[[uplink]]\ninterface="eth0"\n', mode=0o600
    )
    before = machine.shape()
    machine.install(*PAIR)
    assert machine.shape()[f"{machine.root}{CONFIG}"] != before[f"{machine.root}{CONFIG}"]
    machine.uninstall("--yes")
    assert machine.shape() == before


def test_what_somebody_changed_since_stays_and_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install(*PAIR)
    network = "/etc/systemd/network/10-netfail-eth0.network"
    machine.write(network, "# mine now\n")
    machine.write(CONFIG, machine.read(CONFIG) + "# a note\n")
    machine.write("/etc/netfail-hooks/notify.d/mail", "#!/bin/sh\n", mode=0o755)
    machine.uninstall("--yes")
    assert machine.read(network) == "# mine now\n"
    assert machine.read(CONFIG).endswith("# a note\n")
    assert machine.has("/etc/netfail-hooks/notify.d/mail")
    assert not machine.has("/etc/systemd/network/10-netfail-wlan0.network")
    assert f"{network} was changed since install" in capsys.readouterr().err


@pytest.mark.parametrize("made", ["file", "link", "directory"])
def test_each_thing_that_stays_is_told_with_the_command_that_removes_it(
    machine: Machine, capsys: pytest.CaptureFixture[str], made: str
) -> None:
    before = {path for path, node in machine.shape().items() if not os.path.isdir(path)}
    machine.install(*PAIR)
    known = load(machine.paths)
    assert known
    ours = [entry.path for entry in known.entries if entry.before is None]
    files = [path for path in ours if os.path.isfile(machine.paths.at(path))]
    changed = random.sample(files, 3)
    for path in changed:
        place = machine.paths.at(path)
        os.unlink(place)
        if made == "link":
            os.symlink("/nowhere", place)
        else:
            inside = f"{path}/mine" if made == "directory" else path
            machine.write(inside, "# mine now\n")
    capsys.readouterr()
    machine.uninstall("--yes")
    told = " ".join(line.strip() for line in capsys.readouterr().err.splitlines())
    for path in changed:
        place = machine.paths.at(path)
        assert os.path.lexists(place)
        command = f"sudo rm {'-r ' if made == 'directory' else ''}{shlex.quote(place)}"
        assert f"{path} was changed since install, so it stays as it is; if you don't" in told
        assert command in told
        subprocess.run(shlex.split(command)[1:], check=True)
    assert {path for path in machine.shape() if not os.path.isdir(path)} == before


def test_nobody_is_told_to_remove_what_was_there_before_install(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/etc/sysctl.d/60-netfail-hooks.conf"
    machine.install(*PAIR)
    machine.write(path, "# mine now\n")
    machine.uninstall("--yes")
    told = capsys.readouterr().err
    assert f"{path} was changed since install" in told
    assert " rm " not in told


def test_the_config_is_kept_on_request(machine: Machine) -> None:
    machine.install(*PAIR)
    config = machine.read(CONFIG)
    machine.uninstall("--yes", "--keep-config")
    assert machine.read(CONFIG) == config
    assert machine.has("/etc/netfail-hooks/notify.d")
    assert not machine.has("/var/lib/netfail-hooks")


def test_no_more_is_kept_with_the_config_than_what_a_person_writes(machine: Machine) -> None:
    machine.write(RESOLV_CONF, "# Generated by NetworkManager\nnameserver 192.168.1.1\n")
    before = machine.shape()
    machine.install(*PAIR)
    known = load(machine.paths)
    assert known
    for path, node in resolver(machine.paths, resolved=False, ours=False):
        change = FileChange(path, nodes.read(machine.paths.at(path)), node)
        known = note(known, (change,))
        write_change(machine.paths, change)
    save(machine.paths, known)
    machine.uninstall("--yes", "--keep-config")
    place = "/etc/netfail-hooks"
    left = {f"{machine.root}{path}" for path in (place, f"{place}/notify.d", CONFIG)}
    assert machine.shape().keys() - before.keys() == left
    assert {path: machine.shape()[path] for path in before} == before


def test_a_dry_run_prints_a_diff_and_changes_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install(*PAIR)
    before = machine.shape()
    capsys.readouterr()
    machine.uninstall("--dry-run")
    assert "--- a/etc/systemd/network/10-netfail-eth0.network" in capsys.readouterr().out
    assert machine.shape() == before


def test_without_a_person_to_ask_nothing_is_done(machine: Machine) -> None:
    machine.install(*PAIR)
    before = machine.shape()
    with pytest.raises(Misuse, match="add --yes"):
        machine.uninstall()
    assert machine.shape() == before


def test_what_hooks_left_goes_and_the_log_only_unless_kept(machine: Machine) -> None:
    machine.install(*PAIR)
    for path in ("/run/netfail-hooks/state", "/var/log/netfail-hooks/events.jsonl"):
        machine.write(path, "")
    machine.uninstall("--yes", "--keep-log")
    assert not machine.has("/run/netfail-hooks")
    assert machine.has("/var/log/netfail-hooks/events.jsonl")


def test_everything_that_any_part_of_us_leaves_in_run_goes_half_written_too(
    machine: Machine,
) -> None:
    paths = machine.paths
    named = {getattr(paths, name) for name, each in vars(Paths).items() if _is_path(each)}
    kept = [path for path in named if path.startswith(f"{paths.run}/")]
    kept += [paths.pending("eth0"), paths.notification("77")]
    assert len(kept) > 8
    machine.install(*PAIR)
    for path in kept:
        for left in (path, f"{path}.123.tmp", nodes.beside(path)):
            machine.write(left.removeprefix(str(machine.root)), "")
    machine.uninstall("--yes", "--keep-log")
    assert not machine.has("/run/netfail-hooks")


def _is_path(attribute: object) -> bool:
    return isinstance(attribute, property)


def test_somebody_elses_file_in_run_stays(machine: Machine) -> None:
    machine.install(*PAIR)
    names = ("states", "state.tmp", "state.x.tmp", ".123.tmp", "rollback", "notify", ".state")
    for name in names:
        machine.write(f"/run/netfail-hooks/{name}", "")
    machine.uninstall("--yes")
    assert sorted(os.listdir(machine.paths.run)) == sorted(names)


def _killed_at(number: int, work: Callable[[], int]) -> bool:
    """Run ``work`` in a child, killed right before its deed of that number; tell if it was."""
    child = os.fork()
    if not child:
        _die_at(number)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(null, stream)
        os._exit(work())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status == -signal.SIGKILL


def _die_at(number: int) -> None:
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
        if event in _DEEDS or writes:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.mark.faults
def test_killed_anywhere_in_install_uninstall_gives_everything_back(
    machine: Machine, tried: Tried, pytestconfig: pytest.Config
) -> None:
    before = machine.shape()
    deeds = moments(pytestconfig, _EACH)
    while _killed_at(number := next(deeds), lambda: machine.install(*PAIR)):
        tried("kill points: install, on files alone", 1)
        machine.uninstall("--yes")
        assert machine.shape() == before, f"killed at deed {number}"
    assert number > 100


@pytest.mark.faults
def test_killed_anywhere_in_uninstall_the_next_one_does_the_rest(
    machine: Machine, tried: Tried, pytestconfig: pytest.Config
) -> None:
    before = machine.shape()
    for number in moments(pytestconfig, _EACH):
        machine.install(*PAIR)
        killed = _killed_at(number, lambda: machine.uninstall("--yes"))
        tried("kill points: uninstall, on files alone", killed)
        machine.uninstall("--yes")
        assert machine.shape() == before, f"killed at deed {number}"
        if not killed:
            break
    assert number > 50


@pytest.mark.faults
def test_killed_anywhere_in_a_second_install_the_next_one_does_the_rest(
    machine: Machine, tried: Tried, pytestconfig: pytest.Config
) -> None:
    before = machine.shape()
    other = ("--primary", "wlan0", "--backup", "eth0", "--interval", "0", "--yes")
    ends: list[Shape] = []
    for number in moments(pytestconfig, _EACH):
        machine.install(*PAIR)
        killed = _killed_at(number, lambda: machine.install(*other))
        tried("kill points: install, on files alone", killed)
        machine.install(*other)
        ends.append(machine.shape())
        machine.uninstall("--yes")
        assert machine.shape() == before, f"killed at deed {number}"
        if not killed:
            break
    assert all(end == ends[-1] for end in ends)


def test_a_terminal_that_goes_ends_neither_install_nor_uninstall(
    machine: Machine, mocker: MockerFixture
) -> None:
    """SSH by an uplink that changes hands: half of it done would leave that uplink to nobody."""
    heard: list[int] = []
    old = signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))

    def cut_off(_: object) -> list[str]:
        os.kill(os.getpid(), signal.SIGHUP)
        return []

    mocker.patch("netfail_hooks.cli.install.what_remains", cut_off)
    mocker.patch("netfail_hooks.cli.uninstall.uninstall", cut_off)
    try:
        machine.install(*PAIR)
        assert machine.uninstall("--yes") == 0
        assert heard == []
        os.kill(os.getpid(), signal.SIGHUP)
        assert heard == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, old)


@pytest.mark.parametrize(
    ("before", "after", "fails", "stops"),
    [
        (True, False, "", "eth0 has no way out since ifupdown has it again; wlan0 stay"),
        (True, False, "it hangs", "it hangs; wlan0 stay"),
        (True, True, "", ""),
        (True, True, "it hangs", ""),
        (False, False, "", ""),  # no cable is in it, or it is not plugged in
        (False, False, "it hangs", ""),
    ],
)
def test_what_works_stays_where_one_that_worked_does_no_more(  # noqa: PLR0913 - one a column
    machine: Machine, mocker: MockerFixture, *, before: bool, after: bool, fails: str, stops: str
) -> None:
    given: list[str] = []

    def give_back(interface: str, *_: object) -> None:
        given.append(interface)
        if fails:
            raise Problem(fails)

    def is_useful(interface: str) -> bool:
        return after if interface in given else before

    _quiet(mocker)
    mocker.patch.object(giving_back, "give_back", give_back)
    mocker.patch.object(uplink, "is_useful", is_useful)
    mocker.patch.object(networkctl, "answers", return_value=True)
    changes = tuple(
        FileChange(f"/etc/systemd/network/10-netfail-{name}.network", Node(nodes.FILE, b""), None)
        for name in ("eth0", "wlan0")
    )
    known = Manifest(handed=tuple(Handed(name, ifupdown.MANAGER) for name in ("eth0", "wlan0")))
    work = uninstaller.Work(machine.paths, known, changes, (), keep_log=False, running=True)
    messages: list[str] = []
    if stops:
        with pytest.raises(Problem, match=stops):
            uninstaller._give_back_handed(work, messages)
        assert given == ["eth0"]
    else:
        uninstaller._give_back_handed(work, messages)
        assert given == ["eth0", "wlan0"]
        assert messages == [fails] * (2 if fails else 0)


def _quiet(mocker: MockerFixture) -> None:
    mocker.patch.object(from_networkmanager, "hold")
    for name in ("settle", "stop"):
        mocker.patch.object(services, name)
    mocker.patch.object(returning, "give_rest_back", return_value=returning.Outcome())
    mocker.patch.object(returning, "keep_untaken", return_value=False)


def test_who_has_wifi_back_does_not_join_it_by_our_file(
    machine: Machine, mocker: MockerFixture
) -> None:
    """dhcpcd's hook would have its wpa_supplicant read ours rather than the user's."""
    left: dict[str, bool] = {}
    ours = supplicant.path("wlan0")
    machine.write(ours, "ours\n", mode=0o600)

    def give_back(interface: str, *words: object) -> None:
        write = words[-1]
        assert callable(write)
        if interface == "wlan0":
            assert machine.has(ours)  # until its traffic is elsewhere
        write()
        left[interface] = machine.has(ours)

    _quiet(mocker)
    mocker.patch.object(returning, "note")
    mocker.patch.object(giving_back, "give_back", give_back)
    mocker.patch.object(uplink, "is_useful", return_value=True)
    mocker.patch.object(networkctl, "answers", return_value=True)
    paths = [f"/etc/systemd/network/10-netfail-{name}.network" for name in ("eth0", "wlan0")]
    for path in paths:
        machine.write(path, "")
    changes = tuple(FileChange(path, Node(nodes.FILE, b""), None) for path in (*paths, ours))
    known = Manifest(handed=tuple(Handed(name, dhcpcd.MANAGER) for name in ("eth0", "wlan0")))
    work = uninstaller.Work(machine.paths, known, changes, (), keep_log=False, running=True)
    uninstaller._give_back_handed(work, [])
    assert left == {"eth0": True, "wlan0": False}


@pytest.mark.parametrize("heals", [True, False])
def test_a_drill_that_began_meanwhile_is_ended(
    machine: Machine, mocker: MockerFixture, *, heals: bool
) -> None:
    done: list[object] = []
    reason = None if heals else OSError(1, "no")
    mocker.patch.object(systemd, "systemd_runs", return_value=True)
    mocker.patch.object(systemd, "run", side_effect=lambda *argv: done.append(argv[-1]))
    end = mocker.patch.object(outage, "end", side_effect=reason)
    drill = Drill("abc", "gateway", "silence", "eth0", now() + 20_000, 7)
    drills.note(machine.paths, drill)
    uninstaller._hold_hooks(machine.paths)
    assert done.index(units.DRILL_TIMER) < done.index(units.DRILL)
    end.assert_called_once_with("silence", 7)
    assert drills.noted_now(machine.paths) == (None if heals else drill)
    assert os.path.exists(machine.paths.uninstalling)


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_drill_that_began_behind_the_question_is_not_joined(
    machine: Machine, mocker: MockerFixture, command: str
) -> None:
    machine.install(*PAIR)
    os.makedirs(machine.paths.run, mode=0o700)
    before = machine.shape()

    def confirm(*_: object, **__: object) -> None:
        drills.note(machine.paths, Drill("abc", "gateway", "silence", "eth0", now() + 20_000, 7))

    mocker.patch.object(importlib.import_module(f"netfail_hooks.cli.{command}"), "confirm", confirm)
    arguments = ("--interval", "7") if command == "install" else ()
    with pytest.raises(Problem, match="a drill is on: eth0 fails for now"):
        getattr(machine, command)("--yes", *arguments)
    os.unlink(machine.paths.drill)
    for path in (machine.paths.turn, machine.paths.lock):
        Path(path).unlink(missing_ok=True)
    assert machine.shape() == before
