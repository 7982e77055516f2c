"""Two hundred hooks and checks at once end where a single check would."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from netfail_hooks.lab import Lab
from tests.lab.suite import install, used, wait_operational, wait_rounds, wait_used

STATES = ("routable", "degraded", "no-carrier", "off", "configured", "configuring")


_HANGS = 25  # seconds, of which a machine of two processors takes five


def test_two_hundred_at_once_end_where_one_would(lab: Lab) -> None:
    install(lab, hold_down=1)
    chance = random.Random(157)  # noqa: S311 - an order, not a secret

    def one(number: int) -> float:
        began = time.monotonic()
        if number % 5 == 0:
            lab.tick()
        else:
            hook = f"/etc/networkd-dispatcher/{chance.choice(STATES)}.d/50-netfail-hooks"
            done = lab.run(hook, environment={"IFACE": chance.choice(list(lab.ports))})
            assert "Traceback" not in done.stderr
        return time.monotonic() - began

    def flap() -> None:
        for fault, fix in ((Lab.cable_out, Lab.cable_in), (Lab.link_down, Lab.link_up)) * 2:
            fault(lab, "eth0")
            wait_operational(lab, "eth0", "down")
            fix(lab, "eth0")
            wait_operational(lab, "eth0", "up")

    with ThreadPoolExecutor(200) as pool:
        flapping = pool.submit(flap)
        took = list(pool.map(one, range(200)))
        flapping.result()
    assert max(took) < _HANGS
    with lab.timer(0.5) as rounds:
        wait_used(lab, "eth0")
        wait_rounds(rounds, 2)
    state = lab.read("/run/netfail-hooks/state")
    lab.tick()
    assert used(lab) == "eth0"
    assert lab.run("ip", "route", "show", "proto", "157").stdout == ""
    assert [line.split()[:4] for line in lab.read("/run/netfail-hooks/state").splitlines()] == [
        line.split()[:4] for line in state.splitlines()
    ]
