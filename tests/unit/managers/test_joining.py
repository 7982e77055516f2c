"""Who has a Wi-Fi uplink join: of all that may be seen, and as it is read of a machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.managers import dhcpcd, ifupdown
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.wifi import joining, supplicant
from netfail_hooks.managers.wifi.joining import IWD, WPA_SUPPLICANT, Joiner, Joining
from tests.support.machine import Machine

_INSTANCE = "wpa_supplicant@wlan0.service"
_OF_MANAGERS = ("dhcpcd.service", "networking.service", "ifup@wlan0.service")
_OF_USERS = (_INSTANCE, "wpa_supplicant.service", "iwd.service", "rc-local.service")
_JOINERS = st.builds(
    Joiner,
    program=st.sampled_from([WPA_SUPPLICANT, IWD]),
    unit=st.sampled_from(["", *_OF_MANAGERS, *_OF_USERS]),
    at_boot=st.booleans(),
    told=st.booleans(),
    addresses=st.booleans(),
    waits=st.booleans(),
)
_SEEN = st.builds(
    Joining,
    manager=st.sampled_from([dhcpcd.MANAGER, ifupdown.MANAGER, NETWORKMANAGER]),
    joiners=st.lists(_JOINERS, max_size=3, unique_by=lambda one: one.unit).map(tuple),
    joins=st.booleans(),
    ours=st.booleans(),
    noted=st.sampled_from(["", _INSTANCE, "iwd.service"]),
)


def _is_users(one: Joiner, seen: Joining) -> bool:
    """Tell whether neither the manager nor we have started it, as far as anybody can know."""
    if one.unit in _OF_MANAGERS or (seen.ours and one.unit == _INSTANCE):
        return False
    return bool(one.unit) or not seen.joins


def _decided(seen: Joining) -> str | Misuse:
    try:
        return joining.decide("wlan0", seen)
    except Misuse as refused:
        return refused


@given(_SEEN)
def test_one_of_the_users_goes_on_and_no_second_one_joins(seen: Joining) -> None:
    own = [one for one in seen.joiners if _is_users(one, seen)]
    unfit = [one for one in own if one.told or one.addresses or one.waits]
    lasts = [one for one in own if one.unit and one.at_boot and one not in unfit]
    alone = len(seen.joiners) == 1 and not seen.joins
    decided = _decided(seen)
    if seen.manager == NETWORKMANAGER and seen.ours:  # it joined by itself when it was taken over
        assert isinstance(decided, Misuse)
        assert "uninstall" in decided.hint
    elif not own:
        assert decided == seen.noted
    elif lasts and alone:
        assert decided == own[0].unit
    else:
        assert isinstance(decided, Misuse)
        for word in ("wlan0", *(one.unit or one.program for one in own)):
            assert word in str(decided)
        assert "reboot" in decided.hint or "then install again" in decided.hint
        # Whoever reads it may have come in by that uplink.
        assert not any(word in decided.hint for word in ("--now", "stop", "restart", "kill"))


@pytest.mark.parametrize(
    ("one", "hint"),
    [
        (Joiner(WPA_SUPPLICANT, _INSTANCE, at_boot=False), f"systemctl enable {_INSTANCE}, then"),
        (
            Joiner(WPA_SUPPLICANT, ""),
            f"by {supplicant.path('wlan0')}: sudo systemctl enable {_INSTANCE}",
        ),
        (Joiner(WPA_SUPPLICANT, "wpa_supplicant.service", told=True), f"enable {_INSTANCE}"),
        (Joiner(IWD, "iwd.service", addresses=True), "EnableNetworkConfiguration= out of /etc/iwd"),
        (Joiner(IWD, ""), "systemctl enable iwd.service"),
        (Joiner(IWD, "iwd.service", waits=True), "SSID set-property AutoConnect yes, then install"),
    ],
)
def test_who_would_not_do_after_a_boot_is_told_what_to_do(one: Joiner, hint: str) -> None:
    with pytest.raises(Misuse) as refused:
        joining.decide("wlan0", Joining(dhcpcd.MANAGER, (one,)))
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("manager", "hint"),
    [
        (dhcpcd.MANAGER, "'nohook wpa_supplicant' in"),
        (ifupdown.MANAGER, "wpa- options out"),
    ],
)
def test_a_manager_that_joins_as_well_is_to_leave_that(manager: str, hint: str) -> None:
    own = Joiner(WPA_SUPPLICANT, _INSTANCE)
    with pytest.raises(Misuse, match=f"{_INSTANCE} and {manager} have wlan0 join") as refused:
        joining.decide("wlan0", Joining(manager, (own,), joins=True))
    assert hint in refused.value.hint


class _Running(Machine):
    """A machine with processes; ``started`` are the units that something starts at boot."""

    started: tuple[str, ...] = ()
    objects: str = ""

    def process(self, pid: int, command: str, cgroup: str, network: str = "net:[1]") -> None:
        words = command.split()
        self.write(f"/proc/{pid}/comm", f"{os.path.basename(words[0])}\n")
        self.write(f"/proc/{pid}/cmdline", "".join(f"{word}\0" for word in words))
        self.write(f"/proc/{pid}/cgroup", f"0::{cgroup}\n")
        self.link(f"/proc/{pid}/ns/net", network)

    def link(self, path: str, target: str) -> None:
        inside = Path(f"{self.root}{path}")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(target)

    def run(self, *argv: str, **_: object) -> subprocess.CompletedProcess[str]:
        if argv[0] == "systemctl":
            told = "multi-user.target\n\n" if argv[-1] in self.started else "\n\n"
        elif self.objects:
            told = self.objects
        else:
            raise Problem("no answer")
        return subprocess.CompletedProcess(argv, 0, told, "")

    def seen(self) -> list[Joiner]:
        return list(joining.gather(self.paths, "wlan0"))


@pytest.fixture
def machine(tmp_path: Path, mocker: MockerFixture) -> _Running:
    machine = _Running(tmp_path)
    machine.started = (_INSTANCE, "iwd.service", "wpa_supplicant.service")
    machine.link("/proc/self/ns/net", "net:[1]")
    mocker.patch.object(joining, "run", machine.run)
    return machine


_CONF = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
_SLICE = f"/system.slice/system-wpa_supplicant.slice/{_INSTANCE}"
_BY_BUS = "/sbin/wpa_supplicant -u -s -O DIR=/run/wpa_supplicant"


@pytest.mark.parametrize(
    ("command", "cgroup", "expected"),
    [
        # Debian's template, Arch's, one by hand, a unit of its own for several, a pattern.
        (f"/sbin/wpa_supplicant -c{_CONF} -iwlan0", _SLICE, Joiner(WPA_SUPPLICANT, _INSTANCE)),
        (
            f"/usr/bin/wpa_supplicant -c{_CONF} -Dnl80211,wext -i wlan0",
            f"{_SLICE}/sub",
            Joiner(WPA_SUPPLICANT, _INSTANCE),
        ),
        (
            f"wpa_supplicant -B -iwlan0 -c{_CONF}",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service",
            Joiner(WPA_SUPPLICANT, "", at_boot=False),
        ),
        (
            f"{_BY_BUS} -c /etc/a -i wlan0 -N -c /etc/b -i wlan1",
            "/system.slice/wpa_supplicant.service",
            Joiner(WPA_SUPPLICANT, "wpa_supplicant.service"),
        ),
        (
            "wpa_supplicant -M -i wlan* -c /etc/a",
            "/system.slice/mine.service",
            Joiner(WPA_SUPPLICANT, "mine.service", at_boot=False),
        ),
        (f"/sbin/wpa_supplicant -c{_CONF} -iwlan1", _SLICE, None),
        (_BY_BUS, "/system.slice/wpa_supplicant.service", None),  # NetworkManager's, without us
        ("/sbin/wpa_cli -iwlan0", _SLICE, None),
    ],
)
def test_a_process_is_of_its_unit(
    machine: _Running, command: str, cgroup: str, expected: Joiner | None
) -> None:
    machine.process(99, command, cgroup)
    assert machine.seen() == ([expected] if expected else [])


@pytest.mark.parametrize("matches", [False, True])
def test_one_whose_command_line_is_silent_is_known_by_its_socket(
    machine: _Running, *, matches: bool
) -> None:
    machine.write(
        "/proc/net/unix",
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0: 2 0 00010000 0005 01 4711 /run/wpa_supplicant/wlan0\n0: 2 0 0 0002 01 12\n",
    )
    command = f"{_BY_BUS} -M -c /etc/a" if matches else _BY_BUS
    machine.process(99, command, "/system.slice/wpa_supplicant.service")
    machine.link("/proc/99/fd/3", "socket:[12]")
    assert machine.seen() == []
    machine.link("/proc/99/fd/4", "socket:[4711]")
    assert machine.seen() == [Joiner(WPA_SUPPLICANT, "wpa_supplicant.service", told=not matches)]


def test_one_in_a_container_is_none_of_this_machines(machine: _Running) -> None:
    command = f"wpa_supplicant -iwlan0 -c{_CONF}"
    machine.process(99, command, "/system.slice/box.service", network="net:[2]")
    assert machine.seen() == []


@dataclass(frozen=True)
class _Radio:
    """A radio of iwd's: its mode, and the network that it is in, "" for none."""

    name: str
    mode: str = "Station"
    within: str = "home"


def _objects(radios: Sequence[_Radio], known: Mapping[str, bool]) -> str:
    """Return what iwd says of radios, and of networks that it knows: whether it joins them."""
    bus = "net.connman.iwd"
    tree: dict[str, object] = {"/": {"org.freedesktop.DBus.ObjectManager": {}}}
    for name, joins in known.items():
        auto = {"Name": _value("s", name), "AutoConnect": _value("b", joins)}
        tree[f"/known/{name}"] = {f"{bus}.KnownNetwork": auto}
    for number, radio in enumerate(radios):
        device = f"/net/connman/iwd/{number}"
        tree[device] = {
            f"{bus}.Device": {"Name": _value("s", radio.name)},
            f"{bus}.{radio.mode}": {"State": _value("s", "connected")},
        }
        for name in {*known, *filter(None, [radio.within])}:
            seen = {"Device": _value("o", device), "Connected": _value("b", name == radio.within)}
            if name in known:
                seen["KnownNetwork"] = _value("o", f"/known/{name}")
            tree[f"{device}/{name}"] = {f"{bus}.Network": seen}
    return json.dumps({"type": "a{oa{sa{sv}}}", "data": [tree]})


def _value(kind: str, data: object) -> dict[str, object]:
    return {"type": kind, "data": data}


_SSIDS = st.sampled_from(["home", "office", "guests"])
_RADIOS = st.lists(
    st.builds(
        _Radio,
        name=st.sampled_from(["wlan0", "wlan1", "wlx00"]),
        mode=st.sampled_from(["Station", "AccessPoint", "AdHoc"]),
        within=_SSIDS | st.just(""),
    ),
    unique_by=lambda one: one.name,
)


@given(_RADIOS, st.dictionaries(_SSIDS, st.booleans()))
def test_iwd_says_which_radios_it_joins_and_whether_by_itself(
    radios: list[_Radio], known: dict[str, bool]
) -> None:
    expected = {
        one.name: known.get(one.within, False) if one.within else True in known.values()
        for one in radios
        if one.mode == "Station"
    }
    assert joining.stations(_objects(radios, known)) == expected


def test_iwd_is_who_joins_a_radio_of_its(machine: _Running) -> None:
    machine.process(99, "/usr/libexec/iwd", "/system.slice/iwd.service")
    with pytest.raises(Problem):  # nobody can tell
        machine.seen()
    machine.objects = _objects([_Radio("wlan1")], {"home": True})
    assert machine.seen() == []
    machine.objects = _objects([_Radio("wlan0")], {"home": False})
    assert machine.seen() == [Joiner(IWD, "iwd.service", waits=True)]
    machine.objects = _objects([_Radio("wlan0")], {"home": True})
    assert machine.seen() == [Joiner(IWD, "iwd.service")]
    for said, sets in (("false", False), ("true", True), ("True", True), ("1", True)):
        machine.write("/etc/iwd/main.conf", f"[General]\nEnableNetworkConfiguration={said}\n")
        assert machine.seen() == [Joiner(IWD, "iwd.service", addresses=sets)]


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_no_answer_of_iwds_is_too_odd(told: str) -> None:
    assert joining.stations(told) == {}


def test_networks_that_iwd_knows_are_those_that_it_need_not_join_by_itself(
    machine: _Running,
) -> None:
    machine.objects = _objects([_Radio("wlan0", within="other")], {"home": True, "office": False})
    assert joining.iwd_knows() == ("home", "office")
    assert not joining.iwd_joins(machine.paths, "wlan0")  # it does not run
    machine.process(99, "/usr/libexec/iwd", "/system.slice/iwd.service")
    assert not joining.iwd_joins(machine.paths, "wlan0")  # it was told to
    machine.objects = _objects([_Radio("wlan0", within="home")], {"home": True})
    assert joining.iwd_joins(machine.paths, "wlan0")
    assert not joining.iwd_joins(machine.paths, "wlan1")


@pytest.mark.parametrize(
    ("one", "hint"),
    [
        (Joiner(IWD, "iwd.service", waits=True), "nmcli connection modify NAME connection.auto"),
        (Joiner(WPA_SUPPLICANT, "wpa_supplicant.service", told=True), "reboot, from when on"),
    ],
)
def test_networkmanagers_iwd_is_told_by_networkmanager(one: Joiner, hint: str) -> None:
    """It would take back at its next start what iwd was told without it."""
    with pytest.raises(Misuse) as refused:
        joining.decide("wlan0", Joining(NETWORKMANAGER, (one,)))
    assert hint in refused.value.hint


def test_of_another_root_what_was_noted_stays(machine: _Running) -> None:
    machine.process(99, f"wpa_supplicant -iwlan0 -c{_CONF}", _SLICE)
    for noted in ("", "iwd.service"):
        unit = joining.joined_by(machine.paths, "wlan0", dhcpcd.MANAGER, joins=False, noted=noted)
        assert unit == noted
