"""How ifupdown is told to leave an uplink, by files of ours alone, and has it back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from netfail_hooks.managers import ifupdown, ifupdown_release, interfaces, release
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_UNITS = "/etc/systemd/system"
_WAIT = f"{_UNITS}/ifupdown-wait-online.service.d/zz-netfail-hooks.conf"
_DHCP = "auto eth0\niface eth0 inet dhcp\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _release(machine: Machine, text: str, *names: str) -> release.Release:
    machine.write("/etc/network/interfaces", text)
    return ifupdown_release.release(
        machine.paths, interfaces.read(machine.paths), names or ("eth0",)
    )


def _client(machine: Machine, name: str) -> None:
    machine.write(f"/usr/sbin/{name}", "", mode=0o755)


def test_one_file_decides_and_says_what_the_users_own_does(machine: Machine) -> None:
    machine.write("/etc/default/networking", '#EXCLUDE_INTERFACES=x\nEXCLUDE_INTERFACES="tun* a"\n')
    text = _DHCP + (
        "auto eth0:1\niface eth0:1 inet static\n address 192.0.2.1/24\n"
        "allow-hotplug wlan0\niface wlan0 inet dhcp\n"
    )
    found = _release(machine, text, "eth0", "wlan0")
    ((path, said),) = found.files.items()
    assert said.splitlines()[1:] == ['EXCLUDE_INTERFACES="tun* a eth0 eth0:1 wlan0"']
    drop_in = found.prepared[f"{_UNITS}/networking.service.d/zz-netfail-hooks.conf"]
    assert drop_in.endswith(f"[Service]\nEnvironmentFile=-{path}\n")
    assert f"{_UNITS}/ifup@wlan0.service.d/zz-netfail-hooks.conf" in found.prepared
    assert _WAIT in found.prepared
    machine.write(path, said)
    assert ifupdown_release.leaves(machine.paths, ("eth0", "eth1")) == ("eth0",)


def test_the_last_alias_goes_first_and_comes_last(machine: Machine) -> None:
    text = "auto eth0 eth0:1\n" + "".join(
        f"iface {name} inet static\n address 192.0.2.1/24\n" for name in ("eth0", "eth0:1")
    )
    found = _release(machine, text)
    assert found.release["eth0"] == (("ifdown", "eth0:1"), ("ifdown", "eth0"))
    up = ("systemd-run", "--scope", "--quiet", "--collect", "ifup")
    assert found.take_back["eth0"][-2:] == ((*up, "eth0"), (*up, "eth0:1"))


_MAYBE = ("", "auto eth0:1\n", "allow-hotplug eth0:1\n", "auto eth0:1=more\n", "auto /eth*\n")


@pytest.mark.parametrize("raised", [*_MAYBE, "allow-mine eth0:1\n", "auto eth01:1\n"])
def test_an_address_that_no_boot_raises_is_never_raised(machine: Machine, raised: str) -> None:
    """Such as one that floats between two machines, and may be with the other one."""
    more = "".join(
        f"iface {name} inet static\n address 192.0.2.{at}/24\n"
        for at, name in enumerate(("eth0", "eth0:1", "more"), 1)
    )
    text = f"auto eth0\n{raised}{more}"
    found = _release(machine, text)
    nic = read_nic("eth0", machine.paths)
    profile = ifupdown.profile(machine.paths, nic)
    assert profile
    said = render(profile.sections)
    wanted = raised in _MAYBE[1:4]
    commands = str((found.files, found.prepared, found.release, found.take_back))
    assert ("eth0:1" in commands) == wanted
    assert ("Label=eth0:1" in said) == wanted
    assert ("192.0.2.2/24" in said) == (wanted and "=more" not in raised)
    assert ("192.0.2.3/24" in said) == ("=more" in raised)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("auto eth0=home\niface home inet manual\n", "eth0=home"),
        ("auto eth0\niface eth0 inet manual\n", "eth0"),
        ("iface eth0 inet manual\n", "eth0"),  # whose line of auto went meanwhile
    ],
)
def test_it_is_raised_as_a_boot_does(machine: Machine, text: str, word: str) -> None:
    assert _release(machine, text).take_back["eth0"][-1][-1] == word


def test_what_udev_raises_is_its_units_again(machine: Machine) -> None:
    found = _release(machine, "allow-hotplug eth0\niface eth0 inet manual\n")
    assert found.release["eth0"][-1] == ("systemctl", "stop", "ifup@eth0.service")
    assert "systemctl restart ifup@eth0.service;" in found.take_back["eth0"][-1][-1]


def test_who_is_gone_is_not_taken_down(machine: Machine) -> None:
    found = _release(machine, "")
    assert found.release["eth0"] == ()
    assert found.take_back["eth0"][-1][-1] == "eth0"


@pytest.mark.parametrize(
    ("client", "stanza", "ends"),
    [
        (
            "dhclient",
            "inet dhcp",
            "dhclient -4 -x -pf /run/dhclient.eth0.pid -lf {}.eth0.leases eth0",
        ),
        (
            "dhclient",
            "inet6 auto\n dhcp 1",
            "dhclient -6 -x -pf /run/dhclient6.eth0.pid -lf {}6.eth0.leases eth0",
        ),
    ],
)
def test_a_lease_is_not_given_back(machine: Machine, client: str, stanza: str, ends: str) -> None:
    _client(machine, client)
    found = _release(machine, f"auto eth0\niface eth0 {stanza}\n")
    (command,) = found.release["eth0"]
    leases = "/var/lib/dhcp/dhclient"
    hidden = f'mount --bind /bin/true "$(command -v {client})" && ifdown eth0'
    assert command == ("unshare", "--mount", "sh", "-c", f"{ends.format(leases)}; {hidden}")


def test_a_client_that_would_decline_its_address_is_ended_first(machine: Machine) -> None:
    """dhcpcd does, if another NIC has it (RFC 5227); ``tests/vm`` has seen it of 10.1."""
    _client(machine, "dhcpcd")
    leased = "iface eth0 inet dhcp\niface wlan0 inet static\n address 192.0.2.1/24\n"
    found = _release(machine, f"auto eth0 wlan0\n{leased}", "eth0", "wlan0")
    assert found.ends.keys() == {"eth0"}
    ((*_, script),) = found.ends["eth0"]
    assert "/run/dhcpcd/eth0.pid" in script
    subprocess.run(["sh", "-n", "-c", script], check=True)
    assert script in str(found.release["eth0"])
    assert script in str(found.take_back["eth0"])
    _client(machine, "dhclient")
    assert not _release(machine, f"auto eth0 wlan0\n{leased}", "eth0", "wlan0").ends


def test_whoever_waits_for_others_goes_on_waiting(machine: Machine) -> None:
    text = "allow-hotplug eth0\niface eth0 inet dhcp\n"
    assert _WAIT not in _release(machine, text).prepared
    machine.write("/etc/default/networking", "WAIT_ONLINE_IFACE=eth0\n")
    assert _WAIT in _release(machine, text).prepared
    machine.write("/etc/default/networking", 'WAIT_ONLINE_IFACE="eth0\n')  # for systemd, too
    assert _WAIT not in _release(machine, text).prepared


def test_a_unit_starts_only_without_our_file(machine: Machine) -> None:
    found = _release(machine, _DHCP)
    text = found.prepared[f"{_UNITS}/ifup@eth0.service.d/zz-netfail-hooks.conf"]
    condition = text.splitlines()[-1]
    for path, status in ((ifupdown_release.EXCLUDED, 0), ("/etc/passwd", 1)):
        asked = condition.replace(ifupdown_release.EXCLUDED, path)
        done = subprocess.run(["systemd-analyze", "condition", asked], check=False)
        assert done.returncode == status, asked


@pytest.mark.parametrize(
    ("name", "is_plain"), [("eth0", True), ("enx02-a.7", True), ("a*", False), ("$x", False)]
)
def test_names_that_mean_something_are_told(name: str, is_plain: bool) -> None:  # noqa: FBT001
    assert ifupdown_release.is_plain(name) is is_plain


def test_only_units_that_ask_their_environment_will_do(machine: Machine) -> None:
    assert not ifupdown_release.heeds(machine.paths)
    unit = "/lib/systemd/system/networking.service"
    machine.write(unit, "[Service]\nExecStart=/sbin/ifup -a --read-environment\n")
    assert ifupdown_release.heeds(machine.paths)
    machine.write(f"{_UNITS}/networking.service", "[Service]\nExecStart=/sbin/ifup -a\n")
    assert not ifupdown_release.heeds(machine.paths)
