"""The flight recorder on a real host: bad disks, a day at rest, and the same replay everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.conftest import Tried
from tests.lab.suite import events, install, used, wait, wait_used

pytestmark = pytest.mark.faults
_LOG = "/var/log/netfail-hooks"
_CHECKS = f"""
import sys
sys.path += {[package_home(), *(path for path in sys.path if "site-packages" in path)]!r}
from netfail_hooks.check import main
sys.exit(sum(main() for _ in range(200)))
"""


def _sizes(lab: Lab) -> dict[str, tuple[int, int]]:
    found = {}
    for folder, _, names in os.walk(lab.root + _LOG):
        for name in names:
            stated = os.stat(f"{folder}/{name}")
            found[name] = (stated.st_size, stated.st_mtime_ns)
    return found


def test_at_rest_nothing_is_written(lab: Lab, tried: Tried) -> None:
    install(lab)
    lab.tick()
    before = _sizes(lab)
    assert before
    tried("healthy checks that wrote nothing", 200)
    done = lab.run(sys.executable, "-IS", "-c", _CHECKS, seconds=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert _sizes(lab) == before


# How a disk goes bad. One of 4 kB holds no line of ours, one of no inode not even an empty file.
BAD = {
    "full": "mount -t tmpfs -o mode=755,size=4k bad $1; head -c 9999 /dev/zero >$1/fill || true",
    "without an inode": "mount -t tmpfs -o mode=755,nr_inodes=1 bad $1",
    "read-only": "mount -t tmpfs -o mode=755,ro bad $1",
    "read-only by now": "mount --bind -o ro $1 $1",
}


@pytest.mark.parametrize("how", BAD.values(), ids=BAD)
@pytest.mark.parametrize("where", [_LOG, "/run/netfail-hooks"])
def test_a_full_or_read_only_disk_costs_the_record_and_not_the_failover(
    installed: Lab, how: str, where: str, tried: Tried
) -> None:
    """The router is dead: the kernel sees no fault, so nobody but us can move the traffic."""
    tried("full and read-only disks", 1)
    lab = installed
    lab.run("sh", "-ec", how, "sh", where).check_returncode()
    known = len(events(lab))
    lab.dead_gateway("eth0")
    done = lab.tick()
    assert used(lab) == "wlan0", done.stderr
    assert "default via" in lab.run("ip", "route", "show", "proto", "157").stdout
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert "No space left" in done.stderr or "Read-only" in done.stderr, done.stderr
    lab.run("umount", where).check_returncode()
    lab.alive_gateway("eth0")
    with lab.timer(0.2):
        wait_used(lab, "eth0")
    assert lab.run("ip", "route", "show", "proto", "157").stdout == ""
    assert len(events(lab)) >= known


@pytest.fixture(scope="module")
def installed() -> object:
    with Lab() as lab:
        lab.write_files(lab.howto_files())
        lab.start()
        install(lab, hold_down=0, more="successes = 1\n")
        assert lab.networkd is not None
        lab.networkd.stop_dispatcher()
        yield lab


# Ten stories of different kinds; each leaves its own recording.
STORIES: dict[str, Callable[[Lab], object]] = {
    "cable out": lambda lab: lab.cable_out("eth0"),
    "cable in": lambda lab: lab.cable_in("eth0"),
    "link down": lambda lab: lab.link_down("eth0"),
    "link up": lambda lab: lab.link_up("eth0"),
    "gateway dead": lambda lab: lab.dead_gateway("eth0"),
    "gateway alive": lambda lab: lab.alive_gateway("eth0"),
    "adapter out": lambda lab: lab.remove("eth0"),
    "adapter in": lambda lab: lab.insert("eth0"),
    "address lost": lambda lab: lab.drop_address("eth0"),
    "address back": lambda lab: lab.return_address("eth0"),
}


def _replay(path: Path, seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "netfail_hooks", "replay", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": package_home(), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ten_recordings_are_replayed_the_same_under_any_hash_seed(
    make_lab: Callable[..., Lab], tmp_path: Path, tried: Tried
) -> None:
    lab = make_lab(("eth0", "wlan0", "usb0"), segments={"usb0": 1})
    install(lab, hold_down=0, more="successes = 1\n")
    for number, (name, happen) in enumerate(STORIES.items()):
        lab.run("sh", "-c", f"rm -f {_LOG}/*")
        happen(lab)
        way = "wlan0" if number % 2 == 0 else "eth0"
        with lab.timer(0.2):
            wait_used(lab, way)
            wait(lambda: lab.read(f"{_LOG}/events.jsonl") != "", f"a record of: {name}")
        text = lab.read(f"{_LOG}/events.jsonl")
        path = tmp_path / f"{number}.jsonl"
        path.write_text(text)
        tried("replays of recordings", 3)
        once, *again = (_replay(path, seed) for seed in ("0", "1", "random"))
        assert again == [once, once], name
        assert ", none other than recorded" in once
