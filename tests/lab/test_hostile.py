"""A host of the LAN says whatever it likes, thousands of times: each family keeps its limits."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.recorder import LONGEST
from tests.conftest import Tried
from tests.lab.suite import install, status, wait, wait_used
from tests.lab.test_ipv6 import dual_stack

pytestmark = pytest.mark.faults
PREFIXES = 4000
# Seconds: networkd itself takes some to get through what it was told, and so does a busy machine.
CABLE, GATEWAY, CHECK = 5, 10, 10


@contextlib.contextmanager
def _hostile(lab: Lab, seed: int) -> Iterator[None]:
    text = Path(__file__).with_name("hostile.py").read_text(encoding="utf-8")
    words = [sys.executable, "-IS", "-c", text, str(seed), str(PREFIXES)]
    speaker = lab.namespaces.popen(words, netns="lan")
    assert speaker.stdout is not None
    assert speaker.stdout.readline() == b"begun\n"
    try:
        yield
    finally:
        speaker.communicate()
    assert speaker.returncode == 0


@pytest.mark.parametrize("family", [4, 6])
def test_each_family_keeps_its_limits_whatever_the_lan_says(
    make_lab: Callable[..., Lab], tried: Tried, family: int
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    lab = dual_stack(make_lab)
    install(lab)
    wait_used(lab, "eth0", family)
    moved = lab.ports["eth0"].host6
    with _hostile(lab, seed):
        tried("hostile prefixes", PREFIXES)
        addresses = ["ip", "-o", "-6", "address", "show", "dev", "eth0"]
        wait(lambda: len(lab.run(*addresses).stdout.splitlines()) > 500, "a crowd of addresses")
        began = time.monotonic()
        lab.tick()
        assert time.monotonic() - began < CHECK
        with lab.timer(1):
            lab.cable_out("eth0")
            wait_used(lab, "wlan0", family, CABLE)
            chosen = f"active {family} wlan0 "
            wait(lambda: chosen in lab.read("/run/netfail-hooks/state"), "a choice", CABLE)
            if family == 6:  # IPv4 addresses are on both uplinks for good
                shown = ["ip", "-6", "address", "show", "dev", "wlan0"]
                wait(lambda: f"{moved}/128" in lab.run(*shown).stdout, "its address", CABLE)
            lab.cable_in("eth0")
            wait_used(lab, "eth0", family, 30)
            lab.dead_gateway("eth0")
            wait_used(lab, "wlan0", family, GATEWAY)
            lab.alive_gateway("eth0")
    lines = lab.read("/var/log/netfail-hooks/events.jsonl").splitlines()
    assert max(map(len, lines)) < LONGEST
    assert any("eth0 has" in line and "IPv6" in line for line in status(lab)["crowded"])
    told = [line for line in lab.logs().splitlines() if "only the first of them" in line]
    assert len(told) <= 4, told
