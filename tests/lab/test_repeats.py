"""What fails again and again is told once: a refused change, a memory that cannot be kept."""

from __future__ import annotations

import sys

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.conftest import Tried
from tests.lab.suite import events, install, wait

pytestmark = pytest.mark.faults
_LOG, _RUN, _TOLD = "/var/log/netfail-hooks", "/run/netfail-hooks", "/run/told"
_CHECKS = f"""
import sys
sys.path += {[package_home(), *(path for path in sys.path if "site-packages" in path)]!r}
from netfail_hooks.check import main
for _ in range(100):
    main()
"""
_SETTING = "/proc/sys/net/ipv4/conf/wlan0/rp_filter"


@pytest.fixture
def ready(lab: Lab) -> Lab:
    """Return a lab, installed, in which nothing runs but our checks; a hook notes each event."""
    install(lab)
    assert lab.networkd is not None
    lab.networkd.stop_dispatcher()
    lab.write("/etc/netfail-hooks/notify.d/tell", f"#!/bin/sh\necho told >>{_TOLD}\n", mode=0o755)
    lab.tick()
    return lab


def _checks(lab: Lab, tried: Tried) -> str:
    """Run many checks, return what they said to the journal."""
    tried("checks that failed as the one before", 100)
    done = lab.run(sys.executable, "-IS", "-c", _CHECKS, seconds=90)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _told(lab: Lab) -> int:
    return lab.run("cat", _TOLD).stdout.count("told")


def _fill(lab: Lab, where: str) -> None:
    """Put a full disk in the place of a directory, what was there still in it."""
    script = f"cp -a {where} /run/copy; mount -t tmpfs -o mode=755,size=64k full {where}"
    script += f"; cp -a /run/copy/. {where}; head -c 100000 /dev/zero >{where}/fill || true"
    lab.run("sh", "-ec", script).check_returncode()


def _refuse(lab: Lab) -> None:
    """Have the kernel refuse a change that is needed."""
    script = f"printf 1 >{_SETTING}; mount --bind /proc/sys /proc/sys"
    script += "; mount -o remount,bind,ro /proc/sys"
    lab.run("sh", "-ec", script).check_returncode()


def test_a_refused_change_is_told_once_and_again_when_it_is_made(ready: Lab, tried: Tried) -> None:
    known = len(events(ready))
    _refuse(ready)
    said = _checks(ready, tried)
    (event,) = events(ready)[known:]
    assert event["failed"] == ["set net.ipv4.conf.wlan0.rp_filter=2: Read-only file system"]
    assert said.count("the kernel refused to") == 1
    wait(lambda: _told(ready) == 1, "one word in notify.d")
    ready.run("umount", "/proc/sys").check_returncode()
    ready.tick()
    assert [one["failed"] for one in events(ready)[known + 1 :]] == [[]]
    wait(lambda: _told(ready) == 2, "word of the change that was made")


def test_a_failover_that_cannot_be_remembered_is_recorded_once(ready: Lab, tried: Tried) -> None:
    known = len(events(ready))
    _fill(ready, _RUN)
    ready.cable_out("eth0")
    said = _checks(ready, tried)
    assert [one["active"]["ipv4"] for one in events(ready)[known:]] == ["wlan0"]
    assert said.count("cannot remember") == 1
    assert "cannot notify" not in said  # nobody is to be told until it is remembered
    assert _told(ready) == 0
    ready.run("umount", _RUN).check_returncode()
    ready.tick()
    ready.tick()
    assert len(events(ready)) == known + 1
    wait(lambda: _told(ready) == 1, "word in notify.d once it can be remembered")


def test_a_refused_change_is_told_once_on_a_full_disk_too(ready: Lab, tried: Tried) -> None:
    _fill(ready, _LOG)
    _refuse(ready)
    said = _checks(ready, tried)
    assert said.count("cannot record") == said.count("the kernel refused to") == 1
    wait(lambda: _told(ready) == 1, "one word in notify.d")
    ready.run("umount", _LOG, "/proc/sys").check_returncode()
    ready.tick()
    assert events(ready)[-1]["failed"] == []
    assert not ready.run("ls", f"{_RUN}/recorded").stdout
