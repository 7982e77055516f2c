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
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.lab import topology
from netfail_hooks.lab.faults import Faults
from netfail_hooks.lab.namespaces import Daemon, Namespaces, missing, until
from netfail_hooks.lab.networkd import NEEDED, Networkd
from netfail_hooks.lab.topology import Port
from netfail_hooks.lab.traffic import Traffic
from netfail_hooks.lab.unmanaged import Unmanaged
from netfail_hooks.lab.watch import Watch
from netfail_hooks.paths import package_home
from netfail_hooks.terminal import typed

_PACKAGES = "install with the distribution's package manager"
_NO_HARM = "nothing of this machine was changed; '{}' needs nothing of that"
_NAMESPACES = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}


def why_not_real() -> str:
    """Return why this machine cannot have a lab with the real networkd, "" if it can."""
    if os.geteuid() != 0:
        return "not root"
    lacking = missing(NEEDED)
    return f"not installed: {', '.join(lacking)}" if lacking else ""


@contextlib.contextmanager
def harmless() -> Iterator[None]:
    """Say of a lab that cannot be built, or breaks, that the machine's own network is as it was."""
    try:
        yield
    except Problem as problem:
        problem.hint = problem.hint or _NO_HARM.format(typed.install())
        raise


class Lab(Faults):
    """A host with uplinks, each in a socket of the LAN.

    ``uplinks`` are interface names, the first with the address .252; ``segments`` puts some in
    a LAN of their own, such as ``{"wlan0": 1}`` for 10.0.1.0/24. ``unmanaged`` is the variant with
    neither dbus nor networkd, in a user namespace unless we are root. ``dad`` keeps IPv6's
    duplicate address detection. Raises Problem where it cannot be built.
    """

    def __init__(
        self,
        uplinks: Sequence[str] = ("eth0", "wlan0"),
        *,
        segments: Mapping[str, int] | None = None,
        unmanaged: bool = False,
        dad: bool = False,
    ) -> None:
        _refuse(unmanaged=unmanaged)
        placed = segments or {}
        ports = {name: Port(name, rank, placed.get(name, 0)) for rank, name in enumerate(uplinks)}
        script = topology.build(tuple(ports.values()), dad=dad)
        namespaces = Namespaces(script, user=os.geteuid() != 0)
        self.networkd = None if unmanaged else Networkd(namespaces)
        self._dhcp: Daemon | None = None
        super().__init__(namespaces, ports, Unmanaged(namespaces, ports) if unmanaged else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything in it and wait until the kernel has taken it down."""
        if self.networkd is not None:
            self.networkd.thaw()
        self.namespaces.close()
        if self.networkd is not None:
            self.networkd.release()
        if self._dhcp is not None:
            self._dhcp.release()

    def howto_files(self) -> dict[str, str]:
        """Return the plain files that how-to's tell people to write: no metric, no option."""
        files = {}
        for port in self.ports.values():
            router = topology.gateway(port.segment)
            files[f"/etc/systemd/network/20-{port.name}.network"] = (
                f"[Match]\nName={port.name}\n\n"
                f"[Network]\nAddress={port.host}/24\nGateway={router}\nDNS={router}\n"
            )
        return files

    def start(self, *, routable: bool = True) -> None:
        """Start the host's network manager; wait until each uplink is routable, or don't."""
        if self.networkd is not None:
            self.networkd.start()
        elif self.unmanaged is not None:
            self.unmanaged.start()
        if routable:
            self.wait_routable(*self.ports)

    def restart_networkd(self) -> None:
        """Restart systemd-networkd, the dispatcher staying."""
        self._real().restart_networkd()

    def wait_routable(self, *interfaces: str, seconds: float = 60) -> None:
        """Wait until networkd calls these routable.

        ``configured`` comes up to 12 s later where no router advertises: networkd waits for one.
        """
        if self.networkd is not None:
            self.wait_state("routable", *interfaces, seconds=seconds)

    def wait_state(self, state: str, *interfaces: str, seconds: float = 60) -> None:
        """Wait until these uplinks' administrative or operational state is ``state``."""
        real = self._real()
        for name in interfaces:
            try:
                until(
                    lambda name=name: state in real.states(name),  # type: ignore[misc]
                    f"{name} {state}",
                    seconds=seconds,
                )
            except Problem as problem:
                raise Problem(f"{problem}, but {real.states(name)}\n{self.logs()}") from None

    def start_dhcp(self, *options: str, segment: int = 0, ranges: Sequence[str] = ()) -> None:
        """Let a segment's router give out addresses: DHCP, and router advertisements.

        Each uplink gets the IPv4 address of its port, by its hardware address, for two minutes.
        ``options`` are more of DHCP's, as dnsmasq's --dhcp-option has them, ``ranges`` more of what
        it gives out, as its --dhcp-range has them.
        """
        lacking = missing({"dnsmasq": "dnsmasq-base"})
        if lacking:
            raise Problem(f"lab: not installed: {', '.join(lacking)}", hint=_PACKAGES)
        hosts = [f"--dhcp-host={port.mac},{port.host}" for port in self.ports.values()]
        lan = topology.network(segment)
        self._dhcp = Daemon(
            self.namespaces,
            "dnsmasq",
            [
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=0",
                f"--interface=lan{segment}",
                "--except-interface=lo",
                "--user=root",
                "--log-facility=-",
                "--log-dhcp",
                "--dhcp-leasefile=/run/lab/leases",
                "--pid-file=",
                "--no-ping",
                f"--dhcp-range={lan}.100,{lan}.200,255.255.255.0,2m",
                *hosts,
                f"--dhcp-option=option:router,{topology.gateway(segment)}",
                *(f"--dhcp-option={option}" for option in options),
                f"--dhcp-range={topology.network6(segment)}::,ra-only",
                *(f"--dhcp-range={one}" for one in ranges),
                "--enable-ra",
            ],
            netns="lan",
        )

    def tick(self) -> subprocess.CompletedProcess[str]:
        """Run one check as the timer would: what the installed service's ExecStart= says."""
        for line in self.read("/etc/systemd/system/netfail-hooks-check.service").splitlines():
            if line.startswith("ExecStart="):
                return self.run(*shlex.split(line.removeprefix("ExecStart=")))
        code = (
            f"import sys; sys.path.append({package_home()!r}); "
            "from netfail_hooks.check import main; sys.exit(main())"
        )
        return self.run(sys.executable, "-I", "-c", code)

    @contextlib.contextmanager
    def timer(self, interval: float) -> Iterator[list[int]]:
        """Run a check every ``interval`` seconds meanwhile; yield their exit statuses so far."""
        ended = threading.Event()
        rounds: list[int] = []

        def work() -> None:
            while not ended.wait(interval):
                rounds.append(self.tick().returncode)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield rounds
        finally:
            ended.set()
            thread.join()

    def traffic(self, *, ipv6: bool = False, address: str = "", address6: str = "") -> Traffic:
        """Return a measurement of what gets through (lab/traffic.py)."""
        return Traffic(self, ipv6=ipv6, address=address, address6=address6)

    def watch(self) -> Watch:
        """Return a record of the routes (lab/watch.py)."""
        return Watch(self)

    def _real(self) -> Networkd:
        if self.networkd is None:
            raise Problem("lab: the unmanaged variant has no networkd")
        return self.networkd


def _refuse(*, unmanaged: bool) -> None:
    lacking = missing(_NAMESPACES if unmanaged else _NAMESPACES | NEEDED)
    if lacking:
        raise Problem(
            f"lab: not installed: {', '.join(lacking)}",
            hint=_PACKAGES,
        )
    if not unmanaged and os.geteuid() != 0:
        raise NotPermitted("lab: only root can run systemd-networkd in it", hint="use sudo")
