"""Bonds, with the real driver: one boot of user-mode-linux, and what was seen in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.uml.boot import boot
from tests.uml.scenarios import alone, by_hook


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = boot(tmp_path_factory.mktemp("uml"))
    for name, row in found.get("rows", {}).items():
        tcp = "alive" if row["alive"] else "DEAD"
        print(
            f"{name:38} outage {row['outage']:4.0f} ms, {row['lost']:3} lost, "
            f"TCP {tcp}, stall {row['stall']:4.0f} ms"
        )
    print(f"Linux {found['kernel']}")
    return found


def test_nothing_went_wrong(observed: Any) -> None:
    assert not observed["errors"], "\n".join(f"{k}:\n{v}" for k, v in observed["errors"].items())


@pytest.mark.parametrize("interval", [100, 250])
@pytest.mark.parametrize("fault", ["cable out", "dead gateway"])
def test_the_kernel_alone_moves_the_traffic_in_time(
    observed: Any, interval: int, fault: str
) -> None:
    row = observed["rows"][f"{interval} ms, {fault}, no hooks"]
    assert row["outage"] <= alone(interval), row
    assert row["active"] == "wlan0"


@pytest.mark.parametrize("interval", [100, 1000])
def test_a_hook_is_quicker_than_the_monitor(observed: Any, interval: int) -> None:
    row = observed["rows"][f"{interval} ms, cable out, hooks"]
    assert row["outage"] < by_hook(interval), row
    assert row["active"] == "wlan0"


def test_a_hook_tells_what_it_did(observed: Any) -> None:
    done = [one for event in observed["events"] for one in event["did"]]
    assert "make wlan0 the active slave of bond0" in done
    assert "announce 192.168.1.252 from bond0" in done
    assert not [one for event in observed["events"] for one in event["failed"]]


def test_failback_loses_nothing_and_everything_survives(observed: Any) -> None:
    assert len(observed["rows"]) == 16
    for name, row in observed["rows"].items():
        assert row["alive"], name
        assert row["address"], name
        if name.endswith("back"):
            assert row["lost"] == 0, f"{name}: {row}"
            assert row["active"] == "eth0"


def test_the_bond_is_what_the_howto_meant(observed: Any) -> None:
    for part in (
        "mode active-backup",
        "arp_interval 100",
        "arp_ip_target 192.168.1.1",
        "arp_validate all",
        "arp_all_targets any",
        "primary eth0",
    ):
        assert part in observed["detail"]
    assert "every 1000 ms" in observed["slower"]


def test_a_check_sees_what_the_kernel_did_alone(observed: Any) -> None:
    assert "wlan0  IPv4  up  carries the traffic" in observed["own accord"]
    assert "eth0   IPv4  down (no answer to the kernel's monitor)" in observed["own accord"]
    assert "did: announce 192.168.1.252 from bond0" in observed["own accord"]
    assert "2. wlan0 * ok        carrier, active slave" in observed["status"]
    slaves = {one["interface"]: one for one in observed["status json"]["slaves"]}
    assert slaves["eth0"]["failures"] == 1
    assert slaves["eth0"]["link"] == "down"
    assert observed["status json"]["active"] == "wlan0"


@pytest.mark.parametrize(
    ("name", "told"),
    [("use", "wlan0 is used while it is up"), ("disable", "eth0 is disabled, until the next boot")],
)
def test_an_order_by_hand_is_stayed_with_until_it_is_taken_back(
    observed: Any, name: str, told: str
) -> None:
    """Also once the kernel has looked again, since the cable was out and is in."""
    said, at_once, later, (by_hand,), primary = observed["by hand"][name]
    assert told in said
    assert "IPv4 goes by wlan0" in said
    assert (at_once, later, primary) == ("wlan0", "wlan0", "wlan0")
    assert by_hand.startswith(told.partition(",")[0])
    said, active = observed["by hand"][f"{name} no more"]
    assert "IPv4 goes by eth0" in said
    assert active == "eth0"


def test_the_last_slave_is_not_disabled(observed: Any) -> None:
    status, told, active = observed["by hand"]["nobody else"]
    assert status == 1
    assert "no other uplink is up in IPv4" in told
    assert active == "eth0"


def test_a_missing_slave_is_put_back_and_decisions_replay(observed: Any) -> None:
    assert observed["enslaved again"]
    assert observed["replay"][0] == 0, observed["replay"][1]


def test_modes_switch_both_ways_and_roll_back(observed: Any) -> None:
    assert observed["no answer"][0] == 1
    assert "no gateway answered" in observed["no answer"][1]
    assert observed["after a kill"].split()[:3] == ["1.", "eth0", "*"]
    assert "dev eth0" in observed["routes"]
    assert "dev wlan0" in observed["routes"]
    assert "bond0" not in observed["routes"]
    assert "default via 192.168.1.1 dev bond0" in observed["bond"]
    assert observed["bond gone"]


def test_a_change_of_the_file_that_it_was_made_of_is_told(observed: Any) -> None:
    unchanged, first, second = observed["drift"]
    assert unchanged == [[], []]
    (told,), (shown,) = first
    assert shown.startswith("/etc/systemd/network/20-eth0.network has changed")
    assert shown in told
    assert second == [[], [shown]], "the check says it once"


def test_the_howtos_bond_is_named_wrong_set_right_and_given_back(observed: Any) -> None:
    found = observed["howto"]
    assert "balance-rr" in found["was"]
    for part in ("balance-rr", "FailOverMACPolicy", "no ARP monitor", "PrimarySlave"):
        assert part in found["notes"]
    assert "mode active-backup" in found["now"]
    assert "balance-rr" in found["again"]
