"""Who runs a machine as it comes, and how it is asked: shell scripts.

Those that show something are compared; the others tell by their status whether it is so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.vm.image import (
    DHCPCD,
    DHCPCD_IWD,
    DHCPCD_SUPPLICANT,
    IFUPDOWN,
    IFUPDOWN_SUPPLICANT,
    NETPLAN,
    NETWORK_MANAGER,
    NETWORK_MANAGER_IWD,
)

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
    ``goes_on`` shows what is the same before and after, and not only again what it was: who of the
    user's own has Wi-Fi joined. ``passing``, for sed(1), is what may be another until the machine
    boots by its manager alone.
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
    goes_on: str = ""
    passing: str = ""


_CONNECTED = f"""
test $(nmcli -t -f DEVICE,STATE device |
    grep -cE '^({{}}):connected$') = {{}} && {_ADDRESSED.strip()}
"""
_BY_NETWORK_MANAGER = Manager(
    title="NetworkManager",
    ready=_CONNECTED.format("eth0|wlan0|wlan2|br-guests|wg-office", 5),
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
    ready=f"{_ADDRESSED.strip()} && {_ROUTED.strip()} && "
    "test $(ifquery --state eth0 wlan0 br-guests | wc -l) = 3",
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
    # It keeps a link-local address that it finds, such as that of a boot by networkd.
    passing="s/^([a-z0-9]+ inet6 fe80:).*/\\1/",
)
_RUN_OF = """
systemctl show --property=Id --property=MainPID --property=InvocationID --property=ActiveState {0}
systemctl is-enabled {0}
"""
# How often the access point has let it in. ifdown sets the link down, and then it joins anew.
_ASSOCIATED = """
journalctl --no-pager --quiet -o cat -u vm-ap | grep -c AP-STA-CONNECTED
"""
_JOINS = "wpa_supplicant@wlan0.service"
_IWD = "iwd.service"
# It waits for minutes after some wrong keys; with its file read anew it doesn't.
_AGAIN = "wpa_cli -i wlan0 reconfigure"
KNOWN = {
    NETWORK_MANAGER: _BY_NETWORK_MANAGER,
    NETPLAN: _BY_NETWORK_MANAGER,
    NETWORK_MANAGER_IWD: replace(
        _BY_NETWORK_MANAGER,
        ready=_CONNECTED.format("eth0|wlan0|br-guests|wg-office", 4),
        others="""
nmcli -t -f NAME,TYPE,DEVICE connection show --active | grep -E 'guests|office' | sort
for name in br-guests wg-office; do ip -br address show $name; done
wg show wg-office public-key; wg show wg-office peers
""",
        names="eth0 wlan0 br-guests wg-office",
        units=f"{_BY_NETWORK_MANAGER.units} {_IWD}",
        goes_on=_RUN_OF.format(_IWD) + _ASSOCIATED,
    ),
    IFUPDOWN: _BY_IFUPDOWN,
    DHCPCD: _BY_DHCPCD,
    IFUPDOWN_SUPPLICANT: replace(_BY_IFUPDOWN, again=_AGAIN, goes_on=_RUN_OF.format(_JOINS)),
    DHCPCD_SUPPLICANT: replace(
        _BY_DHCPCD, again=_AGAIN, goes_on=_RUN_OF.format(_JOINS) + _ASSOCIATED
    ),
    DHCPCD_IWD: replace(
        _BY_DHCPCD,
        shown="systemctl cat dhcpcd; iw dev wlan0 link | grep SSID",
        units=f"{_BY_DHCPCD.units} {_IWD}",
        again="iwctl station wlan0 connect netfail",
        goes_on=_RUN_OF.format(_IWD) + _ASSOCIATED,
    ),
}
