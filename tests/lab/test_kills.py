"""kill -9 at every system call that changes something: the next run of the same repairs.

There is a default route all the while, and what a killed run leaves is whole: each file is as
it was before or as it is to be. ``pytest --every-kill-point`` kills install and uninstall at
each of their calls too, which takes 12 minutes with ``-n 3``; else they are sampled.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

import pytest

from netfail_hooks.install import manifest, nodes
from netfail_hooks.install.nodes import Node
from netfail_hooks.lab import Lab
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.policy import state as state_file
from tests.conftest import Tried
from tests.lab.kills import Call, check, interrupt, kill, points, trace
from tests.lab.suite import ROUTES, SETTINGS, install, shape, wait, wait_operational
from tests.lab.test_ipv6 import dual_stack

pytestmark = pytest.mark.faults
_HOOK = "/etc/networkd-dispatcher/no-carrier.d/50-netfail-hooks"
_EVENT = {"IFACE": "eth0"}
_OTHERS_EVENT = {"IFACE": "veth7"}  # which the shell lets by only while there is news of an uplink
_LOG = "/var/log/netfail-hooks/events.jsonl"
_LOG_BYTES = 100_000  # far more than a run writes: a log that is empty is not rotated
_FILLING = json.dumps(
    {"before": {"active": []}, "active": {"ipv4": ""}, "filling": "x" * _LOG_BYTES}
)
_HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
_COMMAND = [sys.executable, "-m", "netfail_hooks"]
_INSTALL = [*_COMMAND, "install", "--primary", "eth0", "--backup", "wlan0", "--yes"]
_UNINSTALL = [*_COMMAND, "uninstall", "--yes"]
_SAMPLE = 2  # of install, and as many of uninstall, beside those while networkd is at work
_MESSAGE = re.compile(r'=NULL.*?iov_base="[^"]{1,4}(?:\\0){3}(\\\d+)')  # nlmsg_type, netlink(7)
_SHARES = 20  # that a run of all points is cut into, each with a lab of its own


@pytest.fixture
def dual(make_lab: Callable[..., Lab]) -> Lab:
    """Return a host with IPv6, whose addresses are moved by the hook."""
    return dual_stack(make_lab)


def _carrier(lab: Lab, *, there: bool) -> None:
    """Pull eth0's cable or put it in; return once the kernel says so."""
    (lab.cable_in if there else lab.cable_out)("eth0")
    wait_operational(lab, "eth0", "up" if there else "down")


def _standing(lab: Lab) -> list[str]:
    """Return the host's routes and addresses, and what is remembered but for its times."""
    kept = state_file.parse(lab.read("/run/netfail-hooks/state"))
    thought = [f"{one.interface} {one.family} {one.state}" for one in kept.uplinks]
    thought += [f"{one.family} by {one.interface}" for one in kept.active]
    thought += [f"{one.address} of {one.interface}" for one in kept.known_addresses]
    thought += [f"{one.address} is with {one.interface}" for one in kept.owners]
    return [*sorted(shape(lab, ROUTES)), *thought]


def _recorded(lab: Lab) -> list[tuple[str, str]]:
    """Return who carried IPv4 before and after each recorded run; every line must be whole."""
    found = []
    for line in "".join(lab.read(place) for place in (f"{_LOG}.1", _LOG)).splitlines():
        entry = json.loads(line)
        before = [one["interface"] for one in entry["before"]["active"] if one["family"] == 4]
        found.append(("".join(before), entry["active"]["ipv4"]))
    return found


def _refuse_halves(lab: Lab) -> None:
    """Fail if a killed run left half of something that the next one reads."""
    for name in ("state", "config"):
        text = lab.read(f"/run/netfail-hooks/{name}")
        assert not text or text.endswith("\nend\n"), f"{name}: {text}"
    state = lab.read("/run/netfail-hooks/state")
    assert not state or state_file.parse(state)
    _recorded(lab)


class Scene:
    """A fault whose run is killed, and what is to be so once the next one has run.

    With ``rotates`` the log is full, so that the run begins a new one; else it is empty. By an
    ``event`` of somebody else's interface the config is compiled already, or none would be refused.
    """

    def __init__(
        self,
        lab: Lab,
        argv: Sequence[str],
        move: tuple[str, str],
        *,
        rotates: bool = False,
        event: Mapping[str, str] = _EVENT,
    ) -> None:
        self.lab, self.argv, self.move = lab, argv, move
        self.rotates, self.event = rotates, event
        self._begin()
        calls = trace(lab, argv, event)
        assert any(call.text.endswith(f'"{_LOG}.1"') for call in calls) is rotates
        self.calls = points(calls)
        self.wanted = _standing(lab)

    def _begin(self) -> None:
        _carrier(self.lab, there=self.move[1] == "eth0")
        # A run makes the calls that were traced only if it finds all as it was then: without
        # ``received`` the shell complains of it, to nobody.
        compiled = [Paths().compiled_config] if self.event == _EVENT else []
        self.lab.run("rm", "-f", *compiled, Paths().received, _LOG, f"{_LOG}.1")
        if self.rotates:
            self.lab.write(_LOG, f"{_FILLING}\n")

    def play(self, at: Call) -> None:
        """Let it come, kill the run, run again."""
        self._begin()
        kill(self.lab, self.argv, at, self.event)
        _refuse_halves(self.lab)
        done = self.lab.run(*self.argv, environment=self.event)
        assert done.returncode == 0, f"{at}: {done.stderr}"
        assert _standing(self.lab) == self.wanted, f"after a kill at {at}"
        assert self.move in _recorded(self.lab), f"not recorded after a kill at {at}"
        left = [
            one for one in os.listdir(f"{self.lab.root}/run/netfail-hooks") if one.endswith(".tmp")
        ]
        # What counts transitions is written, and half of it swept away, at the next one.
        assert len(left) <= sum(one.startswith("counters.") for one in left) <= 1, f"{at}: {left}"


def test_a_killed_hook_and_a_killed_check_are_repaired_by_the_next(dual: Lab, tried: Tried) -> None:
    install(dual, hold_down=0, more=f"successes = 1\n[log]\nmax_bytes = {_LOG_BYTES}\n")
    assert dual.networkd is not None
    dual.networkd.stop_dispatcher()
    # The first check since boot also notes networkd's files, and that no event will come.
    dual.run(*check(dual)).check_returncode()
    with dual.watch() as watch:
        lost = Scene(dual, [_HOOK], ("eth0", "wlan0"), rotates=True)
        back = Scene(dual, check(dual), ("wlan0", "eth0"))
        told = Scene(dual, [_HOOK], ("eth0", "wlan0"), event=_OTHERS_EVENT)
        losses = [(lost, call) for call in lost.calls]
        losses += [(told, call) for call in (*told.calls[::6], *told.calls[-2:])]
        for loss, other in zip_longest(losses, back.calls):
            for scene, at in ((back, other or back.calls[0]), loss or losses[0]):
                tried("kill points: hook and check", 1)
                scene.play(at)
    assert (watch.gaps(4), watch.gaps(6)) == ([], [])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut the points of install and uninstall into shares where all are wanted."""
    if "share" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_kill_point")
        metafunc.parametrize("share", range(_SHARES) if every else [None])


def _files(lab: Lab) -> dict[str, Node]:
    """Return every file and link that somebody reads by its name, but for the manifest."""
    found: dict[str, Node] = {}
    for top in ("/etc", "/var/lib/netfail-hooks"):
        for folder, _, names in os.walk(lab.root + top):
            for name in names:
                node = nodes.read(f"{folder}/{name}")
                if node and not name.endswith(".netfail-new") and name != "manifest.json":
                    found[f"{folder}/{name}".removeprefix(lab.root)] = node
    return found


def _kernel(lab: Lab) -> list[str]:
    return sorted(shape(lab, ROUTES + SETTINGS))


class Life:
    """A machine that is installed and uninstalled again and again, each killed once."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.unmanaged = (_files(lab), _kernel(lab))
        self.installs = points(trace(lab, _INSTALL, _HERE))
        self.full = (_files(lab), _kernel(lab))
        self.uninstalls = points(trace(lab, _UNINSTALL, _HERE))
        self.expect(self.unmanaged, "uninstall")

    def kill(self, argv: Sequence[str], at: Call, wanted: tuple[dict[str, Node], list[str]]) -> int:
        """Kill a command, then run it to its end; return how many changes it had made."""
        done = kill(self.lab, argv, at, _HERE)
        for path, node in _files(self.lab).items():
            assert node in (self.unmanaged[0].get(path), self.full[0].get(path)), f"{path}: {at}"
        manifest.load(self.lab.paths)
        again = self.lab.run(*argv, environment=_HERE, seconds=60)
        assert again.returncode == 0, f"after a kill at {at}: {again.stderr}"
        self.expect(wanted, f"a kill at {at}")
        return done

    def expect(self, wanted: tuple[dict[str, Node], list[str]], why: str) -> None:
        """Fail unless the machine is, or soon will be, as ``wanted``."""
        files, kernel = wanted
        found = _files(self.lab)
        differing = {path for path in files | found if files.get(path) != found.get(path)}
        assert not differing, f"after {why}"
        wait(lambda: _kernel(self.lab) == kernel, f"routes as wanted after {why}")
        # As above: half of a tally goes when a whole one is written, at the next transition.
        leftover = self.lab.run(
            "find",
            "/etc",
            "/var/lib",
            "/run/netfail-hooks",
            "-name",
            "*.netfail-new",
            "-o",
            "-name",
            "*.tmp",
            "-not",
            "-name",
            "counters.*",
        ).stdout
        assert not leftover, f"after {why}"


def _chosen(calls: list[Call], share: int | None) -> list[Call]:
    """Return a share of the points; or an evenly spaced sample, and where networkd is at work."""
    if share is None:
        spaced = [calls[(2 * n + 1) * len(calls) // (2 * _SAMPLE)] for n in range(_SAMPLE)]
        return [*spaced, *_halfway(calls)]
    return calls[share::_SHARES]


def _halfway(calls: list[Call]) -> list[Call]:
    """Return a call of each kind that comes while a file is in place and networkd is not done.

    By turns at the first uplink and at the last one: then no step is left when it is killed.
    """
    uplinks: list[dict[str, Call]] = []
    inside = False
    for call in calls:
        if inside:
            message = _MESSAGE.search(call.text)
            uplinks[-1].setdefault(call.name + (message[1] if message else ""), call)
        elif call.text.endswith('.network"'):
            uplinks.append({})
            inside = True
        inside = inside and "/pending." not in call.text
    first, last = uplinks[0], uplinks[-1]
    return [
        (last if turn % 2 else first).get(kind, call)
        for turn, (kind, call) in enumerate(first.items())
    ]


def test_killed_install_and_uninstall_are_finished_by_the_next(
    dual: Lab, tried: Tried, share: int | None
) -> None:
    life = Life(dual)
    with dual.watch() as watch:
        installs = _chosen(life.installs, share)
        for one, other in zip_longest(installs, _chosen(life.uninstalls, share)):
            tried("kill points: install", 1)
            life.kill(_INSTALL, one or installs[0], life.full)
            tried("kill points: uninstall", 1)
            life.kill(_UNINSTALL, other or life.uninstalls[-1], life.unmanaged)
    assert (watch.gaps(4), watch.gaps(6)) == ([], [])


def test_an_interrupted_install_leaves_all_as_it_was_and_a_way_out_all_the_while(dual: Lab) -> None:
    life = Life(dual)
    reload = [call for call in life.installs if call.name == "vfork"][-1]
    with dual.watch() as watch:
        interrupt(dual, _INSTALL, reload, _HERE)
        life.expect(life.unmanaged, "an interrupt")
    assert (watch.gaps(4), watch.gaps(6)) == ([], [])
