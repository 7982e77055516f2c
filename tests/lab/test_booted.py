"""On a machine booted by systemd: the units, the timer, the journal, and notify.d."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfail_hooks.install.units import QUICK
from netfail_hooks.paths import package_home
from tests.lab.booted import Booted, running
from tests.lab.suite import tells, used, wait, wait_used
from tests.support import ROOT
from tests.support.install_sh import copy_checkout
from tests.vm import image

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--interval", "1", "--yes")
SERVICE, TIMER = "netfail-hooks-check.service", "netfail-hooks-check.timer"
DISPATCHER, NETWORKD = "networkd-dispatcher.service", "systemd-networkd.service"
EVENTS = "/var/log/netfail-hooks/events.jsonl"
_DENY = """\
<busconfig><policy context="mandatory"><deny own="org.freedesktop.network1"/></policy></busconfig>
"""


@pytest.fixture
def booted() -> Iterator[Booted]:
    with running() as lab:
        yield lab


def _run(lab: Booted, *words: str) -> str:
    done = lab.netfail(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _wait_runs(lab: Booted, number: int) -> None:
    """Wait until the timer has had the check run so often."""
    observed: set[str] = set()

    def enough() -> bool:
        observed.add(lab.systemctl("show", "--property=InvocationID", SERVICE).stdout)
        return len(observed) > number

    wait(enough, f"{number} runs of the check", seconds=60)


def test_install_starts_everything_and_healthy_rounds_are_silent(booted: Booted) -> None:
    told = _run(booted, "install", *PAIR)
    assert "note:" not in told.replace("note: root's hooks run from", "")
    booted.systemctl("is-active", "--quiet", TIMER, "networkd-dispatcher.service")
    wait_used(booted, "eth0")
    since = f"@{time.time():.6f}"  # what install and its hooks told is a moment ago
    _wait_runs(booted, 12)  # the service manager's start limit is five in ten seconds
    assert booted.journal("--since", since, "--unit", SERVICE) == []
    assert booted.journal("--since", since, "--identifier", "netfail-hooks") == []
    runs = booted.systemctl("show", "--property=ExecMainStartTimestampMonotonic", SERVICE).stdout
    ran = int(runs.partition("=")[2]) / 1e6
    assert time.clock_gettime(time.CLOCK_MONOTONIC) - ran < 2.5
    assert booted.run("systemctl", "is-failed", SERVICE).stdout != "failed\n"


def test_the_timer_moves_traffic_from_a_dead_gateway_and_tells_notify_d(booted: Booted) -> None:
    booted.write(
        "/etc/netfail-hooks/config.toml",
        'watch = "off"\n[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n',
    )
    _run(booted, "install", *PAIR)
    assert "netfail-hooks-watch" not in booted.run("find", "/etc").stdout
    hook = '#!/bin/sh\n[ "$NETFAIL_IPV4" ] && cat >>/run/told\n'
    booted.write("/etc/netfail-hooks/notify.d/tell", hook, mode=0o755)
    booted.run("chown", "-R", "root:root", "/etc/netfail-hooks/notify.d")
    wait_used(booted, "eth0")
    booted.dead_gateway("eth0")
    wait_used(booted, "wlan0", seconds=4)
    wait(lambda: "now by wlan0" in booted.read("/run/told"), "word in notify.d")
    told = [json.loads(line) for line in booted.read("/run/told").splitlines()]
    assert any(event["active"]["ipv4"] == "wlan0" for event in told), told
    lines = booted.journal("--unit", SERVICE, "--priority=notice")
    assert any(tells(line, "IPv4 now by wlan0") for line in lines), lines


def test_the_hardened_service_may_do_all_that_a_check_does(booted: Booted) -> None:
    textfile = "/var/lib/prometheus/node-exporter/netfail.prom"
    booted.run("mkdir", "-p", "-m", "755", textfile.rpartition("/")[0])
    booted.write(
        "/etc/netfail-hooks/config.toml",
        f'[metrics]\ntextfile = "{textfile}"\n[[uplink]]\ninterface = "eth0"\n'
        '[[uplink]]\ninterface = "wlan0"\n',
    )
    _run(booted, "install", *PAIR)
    booted.systemctl("stop", TIMER)
    for key in ("ipv4/conf/eth0/rp_filter", "ipv6/conf/eth0/ignore_routes_with_linkdown"):
        booted.run("sh", "-c", f"printf 0 >/proc/sys/net/{key}")
    booted.link_down("eth0")
    booted.systemctl("start", SERVICE)
    assert booted.run("cat", "/proc/sys/net/ipv4/conf/eth0/rp_filter").stdout == "2\n"
    assert used(booted) == "wlan0"
    shown = booted.run("cat", textfile).stdout
    assert 'netfail_uplink_up{interface="eth0",family="ipv4"} 0\n' in shown
    assert booted.run("stat", "-c", "%a", textfile).stdout == "644\n"
    capabilities = booted.systemctl("show", "--property=CapabilityBoundingSet", SERVICE).stdout
    assert capabilities.split("=")[1].split() == ["cap_net_admin", "cap_net_raw"]
    _run(booted, "uninstall", "--yes")
    assert booted.run("ls", textfile.rpartition("/")[0]).stdout == ""


_WRITES = """\
[Service]
ExecStart=
ExecStart=/bin/sh -c 'for file in {files}; do (: >>$$file) 2>/dev/null && echo $$file; done; \\
    ls /dev; echo end'
StandardOutput=file:/run/netfail-hooks/written
"""
_FORBIDDEN = (
    "/etc/passwd",
    "/usr/bin/env",
    "/var/lib/x",
    "/tmp/x",  # noqa: S108 - nothing is to be there
    "/run/x",
    "/root/x",
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/sys/class/net/eth0/mtu",
    "/sys/fs/cgroup/cgroup.procs",
)
_ALLOWED = (
    "/run/netfail-hooks/x",
    "/var/log/netfail-hooks/x",
    "/proc/sys/net/ipv4/conf/eth0/rp_filter",
)


def test_the_hardened_service_may_write_where_it_must_and_nowhere_else(booted: Booted) -> None:
    _run(booted, "install", *PAIR[:4], "--interval", "0", "--yes")
    text = _WRITES.format(files=" ".join((*_FORBIDDEN, *_ALLOWED)))
    booted.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", text)
    booted.systemctl("daemon-reload")
    booted.systemctl("start", SERVICE)
    *written, end = booted.read("/run/netfail-hooks/written").splitlines()
    assert end == "end"
    assert set(written) & {*_FORBIDDEN, *_ALLOWED} == set(_ALLOWED)
    assert "null" in written
    assert not any(name.startswith(("sd", "vd", "mem", "kmsg")) for name in written)


def test_without_a_timer_a_hold_down_ends_all_the_same(booted: Booted) -> None:
    names = ("netfail-hooks-again*", QUICK)
    again = ("list-units", "--plain", "--no-legend", *names)
    booted.write(
        "/etc/netfail-hooks/config.toml",
        "[hold_down]\nseconds = 3\n[check]\ninterval = 0\nsuccesses = 3\n"
        '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n',
    )
    _run(booted, "install", "--primary", "eth0", "--backup", "wlan0", "--yes")
    assert booted.run("systemctl", "is-active", TIMER).stdout != "active\n"
    assert booted.systemctl(*again).stdout == ""
    wait_used(booted, "eth0")
    booted.cable_out("eth0")
    wait_used(booted, "wlan0")
    booted.cable_in("eth0")
    wait(lambda: tells(_run(booted, "log"), "eth0 IPv4 recovering"), "eth0 held")
    assert QUICK in booted.systemctl(*again).stdout
    wait(lambda: tells(_run(booted, "log", "-n1"), "IPv4 now by eth0"), "eth0 back", seconds=25)
    wait(lambda: booted.systemctl(*again).stdout == "", "no timer")
    assert used(booted) == "eth0"


def test_a_killed_switchs_way_back_is_its_own_until_uninstall_calls_it_off(booted: Booted) -> None:
    before = booted.run("find", "/etc", "-printf", "%p %m\n").stdout
    way_back = "/run/netfail-hooks/rollback.json"
    switch = f"{sys.executable} -m netfail_hooks install --mode bond {' '.join(PAIR)}"
    written = "/etc/networkd-dispatcher/routable.d/50-netfail-hooks"
    kill = f"{switch} & until test -e {written}; do sleep 0.02; done; kill -9 $!"
    booted.run("sh", "-c", kill, environment={"PYTHONPATH": package_home()})
    left = booted.read(way_back)
    assert left
    again = booted.netfail("install", "--mode", "bond", *PAIR)
    assert again.returncode == 1, again.stdout
    assert "an earlier install was killed, so it is taken back within" in again.stderr
    assert booted.read(way_back) == left
    _run(booted, "uninstall", "--yes")
    shown = ("list-units", "--all", "--plain", "--no-legend", "netfail-hooks*")
    assert booted.systemctl(*shown).stdout == ""
    assert booted.run("find", "/etc", "-printf", "%p %m\n").stdout == before
    assert booted.run("ls", "/run/netfail-hooks").stdout == ""


def test_what_is_to_be_called_later_is_also_once_systemd_has_read_its_units_again(
    booted: Booted,
) -> None:
    """A way back, above all: what has systemd do so is any package that brings a unit."""
    call = "Path('/run/lab/called').touch()"
    code = (
        f"import sys; sys.path.insert(0, {package_home()!r}); "
        "from netfail_hooks.install.systemd import call_later; "
        f'call_later("lab-later", "pathlib", "{call}", 1)'
    )
    done = booted.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    booted.systemctl("daemon-reload")
    wait(lambda: booted.run("test", "-e", "/run/lab/called").returncode == 0, "call")


def test_uninstall_leaves_no_unit_behind(booted: Booted) -> None:
    before = booted.run("find", "/etc", "-printf", "%p %m\n").stdout
    _run(booted, "install", *PAIR)
    _wait_runs(booted, 2)
    _run(booted, "uninstall", "--yes")
    shown = ("list-units", "--all", "--plain", "--no-legend", "netfail-hooks*")
    assert booted.systemctl(*shown).stdout == ""
    assert booted.run("find", "/etc", "-printf", "%p %m\n").stdout == before
    assert booted.run("ls", "/run/netfail-hooks", "/var/log/netfail-hooks").stdout == ""


@pytest.mark.parametrize("others", [True, False])
def test_the_dispatcher_runs_on_only_for_hooks_of_others(booted: Booted, *, others: bool) -> None:
    """Debian's starts only if there is a hook, so before ours there was none that ran."""
    if others:
        booted.write("/etc/networkd-dispatcher/routable.d/10-mine", "#!/bin/sh\n", mode=0o755)
    _run(booted, "install", *PAIR)
    assert _invocation(booted, DISPATCHER)
    _run(booted, "uninstall", "--yes")
    assert bool(_invocation(booted, DISPATCHER)) == others


def _invocation(lab: Booted, unit: str) -> str:
    """Return which run of a unit this is, "" while it does not run."""
    running = lab.run("systemctl", "is-active", unit).stdout == "active\n"
    asked = ("show", "--property=InvocationID", "--value", unit)
    return lab.systemctl(*asked).stdout.strip() if running else ""


def _kill(signal: str, unit: str) -> str:
    """Return the command. systemctl kill signals, then fails: it asks for a list of the cgroup."""
    return f"kill -{signal} $(systemctl show --property=MainPID --value {unit})"


def _end_the_dispatcher(lab: Booted, fate: str) -> None:
    """Have it end so; return when another one is ready."""
    before = _invocation(lab, DISPATCHER)
    done = lab.run("sh", "-c", fate)
    assert done.returncode == 0, done.stderr
    # RestartSec=, the patience with networkd, its restart, and the start's own triggers
    wait(lambda: _invocation(lab, DISPATCHER) not in ("", before), "a new dispatcher", seconds=30)


def _hears_the_next_cable(lab: Booted) -> None:
    wait_used(lab, "eth0")
    lab.cable_out("eth0")
    wait(lambda: "eth0 no-carrier" in lab.read(EVENTS), "word of the cable")
    wait_used(lab, "wlan0")


@pytest.mark.share(1)
@pytest.mark.parametrize("signal", ["KILL", "SEGV"])
def test_the_dispatcher_comes_back_and_hears_the_next_cable(booted: Booted, signal: str) -> None:
    _run(booted, "install", *PAIR)
    wait_used(booted, "eth0")
    booted.systemctl("stop", TIMER)
    networkd = _invocation(booted, NETWORKD)
    for _ in range(6):  # more often than the service manager's own limit of five in ten seconds
        _end_the_dispatcher(booted, _kill(signal, DISPATCHER))
    assert _invocation(booted, NETWORKD) == networkd
    _hears_the_next_cable(booted)


@pytest.mark.share(1)
@pytest.mark.parametrize(
    "fate",
    [
        "systemctl restart dbus.service",
        "systemctl stop dbus.socket dbus.service; sleep 3; systemctl start dbus.service",
        _kill("KILL", "dbus.service"),
    ],
    ids=["restarted", "stopped and started", "killed"],
)
def test_after_the_bus_is_lost_the_next_cable_is_heard(booted: Booted, fate: str) -> None:
    _run(booted, "install", *PAIR)
    wait_used(booted, "eth0")
    booted.systemctl("stop", TIMER)
    networkd = _invocation(booted, NETWORKD)
    _end_the_dispatcher(booted, fate)
    assert _invocation(booted, NETWORKD) not in ("", networkd)
    told = booted.journal("--unit", DISPATCHER)
    assert "netfail-hooks: systemd-networkd has lost the bus, restarting it" in told
    _hears_the_next_cable(booted)


def test_a_networkd_that_no_bus_takes_is_restarted_once(booted: Booted) -> None:
    _run(booted, "install", *PAIR)
    booted.systemctl("stop", TIMER)
    booted.write("/etc/dbus-1/system.d/zz-deny.conf", _DENY)
    before = _invocation(booted, NETWORKD)
    booted.systemctl("restart", "dbus.service")
    wait(lambda: _invocation(booted, NETWORKD) not in ("", before), "a new networkd", seconds=15)
    before = _invocation(booted, NETWORKD)
    asked = ("show", "--property=SubState", "--value", DISPATCHER)
    for _ in range(2):
        wait(lambda: booted.systemctl(*asked).stdout == "start\n", "its start", seconds=15)
        booted.systemctl("restart", "--no-block", DISPATCHER)
        wait(lambda: booted.systemctl(*asked).stdout == "start-pre\n", "its next look")
    wait(lambda: booted.systemctl(*asked).stdout == "start\n", "its start", seconds=15)
    assert _invocation(booted, NETWORKD) == before
    assert used(booted) == "eth0"


def test_when_no_event_will_come_the_journal_and_status_say_so_once(booted: Booted) -> None:
    _run(booted, "install", *PAIR)
    assert json.loads(_status(booted, "--json"))["silence"] == ""
    since = f"@{time.time():.6f}"
    booted.systemctl("stop", DISPATCHER)
    _wait_runs(booted, 4)
    told = booted.journal("--since", since, "--identifier", "netfail-hooks")
    assert [line for line in told if "no event reaches the hooks" in line] == told
    assert len(told) == 1
    assert "systemctl enable --now networkd-dispatcher" in told[0]
    assert "events    networkd-dispatcher is not running" in _status(booted)
    booted.systemctl("start", DISPATCHER)
    _wait_runs(booted, 3)
    told = booted.journal("--since", since, "--identifier", "netfail-hooks")
    assert told[1:] == ["events are heard again"]
    assert "no event" not in _status(booted)
    booted.systemctl("stop", DISPATCHER)
    _wait_runs(booted, 2)
    _run(booted, "uninstall", "--yes")
    assert booted.run("ls", "/run/netfail-hooks").stdout == ""


def _status(lab: Booted, *words: str) -> str:
    return lab.netfail("status", *words).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("booted") / "checkout"
    copy_checkout(place)
    return place


# As an earlier version of install.sh left it: the program, the hooks and the units in a venv.
_IN_A_VENV = """
cd /run/usr/lib/netfail-hooks
mkdir -p venv/lib/python3
mv packages venv/lib/python3/site-packages
sed -i s,netfail-hooks/packages,netfail-hooks/venv/lib/python3/site-packages, \
    /etc/systemd/system/netfail-hooks-* /etc/networkd-dispatcher/*/50-netfail-hooks
systemctl daemon-reload
"""


def test_an_update_that_leaves_the_network_alone_leaves_a_check_that_runs(
    checkout: Path, booted: Booted
) -> None:
    """systemd goes on by the unit as it has read it until it is told to read it again."""
    booted.run("cp", "-R", str(checkout), "/run/checkout").check_returncode()
    install = [
        "/run/checkout/install.sh",
        "--prefix",
        "/run/usr",
        "--wheels",
        image.wheels(),
        *PAIR,
    ]
    booted.run(*install).check_returncode()
    booted.run("sh", "-euc", _IN_A_VENV).check_returncode()
    booted.systemctl("start", SERVICE)
    done = booted.run(*install, "--no-live")
    assert done.returncode == 0, done.stderr
    assert "venv" not in booted.run("ls", "/run/usr/lib/netfail-hooks").stdout
    booted.systemctl("start", SERVICE)


def test_the_examples_timer_keeps_the_page_up_to_date(booted: Booted) -> None:
    booted.install()
    ours = f"PYTHONPATH={package_home()} exec {sys.executable} -m netfail_hooks"
    booted.write("/run/bin/netfail-hooks", f'#!/bin/sh\n{ours} "$@"\n', mode=0o755)
    for unit in (ROOT / "examples/systemd").iterdir():
        booted.write(f"/etc/systemd/system/{unit.name}", unit.read_text(encoding="utf-8"))
    found = "[Service]\nEnvironment=PATH=/run/bin:/usr/sbin:/usr/bin\n"
    booted.write("/etc/systemd/system/netfail-report.service.d/lab.conf", found)
    often = "[Timer]\nOnUnitActiveSec=\nOnActiveSec=0\nOnUnitActiveSec=1\nAccuracySec=100ms\n"
    booted.write("/etc/systemd/system/netfail-report.timer.d/lab.conf", often)
    booted.systemctl("daemon-reload")
    booted.systemctl("enable", "--now", "netfail-report.timer")
    place = "/run/netfail-report/index.html"

    def told() -> str:
        return booted.run("cat", place).stdout

    wait(lambda: "</html>" in told(), "the page")
    assert booted.run("stat", "--format=%a %U", place).stdout == "644 root\n"
    assert "no carrier" not in told()
    booted.cable_out("eth0")
    wait(lambda: "NOT WELL" in told() and "no carrier" in told(), "a newer page")
