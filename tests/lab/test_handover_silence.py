"""NetworkManager is silent for a while, amid an install or uninstall: each uplink has somebody.

Frozen, as on a machine without memory, or stopped and started, as by its package's update; from a
step of ours on, for a drawn time. However long that is, an uplink that was taken from one and that
the other does not take works by networkd, and in the end each has one manager, by its address.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from netfail_hooks import lab as sandbox
from tests.lab.handed import PAIR
from tests.lab.managed import Managed
from tests.lab.suite import used, wait

pytestmark = pytest.mark.faults
_STATIC = "method=manual\naddress1={host}/24,192.168.1.1\ndns=192.168.1.1;"
_MANIFEST = "/var/lib/netfail-hooks/manifest.json"
_FILE = "/etc/systemd/network/10-netfail-{}.network"
_CONF = "/etc/NetworkManager/conf.d/zz-netfail-hooks.conf"
_MARK = "/run/netfail-hooks/{}"
_INSTALL = ("install", *PAIR)
_UNINSTALL = ("uninstall", "--yes")
# Where it begins: as soon as a file is there, or is not.
_STEPS = {
    _INSTALL: (
        f"-e {_MARK.format('pending.wlan0')}",
        f"-e {_MARK.format('taken.wlan0')}",
        f"-e {_MARK.format('pending.eth0')}",
        f"-e {_MARK.format('taken.eth0')}",
        f"-e {_CONF}",
    ),
    _UNINSTALL: (
        f"-e {_MARK.format('uninstalling')}",
        f"! -e {_CONF}",
        f"! -e {_FILE.format('eth0')}",
        f"! -e {_FILE.format('wlan0')}",
    ),
}
_BEGIN = """
pid=$(systemctl show --property=MainPID --value NetworkManager.service)
until [ {step} ]; do [ ! -e /run/lab/over ] || exit 0; done
sleep {late}
{act}
"""
_FREEZE = "kill -STOP $pid"
_STOP = "systemctl stop NetworkManager.service"
_MEND = {
    _FREEZE: ("kill", "--signal=CONT", "NetworkManager.service"),
    _STOP: ("start", "NetworkManager.service"),
}
_ALL = 600.0  # seconds: until the command has ended, and a while beyond


@dataclass(frozen=True)
class Silence:
    """At which step of a command it begins, how late after that, how, and for how long."""

    command: tuple[str, ...]
    step: str
    act: str = _FREEZE
    late: float = 0
    seconds: float = _ALL


# The manager was told to take an uplink, and nobody knows whether it has.
_WORST = Silence(_UNINSTALL, _STEPS[_UNINSTALL][2])
_SLOW = (
    Silence(_UNINSTALL, _STEPS[_UNINSTALL][3], act=_STOP),
    # An install waits for ten minutes and more where all that it asks is frozen.
    Silence(_INSTALL, _STEPS[_INSTALL][3]),
)


def _drawn(seed: int) -> Silence:
    chance = random.Random(seed)  # noqa: S311 - no secret
    command = chance.choice([_INSTALL, _UNINSTALL])
    return Silence(
        command,
        chance.choice(_STEPS[command]),
        chance.choice([_FREEZE, _STOP]),
        chance.choice([0, chance.uniform(0, 0.3)]),
        chance.choice([chance.uniform(1, 40), chance.uniform(40, 200), _ALL]),
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try the worst, and those that are drawn where every kill point is wanted."""
    if "silence" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_kill_point")
        more = [*_SLOW, *(_drawn(seed) for seed in range(16))] if every else []
        metafunc.parametrize("silence", [_WORST, *more], ids=str)


@pytest.fixture
def managed() -> Iterator[Managed]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with Managed() as lab:
        lab.start_dhcp()
        lab.write_profiles(_STATIC)
        lab.start_manager()
        yield lab
        print("\n".join(lab.journal()[-60:]))


def test_each_uplink_has_somebody_whenever_its_manager_is_silent(
    managed: Managed, silence: Silence
) -> None:
    lab = managed
    before = lab.settled()
    if silence.command == _UNINSTALL:
        lab.told(*_INSTALL)
    with _silent(lab, silence):
        done = lab.netfail(*silence.command, seconds=1500)
        print(done.returncode, done.stdout, done.stderr)
        if done.returncode:
            _has_somebody(lab, silence)
    wait(lambda: not _waits(lab), "end of the way back", seconds=300)
    wait(lambda: all(_is_ones(lab, name) for name in lab.ports), "one manager each", seconds=60)
    wait(lab.is_addressed, "addresses", seconds=30)
    wait(lambda: used(lab) != "", "way out", seconds=30)
    if lab.read(_MANIFEST):
        lab.told(*_UNINSTALL)
    lab.expect(before)
    assert not lab.run("systemctl", "list-units", "--no-legend", "netfail-hooks-*").stdout


def _has_somebody(lab: Managed, silence: Silence) -> None:
    """Fail unless all works while the manager is silent, and says so where it can't be seen."""
    assert used(lab)
    assert lab.is_addressed()
    if silence.seconds < _ALL or not _waits(lab):
        return
    waits = lab.read(_MARK.format("waits"))
    left = [name for name in lab.ports if name in waits]  # the other one is its manager's by then
    assert left
    for name in left:
        assert _is_networkds(lab, name), lab.run("networkctl").stdout
    told = "once who had"
    assert told in lab.netfail("status").stderr
    assert told in lab.netfail("doctor").stdout
    again = lab.netfail(*_INSTALL)
    assert again.returncode == 1, again.stdout
    assert told in again.stderr
    journal = [line for line in lab.journal() if told in line]
    assert len(journal) == 1, journal


def _waits(lab: Managed) -> bool:
    return lab.run("systemctl", "is-active", "netfail-hooks-rollback.timer").returncode == 0


def _is_ones(lab: Managed, name: str) -> bool:
    """Tell whether exactly one manager has an uplink, and says so."""
    return _is_networkds(lab, name) != lab.has(name)


def _is_networkds(lab: Managed, name: str) -> bool:
    shown = lab.run("networkctl", "--no-legend", "list", name).stdout.split()
    return shown[-1:] in (["configured"], ["configuring"])


@contextlib.contextmanager
def _silent(lab: Managed, silence: Silence) -> Iterator[None]:
    """Have the manager be silent from a step of what is done inside on, until the end at most."""
    over = threading.Event()
    script = _BEGIN.format(step=silence.step, late=silence.late, act=silence.act)

    def be_silent() -> None:
        lab.run("sh", "-c", script, seconds=600)
        over.wait(silence.seconds)
        lab.run("systemctl", *_MEND[silence.act])

    thread = threading.Thread(target=be_silent)
    thread.start()
    try:
        yield
    finally:
        lab.write("/run/lab/over", "")
        over.set()
        thread.join()
