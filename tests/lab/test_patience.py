"""Failback that waits, on a real networkd: for an hour of the day, and until little flows."""

from __future__ import annotations

import time

from netfail_hooks.lab import Lab
from tests.lab.suite import install, measure, status, used, wait, wait_used

_CONFIG = "/etc/netfail-hooks/config.toml"


def _configure(lab: Lab, first: str, last: str = "") -> None:
    lab.write(_CONFIG, f"{first}\n{lab.read(_CONFIG)}{last}")


def _lose_and_regain(lab: Lab) -> None:
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    lab.cable_in("eth0")

    def is_up() -> bool:
        return bool(status(lab)["uplinks"][0]["families"][0]["state"] == "up")

    wait(is_up, "eth0 up")


def _waits(lab: Lab) -> str:
    return str(status(lab)["uplinks"][0]["families"][0]["waits"])


def test_outside_its_hours_traffic_stays_and_in_them_it_goes_back(lab: Lab) -> None:
    install(lab)
    plain = lab.read(_CONFIG)
    hour = time.gmtime().tm_hour  # the lab's time zone is UTC
    begin = f"{(hour + 2) % 24:02}:00"
    _configure(lab, f'failback_between = "{begin}-{(hour + 3) % 24:02}:00"')
    with lab.timer(0.5):
        _lose_and_regain(lab)
        measure(2)
        assert used(lab) == "wlan0"
        assert _waits(lab) == f"until {begin}"
        assert f"waits until {begin}" in lab.netfail("status").stdout
        end = f"{(hour + 2) % 24:02}:30"
        lab.write(_CONFIG, f'failback_between = "{hour:02}:00-{end}"\n{plain}')
        wait_used(lab, "eth0")
        assert _waits(lab) == ""


def test_while_much_flows_traffic_stays_and_then_it_goes_back(lab: Lab) -> None:
    install(lab)
    _configure(lab, 'failback = "idle"', "[idle]\nseconds = 3\n")
    with lab.timer(0.5):
        with lab.traffic() as traffic:
            _lose_and_regain(lab)
            measure(6)
            assert used(lab) == "wlan0"
            assert _waits(lab) == "until wlan0 is idle for 3 s"
        wait_used(lab, "eth0", seconds=20)
    assert traffic.result().all_alive
