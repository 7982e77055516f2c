"""A Debian system on a disk image, made once and kept by its content's key.

The key covers the suite, who manages the network, and this file. The cache is in
``NETFAIL_VM_CACHE``, by default ``~/.cache/netfail-hooks/vm``; remove it to have the newest
packages.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.support import ROOT

# Debian's testing has what Arch's users run. It is another one each week, so it has to be named.
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13", "testing": "Debian testing"}
RELEASED = ("bookworm", "trixie")
NETWORKD, NETWORK_MANAGER, NETPLAN = "networkd", "networkmanager", "netplan"
IFUPDOWN, DHCPCD = "ifupdown", "dhcpcd"
NETWORK_MANAGER_IWD = f"{NETWORK_MANAGER}-iwd"  # the same, and iwd joins Wi-Fi for it
# The same, and the user's own joins Wi-Fi: wpa_supplicant@wlan0, or iwd.
IFUPDOWN_SUPPLICANT, DHCPCD_SUPPLICANT = f"{IFUPDOWN}-supplicant", f"{DHCPCD}-supplicant"
DHCPCD_IWD = f"{DHCPCD}-iwd"
LOGIN = "login"  # as NETWORKD, and people can log in
_COMMON = (
    "systemd-sysv",
    "dbus",
    "udev",
    "kmod",
    "initramfs-tools",
    "linux-image-amd64",
    "iproute2",
    "hostapd",
    "wpasupplicant",
    "iw",
    "wireless-regdb",
)
_AS_IT_COMES = (
    *_COMMON,
    "ca-certificates",
    "dnsmasq-base",
    "iputils-ping",
    "openssh-client",
    "openssh-server",
    "python3",
    "sudo",
)
_NETWORK_MANAGERS = (*_AS_IT_COMES, "network-manager", "nftables", "wireguard-tools")
# The DHCP client that Debian's installer puts beside ifupdown.
_CLIENTS = {"bookworm": "isc-dhcp-client"}
_CLIENT = "dhcpcd-base"
_HOWTO = (*_COMMON, "networkd-dispatcher", "python3-venv")
_PACKAGES = {
    NETWORKD: _HOWTO,
    LOGIN: (*_HOWTO, "openssh-server", "sudo"),
    NETWORK_MANAGER: _NETWORK_MANAGERS,
    NETPLAN: (*_NETWORK_MANAGERS, "netplan.io"),
    NETWORK_MANAGER_IWD: (*_NETWORK_MANAGERS, "iwd"),
    IFUPDOWN: (*_AS_IT_COMES, "ifupdown"),
    DHCPCD: (*_AS_IT_COMES, "dhcpcd"),
    IFUPDOWN_SUPPLICANT: (*_AS_IT_COMES, "ifupdown"),
    DHCPCD_SUPPLICANT: (*_AS_IT_COMES, "dhcpcd"),
    DHCPCD_IWD: (*_AS_IT_COMES, "dhcpcd", "iwd"),
}
_LOCKED = f"{ROOT}/packaging/requirements.txt"
_MIRROR = "http://deb.debian.org/debian"
_NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
}
_SETUP = """
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/vm"
printf '%s\\n' virtio_pci virtio_blk ext4 >"$1/usr/share/initramfs-tools/modules.d/vm"
"""
# The first boot unpacks what the run brings along; the network around the host comes before it.
_CUSTOMIZE = r"""
cd "$1"
echo vm >etc/hostname
printf '%s\n' '127.0.0.1 localhost vm' >etc/hosts
: >etc/machine-id
chroot . passwd -d root >/dev/null
units=etc/systemd/system
cat >$units/vm-world.service <<'END'
[Unit]
Description=The network around this machine
DefaultDependencies=no
After=systemd-udev-settle.service local-fs.target systemd-sysctl.service dbus.socket
Wants=systemd-udev-settle.service network-pre.target
Before=network-pre.target systemd-networkd.service NetworkManager.service dhcpcd.service \
    wpa_supplicant.service wpa_supplicant@wlan0.service iwd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'test -e /opt/vm || tar -x -f /dev/vdb -C /; systemctl daemon-reload'
ExecStart=/usr/bin/python3 -I /opt/vm/world.py
END
mkdir -p $units/multi-user.target.wants $units/sysinit.target.wants
ln -s ../vm-world.service $units/sysinit.target.wants/
for unit in hostapd apt-daily.timer apt-daily-upgrade.timer fstrim.timer \
    e2scrub_reap e2scrub_all.timer getty@tty1 dpkg-db-backup.timer man-db.timer; do
    chroot . systemctl --quiet mask "$unit"
done
# Nothing to renew at the first boot (systemd-update-done.service(8)).
touch etc/.updated var/.updated
"""
# What such a machine lacks install.sh finds among what apt has fetched: there is no way out.
_UNMANAGED = r"""
export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
apt-get clean
apt-get install -qq --download-only --no-install-recommends networkd-dispatcher python3-venv
cd "$1"
chroot . systemctl --quiet disable systemd-networkd
rm -f etc/resolv.conf
"""
# Debian's unit of dhcpcd wants that file.
_RESOLVED = r"""
: >"$1/etc/resolv.conf"
"""
# As older Raspberry Pi images have it, a hook joins Wi-Fi: Debian's unit would keep it from /run.
_HOOKED = r"""
cd "$1"
cp usr/share/dhcpcd/hooks/10-wpa_supplicant usr/lib/dhcpcd/dhcpcd-hooks/
mkdir etc/systemd/system/dhcpcd.service.d
printf '%s\n' '[Service]' 'ReadWritePaths=/run' >etc/systemd/system/dhcpcd.service.d/wifi.conf
"""
_BY_SUPPLICANT = r"""
chroot "$1" systemctl --quiet enable wpa_supplicant@wlan0
"""
_BY_IWD = r"""
chroot "$1" systemctl --quiet enable iwd
"""
_BY_NETWORKD = r"""
cd "$1"
chroot . systemctl --quiet mask wpa_supplicant
chroot . systemctl --quiet enable systemd-networkd systemd-networkd-wait-online \
    networkd-dispatcher wpa_supplicant@wlan0
rm -rf var/cache/apt/*.bin var/lib/apt/lists/*
"""
_MANAGED = {
    NETWORKD: _BY_NETWORKD,
    LOGIN: _BY_NETWORKD,
    NETWORK_MANAGER: _UNMANAGED,
    NETPLAN: _UNMANAGED,
    NETWORK_MANAGER_IWD: _UNMANAGED + _BY_IWD,
    IFUPDOWN: _UNMANAGED,
    DHCPCD: _UNMANAGED + _RESOLVED + _HOOKED,
    IFUPDOWN_SUPPLICANT: _UNMANAGED + _BY_SUPPLICANT,
    DHCPCD_SUPPLICANT: _UNMANAGED + _RESOLVED + _BY_SUPPLICANT,
    DHCPCD_IWD: _UNMANAGED + _RESOLVED + _BY_IWD,
}


@dataclass(frozen=True)
class Image:
    """Where a suite's disk, kernel and initial RAM disk are."""

    suite: str
    disk: str
    kernel: str
    initrd: str


def cache() -> str:
    """Return the directory of all images and wheels."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("NETFAIL_VM_CACHE") or f"{home}/netfail-hooks/vm"


def lacking() -> list[str]:
    """Return the Debian packages of programs that are not here."""
    return [package for program, package in _NEEDED.items() if not shutil.which(program)]


def image(suite: str, manager: str = NETWORKD) -> Image:
    """Return a suite's image, built if there is none. Raises RuntimeError, with what was said."""
    with open(__file__, "rb") as own:
        key = hashlib.sha256(f"{suite} {manager}".encode() + own.read()).hexdigest()[:16]
    name = suite if manager == NETWORKD else f"{manager}-{suite}"
    place = f"{cache()}/{name}-{key}"
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            for old in glob.glob(f"{cache()}/{name}-*"):
                shutil.rmtree(old)
            _build(suite, manager, place)
    return Image(suite, f"{place}/disk", f"{place}/vmlinuz", f"{place}/initrd")


def wheels() -> str:
    """Return a directory with all that ``install.sh --wheels`` needs, fetched once."""
    with open(_LOCKED, "rb") as locked:
        key = hashlib.sha256(locked.read()).hexdigest()[:16]
    place = f"{cache()}/wheels-{key}"
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/wheels.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            aside = f"{place}.new"
            shutil.rmtree(aside, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
            _run([*pip, "--dest", aside, "--requirement", _LOCKED])
            os.rename(aside, place)
    return place


def _build(suite: str, manager: str, place: str) -> None:
    began = time.monotonic()
    print(f"vm: building an image of {SUITES[suite]}, {manager}", file=sys.stderr, flush=True)
    aside = f"{place}.new"
    shutil.rmtree(aside, ignore_errors=True)
    os.makedirs(aside)
    root = f"{aside}/root"
    sources = f"deb {_MIRROR} {suite} main\ndeb {_MIRROR}-security {suite}-security main\n"
    trims = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "locale", "man")]
    _run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(_packages(suite, manager))}",
            "--skip=cleanup/apt",
            # A mirror's testing may be older than its Release file wants to be believed.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            *trims,
            f"--setup-hook={_SETUP}",
            f"--customize-hook={_CUSTOMIZE}",
            f"--customize-hook={_MANAGED[manager]}",
            suite,
            root,
            "-",
        ],
        given=sources,
    )
    for kind, name in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd")):
        (found,) = glob.glob(f"{root}/boot/{kind}-*")
        shutil.copy(found, f"{aside}/{name}")
    shutil.copy(f"{root}/var/lib/dpkg/status", f"{aside}/status")
    _run(["mke2fs", "-q", "-t", "ext4", "-d", root, f"{aside}/disk", "2G"])
    shutil.rmtree(root)
    os.rename(aside, place)
    print(f"vm: built in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _packages(suite: str, manager: str) -> tuple[str, ...]:
    asks = manager in (IFUPDOWN, IFUPDOWN_SUPPLICANT)
    client = (_CLIENTS.get(suite, _CLIENT),) if asks else ()
    return (*_PACKAGES[manager], *client)


def _run(argv: list[str], given: str = "") -> None:
    done = subprocess.run(
        argv, input=given, capture_output=True, text=True, check=False, timeout=540
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{(done.stderr or done.stdout)[-3000:]}")
