"""No file of ours is more open than what it was made from: who can read it could read those."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.access import Access, strictest
from tests.conftest import Tried
from tests.support.machine import Machine

NETWORK = "/etc/systemd/network"
PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
NETWORKD, GROUP, OTHER = 998, 997, 4242
_PASSWD = f"root:x:0:0::/:/bin/sh\nsystemd-network:x:{NETWORKD}:{GROUP}::/:/bin/false\nodd\n"
_GROUPS = f"root:x:0:\nsystemd-network:x:{GROUP}:\nnetdev:x:{OTHER}:somebody,systemd-network\nx:\n"
_SOURCES = (
    f"{NETWORK}/20-eth0.network",
    f"{NETWORK}/20-eth0.network.d/10-more.conf",
    f"{NETWORK}/20-wlan0.network",
    "/run/systemd/network/20-wlan0.network.d/20-netplan.conf",
)
_OURS = (f"{NETWORK}/10-netfail-eth0.network", f"{NETWORK}/10-netfail-wlan0.network")
_ids = st.sampled_from([0, GROUP, NETWORKD, OTHER, 1000])
_modes = st.sampled_from([0o644, 0o640, 0o600, 0o660, 0o604, 0o444, 0o440]) | st.integers(0, 0o7777)
_accesses = st.builds(Access, _modes, st.tuples(_ids, _ids))
_people = st.tuples(_ids, st.lists(_ids, min_size=1, max_size=3)).filter(lambda one: one[0] != 0)


def _machine(root: Path) -> Machine:
    machine = Machine(root)
    machine.write("/etc/passwd", _PASSWD)
    machine.write("/etc/group", _GROUPS)
    machine.write(_SOURCES[1], "[Network]\nNTP=10.0.0.1\n")
    machine.write(_SOURCES[3], "[Network]\nNTP=10.0.0.2\n")
    return machine


def _set(machine: Machine, path: str, access: Access) -> None:
    os.chown(f"{machine.root}{path}", *access.owner)
    os.chmod(f"{machine.root}{path}", access.mode)


def _get(machine: Machine, path: str) -> Access:
    status = os.stat(f"{machine.root}{path}")
    return Access(status.st_mode & 0o7777, (status.st_uid, status.st_gid))


def _readable(user: int, groups: Sequence[int], places: Sequence[str]) -> list[bool]:
    """Ask the kernel which of the files that user can open."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups(groups[1:])
        os.setgid(groups[0])
        os.setuid(user)
        os.write(writing, bytes(os.access(place, os.R_OK) for place in places))
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as file:
        return [bool(one) for one in file.read()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_accesses, max_size=4), st.lists(_people, min_size=1, max_size=4))
def test_who_can_read_ours_could_read_all_it_was_made_from(
    tmp_path: Path, drawn: list[Access], people: list[tuple[int, list[int]]]
) -> None:
    tmp_path.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=tmp_path) as top:
        Path(top).chmod(0o755)
        places = [f"{top}/{number}" for number in range(len(drawn) + 1)]
        for place, one in zip(places, [strictest(drawn), *drawn], strict=True):
            Path(place).touch()
            os.chown(place, *one.owner)
            os.chmod(place, one.mode)
        for user, groups in people:
            ours, *theirs = _readable(user, groups, places)
            assert all(theirs) or not ours


@pytest.mark.parametrize(
    ("sources", "ours"),
    [
        ([], Access()),
        ([Access(0o664, (1000, 1000))], Access()),
        ([Access(0o640, (0, GROUP))], Access(0o640, (0, GROUP))),
        ([Access(0o640, (0, GROUP)), Access()], Access(0o640, (0, GROUP))),
        ([Access(0o640, (0, GROUP)), Access(0o660, (1000, GROUP))], Access(0o640, (0, GROUP))),
        ([Access(0o640, (0, GROUP)), Access(0o640, (0, OTHER))], Access(0o600, (0, 0))),
        ([Access(0o640, (0, GROUP)), Access(0o600, (0, GROUP))], Access(0o600, (0, 0))),
        ([Access(0o600, (NETWORKD, GROUP))], Access(0o600, (NETWORKD, 0))),
        ([Access(0o604, (0, GROUP))], Access(0o600, (0, 0))),
    ],
)
def test_networkd_can_read_ours_where_it_could_read_theirs(
    sources: list[Access], ours: Access
) -> None:
    for order in itertools.permutations(sources):
        assert strictest(order) == ours


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=16)
@given(
    st.lists(st.just(Access()) | _accesses, min_size=4, max_size=4),
    st.sampled_from([(), ("--mode", "bond")]),
    st.lists(_people, min_size=2, max_size=2),
)
def test_install_opens_nothing_and_uninstall_gives_it_back(
    tmp_path: Path,
    tried: Tried,
    drawn: list[Access],
    words: tuple[str, ...],
    people: list[tuple[int, list[int]]],
) -> None:
    """Refused, with nothing changed, only where networkd could not have read them itself."""
    tried("modes and owners of .network files", 1)
    tmp_path.chmod(0o755)
    top = tempfile.mkdtemp(dir=tmp_path)
    Path(top).chmod(0o755)
    machine = _machine(Path(top))
    for path, one in zip(_SOURCES, drawn, strict=True):
        _set(machine, path, one)
    before = machine.shape()
    read = _readable(NETWORKD, [GROUP, OTHER], [top + path for path in _SOURCES])
    sources = _SOURCES[:2] if words else _SOURCES  # of a bond, the first uplink's
    try:
        machine.install(*PAIR, *words)
    except Misuse:
        assert machine.shape() == before
        assert not all(read) or len({one.owner for one in drawn}) > 1
    else:
        ours = [path for path in machine.shape() if "-netfail-" in path and NETWORK in path]
        assert all(_readable(NETWORKD, [GROUP, OTHER], ours))
        for user, groups in people:
            if any(_readable(user, groups, ours)):
                assert all(_readable(user, groups, [top + path for path in sources]))
        machine.uninstall("--yes")
        assert machine.shape() == before
    shutil.rmtree(top)


def test_what_nobody_can_tell_of_is_left_to_networkd(tmp_path: Path) -> None:
    """Of an image whose users are made at its first boot (sysusers.d(5))."""
    machine = Machine(tmp_path)
    _set(machine, _SOURCES[0], Access(0o600, (0, 0)))
    machine.install(*PAIR)
    assert _get(machine, _OURS[0]) == _get(machine, _OURS[1]) == Access(0o600, (0, 0))


def test_what_is_refused_can_be_mended_as_told(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    _set(machine, _SOURCES[0], Access(0o600, (0, 0)))
    with pytest.raises(Misuse, match=f"cannot read what is in {_SOURCES[0]}") as told:
        machine.install(*PAIR)
    assert f"sudo chown root:systemd-network {_SOURCES[0]}; sudo chmod 640" in str(told.value)
    _set(machine, _SOURCES[0], Access(0o640, (0, GROUP)))
    machine.install(*PAIR)
    assert _get(machine, _OURS[0]) == _get(machine, _OURS[1]) == Access(0o640, (0, GROUP))


def test_what_install_was_asked_stays_as_closed_as_somebody_made_it(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    for path in (_SOURCES[0], _SOURCES[2]):
        os.unlink(f"{tmp_path}{path}")
    machine.install(*PAIR, "--dhcp", "eth0", "--dhcp", "wlan0")
    _set(machine, _OURS[0], Access(0o640, (0, GROUP)))
    machine.install(*PAIR)
    assert _get(machine, _OURS[0]) == _get(machine, _OURS[1]) == Access(0o640, (0, GROUP))


def test_an_earlier_copy_that_was_too_open_is_closed_by_the_next_install(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    before = machine.shape()
    machine.install(*PAIR)
    _set(machine, _SOURCES[3], Access(0o640, (0, GROUP)))
    machine.install(*PAIR)
    assert _get(machine, _OURS[0]) == Access(0o640, (0, GROUP))
    machine.uninstall("--yes")
    _set(machine, _SOURCES[3], Access(0o644, (0, 0)))
    assert machine.shape() == before


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_config_behind_a_link_is_no_more_open_afterwards(tmp_path: Path, mode: int) -> None:
    machine = _machine(tmp_path)
    text = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
    machine.write("/etc/netfail-hooks/mine.toml", text, mode=mode)
    os.symlink("mine.toml", machine.paths.config)
    machine.install(*PAIR, "--interval", "7")
    assert os.lstat(machine.paths.config).st_mode & 0o7777 == mode
