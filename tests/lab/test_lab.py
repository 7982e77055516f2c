"""The lab itself: what it shows is what the kernel and networkd do, and nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.lab import Lab, harmless
from tests.lab.suite import measure, wait


def test_a_pulled_cable_is_what_networkd_calls_no_carrier(lab: Lab) -> None:
    lab.cable_out("eth0")
    lab.wait_state("no-carrier", "eth0")
    lab.cable_in("eth0")
    lab.wait_routable("eth0")


def test_a_dead_gateway_leaves_the_link_up_and_no_answer(lab: Lab) -> None:
    lab.dead_gateway("eth0")
    lab.dead_gateway("wlan0")
    assert "state UP" in lab.run("ip", "link", "show", "eth0").stdout
    wait(lambda: "FAILED" in lab.run("ip", "neigh").stdout or not _reaches(lab), "no answer")
    assert not _reaches(lab)
    lab.alive_gateway("eth0")
    lab.alive_gateway("wlan0")
    wait(lambda: _reaches(lab), "an answer")


def _reaches(lab: Lab) -> bool:
    code = (
        "import socket\n"
        "try: socket.create_connection(('192.168.1.1', 9), 1)\n"
        "except ConnectionRefusedError: print('there')\n"
        "except OSError: pass\n"
    )
    return "there" in lab.run(sys.executable, "-c", code).stdout


def test_a_set_up_that_fails_says_why_and_what_then(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFAIL_HOOKS_INSTALL", "sudo ./install.sh")
    script = "ip link show eth0 >/dev/null; printf 1 >/proc/sys/net/ipv4/conf/none/arp_filter"
    with pytest.raises(Problem) as told, harmless():
        lab.namespaces.change(script)
    assert "conf/none/arp_filter: sh: 1: cannot create" in str(told.value)
    assert str(told.value).endswith("; 'sudo ./install.sh' needs nothing of that")


def test_the_pulse_counts_what_is_lost(lab: Lab) -> None:
    with lab.traffic() as traffic:
        measure(1)
        began = time.monotonic()
        lab.cable_out("eth0")
        lab.cable_out("wlan0")
        measure(0.5)
        lab.cable_in("eth0")
        lab.cable_in("wlan0")
        ended = time.monotonic()
        wait(lambda: _reaches(lab), "an answer")
    assert traffic.result().lost("out") >= 90
    (begin, end), *_ = lab.dark()
    assert traffic.result(between=(traffic.window[0], begin)).lost("out") == 0
    assert began <= begin <= end - 0.5 <= ended - 0.5


def test_a_gap_of_the_default_route_is_seen_and_a_replacement_is_none(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(start=False, unmanaged=True)
    lab.start()
    with lab.watch() as watch:
        lab.run(
            "ip",
            "route",
            "replace",
            "default",
            "via",
            "192.168.1.1",
            "dev",
            "wlan0",
            "metric",
            "100",
        ).check_returncode()
        lab.run(
            "ip",
            "route",
            "replace",
            "default",
            "via",
            "192.168.1.1",
            "dev",
            "eth0",
            "metric",
            "100",
        ).check_returncode()
    assert watch.gaps(4) == []
    assert len(watch.used("wlan0", 4)) == 1
    with lab.watch() as watch:
        lab.run(
            "sh",
            "-ec",
            "ip route del default; ip route del default; "
            "ip route add default via 192.168.1.1 dev eth0",
        ).check_returncode()
    assert len(watch.gaps(4)) == 1
    with lab.watch() as watch:
        lab.run("ip", "link", "set", "eth0", "down")
        lab.run("ip", "link", "set", "wlan0", "down")
    assert len(watch.gaps(4)) == 1


def test_a_name_that_a_dhcp_client_sets_is_not_this_machines(lab: Lab) -> None:
    before = os.uname().nodename
    lab.run("hostname", "of-the-lab")
    assert lab.run("hostname").stdout == "of-the-lab\n"
    assert os.uname().nodename == before


def test_two_labs_do_not_see_each_other_and_leave_nothing() -> None:
    before = _mine()
    with Lab(unmanaged=True) as one, Lab(unmanaged=True) as other:
        one.start()
        other.start()
        one.link_down("eth0")
        assert "state UP" in other.run("ip", "link", "show", "eth0").stdout
        assert _mine() != before
    assert _mine() == before
    shown = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True)
    assert "port0" not in shown.stdout


def _mine() -> tuple[int, int]:
    """Count the network namespaces of all processes that we began, and our own mounts."""
    spaces = set()
    for pid in _begun(os.getpid()):
        with contextlib.suppress(OSError):  # it has ended
            spaces.add(os.readlink(f"/proc/{pid}/ns/net"))
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return len(spaces), len(mounts.readlines())


def _begun(pid: int) -> list[int]:
    """Return a process and all below it (proc(5), ``/proc/pid/task/tid/children``)."""
    children = read_text(f"/proc/{pid}/task/{pid}/children").split()
    return [pid, *(below for child in children for below in _begun(int(child)))]
