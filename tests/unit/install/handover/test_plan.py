"""Whatever part of the files is written when the power goes, each uplink has somebody at boot."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.file import render
from netfail_hooks.install import nodes, uninstaller
from netfail_hooks.install.handover import NETWORKD, Handover, gather, plan, resolving
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Handed, Manifest, save
from netfail_hooks.install.plan import FileChange, file_changes, in_order
from netfail_hooks.install.transaction import note, write_change
from netfail_hooks.managers import Profile, WirelessNetwork
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.paths import Paths

_LINK = f"/etc/systemd/system/multi-user.target.wants/{NETWORKD}"
_QUICK = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - each write is synced
_UNIT = f"/lib/systemd/system/{NETWORKD}"
_JOINED = WirelessNetwork(b"home", "WPA-PSK", psk="not so secret")
_ASKED = argparse.Namespace(keep_config=False, keep_log=False, no_live=True)
_MANAGERS = st.sampled_from([NETWORKMANAGER, "ifupdown"])


class Boot:
    """A machine as it would come up with the files that it has now."""

    def __init__(self, paths: Paths, handover: Handover) -> None:
        self._paths, self._handover = paths, handover

    def _there(self, path: str) -> bool:
        return os.path.lexists(self._paths.at(path))

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
        left = any(map(self._there, release.files))
        assert not left or all(map(self._there, release.prepared))
        found = [] if left else ["manager"]
        file = f"/etc/systemd/network/10-netfail-{name}.network"
        if self._starts(NETWORKD, enabled=self._there(_LINK)) and self._there(file):
            found.append("networkd")
        return found

    def all_of_one(self) -> bool:
        """Tell whether each uplink has exactly one, and all the same."""
        found = [self.who(name) for name in self._handover.names]
        return all(len(one) == 1 for one in found) and len({one[0] for one in found}) == 1


def _handover(managers: Sequence[str], paths: Paths, *, enabled: bool, wireless: bool) -> Handover:
    names = ("eth0", "wlan0", "usb0")[: len(managers)]
    handed = tuple(Handed(*pair) for pair in zip(names, managers, strict=True))
    joined = {"wlan0": (_JOINED,)} if wireless else {}
    return Handover(
        handed=handed,
        now=names,
        profiles={
            one.interface: Profile(one.manager, "", "", (), wireless=joined.get(one.interface, ()))
            for one in handed
        },
        links={} if enabled else {_LINK: _UNIT},
        starts=not enabled,
        resolver=resolving._ours("nameserver 192.168.1.1\n"),
        release=gather.release_of(paths, handed),
    )


def _changes(paths: Paths, handover: Handover) -> tuple[FileChange, ...]:
    config = Config(uplinks=default_metrics(handover.names))
    networks = {
        f"/etc/systemd/network/10-netfail-{name}.network": f"# netfail-hooks: {name}\n"
        for name in handover.names
    }
    around = (plan.before_networks(handover), plan.after_networks(handover))
    wanted = layout(config, render(config), networks, "/opt/netfail-hooks", around)
    return file_changes(paths, wanted, Manifest())


@settings(max_examples=20, deadline=None)
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

        assert [boot.who(name) for name in handover.names] == [["manager"]] * len(managers)
        for change in changes:
            write_change(paths, change)
            check()
        assert [boot.who(name) for name in handover.names] == [["networkd"]] * len(managers)
        back = uninstaller.prepare(paths, made, _ASKED)
        for change in back.changes:
            write_change(paths, change)
            check()
        assert [boot.who(name) for name in handover.names] == [["manager"]] * len(managers)
