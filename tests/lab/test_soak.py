"""Faults without a pause, on a real host: nothing leaks, drifts, gets lost or grows.

20 seconds each day; ``pytest tests/lab/test_soak.py --soak-minutes 20`` for real.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab
from tests.conftest import Tried
from tests.lab.suite import ROUTES, install, shape, wait, wait_shape

pytestmark = pytest.mark.faults
_EVERYDAY = 20  # seconds
_PHASE = 4.0  # seconds for which one uplink is left alone
_MAX_BYTES = 200_000
_LOG = "/var/log/netfail-hooks"

Act = Callable[[Lab, str], object]


def _nothing(_lab: Lab, _name: str) -> None:
    """Mend what mends itself."""


FAULTS: list[tuple[Act, Act]] = [
    (Lab.cable_out, Lab.cable_in),
    (Lab.link_down, Lab.link_up),
    (Lab.dead_gateway, Lab.alive_gateway),
    (Lab.remove, Lab.insert),
    (Lab.drop_address, Lab.return_address),
    (lambda lab, name: lab.run("networkctl", "reconfigure", name), _nothing),
]


class Storm:
    """Uplinks that are broken and mended in any order, all but one at a time."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self._lab = lab
        self._chance = random.Random(seed)  # noqa: S311 - an order, not a secret
        self._mending: dict[str, Act] = {}
        self.events = 0

    def blow(self, seconds: float) -> None:
        """Leave one uplink after another alone, and let something happen to the others."""
        end = time.monotonic() + seconds
        names = list(self._lab.ports)
        anchor = names[0]
        while time.monotonic() < end:
            until = min(end, time.monotonic() + _PHASE)
            others = [name for name in names if name != anchor]
            while time.monotonic() < until:
                self._happen(self._chance.choice(others))
                time.sleep(self._chance.choice((0, 0, 0.02, 0.1)))
            following = self._chance.choice(others)
            self._mend(following)
            self._await(following)
            anchor = following
        for name in names:
            self._mend(name)
            self._await(name)

    def _happen(self, name: str) -> None:
        self.events += 1
        if name in self._mending:
            self._mend(name)
            return
        fault, fix = self._chance.choice(FAULTS)
        with contextlib.suppress(Problem):  # an address that networkd has not set yet
            fault(self._lab, name)
        self._mending[name] = fix

    def _mend(self, name: str) -> None:
        self._mending.pop(name, _nothing)(self._lab, name)

    def _await(self, name: str) -> None:
        """Wait until the kernel could use an uplink.

        networkd gives one up ("failed") that goes down just when its routes are set, and doctor
        tells how to mend that.
        """
        found = ["ip", "-4", "route", "show", "default", "dev", name, "proto", "static"]

        def ready() -> bool:
            if "failed" in self._lab.run("networkctl", "list", "--no-legend", name).stdout:
                self._lab.run("networkctl", "reconfigure", name)
            return "via" in self._lab.run(*found).stdout

        wait(ready, f"a route by {name}", seconds=20)


def _entries(lab: Lab) -> list[Any]:
    """Return what is recorded, oldest first; every line must be whole."""
    texts = [lab.read(f"{_LOG}/events.jsonl{old}") for old in (".1", "")]
    return [json.loads(line) for line in "".join(texts).splitlines()]


def _thought(state: Any) -> list[tuple[Any, ...]]:
    stands = [(one["interface"], one["family"], one["state"]) for one in state["uplinks"]]
    return [*stands, *((one["family"], one["interface"]) for one in state["active"])]


def _processes(lab: Lab) -> int:
    return sum(name.isdigit() for name in os.listdir(f"{lab.root}/proc"))


def test_a_storm_leaves_nothing_behind(
    make_lab: Callable[..., Lab], request: pytest.FixtureRequest, tried: Tried
) -> None:
    minutes = request.config.getoption("soak_minutes")
    lab = make_lab(("eth0", "wlan0", "usb0"))
    install(lab, hold_down=0, more=f"successes = 1\n[log]\nmax_bytes = {_MAX_BYTES}\n")
    before, processes = shape(lab, ROUTES), _processes(lab)
    storm = Storm(lab, seed=157)
    with lab.watch() as watch:
        with lab.timer(0.5):
            storm.blow(minutes * 60 or _EVERYDAY)
            tried("events of a storm in the lab", storm.events)
            wait_shape(lab, before, ROUTES, seconds=30)
        assert lab.tick().returncode == 0
    assert watch.gaps(4) == []
    assert lab.netfail("check").returncode == 0
    wait(lambda: _processes(lab) <= processes, "an end of every process of ours")
    assert set(os.listdir(f"{lab.root}/run/netfail-hooks")) <= {
        "lock",
        "state",
        "config",
        "counters",
        "received",
        "sources",
        "turn",
    }
    assert "Traceback" not in lab.logs()
    assert "bug:" not in lab.logs()
    entries = _entries(lab)
    for one, following in pairwise(entries):
        assert _thought(one["after"]) == _thought(following["before"]), following["trigger"]
    longest = max(len(json.dumps(entry)) for entry in entries)
    for name in os.listdir(lab.root + _LOG):
        assert os.path.getsize(f"{lab.root}{_LOG}/{name}") <= _MAX_BYTES + longest
