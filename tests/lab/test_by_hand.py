"""``use``, ``disable`` and ``enable`` on a real networkd: traffic moves, and nothing is lost."""

from __future__ import annotations

import pytest

from netfail_hooks.lab import Lab
from tests.lab.suite import FILES, SETTLED, install, measure, shape, status, used, wait_used


def _said(lab: Lab, *words: str, exit_status: int = 0) -> str:
    done = lab.netfail(*words)
    assert done.returncode == exit_status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_traffic_moves_by_hand_and_back_without_a_loss(lab: Lab) -> None:
    install(lab)
    with lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        said = _said(lab, "use", "wlan0")
        assert "IPv4 goes by wlan0" in said
        assert used(lab) == "wlan0"
        measure(1)
        _said(lab, "use", "--auto")
        assert used(lab) == "eth0"
        measure(1)
    assert watch.gaps(4) == []
    assert traffic.result().lost() == 0, traffic.result()
    assert traffic.result().all_alive


def test_a_cable_that_was_announced_costs_nothing_when_it_is_pulled(lab: Lab) -> None:
    install(lab)
    with lab.timer(0.5), lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        assert "eth0 is disabled" in _said(lab, "disable", "eth0")
        assert used(lab) == "wlan0"
        measure(1)
        lab.cable_out("eth0")
        measure(1)
        lab.cable_in("eth0")
        measure(2)
        assert used(lab) == "wlan0"
        found = status(lab)
        until = "until the next boot: 'sudo netfail-hooks enable eth0' ends it"
        assert found["by_hand"] == [f"eth0 is disabled {until}"]
        (eth0,) = (one for one in found["uplinks"] if one["interface"] == "eth0")
        assert {one["reason"] for one in eth0["families"]} == {"disabled by hand"}
        assert "by hand" in lab.netfail("status").stdout
        _said(lab, "enable", "eth0")
        wait_used(lab, "eth0")
        measure(1)
    assert watch.gaps(4) == []
    assert traffic.result().lost() == 0, traffic.result()
    assert traffic.result().all_alive
    assert status(lab)["by_hand"] == []


def test_an_order_ends_by_itself_and_uninstall_takes_all_of_them_away(lab: Lab) -> None:
    before = shape(lab, FILES)
    install(lab)
    with lab.timer(0.5):
        _said(lab, "use", "wlan0", "--for", "3s")
        assert used(lab) == "wlan0"
        wait_used(lab, "eth0")
    _said(lab, "use", "wlan0", "--keep")
    lab.run("rm", "-r", "/run/netfail-hooks")  # as a reboot does
    _said(lab, "check")
    assert used(lab) == "wlan0"
    _said(lab, "disable", "eth0")
    _said(lab, "uninstall", "--yes")
    lab.run("rm", "-r", "/etc/netfail-hooks")  # the config was there before install
    after = shape(lab, FILES)
    assert [line for line in after if "orders" in line] == []
    assert {line for line in after if "netfail" in line} <= {
        line for line in before if "netfail" in line
    }


@pytest.mark.parametrize("family", ["gateway", "cable"])
def test_what_would_cut_the_machine_off_is_refused_with_the_reason(lab: Lab, family: str) -> None:
    install(lab)
    with lab.timer(0.5):
        if family == "cable":
            lab.cable_out("wlan0")
        else:
            lab.dead_gateway("wlan0")
            _said(lab, "check", exit_status=1)
        said = _said(lab, "disable", "eth0", exit_status=1)
        assert "no other uplink is up in IPv4" in said
        assert "wlan0 is down" in _said(lab, "use", "wlan0", exit_status=1)
        assert used(lab) == "eth0"
        assert "mend one first, or add --force" in said
        assert "eth0 is disabled" in _said(lab, "disable", "eth0", "--force")


def test_who_has_disabled_the_other_one_is_told_so(lab: Lab) -> None:
    install(lab)
    _said(lab, "disable", "wlan0")
    said = _said(lab, "disable", "eth0", exit_status=1)
    assert "no other uplink is up in IPv4: sudo netfail-hooks enable wlan0, or add --force" in said


def test_with_manual_failback_a_person_moves_the_traffic_back_once(lab: Lab) -> None:
    install(lab)
    config = lab.read("/etc/netfail-hooks/config.toml")
    lab.write("/etc/netfail-hooks/config.toml", f'failback = "manual"\n{config}')
    with lab.timer(0.5):
        for _ in range(2):
            lab.cable_out("eth0")
            wait_used(lab, "wlan0")
            lab.cable_in("eth0")
            measure(3)  # more than the hold-down and its probes
            assert used(lab) == "wlan0"
            assert "eth0 is used until it fails" in _said(lab, "use", "eth0")
            assert used(lab) == "eth0"
            assert status(lab)["by_hand"] == []


def test_wrong_use_is_told_with_the_next_step(lab: Lab) -> None:
    install(lab)
    for words, told in {
        ("use",): "either an uplink or --auto alone",
        ("use", "eth0", "--auto"): "either an uplink or --auto alone",
        ("use", "eth9"): "eth9 is no uplink: these are: eth0, wlan0",
        ("disable", "eth0", "--for", "soon"): "not a time: 'soon'",
        ("disable", "eth0", "--for", "1h", "--keep"): "exclude each other",
    }.items():
        assert told in _said(lab, *words, exit_status=2)
    assert "eth0 is not disabled" in _said(lab, "enable", "eth0")
    _said(lab, "disable", "eth0")
    assert "netfail-hooks enable eth0" in _said(lab, "use", "eth0", exit_status=2)
