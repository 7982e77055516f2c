"""The same over IPv6, whose addresses move with the hooks' neighbour advertisements."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from tests.lab.agents import beside, working
from tests.lab.suite import SETTLED, install, measure, tells, wait, wait_rounds, wait_used


@pytest.fixture
def dual(make_lab: Callable[..., Lab]) -> Lab:
    lab = dual_stack(make_lab)
    install(lab)
    wait_used(lab, "eth0", 6)
    return lab


def dual_stack(make_lab: Callable[..., Lab]) -> Lab:
    """Return a lab with static addresses of both families, as how-to's write them.

    networkd calls an uplink routable by its IPv4 address, while the kernel still asks for a second
    who has the other (RFC 4862, section 5.4).
    """
    lab = make_lab(start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        lab.write(path, f"{text}Address={port.host6}/64\nGateway={gateway6(port.segment)}\n")
    lab.start()
    wait(lambda: _has_ipv6(lab), "each uplink's IPv6")
    return lab


def _has_ipv6(lab: Lab) -> bool:
    routes = lab.run("ip", "-6", "route", "show", "default").stdout
    tried = "tentative" not in lab.run("ip", "-6", "address").stdout
    return tried and all(f" dev {name} " in routes for name in lab.ports)


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
    dual.run_lan("sh", "-c", "printf 1 >/proc/sys/net/ipv6/conf/lan0/disable_ipv6")
    with dual.timer(1) as rounds:
        wait_rounds(rounds, 3)
    assert "eth0" in dual.run("ip", "route", "get", "198.51.100.1").stdout


def test_install_leaves_no_route_of_the_files_before_it(make_lab: Callable[..., Lab]) -> None:
    """Nor does uninstall; and a route of networkd's protocol that is somebody else's stays."""
    lab = dual_stack(make_lab)
    mine = ("fd00:99::/64", "proto", "static", "dev", "eth0")
    assert lab.run("ip", "-6", "route", "add", *mine).returncode == 0
    install(lab)
    wait_used(lab, "eth0", 6)
    ways = _routes6(lab, "default")
    assert ways.count("via") == 2, ways
    assert "metric 1024" not in ways
    assert "metric-equal" not in lab.netfail("doctor").stdout
    assert _routes6(lab, "fd00:99::/64")
    assert lab.netfail("uninstall", "--yes").returncode == 0
    left = _routes6(lab, "default")
    assert left.count("fd00:1::1") == 2, left
    assert "metric 100 " not in left
    assert "metric 600 " not in left


def _routes6(lab: Lab, which: str) -> str:
    return lab.run("ip", "-6", "route", "show", which).stdout


def test_a_machine_without_ipv4_fails_over(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(start=False)
    for port in lab.ports.values():
        lab.write(
            f"/etc/systemd/network/20-{port.name}.network",
            f"[Match]\nName={port.name}\n[Network]\nAddress={port.host6}/64\n"
            f"Gateway={gateway6(port.segment)}\n",
        )
    lab.start()
    install(lab)
    wait_used(lab, "eth0", 6)
    assert lab.netfail("status").returncode == 0
    assert "nothing is wrong" in lab.netfail("doctor").stdout
    with lab.timer(0.5):
        lab.cable_out("eth0")
        wait_used(lab, "wlan0", 6)
        lab.cable_in("eth0")
        wait(lambda: lab.netfail("status").returncode == 0 and not _ours(lab), "all well")
    assert lab.used_uplink(6) == "eth0"


def test_a_router_that_advertises_late_is_used(make_lab: Callable[..., Lab]) -> None:
    """No event tells of it: the uplink is routable by IPv4 already."""
    lab = make_lab()
    install(lab)
    assert lab.used_uplink(6) == ""
    lab.start_dhcp()
    with lab.timer(0.5):
        wait_used(lab, "eth0", 6)
        wait(lambda: tells(lab.netfail("log").stdout, "eth0 IPv6 up"), "word of it")


@pytest.mark.share(1)
@pytest.mark.parametrize("seconds", [0.3, 4, 14])
def test_an_advertised_gateway_is_back_with_the_cable(
    make_lab: Callable[..., Lab], seconds: float
) -> None:
    """However long it was out: networkd asks for routers at once, and again later (RFC 7559)."""
    lab = make_lab()
    install(lab)
    lab.start_dhcp()
    with lab.timer(0.5):
        wait_used(lab, "eth0", 6)
        lab.cable_out("eth0")
        time.sleep(seconds)
        if seconds > 1:
            wait_used(lab, "wlan0", 6)
        lab.cable_in("eth0")
        wait_used(lab, "eth0", 6, 40)
        wait(lambda: not _ours(lab), "all by networkd's own routes", seconds=40)


@pytest.mark.parametrize("where", ["there", "away"])
def test_routers_are_asked_once_an_advertised_gateway_is_gone(
    make_lab: Callable[..., Lab], where: str
) -> None:
    """As networkd from 256 on loses it with the carrier, and asks nobody once that is back."""
    lab = make_lab()
    install(lab)
    with working(lab, beside("shy_router.py")), lab.timer(0.5):
        lab.run("networkctl", "reconfigure", "eth0", "wlan0").check_returncode()
        wait(lambda: tells(lab.netfail("log").stdout, "eth0 IPv6 up"), "its gateway", seconds=60)
        wait_used(lab, "eth0", 6)
        if where == "away":
            lab.cable_out("eth0")
        wait_used(lab, "wlan0" if where == "away" else "eth0", 6)
        lab.run("ip", "-6", "route", "del", "default", "dev", "eth0", "proto", "ra")
        wait_used(lab, "wlan0", 6)
        if where == "away":
            lab.cable_in("eth0")
        wait_used(lab, "eth0", 6, 40)
        wait(lambda: "dev eth0 proto ra" in _routes6(lab, "default"), "networkd's own route")


def _ours(lab: Lab) -> str:
    return lab.run("ip", "-6", "route", "show", "proto", "157").stdout
