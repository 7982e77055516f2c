"""A throw-away host with a LAN around it, for tests, ``demo`` and ``replay --sandbox``.

    with Lab() as lab:
        lab.write_files(lab.howto_files())
        lab.start()
        lab.cable_out("eth0")

The host is real: the kernel, dbus, systemd-networkd and networkd-dispatcher of this machine, in
namespaces of their own. Nothing outside is touched, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from netfail_hooks import sandbox_lan
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.paths import Paths
from netfail_hooks.sandbox_bare import Bare
from netfail_hooks.sandbox_holder import (
    LOGS, Daemon, Holder, missing, package_home, read_text, until,
)  # fmt: skip
from netfail_hooks.sandbox_lan import Plug
from netfail_hooks.sandbox_networkd import NEEDED, Networkd

if TYPE_CHECKING:
    from netfail_hooks.pulse import Pulse
    from netfail_hooks.sandbox_watch import Watch

_NAMESPACES = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}


def why_not_real() -> str:
    """Return why this machine cannot have a lab with the real networkd, "" if it can."""
    if os.geteuid() != 0:
        return "not root"
    lacking = sorted(set(missing(NEEDED)))
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Lab:
    """A host with uplinks, each in a socket of the LAN.

    ``uplinks`` are interface names; ``segments`` puts some in a LAN of their own, such as
    ``{"wlan0": 1}`` for 10.0.1.0/24. ``bare`` is the variant with neither dbus nor networkd, in
    a user namespace unless we are root. ``dad`` keeps IPv6's duplicate address detection.
    Raises Problem where it cannot be built.
    """

    def __init__(
        self,
        uplinks: Sequence[str] = ("eth0", "wlan0"),
        *,
        segments: Mapping[str, int] | None = None,
        bare: bool = False,
        dad: bool = False,
    ) -> None:
        lacking = missing(_NAMESPACES | ({} if bare else NEEDED))
        if lacking:
            raise Problem("lab: not installed: " + ", ".join(sorted(set(lacking))),
                          hint="install them with the distribution's package manager")  # fmt: skip
        if not bare and os.geteuid() != 0:
            raise NotPermitted("lab: only root can run systemd-networkd in it", hint="use sudo")
        placed = segments or {}
        self.plugs = {name: Plug(name, rank, placed.get(name, 0))
                      for rank, name in enumerate(uplinks)}  # fmt: skip
        script = sandbox_lan.build(tuple(self.plugs.values()), dad=dad)
        self.holder = Holder(script, user=os.geteuid() != 0)
        self.networkd = None if bare else Networkd(self.holder)
        self.bare = Bare(self.holder, self.plugs) if bare else None
        self._dhcp: Daemon | None = None
        self._plugged = 0
        self._down: dict[str, set[str]] = {name: set() for name in self.plugs}
        self.history: list[tuple[float, frozenset[str]]] = []
        self._note()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything in it and wait until the kernel has taken it down."""
        self.holder.close()
        if self.networkd is not None:
            self.networkd.release()
        if self._dhcp is not None:
            self._dhcp.release()

    # Files and commands of the host

    @property
    def root(self) -> str:
        """Return where the host's files are seen from outside."""
        return self.holder.root

    @property
    def paths(self) -> Paths:
        """Return the host's files as the rest of the package names them."""
        return Paths(self.root)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of the host, and the directories above it."""
        inside = self.root + path
        os.makedirs(os.path.dirname(inside), mode=0o755, exist_ok=True)
        with open(inside, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(inside, mode)

    def write_files(self, files: Mapping[str, str]) -> None:
        """Write several files of the host, by path."""
        for path, text in files.items():
            self.write(path, text)

    def read(self, path: str) -> str:
        """Return the text of a file of the host, "" where there is none."""
        return read_text(self.root + path)

    def howto_files(self) -> dict[str, str]:
        """Return the plain files that how-to's tell people to write: no metric, no option."""
        return {
            f"/etc/systemd/network/20-{plug.name}.network":
            f"[Match]\nName={plug.name}\n\n[Network]\nAddress={plug.host}/24\n"
            f"Gateway={sandbox_lan.gateway(plug.segment)}\n"
            f"DNS={sandbox_lan.gateway(plug.segment)}\n"
            for plug in self.plugs.values()
        }  # fmt: skip

    def run(
        self, *argv: str, seconds: float = 30, stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command on the host to its end."""
        return self.holder.run(argv, seconds=seconds, stdin=stdin, environment=environment)

    def run_lan(self, *argv: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command on the LAN's router."""
        return self.holder.run(argv, netns="lan", seconds=seconds)

    def run_station(self, *argv: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command on the other host of the LAN."""
        return self.holder.run(argv, netns="station", seconds=seconds)

    def netfail(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run our command line on the host."""
        return self.run(sys.executable, "-m", "netfail_hooks", *arguments, seconds=seconds,
                        environment={"PYTHONPATH": package_home()})  # fmt: skip

    # Services

    def start(self, *, routable: bool = True) -> None:
        """Start the host's network manager; wait until each uplink is routable, unless told not to."""
        if self.networkd is not None:
            self.networkd.start()
        elif self.bare is not None:
            self.bare.start()
        if routable:
            self.wait_routable(*self.plugs)

    def restart_networkd(self) -> None:
        """Restart systemd-networkd, the dispatcher staying."""
        self._real().restart_networkd()

    def wait_routable(self, *interfaces: str, seconds: float = 15) -> None:
        """Wait until networkd calls these routable.

        ``configured`` comes up to 12 s later where no router advertises: networkd waits for one.
        """
        if self.networkd is not None:
            self.wait_state("routable", *interfaces, seconds=seconds)

    def wait_state(self, state: str, *interfaces: str, seconds: float = 15) -> None:
        """Wait until these uplinks' administrative or operational state is ``state``."""
        real = self._real()
        for name in interfaces:
            try:
                until(lambda name=name: state in real.states(name),  # type: ignore[misc]
                      f"{name} {state}", seconds=seconds)  # fmt: skip
            except Problem as problem:
                raise Problem(f"{problem}, but {real.states(name)}\n{self.logs()}") from None

    def logs(self) -> str:
        """Return all that the daemons and hooks said, for a failed test's message."""
        names = sorted(os.listdir(self.root + LOGS))
        return "\n".join(f"--- {name}\n{self.read(f'{LOGS}/{name}')}"
                         for name in names if name.endswith(".log"))  # fmt: skip

    def start_dhcp(self) -> None:
        """Let the first segment's router give out addresses: DHCP, and router advertisements."""
        lacking = missing({"dnsmasq": "dnsmasq-base"})
        if lacking:
            raise Problem("lab: not installed: " + ", ".join(lacking))
        hosts = [f"--dhcp-host={plug.mac},{plug.host}" for plug in self.plugs.values()]
        self._dhcp = Daemon(
            self.holder, "dnsmasq",
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
             "--interface=lan0", "--except-interface=lo", "--user=root", "--log-facility=-",
             "--dhcp-leasefile=/run/lab/leases", "--pid-file=", "--no-ping", "--log-dhcp",
             "--dhcp-range=192.168.1.100,192.168.1.200,255.255.255.0,2m", *hosts,
             f"--dhcp-option=option:router,{sandbox_lan.gateway(0)}",
             f"--dhcp-range={sandbox_lan.network6(0)}::,ra-only", "--enable-ra"],
            netns="lan",
        )  # fmt: skip

    def _real(self) -> Networkd:
        if self.networkd is None:
            raise Problem("lab: the bare variant has no networkd")
        return self.networkd

    # Faults, and their mending. Each returns once the kernel has done it.

    def cable_out(self, name: str) -> None:
        """Pull the cable: the carrier goes."""
        self._lose(name, "cable")
        self._ip(f"ip -n lan link set {self.plugs[name].port} down")
        self._told(name, "no-carrier")

    def cable_in(self, name: str) -> None:
        """Plug the cable in again."""
        self._ip(f"ip -n lan link set {self.plugs[name].port} up")
        self._regain(name, "cable")
        self._told(name, "routable")

    def dead_gateway(self, name: str) -> None:
        """Leave the link up with nothing behind it: no event comes."""
        self._lose(name, "gateway")
        self._ip(f"ip -n lan link set {self.plugs[name].port} master dead")

    def alive_gateway(self, name: str) -> None:
        """Put the LAN behind the link again."""
        plug = self.plugs[name]
        self._ip(f"ip -n lan link set {plug.port} master lan{plug.segment}")
        self._regain(name, "gateway")

    def link_down(self, name: str) -> None:
        """Take the interface down, as an administrator would."""
        self._lose(name, "link")
        self._ip(f"ip link set {name} down")
        self._told(name, "off")

    def link_up(self, name: str) -> None:
        """Take the interface up again."""
        self._ip(f"ip link set {name} up")
        self._regain(name, "link")
        self._told(name, "routable")

    def remove(self, name: str) -> None:
        """Pull the adapter itself: the interface is gone."""
        self._lose(name, "adapter")
        self._ip(f"ip link delete {name}")
        self._told(name, "linger")

    def plug(self, name: str) -> None:
        """Plug the adapter in again: the same hardware address, a new interface."""
        self._plugged += 1
        plug = self.plugs[name]
        self._ip("\n".join(sandbox_lan.connect(plug, index=self._plugged)))
        self._regain(name, "adapter")
        self._told(name, "routable")

    def drop_address(self, name: str) -> None:
        """Take the uplink's own IPv4 address away, as an expired lease does."""
        self._lose(name, "address")
        self._ip(f"ip address delete {self.plugs[name].host}/24 dev {name}")
        self._told(name, "degraded")

    def return_address(self, name: str) -> None:
        """Give the uplink its IPv4 address back, by asking its manager to configure it."""
        if self.networkd is not None:
            self._ip(f"networkctl reconfigure {name}")
        self._regain(name, "address")
        self._told(name, "routable")

    def alive(self) -> frozenset[str]:
        """Return the uplinks that nothing has been done to."""
        return frozenset(name for name, faults in self._down.items() if not faults)

    def _lose(self, name: str, what: str) -> None:
        self._down[name].add(what)
        self._note()

    def _regain(self, name: str, what: str) -> None:
        self._down[name].discard(what)
        self._note()

    def _note(self) -> None:
        self.history.append((time.monotonic(), self.alive()))

    def _told(self, name: str, state: str) -> None:
        if self.bare is not None:
            self.bare.told(name, state)

    def _ip(self, script: str) -> None:
        done = self.run("sh", "-ec", script)
        if done.returncode != 0:
            raise Problem(f"lab: {script}: {done.stderr.strip()}")

    # Our own part

    def tick(self) -> subprocess.CompletedProcess[str]:
        """Run one check as the timer would: what the installed service's ExecStart= says."""
        for line in self.read("/etc/systemd/system/netfail-hooks-check.service").splitlines():
            if line.startswith("ExecStart="):
                return self.run(*shlex.split(line.removeprefix("ExecStart=")))
        code = (f"import sys; sys.path.append({package_home()!r}); "
                "from netfail_hooks.check import main; sys.exit(main())")  # fmt: skip
        return self.run(sys.executable, "-I", "-c", code)

    @contextlib.contextmanager
    def timer(self, interval: float) -> Iterator[None]:
        """Run a check every ``interval`` seconds meanwhile."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(interval):
                self.tick()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def pulse(self, **options: bool) -> Pulse:
        """Return a measurement of what gets through; see :class:`netfail_hooks.pulse.Pulse`."""
        from netfail_hooks.pulse import Pulse

        return Pulse(self, **options)

    def watch(self) -> Watch:
        """Return a record of the routes; see :class:`netfail_hooks.sandbox_watch.Watch`."""
        from netfail_hooks.sandbox_watch import Watch

        return Watch(self)
