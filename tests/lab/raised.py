"""A booted lab whose uplinks ifupdown has, as on a plain Debian."""

from __future__ import annotations

from typing import ClassVar

from netfail_hooks.files import read_text
from netfail_hooks.lab import Lab
from tests.lab.handed import Handed
from tests.lab.suite import wait

INTERFACES = "/etc/network/interfaces"
HOTPLUG = "ifup@wlan0.service"
_SCRIPT = "/etc/network/if-up.d/mine"
_UNIT = "ifup@.service"


def prepare(lab: Lab) -> None:
    """Make what the packages of ifupdown and dhclient come with."""
    phases = ("pre-up", "up", "down", "post-down")
    places = " ".join(f"/etc/network/if-{phase}.d" for phase in phases)
    lab.run("sh", "-c", f"mkdir -p {places} /run/network /var/lib/dhcp; touch /etc/fstab")
    lab.write("/etc/dhcp/dhclient.conf", read_text("/etc/dhcp/dhclient.conf"))


class Raised(Handed):
    """A lab in which eth0 is raised at boot, wlan0 when udev finds it, and a dummy of its own."""

    units: ClassVar[tuple[str, ...]] = ("networking.service", HOTPLUG)

    def seen(self) -> list[str]:
        """Return ifupdown's own view."""
        return self.view()

    def write_stanzas(self, kind: str) -> None:
        """Write interfaces(5), each uplink with ``kind``'s words for HOST and RANK."""
        prepare(self)
        self.write(_SCRIPT, "#!/bin/sh\n", mode=0o755)
        eth0, wlan0 = (
            kind.replace("HOST", port.host).replace("RANK", str(port.rank))
            for port in self.ports.values()
        )
        self.write(
            INTERFACES,
            "auto lo eth0 dummy7\niface lo inet loopback\n"
            f"iface eth0 inet {eth0}\n\nallow-hotplug wlan0\niface wlan0 inet {wlan0}\n\n"
            "iface dummy7 inet static\n  address 10.7.7.1/24\n"
            "  pre-up ip link add dummy7 type bridge || true\n",
        )
        # There is no udev in here that a unit could wait for.
        text = read_text(f"/usr/lib/systemd/system/{_UNIT}")
        kept = [line for line in text.splitlines() if "sys-subsystem-net" not in line]
        self.write(f"/etc/systemd/system/{_UNIT}", "\n".join([*kept, ""]))

    def ask_by_dhcpcd(self) -> None:
        """Hide dhclient, which ifupdown would rather have, as a Debian 13 comes without it."""
        self.run("mount", "--bind", "/dev/null", "/usr/sbin/dhclient").check_returncode()
        self.run("mkdir", "-p", "/var/lib/dhcpcd", "/run/dhcpcd").check_returncode()
        self.write("/etc/dhcpcd.conf", read_text("/etc/dhcpcd.conf"))

    def raise_all(self) -> None:
        """Boot as Debian does; return once ifupdown has all of them up."""
        self.systemctl("enable", "--now", "networking.service")
        self.systemctl("start", HOTPLUG)
        self.systemctl("enable", "networkd-dispatcher.service")
        wait(lambda: self.has("eth0", "wlan0", "dummy7"), "NICs of ifupdown's", seconds=60)
        wait(self.is_set_up, "addresses", seconds=60)  # dhcpcd asks on when ifup has ended

    def has(self, *names: str) -> bool:
        """Tell whether ifupdown has these up."""
        return all(f"{name}={name}" in self.view() for name in names)

    def view(self) -> list[str]:
        """Return ifupdown's own view: what it has up."""
        return sorted(filter(None, self.read("/run/network/ifstate").splitlines()))
