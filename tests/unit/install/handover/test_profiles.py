"""What an uplink joins and is set up by, from a machine's files, first and when installed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse
from netfail_hooks.install.handover import Handover, gather, plan
from netfail_hooks.install.handover.profiles import profiles_of
from netfail_hooks.install.manifest import Entry, Handed, Manifest
from netfail_hooks.install.networks.routes import networks
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.managers import (
    Profile,
    Unfit,
    dhcpcd,
    identifiers,
    ifupdown,
    networkmanager,
)
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.wifi import joining, supplicant
from netfail_hooks.managers.wifi.joining import IWD, WPA_SUPPLICANT, Joiner
from netfail_hooks.networkd import match
from netfail_hooks.networkd.file import settings
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.networkd.takeover import AddressConfig
from netfail_hooks.paths import Paths
from tests.support.machine import Machine
from tests.unit.managers.profiles import NMCLI

_ENABLED = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service"
_CONNECTIONS = "/etc/NetworkManager/system-connections"
_HOME = f"{_CONNECTIONS}/home.nmconnection"
_WIRED = "[connection]\nid=w\nuuid=w\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n"
_NO_DEFAULT = "[main]\nno-auto-default=*\n"
_DHCP = AddressConfig(dhcp=True)
_BY_IWD = "[device]\nwifi.backend=iwd\n"
_HOME_OPEN = 'network={\n ssid="Home"\n key_mgmt=NONE\n}\n'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose NICs NetworkManager sets up, and no ``.network`` file."""
    machine = Machine(tmp_path)
    for name in ("eth0", "wlan0"):
        (tmp_path / f"etc/systemd/network/20-{name}.network").unlink()
    machine.write(_ENABLED, "")
    machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    return machine


def _read(machine: Machine, name: str, *mentioned: str, again: bool = False) -> Profile:
    handed = (Handed(name, NETWORKMANAGER),)
    joined = Entry(supplicant.path(name), None, ()) if name.startswith("wl") else None
    entries = (joined,) if joined else ()
    known = Manifest(entries=entries, handed=handed) if again else Manifest()
    return profiles_of(machine.paths, known, handed, mentioned)[name]


def _texts(machine: Machine, name: str, profile: Profile, *, dhcp: bool) -> dict[str, str]:
    config = Config(uplinks=default_metrics((name,)))
    asked = {name: _DHCP} if dhcp else {}
    return networks(machine.paths, config, asked, {name: profile})[0]


def _install(machine: Machine, name: str, profile: Profile, *, dhcp: bool) -> None:
    """Write the file, after which NetworkManager has the NIC no longer."""
    for path, text in _texts(machine, name, profile, dhcp=dhcp).items():
        machine.write(path, text)
    (machine.root / _ENABLED[1:]).unlink()


def test_options_replace_addresses_and_no_wifi_network(machine: Machine) -> None:
    machine.write(_HOME, NMCLI, mode=0o600)
    first = _read(machine, "wlan0", "wlan0")
    assert [one.ssid for one in first.wireless] == [b"Home Net"]
    assert first.sections == ()
    made = _texts(machine, "wlan0", first, dhcp=True)
    _install(machine, "wlan0", first, dhcp=True)
    for mentioned in ((), ("wlan0",)):
        again = _read(machine, "wlan0", *mentioned, again=True)
        assert again.wireless == first.wireless
        assert _texts(machine, "wlan0", again, dhcp=bool(mentioned)) == made


_UNFIT = (
    _WIRED.replace("interface-name", "controller=br0\ninterface-name"),
    _WIRED.replace("interface-name", "master=br0\nslave-type=bridge\ninterface-name"),
    _WIRED + "[802-1x]\neap=md5;\nidentity=me\n",
    _WIRED + "[bridge-port]\npriority=3\n",
    _WIRED.replace("method=auto", "method=shared"),
)


@pytest.mark.parametrize("mentioned", [(), ("eth0",)])
@pytest.mark.parametrize("text", _UNFIT)
def test_a_part_of_something_is_none_by_other_addresses(
    machine: Machine, text: str, mentioned: tuple[str, ...]
) -> None:
    """Options are the way out for what can't be carried over, not for what a NIC is."""
    machine.write(f"{_CONNECTIONS}/w.nmconnection", text, mode=0o600)
    with pytest.raises(Unfit) as refused:
        _read(machine, "eth0", *mentioned)
    assert "/w.nmconnection: profile 'w': " in str(refused.value)


def test_what_networkmanager_makes_of_it_is_refused_by_whatever_options(machine: Machine) -> None:
    machine.write(f"{_CONNECTIONS}/w.nmconnection", _WIRED, mode=0o600)
    text = "[connection]\nid=v\nuuid=v\ntype=vlan\n[vlan]\nid=5\nparent=w\n"
    machine.write(f"{_CONNECTIONS}/v.nmconnection", text, mode=0o600)
    for mentioned in ((), ("eth0",)):
        with pytest.raises(Unfit, match="a vlan of NetworkManager's is on eth0"):
            _read(machine, "eth0", *mentioned)


def _by_networkmanager(machine: Machine) -> None:
    machine.write(
        f"{_CONNECTIONS}/w.nmconnection", _WIRED + "[ipv6]\nmethod=disabled\n", mode=0o600
    )
    machine.write(_HOME, NMCLI, mode=0o600)


def _by_networkmanager_itself(machine: Machine) -> None:
    machine.write(_HOME, NMCLI, mode=0o600)


def _by_ifupdown(machine: Machine) -> None:
    machine.write("/sbin/ifup", "", mode=0o755)
    machine.write(
        "/etc/network/interfaces",
        "auto eth0\niface eth0 inet dhcp\n hostname me\n"
        "allow-hotplug wlan0\niface wlan0 inet dhcp\n wpa-ssid Home\n wpa-psk pass phrase\n",
    )


def _by_dhcpcd(machine: Machine) -> None:
    machine.write("/usr/sbin/dhcpcd", "", mode=0o755)
    machine.write(dhcpcd.CONFIG, "duid\noption domain_name_servers\n")
    machine.write("/var/lib/dhcpcd/duid", "00:03:00:01:02:00:00:00:00:00\n")
    machine.write("/lib/systemd/system/dhcpcd.service", "[Service]\nExecStart=dhcpcd -q\n")
    machine.write("/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant", "")
    machine.write("/etc/wpa_supplicant/wpa_supplicant.conf", _HOME_OPEN)


@pytest.mark.parametrize(
    ("manager", "as_it_comes"),
    [
        (NETWORKMANAGER, _by_networkmanager),
        (NETWORKMANAGER, _by_networkmanager_itself),
        (ifupdown.MANAGER, _by_ifupdown),
        (dhcpcd.MANAGER, _by_dhcpcd),
    ],
)
def test_an_install_reads_the_same_whatever_a_power_cut_left_of_the_last(
    machine: Machine, manager: str, as_it_comes: Callable[[Machine], None]
) -> None:
    """By what it reads the router knows the uplink again, and Wi-Fi is joined.

    The manifest is there before any file, so who has the uplinks is noted in each case.
    """
    as_it_comes(machine)
    handed = tuple(Handed(name, manager) for name in ("eth0", "wlan0"))
    first = profiles_of(machine.paths, Manifest(), handed, ())
    assert all(one.sections for one in first.values())
    assert first["wlan0"].wireless
    config = Config(uplinks=default_metrics(("eth0", "wlan0")))
    release = gather.release_of(machine.paths, handed)
    handover = Handover(handed, profiles=first, starts=True, release=release)
    texts = networks(machine.paths, config, {}, first)[0]
    files = {
        **plan.before_networks(handover),
        **{path: Node(FILE, text.encode(), 0o644) for path, text in texts.items()},
        **plan.after_networks(handover),
    }
    known = Manifest(tuple(Entry(path, None, ()) for path in files), handed=handed)
    for path, node in [("", None), *files.items()]:
        if node:
            machine.write(path, node.data.decode(), mode=node.mode)
        again = profiles_of(machine.paths, known, handed, ())
        assert {name: replace(one, messages=()) for name, one in again.items()} == {
            name: replace(one, messages=()) for name, one in first.items()
        }, path


def test_what_was_asked_once_stays_without_its_manager(machine: Machine) -> None:
    first = _read(machine, "eth0", "eth0")
    made = _texts(machine, "eth0", first, dhcp=True)
    _install(machine, "eth0", first, dhcp=True)
    assert _texts(machine, "eth0", _read(machine, "eth0", again=True), dhcp=False) == made


@pytest.mark.parametrize(
    ("mentioned", "again", "hint"),
    [
        ((), False, "device wifi connect"),
        (("wlan0",), False, "device wifi connect"),
        (("wlan0",), True, "uninstall"),
    ],
)
def test_a_radio_that_joins_nothing_is_refused(
    machine: Machine,
    mentioned: tuple[str, ...],
    again: bool,  # noqa: FBT001
    hint: str,
) -> None:
    with pytest.raises(Misuse, match="no Wi-Fi network for wlan0") as refused:
        _read(machine, "wlan0", *mentioned, again=again)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("hooks", "said", "hint"),
    [
        ("/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant", "", "has wlan0 join"),
        (
            "/lib/dhcpcd/dhcpcd-hooks/01-test",
            "",
            "10-wpa_supplicant /lib/dhcpcd/dhcpcd-hooks/, then",
        ),
        (
            "/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant",
            "nohook mine, wpa_supplicant\n",
            "take 'nohook wpa_supplicant' out of /etc/dhcpcd.conf, then reboot",
        ),
    ],
)
def test_of_a_radio_that_dhcpcd_joins_to_nothing_all_that_is_missing_is_told(
    machine: Machine, hooks: str, said: str, hint: str
) -> None:
    """Debian has the hook among those that do not run: a network alone would change nothing."""
    machine.write("/usr/sbin/dhcpcd", "")
    machine.write(dhcpcd.CONFIG, said)
    machine.write(hooks, "")
    with pytest.raises(Misuse, match="dhcpcd knows no Wi-Fi network for wlan0") as refused:
        profiles_of(machine.paths, Manifest(), (Handed("wlan0", dhcpcd.MANAGER),), ())
    assert hint in refused.value.hint
    assert ("reboot" in refused.value.hint) == ("reboot" in hint or "then" in hint)


def test_a_file_that_is_to_be_ours_is_not_the_users(machine: Machine) -> None:
    machine.write("/usr/sbin/dhcpcd", "")
    machine.write(dhcpcd.CONFIG, "")
    machine.write("/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant", "")
    handed = (Handed("wlan0", dhcpcd.MANAGER),)
    machine.write(supplicant.path("wlan0"), _HOME_OPEN)
    with pytest.raises(Misuse, match="which is to be ours"):
        profiles_of(machine.paths, Manifest(), handed, ())
    machine.write(supplicant.path("wlan0"), "# netfail-hooks: as it was found\n")
    machine.write("/etc/wpa_supplicant/wpa_supplicant.conf", _HOME_OPEN)
    profile = profiles_of(machine.paths, Manifest(), handed, ())["wlan0"]
    assert [one.ssid for one in profile.wireless] == [b"Home"]


def test_a_radio_whose_iwd_is_not_seen_is_refused(machine: Machine) -> None:
    """Though NetworkManager has saved a network for it."""
    machine.write(_HOME, NMCLI, mode=0o600)
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    with pytest.raises(Misuse, match="and no iwd is seen that has wlan0 do so") as refused:
        _read(machine, "wlan0")
    assert refused.value.hint.endswith("sudo systemctl enable iwd.service, then reboot")


@pytest.fixture
def iwd(machine: Machine, mocker: MockerFixture) -> list[Joiner]:
    """Have the machine run, and return who joins its radio; iwd knows one network."""
    for name in ("through", "at"):
        mocker.patch.object(Paths, name, lambda _, path: machine.paths.root + path)
    joiners = [Joiner(IWD, "iwd.service")]
    mocker.patch.object(joining, "gather", side_effect=lambda *_: iter(joiners))
    mocker.patch.object(joining, "iwd_knows", return_value=("Home Net",))
    mocker.patch.object(networkmanager, "networkmanager_has", return_value=("wlan0",))
    mocker.patch.object(networkmanager, "active_profile", return_value=("", _HOME))
    mocker.patch.object(identifiers, "addresses_of", return_value=())
    machine.write(_HOME, NMCLI, mode=0o600)
    return joiners


def _of_the_machine_that_runs(joined_by: str = "") -> Profile:
    handed = (Handed("wlan0", NETWORKMANAGER, joined_by=joined_by),)
    return profiles_of(Paths(), Manifest(handed=handed), handed, ())["wlan0"]


def test_of_networkmanagers_iwd_what_it_will_not_do_is_told(
    machine: Machine, iwd: list[Joiner]
) -> None:
    assert iwd
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    office = NMCLI.replace("Home Net", "office").replace("uuid=", "uuid=b")
    machine.write(f"{_CONNECTIONS}/office.nmconnection", office, mode=0o600)
    found = _of_the_machine_that_runs()
    assert (found.wireless, found.joined_by) == ((), "iwd.service")
    goes_on, keep, unknown = [one for one in found.messages if "iwd" in one]
    assert goes_on.startswith("iwd.service still connects it")
    assert keep.startswith("keep its profile in NetworkManager")
    assert unknown.startswith("iwd does not know the network 'office'")


@pytest.mark.parametrize("noted", ["", "iwd.service"])
def test_an_iwd_that_networkmanager_does_not_name_is_no_second_one_to_join(
    iwd: list[Joiner], noted: str
) -> None:
    """NetworkManager may be built so, or be told so no more since an earlier install."""
    with pytest.raises(Misuse, match="iwd has wlan0 join Wi-Fi, and NetworkManager's files"):
        _of_the_machine_that_runs(noted)
    for others in ([], [Joiner(IWD, "iwd.service", waits=True)]):
        iwd[:] = others
        found = _of_the_machine_that_runs(noted)
        assert found.wireless
        assert not found.joined_by


def test_a_radio_that_joins_by_our_file_is_not_iwds_as_well(
    machine: Machine, iwd: list[Joiner]
) -> None:
    """NetworkManager has come to use iwd since install."""
    machine.write(supplicant.path("wlan0"), "# netfail-hooks: as it was found\n")
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    ours = Joiner(WPA_SUPPLICANT, "wpa_supplicant@wlan0.service")
    for seen in ([ours], [ours, Joiner(IWD, "iwd.service")]):
        iwd[:] = seen
        with pytest.raises(Misuse, match="since install") as refused:
            _of_the_machine_that_runs()
        assert "netfail-hooks uninstall" in refused.value.hint


@pytest.mark.parametrize("manager", [dhcpcd.MANAGER, ifupdown.MANAGER, NETWORKMANAGER])
def test_what_joins_it_of_the_users_own_goes_on(machine: Machine, manager: str) -> None:
    """No file is made for it, no unit enabled or conditional, whoever has the addresses.

    NetworkManager has iwd for that.
    """
    machine.write(_HOME, NMCLI, mode=0o600)
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    machine.write("/usr/sbin/dhcpcd", "", mode=0o755)
    machine.write(dhcpcd.CONFIG, "")
    machine.write("/lib/systemd/system/dhcpcd.service", "[Service]\nExecStart=dhcpcd -q\n")
    machine.write("/etc/network/interfaces", "auto wlan0\niface wlan0 inet dhcp\n")
    unit = "iwd.service" if manager == NETWORKMANAGER else "wpa_supplicant@wlan0.service"
    handed = (Handed("wlan0", manager, joined_by=unit),)
    profiles = profiles_of(machine.paths, Manifest(), handed, ())
    found = profiles["wlan0"]
    assert (found.wireless, found.joined_by) == ((), unit)
    assert found.sections
    assert f"{unit} still connects it to Wi-Fi, and is left as it is" in found.messages
    handover = Handover(
        handed=handed,
        now=("wlan0",),
        profiles=profiles,
        starts=True,
        release=gather.release_of(machine.paths, handed),
    )
    files = {**plan.before_networks(handover), **plan.after_networks(handover)}
    told = plan.told(handover, ("wlan0",))
    assert not [one for one in (*files, *told) if "wpa_" in one]
    assert handover.joining_anew == (("wlan0",) if manager == ifupdown.MANAGER else ())


def test_a_radio_that_is_unplugged_keeps_its_networks(machine: Machine) -> None:
    machine.write(_HOME, NMCLI, mode=0o600)
    (machine.root / "sys/class/net/wlan0").rename(machine.root / "away")
    with pytest.raises(Misuse, match="no Wi-Fi network for wlan0") as refused:
        _read(machine, "wlan0", again=True)
    assert "plug wlan0 in" in refused.value.hint


def test_a_cable_without_a_connection_is_refused(machine: Machine) -> None:
    assert _read(machine, "eth0").sections
    machine.write("/etc/NetworkManager/NetworkManager.conf", _NO_DEFAULT)
    with pytest.raises(Misuse, match="no connection for it") as refused:
        _read(machine, "eth0")
    assert "--dhcp eth0" in refused.value.hint
    assert _read(machine, "eth0", "eth0").sections == ()


@pytest.mark.parametrize("conf", ["", _NO_DEFAULT])
def test_a_connection_that_is_gone_is_not_guessed(machine: Machine, conf: str) -> None:
    machine.write("/etc/NetworkManager/NetworkManager.conf", conf)
    path = f"{_CONNECTIONS}/w.nmconnection"
    machine.write(path, _WIRED, mode=0o600)
    first = _read(machine, "eth0")
    _install(machine, "eth0", first, dhcp=False)
    again = _read(machine, "eth0", again=True)
    assert replace(again, messages=()) == replace(first, messages=())
    (machine.root / path[1:]).unlink()
    again = _read(machine, "eth0", again=True)
    with pytest.raises(Misuse, match=f"{path} is gone"):
        _texts(machine, "eth0", again, dhcp=False)


@pytest.mark.parametrize("more", ["method=auto\nroute-table=5", "method=odd"])
def test_options_are_the_way_out_for_what_cannot_be_carried_over(
    machine: Machine, more: str
) -> None:
    text = _WIRED.replace("method=auto", more)
    machine.write(f"{_CONNECTIONS}/w.nmconnection", text, mode=0o600)
    with pytest.raises(Misuse):
        _read(machine, "eth0")
    assert _read(machine, "eth0", "eth0").sections == ()


def test_a_token_of_the_profiles_own_stands_where_it_stood(machine: Machine) -> None:
    six = "[ipv6]\nmethod=auto\naddr-gen-mode=eui64\ntoken=::5:0\n"
    machine.write(f"{_CONNECTIONS}/w.nmconnection", _WIRED + six, mode=0o600)
    first = _read(machine, "eth0")
    _install(machine, "eth0", first, dhcp=False)
    again = _read(machine, "eth0", again=True)
    assert (first.identifiers, again.identifiers) == ((), ())
    assert again.sections == first.sections


@pytest.mark.parametrize("dhcp", [True, False])
def test_identifiers_that_were_noted_stay_until_the_profile_says_otherwise(
    machine: Machine, *, dhcp: bool
) -> None:
    """Whatever addresses it has by then: the cable may be out."""
    path = f"{_CONNECTIONS}/w.nmconnection"
    machine.write(path, _WIRED, mode=0o600)
    options = ["eth0"] if dhcp else []
    first = replace(_read(machine, "eth0", *options), identifiers=("::7", "::9"))
    _install(machine, "eth0", first, dhcp=dhcp)
    written = match.effective(machine.paths, read_nic("eth0", machine.paths))
    assert written is not None
    assert settings(written.sections, "IPv6AcceptRA", "Token") == ["static:::7", "static:::9"]
    assert _read(machine, "eth0", *options, again=True).identifiers == ("::7", "::9")
    for said, kept in (
        ("dns=192.0.2.1;\n[ipv6]\nmethod=auto\naddr-gen-mode=stable-privacy\n", ("::7", "::9")),
        ("[ipv6]\nmethod=auto\naddr-gen-mode=eui64\n", ("::7", "::9") if dhcp else ()),
    ):
        machine.write(path, _WIRED + said, mode=0o600)
        again = _read(machine, "eth0", *options, again=True)
        assert again.identifiers == kept, said
