"""By what an uplink wakes the machine: that goes over with it, and is gone without a trace."""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

import pytest

from netfail_hooks.cli.prompts import show
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.file import render
from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes, uninstaller
from netfail_hooks.install.handover import Handover, gather, plan
from netfail_hooks.install.handover.profiles import profiles_of
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Handed, Manifest, save
from netfail_hooks.install.networks.routes import networks
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.plan import file_changes
from netfail_hooks.install.transaction import note, write_change
from netfail_hooks.install.units import SERVICE
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.drift import drifted
from netfail_hooks.managers.waking import carried
from tests.support.machine import Machine

_CONFIG = Config(uplinks=default_metrics(("eth0",)))
_HANDED = (Handed("eth0", NETWORKMANAGER),)
_KEYFILE = "/etc/NetworkManager/system-connections/w.nmconnection"
_WIRED = "[connection]\nid=w\nuuid=w\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n"
_ENABLED = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service"
_DEFAULT = "/usr/lib/systemd/network/99-default.link"
_DEFAULT_TEXT = "[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep path\n"
_OURS = "/etc/systemd/network/99-default-netfail-eth0.link"
_CONDITION = plan.condition(SERVICE)
_PASSWORD_FILE = "/etc/netfail-hooks/wake-on-lan-eth0"  # noqa: S105 - a path
_PASSWORD = "ba:dc:0f:fe:e0:0d"  # noqa: S105 - nobody's
_MAGIC = f"wake-on-lan=64\nwake-on-lan-password={_PASSWORD}\n"
_BITS = {2: "phy", 4: "unicast", 8: "multicast", 16: "broadcast", 32: "arp", 64: "magic"}
_ASKED = argparse.Namespace(keep_config=False, keep_log=False, no_live=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    (tmp_path / "etc/systemd/network/20-eth0.network").unlink()
    machine.write(_ENABLED, "")
    machine.write(_DEFAULT, _DEFAULT_TEXT)
    machine.write("/usr/lib/udev/rules.d/80-net-setup-link.rules", "#\n")
    machine.write("/run/udev/data/n2", f"I:1\nE:ID_NET_DRIVER=x\nE:ID_NET_LINK_FILE={_DEFAULT}\n")
    return machine


def _said(machine: Machine, wake: str) -> Handover:
    """Return how NetworkManager's uplink is taken over, of which it says that."""
    text = _WIRED + (f"[ethernet]\n{wake}" if wake else "")
    machine.write(_KEYFILE, text, mode=0o600)
    known = profiles_of(machine.paths, Manifest(), _HANDED, ())
    profiles, files = carried(machine.paths, known)
    release = gather.release_of(machine.paths, _HANDED)
    return Handover(handed=_HANDED, profiles=profiles, release=release, waking=files)


def _written(machine: Machine, handover: Handover) -> Manifest:
    """Write what an install would; its manifest is there before, as always."""
    texts = networks(machine.paths, _CONFIG, {}, handover.profiles)[0]
    around = (plan.before_networks(handover), plan.after_networks(handover))
    wanted = layout(_CONFIG, render(_CONFIG), texts, "/opt/netfail-hooks", around)
    changes = file_changes(machine.paths, wanted, Manifest())
    made = note(Manifest(handed=_HANDED), changes)
    save(machine.paths, made)
    for change in changes:
        write_change(machine.paths, change)
    return made


@pytest.mark.parametrize("seed", range(12))
def test_what_networkmanager_says_is_what_the_file_says(machine: Machine, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - a draw that can be made again
    flags = sum(drawn.sample(list(_BITS), drawn.randrange(7)))
    secret = drawn.choice(("", _PASSWORD, _PASSWORD.upper()))
    handover = _said(machine, f"wake-on-lan={flags}\nwake-on-lan-password={secret}\n")
    profile, files = handover.profiles["eth0"], plan.before_networks(handover)
    words = " ".join(word for bit, word in _BITS.items() if flags & bit) or "off"
    lines = files[_OURS].data.decode().partition("\n[Link]\nWakeOnLan=")[2]
    with_secret = bool(flags & 64 and secret)
    secret_line = f"WakeOnLanPassword={_PASSWORD_FILE}\n" if with_secret else ""
    assert lines == f"{words}\n{secret_line}"
    assert (files[_OURS].mode, list(files)[-1]) == (0o644, _OURS), "the password is there before"
    expected = {_PASSWORD_FILE: Node(nodes.FILE, _PASSWORD.encode(), 0o600)} if with_secret else {}
    others = {path: node for path, node in files.items() if path not in (_OURS, _CONDITION)}
    assert others == expected
    assert profile.link == ()
    assert not any("wake" in told.lower() for told in profile.messages)


@pytest.mark.parametrize("wake", ["", "wake-on-lan=1\n", "wake-on-lan=32768\n"])
def test_where_networkmanager_leaves_it_alone_so_do_we(machine: Machine, wake: str) -> None:
    assert _said(machine, wake).waking == {}


def test_networkmanagers_own_default_counts(machine: Machine) -> None:
    conf = "[connection]\nethernet.wake-on-lan=64\n"
    machine.write("/etc/NetworkManager/NetworkManager.conf", conf)
    assert "WakeOnLan=magic\n" in _said(machine, "wake-on-lan=1\n").waking[_OURS][0]


def test_what_can_not_be_carried_over_is_told_without_secrets(machine: Machine) -> None:
    machine.write("/run/udev/data/n2", "I:1\n")
    handover = _said(machine, _MAGIC)
    profile = handover.profiles["eth0"]
    assert handover.waking == {}
    why = "WakeOnLan=magic is not carried over: udev does not tell which .link file is for eth0: "
    assert [told for told in profile.messages if told.startswith(why)], profile.messages
    assert _PASSWORD not in repr(profile)


def test_it_is_shown_without_its_password(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    handover = _said(machine, _MAGIC)
    assert _PASSWORD not in repr(handover)
    files = plan.before_networks(handover)
    for as_json in (False, True):
        show(file_changes(machine.paths, files, Manifest()), (), as_json=as_json)
        shown = capsys.readouterr().out
        assert "WakeOnLan=magic" in shown
        assert _PASSWORD_FILE in shown
        assert _PASSWORD not in shown


def test_nothing_is_left_of_it(machine: Machine) -> None:
    """Our own directories, a drop-in of the user's beside it: all as before, byte for byte."""
    machine.write(f"{_DEFAULT}.d/mine.conf".replace("/usr/lib", "/etc"), "[Link]\nMTUBytes=1400\n")
    handover = _said(machine, _MAGIC)
    before = machine.shape()
    made = _written(machine, handover)
    assert "MTUBytes=1400\n" in machine.read(_OURS)
    for path in (_OURS, _PASSWORD_FILE):
        assert os.stat(f"{machine.root}{path}").st_mode & 0o777 == handover.waking[path][1]
    work = uninstaller.prepare(machine.paths, made, _ASKED)
    for change in work.changes:
        write_change(machine.paths, change)
    for path in (_OURS, _PASSWORD_FILE):
        assert not machine.has(path)
    kept = {path: what for path, what in machine.shape().items() if path in before}
    assert kept == before
    left = {path for path in machine.shape() if os.path.isfile(path)} - set(before)
    assert left == {f"{machine.root}{path}" for path in _manifests(machine)}


def _manifests(machine: Machine) -> set[str]:
    """Return where the manifest is: it goes last of all, when no change is left to be undone."""
    return {machine.paths.manifest.removeprefix(str(machine.root))}


_CHANGES = {
    "another word": (_KEYFILE, _WIRED + "[ethernet]\nwake-on-lan=2\n"),
    "no word": (_KEYFILE, _WIRED),
    "another password": (
        _KEYFILE,
        _WIRED + "[ethernet]\nwake-on-lan=64\nwake-on-lan-password=00:dc:0f:fe:e0:0d\n",
    ),
    "what udev does": (_DEFAULT, _DEFAULT_TEXT + "MTUBytes=1400\n"),
    "a drop-in": ("/run/systemd/network/99-default.link.d/a.conf", "[Link]\nAlias=x\n"),
    "another file": (
        "/run/udev/data/n2",
        "E:ID_NET_LINK_FILE=/etc/systemd/network/5-a.link\n",
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_what_has_changed_since_is_told(machine: Machine, change: str) -> None:
    _written(machine, _said(machine, _MAGIC))
    (machine.root / _ENABLED[1:]).unlink()
    unknown: list[Problem] = []
    assert (drifted(machine.paths, _CONFIG, unknown), unknown) == ((), [])
    machine.write("/run/udev/data/n2", f"E:ID_NET_LINK_FILE={_OURS}\n")
    assert (drifted(machine.paths, _CONFIG, unknown), unknown) == ((), []), "after a boot"
    machine.write("/etc/systemd/network/5-a.link", "[Match]\nPath=x\n[Link]\nName=lan0\n")
    machine.write(*_CHANGES[change], mode=0o600)
    (told,) = drifted(machine.paths, _CONFIG, unknown)
    assert told == (
        "how eth0 is to wake the machine, or what udev does to it, has changed since "
        f"{_OURS} was made"
    )
    assert unknown == []
