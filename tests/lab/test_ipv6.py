"""The same over IPv6, whose addresses move with the hooks' neighbour advertisements."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from tests.lab.suite import SETTLED, install, measure, wait_rounds, wait_used


@pytest.fixture
def dual(make_lab: Callable[..., Lab]) -> Lab:
    lab = make_lab(start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        lab.write(path, f"{text}Address={port.host6}/64\nGateway={gateway6(port.segment)}\n")
    lab.start()
    install(lab)
    wait_used(lab, "eth0", 6)
    return lab


@pytest.mark.parametrize(
    ("out", "back"),
    [(Lab.cable_out, Lab.cable_in), (Lab.link_down, Lab.link_up)],
    ids=["cable", "down"],
)
def test_connections_survive(
    dual: Lab, out: Callable[[Lab, str], None], back: Callable[[Lab, str], None]
) -> None:
    with dual.timer(0.5), dual.watch() as watch, dual.traffic(ipv6=True) as traffic:
        measure(SETTLED)
        out(dual, "eth0")
        measure(2)
        mended = time.monotonic()
        back(dual, "eth0")
        wait_used(dual, "eth0", 6)
        measure(1)
    lost = traffic.result(between=(traffic.window[0], mended))
    assert lost.all_alive, lost
    assert lost.stall_ms <= 500, lost
    returned = traffic.result(between=(mended, traffic.window[1]))
    assert returned.lost() <= 2, returned
    assert watch.gaps(4) == []


def test_each_family_moves_on_its_own(dual: Lab) -> None:
    dual.run_lan("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/lan0/disable_ipv6")
    with dual.timer(1) as rounds:
        wait_rounds(rounds, 3)
    assert "eth0" in dual.run("ip", "route", "get", "198.51.100.1").stdout
