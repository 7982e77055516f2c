"""The hook and the units start the right Python, whatever the path, and pass systemd's checks."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netfail_hooks.config import DRILLS
from netfail_hooks.errors import Problem
from netfail_hooks.install import hook_file, units
from netfail_hooks.install.layout import layout
from netfail_hooks.values import replace
from tests.support.world import config_of


def test_every_state_directory_has_a_hook() -> None:
    assert {"routable", "no-carrier", "off", "degraded", "configured"} <= set(hook_file.states())
    assert not any("." in state or "_" in state for state in hook_file.states())


def test_a_hook_starts_the_base_python_and_finds_package_and_libraries(tmp_path: Path) -> None:
    text = hook_file.hook_text().decode()
    assert "@" not in text.replace("@value", "")
    program = re.findall(r'^exec "(\S+)" -IS "\$0"$', text, re.MULTILINE)
    assert os.path.realpath(*program) == os.path.realpath(sys.executable)
    probe = tmp_path / "hook"
    probe.write_text(
        text.replace(
            "from netfail_hooks.hook import main",
            "import netfail_hooks.hook, pyroute2, icmplib\n"
            "import netfail_hooks.kernel.connections; main = lambda: 7",
        )
    )
    probe.chmod(0o755)
    done = subprocess.run([probe], env={}, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (7, "")


def test_given_places_are_used_as_they_are() -> None:
    text = hook_file.hook_text(interpreter="/usr/bin/python3", package="/opt/n/lib").decode()
    assert '\nexec "/usr/bin/python3" -IS "$0"\n' in text
    assert '["/opt/n/lib"]' in text


@pytest.mark.parametrize(
    "path",
    ["/home/a b", "/x\ny", "/it's", "/`id`", '/say "hi"', "/50%", "/$HOME", "/\x1b[0m", "/a\\b"],
)
def test_odd_paths_are_refused_with_a_way_out(path: str) -> None:
    with pytest.raises(Problem, match="/opt/netfail-hooks"):
        hook_file.hook_text(interpreter="/usr/bin/python3", package=path)
    with pytest.raises(Problem, match="/opt/netfail-hooks"):
        hook_file.hook_text(interpreter=path, package="/opt")
    with pytest.raises(Problem, match="/opt/netfail-hooks"):
        units.service_text(interpreter="/usr/bin/python3", places=[path])


def test_whatever_is_no_odd_path_starts(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 200) / "a;b&c(d)<e>*?[f]#~!{g}|h"  # longer than a #! line may be
    place.mkdir(parents=True)
    program = place / "python3"
    program.symlink_to(sys.executable)
    probe = tmp_path / "hook"
    text = hook_file.hook_text(interpreter=str(program), package="/opt").decode()
    probe.write_text(text.replace("import gc\n", "print(7)\nimport gc\n"))
    done = subprocess.run(["/bin/sh", probe], env={}, capture_output=True, check=False, text=True)
    assert done.stdout == "7\n", done.stderr


def test_the_services_command_starts_the_check(tmp_path: Path) -> None:
    line = next(one for one in units.service_text().split("\n") if one.startswith("ExecStart="))
    words = shlex.split(line.removeprefix("ExecStart="))
    words[-1] = words[-1].replace("os._exit(main())", "print(main.__module__)")
    done = subprocess.run(words, env={}, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout == "netfail_hooks.check\n"


def test_the_check_may_write_where_its_metrics_go_and_nowhere_else() -> None:
    def writable(textfile: str) -> list[str]:
        text = units.service_text(
            interpreter="/usr/bin/python3", places=["/opt/n"], textfile=textfile
        )
        return [line for line in text.splitlines() if line.startswith("ReadWritePaths=")]

    assert writable("") == ["ReadWritePaths=/proc/sys/net"]
    assert writable("/srv/x/n.prom") == ["ReadWritePaths=/proc/sys/net -/srv/x"]
    counting = units.service_text(interpreter="/usr/bin/python3", places=["/opt/n"], counts=True)
    assert "ReadWritePaths=/proc/sys/net -/var/lib/netfail-hooks" in counting.splitlines()
    running = units.service_text(interpreter="/usr/bin/python3", places=["/opt/n"], programs=True)
    assert running.splitlines()[-1] == "SystemCallFilter=capset setuid setuid32"
    assert "capset" not in counting
    text = units.service_text(interpreter="/usr/bin/python3", places=["/opt/n"])
    assert {"ProtectSystem=strict", "ReadOnlyPaths=/proc /sys"} <= set(text.splitlines())


def test_systemd_takes_the_units_and_calls_the_exposure_low(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.fail("systemd-analyze is needed: install systemd")
    service, timer = tmp_path / units.SERVICE, tmp_path / units.TIMER
    text = units.service_text(
        interpreter="/usr/bin/python3", places=["/usr/lib"], textfile="/srv/x/n.prom", counts=True
    )
    service.write_text(text)
    timer.write_text(units.timer_text(5))
    done = subprocess.run(
        [analyze, "--man=no", "verify", service, timer], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    # In tenths. What remains is root itself, the network it works on, what can be read, and 1.5 of
    # directives that say once more what capabilities and mounts keep from it (see units.py).
    command = [analyze, "security", "--offline=yes", "--threshold=36", str(service)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout


def test_systemd_takes_the_watchs_units_and_nobody_waits_for_a_namespace(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.fail("systemd-analyze is needed: install systemd")
    service, ear = tmp_path / units.WATCH, tmp_path / units.SOCKET
    service.write_text(units.watch_text())
    ear.write_text(units.SOCKET_TEXT)
    done = subprocess.run(
        [analyze, "--man=no", "verify", service, ear], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    command = [analyze, "security", "--offline=yes", "--threshold=42", str(service)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout
    keys = {line.partition("=")[0] for line in service.read_text().splitlines()}
    assert not {key for key in keys if key.startswith(("Protect", "Private", "Read", "Bind"))}
    # Neither unit may ever be refused for being started too often, nor start without a pause.
    assert "TriggerLimitIntervalSec=0\n" in ear.read_text()
    assert {"StartLimitIntervalSec", "Restart", "RestartSec"} <= keys


def test_the_watchs_command_starts_the_watch(tmp_path: Path) -> None:
    line = next(one for one in units.watch_text().split("\n") if one.startswith("ExecStart="))
    words = shlex.split(line.removeprefix("ExecStart="))
    words[-1] = words[-1].replace("os._exit(main())", "print(main.__module__)")
    done = subprocess.run(words, env={}, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout == "netfail_hooks.watch\n"


def test_systemd_and_the_shell_take_the_dispatchers_drop_in(tmp_path: Path) -> None:
    unit = tmp_path / "networkd-dispatcher.service"
    unit.write_text("[Service]\nType=notify\nExecStart=/bin/true\n")
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d" / "10.conf").write_text(units.DISPATCHER_TEXT)
    command = ["systemd-analyze", "--man=no", "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    _, _, line = units.DISPATCHER_TEXT.replace("\\\n", " ").partition("ExecStartPre=-")
    assert "$" not in line.replace("$$", "")  # what systemd would put in itself
    assert "%" not in line
    shell, _, script = shlex.split(line)
    checked = ["shellcheck", "--shell=sh", "-"]
    done = subprocess.run(
        checked, input=script.replace("$$", "$"), capture_output=True, check=False, text=True
    )
    assert (shell, done.returncode, done.stdout) == ("/bin/sh", 0, "")


def test_one_uplink_makes_the_machine_online() -> None:
    text = units.online_text(("eth0", "wlan0"))
    line = text.splitlines()[-1].removeprefix("ExecStart=")
    assert text.splitlines()[-2] == "ExecStart="  # an empty one takes back those before
    program, *words = shlex.split(line)
    done = subprocess.run([program, *words, "--help"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert words == ["--any", "--interface=eth0", "--interface=wlan0"]


def test_netplans_wait_for_all_is_taken_back_and_a_persons_own_counts() -> None:
    ours = units.ONLINE_FILE.rpartition("/")[2]
    assert "10-netplan.conf" < ours < "override.conf"


def test_what_others_may_write_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    monkeypatch.setattr(hook_file, "search_path", lambda: ("/usr/lib", str(theirs / "lib")))
    (theirs / "lib").mkdir()
    assert hook_file.unsafe_places() == [str(theirs / "lib")]


@pytest.mark.parametrize("every", DRILLS[1:])
def test_systemd_takes_the_drills_units(tmp_path: Path, every: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.fail("systemd-analyze is needed: install systemd")
    service, timer = tmp_path / units.DRILL, tmp_path / units.DRILL_TIMER
    service.write_text(units.drill_text(textfile="/srv/x/n.prom"))
    timer.write_text(units.drill_timer_text(every))
    done = subprocess.run(
        [analyze, "--man=no", "verify", service, timer], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    calendar = re.findall(r"^OnCalendar=(.+)$", timer.read_text(), re.MULTILINE)
    done = subprocess.run(
        [analyze, "calendar", "--iterations=2", *calendar],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.count("03:00:00") >= 2


def test_without_the_key_there_is_no_timer_of_drills() -> None:
    def made(**more: object) -> set[str]:
        config = replace(config_of("eth0", "wlan0"), **more)
        return {path for path in layout(config, "", {}) if "drill" in path}

    assert made() == made(mode="bond", drill_every="weekly") == set()
    assert len(made(drill_every="monthly")) == 3
