"""Which uplinks dhcpcd can be told to leave, from a machine's files alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse
from netfail_hooks.install import diversion
from netfail_hooks.install.handover import Handover, from_dhcpcd, gather
from netfail_hooks.install.manifest import Handed, Manifest
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_UNIT = "/lib/systemd/system/dhcpcd.service"
_START = "[Service]\nExecStart={}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write(_UNIT, _START.format("/usr/sbin/dhcpcd -q -t 30"))
    machine.write("/run/dhcpcd/pid", "77\n")
    machine.write("/proc/77/cgroup", "0::/system.slice/dhcpcd.service\n")
    return machine


def _hand(machine: Machine, name: str = "eth0") -> Handed:
    return from_dhcpcd.hand(machine.paths, read_nic(name, machine.paths))


def test_one_for_all_interfaces_can_be_told(machine: Machine) -> None:
    assert _hand(machine) == Handed("eth0", "dhcpcd")
    (machine.root / "run/dhcpcd/pid").rename(machine.root / "run/dhcpcd.pid")  # dhcpcd 8
    assert _hand(machine) == Handed("eth0", "dhcpcd")


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("/run/dhcpcd/eth0.pid", "77\n", "runs for eth0 alone"),
        ("/run/dhcpcd-eth0.pid", "77\n", "runs for eth0 alone"),
        ("/proc/77/cgroup", "0::/user.slice/user-0.slice\n", "dhcpcd.service has not started it"),
        (_UNIT, _START.format("/usr/sbin/dhcpcd -q eth0"), "a way of its own: /usr/sbin/dhcpcd"),
        (_UNIT, _START.format("/bin/sh -c dhcpcd"), "a way of its own: /bin/sh"),
        (_UNIT, "[Service]\nType=forking\n", "not by one ExecStart="),
    ],
)
def test_what_it_cannot_be_told_is_refused_by_name(
    machine: Machine, path: str, text: str, why: str
) -> None:
    machine.write(path, text)
    with pytest.raises(Misuse, match=why) as told:
        _hand(machine)
    assert told.value.hint
    # Whoever reads it may have come in by that uplink.
    assert not any(word in told.value.hint for word in ("-x", "--now", " end it", "ifdown"))


def test_a_pattern_of_a_name_is_refused(machine: Machine) -> None:
    machine.nic("eth+0", 7)
    with pytest.raises(Misuse, match="told to leave"):
        _hand(machine, "eth+0")


@pytest.mark.parametrize("answers", [True, False])
def test_what_was_taken_is_not_dhcpcds_though_networkd_is_gone(
    machine: Machine, mocker: MockerFixture, *, answers: bool
) -> None:
    mocker.patch.object(from_dhcpcd, "Paths", return_value=machine.paths)
    mocker.patch.object(networkctl, "answers", return_value=answers)
    mocker.patch.object(networkctl, "leaves_alone", return_value=True)
    names = ("eth0", "wlan0")
    handover = Handover(handed=tuple(Handed(name, "dhcpcd") for name in names))
    assert from_dhcpcd.has(handover) == names
    (machine.root / "run/netfail-hooks").mkdir(parents=True)
    diversion.mark_taken(machine.paths, "eth0")
    assert from_dhcpcd.has(handover) == ("wlan0",)
    diversion.clear_taken(machine.paths, "eth0")
    assert from_dhcpcd.has(handover) == names


@pytest.mark.parametrize(
    "start", ["/bin/sh -c dhcpcd", "dhcpcd eth0", "dhcpcd\nExecStart=/bin/true"]
)
def test_a_second_install_repeats_nothing_that_it_cannot(machine: Machine, start: str) -> None:
    machine.write(_UNIT, _START.format(start))
    known = Manifest(handed=(Handed("eth0", "dhcpcd"),))
    with pytest.raises(Misuse, match="a way of its own") as told:
        gather.look(machine.paths, Config(uplinks=default_metrics(("eth0", "wlan0"))), known)
    assert "one ExecStart=" in told.value.hint


_MASKED = "/etc/systemd/system/{}"
_STANZAS = "auto eth0\niface eth0 inet dhcp\nallow-hotplug wlan0\niface wlan0 inet dhcp\n"


@pytest.mark.parametrize(
    ("manager", "name", "masked", "there"),
    [
        ("dhcpcd", "eth0", "", True),
        ("dhcpcd", "eth0", "dhcpcd.service", False),
        ("ifupdown", "wlan0", "", True),
        ("ifupdown", "wlan0", "ifup@.service", False),
        ("ifupdown", "wlan0", "dhcpcd.service", True),
        ("ifupdown", "eth0", "ifup@.service", True),  # ifup raises it without
    ],
)
def test_who_is_not_started_any_more_gets_nothing_back(  # noqa: PLR0913 - one a column
    machine: Machine, mocker: MockerFixture, *, manager: str, name: str, masked: str, there: bool
) -> None:
    mocker.patch.object(gather, "Paths", return_value=machine.paths)
    mocker.patch("shutil.which", return_value="/usr/sbin/there")
    machine.write("/lib/systemd/system/ifup@.service", "[Service]\nExecStart=ifup %i\n")
    machine.write("/etc/network/interfaces", _STANZAS)
    handed = (Handed(name, manager),)
    if masked:
        machine.write(_MASKED.format(masked), "")
    assert gather.answers(handed) == there
    if manager == "dhcpcd":
        (machine.root / _UNIT[1:]).unlink()  # its package went, that of the program did not
        assert not gather.answers(handed)


@pytest.mark.parametrize(
    ("said", "hears"),
    [("dhcpcd 9.4.1", False), ("dhcpcd 10.0.6", False), ("dhcpcd 10.1.0", True), ("dhcpcd", True)],
)
def test_newer_ones_take_another_nic_for_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, hears: bool
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    (tmp_path / "dhcpcd").write_text(f"#!/bin/sh\necho '{said}'\n")
    os.chmod(tmp_path / "dhcpcd", 0o700)
    assert from_dhcpcd.hears_other_nics() == hears
