"""A real udev: its names for NICs, what networkd matches by them, and NICs that come and go."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import cloud_init, netplan
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
# What a cloud gives cloud-init: names by hardware addresses. Its keys are its own, and one of them
# is the name of another NIC.
_CLOUD = """\
network:
  version: 2
  ethernets:
    id0:
      match: {macaddress: "52:54:00:00:00:01"}
      set-name: eth0
      addresses: [192.168.1.252/24]
      nameservers: {addresses: [192.168.1.1]}
      gateway4: 192.168.1.1
    eth1:
      match: {macaddress: "52:54:00:00:00:09"}
      set-name: lan9
      addresses: [192.168.1.77/24]
      nameservers: {addresses: [192.168.1.1]}
      routes: [{to: 0.0.0.0/0, via: 192.168.1.1}]
"""
# What of netplan's files tells udev the name, and networkd the rest.
_NAMING = re.compile(r".*/99-netplan-.*\.rules|.*\.link")
_NETWORK = re.compile(r".*\.network")
_NO_NETPLAN = "rm -f /run/systemd/network/*netplan* /run/udev/rules.d/*netplan*; udevadm control -R"
# As cloud-init itself does it, where no netplan has udev do it: _rename_interfaces() of its
# cloudinit/net/__init__.py.
_RENAMED = """
name=$(grep -l 52:54:00:00:00:09 /sys/class/net/*/address | cut -d/ -f5) && udevadm settle &&
ip link set $name down && ip link set $name name lan9
"""
_ETH0, _USB = "52:54:00:00:00:01", "52:54:00:00:00:09"
_RENAME = (
    "udevadm control --reload; udevadm trigger --action=add /sys/class/net/{name}; udevadm settle"
)
_MATCHING = "python3 /opt/vm/checkout/tests/vm/matching.py eth0 wlan0 lan9"
_UNINSTALL = "netfail-hooks uninstall --yes"
_GIVEN_BACK = f"{installing.SHAPE}sha256sum /run/systemd/network/*.network 2>/dev/null || true"
_GONE = "! test -e /sys/class/net/lan9"
_SECONDS = 30  # that networkd has to be as it was


def udev(bench: Bench) -> None:
    """All of it; the machine ends as it began."""
    machine = bench.machine
    machine.sh(_UNINSTALL, seconds=600)
    try:
        _plug_usb(bench)
        _compare(bench)
        _altnames(bench)
        _by_netplan(bench)
        _by_cloud_init(bench)
    finally:
        machine.sh(f"{_UNINSTALL} || true", seconds=600, check=False)
        with contextlib.suppress(Broken):  # it was never plugged in
            machine.unplug("usb9")
        machine.sh(
            f"rm -f {_OWN}/*lan-port* {_OWN}/*cloud-init*; {_NO_NETPLAN};"
            "rm -f /etc/modprobe.d/vm.conf;"
            "ip link property del dev eth0 altname lan-port-of-the-machine || true;"
            "networkctl reload",
            check=False,
        )
        machine.sh("mv /opt/vm/20-eth0.network /etc/systemd/network/ && networkctl reload || true")
        machine.sh(f"netfail-hooks install {installing.OPTIONS[bench.mode]} --yes", seconds=300)
        bench.settled(90)


def _plug_usb(bench: Bench) -> None:
    """Plug a USB NIC in for which cloud-init, by netplan, has chosen a name."""
    machine = bench.machine
    _write_netplan(bench, _NAMING)
    # A driver for the same device, without hardware addresses, would take it by chance.
    machine.sh("echo blacklist cdc_subset >/etc/modprobe.d/vm.conf; udevadm control --reload")
    machine.plug("xhci", "qemu-xhci")
    _plug(bench)
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
    with _taken_over(bench, f"--primary {name} --backup wlan0", "an uplink by altname"):
        assert 'interface = "eth0"' in machine.sh("cat /etc/netfail-hooks/config.toml")
        shown = "networkctl status eth0 --json=short 2>/dev/null || networkctl status eth0"
        used = machine.sh(shown)
        assert "netfail-eth0.network" in used, used
        bench.measure(
            Step(
                "cable out, named by altname",
                lambda: bench.cable(plugged=False),
                lambda: bench.uses("wlan0"),
                1300,
            ),
            Step(
                "cable in, named by altname", lambda: bench.cable(plugged=True), bench.settled, 900
            ),
        )
    machine.sh(f"rm {_OWN}/20-lan-port.network")


def _by_netplan(bench: Bench) -> None:
    """Unplug the USB NIC while it is the uplink in use, and plug it in again."""
    machine = bench.machine
    _write_netplan(bench, _NETWORK)
    machine.sh("networkctl reload")
    _routable(bench, "lan9", "eth0")

    def first() -> None:
        machine.until(f'ip -4 route get {FAR} | grep -q "dev lan9 "', "traffic by lan9", seconds=90)

    with _taken_over(bench, "--uplink lan9 --uplink eth0 --uplink wlan0", "names by netplan"):
        bench.measure(
            Step(
                "USB NIC unplugged",
                lambda: machine.unplug("usb9"),
                lambda: _left(bench, "eth0"),
                3000,
                gap=True,
            ),
            Step("USB NIC plugged in, as lan9", lambda: _plug(bench), first, 900, gap=True),
            ready=first,
        )


def _by_cloud_init(bench: Bench) -> None:
    """Have cloud-init's own renderer make networkd's files, and cloud-init name the USB NIC."""
    machine = bench.machine

    def plug_and_name() -> None:
        _plug(bench)
        machine.until(_RENAMED, "a USB NIC that can be renamed", seconds=60)
        machine.sh("networkctl reload")

    machine.sh(_NO_NETPLAN)
    with tempfile.TemporaryDirectory() as root:
        for path, text in cloud_init.made("networkd", _CLOUD, Path(root)).items():
            _write(bench, path, text)
            machine.sh(f"chown systemd-network: {path}")
    machine.unplug("usb9")
    machine.until(_GONE, "a NIC that is gone")
    plug_and_name()
    _routable(bench, "lan9", "eth0")
    with _taken_over(bench, "--uplink eth0 --uplink lan9 --uplink wlan0", "names by cloud-init"):
        bench.measure(
            Step(
                "cable out, named by cloud-init",
                lambda: machine.cable(plugged=False, ends=("eth0",)),
                lambda: bench.uses("lan9"),
                1300,
            ),
            Step(
                "then the USB NIC unplugged",
                lambda: machine.unplug("usb9"),
                lambda: _left(bench, "wlan0"),
                3000,
                gap=True,
            ),
            Step(
                "the USB NIC plugged in, named by cloud-init",
                plug_and_name,
                lambda: bench.uses("lan9", 90),
                900,
                gap=True,
            ),
            Step(
                "cable in, named by cloud-init",
                lambda: machine.cable(plugged=True, ends=("eth0",)),
                bench.settled,
                900,
            ),
        )


@contextlib.contextmanager
def _taken_over(bench: Bench, uplinks: str, name: str) -> Iterator[None]:
    """Install on uplinks: doctor finds nothing, and uninstall gives all back; make a row of it."""
    machine = bench.machine
    before = machine.sh(_GIVEN_BACK)
    machine.sh(f"netfail-hooks install {uplinks} --yes", seconds=300)
    findings = json.loads(machine.sh("netfail-hooks doctor --json", check=False))["findings"]
    faults = [f"doctor: {finding['what']}" for finding in findings]
    yield
    machine.sh(_UNINSTALL, seconds=600)
    until = time.monotonic() + _SECONDS
    while (differs := installing.differences("uninstall", before, machine.sh(_GIVEN_BACK))) and (
        time.monotonic() < until
    ):
        time.sleep(1)
    _tell(bench, name, "doctor finds nothing; all given back", faults + differs)


def _left(bench: Bench, name: str) -> None:
    """Wait until the USB NIC is gone, and traffic goes by another one."""
    bench.machine.until(_GONE, "a NIC that is gone")
    bench.uses(name)


def _plug(bench: Bench) -> None:
    bench.machine.plug("usb9", "usb-net", mac=_USB, bus="xhci.0")


def _write_netplan(bench: Bench, wanted: re.Pattern[str]) -> None:
    """Write what the netplan of that Debian makes, at each boot, of cloud-init's YAML for it."""
    with tempfile.TemporaryDirectory() as root:
        (yaml,) = cloud_init.made("netplan", _CLOUD, Path(root)).values()
        for path, text in netplan.made(bench.suite, yaml, Path(root, "plan")).items():
            if wanted.fullmatch(path):
                bench.machine.sh(f"mkdir -p {os.path.dirname(path)}")
                _write(bench, path, text)


def _routable(bench: Bench, *names: str) -> None:
    for name in names:
        test = f"networkctl --no-legend list {name} | grep -q routable"
        bench.machine.until(test, f"a routable {name}", seconds=60)


def _write(bench: Bench, path: str, text: str) -> None:
    bench.machine.sh(f"cat >{path} <<'END'\n{text}END")


def _tell(bench: Bench, name: str, note: str, faults: list[str]) -> None:
    bench.row(Row(bench.suite, bench.mode, name, 0, 0, connections=note, faults=faults))
