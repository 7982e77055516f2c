"""A gateway that answers late, or not always: the traffic stays, or moves once and comes back."""

from __future__ import annotations

import contextlib
import random
import secrets
import sys
from collections.abc import Iterator

import pytest

from netfail_hooks.install.units import WATCH
from tests.conftest import Tried
from tests.lab.booted import Booted, running
from tests.lab.relay import Manner, Relay
from tests.lab.suite import events, measure, used, wait, wait_used

pytestmark = pytest.mark.faults
# Whoever is sent anything is asked as often as the timers say, whatever the kernel's turn is.
_BUSY = """
import socket, time
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    time.sleep(0.05)
    try:
        made.sendto(b"x", ("192.168.1.1", 9))
    except OSError:
        pass
"""
OBSERVED = 8  # seconds; with a hold-down of one whoever goes to and fro has done so three times
SLOW, LOSSY = Manner(0.4, 0.4), Manner(lost=0.3)


def _drawn(chance: random.Random) -> Manner:
    least = chance.uniform(0.02, 0.4)
    return Manner(least, chance.uniform(least, 0.45), chance.uniform(0, 0.2))


@contextlib.contextmanager
def _installed(watch: str) -> Iterator[Booted]:
    with running() as lab:
        lab.install(f'watch = "{watch}"\n[hold_down]\nseconds = 1\nmax = 1\n[check]\nquick = 1\n')
        yield lab


def _forget(lab: Booted) -> None:
    """Have it know nothing of what was before, as after a boot, and the gateway watched."""
    wait_used(lab, "eth0", seconds=30)
    lab.run("rm", "-f", "/run/netfail-hooks/state")
    assert lab.netfail("check").returncode == 0
    kept = ("sh", "-c", "ip -d neigh show dev eth0 | grep -q managed")
    wait(lambda: lab.run(*kept).returncode == 0, "a gateway that is watched")


@pytest.mark.share(1)
@pytest.mark.parametrize("watch", ["on", "fast"])
def test_a_gateway_that_is_late_or_loses_packets_is_left_once_at_most(
    watch: str, tried: Tried
) -> None:
    seed = secrets.randbelow(10**6)
    chance = random.Random(seed)  # noqa: S311 - no secret
    with _installed(watch) as lab:
        lab.run("systemd-run", "--quiet", sys.executable, "-IS", "-c", _BUSY).check_returncode()
        for manner in (SLOW, LOSSY, _drawn(chance)):
            print(f"seed {seed}: {manner}")
            _forget(lab)
            known = len(events(lab))
            with Relay(lab, "eth0", manner, seed):
                measure(OBSERVED)
                wait_used(lab, "eth0", seconds=20)
                told = [(one["trigger"], one["summary"]) for one in events(lab)[known:]]
                print(*told, sep="\n")
                moves = [summary for _, summary in told if " now by " in summary]
                assert len(moves) <= 2, told
            tried(f"gateways that are late or lossy, watch = {watch}", 1)
        failed = lab.run("systemctl", "list-units", "--failed", "--no-legend", "netfail*").stdout
        assert failed == ""
        # And if that is all it was, a dead one is left as ever.
        _forget(lab)
        lab.dead_gateway("eth0")
        wait_used(lab, "wlan0", seconds=5)
        assert used(lab) == "wlan0"
        shown = lab.systemctl("show", "--value", "--property=Result", WATCH).stdout
        assert shown == "success\n"
