"""The host's real network manager: dbus, systemd-networkd and networkd-dispatcher."""

from __future__ import annotations

import os

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.lab.namespaces import Daemon, Namespaces, until

NETWORKD = "/usr/lib/systemd/systemd-networkd"
NEEDED = {
    "dbus-daemon": "dbus",
    NETWORKD: "systemd",
    "networkctl": "systemd",
    "networkd-dispatcher": "networkd-dispatcher",
}
_LISTENS = "Startup complete"


class Networkd:
    """The three daemons, in the host's namespaces."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._bus: Daemon | None = None
        self._networkd: Daemon | None = None
        self._dispatcher: Daemon | None = None

    def start(self, *, level: str = "info") -> None:
        """Start all three; return once the dispatcher listens. Raises Problem after a minute."""
        own = "/run/systemd/netif /var/lib/systemd/network"
        self._namespaces.change(f"mkdir -p /run/dbus {own}; chown systemd-network: {own}")
        self._bus = Daemon(
            self._namespaces, "dbus", ["dbus-daemon", "--system", "--nofork", "--nopidfile"]
        )
        until(lambda: os.path.exists(self._namespaces.root + "/run/dbus/system_bus_socket"), "bus")
        self.start_networkd(level=level)
        self.start_dispatcher()

    def start_networkd(self, *, level: str = "info") -> None:
        """Start systemd-networkd alone; return once it answers on the bus."""
        self._networkd = Daemon(
            self._namespaces,
            "networkd",
            [NETWORKD],
            environment={"SYSTEMD_LOG_TARGET": "console", "SYSTEMD_LOG_LEVEL": level},
        )
        query = ["networkctl", "list", "--no-legend"]
        until(lambda: self._namespaces.run(query).returncode == 0, "answer from networkd")

    def start_dispatcher(self) -> None:
        """Start networkd-dispatcher as Debian's unit does; return once it listens."""
        before = self.log().count(_LISTENS)
        self._dispatcher = Daemon(
            self._namespaces,
            "dispatcher",
            ["networkd-dispatcher", "--run-startup-triggers", "-v"],
            environment={"PYTHONUNBUFFERED": "1"},
        )
        # It runs the hooks of all interfaces before.
        until(lambda: self.log().count(_LISTENS) > before, "networkd-dispatcher")

    def daemon(self, name: str) -> Daemon:
        """Return the process of ``dbus``, ``networkd`` or ``dispatcher``, to be hurt."""
        found = {"dbus": self._bus, "networkd": self._networkd, "dispatcher": self._dispatcher}
        daemon = found[name]
        if daemon is None:
            raise Problem(f"lab: {name} does not run")
        return daemon

    def restart_networkd(self) -> None:
        """Do what ``systemctl restart systemd-networkd`` does."""
        self.stop_networkd()
        self.start_networkd()

    def stop_networkd(self) -> None:
        """Stop systemd-networkd; what it set up stays in the kernel."""
        if self._networkd is not None:
            self._networkd.stop()

    def stop_dispatcher(self) -> None:
        """Stop the dispatcher: from now on events are lost."""
        if self._dispatcher is not None:
            self._dispatcher.stop()

    def log(self) -> str:
        """Return what the dispatcher and the hooks said."""
        return self._dispatcher.log() if self._dispatcher is not None else ""

    def states(self, interface: str) -> tuple[str, str]:
        """Return networkd's administrative and operational state, "" where it has none.

        From /run/systemd/netif/links, where sd-network(3) reads them.
        """
        root = self._namespaces.root
        index = read_text(f"{root}/sys/class/net/{interface}/ifindex").strip()
        if not index:
            return "", ""
        state = dict(
            line.split("=", 1)
            for line in read_text(f"{root}/run/systemd/netif/links/{index}").splitlines()
            if "=" in line
        )
        return state.get("ADMIN_STATE", ""), state.get("OPER_STATE", "")

    def thaw(self) -> None:
        """Let all go on that were stopped: the kernel waits for their ends."""
        for daemon in (self._dispatcher, self._networkd, self._bus):
            if daemon is not None:
                daemon.thaw()

    def release(self) -> None:
        """Reap the daemons once the namespaces are closed."""
        for daemon in (self._dispatcher, self._networkd, self._bus):
            if daemon is not None:
                daemon.release()
