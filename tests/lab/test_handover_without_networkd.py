"""networkd ends, or hangs, once it has uplinks of other managers: these get them back all the same.

It keeps what it has said of them in /run, and their addresses stay: neither tells that it has them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.lab.handed import HERE, INSTALL, PAIR, Handed
from tests.lab.led import MANAGERS, led_by

pytestmark = pytest.mark.faults
_UNIT = "systemd-networkd.service"
_HARMS = {
    "ended": ("stop", "systemd-networkd.socket", _UNIT),
    "hangs": ("kill", "--signal=STOP", _UNIT),
}
_TURN = "/run/netfail-hooks/pending.eth0"
_MOST = (("dhcpcd", "ended"), ("dhcpcd", "hangs"), ("ifupdown", "ended"))
_UNINSTALLS = (*_MOST, ("NetworkManager", "ended"))
_EVERY = [(manager, harm) for manager in MANAGERS for harm in _HARMS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each manager with both harms where every kill point is wanted."""
    usual = {test_an_uninstall: _UNINSTALLS, test_in_the_seconds_turn: _MOST[1:2]}
    every = metafunc.config.getoption("every_kill_point")
    drawn = _EVERY if every else usual[metafunc.function]
    metafunc.parametrize(("handed", "harm"), drawn, indirect=["handed"])


@pytest.fixture
def handed(request: pytest.FixtureRequest) -> Iterator[Handed]:
    with led_by(request.param, shown=80) as lab:
        yield lab


def _mend(lab: Handed, harm: str) -> None:
    if harm == "hangs":
        lab.run("systemctl", "kill", "--signal=CONT", _UNIT)


@pytest.mark.share(2)
def test_an_uninstall(handed: Handed, harm: str) -> None:
    lab = handed
    before = lab.settled()
    lab.told("install", *PAIR)
    lab.systemctl(*_HARMS[harm])
    said = lab.told("uninstall", "--yes")
    print(said)
    _mend(lab, harm)
    lab.expect(before)


def test_in_the_seconds_turn(handed: Handed, harm: str) -> None:
    """Of an install: what the first one has of networkd's is given back, too."""
    lab = handed
    before = lab.settled()
    over = threading.Event()

    def strike() -> None:
        while not over.is_set() and lab.run("test", "-e", _TURN).returncode:
            pass
        lab.run("systemctl", *_HARMS[harm])

    thread = threading.Thread(target=strike)
    thread.start()
    done = lab.run(*INSTALL, environment=HERE, seconds=300)
    over.set()
    thread.join()
    print(done.stdout, done.stderr)
    assert done.returncode == 1
    _mend(lab, harm)
    lab.expect(before)
