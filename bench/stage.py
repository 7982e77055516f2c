"""A lab with a contender on it, and the daemons that it started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Self

from netfail_hooks.lab import Lab
from netfail_hooks.lab.namespaces import LOGS, Daemon, until
from tests.lab.booted import Booted

ROUTER, NETWORK = "192.168.1.1", "192.168.1.0/24"


_UNITS = {"networkd": "systemd-networkd.service", "dispatcher": "networkd-dispatcher.service"}


class Stage:
    """Where a contender works; closed, nothing of it is left. Raises Problem.

    ``booted``: by systemd, whose services all daemons are, as on a machine.
    """

    def __init__(self, *, booted: bool = False) -> None:
        self.booted = Booted() if booted else None
        self.lab = self.booted or Lab()
        self._daemons: list[Daemon] = []

    def __enter__(self) -> Self:
        if self.booted:
            self.booted.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()
        for daemon in self._daemons:
            daemon.release()

    def daemon(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a daemon; its process and its log go by its name."""
        if self.booted and not netns:
            settings = [f"--setenv={key}={text}" for key, text in (environment or {}).items()]
            self.booted.run(
                "systemd-run", "--quiet", f"--unit=bench-{name}", *settings, *argv
            ).check_returncode()
            return
        self._daemons.append(
            Daemon(self.lab.namespaces, name, argv, netns=netns, environment=environment)
        )

    def pid(self, name: str) -> int:
        """Return a daemon's process, as the host numbers it."""
        if self.booted:
            unit = _UNITS.get(name, f"bench-{name}.service")
            return int(self.booted.systemctl("show", "--value", "--property=MainPID", unit).stdout)
        return int(self.lab.read(f"{LOGS}/{name}.pid"))

    def start(self) -> None:
        """Start networkd and the dispatcher, the latter as it is packaged: once there are hooks."""
        if self.booted:
            self.booted.systemctl("enable", "--now", _UNITS["networkd"])
            self.booted.systemctl("enable", _UNITS["dispatcher"])
        else:
            self.lab.start()

    def bus(self) -> None:
        """Start the system bus alone; a booted machine has it."""
        if self.booted:
            return
        self.lab.run("mkdir", "-p", "/run/dbus")
        self.daemon("dbus", ["dbus-daemon", "--system", "--nofork", "--nopidfile"])
        socket = self.lab.root + "/run/dbus/system_bus_socket"
        until(lambda: os.path.exists(socket), "bus")

    def by_hand(self) -> list[str]:
        """Bring the uplinks up as ifupdown would, without their routes.

        Returns what a script must know of each: its name, its address and its metric.
        """
        words: list[str] = []
        for port in self.lab.ports.values():
            script = (
                f"ip address add {port.host}/24 dev {port.name} noprefixroute; "
                f"ip link set {port.name} up"
            )
            self.lab.run("sh", "-ec", script).check_returncode()
            words += [port.name, port.host, "600" if port.rank else "100"]
        return words

    def wait_for_way(self, *, passed: bool = False) -> None:
        """Wait until each uplink has a default route; ``passed``: none with a penalty."""
        for name in self.lab.ports:
            until(
                lambda name=name: f"dev {name} " in self._defaults(),  # type: ignore[misc]
                f"default route by {name}",
                seconds=20,
            )
        if passed:
            until(lambda: "metric 20" not in self._defaults(), "passed check", seconds=20)

    def _defaults(self) -> str:
        return self.lab.run("ip", "route", "show", "default").stdout
