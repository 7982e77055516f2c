"""What a run brings along to its machine: a tar file that the first boot unpacks.

The checkout, the wheels, the agent, and a machine set up as how-to's tell: two plain
``.network`` files, wpa_supplicant on wlan0.
"""

from __future__ import annotations

import io
import os
import tarfile

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


def files() -> dict[str, str]:
    """Return the text of each file of ours on the machine, by its path without the slash."""
    here = os.path.dirname(os.path.abspath(__file__))
    units = "etc/systemd/system"
    found = {
        "opt/vm/hostapd.conf": _ACCESS_POINT,
        "opt/vm/echo.py": _ECHO,
        "etc/wpa_supplicant/wpa_supplicant-wlan0.conf": _STATION,
        f"{units}/vm-online.service": _ONLINE,
        f"{units}/vm-watch.service": _unit("Watch routes", _WATCH),
        f"{units}/vm-agent.service": _unit("Take orders", "/usr/bin/python3 /opt/vm/agent.py"),
        f"{units}/vm-echo.service": _unit(
            "Answer beyond the router", "/usr/sbin/ip netns exec lan python3 -IS /opt/vm/echo.py"
        ),
        f"{units}/vm-ap.service": _unit("The access point", _AP, more=_AP_LIMITS),
    }
    for name, host in (("eth0", 252), ("wlan0", 25)):
        found[f"etc/systemd/network/20-{name}.network"] = _NETWORK.format(name=name, host=host)
    for name in ("agent.py", "world.py"):
        with open(f"{here}/{name}", encoding="utf-8") as file:
            found[f"opt/vm/{name}"] = file.read()
    return found


def write(path: str, wheels: str, newer: str = "") -> None:
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
        for name, text in files().items():
            made = tarfile.TarInfo(name)
            data = text.encode()
            made.size, made.mode = len(data), 0o644
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
