"""Booted by systemd, without networkd-dispatcher: the watch's socket hears of all that matters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netfail_hooks.install.units import SOCKET, WATCH
from tests.lab.booted import Booted, running
from tests.lab.suite import SETTLED, events, measure, used, wait, wait_used

_FILES = ("find", "/etc", "-printf", "%p %m\n")
_FIRST = "ip neigh replace 192.168.1.251 dev eth0 nud stale; ip neigh del 192.168.1.251 dev eth0"


@pytest.fixture
def booted() -> Iterator[Booted]:
    with running(dispatcher=False) as lab:
        yield lab


def _netfail(lab: Booted, *words: str) -> str:
    done = lab.netfail(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _install(lab: Booted) -> str:
    # A check that comes by itself would hide what is not heard.
    lab.write(
        "/etc/netfail-hooks/config.toml",
        "[hold_down]\nseconds = 2\n[check]\ninterval = 0\n"
        '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n',
    )
    told = _netfail(lab, "install", "--without-dispatcher", "--yes")
    wait_used(lab, "eth0")
    lab.run("sh", "-c", _FIRST)
    show = ("show", "--value", "--property=SubState", SOCKET)
    wait(lambda: lab.systemctl(*show).stdout == "listening\n", "a socket that listens", seconds=20)
    wait(lambda: "managed" in lab.run("ip", "-d", "neigh").stdout, "a gateway that is watched")
    return told


def test_what_befalls_uplinks_is_heard_and_loses_what_it_loses_with_hooks(booted: Booted) -> None:
    told = _install(booted)
    assert "no event reaches" not in told
    assert booted.run("find", "/etc", "-name", "50-netfail-hooks").stdout == ""
    for break_it, mend_it in (
        (booted.cable_out, booted.cable_in),
        (booted.link_down, booted.link_up),
        (booted.dead_gateway, booted.alive_gateway),
    ):
        known = len(events(booted))
        with booted.traffic() as traffic:
            measure(SETTLED)
            break_it("eth0")
            wait_used(booted, "wlan0")
            measure(1.5)
        result = traffic.result()
        limit = 1500 if break_it == booted.dead_gateway else 300
        assert result.flow("out").outage_ms <= limit, (break_it, result)
        assert result.all_alive, (break_it, result)
        with booted.traffic() as traffic:
            measure(SETTLED)
            mend_it("eth0")
            wait_used(booted, "eth0", seconds=45)
            measure(1)
        assert traffic.result().flow("out").outage_ms <= 300, (mend_it, traffic.result())
        triggers = {event["trigger"].partition(" ")[0] for event in events(booted)[known:]}
        assert triggers <= {"watch", "timer", "again"}, triggers
        assert "watch" in triggers
        booted.run("rm", "/run/netfail-hooks/state")  # the next hold-down is a first one, too
        _netfail(booted, "check")


def test_what_networkd_does_anew_is_put_right(booted: Booted) -> None:
    _install(booted)
    booted.cable_out("eth0")
    wait_used(booted, "wlan0")
    booted.systemctl("restart", "systemd-networkd.service")
    measure(3)
    assert used(booted) == "wlan0"
    booted.run("networkctl", "reconfigure", "wlan0")
    wait_used(booted, "wlan0", seconds=10)
    booted.cable_in("eth0")
    wait_used(booted, "eth0", seconds=45)


def test_status_and_doctor_know_the_config_remembers_and_uninstall_leaves_nothing(
    booted: Booted,
) -> None:
    before = booted.run(*_FILES).stdout
    _install(booted)
    assert "dispatcher" not in booted.netfail("doctor").stdout
    assert "no event" not in _netfail(booted, "status")
    assert "no hooks" not in _netfail(booted, "install", "--yes")
    assert booted.run("find", "/etc", "-name", "50-netfail-hooks").stdout == ""
    booted.systemctl("stop", SOCKET, WATCH)
    assert f"events    {SOCKET} is not listening" in _netfail(booted, "status")
    _netfail(booted, "check")
    assert any(f"{SOCKET} is not listening" in line for line in booted.journal()), booted.journal()
    booted.systemctl("start", SOCKET)
    _netfail(booted, "check")
    assert "events are heard again" in booted.journal()
    _netfail(booted, "uninstall", "--yes")
    booted.run("rm", "-r", "/etc/netfail-hooks")
    assert booted.run(*_FILES).stdout == before
