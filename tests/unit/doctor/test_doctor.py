"""What doctor reads of files and programs, how it tells it, and what it runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from netfail_hooks import cli, recorder
from netfail_hooks.cli import doctor
from netfail_hooks.config.cache import load
from netfail_hooks.doctor import again, own_files
from netfail_hooks.doctor import files as doctor_files
from netfail_hooks.doctor import fix as doctor_fix
from netfail_hooks.doctor import gather as doctor_gather
from netfail_hooks.doctor import kernel as doctor_kernel
from netfail_hooks.doctor import machine as doctor_machine
from netfail_hooks.doctor.facts import BondSeen, OwnFile, Process, Symptom, Unit
from netfail_hooks.doctor.gather import gather
from netfail_hooks.doctor.report import by_sudo, render, report
from netfail_hooks.install.layout import HOOK
from netfail_hooks.install.units import SERVICE, UNITS
from netfail_hooks.lab.namespaces import until
from netfail_hooks.lock import Lock
from netfail_hooks.managers import dhcpcd
from netfail_hooks.managers.interfaces import ifupdown_has
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.policy.bond import NO_ANSWER
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State, UplinkState
from netfail_hooks.recorder import Run
from netfail_hooks.values import plain, replace
from tests.support import ROOT
from tests.support.machine import Machine
from tests.support.nobody import as_nobody
from tests.support.world import config_of
from tests.unit.doctor.test_rules import BARE, HEALTHY, but

_PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
_ILL = but(
    HEALTHY,
    processes=(),
    release=(5, 4),
    unknown=("a thing: use sudo",),
    units=tuple(
        replace(unit, active="inactive") if "dispatcher" in unit.name else unit
        for unit in HEALTHY.services.units or ()
    ),
)

_TOLD = """\
1.  BROKEN  networkd-dispatcher is not running [dispatcher-stopped]
    why     no event reaches the hooks: addresses are not announced, and what
            networkd does to routes is put right only by the next check
    --fix   systemctl enable --now networkd-dispatcher.service

2.  WEAK    Linux 5.4 is older than 5.18 [old-kernel]
    why     moved addresses can't be marked as ours before Linux 5.18, so they
            may be left behind
    fix     apt full-upgrade  # of a newer release of the distribution

1 broken, 1 weak, uplinks eth0, wlan0; 'sudo netfail-hooks doctor --fix' fixes 1
unknown: a thing: use sudo"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    assert made.install(*_PAIR) == 0
    return made


def test_what_an_uplink_is_a_part_of_is_seen(machine: Machine) -> None:
    unknown: list[str] = []
    machine.stack("on0", "macvlan", "eth0")
    machine.stack("br0", "bridge", "wlan0", master=True)
    found = doctor_kernel.gather(machine.paths, None, ("eth0", "wlan0"), unknown)
    assert found.masters == (("wlan0", "br0"),)


@pytest.mark.parametrize(
    ("up", "ago", "sure"), [(600, 61, True), (600, 59, False), (30, 61, False), (600, None, False)]
)
def test_an_uplink_is_settled_once_networkd_has_been_done_with_it_for_a_minute(
    tmp_path: Path, up: int, ago: int | None, *, sure: bool
) -> None:
    """Nor is it right after a boot; of one that networkd does not have nobody knows."""
    observed = HEALTHY.kernel.observed
    assert observed
    if ago is not None:
        for link in observed.links:
            place = tmp_path / f"run/systemd/netif/links/{link.index}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
            os.utime(place, (time.time() - ago, time.time() - ago))
    seen = replace(observed, now=up * 1000)
    names = tuple(doctor_kernel.settled(Paths(str(tmp_path)), seen))
    assert names == (("eth0", "wlan0") if sure else ())


def test_how_often_a_bonds_monitor_lost_a_slave_is_in_the_log(tmp_path: Path) -> None:
    """Of the last hour, and what the monitor lost alone: a cable that is out is no such loss."""
    paths, config = Paths(str(tmp_path)), replace(config_of("eth0", "wlan0"), mode="bond")
    os.makedirs(paths.log)

    def lost(name: str, reason: str, *families: int) -> str:
        up, down = (
            State(tuple(UplinkState(name, one, state, 0, reason=why) for one in families))
            for state, why in (("up", ""), ("down", reason))
        )
        return recorder.line(Run("x", config, Observation(now=5000), up, down, (), (), 0))

    both = lost("wlan0", NO_ANSWER, 4, 6)
    now = [lost("eth0", NO_ANSWER, 4), both, lost("eth0", "no carrier", 4)]
    slower = now[0].replace('"arp_interval":100,', '"arp_interval":250,')
    assert slower != now[0]
    told = f"eth0 IPv4 down ({NO_ANSWER})"
    router = now[0].replace(told, f"{told}; wlan0 IPv4 down ({NO_ANSWER})")
    assert router != now[0]
    year = time.strftime("%Y-")
    old = lost("eth0", NO_ANSWER, 6).replace(f'"time":"{year}', '"time":"2001-')
    recorded = [old, *now, "damaged\n", slower, router, now[0]]
    Path(paths.log + recorder.FILE).write_text("".join(recorded))
    unknown: list[str] = []
    assert doctor_gather._unheard(paths, config, unknown) == (("eth0", 2), ("wlan0", 1))
    assert unknown == []


def test_a_file_says_in_which_families_there_is_to_be_a_way_out(machine: Machine) -> None:
    unknown: list[str] = []
    for text, families in (("", (4, 6)), ("IPv6AcceptRA=no\n", (4,))):
        machine.write(
            "/etc/systemd/network/10-netfail-eth0.network.d/ipv6.conf", f"[Network]\n{text}"
        )
        (found,) = doctor_files.networks(machine.paths, ("eth0",), unknown)
        assert found.families == families


def test_a_change_is_under_way_while_a_lock_is_held_whoever_looks(tmp_path: Path) -> None:
    paths = Paths()
    tmp_path.chmod(0o755)
    with mock.patch.object(Paths, "run", str(tmp_path)):
        assert not again.is_busy(paths)
        for path in (paths.lock, paths.turn):
            with Lock(path):
                assert again.is_busy(paths)
                assert as_nobody(lambda: again.is_busy(paths)) or os.geteuid()
            assert not again.is_busy(paths)


def test_it_waits_for_who_is_at_work_and_says_so_of_one_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks = [_ILL, HEALTHY]
    at_work = [True, True, False]
    monkeypatch.setattr(again, "_A_LITTLE", 0)
    monkeypatch.setattr(again, "gather", lambda _: looks.pop(0))
    monkeypatch.setattr(again, "is_busy", lambda _: at_work.pop(0))
    assert again.look(Paths(str(tmp_path))) == (HEALTHY, _ILL)
    assert at_work == []
    looks[:] = [_ILL, _ILL]
    monkeypatch.setattr(again, "is_busy", lambda _: True)
    monkeypatch.setattr(again, "_PATIENCE", 0)
    facts, before = again.look(Paths(str(tmp_path)))
    assert before == _ILL
    assert [one for one in facts.unknown if "a hook, a check or an install is at work" in one]
    looks[:] = [HEALTHY]
    assert again.look(Paths(str(tmp_path))) == (HEALTHY, None), "where nothing is wrong, once"


def _files(machine: Machine) -> tuple[OwnFile, ...]:
    unknown: list[str] = []
    found, compared = own_files.own_files(
        machine.paths, load(machine.paths), doctor_files.hooks(machine.paths), unknown
    )
    assert (compared, unknown) == (True, [])
    return found


def test_how_it_reads() -> None:
    assert render(report(_ILL)) == _TOLD
    rules = report(HEALTHY).rules
    assert render(report(HEALTHY)) == (
        f"nothing is wrong with the set-up: {rules} rules, uplinks eth0, wlan0\n"
        "how the uplinks are: sudo netfail-hooks status"
    )
    assert "uplinks none" in render(report(BARE))


def test_colour_changes_no_word() -> None:
    for facts in (_ILL, HEALTHY):
        painted = render(report(facts), colour=True)
        assert "\033[3" in painted
        assert re.sub(r"\033\[\d+m", "", painted) == render(report(facts))


def test_install_gets_ahead_of_a_file_that_shadows_ours(machine: Machine) -> None:
    machine.write("/etc/systemd/network/05-x.network", "[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
    unknown: list[str] = []
    (other,) = doctor_files.networks(machine.paths, ("eth0",), unknown)
    (found,) = report(but(HEALTHY, networks=(other,))).findings
    assert found.fix == ("netfail-hooks install --yes",)
    machine.install("--yes")
    (ours,) = doctor_files.networks(machine.paths, ("eth0",), unknown)
    assert (ours.ours, os.path.basename(ours.path)) == (True, "00-netfail-eth0.network")
    assert _files(machine) == ()


@pytest.mark.parametrize(
    ("term", "no_colour", "painted"),
    [
        ("xterm", "", True),
        ("xterm", "1", False),
        ("dumb", "", False),
        ("", "", False),
    ],
)
def test_it_is_coloured_where_that_can_be_seen(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    term: str,
    no_colour: str,
    painted: bool,  # noqa: FBT001 - a column
) -> None:
    monkeypatch.setattr(doctor, "look", lambda _: (HEALTHY, None))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert cli.entry(["doctor"]) == 0
    assert ("\033[32m" in capsys.readouterr().out) is painted


def test_the_json_keys_are_those_documented() -> None:
    found = plain(report(_ILL, did=("a",), failed=("b",)))
    text = ROOT.joinpath("docs/use/json.md").read_text("utf-8")
    section = text.partition("doctor --json`\n")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert keys == set(found) | set(found["findings"][0])
    assert json.loads(json.dumps(found)) == found


def test_only_safe_commands_are_run_each_once() -> None:
    twice = report(but(HEALTHY, own=(OwnFile("/a", "missing"),), hook_lacks="/py", release=(5, 4)))
    assert [one.safe for one in twice.findings] == [True, True, False]
    assert doctor_fix.commands(twice.findings) == ("netfail-hooks install --yes",)
    assert Symptom("x", ("reboot",)).safe is False


def test_a_command_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_fix.run("true  # a remark") == ""
    assert doctor_fix.run("ls /netfail-none").startswith("ls /netfail-none: ls: cannot access")
    assert doctor_fix.run("false") == "false: exit status 1"
    assert "No such file" in doctor_fix.run("netfail-none --yes")
    # Ours is this very program, not what lies about where root happens to be.
    (tmp_path / "netfail_hooks").mkdir()
    (tmp_path / "netfail_hooks/__main__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert doctor_fix.run("netfail-hooks completion bash") == ""


def test_the_likeliest_nics_of_a_machine_come_first(tmp_path: Path) -> None:
    """A cable that is plugged in, then Wi-Fi; nothing that is made by software."""
    for name, files in {
        "enp1s0": {"type": "1\n", "carrier": "0\n", "device/vendor": "1\n"},
        "enp2s0": {"type": "1\n", "carrier": "1\n", "device/vendor": "1\n"},
        "wlp3s0": {"type": "1\n", "device/vendor": "1\n", "phy80211/name": "x\n"},
        "docker0": {"type": "1\n", "carrier": "1\n"},
        "lo": {"carrier": "1\n"},
    }.items():
        for file, text in files.items():
            place = tmp_path / f"sys/class/net/{name}/{file}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    assert doctor_machine.nics(Paths(str(tmp_path))) == ("enp2s0", "wlp3s0", "enp1s0")
    assert doctor_machine.nics(Paths(f"{tmp_path}/none")) == ()


def test_dry_run_alone_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["doctor", "--dry-run"]) == 2
    assert "add --fix" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("facts", "status"), [(HEALTHY, 0), (_ILL, 1), (BARE, 2), (but(BARE, config_wrong=("x",)), 2)]
)
def test_the_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, facts: object, status: int
) -> None:
    monkeypatch.setattr(doctor, "look", lambda _: (facts, None))
    assert cli.entry(["doctor", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["healthy"] is (status == 0)
    assert cli.entry(["doctor", "--fix", "--dry-run"]) == status
    said = capsys.readouterr().out
    assert ("would run: systemctl enable --now" in said) is (facts is _ILL)
    assert "\033" not in said


def test_it_works_on_this_machine_whatever_that_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["doctor", "--json"]) in (0, 1, 2)
    assert json.loads(capsys.readouterr().out)["schema"] == 2


def test_files_that_are_gone_or_changed(machine: Machine) -> None:
    assert _files(machine) == ()
    ours = "/etc/systemd/network/10-netfail-eth0.network"
    sysctl = "/etc/sysctl.d/60-netfail-hooks.conf"
    hook = "/etc/networkd-dispatcher/off.d/50-netfail-hooks"
    machine.write(ours, "# netfail-hooks: mine now\n")
    machine.write(
        "/etc/netfail-hooks/config.toml",
        machine.read("/etc/netfail-hooks/config.toml") + "\n# a remark of mine\n",
    )
    os.unlink(f"{machine.root}{sysctl}")
    os.chmod(f"{machine.root}{hook}", 0o775)  # noqa: S103 - hook-skipped tells of that
    assert _files(machine) == (OwnFile(sysctl, "missing"), OwnFile(ours, "changed"))
    os.unlink(f"{machine.root}{ours}")
    assert OwnFile(ours, "missing") in _files(machine)
    odd = [one.path for one in doctor_files.hooks(machine.paths) if not one.serves]
    assert odd == [hook] or os.geteuid() != 0


def test_without_the_manifest_what_is_gone_is_known_and_what_changed_is_not(
    machine: Machine,
) -> None:
    Path(machine.paths.manifest).write_text("{}")
    os.unlink(f"{machine.root}/etc/sysctl.d/60-netfail-hooks.conf")
    unknown: list[str] = []
    found, compared = own_files.own_files(
        machine.paths, load(machine.paths), doctor_files.hooks(machine.paths), unknown
    )
    assert found == (OwnFile("/etc/sysctl.d/60-netfail-hooks.conf", "missing"),)
    assert not compared
    assert "cannot make sense of it" in unknown[0]


_D = "/etc/systemd/network/10-netfail"


@pytest.mark.parametrize(
    "first",
    [
        _PAIR,
        (*_PAIR, "--mode", "bond"),
        (*_PAIR, "--mode", "bond", "--address", "192.0.2.9/24", "--gateway", "192.0.2.1"),
    ],
)
def test_a_machine_as_installed_differs_in_nothing(tmp_path: Path, first: tuple[str, ...]) -> None:
    machine = Machine(tmp_path)
    machine.install(*first)
    assert _files(machine) == ()
    # Nor after a move to the other mode and back, of which the manifest remembers more files.
    for mode in ("bond", "routes"):
        machine.install("--mode", mode, "--yes")
        assert _files(machine) == ()


def _edit(machine: Machine, old: str, new: str) -> None:
    config = "/etc/netfail-hooks/config.toml"
    text = machine.read(config)
    assert text.count(old) == 1
    machine.write(config, text.replace(old, new))


def test_an_edit_that_would_make_a_bond_is_never_safe(machine: Machine) -> None:
    for _ in range(2):
        _edit(machine, 'mode = "routes"', 'mode = "bond"')
        config, found = load(machine.paths), _files(machine)
        assert {one.path: one.state for one in found} == {
            f"{_D}-bond0.network": "new",
            f"{_D}-bond0.netdev": "new",
            f"{_D}-eth0.network": "stale",
            f"{_D}-wlan0.network": "stale",
        }
        for facts in (HEALTHY, but(HEALTHY, hook_lacks="/py", timer_interval_kept=False)):
            told = report(but(facts, config=config, own=found)).findings
            assert told[0].code == "config-not-installed"
            assert told[0].fix == ("netfail-hooks install --dry-run", "netfail-hooks install")
            assert doctor_fix.commands(told) == ()
            assert "file-missing" not in [one.code for one in told]
        machine.install("--yes")
        assert _files(machine) == ()
        os.unlink(f"{machine.root}{_D}-bond0.netdev")
        (gone,) = report(but(HEALTHY, config=config, own=_files(machine))).findings[:1]
        assert (gone.code, gone.safe) == ("file-missing", False)
        # And out of it again: the manifest still has the bond's files in the second round.
        _edit(machine, 'mode = "bond"', 'mode = "routes"')
        assert OwnFile(f"{_D}-bond0.network", "stale") in _files(machine)
        machine.install("--yes")


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ('\nname = "bond0"', '\nname = "bond1"', {"bond1.netdev": "new", "bond0.netdev": "stale"}),
        ("arp_interval = 100", "arp_interval = 200", {"bond0.netdev": "stale"}),
        ('"wlan0"', '"wlan1"', {"wlan1.network": "new", "wlan0.network": "stale"}),
    ],
)
def test_another_bond_or_uplink_is_told(
    tmp_path: Path, old: str, new: str, differs: dict[str, str]
) -> None:
    machine = Machine(tmp_path)
    machine.install(*_PAIR, "--mode", "bond")
    _edit(machine, old, new)
    found = {one.path.removeprefix(f"{_D}-"): one.state for one in _files(machine)}
    assert found.items() >= differs.items()
    assert set(found.values()) <= {"new", "stale"}


@pytest.mark.parametrize("hooks", [True, False])
def test_what_starts_our_program_must_find_it(
    machine: Machine, tmp_path: Path, *, hooks: bool
) -> None:
    places = doctor_files.hooks(machine.paths) if hooks else ()
    text = machine.read(places[1].path if hooks else f"{UNITS}/{SERVICE}")
    program = re.findall(r'^(?:exec "|ExecStart=)(\S+?)"? -IS ', text, re.MULTILINE)[0]
    assert doctor_files.hook_lacks(machine.paths, places) == program
    machine.write(program, "")
    lacks = doctor_files.hook_lacks(machine.paths, places)
    assert lacks.endswith("/netfail_hooks")
    machine.write(f"{lacks}/hook.py", "")
    assert doctor_files.hook_lacks(machine.paths, places) == ""
    assert str(tmp_path) not in program


def _made_venv(machine: Machine, python: str) -> str:
    """Have hooks that run from an environment of Python 3.11; return where it is."""
    home = "/opt/netfail-hooks"
    machine.write(f"{home}/pyvenv.cfg", "")
    for place in doctor_files.hooks(machine.paths):
        if place.path.endswith(HOOK):
            text = f'sys.path += ["{home}/lib/python3.11/site-packages"]\n'
            machine.write(place.path, f"#!/usr/bin/python3 -IS\n{text}")
    os.makedirs(machine.paths.at(f"{home}/bin"))
    os.symlink(python, machine.paths.at(f"{home}/bin/python3"))
    os.symlink("python3", machine.paths.at(f"{home}/bin/python"))
    return home


@pytest.mark.parametrize(
    ("made_by", "is_now", "outdated"),
    [
        ("/usr/bin/python3", "python3.11", False),
        ("/usr/bin/python3", "python3.13", True),
        ("/usr/bin/python3", "python3.1", True),
        ("/usr/bin/python3.11", "python3.11", False),
        ("/usr/bin/python3.11", "python3.13", True),
        ("/usr/bin/python3", "python3", True),  # a circle
        ("/nowhere/python3.11", "python3.11", True),
    ],
)
def test_an_environment_of_another_python(
    machine: Machine, made_by: str, is_now: str, *, outdated: bool
) -> None:
    home = _made_venv(machine, made_by)
    places = doctor_files.hooks(machine.paths)
    if is_now != "python3":
        machine.write(f"/usr/bin/{is_now}", "")
    os.makedirs(machine.paths.at("/usr/bin"), exist_ok=True)
    os.symlink(is_now, machine.paths.at("/usr/bin/python3"))
    assert doctor_files.outdated_venv(machine.paths, places) == (home if outdated else "")
    os.unlink(machine.paths.at(f"{home}/pyvenv.cfg"))  # then it is a directory like any other
    assert doctor_files.outdated_venv(machine.paths, places) == ""


def test_the_network_file_in_use(machine: Machine) -> None:
    unknown: list[str] = []
    ours = doctor_files.networks(machine.paths, ("eth0", "wlan0"), unknown)
    assert [(one.ours, one.unmanaged, one.gateways) for one in ours] == [
        (True, False, ("192.168.1.1",))
    ] * 2
    machine.write(
        "/run/systemd/network/05-x.network", "[Match]\nName=eth*\n[Link]\nUnmanaged=yes\n"
    )
    other, _ = doctor_files.networks(machine.paths, ("eth0", "wlan0"), unknown)
    assert (other.path, other.ours, other.unmanaged, other.gateways) == (
        "/run/systemd/network/05-x.network",
        False,
        True,
        (),
    )
    assert unknown == []
    machine.write("/run/systemd/network/01-x.network", "[Match]\nFirmware=x\n")
    assert doctor_files.networks(machine.paths, ("eth0",), unknown) == ()
    assert "cannot tell" in unknown[0]


@pytest.mark.parametrize(
    ("text", "gateways"),
    [
        ("[Route]\nGateway=192.0.2.1\nTable=100\n", ()),
        (
            "[Route]\nGateway=192.0.2.1\nTable=main\n[Route]\nGateway=192.0.2.2\nTable=254\n",
            ("192.0.2.1", "192.0.2.2"),
        ),
        ("[Route]\nGateway=192.0.2.1\nType=unreachable\n", ()),
        ("[Route]\nGateway=192.0.2.1\nType=unicast\n", ("192.0.2.1",)),
        ("[Route]\nGateway=192.0.2.1\nDestination=198.51.100.0/24\n", ()),
        (
            "[Network]\nGateway=2001:DB8:0::1\n[Route]\nGateway=FE80::1\n",
            ("2001:db8::1", "fe80::1"),
        ),
        ("[Route]\nGateway=_dhcp4\n[Route]\nGateway=_ipv6ra\n", ()),
    ],
)
def test_which_gateways_a_file_promises(
    machine: Machine, text: str, gateways: tuple[str, ...]
) -> None:
    machine.write("/run/systemd/network/05-x.network", f"[Match]\nName=eth0\n{text}")
    (found,) = doctor_files.networks(machine.paths, ("eth0",), [])
    assert found.gateways == gateways


def test_the_timer_is_compared_with_the_config(machine: Machine) -> None:
    config = load(machine.paths)
    assert doctor_files.timer_interval_kept(machine.paths, config)
    assert not doctor_files.timer_interval_kept(machine.paths, replace(config, interval=50))
    os.unlink(f"{machine.root}/etc/systemd/system/netfail-hooks-check.timer")
    assert doctor_files.timer_interval_kept(machine.paths, replace(config, interval=50))


def test_bonds_and_settings_from_the_kernels_files(machine: Machine) -> None:
    assert doctor_kernel.bonds(machine.paths) == ()
    for key, text in {
        "mode": "balance-rr 0\n",
        "fail_over_mac": "none 0\n",
        "slaves": "eth0\n",
        "arp_interval": "0\n",
        "arp_ip_target": "\n",
    }.items():
        machine.write(f"/sys/class/net/bond7/bonding/{key}", text)
    assert doctor_kernel.bonds(machine.paths) == (
        BondSeen("bond7", "balance-rr", "none", 0, (), ("eth0",)),
    )
    conf = "/proc/sys/net/ipv4/conf"
    for name, setting in (("all", 1), ("eth0", 2), ("wlan0", 0)):
        machine.write(f"{conf}/{name}/arp_ignore", f"{setting}\n")
    assert doctor_kernel.arp_ignore(machine.paths, ("eth0", "wlan0", "gone0")) == (
        ("ipv4/conf/eth0/arp_ignore", 2),
        ("ipv4/conf/all/arp_ignore", 1),
        ("ipv4/conf/all/arp_ignore", 1),
    )


_LO = "auto lo\niface lo inet loopback\n"
_ETH0 = "allow-hotplug eth0\niface eth0 inet6 auto\n"


@pytest.mark.parametrize(
    ("text", "has"),
    [
        (
            (
                "auto eth0 wlan0\niface eth0 inet manual\n"
                " iface wlan0 inet dhcp\n#iface eth0 inet dhcp\n"
            ),
            ("wlan0",),
        ),
        ("iface eth0 inet dhcp\n", ()),
        ("auto \\\n eth0\niface eth0 inet static\n address 192.0.2.1/24\n", ("eth0",)),
        ("auto /wl*\niface wlan0 inet dhcp\n", ("wlan0",)),
        ("", ()),
        ("source interfaces.d/a\n", ("eth0",)),
        ("source /etc/network/interfaces.d/*.bak\n", ("wlan0",)),
        ("source-directory /etc/network/interfaces.d\n", ("eth0",)),
        ("source interfaces\nsource\nauto\niface\niface eth0 inet\n", ()),
    ],
)
def test_what_ifupdown_is_told_to_raise(machine: Machine, text: str, has: tuple[str, ...]) -> None:
    machine.write("/etc/network/interfaces", _LO + text)
    machine.write("/etc/network/interfaces.d/a", _ETH0)
    machine.write("/etc/network/interfaces.d/wlan0.bak", _ETH0.replace("eth0", "wlan0"))
    assert ifupdown_has(machine.paths, ("eth0", "wlan0")) == has


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_who_may_not_know_whose_a_client_is_blames_nobody(tmp_path: Path) -> None:
    shutil.copy("/usr/bin/sleep", tmp_path / "udhcpc")
    with subprocess.Popen([tmp_path / "udhcpc", "60"]) as client:
        try:
            unknown: list[str] = []
            named = f"udhcpc (process {client.pid})"

            def observed() -> bool:
                return client.pid in [one.pid for one in doctor_machine.processes(unknown)]

            until(observed, "a command line of the client's")  # it comes a moment after its start
            assert not [one for one in unknown if named in one]
            os.seteuid(65534)
            try:
                found = doctor_machine.processes(unknown)
            finally:
                os.seteuid(0)
            assert client.pid not in [one.pid for one in found]
            assert [one for one in unknown if named in one and "use sudo" in one]
        finally:
            client.kill()


def test_who_else_is_told_to_set_uplinks_up(machine: Machine) -> None:
    assert dhcpcd.leaves(machine.paths, ("eth0", "wlan0")) == ()
    machine.write("/etc/dhcpcd.conf", "denyinterfaces eth* veth0\n")
    assert dhcpcd.leaves(machine.paths, ("eth0", "wlan0")) == ("eth0",)
    machine.write("/etc/dhcpcd.conf", "allowinterfaces eth0\n")
    assert dhcpcd.leaves(machine.paths, ("eth0", "wlan0")) == ("wlan0",)


@pytest.mark.parametrize(
    ("name", "words", "serves"),
    [  # dhcpcd 9 and 10, and others, as ps shows them
        ("dhcpcd", ("dhcpcd: eth0 [ip4]", "", "", "."), ("eth0",)),
        ("dhcpcd", ("dhcpcd: [manager] [ip4] [ip6]", ""), ("eth0", "wlan0")),
        ("dhcpcd", ("dhcpcd: [network proxy] 192.168.1.252",), ()),
        ("dhcpcd", ("dhcpcd: [privileged proxy] eth0 [ip4]",), ()),
        ("dhcpcd", ("dhcpcd: [BPF ARP] eth0 192.168.1.252",), ()),
        ("dhcpcd", ("/sbin/dhcpcd", "-q", "wlan0"), ("wlan0",)),
        ("dhcpcd", ("dhcpcd: lo [ip4]",), ()),
        ("dhclient", ("/sbin/dhclient", "-4", "-i", "eth0"), ("eth0",)),
        ("udhcpc", ("udhcpc", "-ieth0"), ("eth0",)),
        ("connmand", ("/usr/sbin/connmand", "-n"), ("eth0", "wlan0")),
        ("wpa_supplicant", ("wpa_supplicant", "-iwlan0"), ()),
    ],
)
def test_which_interfaces_a_dhcp_client_serves(
    name: str, words: tuple[str, ...], serves: tuple[str, ...]
) -> None:
    assert doctor_machine.serving(Process(name, 1, words), ("eth0", "wlan0")) == serves


@pytest.mark.parametrize(
    ("name", "words", "helped"),
    [
        ("dhcpcd", ("dhcpcd: [BPF ARP] eth0 192.168.1.252",), ("eth0",)),
        ("dhcpcd", ("dhcpcd: [privileged proxy] eth0 [ip4]",), ("eth0",)),
        ("dhcpcd", ("dhcpcd: [network proxy] 192.168.1.252",), ()),
        ("dhcpcd", ("dhcpcd: [manager] [ip4] [ip6]",), ()),
        ("dhcpcd", ("dhcpcd: eth0 [ip4]",), ()),
        ("sh", ("dhcpcd: [BPF ARP] eth0",), ()),
    ],
)
def test_for_which_interfaces_a_helper_of_dhcpcd_listens(
    name: str, words: tuple[str, ...], helped: tuple[str, ...]
) -> None:
    assert doctor_machine.helped(Process(name, 1, words), ("eth0", "wlan0")) == helped


def test_units_as_systemctl_shows_them() -> None:
    text = (
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=yes\n"
        "ExecStart={ path=/lib/x ; argv[]=/lib/x --any -i a ; ignore_errors=no ; pid=0 }\n\n"
        "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
    )
    assert doctor_machine.parse_units(("a", "b"), text) == (
        Unit("a", stale=True, command="/lib/x --any -i a"),
        Unit("b", load="not-found", active="inactive", enabled=""),
    )
    assert doctor_machine.parse_units(("a", "b"), "") == ()


def test_name_servers_as_resolvectl_prints_them() -> None:
    text = "Global: 9.9.9.9\nLink 2 (eth0): 192.168.1.1 fd00::1\nLink 3 (wlan0):\n"
    assert doctor_machine.parse_name_servers(text) == (
        ("", ("9.9.9.9",)),
        ("eth0", ("192.168.1.1", "fd00::1")),
        ("wlan0", ()),
    )
    assert doctor_machine.parse_name_servers("") == ()


def test_address_translation_as_nft_lists_it() -> None:
    rules = """table ip nat {
    chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept;
        ip saddr 172.17.0.0/16 oifname != "docker0" counter packets 0 bytes 0 %s
        oifname "eth0" ip saddr != 192.168.1.0/24 counter packets 0 bytes 0 %s
    }\n}\n"""
    parse = doctor_machine.parse_address_translation
    assert parse("") == (False, ())
    assert parse(rules % ("masquerade", "snat to 192.168.1.252")) == (True, ("192.168.1.252",))
    assert parse(rules % ('xt target "MASQUERADE"', "accept")) == (True, ())


def test_systemds_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert networkctl.version() > 200
    for said, number in (["systemd 257~rc1 (257~rc1-2)"], 257), ([], 0), (["odd"], 0):
        monkeypatch.setattr(networkctl, "_ask", lambda *_, said=said: said)
        assert networkctl.version() == number


def test_a_checkout_knows_its_own_install_sh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Machine(tmp_path / "root").paths
    monkeypatch.chdir(ROOT)
    assert gather(bare).install_sh == "./install.sh"
    monkeypatch.chdir(tmp_path)
    assert gather(bare).install_sh == f"{ROOT}/install.sh"
    installed = tmp_path / "packages"
    installed.mkdir()
    monkeypatch.setattr(doctor_gather, "package_home", lambda: str(installed))
    assert not gather(bare).install_sh


@pytest.mark.parametrize(
    "command", ["systemctl enable --now x", "ip link | cat", "a; b", "editor /etc/x"]
)
def test_commands_are_told_as_who_is_not_root_types_them(command: str) -> None:
    """A shell's signs would else be for the shell of who types them, which is not root's."""
    first, *words = shlex.split(by_sudo(f"{command}  # it helps"), comments=True)
    assert first == "sudo"
    plain = not set(command) & set(";|")
    assert words == (command.split() if plain else ["sh", "-c", command])
    assert by_sudo("sudo ./install.sh") == "sudo ./install.sh"


def test_each_command_of_a_finding_has_it_for_who_is_not_root() -> None:
    told = report(_ILL)
    fixes = [command for finding in told.findings for command in finding.fix]
    for width in (0, 38):
        shown = render(told, sudo=True, width=width)
        assert all(by_sudo(command) in shown for command in fixes)
