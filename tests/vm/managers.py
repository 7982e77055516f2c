"""Who runs a machine as it comes, and how it is asked: shell scripts.

Those that show something are compared; the others tell by their status whether it is so.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.vm.image import DHCPCD, IFUPDOWN, NETPLAN, NETWORK_MANAGER

# An address of each router on both uplinks.
_ADDRESSED = """
test $(ip -4 -o address show scope global | grep -cE ' (eth0|wlan0) ') = 2 &&
test $(ip -6 -o address show scope global -tentative | grep -cE ' (eth0|wlan0) ') = 2
"""
_ROUTED = """
test $(ip -4 route show default | grep -cE ' dev (eth0|wlan0) ') = 2
"""
_NETWORKDS = """
networkctl --no-legend list eth0 wlan0 | grep -c routable | grep -q 2
"""


@dataclass(frozen=True)
class Manager:
    """Whether it has all its own up; leaves the uplinks; has eth0. What it shows, and has beside.

    ``names`` are all its interfaces, ``units`` its own, ``again`` has it join Wi-Fi once more.
    """

    title: str
    ready: str
    leaves: str
    has: str
    shown: str
    others: str
    names: str
    units: str
    again: str = ""


_BY_NETWORK_MANAGER = Manager(
    title="NetworkManager",
    # All five connections.
    ready=f"""
test $(nmcli -t -f DEVICE,STATE device |
    grep -cE '^(eth0|wlan0|wlan2|br-guests|wg-office):connected$') = 5 && {_ADDRESSED.strip()}
""",
    leaves=f"""{_NETWORKDS.strip()} &&
test $(nmcli -t -f DEVICE,STATE device | grep -cE '^(eth0|wlan0):unmanaged$') = 2
""",
    has="! nmcli -t -f DEVICE,STATE device | grep -q eth0:unmanaged",
    shown="""
nmcli -t -f NAME,DEVICE,STATE,FILENAME connection show | sort
nmcli -t -f DEVICE,STATE,CONNECTION device | sort
""",
    others="""
nmcli -t -f NAME,TYPE,DEVICE connection show --active | grep -E 'guests|hotspot|office' | sort
for name in br-guests wg-office wlan2; do ip -br address show $name; done
iw dev wlan2 info | grep -E 'ssid|type|channel'; cat /proc/sys/net/ipv4/ip_forward
nft list tables
wg show wg-office public-key; wg show wg-office peers
""",
    names="eth0 wlan0 wlan2 br-guests wg-office",
    units="NetworkManager wpa_supplicant",
    again="""
! nmcli -t -f DEVICE,STATE device | grep -q '^wlan0:unmanaged' &&
    nmcli --wait 60 device connect wlan0
""",
)
_BY_IFUPDOWN = Manager(
    title="ifupdown",
    ready=f"test $(ifquery --state eth0 wlan0 br-guests | wc -l) = 3 && "
    f"{_ADDRESSED.strip()} && {_ROUTED.strip()}",
    leaves=f"{_NETWORKDS.strip()} && ! ifquery --state eth0 wlan0 | grep -q .",
    has="ifquery --state eth0",
    shown="ifquery --state | sort",
    others="ifquery --state br-guests; ip -br address show br-guests",
    names="eth0 wlan0 br-guests",
    units="networking ifup@eth0 ifup@wlan0",
)
# It has nothing but the uplinks, as most machines of its have: what is left of it has no NIC.
_BY_DHCPCD = Manager(
    title="dhcpcd",
    ready=f"systemctl --quiet is-active dhcpcd && {_ADDRESSED.strip()} && {_ROUTED.strip()}",
    leaves=f"{_NETWORKDS.strip()} && systemctl --quiet is-active dhcpcd && "
    "systemctl show -P ExecStart dhcpcd | grep -q denyinterfaces",
    has="! systemctl show -P ExecStart dhcpcd | grep -q denyinterfaces",
    shown="systemctl cat dhcpcd; wpa_cli -i wlan0 status | grep -E '^(ssid|wpa_state)='",
    others="systemctl is-active dhcpcd",
    names="eth0 wlan0",
    units="dhcpcd",
)
KNOWN = {
    NETWORK_MANAGER: _BY_NETWORK_MANAGER,
    NETPLAN: _BY_NETWORK_MANAGER,
    IFUPDOWN: _BY_IFUPDOWN,
    DHCPCD: _BY_DHCPCD,
}
