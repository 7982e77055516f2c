"""NetworkManager has the uplinks: install takes them over live, and uninstall gives them back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from netfail_hooks import lab as sandbox
from netfail_hooks.policy.facts import SHARED_LABEL
from tests.lab.handed import HERE, INSTALL, PAIR, UNINSTALL
from tests.lab.kills import Call, kill, points, trace
from tests.lab.managed import PROFILES, Managed
from tests.lab.suite import used, wait, wait_used

_STATIC = "method=manual\naddress1={host}/24,192.168.1.1\ndns=192.168.1.1;"
_LOST_BACK = 40  # datagrams, a fifth of a second


@pytest.fixture
def managed(request: pytest.FixtureRequest) -> Iterator[Managed]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with Managed() as lab:
        lab.start_dhcp()
        lab.write_profiles(getattr(request, "param", "method=auto"))
        lab.start_manager()
        yield lab


@pytest.mark.parametrize("managed", ["method=auto", _STATIC], indirect=True)
def test_uplinks_change_hands_and_back_under_traffic(managed: Managed) -> None:
    lab = managed
    lab.run("ip", "rule", "add", "from", "10.9.9.9", "lookup", "77")
    before = lab.settled()
    there = lab.under_traffic("install", *PAIR)
    print("there", there)
    assert used(lab) == "eth0"
    if "method=manual" in lab.read(f"{PROFILES}/eth0.nmconnection"):  # else nobody tells a server
        assert "nameserver 192.168.1.1\n" in lab.run("cat", "/etc/resolv.conf").stdout
    assert "eth0:unmanaged:" in lab.view()
    assert "wlan0:unmanaged:" in lab.view()
    installed = lab.settled()
    again = lab.under_traffic("install", *PAIR)
    lab.expect(installed)
    back = lab.under_traffic("uninstall", "--yes")
    print("back", back)
    lab.expect(before)
    for result in (there, again, back):
        assert result.all_alive, result
    assert there.lost() <= 2, there
    assert again.lost() <= 2, again
    # NetworkManager, given a NIC back, says so to neighbours before we have told them elsewhere.
    assert back.lost() <= _LOST_BACK, back


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_where_no_gateway_answers_all_is_given_back(managed: Managed) -> None:
    lab = managed
    before = lab.settled()
    assert "no gateway answered" in lab.fail_without_gateways()
    lab.expect(before)


def test_where_no_router_gives_addresses_nothing_is_begun(managed: Managed) -> None:
    lab = managed
    before = lab.settled()
    router = lab._dhcp
    assert router is not None
    router.freeze()
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 1, done.stdout
    assert "no DHCP server answers by eth0, which would lose 192.168.1." in done.stderr
    assert lab.state() == before
    assert lab.run("ls", "/run/netfail-hooks").returncode != 0, "nothing is installed"
    router.thaw()
    assert "offered" not in lab.told("install", *PAIR)
    installed = lab.settled()
    router.freeze()
    done = lab.netfail("uninstall", "--yes")
    router.thaw()
    assert done.returncode == 1, done.stdout
    assert "by eth0 and wlan0: nobody would have an address" in done.stderr
    lab.expect(installed)
    lab.give_back(before)


# What Ubuntu has in /usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf, more so.
_EXCEPTIONS = """\
[keyfile]
unmanaged-devices=*,except:type:ethernet,except:type:wifi,except:type:bridge
"""
_STRAY = "/etc/systemd/network/20-stray.network"
_INTERFACES = "/etc/network/interfaces"


def test_nobody_else_takes_part(managed: Managed) -> None:
    """Exceptions of somebody's, files for other NICs, other managers; NetworkManager gone."""
    lab = managed
    lab.write("/etc/NetworkManager/conf.d/10-globally-managed-devices.conf", _EXCEPTIONS)
    assert not lab.run("ip", "link", "add", "stray0", "type", "bridge").returncode
    lab.write(_STRAY, "[Match]\nName=stray0\n[Network]\nAddress=10.8.8.8/24\n")
    _refused(lab, "would have it set stray0 up")
    lab.run("rm", _STRAY)
    lab.run("nmcli", "device", "set", "wlan0", "managed", "no")
    lab.write(_INTERFACES, "auto wlan0\niface wlan0 inet dhcp\n  up /usr/local/bin/mine\n")
    _refused(lab, "'up /usr/local/bin/mine' has no equal", "--dhcp", "wlan0")
    lab.run("rm", _INTERFACES)
    lab.run("nmcli", "device", "set", "wlan0", "managed", "yes")
    wait(lambda: lab.has("wlan0"), "NIC of NetworkManager's", seconds=30)
    lab.told("install", *PAIR)
    lab.systemctl("stop", "NetworkManager.service")
    lab.run("rm", "-r", "/run/NetworkManager/devices")  # as a boot: what nmcli told it is in there
    lab.systemctl("start", "NetworkManager.service")
    wait(lambda: "wlan0:" in lab.view(), "NetworkManager", seconds=15)
    for name in lab.ports:
        assert f"{name}:unmanaged:" in lab.view()
    assert "no address" not in lab.told("uninstall", "--dry-run")
    lab.systemctl("disable", "--now", "NetworkManager.service")
    said = lab.told("uninstall", "--yes")
    assert "sets wlan0 up, and NetworkManager does not run: it will have no address" in said
    assert lab.systemctl("is-active", "systemd-networkd.service").stdout.strip() == "active"


def _refused(lab: Managed, why: str, *words: str) -> None:
    done = lab.netfail("install", *PAIR, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stderr


def test_a_changed_profile_is_told_and_taken_up(managed: Managed) -> None:
    lab = managed
    lab.told("install", *PAIR)
    path = f"{PROFILES}/eth0.nmconnection"
    lab.write(
        path, lab.read(path).replace("method=auto", "method=auto\ndns=192.168.1.53;"), mode=0o600
    )
    assert [one.startswith(f"{path} has changed") for one in lab.drifted()] == [True]
    lab.told("install", "--yes")
    assert lab.drifted() == []
    assert "192.168.1.53" in lab.run("networkctl", "status", "eth0").stdout
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    lab.cable_in("eth0")


def test_a_cable_without_a_profile_is_no_matter_after_a_boot(managed: Managed) -> None:
    """NetworkManager makes one for it, in /run, which is gone once it leaves the cable to us."""
    lab = managed
    lab.run("rm", f"{PROFILES}/eth0.nmconnection")
    lab.boot_again()
    wait(lambda: lab.has(*lab.ports), "NICs of NetworkManager's", seconds=60)
    before, addresses = lab.settled(), _addresses(lab)
    lab.told("install", *PAIR)
    assert lab.drifted() == []
    lab.boot_again()
    wait(lambda: _addresses(lab) == addresses and bool(used(lab)), "addresses", seconds=30)
    assert lab.drifted() == []
    installed = lab.settled()
    lab.told("install", *PAIR)
    lab.expect(installed)
    lab.told("uninstall", "--yes")
    _expect_but_for_others(lab, before)


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_a_killed_install_and_uninstall_are_mended(managed: Managed) -> None:
    lab = managed
    before = lab.settled()
    calls = points(lab.install_traced(before))
    for at in (calls[len(calls) // 2], _last(calls, "eth0.network"), calls[-20]):
        lab.kill_and_give_back(at, before)


def _last(calls: list[Call], ending: str) -> Call:
    """Return the last call that is about a path."""
    return [call for call in calls if ending in call.text][-1]


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_the_way_back_of_a_killed_install_leads_all_the_way(managed: Managed) -> None:
    lab = managed
    before = lab.settled()
    # Its address is with the other one by then, and NetworkManager has it still.
    lab.begin_way_back(lab.install_traced(before), f" {SHARED_LABEL}")
    lab.give_back(before)  # which waits for it, and finds nothing


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut the power of a few moments, or of many where every kill point is wanted."""
    if "shares" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_kill_point")
        many = [[at / 24 for at in range(begin, 24, 3)] for begin in range(3)]
        metafunc.parametrize("shares", many if every else [()])


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_an_install_that_loses_its_power_is_made_up_for(
    managed: Managed, shares: list[float]
) -> None:
    """Before the last file NetworkManager has all at boot; then networkd does."""
    lab = managed
    before, addresses = lab.settled(), _addresses(lab)
    calls = trace(lab, INSTALL, HERE)
    lab.give_back(before)
    deciding = next(at for at, one in enumerate(calls) if _places(one, "zz-netfail-hooks.conf"))
    for number in (deciding, *(int(share * len(calls)) for share in shares)):
        kill(lab, INSTALL, calls[number], HERE)
        lab.boot_again()
        _wait_for(lab, addresses, calls[number])
        running = lab.run("systemctl", "is-active", "systemd-networkd.service").stdout.strip()
        assert (running == "active") == (number > deciding), calls[number]
        lab.told("install", *PAIR)
        _wait_for(lab, addresses, calls[number])
        assert "eth0:unmanaged:" in lab.view()
        lab.told("uninstall", "--yes")
        _expect_but_for_others(lab, before)


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_an_uninstall_that_loses_its_power_is_made_up_for(
    managed: Managed, shares: list[float]
) -> None:
    lab = managed
    before, addresses = lab.settled(), _addresses(lab)
    lab.told("install", *PAIR)
    calls = trace(lab, UNINSTALL, HERE)
    lab.expect(before)
    # What decides at boot is gone by then, and no uplink has changed hands.
    gone = next(
        at
        for at, one in enumerate(calls)
        if "unlink" in one.name and "zz-netfail-hooks.conf" in one.text
    )
    for number in (gone + 1, *(int(share * len(calls)) for share in shares)):
        lab.told("install", *PAIR)
        kill(lab, UNINSTALL, calls[number], HERE)
        lab.boot_again()
        _wait_for(lab, addresses, calls[number])
        lab.told("uninstall", "--yes")
        _expect_but_for_others(lab, before)


def _expect_but_for_others(lab: Managed, wanted: list[str]) -> None:
    """Fail unless all is as ``wanted``, but for what NetworkManager found at a boot that was none.

    A bridge that is there already, and lo, are somebody else's doing to it, by UUIDs of the moment.
    """

    def uplinks(shown: list[str]) -> list[str]:
        *found, view = shown
        return [*found, *(line for line in view.splitlines() if line.split(":")[0] in lab.ports)]

    with contextlib.suppress(AssertionError):
        wait(lambda: uplinks(lab.state()) == uplinks(wanted), "all as before", seconds=10)
    assert uplinks(lab.state()) == uplinks(wanted)


def _places(call: Call, ending: str) -> bool:
    return "rename" in call.name and f'{ending}"' in call.text


def _addresses(lab: Managed) -> list[str]:
    """Return the uplinks' own; networkd has each other's, too, with a prefix of one address."""
    shown = lab.run("ip", "-4", "-o", "address").stdout.splitlines()
    words = [line.split() for line in shown]
    return sorted(
        f"{one[1]} {one[3]}" for one in words if one[1] in lab.ports and "/32" not in one[3]
    )


def _wait_for(lab: Managed, addresses: list[str], at: Call) -> None:
    """Wait until each uplink is up by the address that it came with, and one is used."""
    with contextlib.suppress(AssertionError):
        wait(lambda: _addresses(lab) == addresses and bool(used(lab)), "addresses", seconds=30)
    assert (_addresses(lab), bool(used(lab))) == (addresses, True), f"power lost at {at}"
    assert "networkd" not in lab.run("systemctl", "--failed", "--no-legend").stdout, at


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_what_works_stays_where_the_first_does_not_come_back(managed: Managed) -> None:
    lab = managed
    lab.write("/etc/NetworkManager/conf.d/10.conf", "[main]\nno-auto-default=*\n")
    lab.run("nmcli", "general", "reload", "conf")
    before = lab.settled()
    lab.told("install", *PAIR)
    path = f"{PROFILES}/eth0.nmconnection"
    text = lab.read(path)
    lab.run("rm", path)
    lab.run("nmcli", "connection", "reload")
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 1, done.stdout
    assert "wlan0 stay with systemd-networkd until then" in done.stderr
    assert used(lab) == "wlan0"
    assert "wlan0:unmanaged:" in lab.view()
    lab.write(path, text, mode=0o600)
    lab.run("nmcli", "connection", "reload")
    wait(lambda: lab.has("eth0"), "NIC of NetworkManager's", seconds=15)
    lab.give_back(before)


_NETWORKDS_OWN = """\
[Match]
Name=eth0
[Network]
Address=192.168.1.252/24
Gateway=192.168.1.1
LinkLocalAddressing=ipv6
"""


@pytest.mark.parametrize("managed", [_STATIC], indirect=True)
def test_where_it_fails_an_uplink_of_networkds_own_reads_its_own_file_again(
    managed: Managed,
) -> None:
    lab = managed
    lab.write("/etc/NetworkManager/conf.d/10.conf", "[keyfile]\nunmanaged-devices=eth0\n")
    lab.run("nmcli", "connection", "down", "wired 1")
    lab.run("nmcli", "general", "reload", "conf")
    lab.write("/etc/systemd/network/20-eth0.network", _NETWORKDS_OWN)
    lab.systemctl("enable", "--now", "systemd-networkd.service")
    wait(lambda: "192.168.1.252" in lab.run("ip", "address").stdout, "address")
    before = lab.settled()
    for name in lab.ports:
        lab.dead_gateway(name)
    assert lab.netfail("install", *PAIR).returncode == 1
    for name in lab.ports:
        lab.alive_gateway(name)
    lab.expect(before)
    assert "20-eth0.network" in lab.run("networkctl", "status", "eth0").stdout
