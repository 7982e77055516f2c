"""install, uninstall, checks, hooks and the watch against each other at drawn moments, some killed.

A round begins on an installed machine or on one that is not, and starts a few at once. Then the
machine is installed as a whole or not at all, and a last uninstall gives back all that was there:
that is the check, and the begin of the next round. Mostly they wait, so several hosts race side by
side. ``pytest --races 1000`` takes half an hour; the seed is printed, ``--race-seed`` has it again.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.conftest import Tried
from tests.lab.kills import check
from tests.lab.suite import FILES, ROUTES, SETTINGS, shape, wait_shape

pytestmark = pytest.mark.faults
_HERE = {"PYTHONPATH": package_home(), "PYTHONDONTWRITEBYTECODE": "1"}
_COMMAND = [sys.executable, "-m", "netfail_hooks"]
_INSTALLS = (
    [*_COMMAND, "install", "--primary", "eth0", "--backup", "wlan0", "--yes"],
    [*_COMMAND, "install", "--primary", "wlan0", "--backup", "eth0", "--yes"],
)
_UNINSTALL = [*_COMMAND, "uninstall", "--yes"]
_KEEPING = [*_UNINSTALL, "--keep-config"]
_HOOK = ["/etc/networkd-dispatcher/routable.d/50-netfail-hooks"]
_EVENT, _FOREIGN = ({**_HERE, "IFACE": name} for name in ("eth0", "docker0"))
# The service manager's part: the socket that the watch inherits hears links and addresses.
_ACTIVATE = """
import os, socket, sys
heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
heard.bind((0, 277))
os.dup2(heard.fileno(), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""
_WATCH = "from netfail_hooks.watch import main; raise SystemExit(main())"
_AT_ONCE = (3, 6)
_WITHIN, _KILLED_WITHIN = (0.3, 2.5), 4.0  # seconds: all have begun; some have ended
_SPOILT = ("", "eth0", "wlan0")  # a gateway that is mute keeps who asks it for a second
_ALL = FILES + ROUTES + SETTINGS + "\nip rule; ip -6 rule\n"
_CONFIG, _NOTIFY = "/etc/netfail-hooks/config.toml", "/etc/netfail-hooks/notify.d/50-told"
_METRICS, _TOLD = "/var/lib/prometheus", "/run/lab/told"
_OWN = {
    _CONFIG: (
        f'watch = "fast"\n[metrics]\ntextfile = "{_METRICS}/netfail.prom"\n'
        '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
    ),
    _NOTIFY: f"#!/bin/sh\ncat >>{_TOLD}\n",
}


@dataclass(frozen=True)
class Racer:
    """A command line, when it starts, and when it is killed (0: not), in seconds."""

    argv: Sequence[str]
    event: str
    starts: float
    killed: float

    def __str__(self) -> str:
        how = f", killed after {self.killed:.2f}" if self.killed else ""
        return f"{self.starts:.2f}: {self.event} {' '.join(self.argv[-5:])[-160:]}{how}"


class Host:
    """A lab's host, installed and given back again and again, and what is drawn for it."""

    def __init__(self, lab: Lab, seed: str, *, own: bool) -> None:
        """With ``own`` its user has a config, metrics, and a hook that is told of transitions."""
        self.lab, self.own, self.seed = lab, own, seed
        self._draw = random.Random(seed)  # noqa: S311 - not for secrets
        lab.run("mkdir", "-p", _METRICS)
        self._write_own()
        self._before, self._files = sorted(shape(lab, _ALL)), sorted(shape(lab, FILES))
        assert lab.run(*_INSTALLS[0], environment=_HERE, seconds=60).returncode == 0
        timers = check(lab)
        watch = [*timers[:-1], f"import sys; sys.path.append({package_home()!r}); {_WATCH}"]
        heard = [sys.executable, "-c", _ACTIVATE, *watch]
        hooks = [(_HOOK, "eth0"), (_HOOK, "docker0")]
        runs = [([*_COMMAND, "check"], ""), (timers, ""), (watch, ""), (heard, "")]
        changes = [(argv, "") for argv in (*_INSTALLS, _UNINSTALL, _UNINSTALL, _KEEPING)]
        self._kinds = [*changes, *hooks, *runs]
        self._give_back([])

    def round(self, number: int) -> int:
        """Race once, and give all back; return how many raced."""
        lab, draw = self.lab, self._draw
        spoilt, installed = draw.choice(_SPOILT), draw.random() < 0.7
        told = [f"seed {self.seed}, round {number}: {spoilt or 'no'} gateway is mute, {installed=}"]
        first, racers = draw.choice(_INSTALLS), self._drawn()
        with lab.watch() as watch:
            if installed:
                lab.run(*first, environment=_HERE, seconds=60)
            if spoilt:
                lab.dead_gateway(spoilt)
            told += self._race(racers)
            if not any(racer.killed or racer.argv == _KEEPING for racer in racers):
                assert self._is_whole(), "\n".join(told)
            if spoilt:
                lab.alive_gateway(spoilt)
            self._give_back(told)
        assert watch.gaps(4) == [], "\n".join(told)
        return len(racers)

    def _drawn(self) -> list[Racer]:
        """Return who races in a round, in the order in which they start."""
        draw = self._draw
        within = draw.uniform(*_WITHIN)
        racers = []
        for _ in range(draw.randint(*_AT_ONCE)):
            argv, event = draw.choice(self._kinds)
            stays = _ACTIVATE in argv  # for 20 s, as long as there is something to hear
            killed = draw.uniform(0.1, _KILLED_WITHIN) if stays or draw.random() < 0.25 else 0
            racers.append(Racer(argv, event, draw.uniform(0, within), killed))
        return sorted(racers, key=lambda racer: racer.starts)

    def _race(self, racers: Sequence[Racer]) -> list[str]:
        """Run them all to their ends; return what each said."""
        began = time.monotonic()
        running: list[subprocess.Popen[bytes]] = []
        for racer in racers:
            time.sleep(max(0.0, began + racer.starts - time.monotonic()))
            limit = ["timeout", "--foreground", "--signal=KILL", str(racer.killed or 120)]
            event = _FOREIGN if racer.event == "docker0" else _EVENT
            running.append(self.lab.namespaces.popen([*limit, *racer.argv], environment=event))
        said = []
        for racer, process in zip(racers, running, strict=True):
            out, error = process.communicate()
            last = (error or out).decode().strip().splitlines()[-1:]
            said.append(f"{racer}: {process.returncode} {last}")
        return said

    def _is_whole(self) -> bool:
        """Tell whether files are as before install, or as some install has them."""
        if sorted(shape(self.lab, FILES)) == self._files:
            return True
        shown = [self.lab.run(*argv, "--dry-run", environment=_HERE).stdout for argv in _INSTALLS]
        return any(one.startswith("All is in place already.") for one in shown)

    def _give_back(self, told: Sequence[str]) -> None:
        """Uninstall; all must be as before, and nobody was told anything that is not whole."""
        lab = self.lab
        done = lab.run(*_UNINSTALL, environment=_HERE, seconds=90)
        assert done.returncode == 0, "\n".join([*told, done.stderr])
        if any(racer in " ".join(told) for racer in ("--keep-config", "killed")):
            self._write_own()  # what was kept once is the user's, however it was made
        try:
            wait_shape(lab, self._before, _ALL, seconds=5)
        except AssertionError as other:
            raise AssertionError("\n".join([*told, done.stderr, str(other)])) from None
        for line in lab.read(_TOLD).splitlines():
            json.loads(line)

    def _write_own(self) -> None:
        if self.own:
            self.lab.write(_CONFIG, _OWN[_CONFIG])
            self.lab.write(_NOTIFY, _OWN[_NOTIFY], mode=0o755)
        else:
            self.lab.run("rm", "-rf", "/etc/netfail-hooks")


def test_races_end_whole(
    make_lab: Callable[..., Lab], tried: Tried, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("race_seed") or random.randrange(1 << 32)  # noqa: S311
    rounds = request.config.getoption("races")
    number = min(rounds, request.config.getoption("race_hosts"))
    hosts = [Host(make_lab(), f"{seed}-{at}", own=at % 2 == 1) for at in range(number)]

    def race(host: Host) -> str:
        for at in range(rounds // number):
            try:
                racers.append(host.round(at))
            except AssertionError as broken:
                return str(broken)
        return ""

    racers: list[int] = []
    with ThreadPoolExecutor(number) as pool:
        broken = list(pool.map(race, hosts))
    tried("rounds of races", len(racers))
    tried("races of install, uninstall, checks, hooks and watches", sum(racers))
    assert not any(broken), "\n\n".join(filter(None, broken))
