"""A booted lab whose uplinks NetworkManager has, as on a desktop or a Raspberry Pi."""

from __future__ import annotations

from typing import ClassVar

from tests.lab.handed import Handed
from tests.lab.suite import wait

_POLICY = "/usr/share/dbus-1/system.d/org.freedesktop.NetworkManager.conf"
_CONFIG = "[main]\nplugins=keyfile\n"
UUID = "2815492f-7e56-435e-b2e9-246bd7cdc66{}"
PROFILES = "/etc/NetworkManager/system-connections"


class Managed(Handed):
    """A lab in which NetworkManager has each uplink by a keyfile, and a bridge of its own."""

    units: ClassVar[tuple[str, ...]] = ("NetworkManager.service",)
    volatile = "/run/NetworkManager"
    beside = ("10.7.7.1",)

    def seen(self) -> list[str]:
        """Return NetworkManager's own view, as one."""
        return [self.view()]

    def write_profiles(self, ipv4: str = "method=auto", ipv6: str = "method=link-local") -> None:
        """Write a keyfile for each uplink (nm-settings-keyfile(5)), and a bridge's."""
        with open(_POLICY, encoding="utf-8") as policy:
            self.write("/etc/dbus-1/system.d/networkmanager.conf", policy.read())
        self.write("/etc/NetworkManager/NetworkManager.conf", _CONFIG)
        for port in self.ports.values():
            said = ipv4.format(host=port.host)
            text = (
                f"[connection]\nid=wired {port.rank}\nuuid={UUID.format(port.rank)}\n"
                f"type=ethernet\ninterface-name={port.name}\n\n[ipv4]\n{said}\n\n"
                f"[ipv6]\n{ipv6.format(rank=port.rank)}\n"
            )
            self.write(f"{PROFILES}/{port.name}.nmconnection", text, mode=0o600)
        bridge = (
            f"[connection]\nid=bridge\nuuid={UUID.format(9)}\ntype=bridge\ninterface-name=br7\n\n"
            "[ipv4]\nmethod=manual\naddress1=10.7.7.1/24\n\n[ipv6]\nmethod=disabled\n"
        )
        self.write(f"{PROFILES}/bridge.nmconnection", bridge, mode=0o600)

    def start_manager(self) -> None:
        """Start NetworkManager; return once each uplink, and the bridge, is up by it."""
        self.systemctl("enable", "--now", "NetworkManager.service")
        self.systemctl("enable", "networkd-dispatcher.service")
        wait(lambda: self.has(*self.ports, "br7"), "NICs of NetworkManager's", seconds=60)
        # It calls connected what has one family: a link-local address is there before any lease.
        wait(self.is_set_up, "addresses of NetworkManager's", seconds=60)

    def is_set_up(self) -> bool:
        """Tell whether each has its address and a way out; ifupdown gives but one of these."""
        routes = self.run("ip", "-4", "route", "show", "default").stdout
        return self.is_addressed() and all(f" dev {name} " in routes for name in self.ports)

    def has(self, *names: str) -> bool:
        """Tell whether NetworkManager has these up by a connection."""
        return all(f"{name}:connected:" in self.view() for name in names)

    def view(self) -> str:
        """Return NetworkManager's own view: devices, states, connections."""
        asked = ("nmcli", "--terse", "--fields", "DEVICE,STATE,CON-UUID", "device")
        return "\n".join(sorted(self.run(*asked).stdout.splitlines()))
