"""A line that loses packets or answers late is left while it still answers, and comes back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR
from tests.lab.agents import working
from tests.lab.suite import Stopwatch, events, install, status, used, wait, wait_rounds, wait_used

APART = pytest.mark.parametrize("lab", [{"segments": {"wlan0": 1}}], indirect=True)
LIMITS = "loss_max = 10\nlatency_max = 300\nwindow = 20"
# In each host's place of a kernel that answers echoes: one that thinks for a while about some.
_LATE = """
import socket, struct, sys, threading
late, seconds = sys.argv[1], float(sys.argv[2])
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.bind(("198.51.100.1", 0))
open("/proc/sys/net/ipv4/icmp_echo_ignore_all", "w").write("1")
def serve():
    while True:
        packet, (sender, _) = raw.recvfrom(2048)
        body = packet[packet[0] % 16 * 4:]
        if body[0] == 8:
            head = b"\\0\\0\\0\\0" + body[4:] + b"\\0" * (len(body) % 2)
            reply = head[:2] + struct.pack("!H", checksum(head)) + head[4:]
            wait = seconds if sender == late else 0
            threading.Timer(wait, raw.sendto, (reply, (sender, 0))).start()
threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def _lose(lab: Lab, name: str, tenths: int) -> None:
    """Lose so many of ten packets that an uplink sends; 0: none any more."""
    device = lab.ports[name].peer
    lines = [f"nft delete table netdev loss_{name} 2>/dev/null || true"]
    if tenths:
        chain = f"type filter hook ingress device {device} priority 0;"
        drop = f"numgen inc mod 10 < {tenths} drop;"
        lines.append(f"nft 'table netdev loss_{name} {{ chain c {{ {chain} {drop} }}; }}'")
    lab.run_lan("sh", "-ec", "\n".join(lines)).check_returncode()


@contextlib.contextmanager
def _late(lab: Lab, address: str, seconds: float) -> Iterator[None]:
    """Have the far host answer an address of ours late meanwhile."""
    with working(lab, _LATE, address, str(seconds)):
        try:
            yield
        finally:
            lab.run_lan("sh", "-c", "printf 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all")


def _quality(lab: Lab, name: str) -> Any:
    (uplink,) = (one for one in status(lab)["uplinks"] if one["interface"] == name)
    return uplink["families"][0]["quality"]


@APART
def test_a_line_that_loses_packets_is_left_and_comes_back(lab: Lab) -> None:
    textfile = '[metrics]\ntextfile = "/run/netfail-hooks/netfail.prom"\n'
    install(lab, targets=f'["icmp:{FAR}"]\n{LIMITS}', interval=1, more=textfile)
    with lab.timer(0.1) as rounds:
        wait_rounds(rounds, 2)
        assert used(lab) == "eth0"
        assert _quality(lab, "eth0")["loss_percent"] == 0
        _lose(lab, "eth0", 3)
        wait_used(lab, "wlan0")
        assert "poor: " in lab.netfail("status").stdout
        assert "% of 20 lost (at most 10, back at 5)" in lab.netfail("log").stdout
        wait_rounds(rounds, 2)
        assert _quality(lab, "eth0")["loss_percent"] >= 10
        assert used(lab) == "wlan0"
        metrics = lab.read("/run/netfail-hooks/netfail.prom")
        assert 'netfail_line_poor{interface="eth0",family="ipv4"} 1' in metrics
        assert 'netfail_line_loss_ratio{interface="eth0",family="ipv4"} 0.' in metrics
        _lose(lab, "eth0", 0)
        wait_used(lab, "eth0", seconds=30)
    replayed = lab.netfail("replay", "/var/log/netfail-hooks/events.jsonl")
    assert replayed.returncode == 0, replayed.stdout


@APART
def test_a_line_that_answers_late_is_left(lab: Lab) -> None:
    install(lab, targets=f'["icmp:{FAR}"]\n{LIMITS}', interval=1)
    lab.tick()
    assert used(lab) == "eth0"
    with _late(lab, lab.ports["eth0"].host, 0.5), lab.timer(0.1):
        wait_used(lab, "wlan0", seconds=20)
        wait(lambda: _quality(lab, "eth0")["latency_ms"] > 450, "the window to be full")
        assert _quality(lab, "eth0")["latency_ms"] < 600
        assert "answers take" in lab.netfail("status").stdout
        assert _quality(lab, "wlan0")["latency_ms"] < 100


def test_what_is_lost_beyond_a_shared_router_moves_nothing(lab: Lab) -> None:
    install(lab, targets=f'["icmp:{FAR}"]\n{LIMITS}', interval=1)
    drop = "nft 'table ip t { chain c { type filter hook input priority 0; %s drop; }; }'"
    lossy = drop % "icmp type echo-request numgen inc mod 10 < 5"
    lab.run_lan("sh", "-ec", lossy).check_returncode()
    with lab.timer(0.1) as rounds:
        wait_rounds(rounds, 4)
        assert used(lab) == "eth0"


@APART
def test_what_a_check_costs_that_measures(lab: Lab) -> None:
    """Half a second more, in which it waits; and some dozen packets an uplink."""
    install(lab, targets=f'["icmp:{FAR}"]\n{LIMITS}', interval=1)
    lab.tick()
    with Stopwatch() as watch:
        done = lab.netfail("check", "--json")
    probes = json.loads(done.stdout)["probes"]
    assert [(one["asked"], one["answered"]) for one in probes if one["family"] == 4] == [
        (10, 10)
    ] * 2
    assert watch.seconds < 5
    assert len(events(lab)) <= 2, "a good line is no news"
