"""Connections of Multipath TCP live on across different subnets, by endpoints that follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from tests.lab.suite import SETTLED, install, measure, status, used, wait, wait_used
from tests.lab.talk import Talk

_KEY = "multipath_tcp = true\n"
_FIRST, _SECOND = "192.168.1.252", "10.0.1.25"
_SECONDS = (_SECOND, "fd00:10:1::25")
_HOMES = ("eth0", "wlan0")
_CONFIG = "/etc/netfail-hooks/config.toml"


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """Return a lab whose uplinks are on different subnets, with a router and an address each."""
    lab = make_lab(segments={"wlan0": 1}, start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        six = f"Address={port.host6}/64\nGateway={port.host6.rpartition('::')[0]}::1\n"
        lab.write(path, text + six)
    lab.start()
    install(lab)
    return lab


def _switch(lab: Lab, *, on: bool) -> None:
    text = lab.read(_CONFIG).replace(_KEY, "")
    lab.write(_CONFIG, (_KEY if on else "") + text)
    lab.tick()


def _endpoints(lab: Lab) -> dict[str, str]:
    """Return the endpoints by address, each with its flags."""
    lines = lab.run("ip", "mptcp", "endpoint", "show").stdout.splitlines()
    return {words[0]: " ".join(words[3:]) for words in map(str.split, lines)}


def _limits(lab: Lab) -> str:
    return lab.run("ip", "mptcp", "limits", "show").stdout.strip()


def test_endpoints_are_kept_in_step_and_given_back(lab: Lab) -> None:
    assert _endpoints(lab) == {}
    lab.run("ip", "mptcp", "limits", "set", "subflows", "1")
    lab.run("ip", "mptcp", "endpoint", "add", "192.0.2.9", "signal").check_returncode()
    theirs = {"192.0.2.9": "signal"}
    _switch(lab, on=True)
    four = {_FIRST: "subflow", _SECOND: "subflow backup"}
    six = {"fd00:1::252": "subflow", "fd00:10:1::25": "subflow backup"}
    assert _endpoints(lab) == theirs | four | six
    told = status(lab)["multipath"]
    kept = {one["address"]: one["interface"] for one in told["endpoints"] if one["ours"]}
    assert kept == {address: _HOMES[address in _SECONDS] for address in four | six}
    assert told["missing"] == []
    lab.tick()
    assert "subflows 4" in _limits(lab)
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    lost = {_SECOND: "subflow", "fd00:10:1::25": "subflow"}
    wait(lambda: _endpoints(lab) == theirs | lost, "endpoints of the backup alone")
    lab.cable_in("eth0")
    with lab.timer(0.5):
        wait(lambda: _endpoints(lab) == theirs | four | six, "endpoints as before")
    _switch(lab, on=False)
    assert _endpoints(lab) == theirs
    assert "subflows 1" in _limits(lab)
    lab.tick()
    assert "multipath" not in lab.read("/run/netfail-hooks/state")
    _switch(lab, on=True)
    lab.tick()
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert _endpoints(lab) == theirs
    assert "subflows 1" in _limits(lab)


@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_lives_on_wherever_the_traffic_goes(lab: Lab, family: int) -> None:
    _switch(lab, on=True)
    with Talk(lab, "tcp", family=family) as plain, Talk(lab, "mptcp", family=family) as talk:
        measure(SETTLED)
        lab.cable_out("eth0")
        wait_used(lab, "wlan0", family)
        measure(1.5)
        lab.cable_in("eth0")
        with lab.timer(0.5):
            wait_used(lab, "eth0", family)
            measure(1)
            lab.dead_gateway("eth0")
            wait_used(lab, "wlan0", family)
            measure(1.5)
            lab.alive_gateway("eth0")
            wait_used(lab, "eth0", family)
            measure(1)
            lab.cable_out("wlan0")
            measure(1)
    assert talk.source == (_FIRST if family == 4 else "fd00:1::252")
    assert (talk.ended, talk.lost) == ("", False)
    print("longest", talk.longest)
    assert talk.longest < 2
    assert plain.ended


def test_one_that_began_at_the_backup_goes_on_at_the_primary(lab: Lab) -> None:
    _switch(lab, on=True)
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    with Talk(lab, "mptcp") as talk:
        measure(1)
        lab.cable_in("eth0")
        with lab.timer(0.5):
            wait_used(lab, "eth0")
            measure(1)
        lab.cable_out("wlan0")
        measure(1.5)
    assert talk.source == _SECOND
    assert (talk.ended, talk.lost) == ("", False)
    assert talk.longest < 2
    assert used(lab) == "eth0"
