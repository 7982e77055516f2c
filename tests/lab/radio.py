"""An uplink of a lab that is a radio to whoever asks, joined by the user's own wpa_supplicant.

A lab has no radio. One end of a cable that sysfs calls a wlan is one to this suite, and the real
wpa_supplicant has it by its driver for cables, which associates at once (802.1X by wire, with
nobody to ask for a key).
"""

from __future__ import annotations

from tests.lab.handed import Handed
from tests.lab.suite import wait

RADIO = "wlan0"
UNIT = f"wpa_supplicant@{RADIO}.service"
CONFIG = f"/etc/wpa_supplicant/wpa_supplicant-{RADIO}.conf"
_SAYS = "/run/lab/radio"
_TEMPLATE = """\
[Unit]
Description=WPA supplicant daemon (interface-specific version)

[Service]
ExecStart=/usr/sbin/wpa_supplicant -c/etc/wpa_supplicant/wpa_supplicant-%I.conf -Dwired -i%I

[Install]
WantedBy=multi-user.target
"""
_TEXT = """\
# mine
ctrl_interface=/run/wpa_supplicant
ap_scan=0
network={
\tkey_mgmt=IEEE8021X
\teap=MD5
\tidentity="somebody"
\tpassword="not so secret"
\teapol_flags=0
}
"""


def make(lab: Handed) -> None:
    """Have sysfs say that it is a radio: to be called before anybody has it."""
    uevent = f"/sys/class/net/{RADIO}/uevent"
    lab.write(_SAYS, f"DEVTYPE=wlan\n{lab.read(uevent)}")
    lab.run("mount", "--bind", _SAYS, uevent).check_returncode()
    lab.write("/etc/systemd/system/wpa_supplicant@.service", _TEMPLATE)
    lab.write(CONFIG, _TEXT, mode=0o600)


def join(lab: Handed) -> None:
    """Have the user's own join it, now and at boot."""
    lab.systemctl("enable", "--now", UNIT)
    wait(lambda: is_associated(lab), "association", seconds=20)


def is_associated(lab: Handed) -> bool:
    """Tell whether some wpa_supplicant has it joined."""
    asked = ("wpa_cli", "-p", "/run/wpa_supplicant", "-i", RADIO, "status")
    return "wpa_state=ASSOCIATED" in lab.run(*asked).stdout


def run_of(lab: Handed) -> str:
    """Return what tells this run of it from any other (systemd.exec(5), INVOCATION_ID)."""
    shown = ("show", "--property=InvocationID", "--property=MainPID", "--property=ActiveState")
    return lab.systemctl(*shown, UNIT).stdout
