"""``netfail-hooks drill``: the real uplink fails, traffic moves, all is put back whatever comes."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netfail_hooks.install.units import DRILL, DRILL_TIMER
from netfail_hooks.lab import Lab
from netfail_hooks.lab.namespaces import Daemon
from netfail_hooks.lab.topology import FAR
from netfail_hooks.paths import package_home
from netfail_hooks.recorder.drills import MARGIN
from tests.conftest import Tried
from tests.lab.booted import Booted, running
from tests.lab.suite import (
    ROUTES,
    SETTINGS,
    events,
    install,
    shape,
    status,
    used,
    wait,
    wait_used,
)

_HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
_DRILL = [sys.executable, "-m", "netfail_hooks", "drill", "--yes"]
_MOMENTS = 1  # a run; each has its own
_MONTHLY = '[hold_down]\nseconds = 1\n[drill]\nevery = "monthly"\n'
_END = "netfail-hooks-drill-end.timer"


def _drill(lab: Lab, *words: str, exit_status: int = 0) -> str:
    done = lab.run(*_DRILL, *words, environment=_HERE, seconds=60)
    assert done.returncode == exit_status, done.stdout + done.stderr
    return done.stdout if exit_status == 0 else done.stderr


def _begin(lab: Lab, *words: str) -> Daemon:
    """Start a drill, and return once its uplink fails."""
    drill = Daemon(lab.namespaces, "drill", [*_DRILL, *words], environment=_HERE)
    wait(lambda: _is_silent(lab), "a fault")
    return drill


def _is_silent(lab: Lab) -> bool:
    return "netfail-hooks-drill" in lab.run("nft", "list", "tables").stdout


def _echo(outcome: Any) -> Any:
    (flow,) = [flow for flow in outcome["flows"] if flow["kind"] == "echo"]
    return flow


def _on_macvlan(make_lab: Callable[..., Lab]) -> Lab:
    """Return a host whose eth0 has a driver that can take its carrier away."""
    lab = make_lab(start=False)
    lower = "ip link set eth0 down; ip link set eth0 name low0; ip link set low0 up"
    upper = "ip link add link low0 name eth0 type macvlan mode passthru"
    assert lab.run("sh", "-ec", f"{lower}; {upper}").returncode == 0
    lab.start()
    return lab


# Holds a tap, and hands on what comes by it to another device, and back. Without IFF_NO_PI, four
# bytes are before each frame (tuntap.rst).
_TAP = """
import contextlib, fcntl, os, select, socket, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"eth0", 0x1002))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("low0", 3))
print("ready", flush=True)
while True:
    ready = select.select([0, tap, wire], [], [])[0]
    if 0 in ready:
        break
    if tap in ready:
        wire.send(os.read(tap, 65536))
    if wire in ready:
        frame, (_, _, kind, _, _) = wire.recvfrom(65536)
        with contextlib.suppress(OSError):  # it is not up yet
            if kind != socket.PACKET_OUTGOING:
                os.write(tap, frame)
"""


@pytest.fixture
def tapped(make_lab: Callable[..., Lab]) -> Iterator[Lab]:
    """Yield a host whose eth0 is a tap: its driver has a switch for the carrier (IFLA_CARRIER)."""
    lab = make_lab(start=False)
    lower = "ip link set eth0 down name low0; ip link set low0 promisc on up"
    mac = "$(cat /sys/class/net/low0/address)"
    upper = f"ip tuntap add eth0 mode tap; ip link set eth0 address {mac}"
    assert lab.run("sh", "-ec", f"{lower}; {upper}").returncode == 0
    holder = lab.namespaces.popen([sys.executable, "-IS", "-c", _TAP])
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    try:
        lab.start()
        yield lab
    finally:
        holder.communicate(timeout=10)


def _has_carrier(lab: Lab) -> bool:
    return lab.run("cat", "/sys/class/net/eth0/carrier").stdout.strip() == "1"


def test_a_driver_that_has_a_switch_for_the_carrier_is_put_back_though_killed(tapped: Lab) -> None:
    lab = tapped
    install(lab, targets=f'["icmp:{FAR}"]')
    before = shape(lab, ROUTES + SETTINGS)
    with lab.timer(0.5):
        with lab.watch() as watch:
            outcome = json.loads(_drill(lab, "--cable", "--seconds", "5", "--json"))
            wait_used(lab, "eth0")
        assert (outcome["verdict"], outcome["way"]) == ("passed", "carrier"), outcome
        assert _echo(outcome)["lost"] <= 1
        assert outcome["families"][0]["moved_ms"] < 1000
        assert watch.gaps(4) == []
        assert shape(lab, ROUTES + SETTINGS) == before
        words = [*_DRILL, "--cable", "--seconds", "5"]
        drill = Daemon(lab.namespaces, "drill", words, environment=_HERE)
        wait(lambda: not _has_carrier(lab), "a fault")
        drill.kill()
        drill.release()
        wait(lambda: _has_carrier(lab), "healing", seconds=5 + 2 + MARGIN + 2)
        wait(lambda: not status(lab)["drill"], "the end of the drill")
        wait_used(lab, "eth0")


def test_a_dead_gateway_moves_the_traffic_and_all_is_put_back(lab: Lab) -> None:
    install(lab, targets=f'["tcp:{FAR}:5100"]')
    before = shape(lab, ROUTES + SETTINGS)
    with lab.timer(0.5), lab.watch() as watch, lab.traffic() as traffic:
        outcome = json.loads(_drill(lab, "--seconds", "6", "--json"))
        assert outcome["verdict"] == "passed", outcome
        (family,) = outcome["families"]
        assert family["backup"] == "wlan0"
        assert 0 < family["moved_ms"] < 5000
        assert 0 < _echo(outcome)["lost"] < _echo(outcome)["sent"]
        assert _echo(outcome)["back_lost"] == 0
        assert [flow["alive"] for flow in outcome["flows"] if flow["kind"] == "tcp"] == [True]
        assert used(lab) == "eth0"
    # What it tells is what others saw: the same loss, but for the steps of each.
    told, seen = _echo(outcome)["outage_ms"], traffic.result().trip("out").outage_ms
    assert abs(told - seen) < 250, (told, seen)
    assert traffic.result().all_alive
    assert watch.gaps(4) == []
    assert shape(lab, ROUTES + SETTINGS) == before
    triggers = [event["trigger"] for event in events(lab)]
    assert any(trigger.endswith(" (drill)") for trigger in triggers), triggers
    last = status(lab)["last_drill"]
    assert (last["verdict"], last["moved_ms"]) == ("passed", family["moved_ms"])
    assert (
        'netfail_drill_passed{interface="eth0",fault="gateway"} 1' in lab.netfail("metrics").stdout
    )
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert lab.run("test", "-e", "/var/lib/netfail-hooks").returncode == 1


def test_a_lost_carrier_is_one_for_networkd_and_the_hooks(make_lab: Callable[..., Lab]) -> None:
    lab = _on_macvlan(make_lab)
    install(lab, targets=f'["icmp:{FAR}"]')
    with lab.timer(0.5), lab.watch() as watch:
        outcome = json.loads(_drill(lab, "--cable", "--seconds", "5", "--json"))
        assert (outcome["verdict"], outcome["way"]) == ("passed", "protodown"), outcome
        assert _echo(outcome)["lost"] <= 1
        assert outcome["families"][0]["moved_ms"] < 1000
        wait_used(lab, "eth0")
    assert watch.gaps(4) == []
    assert "no-carrier.d/50-netfail-hooks' for interface eth0" in lab.logs()


@pytest.mark.parametrize("away", ["ip link del eth0", "ip link set eth0 down name usb9 up"])
def test_an_adapter_that_goes_or_is_renamed_in_a_drill_ends_it_all_the_same(
    make_lab: Callable[..., Lab], away: str
) -> None:
    lab = _on_macvlan(make_lab)
    install(lab)
    with lab.timer(0.5):
        words = [*_DRILL, "--cable", "--seconds", "5"]
        drill = Daemon(lab.namespaces, "drill", words, environment=_HERE)
        wait_used(lab, "wlan0")
        assert status(lab)["drill"]
        lab.run("sh", "-ec", away).check_returncode()
        wait(lambda: not status(lab)["drill"], "the end of the drill")
        assert lab.run("test", "-e", "/run/netfail-hooks/drill").returncode == 1
        left = lab.run("ip", "-d", "link").stdout
        assert "protodown on" not in left, left
        drill.kill()
        drill.release()


@pytest.mark.faults
def test_a_drill_that_is_killed_at_any_moment_heals(lab: Lab, tried: Tried) -> None:
    install(lab)
    draw = random.SystemRandom()
    with lab.timer(0.5):
        for _ in range(_MOMENTS):
            after = draw.uniform(0, 4)
            drill = _begin(lab, "--seconds", "5")
            assert "eth0 is made to fail (gateway)" in status(lab)["drill"]
            time.sleep(after)
            drill.kill()
            drill.release()
            in_time = 5 + 2 + MARGIN + 2
            wait(lambda: not _is_silent(lab), f"healing, killed after {after} s", seconds=in_time)
            wait_used(lab, "eth0")
            wait(lambda: not status(lab)["drill"], "the end of the drill")
            wait(lambda: status(lab)["uplinks"][0]["families"][0]["state"] == "up", "eth0 up")
            tried("drills killed", 1)


def test_who_hangs_up_ends_the_drill_at_once(lab: Lab) -> None:
    install(lab)
    with lab.timer(0.5):
        drill = _begin(lab, "--seconds", "60")
        wait_used(lab, "wlan0")
        said = _drill(lab, exit_status=1)
        assert "a drill is on: eth0 fails for now" in said
        assert "a drill is on" in lab.netfail("uninstall", "--yes").stderr
        assert "a fire drill makes it fail" in lab.netfail("doctor").stdout
        pid = lab.read("/run/lab/drill.pid").strip()
        lab.run("sh", "-c", f"kill -HUP {pid}").check_returncode()
        wait(lambda: not _is_silent(lab), "healing", seconds=2)
        drill.release()
        wait_used(lab, "eth0")
    assert "cut short" in drill.log()
    assert status(lab)["last_drill"]["verdict"] == "cut short"


@pytest.mark.faults
def test_a_drill_an_uninstall_and_another_drill_at_once_end_whole(lab: Lab) -> None:
    install(lab)
    with lab.timer(0.5):
        # All three are past their first look, and wait for the same turn.
        held = "flock /run/netfail-hooks/turn sleep 5"
        others = [Daemon(lab.namespaces, "holder", held.split())]
        for name, words in (
            ("one", [*_DRILL, "--seconds", "5"]),
            ("uninstall", [*_DRILL[:-2], "uninstall", "--yes"]),
            ("two", [*_DRILL, "--seconds", "5"]),
        ):
            others.append(Daemon(lab.namespaces, name, words, environment=_HERE))
        while others[0].alive():
            noted = lab.run("test", "-e", "/run/netfail-hooks/drill").returncode == 0
            assert not (noted and others[0].alive()), "armed out of its turn"
            time.sleep(0.2)
        for other in others:
            wait(lambda other=other: not other.alive(), "the end of all", seconds=40)  # type: ignore[misc]
            other.release()
    told = {other.name: other.log() for other in others}
    drilled = [name for name in ("one", "two") if "passed" in told[name]]
    assert len(drilled) <= 1, told
    removed = lab.run("test", "-e", "/var/lib/netfail-hooks").returncode == 1
    assert removed == (not drilled), told
    assert not _is_silent(lab)
    assert lab.run("test", "-e", "/run/netfail-hooks/drill").returncode == 1
    assert used(lab) == "eth0" if drilled else used(lab), told


@pytest.fixture
def booted() -> Iterator[Booted]:
    with running() as lab:
        lab.install(_MONTHLY)
        yield lab


def test_systemd_heals_what_a_killed_drill_left(booted: Booted) -> None:
    drill = _begin(booted, "--seconds", "5")
    booted.systemctl("is-active", "--quiet", _END)
    wait_used(booted, "wlan0", seconds=4)  # by the kernel's own watch
    drill.kill()
    drill.release()
    wait(lambda: not _is_silent(booted), "healing", seconds=14)
    told = booted.journal("--identifier=netfail-hooks")
    assert any("cut short" in line for line in told), told
    wait_used(booted, "eth0", seconds=40)


def test_the_timers_drill_passes_in_its_sandbox(booted: Booted) -> None:
    booted.systemctl("is-active", "--quiet", DRILL_TIMER)
    done = booted.run("systemctl", "start", DRILL, seconds=60)
    assert done.returncode == 0, booted.journal("--lines=20")
    outcome = json.loads(booted.read("/var/lib/netfail-hooks/drill"))
    assert outcome["verdict"] == "passed", outcome
    assert 0 < outcome["families"][0]["moved_ms"] < 2000
    assert booted.run("systemctl", "is-active", _END).stdout.strip() == "inactive"
    assert any("passed" in line for line in booted.journal("--identifier=netfail-hooks"))
    assert booted.netfail("uninstall", "--yes").returncode == 0
    assert DRILL not in booted.run("find", "/etc/systemd").stdout


def test_a_drill_that_would_do_harm_or_show_nothing_is_refused(lab: Lab) -> None:
    install(lab)
    said = _drill(lab, "--dry-run")
    assert "eth0 fails for 20 s: nothing arrives by it" in said
    assert "IPv4 is to go by wlan0" in said
    for words in (("--cable",), ("--cable", "--dry-run")):
        said = _drill(lab, *words, exit_status=1)
        assert "takes no carrier away: drill with --gateway, or pull the cable" in said
    for order, end in (
        (("use", "wlan0"), ("use", "--auto")),
        (("disable", "wlan0"), ("enable", "wlan0")),
    ):
        assert lab.netfail(*order).returncode == 0
        assert "orders by hand count now" in _drill(lab, exit_status=1)
        assert lab.netfail(*end).returncode == 0
    lab.cable_out("wlan0")
    assert "no other uplink is up in IPv4" in _drill(lab, exit_status=1)
    lab.cable_out("eth0")
    _drill(lab, exit_status=1)
    assert not _is_silent(lab)
    assert "not 5 to 300 seconds" in _drill(lab, "--seconds", "4", exit_status=2)
    done = lab.run(*_DRILL[:-1], environment=_HERE)
    assert done.returncode in (1, 2)
