"""udev's own net_setup_link takes our .link file, and finds in it what it found without."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.networkd import link_file
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from tests.lab.conftest import MakeLab
from tests.support import ROOT

_SYSTEMDS = "/usr/lib/systemd/network"
_RULES = "/usr/lib/udev/rules.d/80-net-setup-link.rules"
_WAKING = "/run/lab/wake-on-lan"
_FILES = {
    "debian's": {},
    "mine": {
        "/etc/systemd/network/10-mine.link": "[Match]\nMACAddress={mac}\n[Link]\nName=lan0\n"
        "NamePolicy=mac\nWakeOnLan=arp\nMACAddressPolicy=none\n",
        "/etc/systemd/network/10-mine.link.d/more.conf": "[Link]\nNamePolicy=\n"
        "Alias=lan \\\n  # where\n  of the house\n[SR-IOV]\nVirtualFunction=0\n",
    },
    "none": {"/etc/systemd/network/99-default.link": ""},
}
_NAMES = {"debian's": "eth0", "mine": "lan0", "none": ""}
_ASK = """
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
print(read_nic("eth0", Paths()).deaf)
"""
_OTHER = ("ID_NET_LINK_FILE", "ID_NET_LINK_FILE_DROPINS")


@pytest.mark.parametrize("which", _FILES)
def test_udev_finds_what_it_found(make_lab: MakeLab, tmp_path: Path, which: str) -> None:
    lab = make_lab(start=False)
    _set_up(lab)  # which may give it another address
    mac = lab.run("cat", "/sys/class/net/eth0/address").stdout.strip()
    shutil.copytree(_SYSTEMDS, f"{tmp_path}{_SYSTEMDS}")
    for path in (_RULES, *_FILES[which]):
        inside = Path(f"{tmp_path}{path}")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(_FILES[which].get(path, "#").format(mac=mac), encoding="utf-8")
    for path, text in _FILES[which].items():
        lab.write(path, text.format(mac=mac))
    lab.run("sh", "-c", f"umask 077; printf 52:54:00:aa:bb:cc >{_WAKING}").check_returncode()
    before, _ = _set_up(lab)
    assert before.get("ID_NET_NAME", "") == _NAMES[which]
    nic = Nic("eth0", permanent_mac=mac, properties=tuple(before.items()), present=True)
    made = link_file.make(Paths(str(tmp_path)), nic, "phy magic", _WAKING)
    assert made
    # No NIC of a lab has an address that is permanent.
    lab.write(made.path, made.text.replace("\nPermanentMACAddress=", "\nMACAddress="))
    after, said = _set_up(lab)
    assert after["ID_NET_LINK_FILE"] == made.path
    assert _but_files(after) == {"ID_NET_NAME": "eth0", **_but_files(before)}
    # The driver of a lab's NIC wakes nobody, and of late nothing is set in a test (systemd 256).
    assert "eth0: Could not set WakeOnLan to phy,magic,secureon" in said or "in test mode" in said
    assert not re.search(rf"{re.escape(made.path)}:\d+", said), said


def test_what_wakes_nobody_is_known_by_its_driver(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    for user, deaf in (("0", "True"), ("65534", "False")):  # who may not ask, does not know
        told = lab.run(
            *("setpriv", f"--reuid={user}", "--clear-groups", sys.executable, "-c", _ASK),
            environment={"PYTHONPATH": str(ROOT)},
        )
        assert told.stdout == f"{deaf}\n", told.stderr


def _but_files(known: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in known.items() if key not in _OTHER}


def _set_up(lab: Lab) -> tuple[dict[str, str], str]:
    """Return what udev notes of eth0, and all that it says; the parser names file and line."""
    command = ("udevadm", "test-builtin", "net_setup_link", "/sys/class/net/eth0")
    done = lab.run(*command, environment={"SYSTEMD_LOG_LEVEL": "debug"})
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return dict(re.findall(r"^(ID_NET_\w+)=(.*)$", said, re.MULTILINE)), said
