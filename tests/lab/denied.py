"""A booted lab whose uplinks dhcpcd has by itself, as on older Raspberry Pi images."""

from __future__ import annotations

from typing import ClassVar

from netfail_hooks.files import read_text
from tests.lab.handed import Handed
from tests.lab.suite import wait

CONFIG = "/etc/dhcpcd.conf"
UNIT = "dhcpcd.service"
OWN = "usb0"  # which is no uplink
# As Debian's package dhcpcd has it; that is not installed, since it would set up this machine.
_UNIT = """\
[Unit]
Description=DHCP Client Daemon on all interfaces
Wants=network.target
Before=network.target

[Service]
Type=forking
PIDFile=/run/dhcpcd/pid
ExecStart=/usr/sbin/dhcpcd -q -b
ExecStop=/usr/sbin/dhcpcd -x
RuntimeDirectory=dhcpcd

[Install]
WantedBy=multi-user.target
"""
# In a lab there is no udev that it could wait for. The other end is no NIC of this machine's, and
# what is on an uplink (on0) would be one of its own to it.
_MORE = f"""
nodev
denyinterfaces far* on*

interface {OWN}
static ip_address=10.7.7.1/24
"""
_MAKES = f"""
mkdir -p /var/lib/dhcpcd
ip link add {OWN} type veth peer name far0
ip link set far0 up
"""


class Denied(Handed):
    """A lab in which dhcpcd has the uplinks, by DHCP or not, and a NIC of its own."""

    units: ClassVar[tuple[str, ...]] = (UNIT,)
    volatile = "/run/dhcpcd"
    beside = ("10.7.7.1",)

    def seen(self) -> list[str]:
        """Return what systemd knows of dhcpcd."""
        return self.run("systemctl", "cat", UNIT).stdout.splitlines()

    def write_config(self, text: str = "") -> None:
        """Write dhcpcd.conf(5): Debian's own, and ``text``, which has {NAME} for an address."""
        hosts = {port.name: port.host for port in self.ports.values()}
        self.write(CONFIG, read_text(CONFIG) + _MORE + text.format(**hosts))
        self.write(f"/etc/systemd/system/{UNIT}", _UNIT)
        self.run("sh", "-ec", _MAKES).check_returncode()

    def start_manager(self) -> None:
        """Start dhcpcd; return once each uplink, and its own NIC, is up by it."""
        self.systemctl("enable", "--now", UNIT)
        self.systemctl("enable", "networkd-dispatcher.service")
        wait(self.is_set_up, "addresses of dhcpcd's", seconds=60)

    def is_armed(self) -> bool:
        """Tell whether a way back is to be taken, or on."""
        return self.run("test", "-e", "/run/netfail-hooks/rollback.json").returncode == 0

    def processes(self) -> set[str]:
        """Return dhcpcd's own, its helpers included, and nothing that hooks have started."""
        found = self.run("sh", "-c", "grep -lx dhcpcd /proc/[0-9]*/comm 2>/dev/null").stdout
        return set(found.split())

    def starts(self) -> str:
        """Return how systemd starts dhcpcd."""
        return self.run("systemctl", "show", "--property=ExecStart", UNIT).stdout
