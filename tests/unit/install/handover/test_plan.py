"""Whatever part of the files is written when the power goes, each uplink has somebody at boot."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import stands_down
from netfail_hooks.config.file import render
from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes, uninstaller
from netfail_hooks.install.handover import NETWORKD, Handover, gather, plan, resolving
from netfail_hooks.install.installer import Work, _as_never_written
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Handed, Manifest, save
from netfail_hooks.install.plan import FileChange, file_changes, in_order
from netfail_hooks.install.transaction import note, write_change
from netfail_hooks.managers import Profile, WirelessNetwork, dhcpcd_release
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.paths import Paths

_LINK = f"/etc/systemd/system/multi-user.target.wants/{NETWORKD}"
_QUICK = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - each write is synced
_UNIT = f"/lib/systemd/system/{NETWORKD}"
_JOINED = WirelessNetwork(b"home", "WPA-PSK", psk="not so secret")
_ASKED = argparse.Namespace(keep_config=False, keep_log=False, no_live=True)
_NOTHING = Manifest()
_MANAGERS = st.sampled_from([NETWORKMANAGER, "ifupdown", "dhcpcd"])


class Boot:
    """A machine as it would come up with the files that it has now."""

    def __init__(self, paths: Paths, handover: Handover) -> None:
        self._paths, self._handover = paths, handover
        self.names = handover.names

    def _there(self, path: str) -> bool:
        return os.path.lexists(self._paths.at(path))

    def _says(self, path: str, name: str) -> bool:
        """Tell whether a file keeps its manager from an uplink: all but ifupdown's name them."""
        node = nodes.read(self._paths.at(path))
        if path == dhcpcd_release.DENIED:
            return bool(dhcpcd_release.leaves(self._paths, (name,)))
        named = "NetworkManager" not in path or f":={name}" in (node.data if node else b"").decode()
        return node is not None and named

    def _starts(self, unit: str, *, enabled: bool) -> bool:
        """Tell whether a unit starts, heeding its condition (systemd.unit(5))."""
        node = nodes.read(self._paths.at(f"/etc/systemd/system/{unit}.d/50-netfail-hooks.conf"))
        for line in (node.data if node else b"").decode().splitlines():
            if line.startswith("ConditionPathExists="):
                enabled = enabled and self._there(line.partition("=")[2])
        return enabled

    def who(self, name: str) -> list[str]:
        """Return who sets an uplink up; a manager has left it as soon as one word says so."""
        release = gather.release_of(
            self._paths, [one for one in self._handover.handed if one.interface == name]
        )
        left = any(self._says(path, name) for path in release.files)
        assert not left or all(map(self._there, release.prepared))
        found = [] if left else ["manager"]
        file = f"/etc/systemd/network/10-netfail-{name}.network"
        if self._starts(NETWORKD, enabled=self._there(_LINK)) and self._there(file):
            found.append("networkd")
        return found

    def acts(self) -> bool:
        """Tell whether a hook or a check of ours, once there, acts on what it sees."""
        return any(map(os.path.exists, self._paths.starters())) and not stands_down(self._paths)

    def all_of_one(self) -> bool:
        """Tell whether each uplink has exactly one, and all the same."""
        found = [self.who(name) for name in self._handover.names]
        return all(len(one) == 1 for one in found) and len({one[0] for one in found}) == 1


def _handover(managers: Sequence[str], paths: Paths, *, enabled: bool, wireless: bool) -> Handover:
    names = ("eth0", "wlan0", "usb0")[: len(managers)]
    handed = tuple(Handed(*pair) for pair in zip(names, managers, strict=True))
    joined = {"wlan0": (_JOINED,)} if wireless else {}
    unit = paths.at(f"/lib/systemd/system/{dhcpcd_release.UNIT}")
    os.makedirs(os.path.dirname(unit), exist_ok=True)
    with open(unit, "w", encoding="utf-8") as file:
        file.write("[Service]\nExecStart=/usr/sbin/dhcpcd -q -b\n")
    return Handover(
        handed=handed,
        now=names,
        profiles={
            one.interface: Profile(one.manager, "", "", (), wireless=joined.get(one.interface, ()))
            for one in handed
        },
        links={} if enabled else {_LINK: _UNIT},
        starts=not enabled,
        resolver=resolving._ours("nameserver 192.168.1.1\n", NETWORKMANAGER),
        resolver_last=wireless,
        release=gather.release_of(paths, handed),
    )


def _changes(
    paths: Paths, handover: Handover, known: Manifest = _NOTHING
) -> tuple[FileChange, ...]:
    config = Config(uplinks=default_metrics(handover.names))
    networks = {
        f"/etc/systemd/network/10-netfail-{name}.network": f"# netfail-hooks: {name}\n"
        for name in handover.names
    }
    around = (plan.before_networks(handover), plan.after_networks(handover))
    wanted = layout(config, render(config), networks, "/opt/netfail-hooks", around)
    return file_changes(paths, wanted, known)


@pytest.mark.parametrize("saves", ["", "on", "off"])
def test_power_saving_is_said_whenever_the_radio_is_started(tmp_path: Path, saves: str) -> None:
    paths = Paths(str(tmp_path))
    handover = _handover([NETWORKMANAGER] * 2, paths, enabled=False, wireless=True)
    radio = replace(handover.profiles["wlan0"], power_save=saves)
    handover = replace(handover, profiles={**handover.profiles, "wlan0": radio})
    files = plan.after_networks(handover)
    unit = plan.condition("wpa_supplicant@wlan0.service")
    said = f"[Service]\nExecStartPost=-iw dev %I set power_save {saves}\n"
    assert files[unit].data.decode().endswith(said if saves else "netfail-hooks.conf\n")
    others = [node.data for path, node in files.items() if path != unit]
    assert not any(b"power_save" in data for data in others)


@settings(max_examples=8, deadline=None)
@given(
    managers=st.lists(_MANAGERS, min_size=2, max_size=3),
    order=st.permutations(["eth0", "wlan0", "usb0"]),
    enabled=st.booleans(),
    wireless=st.booleans(),
)
def test_no_power_cut_leaves_an_uplink_to_nobody(
    managers: list[str],
    order: list[str],
    *,
    enabled: bool,
    wireless: bool,
) -> None:
    with tempfile.TemporaryDirectory(dir=_QUICK) as root:
        paths = Paths(root)
        os.makedirs(paths.at(os.path.dirname(_LINK)))
        if enabled:
            os.symlink(_UNIT, paths.at(_LINK))
        handover = _handover(managers, paths, enabled=enabled, wireless=wireless)
        boot = Boot(paths, handover)
        exact = not enabled and len(set(managers)) == 1
        changes = in_order(_changes(paths, handover), order)
        made = note(Manifest(handed=handover.handed), changes)
        save(paths, made)

        def check() -> None:
            assert all(boot.who(name) for name in handover.names)
            assert boot.all_of_one() or not exact
            assert not boot.acts() or any("networkd" in boot.who(name) for name in handover.names)

        assert [boot.who(name) for name in handover.names] == [["manager"]] * len(managers)
        for change in changes:
            write_change(paths, change)
            check()
        assert [boot.who(name) for name in handover.names] == [["networkd"]] * len(managers)
        assert boot.acts()
        back = uninstaller.prepare(paths, made, _ASKED)
        for change in back.changes:
            write_change(paths, change)
            check()
        assert [boot.who(name) for name in handover.names] == [["manager"]] * len(managers)


@settings(max_examples=8, deadline=None)
@given(
    number=st.integers(2, 3),
    earlier=st.integers(1, 2),
    order=st.permutations(["eth0", "wlan0", "usb0"]),
    manager=st.sampled_from([NETWORKMANAGER, "dhcpcd"]),
    enabled=st.booleans(),
    wireless=st.booleans(),
)
def test_nor_does_one_after_a_later_install_took_more(  # noqa: PLR0913 - all that is drawn
    number: int,
    earlier: int,
    order: list[str],
    manager: str,
    *,
    enabled: bool,
    wireless: bool,
) -> None:
    with tempfile.TemporaryDirectory(dir=_QUICK) as root:
        paths = Paths(root)
        os.makedirs(paths.at(os.path.dirname(_LINK)))
        if enabled:
            os.symlink(_UNIT, paths.at(_LINK))
        made = Manifest()
        managers = [manager] * number
        boot = Boot(paths, _handover(managers, paths, enabled=enabled, wireless=wireless))
        names = boot.names

        def check() -> None:
            assert all(boot.who(name) for name in names)

        for taken in (min(earlier, number - 1), number):
            handover = _handover(managers[:taken], paths, enabled=enabled, wireless=wireless)
            changes = in_order(_changes(paths, handover, made), order)
            made = note(replace(made, handed=handover.handed), changes)
            save(paths, made)
            for change in changes:
                write_change(paths, change)
                check()
        assert [boot.who(name) for name in names] == [["networkd"]] * len(managers)
        for change in uninstaller.prepare(paths, made, _ASKED).changes:
            write_change(paths, change)
            check()
            assert boot.all_of_one() or enabled
        assert [boot.who(name) for name in names] == [["manager"]] * len(managers)


def test_what_would_leave_an_uplink_to_nobody_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir=_QUICK) as root:
        paths = Paths(root)
        os.makedirs(paths.at(os.path.dirname(_LINK)))
        handover = _handover([NETWORKMANAGER] * 2, paths, enabled=False, wireless=False)
        changes = _changes(paths, handover)
        made = note(Manifest(handed=handover.handed), changes)
        save(paths, made)
        for change in changes:
            write_change(paths, change)
        (path,) = handover.release.files
        with open(paths.at(path), "a", encoding="utf-8") as file:
            file.write("# and a word of somebody's\n")
        before = {change.path: nodes.read(paths.at(change.path)) for change in changes}
        with pytest.raises(Problem, match="nobody have eth0 and wlan0"):
            uninstaller.uninstall(uninstaller.prepare(paths, made, _ASKED))
        assert {path: nodes.read(paths.at(path)) for path in before} == before
        os.remove(paths.at(path))
        uninstaller.uninstall(uninstaller.prepare(paths, made, _ASKED))
        boot = Boot(paths, handover)
        assert [boot.who(name) for name in handover.names] == [["manager"]] * 2


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("changed", [False, True])
def test_networkd_finds_no_uplinks_file_when_it_is_started(
    mocker: MockerFixture, *, answers: bool, changed: bool
) -> None:
    """Else it would set up what NetworkManager has; where it runs it has read no file yet."""
    mocker.patch("netfail_hooks.networkd.networkctl.answers", return_value=answers)
    with tempfile.TemporaryDirectory(dir=_QUICK) as root:
        paths = Paths(root)
        os.makedirs(paths.at(os.path.dirname(_LINK)))
        handover = _handover([NETWORKMANAGER] * 2, paths, enabled=False, wireless=False)
        changes = _changes(paths, handover)
        made = note(Manifest(handed=handover.handed), changes)
        for change in changes[:-1]:  # the power goes before what decides is written
            write_change(paths, change)
        networks = [change.path for change in changes if change.path.endswith(".network")]
        again = _changes(paths, handover, made)
        (deciding,) = again
        if changed:
            old = nodes.read(paths.at(networks[0]))
            assert old is not None
            again = (FileChange(networks[0], old, replace(old, data=b"# other")), *again)
        work = Work(paths, Config(uplinks=()), made, again, (), running=True, handover=handover)
        now, unread = _as_never_written(work)
        if answers:
            assert (now, unread) == (work, [])
            return
        assert unread == networks
        assert now.changes[-1] == deciding
        assert sorted(change.path for change in now.changes[:-1]) == sorted(networks)
        assert all(change.before is None and change.after for change in now.changes)
        assert (b"# other" in [one.after.data for one in now.changes if one.after]) == changed
