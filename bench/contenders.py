"""Who is compared: how each is set up, what of it stays in memory, what it does in rounds."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from bench import bonds, networkmanager
from bench.faults import CABLE, DEAD, IDLE
from bench.packages import program
from bench.stage import NETWORK, ROUTER, Stage
from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab
from netfail_hooks.lab.namespaces import until
from netfail_hooks.lab.topology import FAR

_HERE = os.path.dirname(os.path.abspath(__file__))
_NEEDS = ("networkd", "dispatcher")  # of ours
_CHECK, _SOCKET = "netfail-hooks-check.service", "netfail-hooks-watch.socket"
_SOMEBODY = "ip neigh replace 192.168.1.251 dev eth0 nud stale; ip neigh del 192.168.1.251 dev eth0"


def _nothing(_: Stage) -> AbstractContextManager[object]:
    return contextlib.nullcontext()


def _no_round(_: Stage) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to fail over.

    ``prepare`` sets it up, ``work`` is what has to go on meanwhile; ``resident`` are the daemons
    that are there because of it, ``needs`` those that it only uses. It finds a fault that nothing
    tells of at a place in ``period`` seconds; ``every`` so often, by default the same, it runs
    ``rounds`` commands such as ``a_round``, which end. Unless it ``prefers`` an uplink,
    traffic need not return. ``way`` tells which one carries it. ``only``: all but these faults
    it meets just as another contender does. ``booted``: it needs the service manager, and the
    kernel to turn to the neighbours that it watches every ``probing`` milliseconds.
    """

    key: str
    title: str
    prepare: Callable[[Stage], None]
    work: Callable[[Stage], AbstractContextManager[object]] = _nothing
    resident: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    period: float = 0.0
    every: float = 0.0
    rounds: int = 0
    a_round: Callable[[Stage], Sequence[str]] = _no_round
    prefers: bool = True
    way: Callable[[Lab], str] = Lab.used_uplink
    only: tuple[str, ...] = ()
    bond: bool = False
    ours: bool = False
    booted: bool = False
    probing: int = 0


def _howto(stage: Stage) -> None:
    """Write the two files that how-to's tell, and no more."""
    stage.lab.write_files(stage.lab.howto_files())
    stage.start()
    stage.wait_for_way()


def _metrics(stage: Stage) -> None:
    """Give the how-to's files a metric for each default and connected route."""
    for port, path in zip(stage.lab.ports.values(), stage.lab.howto_files(), strict=True):
        metric = 600 if port.rank else 100
        lines = (
            f"[Match]\nName={port.name}\n\n[Network]\nDNS={ROUTER}\n\n"
            f"[Address]\nAddress={port.host}/24\nRouteMetric={metric}\n\n"
            f"[Route]\nGateway={ROUTER}\nMetric={metric}\n"
        )
        stage.lab.write(path, lines)
    stage.start()
    stage.wait_for_way()


def _hook(stage: Stage) -> None:
    """Start the shell hook; it sets the routes at once."""
    words = stage.by_hand()
    stage.daemon("hook", ["bash", f"{_HERE}/carrier-hook.sh", NETWORK, ROUTER, *words])
    stage.wait_for_way()


def _ping_loop(stage: Stage) -> None:
    """Start the ping loop; it sets the routes at once."""
    ping = program("ping", "iputils-ping")
    words = stage.by_hand()
    path = f"{os.path.dirname(ping.path)}:/usr/sbin:/usr/bin:/sbin:/bin"
    stage.daemon(
        "ping-loop",
        ["bash", f"{_HERE}/ping-loop.sh", FAR, NETWORK, ROUTER, *words],
        environment={"PATH": path, **ping.environment},
    )
    stage.wait_for_way()


def _a_ping(stage: Stage) -> Sequence[str]:
    ping = program("ping", "iputils-ping")
    device = next(iter(stage.lab.ports))
    return ["sh", "-c", '"$@"; sleep 0', "sh", ping.path, "-q", "-c1", "-W4", "-I", device, FAR]


def ours(config: str, each: str = "") -> Callable[[Stage], None]:
    """Return what sets ours up in mode ``routes``, with these settings ahead of the uplinks."""

    def prepare(stage: Stage) -> None:
        """Take the how-to's files over, as somebody who installs us would."""
        _howto(stage)
        names = stage.lab.ports
        uplinks = "".join(f'[[uplink]]\ninterface = "{name}"\n{each}' for name in names)
        stage.lab.write("/etc/netfail-hooks/config.toml", config + uplinks)
        done = stage.lab.netfail("install", "--yes", "--primary", "eth0", "--backup", "wlan0")
        if done.returncode:
            raise Problem(f"install: {done.stderr.strip()}")
        stage.wait_for_way()
        stage.lab.run("systemctl", "start", _CHECK).check_returncode()
        # A neighbour of no concern, as any LAN has one: the first word sets the filter.
        stage.lab.run("sh", "-c", _SOMEBODY)
        until(lambda: "managed" in stage.lab.run("ip", "-d", "neigh").stdout, "watched gateway")
        until(lambda: _listens(stage), "rest", seconds=20)

    return prepare


def _listens(stage: Stage) -> bool:
    asked = ("systemctl", "show", "--value", "--property=SubState", _SOCKET)
    return stage.lab.run(*asked).stdout == "listening\n"


def _timer(interval: int) -> Callable[[Stage], AbstractContextManager[object]]:
    return lambda stage: stage.lab.timer(interval)


def _a_check(stage: Stage) -> Sequence[str]:
    lines = stage.lab.read(f"/etc/systemd/system/{_CHECK}").splitlines()
    command = next(line for line in lines if line.startswith("ExecStart="))
    return shlex.split(command.removeprefix("ExecStart="))


def _routes(key: str, title: str, config: str, *only: str, probing: int = 1000) -> Contender:
    return Contender(
        key,
        title,
        ours(config),
        needs=_NEEDS,
        period=probing / 1000,
        every=60,
        rounds=1,
        a_round=_a_check,
        only=only,
        ours=True,
        booted=True,
        probing=probing,
    )


CONTENDERS = (
    Contender("howto", "two .network files", _howto, needs=("networkd",), prefers=False),
    Contender("metrics", "networkd with metrics", _metrics, needs=("networkd",)),
    Contender("hook", "shell hook on carrier", _hook, resident=("hook",)),
    Contender(
        "ping",
        "ping loop, mwan3's defaults",
        _ping_loop,
        resident=("ping-loop",),
        period=10,
        rounds=2,
        a_round=_a_ping,
    ),
    Contender("nm", "NetworkManager", networkmanager.prepare, resident=("nm",)),
    Contender(
        "bond",
        "bond as published",
        bonds.files(),
        needs=("networkd",),
        prefers=False,
        way=bonds.active,
        bond=True,
    ),
    Contender(
        "mii", "bond, MII 100 ms", bonds.mii, needs=("networkd",), way=bonds.active, bond=True
    ),
    _routes("ours", "netfail-hooks", ""),
    _routes(
        "oursfast", 'netfail-hooks, watch = "fast"', 'watch = "fast"\n', DEAD, IDLE, probing=200
    ),
    _routes("oursquiet", "netfail-hooks, interval 0", "[check]\ninterval = 0\n", CABLE),
    replace(
        _routes("ourslines", "netfail-hooks, lines measured", "", "none"),
        prepare=ours("", "loss_max = 10\nlatency_max = 300\nwindow = 60\n"),
        every=5,
    ),
    Contender(
        "oursbond",
        "netfail-hooks, mode bond",
        bonds.ours,
        _timer(5),
        needs=_NEEDS,
        way=bonds.active,
        bond=True,
        ours=True,
    ),
)
TITLES = {contender.key: contender.title for contender in CONTENDERS}
OURS = tuple(contender.key for contender in CONTENDERS if contender.ours)
