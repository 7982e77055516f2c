"""What a run brings along to its machine: a tar file that the first boot unpacks.

The checkout, the wheels, the agent, and a machine set up as how-to's tell: two plain
``.network`` files, wpa_supplicant on wlan0. Or one as the Raspberry Pi imager leaves it: the cable
by NetworkManager's own default, Wi-Fi by a keyfile; beside them a bridge, a tunnel and a hotspot of
its own. Or as Debian 13 makes it, by netplan; its access point has WPA3 alone. Or as Debian's
installer leaves it, by ifupdown; or by dhcpcd, as Raspberry Pi images came with before. With either
the user's own wpa_supplicant@wlan0 may join Wi-Fi, and with dhcpcd or NetworkManager iwd.
"""

from __future__ import annotations

import io
import os
import tarfile

from tests.vm.image import (
    DHCPCD,
    DHCPCD_IWD,
    DHCPCD_SUPPLICANT,
    IFUPDOWN,
    IFUPDOWN_SUPPLICANT,
    LOGIN,
    NETPLAN,
    NETWORK_MANAGER,
    NETWORK_MANAGER_IWD,
    NETWORKD,
)

_PROFILES = "etc/NetworkManager/system-connections"
_JOINED = "etc/wpa_supplicant/wpa_supplicant.conf"
_INTERFACES = "etc/network/interfaces"
_OWN = "etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
_IWDS = "var/lib/iwd"
_CLOSED = (_PROFILES, "etc/netplan", "usr/lib/netplan", _INTERFACES, _JOINED, _OWN, _IWDS)
_UNIT = """\
[Unit]
Description={what}
DefaultDependencies=no
{more}
[Service]
Type={kind}
ExecStart={start}
"""
_NETWORK = """\
[Match]
Name={name}

[Network]
Address=192.168.1.{host}/24
Gateway=192.168.1.1
DNS=192.168.1.1
"""
_SECRET = "correct horse battery"  # noqa: S105 - of a radio that is not one
_PRIVATE = "8N2l2M7zqgkq0p7xw3pZl6c6o2vX0l5w6Q1b0mXbH1A="
_GUESTS = "horses and staples"
SECRETS = (_SECRET, _PRIVATE, _GUESTS)
_STATION = f"""\
ctrl_interface=/run/wpa_supplicant
network={{
    ssid="netfail"
    psk="{_SECRET}"
    key_mgmt=WPA-PSK
    scan_freq=2412
}}
"""
_ACCESS_POINT = f"""\
interface=port1
bridge=lan0
driver=nl80211
ctrl_interface=/run/hostapd
ssid=netfail
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase={_SECRET}
"""
# WPA3 alone: no management frame without protection, and no WPA2.
_SAE = "wpa_key_mgmt=SAE\nieee80211w=2\nsae_pwe=2\n"
# As Raspberry Pi OS's imager_custom and cloud-init have it.
_PRECONFIGURED = f"""\
[connection]
id=preconfigured
uuid=5f5c5c7e-13b0-4f0f-9a3e-6a51f6a1d1aa
type=wifi

[wifi]
mode=infrastructure
ssid=netfail
hidden=false

[wifi-security]
key-mgmt=wpa-psk
psk={_SECRET}

[ipv4]
method=auto

[ipv6]
addr-gen-mode=default
method=auto

[proxy]
"""
# As the imager has it in cloud-init's network-config for Raspberry Pi OS of Debian 13, whose own
# file says who renders it.
_PLAN = f"""\
network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true
      dhcp6: true
      optional: true
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "GB"
      access-points:
        "netfail":
          auth:
            key-management: sae
            password: "{_SECRET}"
      optional: true
"""
_RENDERER = """\
network:
  version: 2
  renderer: NetworkManager
"""
_BRIDGE = """\
[connection]
id=guests
uuid=0d6b0bb5-6e0c-4c43-9f0b-2a4bb8e4d0c1
type=bridge
interface-name=br-guests

[bridge]
stp=false

[ipv4]
address1=10.99.0.1/24
method=manual

[ipv6]
method=disabled
"""
_TUNNEL = f"""\
[connection]
id=office
uuid=8a0a1f9e-70a5-4b57-8a9e-5f4f9e7f2b11
type=wireguard
interface-name=wg-office

[wireguard]
private-key={_PRIVATE}

[wireguard-peer.xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=]
endpoint=198.51.100.1:51820
allowed-ips=10.98.0.0/24;

[ipv4]
address1=10.98.0.2/24
method=manual

[ipv6]
method=disabled
"""
# As nmcli device wifi hotspot has it; ahead of the networks that any radio may join.
_HOTSPOT = f"""\
[connection]
id=hotspot
uuid=2c1d0a52-3a0e-4a55-9f8f-6f4f1a1c9b42
type=wifi
interface-name=wlan2
autoconnect-priority=10

[wifi]
mode=ap
ssid=guests
band=bg
channel=6

[wifi-security]
group=ccmp;
key-mgmt=wpa-psk
pairwise=ccmp;
pmf=1
proto=rsn;
psk={_GUESTS}

[ipv4]
address1=10.97.0.1/24
method=shared

[ipv6]
method=disabled
"""
_PLANS = {
    "etc/netplan/50-cloud-init.yaml": _PLAN,
    "usr/lib/netplan/00-network-manager-all.yaml": _RENDERER,
}
# As Debian's installer writes it (netcfg), and a person who adds Wi-Fi and a bridge. Without a
# metric of its own, Wi-Fi would have no default route, or the cable none: who asks first has it.
_STANZAS = """\
source /etc/network/interfaces.d/*

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug eth0
iface eth0 inet dhcp

allow-hotplug wlan0
iface wlan0 inet dhcp
    metric 2000
{wifi}
auto br-guests
iface br-guests inet static
    address 10.99.0.1/24
    pre-up ip link add br-guests type bridge
    post-down ip link delete br-guests
"""
_BY_STANZA = f"    wpa-ssid netfail\n    wpa-psk {_SECRET}\n"
# iwd.network(5).
_BY_IWD = f"[Security]\nPassphrase={_SECRET}\n"
# As the Raspberry Pi imager wrote it when dhcpcd ran the network.
_BY_HOOK = f"""\
country=GB
ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev
update_config=1

network={{
\tssid="netfail"
\tpsk="{_SECRET}"
}}
"""
# A router's own: who comes by another identity gets another address. It forgets none at a reboot.
_ROUTER = (
    "/usr/sbin/ip netns exec lan /usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null "
    "--user=root --no-resolv --no-hosts --interface=lan0 --except-interface=lo --bind-interfaces "
    "--dhcp-range=192.168.1.100,192.168.1.199,1h --dhcp-authoritative --no-ping "
    "--dhcp-leasefile=/opt/vm/leases --domain=home.test --enable-ra "
    "--dhcp-range=fd00:1::,ra-only --address=/far.test/198.51.100.1"
)
_ECHO = """\
import socket
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind(("198.51.100.1", 7))
while True:
    data, whose = made.recvfrom(64)
    made.sendto(data, whose)
"""
_ONLINE = """\
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=/bin/true
[Install]
WantedBy=multi-user.target
"""
_WATCH = (
    "/bin/sh -c 'sleep infinity | PYTHONPATH=/opt/vm/checkout exec python3 -SB -m "
    "netfail_hooks.lab.watch_agent >/run/vm-watch.log'"
)
_AP_LIMITS = "StartLimitIntervalSec=0\nConditionPathExists=!/opt/vm/ap-off"
_AP = "/usr/sbin/ip netns exec lan /usr/sbin/hostapd /opt/vm/hostapd.conf"


def files(manager: str = NETWORKD) -> dict[str, str]:
    """Return the text of each file of ours on the machine, by its path without the slash."""
    here = os.path.dirname(os.path.abspath(__file__))
    units = "etc/systemd/system"
    found = {
        "opt/vm/hostapd.conf": _ACCESS_POINT,
        "opt/vm/echo.py": _ECHO,
        f"{units}/vm-online.service": _ONLINE,
        f"{units}/vm-watch.service": _unit("Watch routes", _WATCH),
        f"{units}/vm-agent.service": _unit("Take orders", "/usr/bin/python3 /opt/vm/agent.py"),
        f"{units}/vm-echo.service": _unit(
            "Answer beyond the router", "/usr/sbin/ip netns exec lan python3 -IS /opt/vm/echo.py"
        ),
        f"{units}/vm-ap.service": _unit("The access point", _AP, more=_AP_LIMITS),
    }
    for name in ("agent.py", "world.py"):
        with open(f"{here}/{name}", encoding="utf-8") as file:
            found[f"opt/vm/{name}"] = file.read()
    own = {
        NETWORKD: _by_networkd(),
        LOGIN: _by_networkd(),
        NETWORK_MANAGER: _by_network_manager({"preconfigured": _PRECONFIGURED}),
        NETPLAN: _by_network_manager({}) | _PLANS,
        NETWORK_MANAGER_IWD: _by_iwd(),
        IFUPDOWN: {_INTERFACES: _STANZAS.format(wifi=_BY_STANZA)},
        DHCPCD: {_JOINED: _BY_HOOK},
        IFUPDOWN_SUPPLICANT: {_INTERFACES: _STANZAS.format(wifi=""), _OWN: _STATION},
        DHCPCD_SUPPLICANT: {_OWN: _STATION},
        DHCPCD_IWD: {f"{_IWDS}/netfail.psk": _BY_IWD},
    }
    if manager not in (NETWORKD, LOGIN):
        found[f"{units}/vm-router.service"] = _unit("Addresses and names", _ROUTER)
    if manager == NETPLAN:
        by_wpa2 = "wpa_key_mgmt=WPA-PSK\n"
        found["opt/vm/hostapd.conf"] = _ACCESS_POINT.replace(by_wpa2, _SAE)
    return found | own[manager]


def _by_networkd() -> dict[str, str]:
    found = {_OWN: _STATION}
    for name, host in (("eth0", 252), ("wlan0", 25)):
        found[f"etc/systemd/network/20-{name}.network"] = _NETWORK.format(name=name, host=host)
    return found


def _by_network_manager(uplinks: dict[str, str]) -> dict[str, str]:
    profiles = {**uplinks, "guests": _BRIDGE, "hotspot": _HOTSPOT, "office": _TUNNEL}
    return {f"{_PROFILES}/{name}.nmconnection": text for name, text in profiles.items()}


def _by_iwd() -> dict[str, str]:
    """Return NetworkManager's, with iwd for Wi-Fi (wifi.backend), which has joined it before.

    It starts no hotspot by itself.
    """
    found = _by_network_manager({"preconfigured": _PRECONFIGURED})
    del found[f"{_PROFILES}/hotspot.nmconnection"]
    backend = {"etc/NetworkManager/conf.d/iwd.conf": "[device]\nwifi.backend=iwd\n"}
    return found | backend | {f"{_IWDS}/netfail.psk": _BY_IWD}


def write(path: str, wheels: str, newer: str = "", manager: str = NETWORKD) -> None:
    """Write the tar file, from the checkout without caches and what is hidden. Raises OSError.

    ``newer`` is a directory of packages for an upgrade.
    """
    with tarfile.open(path, "w") as tar:
        for name in sorted(os.listdir(".")):
            tar.add(name, f"opt/vm/checkout/{name}", filter=_of_the_checkout)
        tar.add(wheels, "opt/vm/wheels", filter=_owned_by_root)
        if newer:
            tar.add(newer, "opt/vm/newer", filter=_owned_by_root)
        link = tarfile.TarInfo("etc/systemd/system/multi-user.target.wants/vm-online.service")
        link.type, link.linkname = tarfile.SYMTYPE, "../vm-online.service"
        tar.addfile(link)
        for name, text in files(manager).items():
            made = tarfile.TarInfo(name)
            data = text.encode()
            made.size, made.mode = len(data), 0o600 if name.startswith(_CLOSED) else 0o644
            tar.addfile(made, io.BytesIO(data))


def _unit(what: str, start: str, *, kind: str = "exec", more: str = "") -> str:
    return _UNIT.format(what=what, start=start, kind=kind, more=more)


def _of_the_checkout(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = os.path.basename(member.name)
    if name.startswith(".") or name in ("__pycache__", "build", "dist"):
        return None
    return _owned_by_root(member)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = member.mode & ~0o022
    return member
