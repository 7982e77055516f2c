"""The order in which a whole machine is installed on, broken and given back (tests/vm)."""

from __future__ import annotations

from tests.vm import handover, image, payload
from tests.vm.image import IFUPDOWN, LOGIN, NETWORKD
from tests.vm.journey import INSTALL, MODES, REBOOT, SCENARIO_NAMES, UNINSTALL, journey
from tests.vm.managers import KNOWN
from tests.vm.scenarios import SCENARIOS


def _names(*scenarios: str, quick: bool = False) -> list[str]:
    return [stop.name for stop in journey(("bookworm",), MODES, scenarios, quick=quick)]


def test_each_mode_is_installed_broken_and_given_back() -> None:
    ends = [UNINSTALL, REBOOT]
    in_bonds = [one.name for one in SCENARIOS if "bond" in one.modes]
    assert _names() == [INSTALL, *SCENARIO_NAMES, *ends, INSTALL, *in_bonds, *ends]
    assert len(in_bonds) < len(SCENARIO_NAMES)
    assert "watch" not in in_bonds


def test_a_part_switches_modes_and_uninstalls_once() -> None:
    assert _names("cable") == [INSTALL, "cable", INSTALL, "cable", UNINSTALL, REBOOT]
    assert _names(UNINSTALL) == [INSTALL, INSTALL, UNINSTALL, REBOOT]
    quick = _names(quick=True)
    assert quick.count(UNINSTALL) == 1
    assert REBOOT not in quick
    assert 4 < len(quick) < len(SCENARIO_NAMES)


def test_each_suite_has_its_machine() -> None:
    stops = journey(("bookworm", "trixie"), ("bond",), ("timer",), quick=True)
    suites = [stop.suite for stop in stops]
    assert suites == sorted(suites)
    assert {stop.mode for stop in stops} == {"bond"}


def test_a_part_of_the_handover_has_what_it_takes() -> None:
    def names(*asked: str) -> list[str]:
        return [stop.name for stop in handover.stops(("bookworm",), asked)]

    assert names() == list(handover.STOPS)
    assert names("cable") == [handover.INSTALL, "cable"]
    assert names(handover.REBOOT) == [handover.INSTALL, handover.UNINSTALL, handover.REBOOT]
    assert names(handover.POWER_CUTS) == [handover.POWER_CUTS]
    both = [handover.INSTALL, "cable", handover.UNINSTALL, handover.WRONG_KEY]
    assert names("cable", handover.WRONG_KEY) == both


def test_whoever_can_log_in_finds_the_machine_of_the_how_to() -> None:
    assert payload.files(LOGIN) == payload.files(NETWORKD)
    assert "etc/systemd/network/20-eth0.network" in payload.files(LOGIN)


def test_each_manager_of_a_handover_has_its_machine() -> None:
    for chosen in (None, *handover.CHOSEN):
        for manager in handover.managers(chosen).values():
            files = payload.files(manager)
            assert KNOWN[manager].title
            assert image._PACKAGES[manager]
            assert image._MANAGED[manager]
            assert "etc/systemd/system/vm-router.service" in files
            assert not any(path.startswith("etc/systemd/network/") for path in files)
    assert "wpa-ssid" in payload.files(IFUPDOWN)["etc/network/interfaces"]


def test_one_alone_joins_wifi() -> None:
    """A file of the user's own, of its manager's, or a stanza."""
    for manager in handover.CHOSEN:
        files = payload.files(manager)
        ways = [path for path in files if path.startswith(("etc/wpa_supplicant/", "var/lib/iwd/"))]
        ways += [path for path, text in files.items() if "wpa-ssid" in text]
        assert len(ways) == 1, manager
        assert ways[0].startswith(payload._CLOSED)
