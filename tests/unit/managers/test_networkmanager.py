"""Which profile a NIC has, from the files of a machine and from what nmcli says."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile, Unfit, networkmanager
from netfail_hooks.managers.nm import nmcli as asking
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from tests.unit.managers.profiles import ENTERPRISE, IMAGER, NMCLI, RADIO, STATIC, WIRED

_ETC, _RUN, _LIB = (
    f"{place}/NetworkManager/system-connections" for place in ("/etc", "/run", "/usr/lib")
)
_ENABLED = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service"
_WIRED = "[connection]\nid={id}\nuuid={id}\ntype=ethernet\n{more}[ipv4]\nmethod=auto\n"


class _Machine:
    """A machine's files below a root."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(str(root))
        self.write(_ENABLED, "")
        self.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        place = Path(self.paths.root + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def wired(self, name: str, more: str = "", directory: str = _ETC, mode: int = 0o600) -> None:
        text = _WIRED.format(id=name, more=more)
        self.write(f"{directory}/{name}.nmconnection", text, mode)

    def profile(self, nic: Nic = WIRED) -> Profile | None:
        return networkmanager.profile(self.paths, nic)

    def name(self, nic: Nic = WIRED) -> str:
        found = self.profile(nic)
        return found.name if found else ""


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path)


def test_where_networkmanager_is_not_nobody_has_a_profile(machine: _Machine) -> None:
    os.unlink(machine.paths.root + _ENABLED)
    machine.wired("one")
    assert machine.profile() is None


def test_a_nic_that_it_leaves_alone(machine: _Machine) -> None:
    machine.wired("one")
    leaves = "[keyfile]\nunmanaged-devices=interface-name:eth*;except:interface-name:eth1\n"
    machine.write("/etc/NetworkManager/conf.d/x.conf", leaves)
    assert machine.profile() is None
    assert machine.name(replace(WIRED, name="eth1")) == "one"


def test_the_greatest_priority_then_what_was_used_last(machine: _Machine) -> None:
    machine.wired("one")
    machine.wired("two")
    machine.wired("three", "autoconnect-priority=-1\n")
    machine.write("/var/lib/NetworkManager/timestamps", "[timestamps]\none=5\ntwo=7\nthree=9\n")
    assert machine.name() == "two"
    machine.wired("four", "autoconnect-priority=1\n")
    machine.wired("five", "autoconnect-priority=2\nautoconnect=false\n")
    assert machine.name() == "four"


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ("interface-name=eth0\n", True),
        ("interface-name=eth1\n", False),
        ("[ethernet]\nmac-address=02:00:00:00:00:10\n", True),
        ("[ethernet]\nmac-address=02:00:00:00:00:99\n", False),
        ("[ethernet]\nmac-address-blacklist=02:00:00:00:00:10\n", False),
        ("[match]\ninterface-name=eth*;!eth1;\n", True),
        ("[match]\ninterface-name=!eth*;\n", False),
        ("[match]\ninterface-name=wlan*;&eth0\n", False),
        ("[match]\ndriver=r8169\n", False),
        ("[match]\nkernel-command-line=quiet\n", True),
        ("[match]\nkernel-command-line=!quiet\n", False),
        ("[ethernet]\nmac-address-denylist=02:00:00:00:00:10;\n", False),
        ("[ethernet]\nmac-address-blacklist=02:00:00:00:00:10;\n", False),
        ("[ethernet]\nmac-address-denylist=02:00:00:00:00:77;\n", True),
    ],
)
def test_which_nic_a_profile_is_for(machine: _Machine, more: str, fits: bool) -> None:  # noqa: FBT001
    machine.write("/proc/cmdline", "root=/dev/x quiet\n")
    machine.wired("one", more)
    machine.write("/var/lib/NetworkManager/no-auto-default.state", WIRED.permanent_mac)
    assert (machine.profile() is not None) == fits


def test_directories_hide_one_another_by_uuid(machine: _Machine) -> None:
    machine.wired("one", "autoconnect-priority=3\n", _LIB, 0o644)
    machine.wired("two", directory=_RUN)
    assert machine.name() == "one"
    machine.wired("one", "autoconnect-priority=-3\n")
    assert machine.name() == "two"
    os.symlink("/dev/null", f"{machine.paths.root}{_RUN}/two.nmmeta")
    assert machine.name() == "one"


def test_files_that_networkmanager_does_not_read(machine: _Machine) -> None:
    machine.wired("lax", mode=0o644)
    for name in (".hidden", "copy~", "x.nmconnection.bak", "y.swp"):
        machine.write(f"{_ETC}/{name}", _WIRED.format(id=name, more=""))
    machine.write(f"{_RUN}/without-ending", _WIRED.format(id="ending", more=""))
    assert machine.name() == "Wired connection"
    machine.write(f"{_ETC}/any name", _WIRED.format(id="any", more=""))
    assert machine.name() == "any"


@given(
    st.dictionaries(
        st.sampled_from([_ETC, _RUN, _LIB]),
        st.tuples(st.sampled_from([0, 1000]), st.integers(0, 0o777).map(lambda mode: mode | 0o400)),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_others_could_write_or_read_is_ignored_and_told(
    machine: _Machine, files: dict[str, tuple[int, int]]
) -> None:
    """Of the family of files by which anybody could have root join a network of theirs."""
    held = []
    for place in (_ETC, _RUN, _LIB):
        path = f"{place}/one.nmconnection"
        inside = f"{machine.paths.root}{path}"
        with contextlib.suppress(FileNotFoundError):
            os.remove(inside)
        if place in files:
            owner, mode = files[place]
            machine.wired("one", directory=place, mode=mode)
            if os.geteuid() == 0:
                os.chown(inside, owner, owner)
            secure = not mode & 0o077 and (owner == 0 or os.geteuid() != 0)
            held += [path] if secure or place == _LIB else []
    found = machine.profile()
    assert found is not None
    assert found.path == (held[0] if held else "")
    told = [one for one in found.messages if "NetworkManager ignores" in one]
    assert len(told) == len(files) - len(held)
    assert all("sudo ch" in one for one in told)


def test_a_radio_whose_only_profile_is_ignored_is_refused_by_its_file(machine: _Machine) -> None:
    text = "[connection]\nid=home\nuuid=h\ntype=wifi\n[wifi]\nssid=Home\n"
    machine.write(f"{_ETC}/home.nmconnection", text, 0o644)
    with pytest.raises(Misuse, match=r"home\.nmconnection, so it is left out: others may") as told:
        machine.profile(RADIO)
    assert told.value.hint
    machine.write(f"{_ETC}/home.nmconnection", text)
    assert machine.profile(RADIO) is not None


def test_iw_is_asked_for_where_power_saving_counts(machine: _Machine) -> None:
    text = "[connection]\nid=home\nuuid=h\ntype=wifi\n[wifi]\nssid=Home\n"
    machine.write(f"{_ETC}/home.nmconnection", text)
    machine.write("/etc/NetworkManager/conf.d/x.conf", "[connection]\nwifi.powersave = 2\n")
    found = machine.profile(RADIO)
    assert found is not None
    assert found.power_save == "off"
    assert any("iw dev wlan0 set power_save off" in one for one in found.messages)
    machine.write("/usr/sbin/iw", "")
    found = machine.profile(RADIO)
    assert found is not None
    assert not any("power_save" in one for one in found.messages)


@pytest.mark.parametrize("phase", ["", "/pre-up.d", "/pre-down.d", "/no-wait.d"])
@pytest.mark.parametrize("place", ["/etc", "/usr/lib"])
def test_scripts_that_no_longer_run_are_told(machine: _Machine, place: str, phase: str) -> None:
    """But Debian's own, which runs those of ifupdown."""
    machine.write("/etc/NetworkManager/dispatcher.d/01-ifupdown", "", 0o755)
    found = machine.profile()
    assert found is not None
    assert not any("no longer run" in one for one in found.messages)
    script = f"{place}/NetworkManager/dispatcher.d{phase}/20-mine"
    machine.write(script, "", 0o755)
    found = machine.profile()
    assert found is not None
    assert f"no longer run for eth0: {script}" in found.messages


def test_a_cable_without_profile(machine: _Machine) -> None:
    """NetworkManager makes one for it, unless it is told not to."""
    found = machine.profile()
    assert found is not None
    assert (found.path, found.manager) == ("", "NetworkManager")
    assert [one.get("DHCP") for one in found.sections if one.name == "Network"] == ["ipv4"]
    assert machine.profile(RADIO) is None
    machine.write("/etc/NetworkManager/NetworkManager.conf", "[main]\nno-auto-default=*\n")
    assert machine.profile() is None


def test_a_profile_that_it_has_made_for_a_cable_is_no_file(machine: _Machine) -> None:
    """It is gone at the next boot, since it is made for what NetworkManager has."""
    without = machine.profile()
    path = f"{_RUN}/Wired connection 1.nmconnection"
    text = _WIRED.format(id="w", more="autoconnect-priority=-999\ninterface-name=eth0\n")
    text += "\n[ipv6]\naddr-gen-mode=default\nmethod=auto\n\n[.nmmeta]\nnm-generated=true\n"
    machine.write(path, text)
    assert networkmanager.profile(machine.paths, WIRED) == without
    assert networkmanager.profile(machine.paths, WIRED, made_of=path) == without
    machine.write(path, f"{text}volatile=true\nexternal=true\n")  # what somebody else has set up
    found = machine.profile()
    assert found is not None
    assert found.path == path
    machine.write(path, text)
    vlan = "[connection]\nid=v\nuuid=v\ntype=vlan\n[vlan]\nid=5\nparent=w\n"
    machine.write(f"{_ETC}/vlan", vlan)
    with pytest.raises(Misuse, match="a vlan of NetworkManager's is on eth0"):
        machine.profile()


def test_defaults_by_nic_and_by_the_order_of_files(machine: _Machine) -> None:
    machine.wired("one", "[ipv6]\nmethod=auto\n")
    machine.write("/usr/lib/NetworkManager/conf.d/a.conf", "[connection]\nipv6.ip6-privacy=1\n")
    assert _privacy(machine) == "prefer-public"
    machine.write(
        "/etc/NetworkManager/conf.d/a.conf",
        "[connection]\nipv6.ip6-privacy=0\n"
        "[connection-radio]\nmatch-device=type:wifi\nipv6.ip6-privacy=1\n"
        "[connection-this]\nmatch-device=mac:02:00:00:00:00:10\nipv6.ip6-privacy=2\n",
    )
    assert _privacy(machine) == "yes"
    machine.write(
        "/etc/NetworkManager/conf.d/b.conf",
        "[connection-that]\nmatch-device=interface-name:eth0\nstop-match=yes\n",
    )
    assert _privacy(machine) == "kernel"


def _privacy(machine: _Machine) -> str:
    found = machine.profile()
    assert found is not None
    return next(one.get("IPv6PrivacyExtensions") for one in found.sections if one.name == "Network")


def test_every_saved_network(machine: _Machine) -> None:
    machine.write("/proc/cmdline", "cfg80211.ieee80211_regdom=GB quiet\n")
    machine.write(f"{_ETC}/preconfigured.nmconnection", IMAGER)
    machine.write(f"{_ETC}/home.nmconnection", NMCLI.replace("Home Net", "Nmcli"))
    machine.write(f"{_ETC}/corp.nmconnection", ENTERPRISE)
    machine.write(f"{_ETC}/rarely", IMAGER.replace("uuid=5", "autoconnect=false\nuuid=6"))
    asked = IMAGER.replace("uuid=5", "uuid=7").replace("psk=", "psk-flags=1\n#")
    machine.write(f"{_ETC}/asked", asked.replace("preconfigured", "keyring"))
    used = "a3c5a9c7-4d3c-4a20-9a53-52f7b3f8f4b8=9\n5f8e0c0e-5ff1-4d2e-a9a5-0d1f5a5f3d43=7\n"
    machine.write("/var/lib/NetworkManager/timestamps", f"[timestamps]\n{used}")
    found = machine.profile(RADIO)
    assert found is not None
    assert found.name == "Nmcli"
    assert found.country == "GB"
    assert [one.ssid for one in found.wireless] == [b"Nmcli", b"Home Net", b"Cor\xff"]
    assert [one.priority for one in found.wireless] == [2, 1, 0]
    told = "\n".join(found.messages)
    assert "'preconfigured' is not joined by itself" in told
    assert "keyring" in told
    assert "'Corp'" not in told  # set up as the chosen one is
    assert "0123456789abcdef" not in told + repr(found)


@pytest.mark.parametrize(
    ("path", "text", "country"),
    [
        ("/proc/cmdline", "cfg80211.ieee80211_regdom=DE\n", "DE"),
        ("/sys/module/cfg80211/parameters/ieee80211_regdom", "00\n", ""),
        ("/sys/module/cfg80211/parameters/ieee80211_regdom", "ID\n", "ID"),
        ("/run/systemd/system/netplan-regdom.service", "ExecStart=/sbin/iw reg set GB\n", "GB"),
        (
            "/run/systemd/generator.late/netplan-regdom.service",
            "ExecStart=/usr/sbin/iw reg set US\n",
            "US",
        ),
        ("/etc/default/crda", "# of crda\nREGDOMAIN=FR\n", "FR"),
        ("/etc/default/crda", "REGDOMAIN=\n", ""),
    ],
)
def test_by_whose_rules_the_radio_is_used(
    machine: _Machine, path: str, text: str, country: str
) -> None:
    machine.write(path, text)
    assert networkmanager.country(machine.paths) == country


def test_the_networks_that_would_be_set_up_otherwise_are_told(machine: _Machine) -> None:
    machine.write(f"{_ETC}/home.nmconnection", NMCLI)
    other = IMAGER.replace("[ipv4]\nmethod=auto", "[ipv4]\nmethod=manual\naddress1=10.0.0.2/8")
    machine.write(
        f"{_ETC}/other.nmconnection", other.replace("uuid=5", "autoconnect-priority=-1\nuuid=5")
    )
    found = machine.profile(RADIO)
    assert found is not None
    assert any("'preconfigured' has other addresses" in one for one in found.messages)


_ON = ("vlan", "macvlan", "ipvlan", "macsec", "vxlan", "ip-tunnel", "pppoe", "infiniband")
_MAC = "02:00:00:00:00:10"


@pytest.mark.parametrize("more", ["", "autoconnect=false\n"])
@pytest.mark.parametrize("kind", _ON)
@pytest.mark.parametrize("parent", ["eth0", "one", "two"])  # itself, or a profile for it
def test_what_is_made_on_the_nic_is_refused(
    machine: _Machine, kind: str, parent: str, more: str
) -> None:
    """One that is not up by itself may be up, and could not be brought up any more."""
    machine.wired("one")
    machine.wired("two", "autoconnect=false\n")
    text = f"[connection]\nid=v\nuuid=v\ntype={kind}\n{more}[{kind}]\nparent={{}}\n"
    machine.write(f"{_ETC}/on", text.format("eth1"))
    assert machine.name() == "one"
    machine.write(f"{_ETC}/on", text.format(parent))
    with pytest.raises(Unfit, match=f"a {kind} of NetworkManager's is on eth0"):
        machine.profile()


def test_what_somebody_else_has_made_on_the_nic_is_noted_alone(machine: _Machine) -> None:
    """NetworkManager notes a profile in /run of it, and leaves it as it is."""
    machine.wired("one")
    text = "[connection]\nid=v\nuuid=v\ntype=macvlan\nautoconnect=false\n[macvlan]\nparent=eth0\n"
    made = "[.nmmeta]\nnm-generated=true\nvolatile=true\n"
    machine.write(f"{_RUN}/v.nmconnection", f"{text}{made}external=true\n")
    assert machine.name() == "one"
    machine.write(f"{_RUN}/v.nmconnection", text + made)
    with pytest.raises(Unfit, match="a macvlan of NetworkManager's is on eth0"):
        machine.profile()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"type=vlan\n[vlan]\nid=5\n[ethernet]\nmac-address={_MAC}\n", "vlan"),
        (f"type=macvlan\n[macvlan]\nmode=2\n[802-3-ethernet]\nmac-address={_MAC}\n", "macvlan"),
        ("type=pppoe\ninterface-name=eth0\n[pppoe]\nusername=x\n", "pppoe"),
        ("type=hsr\n[hsr]\nport1=eth1\nport2=eth0\n", "hsr"),
        (f"type=vlan\n[vlan]\nparent=eth1\n[ethernet]\nmac-address={_MAC}\n", ""),
        ("type=vlan\n[vlan]\nid=5\n[ethernet]\nmac-address=02:00:00:00:00:99\n", ""),
        ("type=pppoe\ninterface-name=eth0\n[pppoe]\nparent=eth1\n", ""),
        ("type=wireguard\ninterface-name=wg0\n[wireguard]\n", ""),
        ("type=bridge\ninterface-name=br0\n[bridge]\nstp=false\n", ""),
    ],
)
def test_how_a_profile_says_what_it_is_on(machine: _Machine, text: str, why: str) -> None:
    machine.wired("one")
    machine.write(f"{_ETC}/on", f"[connection]\nid=v\nuuid=v\n{text}")
    if not why:
        assert machine.name() == "one"
        return
    with pytest.raises(Unfit, match=f"a {why} of NetworkManager's is on eth0"):
        machine.profile()


def test_scanning_by_another_address_is_told_where_somebody_asked_for_it(
    machine: _Machine,
) -> None:
    machine.write(f"{_ETC}/home.nmconnection", NMCLI)
    for said, told in (("yes", True), ("no", False)):
        text = f"[device]\nwifi.scan-rand-mac-address={said}\n"
        machine.write("/etc/NetworkManager/conf.d/mac.conf", text)
        found = machine.profile(RADIO)
        assert found is not None
        assert any("scan-rand-mac" in one for one in found.messages) == told


_BY_IWD = "[device]\nwifi.backend=iwd\n"


def test_by_iwd_no_network_is_ours_to_join(machine: _Machine) -> None:
    """Nor what NetworkManager would tell wpa_supplicant of a radio; addresses are as ever."""
    more = "powersave=2\ncloned-mac-address=02:11:22:33:44:55\n"
    machine.write(f"{_ETC}/home.nmconnection", NMCLI.replace("[wifi]\n", f"[wifi]\n{more}"))
    by_supplicant = machine.profile(RADIO)
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    by_iwd = machine.profile(RADIO)
    assert by_supplicant is not None
    assert by_iwd is not None
    assert by_supplicant.wireless
    assert not by_supplicant.by_iwd
    assert not by_iwd.wireless
    assert by_iwd.by_iwd == ("Home Net",)
    assert [one for one in by_supplicant.sections if one.name != "Link"] == [*by_iwd.sections]


@pytest.mark.parametrize("said", ["iwd", "IWD", "Iwd", "wpa_supplicant", ""])
@pytest.mark.parametrize("section", ["device", "device-wlan0"])
def test_the_backend_is_that_of_the_radio_in_whatever_letters(
    machine: _Machine, said: str, section: str
) -> None:
    machine.write(f"{_ETC}/home.nmconnection", NMCLI)
    matches = "" if section == "device" else "match-device=interface-name:wlan0\n"
    text = f"[{section}]\n{matches}wifi.backend={said}\n"
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", text)
    found = machine.profile(RADIO)
    assert found is not None
    assert bool(found.by_iwd) == (said.lower() == "iwd")
    assert bool(found.wireless) == (not found.by_iwd)


@pytest.mark.parametrize("flags", ["", "psk-flags=1\n"])
def test_each_network_that_is_left_to_iwd_is_known(machine: _Machine, flags: str) -> None:
    """Whoever has its key: a keyring's, too, iwd has kept by then. No hotspot is one."""
    for ssid, auto, mode in (
        ("home", "true", "infrastructure"),
        ("office", "true", "infrastructure"),
        ("mine", "true", "ap"),
        ("never", "false", "infrastructure"),
    ):
        text = NMCLI.replace("Home Net", ssid).replace("key-mgmt", f"{flags}key-mgmt")
        text = text.replace("uuid=", f"autoconnect={auto}\nuuid={ssid}")
        text = text.replace("mode=infrastructure", f"mode={mode}")
        machine.write(f"{_ETC}/{ssid}.nmconnection", text)
    home = Path(f"{machine.paths.root}{_ETC}/home.nmconnection")
    home.write_text(home.read_text("utf-8").replace("auto", "autoconnect-priority=9\nauto", 1))
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    found = machine.profile(RADIO)
    assert found is not None
    assert set(found.by_iwd) == {"home", "office"}


@pytest.mark.parametrize("said", ["no", "false", "0", "Off"])
def test_an_iwd_that_joins_nothing_by_itself_is_refused(machine: _Machine, said: str) -> None:
    machine.write(f"{_ETC}/home.nmconnection", NMCLI)
    text = f"{_BY_IWD}wifi.iwd.autoconnect={said}\n"
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", text)
    with pytest.raises(Misuse, match=r"by itself \(wifi.iwd.autoconnect=no\)"):
        machine.profile(RADIO)


class _Nmcli:
    """What nmcli says on the running machine, in its own form; there is none in a test's."""

    def __init__(self, mocker: MockerFixture, machine: _Machine) -> None:
        self.active = ""
        self.shown = "auto\n\n\nauto\n\n"
        mocker.patch.object(networkmanager, "networkmanager_has", return_value=("eth0", "wlan0"))
        for module in (networkmanager, asking):
            mocker.patch.object(module, "run", self._run)
        for name in ("through", "at"):  # the running machine's files are those of the test
            mocker.patch.object(Paths, name, lambda _, path: machine.paths.root + path)

    def _run(self, *argv: str, **_: object) -> subprocess.CompletedProcess[str]:
        said = self.active if "--active" in argv else self.shown
        return subprocess.CompletedProcess(argv, 0, said, "")

    def name(self, nic: Nic = WIRED, made_of: str = "") -> str:
        found = networkmanager.profile(Paths(), nic, made_of=made_of)
        return found.name if found else ""


@pytest.fixture
def nmcli(mocker: MockerFixture, machine: _Machine) -> _Nmcli:
    return _Nmcli(mocker, machine)


@pytest.mark.parametrize(
    ("more", "mark", "why"),
    [
        ("autoconnect=false\n", "", "is not joined by itself"),
        ("", "[.nmmeta]\nnm-generated=true\n", "saved it nowhere"),
    ],
)
def test_what_iwd_would_not_join_after_a_boot_is_refused(
    machine: _Machine, nmcli: _Nmcli, more: str, mark: str, why: str
) -> None:
    """NetworkManager tells iwd the first; the second it makes anew at each start."""
    text = NMCLI.replace("type=wifi\n", f"type=wifi\n{more}") + mark
    place = f"{_RUN}/Home Net.nmconnection" if mark else f"{_ETC}/home.nmconnection"
    machine.write(place, text)
    nmcli.active = f"a3c5a9c7-4d3c-4a20-9a53-52f7b3f8f4b8:wlan0:{place}\n"
    assert nmcli.name(RADIO)
    machine.write("/etc/NetworkManager/conf.d/iwd.conf", _BY_IWD)
    with pytest.raises(Misuse, match=why) as refused:
        nmcli.name(RADIO)
    assert "connection.autoconnect yes" in refused.value.hint


def test_the_active_profile_counts(machine: _Machine, nmcli: _Nmcli) -> None:
    machine.wired("one", "autoconnect-priority=1\n")
    machine.wired("two", "autoconnect=false\n")
    assert nmcli.name() == "one"
    nmcli.active = "three:eth1:\ntwo:eth0:/etc/a\\:b\n"
    assert nmcli.name() == "two"
    # Installed once more after a power cut: it has the NIC again, and no file of ours names one.
    assert nmcli.name(made_of="the settings of NetworkManager") == "two"
    assert nmcli.name(made_of=f"{_ETC}/one.nmconnection") == "one"


def test_an_active_profile_that_is_in_no_keyfile(machine: _Machine, nmcli: _Nmcli) -> None:
    machine.wired("one")
    nmcli.active = "other:eth0:\n"
    assert nmcli.name() == "Wired connection"
    nmcli.shown = "manual\n10.0.0.5/24\n\nauto\n\nby hand\n802-3-ethernet\n"
    with pytest.raises(Misuse, match=r"profile 'by hand' is in no keyfile: .* modify other "):
        nmcli.name()
    nmcli.active, nmcli.shown = "other:wlan0:\n", "auto\n\n\nauto\n\n"
    with pytest.raises(Misuse, match="in no keyfile"):
        nmcli.name(RADIO)


@pytest.mark.parametrize("saved", [True, False])
def test_a_bridge_is_told_as_such(
    machine: _Machine, nmcli: _Nmcli, mocker: MockerFixture, *, saved: bool
) -> None:
    for name in ("eth0", "docker0"):
        machine.write(f"/sys/class/net/{name}/type", "1\n")
    machine.write("/sys/class/net/eth0/device/x", "")
    if saved:
        text = "[connection]\nid=guests\nuuid=0d6b\ntype=bridge\ninterface-name=br-guests\n"
        machine.write(f"{_ETC}/guests.nmconnection", text)
    nmcli.active = f"0d6b:br-guests:{_ETC}/guests.nmconnection\n"
    nmcli.shown = "shared\n10.0.0.5/24\n\nauto\n\nguests\nbridge\n"
    mocker.patch.object(networkmanager, "networkmanager_has", return_value=("br-guests",))
    with pytest.raises(Misuse) as refused:
        nmcli.name(Nic("br-guests", kind="bridge", type="bridge", present=True))
    assert str(refused.value) == (
        "br-guests is no uplink that NetworkManager could hand over: its profile 'guests' is of "
        "type bridge: name a cable or Wi-Fi itself: eth0"
    )


def test_a_profile_without_uuid_is_known_by_its_file(machine: _Machine, nmcli: _Nmcli) -> None:
    machine.write(f"{_ETC}/plain", STATIC.replace("uuid", "#uuid"))
    machine.wired("one", "autoconnect-priority=9\n")
    nmcli.active = f"made-up:eth0:{_ETC}/plain\n"
    assert nmcli.name() == "Office"


def test_a_nic_that_it_does_not_have(mocker: MockerFixture, machine: _Machine) -> None:
    machine.wired("one")
    mocker.patch.object(networkmanager, "networkmanager_has", return_value=("wlan0",))
    assert networkmanager.profile(Paths(), WIRED) is None
