"""A real udev: its names for NICs, what networkd matches by them, and NICs that come and go."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path

from tests.support import netplan
from tests.vm import installing
from tests.vm.bench import FAR, Bench, Row, Step, said
from tests.vm.machine import Broken

_OWN = "/etc/systemd/network"
# How udev is told of further names.
_LINK = """\
[Match]
PermanentMACAddress={mac}

[Link]
AlternativeName={name}
"""
_BY_ALTNAME = """\
[Match]
Name={name}

[Network]
Address=192.168.1.{host}/24
Gateway=192.168.1.1
DNS=192.168.1.1
"""
_NETPLAN = """\
network:
  version: 2
  ethernets:
    usb:
      match: {macaddress: "52:54:00:00:00:09"}
      set-name: lan9
      addresses: [192.168.1.77/24]
      nameservers: {addresses: [192.168.1.1]}
      routes: [{to: default, via: 192.168.1.1}]
"""
# What of it tells udev the name, and networkd the rest.
_NAMING, _NETWORK = re.compile(r".*/99-netplan-usb\.rules|.*\.link"), re.compile(r".*\.network")
_ETH0, _USB = "52:54:00:00:00:01", "52:54:00:00:00:09"
_RENAME = (
    "udevadm control --reload; udevadm trigger --action=add /sys/class/net/{name}; udevadm settle"
)
_MATCHING = "python3 /opt/vm/checkout/tests/vm/matching.py eth0 wlan0 lan9"
_UNINSTALL = "netfail-hooks uninstall --yes"


def udev(bench: Bench) -> None:
    """All of it; the machine ends as it began."""
    machine = bench.machine
    machine.sh(_UNINSTALL, seconds=120)
    try:
        _plug_usb(bench)
        _compare(bench)
        _altnames(bench)
        _set_name(bench)
    finally:
        machine.sh(f"{_UNINSTALL} || true", seconds=120, check=False)
        with contextlib.suppress(Broken):  # it was never plugged in
            machine.unplug("usb9")
        machine.sh(
            f"rm -f {_OWN}/*lan-port* /run/systemd/network/*netplan* /run/udev/rules.d/*netplan*;"
            "rm -f /etc/modprobe.d/vm.conf;"
            "ip link property del dev eth0 altname lan-port-of-the-machine || true;"
            "networkctl reload",
            check=False,
        )
        machine.sh("mv /opt/vm/20-eth0.network /etc/systemd/network/ && networkctl reload || true")
        installing.install(bench)


def _plug_usb(bench: Bench) -> None:
    """Plug a USB NIC in for which cloud-init, by netplan, has chosen a name."""
    machine = bench.machine
    _by_netplan(bench, _NAMING)
    # A driver for the same device, without hardware addresses, would take it by chance.
    machine.sh("echo blacklist cdc_subset >/etc/modprobe.d/vm.conf; udevadm control --reload")
    machine.plug("xhci", "qemu-xhci")
    machine.plug("usb9", "usb-net", mac=_USB, bus="xhci.0")
    machine.until("test -e /sys/class/net/lan9", "a USB NIC that udev calls lan9", seconds=60)


def _compare(bench: Bench) -> None:
    """Ask networkd and our own matching which file each NIC has, by every kind of condition."""
    said(f"{bench.suite}: [Match]")
    answer = json.loads(bench.machine.sh(_MATCHING, seconds=600))
    for name, known in answer["kinds"].items():
        said(f"  {name}: {known}")
    faults = [
        f"{conditions!r} {name}: networkd {theirs or 'none'}, we {ours or 'none'}"
        for conditions, found in answer["differs"].items()
        for name, (theirs, ours) in found.items()
    ]
    _tell(bench, "[Match] as networkd has it", f"{answer['judged']} judgements", faults)


def _altnames(bench: Bench) -> None:
    """Name an uplink by udev's alternative name, in its file and on the command line."""
    machine = bench.machine
    name = "lan-port-of-the-machine"  # more letters than a name of the kernel's may have
    _write(bench, f"{_OWN}/05-lan-port.link", _LINK.format(mac=_ETH0, name=name))
    machine.sh(f"mv {_OWN}/20-eth0.network /opt/vm/")
    _write(bench, f"{_OWN}/20-lan-port.network", _BY_ALTNAME.format(name=name, host=252))
    machine.sh(_RENAME.format(name="eth0"), seconds=90)
    machine.until(f"ip link show dev {name}", "an alternative name by udev")
    machine.sh("networkctl reload")
    _routable(bench, "eth0")
    machine.sh(f"netfail-hooks install --primary {name} --backup wlan0 --yes", seconds=300)
    assert 'interface = "eth0"' in machine.sh("cat /etc/netfail-hooks/config.toml")
    used = machine.sh("networkctl status eth0 --json=short 2>/dev/null || networkctl status eth0")
    assert "netfail-eth0.network" in used, used
    bench.measure(
        Step(
            "cable out, named by altname",
            lambda: bench.cable(plugged=False),
            lambda: bench.uses("wlan0"),
            1300,
        ),
        Step("cable in, named by altname", lambda: bench.cable(plugged=True), bench.settled, 900),
    )
    machine.sh(_UNINSTALL, seconds=120)


def _set_name(bench: Bench) -> None:
    """Unplug the USB NIC while it is the uplink in use, and plug it in again."""
    machine = bench.machine
    _by_netplan(bench, _NETWORK)
    machine.sh("networkctl reload")
    _routable(bench, "lan9")
    machine.sh(
        "netfail-hooks install --uplink lan9 --uplink eth0 --uplink wlan0 --yes", seconds=300
    )

    def first() -> None:
        machine.until(f'ip -4 route get {FAR} | grep -q "dev lan9 "', "traffic by lan9", seconds=90)

    def gone() -> None:
        machine.until("! test -e /sys/class/net/lan9", "a NIC that is gone")
        bench.uses("eth0")

    bench.measure(
        Step("USB NIC unplugged", lambda: machine.unplug("usb9"), gone, 3000, gap=True),
        Step("USB NIC plugged in, as lan9", lambda: _plug_again(bench), first, 900, gap=True),
        ready=first,
    )
    machine.sh(_UNINSTALL, seconds=120)


def _plug_again(bench: Bench) -> None:
    bench.machine.plug("usb9", "usb-net", mac=_USB, bus="xhci.0")


def _by_netplan(bench: Bench, wanted: re.Pattern[str]) -> None:
    """Write what the netplan of that Debian makes at each boot, of some kinds."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in netplan.made(bench.suite, _NETPLAN, Path(root)).items():
            if wanted.fullmatch(path):
                bench.machine.sh(f"mkdir -p {os.path.dirname(path)}")
                _write(bench, path, text)


def _routable(bench: Bench, name: str) -> None:
    test = f"networkctl --no-legend list {name} | grep -q routable"
    bench.machine.until(test, f"a routable {name}", seconds=60)


def _write(bench: Bench, path: str, text: str) -> None:
    bench.machine.sh(f"cat >{path} <<'END'\n{text}END")


def _tell(bench: Bench, name: str, note: str, faults: list[str]) -> None:
    bench.row(Row(bench.suite, bench.mode, name, 0, 0, connections=note, faults=faults))
