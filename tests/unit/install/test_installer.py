"""install on a machine that is only files: what it writes, refuses, and leaves alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.cli import prompts
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.install import hook_file
from netfail_hooks.install.networks.routes import networks
from netfail_hooks.paths import Paths
from tests.support.machine import HOWTO, Machine
from tests.support.nobody import as_nobody

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
ONLINE = "systemd-networkd-wait-online.service.d/50-netfail-hooks.conf"
NETWORK = "/etc/systemd/network"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_everything_is_put_in_place(machine: Machine) -> None:
    assert machine.install(*PAIR) == 0
    for name, metric in (("eth0", 100), ("wlan0", 600)):
        text = machine.read(f"{NETWORK}/10-netfail-{name}.network")
        assert f"Metric={metric}" in text
        assert "# the wired one" in text
    for state in hook_file.states():
        hook = f"{machine.root}/etc/networkd-dispatcher/{state}.d/50-netfail-hooks"
        assert os.stat(hook).st_mode & 0o7777 == 0o755
        assert os.stat(os.path.dirname(hook)).st_mode & 0o7777 == 0o755
        assert Path(hook).read_bytes() == hook_file.hook_text()
    assert config_file.read(machine.paths.config).names() == ("eth0", "wlan0")
    assert "157 netfail" in machine.read("/etc/iproute2/rt_protos.d/netfail-hooks.conf")
    sysctl = machine.read("/etc/sysctl.d/60-netfail-hooks.conf")
    assert "-net/ipv4/conf/wlan0/ignore_routes_with_linkdown = 1\n" in sysctl
    link = f"{machine.root}/etc/systemd/system/timers.target.wants/netfail-hooks-check.timer"
    assert os.readlink(link) == "/etc/systemd/system/netfail-hooks-check.timer"
    assert os.path.isdir(machine.paths.notify)
    online = machine.read(f"/etc/systemd/system/{ONLINE}")
    assert online.endswith(" --any --interface=eth0 --interface=wlan0\n")


_HERE_NOW = "note: there is no {} here now: right if it is plugged in later"


@pytest.mark.parametrize(
    ("nics", "asked", "told"),
    [
        (("eth0", "wlan0"), "wlan1x", "; did you mean wlan0?"),
        (("eth0", "wlan0"), "usb0", ""),
        (("eth0", "lo"), "lo0", ""),
        (("eth0",), "eth1", ""),  # the nearest is an uplink itself
        ((), "wlan0", ""),
    ],
)
def test_an_uplink_that_is_not_there_is_told_first(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    nics: tuple[str, ...],
    asked: str,
    told: str,
) -> None:
    machine = Machine(tmp_path, nics)
    expected = [_HERE_NOW.format("eth0")] if not nics else []
    expected.append(_HERE_NOW.format(asked) + told)
    for mode in ("routes", "bond"):
        argv = ("--primary", "eth0", "--backup", asked, "--mode", mode, "--dhcp", "--dry-run")
        with contextlib.redirect_stderr(sys.stdout):  # as on a terminal
            assert machine.install(*argv) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[: len(expected)] == expected
        assert "here now" not in "".join(lines[len(expected) :])
        assert machine.install(*argv, "--json") == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert notes[: len(expected)] == [line.removeprefix("note: ") for line in expected]


def test_who_is_asked_reads_first_that_an_uplink_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path, ("eth0", "wlan0"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    seen = []

    def answer(_: str) -> str:
        seen.append(capsys.readouterr())
        return "n"

    monkeypatch.setattr("builtins.input", answer)
    with pytest.raises(Problem):
        machine.install("--primary", "eth0", "--backup", "wlan1x", "--dhcp")
    assert seen[0].err == _HERE_NOW.format("wlan1x") + "; did you mean wlan0?\n"


@pytest.mark.parametrize(
    ("version", "watch", "timed"),
    [
        ("255.4-1", "on", False),
        ("256", "on", True),
        ("257~rc2", "fast", True),
        ("260", "off", False),
    ],
)
def test_a_networkd_that_would_heed_advertised_timers_is_told_not_to(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str, watch: str, *, timed: bool
) -> None:
    own = machine.root / "own"
    own.mkdir()
    named = "".join(f'[[uplink]]\ninterface = "{name}"\n' for name in ("eth0", "wlan0"))
    (own / "networkctl").write_text(f"#!/bin/sh\necho 'systemd {version} ({version})'\n")
    (own / "networkctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(own), prepend=os.pathsep)
    machine.write("/etc/netfail-hooks/config.toml", f'watch = "{watch}"\n{named}')
    assert machine.install(*PAIR) == 0
    text = machine.read(f"{NETWORK}/10-netfail-eth0.network")
    assert ("UseReachableTime=no\nUseRetransmissionTime=no\n" in text) == timed


def test_of_a_bond_only_itself_makes_the_machine_online(machine: Machine) -> None:
    machine.install(*PAIR, "--mode", "bond")
    online = machine.read(f"/etc/systemd/system/{ONLINE}")
    assert online.endswith("wait-online --any --interface=bond0\n")


def test_the_users_own_files_are_not_touched(machine: Machine) -> None:
    before = machine.shape()
    machine.install(*PAIR)
    after = machine.shape()
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("plugged", [True, False])
def test_systemds_own_file_for_ad_hoc_wifi_is_no_uplinks(tmp_path: Path, *, plugged: bool) -> None:
    machine = Machine(tmp_path, ("eth0", "wlan0") if plugged else ())
    for name in ("eth0", "wlan0"):
        os.unlink(f"{machine.root}{NETWORK}/20-{name}.network")
    machine.write(
        "/usr/lib/systemd/network/80-wifi-adhoc.network",
        "[Match]\nType=wlan\nWLANInterfaceType=ad-hoc\n",
    )
    machine.install(*PAIR, "--dhcp")
    assert "DHCP=yes" in machine.read(f"{NETWORK}/10-netfail-wlan0.network")


def test_twice_is_the_same_as_once(machine: Machine) -> None:
    machine.install(*PAIR)
    once = machine.shape()
    machine.install(*PAIR)
    machine.install("--yes")
    assert machine.shape() == once


def test_a_dry_run_shows_what_is_alike_once(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install("--primary", "eth0", "--backup", "wlan0", "--dry-run")
    diff = capsys.readouterr().out
    assert diff.count("+from netfail_hooks.hook import main\n") == 1
    for state in hook_file.states():
        assert f"/etc/networkd-dispatcher/{state}.d/50-netfail-hooks\n" in diff
    for name in ("eth0", "wlan0"):
        assert f"+++ b{NETWORK}/10-netfail-{name}.network" in diff


def test_a_dry_run_prints_a_diff_that_patch_takes_and_changes_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = machine.shape()
    assert machine.install("--primary", "eth0", "--backup", "wlan0", "--dry-run") == 0
    assert machine.shape() == before
    diff = capsys.readouterr().out
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", f"{machine.root}/etc", other], check=True)
    named = re.sub(r"^(\+\+\+ b|--- a)/etc", r"\1", diff, flags=re.MULTILINE)
    subprocess.run(["patch", "-p1", "-d", other], input=named, text=True, check=True)
    machine.install(*PAIR)
    for path in (
        "systemd/network/10-netfail-eth0.network",
        "netfail-hooks/config.toml",
        f"networkd-dispatcher/{hook_file.states()[0]}.d/50-netfail-hooks",
    ):
        assert (other / path).read_text() == machine.read(f"/etc/{path}")


def test_uplinks_are_detected_wired_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ("wlan0", "eth0", "spare0"))
    machine.install("--yes")
    assert config_file.read(machine.paths.config).names() == ("eth0", "wlan0")


def test_a_modem_is_detected_last_and_a_switchs_port_is_wired(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ("wlan0", "a-modem", "z-port"))
    for host, (name, kind) in enumerate((("a-modem", "wwan"), ("z-port", "dsa")), start=7):
        machine.write(f"/sys/class/net/{name}/uevent", f"DEVTYPE={kind}\nINTERFACE={name}\n")
        machine.write(f"{NETWORK}/{name}.network", HOWTO.format(name=name, host=host))
    machine.install("--yes")
    assert config_file.read(machine.paths.config).names() == ("z-port", "wlan0", "a-modem")


def test_one_uplink_is_not_enough(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ("eth0",))
    with pytest.raises(Misuse, match=r"has eth0 \(cable\) alone.*--primary IF --backup IF"):
        machine.install("--yes")
    assert not machine.has("/etc/netfail-hooks")


@pytest.mark.parametrize("own", [(), ("wlan0",)])
@pytest.mark.parametrize("typed", ["", "sudo ./install.sh"])
def test_uplinks_that_no_file_tells_are_offered_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...], typed: str
) -> None:
    monkeypatch.delenv("NETFAIL_HOOKS_INSTALL", raising=False)
    if typed:
        monkeypatch.setenv("NETFAIL_HOOKS_INSTALL", typed)
    machine = Machine(tmp_path, ("wlan0", "eth0", "wwan0"))
    machine.write("/sys/class/net/wwan0/uevent", "DEVTYPE=wwan\nINTERFACE=wwan0\n")
    for name in {"eth0", "wlan0"} - set(own):
        os.unlink(f"{machine.root}{NETWORK}/20-{name}.network")
    with pytest.raises(Misuse) as refused:
        machine.install("--yes")
    names = [*own, *(name for name in ("eth0", "wlan0") if name not in own)]
    assert str(refused.value) == (
        "which uplinks? This machine has eth0 (cable), wlan0 (Wi-Fi) and wwan0 (modem): "
        f"{typed or 'sudo netfail-hooks install'} --primary {names[0]} --backup {names[1]}"
    )


def test_three_of_any_name(machine: Machine) -> None:
    machine.nic("enx00e04c", 7)
    machine.write(f"{NETWORK}/usb.network", HOWTO.format(name="enx00e04c", host=9))
    machine.install("--uplink", "enx00e04c", "--uplink", "wlan0", "--uplink", "eth0", "--yes")
    found = config_file.read(machine.paths.config)
    assert [(one.interface, one.metric) for one in found.uplinks] == [
        ("enx00e04c", 100),
        ("wlan0", 600),
        ("eth0", 1100),
    ]


def test_other_uplinks_later_give_the_old_ones_back(machine: Machine) -> None:
    machine.install(*PAIR)
    machine.nic("usb0", 7)
    machine.write(f"{NETWORK}/usb.network", HOWTO.format(name="usb0", host=9))
    machine.install("--primary", "eth0", "--backup", "usb0", "--yes")
    assert not machine.has(f"{NETWORK}/10-netfail-wlan0.network")
    assert machine.has(f"{NETWORK}/10-netfail-usb0.network")


def test_a_new_set_up_is_written_for_nics_without_one(machine: Machine) -> None:
    os.unlink(f"{machine.root}{NETWORK}/20-eth0.network")
    machine.install(
        *PAIR,
        "--address",
        "eth0=10.0.0.2/24",
        "--gateway",
        "10.0.0.1",
        "--dns",
        "10.0.0.1",
        "--dhcp",
        "wlan0",
    )
    wired = machine.read(f"{NETWORK}/10-netfail-eth0.network")
    assert "10.0.0.2/24" in wired
    assert "Gateway=10.0.0.1" in wired
    wireless = machine.read(f"{NETWORK}/10-netfail-wlan0.network")
    assert re.search(r"^DHCP=", wireless, re.MULTILINE)
    assert "10.0.0.1\n" not in wireless.replace("DNS=10.0.0.1\n", "")


def test_an_uplink_nobody_set_up_is_refused_with_the_next_step(machine: Machine) -> None:
    with pytest.raises(Misuse, match=r"how ppp0 is to be set up: add --dhcp ppp0"):
        machine.install("--primary", "eth0", "--backup", "ppp0", "--yes")
    assert not machine.has("/var/lib/netfail-hooks")


def test_a_mistyped_uplink_is_told_with_those_that_are_there(
    machine: Machine, mocker: MockerFixture
) -> None:
    """On a running machine, whose files are those of the test here."""
    for name in ("through", "at"):
        mocker.patch.object(Paths, name, lambda _, path: f"{machine.root}{path}")
    config = Config(uplinks=default_metrics(("wlan0", "eth9")))
    with pytest.raises(Misuse) as refused:
        networks(Paths(), config, {})
    assert str(refused.value).startswith(
        "there is no interface eth9: here are eth0 and wlan0. Did you mean eth0? For one that is "
    )
    with pytest.raises(Misuse, match=r"^there is no interface x9: here are eth0 and wlan0\. For "):
        networks(Paths(), Config(uplinks=default_metrics(("wlan0", "x9"))), {})


def test_an_absent_uplink_is_allowed_and_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.write(f"{NETWORK}/usb.network", HOWTO.format(name="usb0", host=9))
    machine.install("--primary", "eth0", "--backup", "usb0", "--yes")
    assert "there is no usb0 here now" in capsys.readouterr().err


def test_a_config_that_a_person_edited_survives(machine: Machine) -> None:
    text = '# mine\n[[uplink]]\ninterface="wlan0"\n[[uplink]]\ninterface="eth0"\n'
    machine.write("/etc/netfail-hooks/config.toml", text, mode=0o600)
    machine.install("--yes")
    assert machine.read("/etc/netfail-hooks/config.toml") == text
    assert os.stat(machine.paths.config).st_mode & 0o777 == 0o600
    assert "Metric=100" in machine.read(f"{NETWORK}/10-netfail-wlan0.network")


def test_no_interval_no_timer(machine: Machine) -> None:
    machine.install(*PAIR)
    machine.install("--interval", "0", "--yes")
    assert not machine.has("/etc/systemd/system/netfail-hooks-check.timer")
    assert not machine.has("/etc/systemd/system/timers.target.wants/netfail-hooks-check.timer")
    machine.install("--interval", "1", "--yes")
    assert "OnUnitActiveSec=1\n" in machine.read("/etc/systemd/system/netfail-hooks-check.timer")


def test_without_a_dispatcher_there_is_nothing_of_it_until_it_is_wanted_again(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    def ours() -> list[str]:
        found = Path(machine.root).rglob("*netfail-hooks*")
        return sorted(f"{path.parent.name}/{path.name}" for path in found if path.is_file())

    empty = machine.shape()
    assert machine.install(*PAIR) == 0
    with_it = ours()
    capsys.readouterr()
    assert machine.install("--without-dispatcher", "--yes") == 0
    assert "networkd-dispatcher.service is not enabled" not in capsys.readouterr().err
    gone = set(with_it) - set(ours())
    hooks = {f"{state}.d/50-netfail-hooks" for state in hook_file.states()}
    assert gone == {*hooks, "networkd-dispatcher.service.d/10-netfail-hooks.conf"}
    assert machine.install("--yes") == 0  # the config remembers
    assert set(ours()) == set(with_it) - gone
    with pytest.raises(Misuse, match="left out in mode bond"):
        machine.install("--mode", "bond", "--yes")
    assert machine.install("--with-dispatcher", "--yes") == 0
    assert ours() == with_it
    assert machine.uninstall("--yes") == 0
    assert machine.shape() == empty


def test_a_dispatcher_is_not_left_out_where_nobody_watches(machine: Machine) -> None:
    named = "".join(f'[[uplink]]\ninterface = "{name}"\n' for name in ("eth0", "wlan0"))
    os.makedirs(os.path.dirname(machine.paths.config))
    Path(machine.paths.config).write_text(f'watch = "off"\n{named}', encoding="utf-8")
    before = machine.shape()
    with pytest.raises(Misuse, match='left out with watch = "off"'):
        machine.install("--without-dispatcher", "--yes")
    assert machine.shape() == before


def test_modes_that_the_dispatcher_would_skip_are_mended(machine: Machine) -> None:
    os.chmod(f"{machine.root}/etc/networkd-dispatcher/routable.d", 0o775)  # noqa: S103 - the mistake
    before = machine.shape()
    machine.install(*PAIR)
    mode = os.stat(f"{machine.root}/etc/networkd-dispatcher/routable.d").st_mode
    assert mode & 0o7777 == 0o755
    machine.uninstall("--yes")
    left = machine.shape()
    assert {path: left[path] for path in before} == before


def test_without_a_person_to_ask_nothing_is_done(machine: Machine) -> None:
    before = machine.shape()
    with pytest.raises(Misuse, match="add --yes, or --dry-run"):
        machine.install("--primary", "eth0", "--backup", "wlan0")
    assert machine.shape() == before


def test_json_tells_what_was_done(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.install(*PAIR, "--json")
    told = json.loads(capsys.readouterr().out)
    assert f"write {NETWORK}/10-netfail-eth0.network" in told["did"]
    assert told["live"] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--backup wlan0", "--backup without --primary"),
        ("--primary eth0", "nothing to fail over to"),
        ("--primary eth0 --backup eth0", "the same uplink twice"),
        ("--primary eth0 --uplink wlan0", "exclude each other"),
        ("--primary a/b --backup eth0", "not an interface name"),
        ("--primary eth0 --backup wlan0 --interval -1", "must be 0 to 3600"),
        ("--primary eth0 --backup wlan0 --address eth0", "must be IF=CIDR"),
        ("--primary eth0 --backup wlan0 --address eth0=1.2.3.4", "no length"),
        ("--primary eth0 --backup wlan0 --address eth0=1.2.3.400/24", "not an address"),
        ("--primary eth0 --backup wlan0 --address usb0=1.2.3.4/24", "usb0 is no uplink"),
        ("--primary eth0 --backup wlan0 --gateway 1.2.3.4", "without --address"),
        ("--primary eth0 --backup wlan0 --dhcp eth0 --gateway wlan0=1.2.3.4", "has neither"),
        ("--primary eth0 --backup wlan0 --dhcp eth0 --address eth0=1.2.3.4/8", "exclude each"),
    ],
)
def test_wrong_words_are_told(machine: Machine, words: str, told: str) -> None:
    before = machine.shape()
    with pytest.raises(Misuse, match=told):
        machine.install(*words.split(), "--yes")
    assert machine.shape() == before


def test_a_third_uplink_is_added_by_the_command_that_is_told(machine: Machine) -> None:
    machine.install(*PAIR)
    machine.nic("wlan9", 9)
    with pytest.raises(Misuse, match="wlan9 is no uplink") as refused:
        machine.install("--dhcp", "wlan9", "--yes")
    told = refused.value.hint.removeprefix("to add it: sudo netfail-hooks install ")
    assert machine.install(*told.split(), "--yes") == 0
    assert "DHCP=yes" in machine.read(f"{NETWORK}/10-netfail-wlan9.network")
    assert config_file.read(machine.paths.config).names() == ("eth0", "wlan0", "wlan9")
    assert machine.install("--dhcp", "wlan0", "--yes") == 0
    assert "DHCP=yes" in machine.read(f"{NETWORK}/10-netfail-wlan0.network")


def test_a_failure_in_the_middle_leaves_everything_as_it_was(machine: Machine) -> None:
    os.makedirs(f"{machine.root}/etc/networkd-dispatcher/off.d/50-netfail-hooks")
    before = machine.shape()
    with pytest.raises(OSError, match=r"off\.d"):
        machine.install(*PAIR)
    assert machine.shape() == before


def test_a_failure_of_a_second_install_leaves_the_first(machine: Machine) -> None:
    machine.install(*PAIR)
    hook = f"{machine.root}/etc/networkd-dispatcher/off.d/50-netfail-hooks"
    os.unlink(hook)
    os.mkdir(hook)
    before = machine.shape()
    with pytest.raises(OSError, match=r"off\.d"):
        machine.install("--interval", "9", "--yes")
    assert machine.shape() == before


def test_only_root_may_install_on_the_running_machine(machine: Machine) -> None:
    with pytest.raises(NotPermitted):
        as_nobody(lambda: prompts.refuse_powerless(""))
    prompts.refuse_powerless(str(machine.root))
