"""Runs in the machine: what networkd with udev makes of a [Match], beside what our match.py says.

    python3 matching.py NIC...

Makes devices of every kind that the kernel has, then tries conditions one after another, and
prints as JSON where the two differ. It has to be run where nothing of ours is installed: each try
is the first file of all.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time

sys.path[:0] = ["/opt/vm/checkout"]
from netfail_hooks.errors import Problem  # noqa: E402 - found by the line above
from netfail_hooks.networkd import match  # noqa: E402
from netfail_hooks.networkd.nic import Nic, read_nic  # noqa: E402
from netfail_hooks.paths import Paths  # noqa: E402

_MAC, _OTHER_MAC = "02:00:00:00:09:01", "02:00:00:00:09:02"
_DEVICES = {
    "t-dummy": f"ip link add t-dummy address {_MAC} type dummy",
    "t-bridge": "ip link add t-bridge type bridge",
    "t-bond": "ip link add t-bond type bond",
    "t-vlan": "ip link add link t-dummy t-vlan type vlan id 9",
    "t-macvlan": "ip link add link t-dummy t-macvlan type macvlan",
    "t-ipvlan": "ip link add link t-dummy t-ipvlan type ipvlan",
    "t-veth": "ip link add t-veth type veth peer name t-peer",
    "t-vxlan": "ip link add t-vxlan type vxlan id 9 dstport 0",
    "t-geneve": "ip link add t-geneve type geneve id 9 remote 192.0.2.1",
    "t-wg": "ip link add t-wg type wireguard",
    "t-tap": "ip tuntap add t-tap mode tap",
    "t-tun": "ip tuntap add t-tun mode tun",
    "t-gre": "ip link add t-gre type gre remote 192.0.2.1 local 192.0.2.2",
    "t-gretap": "ip link add t-gretap type gretap remote 192.0.2.1 local 192.0.2.2",
    "t-sit": "ip link add t-sit type sit remote 192.0.2.1 local 192.0.2.2",
    "t-ipip": "ip link add t-ipip type ipip remote 192.0.2.1 local 192.0.2.2",
    "t-ip6tnl": "ip link add t-ip6tnl type ip6tnl remote 2001:db8::1 local 2001:db8::2",
    "t-ifb": "ip link add t-ifb type ifb",
    "t-vrf": "ip link add t-vrf type vrf table 9",
    "t-team": "ip link add t-team type team",
}
_AFTER = f"""
ip link set t-dummy address {_OTHER_MAC}
ip link property add dev t-dummy altname t-alternative
"""
_TRIES = (
    *(
        f"Type={kind}"
        for kind in (
            "ether",
            "!ether",
            "wlan",
            "bridge",
            "vlan",
            "bond",
            "wwan",
            "none",
            "ether wlan",
            "!wlan wwan",
            "e*",
            "*",
            "wireguard",
            "macvlan vxlan geneve",
            "ipgre tunnel tunnel6 sit",
        )
    ),
    *(f"Kind={kind}" for kind in ("*", "!*", "veth", "bridge bond vlan", "tun", "!veth", "dummy")),
    "Type=ether\nKind=!*",
    f"MACAddress={_OTHER_MAC}",
    f"PermanentMACAddress={_OTHER_MAC}",
    f"PermanentMACAddress={_MAC}",
    *(
        f"PermanentMACAddress={mac}"
        for mac in ("52:54:00:00:00:01", "52:54:00:00:00:09", "02:00:00:00:00:00")
    ),
    *(f"Driver={driver}" for driver in ("virtio_net", "!virtio_net", "*", "!*", "bridge", "tun")),
    "Path=pci-*",
    "Path=*usb*",
    "Path=!*",
    "OriginalName=t-*",
    "OriginalName=eth0",
    "OriginalName=another\nName=t-bridge",
    "Property=DEVPATH=/devices/virtual/*",
    "Name=t-alternative",
    "Name=!t-alternative t-bridge",
    "Name=t-[[:alpha:]]*",
    "Name=t-[^b]*",
    "Name=t\\-dummy t-\\*",
    'Name="t-dummy"',
    'Type="ether" wl"an"',
    'Kind="bridge vlan',
    "Name=t-dummy\u00a0",
    "Property=ID_BUS=usb",
    "Property=ID_NET_DRIVER=virtio_net",
    "Property=SUBSYSTEM=net",
    "Property=DEVTYPE=bridge",
    "Property=!ID_BUS=usb",
    "WLANInterfaceType=station",
    "WLANInterfaceType=ap",
    "SSID=netfail",
    "SSID=another",
    "Name=*\nVirtualization=vm",
    "Name=*\nVirtualization=!vm",
    "Name=*\nVirtualization=qemu",
    "Name=*\nKernelCommandLine=quiet",
    "Name=*\nKernelCommandLine=!quiet",
    "Name=*\nKernelVersion=>=5.10",
    "Name=*\nArchitecture=x86-64",
    "Name=*\nFirmware=uefi",
    "Name=*\nHost=vm",
)
# We refuse to say which file that will be: it changes with the access point, or with systemd.
_REFUSED = ("SSID=netfail", "SSID=another", "Name=t-[[:alpha:]]*")
_TRY = """\
[Match]
{conditions}

[Network]
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_SOON, _AGAIN, _LATE = 0.6, 8.0, 30.0  # seconds that networkd has


def _networkd(names: list[str]) -> dict[str, str]:
    """Return the file that networkd uses for each, "" for none."""
    said = subprocess.run(
        ["networkctl", "--json=short", "list"], capture_output=True, text=True, check=True
    ).stdout
    files = {one["Name"]: one.get("NetworkFile") or "" for one in json.loads(said)["Interfaces"]}
    return {name: files.get(name, "") for name in names}


def _ours(nics: dict[str, Nic]) -> dict[str, str]:
    files = {}
    for name, nic in nics.items():
        try:
            found = match.effective(Paths(), nic)
        except Problem as problem:
            files[name] = f"refused: {problem}"
        else:
            files[name] = found.path if found else ""
    return files


def _try(number: int, conditions: str, names: list[str]) -> dict[str, tuple[str, str]]:
    """Return where networkd and we differ, by NIC."""
    place = f"/etc/systemd/network/01-try-{number}.network"
    with open(place, "w", encoding="utf-8") as file:
        file.write(_TRY.format(conditions=conditions))
    subprocess.run(["networkctl", "reload"], check=True)
    time.sleep(_SOON)
    again, until = time.monotonic() + _AGAIN, time.monotonic() + _LATE
    while True:
        theirs = _networkd(names)
        # A VLAN that is set up takes another hardware address on, say: each time as it is then.
        ours = _ours({name: read_nic(name, Paths()) for name in names})
        differs = {
            name: (theirs[name], ours[name])
            for name in names
            if theirs[name] != ours[name]
            and not (conditions in _REFUSED and ours[name].startswith("refused"))
        }
        if not differs or time.monotonic() > until:
            break
        if time.monotonic() > again:
            # A reload passes over a NIC that networkd is still setting up by the file before, which
            # it goes on having (link_reconfigure() in networkd-link.c: LINK_STATE_INITIALIZED).
            subprocess.run(["networkctl", "reload"], check=True)
            again += _AGAIN
        time.sleep(0.2)
    os.unlink(place)
    return differs


def main(names: list[str]) -> None:
    """Try all, and print the number of judgements, the devices, and the differences."""
    made = []
    # Modules of tunnels bring no devices of their own, which would stay.
    with open("/proc/sys/net/core/fb_tunnels_only_for_init_net", "w", encoding="ascii") as file:
        file.write("2")  # sysctl(8) is in a package that need not be there
    for name, command in _DEVICES.items():
        done = subprocess.run(command.split(), capture_output=True, check=False)
        made += [name] if done.returncode == 0 else []
    subprocess.run(["sh", "-ec", _AFTER], check=True)
    subprocess.run(["udevadm", "settle", "--timeout=60"], check=False)
    names = [*names, *made]
    nics = {name: read_nic(name, Paths()) for name in names}
    differs = {}
    for number, conditions in enumerate(_TRIES):
        if found := _try(number, conditions, names):
            differs[conditions] = found
    for name in reversed(made):
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["ip", "link", "delete", name], check=True, capture_output=True)
    # Their first ones come with these modules, and belong to nobody.
    modules = ("ip_gre", "sit", "ipip", "ip6_tunnel", "team", "bonding", "ifb")
    for module in modules:
        subprocess.run(["modprobe", "-r", module], capture_output=True, check=False)
    subprocess.run(["networkctl", "reload"], check=True)
    kinds = {name: (nic.type, nic.kind, nic.driver, nic.path) for name, nic in nics.items()}
    print(json.dumps({"judged": len(_TRIES) * len(names), "kinds": kinds, "differs": differs}))


if __name__ == "__main__":
    main(sys.argv[1:])
