"""dhcpcd has the uplinks by itself: install takes them over live, uninstall gives them back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from netfail_hooks import lab as sandbox
from netfail_hooks.managers import dhcpcd_release
from tests.lab.denied import CONFIG, OWN, UNIT, Denied
from tests.lab.handed import PAIR
from tests.lab.kills import points
from tests.lab.suite import used, wait

_DHCP = ""
_STATIC = "".join(
    f"interface {name}\nstatic ip_address={{{name}}}/24\nstatic routers=192.168.1.1\n"
    "static domain_name_servers=192.168.1.1\n"
    for name in ("eth0", "wlan0")
)
_LOST = 40  # datagrams, a fifth of a second


@pytest.fixture
def denied(request: pytest.FixtureRequest) -> Iterator[Denied]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with Denied() as lab:
        lab.start_dhcp()
        lab.write_config(getattr(request, "param", _DHCP))
        lab.start_manager()
        yield lab
        print("\n".join(lab.journal()[-60:]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take static addresses, too, where every kill point is wanted."""
    if metafunc.function is test_uplinks_change_hands_and_back_under_traffic:
        every = metafunc.config.getoption("every_kill_point")
        metafunc.parametrize("denied", [_DHCP, _STATIC] if every else [_DHCP], indirect=True)


def test_uplinks_change_hands_and_back_under_traffic(denied: Denied) -> None:
    lab = denied
    before, leases, ended = lab.settled(), lab.leases(), lab.processes()
    there = lab.under_traffic("install", *PAIR)
    print("there", there)
    assert used(lab) == "eth0"
    assert "--denyinterfaces eth0,wlan0" in lab.starts()
    assert len(ended) > 3
    assert not ended & lab.processes()
    assert lab.leases() == leases
    again = lab.stays_installed()
    back = lab.under_traffic("uninstall", "--yes")
    print("back", back)
    lab.expect(before)
    assert lab.leases() == leases
    if not leases:  # else who gives addresses would be dead, too
        told = lab.fail_without_gateways()
        # The second where the router's last word of IPv6 has run out meanwhile.
        assert "no gateway answered" in told or " has no way out " in told
        lab.expect(before)
    assert "DHCPRELEASE" not in lab.logs()
    assert OWN in lab.run("ip", "-4", "address").stdout
    for result in (there, again, back):
        assert result.all_alive, result
        assert result.lost() <= _LOST, result
    assert again.lost() <= 2, again


def test_a_killed_install_is_mended_by_uninstall_and_by_the_way_back(
    denied: Denied, pytestconfig: pytest.Config
) -> None:
    lab, every = denied, bool(pytestconfig.getoption("every_kill_point"))
    before = lab.settled()
    calls = lab.install_traced(before)
    for at in random.sample(points(calls), 8 if every else 1):
        lab.kill_and_give_back(at, before)
    lab.begin_way_back(calls, "0.0.0.0/1 ")
    wait(lambda: lab.is_addressed() and not lab.is_armed(), "way back", seconds=40)
    lab.expect(before)
    assert "DHCPRELEASE" not in lab.logs()


def test_a_boot_leaves_the_uplinks_to_networkd_and_the_rest_to_dhcpcd(denied: Denied) -> None:
    lab = denied
    text = lab.read(CONFIG)
    for more, why in (("fallback mine\n", "'fallback mine' has no equal"),):
        lab.write(CONFIG, text + f"interface eth0\n{more}")
        before = lab.settled()
        done = lab.netfail("install", *PAIR)
        assert done.returncode == 2, done.stdout + done.stderr
        assert why in done.stderr
        assert lab.state() == before
    lab.write(CONFIG, text)
    planned = json.loads(lab.told("install", *PAIR, "--dry-run", "--json"))
    assert any("kill -KILL" in command for command in planned["would"]), planned
    lab.told("install", *PAIR)
    lab.boot_again()
    wait(lambda: lab.is_addressed() and used(lab) == "eth0", "addresses", seconds=30)
    assert "networkd" not in lab.run("systemctl", "--failed", "--no-legend").stdout
    assert lab.findings() == []
    lab.write(CONFIG, text + "interface eth0\nstatic domain_name_servers=192.168.1.53\n")
    assert [one.startswith(f"{CONFIG} has changed") for one in lab.drifted()] == [True]
    lab.write(CONFIG, text)
    lab.run("dhcpcd", "-n", "eth0")
    wait(lambda: "foreign-manager" in lab.findings(), "finding", seconds=20)
    lab.told("uninstall", "--yes")
    wait(lab.is_addressed, "addresses", seconds=30)
    assert lab.systemctl("is-active", "dhcpcd.service").stdout == "active\n"


def test_a_unit_that_waits_for_an_address_is_not_waited_for(denied: Denied) -> None:
    """Its own NIC is none of dhcpcd's any more, so that nobody has one to give to it."""
    lab = denied
    path, text = f"/etc/systemd/system/{UNIT}", lab.read(CONFIG)
    lab.write(CONFIG, f"denyinterfaces {OWN}\n{text}")  # ahead of any block
    lab.write(path, lab.read(path).replace("-q -b", "-q -w -t 0"))
    lab.systemctl("daemon-reload")
    before = lab.settled()
    lab.told("install", *PAIR)
    assert lab.systemctl("is-active", UNIT).stdout == "active\n"
    lab.told("uninstall", "--yes")
    lab.expect(before)
    lab.write(CONFIG, f"denyinterfaces *\n{text}")
    begun = ("systemctl", "is-active", UNIT)
    for _ in range(8):  # it forks meanwhile, and once more
        lab.systemctl("restart", "--no-block", UNIT)
        wait(lambda: lab.run(*begun).stdout == "activating\n" and bool(lab.processes()), "start")
        done = lab.run("sh", "-c", dhcpcd_release._END)
        assert (done.returncode, done.stderr) == (0, "")
        assert lab.run(*begun).stdout == "failed\n"
        assert lab.processes() == set()
        assert lab.run("test", "-e", f"/run/systemd/system/{UNIT}.d").returncode
        lab.systemctl("reset-failed", UNIT)
