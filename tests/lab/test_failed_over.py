"""While failed over, whatever networkd and the LAN do, the sick uplink stays out of use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from tests.lab.suite import SETTLED, install, measure, used, wait_rounds, wait_used

Upset = Callable[[Lab], object]

UPSETS: dict[str, Upset] = {
    "reconfigure the sick one": lambda lab: lab.run("networkctl", "reconfigure", "eth0"),
    "reload": lambda lab: lab.run("networkctl", "reload"),
    "restart networkd": Lab.restart_networkd,
    "renew": lambda lab: lab.run("networkctl", "renew", "eth0", "wlan0"),
}


def _stays_away(lab: Lab, upset: Upset, limit: int) -> None:
    """Upset networkd while eth0 is sick; no traffic may return to it, little may be lost."""
    lab.dead_gateway("eth0")
    lab.tick()
    wait_used(lab, "wlan0")
    with lab.timer(1) as rounds, lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        upset(lab)
        wait_rounds(rounds, 3)
    result = traffic.result()
    assert used(lab) == "wlan0"
    assert watch.used("eth0", 4) == []
    assert watch.gaps(4) == []
    assert result.lost() <= limit, result
    assert result.all_alive, result


@pytest.mark.share(2)
@pytest.mark.parametrize("upset", UPSETS.values(), ids=UPSETS)
def test_static(lab: Lab, upset: Upset) -> None:
    install(lab, hold_down=3)
    _stays_away(lab, upset, 2)


@pytest.mark.share(2)
@pytest.mark.parametrize("upset", UPSETS.values(), ids=UPSETS)
def test_dhcp(make_lab: Callable[..., Lab], upset: Upset) -> None:
    lab = make_lab(start=False)
    lab.start_dhcp()
    for name in lab.ports:
        text = f"[Match]\nName={name}\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n"
        lab.write(f"/etc/systemd/network/20-{name}.network", text)
    lab.start()
    install(lab, hold_down=3)
    _stays_away(lab, upset, 2)


def test_the_carrier_set_up_anew_is_the_carrier_again(lab: Lab) -> None:
    """Networkd takes all it has from the link; for that long there is no other way."""
    install(lab, hold_down=3)
    lab.dead_gateway("eth0")
    lab.tick()
    wait_used(lab, "wlan0")
    with lab.timer(1) as rounds, lab.traffic() as traffic:
        measure(SETTLED)
        lab.run("networkctl", "reconfigure", "wlan0")
        wait_rounds(rounds, 3)
    result = traffic.result()
    assert used(lab) == "wlan0"
    assert result.flow("out").outage_ms <= 300, result
    assert result.all_alive, result


def test_router_advertisements(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(start=False)
    lab.start_dhcp()
    for name in lab.ports:
        text = f"[Match]\nName={name}\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n"
        lab.write(f"/etc/systemd/network/20-{name}.network", text)
    lab.start()
    install(lab, hold_down=3)
    wait_used(lab, "eth0", 6)
    lab.dead_gateway("eth0")
    lab.tick()
    wait_used(lab, "wlan0", 6)
    with lab.timer(1) as rounds, lab.watch() as watch:
        lab.run("networkctl", "reconfigure", "eth0")
        wait_rounds(rounds, 4)
    assert used(lab, 6) == "wlan0"
    assert watch.used("eth0", 6) == []
