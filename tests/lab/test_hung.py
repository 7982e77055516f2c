"""install and uninstall against a networkd that hangs, dies, or cannot be heard, at any moment.

Nothing is taken away that nobody gives back: with a failure all is as it was, soon.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.networkd.networkctl import AT_WORK
from netfail_hooks.paths import package_home
from tests.conftest import Tried
from tests.lab.suite import FILES, ROUTES, SETTINGS, shape, used, wait_shape
from tests.lab.test_ipv6 import dual_stack

pytestmark = pytest.mark.faults
_HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
_COMMAND = [sys.executable, "-m", "netfail_hooks"]
_INSTALL = [*_COMMAND, "install", "--primary", "eth0", "--backup", "wlan0", "--yes"]
_UNINSTALL = [*_COMMAND, "uninstall", "--yes"]
_SHARE = 2
_LIMIT = 90.0  # seconds: it is given 10 for an answer, more than once
_SLOW = 7.0  # seconds: what it is asked with takes its time, too
_HARMS = {
    "networkd stopped": ("networkd", "STOP"),
    "networkd killed": ("networkd", "KILL"),
    "dbus stopped": ("dbus", "STOP"),
}
# By the file whose appearance tells how far the command is, and up to so many seconds more: an
# uplink is begun, networkd told to reload, and its addresses are taken away and set up.
_MOMENTS = {
    "before": ("", 0.0),
    "in the first uplink's turn": ("/run/netfail-hooks/pending.wlan0", 0.8),
    "in the second's": ("/run/netfail-hooks/pending.eth0", 0.8),
}


@pytest.fixture
def dual(make_lab: Callable[..., Lab]) -> Lab:
    """Return a host with IPv6."""
    return dual_stack(make_lab)


def _harm(lab: Lab, harm: str) -> None:
    assert lab.networkd is not None
    name, how = _HARMS[harm]
    daemon = lab.networkd.daemon(name)
    (daemon.kill if how == "KILL" else daemon.freeze)()


def _mend(lab: Lab, harm: str) -> None:
    assert lab.networkd is not None
    name, how = _HARMS[harm]
    if how == "KILL":
        lab.restart_networkd()
    else:
        lab.networkd.daemon(name).thaw()


def _run(
    lab: Lab, argv: list[str], harm: str, moment: str
) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command, harmed at a moment; return what came of it, and how long it then took."""
    file, most = _MOMENTS[moment]
    seconds = random.uniform(0, most)  # noqa: S311 - not for secrets
    print(f"{moment}, {seconds:.3f} s: {harm}")
    harmed: list[float] = []
    over = threading.Event()

    def strike() -> None:
        while file and not over.is_set() and lab.run("test", "-e", file).returncode:
            pass
        over.wait(seconds)
        harmed.append(time.monotonic())
        _harm(lab, harm)

    if file:
        thread = threading.Thread(target=strike)
        thread.start()
    else:
        strike()
    done = lab.run(*argv, environment=_HERE, seconds=150)
    ended = time.monotonic()
    over.set()
    if file:
        thread.join()
    return done, ended - harmed[0]


def _drawn(number: int | None) -> list[tuple[str, str]]:
    """Return moments and harms, each kind of both among them."""
    draw = random.Random(20)  # noqa: S311 - to be the same each time
    every = [(harm, moment) for harm in _HARMS for moment in _MOMENTS]
    draw.shuffle(every)
    return every[:number]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Draw a few, or take all where every kill point is wanted."""
    if "harm" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_kill_point")
        metafunc.parametrize(("harm", "moment"), _drawn(None if every else _SHARE))


def test_install_with_networkd_harmed(dual: Lab, harm: str, moment: str, tried: Tried) -> None:
    tried("networkd that hangs: install", 1)
    before = shape(dual, FILES + ROUTES + SETTINGS)
    with dual.watch() as watch:
        done, seconds = _run(dual, _INSTALL, harm, moment)
    print(moment, harm, seconds, done.returncode, done.stderr)
    assert (watch.gaps(4), watch.gaps(6)) == ([], [])
    assert seconds < _LIMIT
    if done.returncode:
        assert sorted(shape(dual, FILES + ROUTES + SETTINGS)) == sorted(before)
        assert "answer" in done.stderr
    _mend(dual, harm)
    assert dual.run(*_INSTALL, environment=_HERE, seconds=60).returncode == 0
    assert dual.run(*_UNINSTALL, environment=_HERE, seconds=60).returncode == 0
    wait_shape(dual, before, FILES + ROUTES + SETTINGS)


def test_a_networkd_that_is_slow_is_none_that_hangs(dual: Lab) -> None:
    """A small machine that unpacks packages gives it no time for seconds."""
    assert dual.networkd is not None
    networkd = dual.networkd.daemon("networkd")
    seconds = random.uniform(AT_WORK + 1, _SLOW)  # noqa: S311 - not for secrets
    print(f"{seconds:.3f} s")
    thaw = threading.Timer(seconds, networkd.thaw)
    networkd.freeze()
    thaw.start()
    done = dual.run(*_INSTALL, environment=_HERE, seconds=60)
    thaw.join()
    assert done.returncode == 0, done.stderr
    assert used(dual) == "eth0"


def test_uninstall_with_networkd_harmed(dual: Lab, harm: str, moment: str, tried: Tried) -> None:
    tried("networkd that hangs: uninstall", 1)
    before = sorted(shape(dual, FILES + SETTINGS))
    assert dual.run(*_INSTALL, environment=_HERE, seconds=60).returncode == 0
    with dual.watch() as watch:
        done, seconds = _run(dual, _UNINSTALL, harm, moment)
    assert (watch.gaps(4), watch.gaps(6)) == ([], [])
    assert done.returncode == 0, done.stderr
    assert seconds < _LIMIT
    assert sorted(shape(dual, FILES + SETTINGS)) == before
    assert used(dual) != ""
    assert "proto 157" not in dual.run("sh", "-c", "ip route; ip -details address").stdout
