"""Runs in the machine at boot: builds the network around it.

The lab's LAN (router, station, the empty bridge of a dead gateway), with the second virtio NIC
as the far end of eth0's cable, and the second Wi-Fi radio as the router's access point. A third
one is NetworkManager's, for a hotspot.
"""

from __future__ import annotations

import subprocess
import sys

sys.path[:0] = ["/opt/vm/checkout"]
from netfail_hooks.lab import topology  # noqa: E402 - found by the line above

_SCRIPT = """
set -e
radios=2
test ! -e /etc/NetworkManager/system-connections/hotspot.nmconnection || radios=3
modprobe mac80211_hwsim radios=$radios
until [ -e /sys/class/net/wlan$((radios - 1)) ]; do sleep 0.05; done
ip link set eth1 down
ip link set eth1 netns lan name port0
ip -n lan link set port0 addrgenmode none master lan0 up
phy=$(cat /sys/class/net/wlan1/phy80211/name)
echo "$phy" >/run/vm-ap-phy
iw phy "$phy" set netns name lan
ip -n lan link set wlan1 name port1
if [ -e /sys/class/net/eth2 ]; then # people log in by it, from the router
    ip link set eth2 netns lan name login
    ip -n lan address add 10.0.2.15/24 dev login
    ip -n lan link set login up
fi
# ifupdown's stanza for it has just come, at the first boot.
test -e /opt/vm/leases || udevadm trigger --action=add /sys/class/net/eth0
systemctl start vm-watch vm-echo
test ! -e /etc/systemd/system/vm-login.socket || systemctl --no-block start vm-login.socket
test ! -e /etc/systemd/system/vm-router.service || systemctl start vm-router
systemctl --no-block start vm-ap vm-agent
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
"""


def main() -> None:
    """Build it, or say what did not work."""
    text = topology.surroundings((0,)) + _SCRIPT
    sys.exit(subprocess.run(["sh", "-ec", text], check=False).returncode)


if __name__ == "__main__":
    main()
