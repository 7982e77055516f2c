"""What no round of probes can ask is not waited for: no gateway, or asked in IPv4 alone."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from tests.lab.suite import install, status, used, wait, wait_used
from tests.lab.test_gateway import REACH
from tests.lab.test_ipv6 import dual_stack

_ANSWER_FOR_ALL = "printf 0 >/proc/sys/net/ipv4/conf/all/arp_ignore"


def _verdict(lab: Lab, name: str, family: int) -> str:
    uplinks = {one["interface"]: one for one in status(lab)["uplinks"]}
    return str(uplinks[name]["families"][family == 6]["state"])


def _wait_taken_back(lab: Lab, family: int) -> None:
    """Wait until eth0 is back: a verdict counts, as the kernel uses it at once for a moment."""
    wait(lambda: _verdict(lab, "eth0", family) != "down", f"eth0 back in IPv{family}")
    wait(lambda: _verdict(lab, "eth0", family) == "up", f"eth0 trusted in IPv{family}")


@pytest.fixture
def dual(make_lab: Callable[..., Lab]) -> Lab:
    """Return a lab with static IPv4 and IPv6, whose uplinks ask an IPv4 target alone."""
    lab = dual_stack(make_lab)
    install(lab, targets='["icmp:198.51.100.1"]\ngateway = false')
    wait_used(lab, "eth0", 6)
    return lab


def test_a_family_without_a_target_is_taken_back_after_its_hold_down(dual: Lab) -> None:
    with dual.timer(0.5):
        dual.cable_out("eth0")
        wait_used(dual, "wlan0", 6)
        dual.cable_in("eth0")
        for family in (4, 6):
            _wait_taken_back(dual, family)
            assert used(dual, family) == "eth0"
    assert "not probed" in dual.netfail("status").stdout


def test_a_primary_without_a_gateway_is_taken_back(make_lab: Callable[..., Lab]) -> None:
    """Everything is on its link, as on a raw-ip modem's: there is no gateway to ask."""
    lab = make_lab(start=False)
    path = "/etc/systemd/network/20-eth0.network"
    text = lab.howto_files()[path].replace("Gateway=192.168.1.1\n", "")
    lab.write(path, f"{text}[Route]\nDestination=0.0.0.0/0\nScope=link\n")
    lab.run_lan("sh", "-c", _ANSWER_FOR_ALL)
    lab.start()
    install(lab)
    wait_used(lab, "eth0")
    assert "[not-probed]" in lab.netfail("doctor").stdout
    with lab.timer(0.5):
        lab.cable_out("eth0")
        wait_used(lab, "wlan0")
        lab.cable_in("eth0")
        _wait_taken_back(lab, 4)
    assert used(lab) == "eth0"
    assert lab.run(sys.executable, "-c", REACH, "198.51.100.1").stdout == "refused\n"
    assert "not probed" in lab.netfail("status").stdout
