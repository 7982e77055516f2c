"""How dhcpcd is told to leave an uplink, by a file of ours alone, and has it back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.managers import detect, dhcpcd, dhcpcd_release
from netfail_hooks.managers.release import Release
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_UNIT = "/lib/systemd/system/dhcpcd.service"
_TEXT = "[Service]\nType=forking\nExecStart=/usr/sbin/dhcpcd -q -b\nExecStop=/usr/sbin/dhcpcd -x\n"
_DROP_INS = "/etc/systemd/system/dhcpcd.service.d"
_HOOK = "/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant"
_NETWORKS = 'network={\n\tssid="Home"\n\tpsk="not so secret"\n}\n'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write(_UNIT, _TEXT)
    machine.write("/usr/sbin/dhcpcd", "")
    return machine


def _release(machine: Machine, *names: str) -> Release:
    return dhcpcd_release.release(
        machine.paths, [read_nic(name, machine.paths) for name in names or ("eth0", "wlan0")]
    )


def test_one_file_decides_and_repeats_what_the_unit_says(machine: Machine) -> None:
    found = _release(machine)
    ((path, said),) = found.files.items()
    assert (path, found.prepared) == (dhcpcd_release.DENIED, {})
    assert said.splitlines()[1:] == [
        "[Service]",
        "ExecStart=",
        "ExecStart=/usr/sbin/dhcpcd -q --timeout 1 --denyinterfaces eth0,wlan0",
    ]
    machine.write("/run/dhcpcd/pid", "77\n")
    machine.write("/proc/77/comm", "dhcpcd")
    nic = read_nic("wlan0", machine.paths)
    assert detect.manager_of(machine.paths, nic) == "dhcpcd"
    machine.write(path, said)
    assert detect.manager_of(machine.paths, nic) == ""
    assert dhcpcd_release.leaves(machine.paths, ("eth0", "eth1", "wlan0")) == ("eth0", "wlan0")
    assert _release(machine).files == found.files  # of a second install
    machine.write(path, said.replace("-q --timeout 1", "-q -b"))  # of an older one
    assert dhcpcd_release.drifted(machine.paths) == ""


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("wait.conf", "[Service]\nExecStart=\nExecStart=/usr/lib/dhcpcd5/dhcpcd -q -w\n", "-q -w"),
        ("zz.conf", "[Service]\nExecStart=\nExecStart=/sbin/dhcpcd \\\n -q\n", "/sbin/dhcpcd"),
        ("a.conf", "[Unit]\nExecStart=nothing\n# ExecStart=\n", "/usr/sbin/dhcpcd -q -b"),
        ("a.conf", "[Service]\nExecStart=/bin/true\n", ""),
        ("a.conf", "[Service]\nExecStart=\n", ""),
    ],
)
def test_the_units_own_drop_ins_count(machine: Machine, name: str, text: str, command: str) -> None:
    machine.write(f"{_DROP_INS}/{name}", text)
    found = dhcpcd_release.started_by(machine.paths)
    assert (command in found) if command else found == ""


def test_a_unit_that_changed_since_is_told(machine: Machine) -> None:
    assert dhcpcd_release.drifted(machine.paths) == ""
    assert dhcpcd_release.watched(machine.paths) == ()
    machine.write(dhcpcd_release.DENIED, _release(machine).files[dhcpcd_release.DENIED])
    assert dhcpcd_release.drifted(machine.paths) == ""
    assert _DROP_INS in dhcpcd_release.watched(machine.paths)
    assert _UNIT in dhcpcd_release.watched(machine.paths)
    machine.write(_UNIT, _TEXT.replace(" -q -b", " -q -d"))
    assert "ExecStart= of dhcpcd.service has changed" in dhcpcd_release.drifted(machine.paths)


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        (
            "[Service]\nExecStart=/bin/sh -c dhcpcd\n",
            "a way of its own: /bin/sh -c dhcpcd; have it",
        ),
        ("[Service]\nExecStart=/bin/true\nExecStart=dhcpcd\n", "not by one ExecStart=; have it"),
        ("[Service]\nExecStart=dhcpcd eth0\n", "a way of its own: dhcpcd eth0; have it"),
        ("[Service]\nExecStart=dhcpcd -d\n", "ExecStart= of dhcpcd.service has changed"),
        ("", ""),  # masked
        (None, ""),  # its package is gone
    ],
)
def test_of_a_unit_that_cannot_be_repeated_any_more(
    machine: Machine, unit: str | None, told: str
) -> None:
    said = _release(machine).files[dhcpcd_release.DENIED]
    machine.write(dhcpcd_release.DENIED, said)
    if unit is None:
        os.remove(machine.paths.at(_UNIT))
    else:
        machine.write(f"/etc/systemd/system/{dhcpcd_release.UNIT}", unit)
    assert told in dhcpcd_release.drifted(machine.paths)
    assert bool(told) == bool(dhcpcd_release.drifted(machine.paths))
    found = _release(machine)
    if not told:  # it may be installed again
        assert found.files[dhcpcd_release.DENIED] == said
    begin = found.take_back["eth0"][0][2]
    assert ("printf" in begin) == ("has changed" in told)  # else nothing of ours can be added
    subprocess.run(["sh", "-n", "-c", begin], check=True)


def test_what_it_is_told_live_is_shell_and_repeats_the_unit(machine: Machine) -> None:
    """What it does tests/lab/test_handover_dhcpcd.py shows."""
    machine.write(f"{_DROP_INS}/a.conf", "[Service]\nExecStart=\nExecStart=/sbin/dhcpcd -h 'a b'\n")
    found = _release(machine, "wlan0", "eth0")
    (end,), (begin,) = found.ends["eth0"], found.take_back["wlan0"]
    assert found.release["eth0"] == ()
    for command in (end, begin, *found.settle):
        subprocess.run(["sh", "-n", *command[1:]], check=True)
    start = begin[2].index("printf ")
    script = f"left=,eth0; {begin[2][start:].partition(' >')[0]}"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    more = "--timeout 1 --denyinterfaces"
    assert said == f"[Service]\nExecStart=\nExecStart=/sbin/dhcpcd -h 'a b' {more} eth0\n"


def test_everybody_may_look_into_what_it_makes(machine: Machine) -> None:
    """Though root's umask is 077: whoever runs status reads there what the unit says."""
    place = machine.paths.at("/run/systemd/system")
    found = _release(machine, "eth0")
    for command in (*found.ends["eth0"], *found.take_back["eth0"]):
        made = re.search("umask[^;]*; mkdir[^;]*", command[2])
        assert made
        inside = made[0].replace("/run/systemd/system", place)
        subprocess.run(["sh", "-c", f"umask 077; {inside}"], check=True)
        assert os.stat(f"{place}/{dhcpcd_release.UNIT}.d").st_mode & 0o777 == 0o755
        os.removedirs(f"{place}/{dhcpcd_release.UNIT}.d")


def test_who_has_written_the_servers_does_not_write_over_ours(machine: Machine) -> None:
    nics = [read_nic("eth0", machine.paths)]
    said = dhcpcd_release.release(machine.paths, nics, silent=True).files[dhcpcd_release.DENIED]
    assert "dhcpcd -q --timeout 1 --nohook resolv.conf --denyinterfaces eth0\n" in said
    machine.write(dhcpcd_release.DENIED, said)
    assert _release(machine, "eth0").files == {dhcpcd_release.DENIED: said}
    assert dhcpcd_release.drifted(machine.paths) == ""
    assert dhcpcd_release.leaves(machine.paths, ("eth0",)) == ("eth0",)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("dhcpcd -q -b", "dhcpcd -q"),
        ("dhcpcd -bqw", "dhcpcd -qw"),  # it would wait for ever
        ("dhcpcd --background -w -t 0", "dhcpcd -w -t 0"),
        ("dhcpcd -B -h -b", "dhcpcd -B -h"),
        ("dhcpcd -qhbox -z wlb0 -c/b", "dhcpcd -qhbox -z wlb0 -c/b"),
        ("/sbin/-b -M", "/sbin/-b -M"),
    ],
)
def test_it_waits_for_no_address_that_it_may_never_have(
    machine: Machine, command: str, said: str
) -> None:
    machine.write(_UNIT, f"[Service]\nExecStart={command}\n")
    found = _release(machine).files[dhcpcd_release.DENIED]
    assert f"\nExecStart={said} --timeout 1 --denyinterfaces" in found
    machine.write(dhcpcd_release.DENIED, found)
    assert dhcpcd_release.drifted(machine.paths) == ""


@given(st.text("abz09._-* ,'\"$%\\\n", min_size=1, max_size=15))
def test_a_name_that_anybody_may_read_otherwise_is_not_plain(name: str) -> None:
    quoted = subprocess.list2cmdline([name]) == name and not set(name) & set("*,'$%\\\n\"")
    assert dhcpcd_release.is_plain(name) <= quoted


def test_the_supplicant_that_its_hook_started_is_ended(machine: Machine) -> None:
    conf = "/etc/wpa_supplicant/wpa_supplicant.conf"
    text = f"ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev\ncountry=GB\n{_NETWORKS}"
    machine.write(conf, text, mode=0o600)
    assert _release(machine).release["wlan0"] == ()  # without the hook
    machine.write(_HOOK, "")
    (ends,), () = (_release(machine).release[name] for name in ("wlan0", "eth0"))
    assert "wpa_cli -p /run/wpa_supplicant -i wlan0 terminate" in ends[2]
    # By our file, which the hook takes after a power cut that left it there.
    for control, places in (
        ("ctrl_interface=/run/mine\n", ("/run/mine", "/run/wpa_supplicant")),
        ("", ("/run/wpa_supplicant",)),
    ):
        machine.write(conf, f"{control}{_NETWORKS}", mode=0o600)
        said = [command[2] for command in _release(machine).release["wlan0"]]
        assert said == [f"wpa_cli -p {one} -i wlan0 terminate || true" for one in places]
    machine.write(conf, text, mode=0o600)
    for left_out in ("nohook wpa_supplicant", "interface wlan0\nnohook mine 10-wpa_supplicant"):
        machine.write(dhcpcd.CONFIG, f"{left_out}\n")
        assert _release(machine).release["wlan0"] == ()  # then it is the user's own
    machine.write(dhcpcd.CONFIG, "interface wlan1\nnohook wpa_supplicant\n")
    assert _release(machine).release["wlan0"]
    ours = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
    machine.write(ours, "# netfail-hooks: as it was found\n" + _NETWORKS.replace("Home", "Old"))
    found = dhcpcd.profile(machine.paths, read_nic("wlan0", machine.paths))
    assert found
    assert ([one.ssid for one in found.wireless], found.country) == ([b"Home"], "GB")


def test_hooks_that_no_longer_run_are_told(machine: Machine) -> None:
    for name in ("10-wpa_supplicant", "20-resolv.conf", "50-ntp.conf", "64-timesyncd.conf"):
        machine.write(f"/lib/dhcpcd/dhcpcd-hooks/{name}", "")
    nic = read_nic("eth0", machine.paths)
    for path in ("/etc/dhcpcd.exit-hook", "/lib/dhcpcd/dhcpcd-hooks/90-mine"):
        found = dhcpcd.profile(machine.paths, nic)
        assert found
        assert not any("no longer run" in one for one in found.messages)
        machine.write(path, "")
        found = dhcpcd.profile(machine.paths, nic)
        assert found
        assert f"no longer run for eth0: {path}" in found.messages
        os.remove(machine.paths.at(path))


def test_no_lease_is_given_back(machine: Machine) -> None:
    machine.write(dhcpcd.CONFIG, "clientid\n")
    found = dhcpcd.profile(machine.paths, read_nic("eth0", machine.paths))
    assert found
    four = next(one for one in found.sections if one.name == "DHCPv4")
    assert four.get("SendRelease") == "no"
