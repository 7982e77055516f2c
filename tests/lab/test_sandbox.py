"""The check as its installed unit runs it: what a program of ``exec:`` may do there, or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netfail_hooks.install.units import SERVICE
from netfail_hooks.lab.topology import FAR
from tests.lab.booted import Booted, running
from tests.lab.suite import status, used, wait, wait_used

_PROGRAM, _WORD = "/etc/netfail-hooks/ask", "/etc/netfail-hooks/word"
_CARRIED, _COUNTED = "/var/lib/netfail-hooks/carried", "/run/netfail-hooks/counted"
# Each step has an exit status of its own: what docs/use/configuration.md promises, then what the
# sandbox keeps from it.
_ASK = f"""#!/bin/sh
read -r word <{_WORD} && test "$word" = yes || exit 11
ping -c 1 -W 2 -I "$NETFAIL_INTERFACE" {FAR} || exit 12
test "$(id -u)" = 0 || exit 13
for place in /etc /run /tmp /var/lib; do
    ! touch "$place/made" || exit 21
done
! mount -t tmpfs none /mnt || exit 22
! chown 1 {_WORD} || exit 23
"""
_WRITE = "#!/bin/sh\ntouch /srv/mine/made || exit 24\n"
_SLOW = "#!/bin/sh\nsleep 3601 &\nsleep 3602\n"
_TIMEOUT = 1500  # ms
_DROP_IN = "[Service]\nReadWritePaths=/srv/mine\n"


@pytest.fixture
def booted(request: pytest.FixtureRequest) -> Iterator[Booted]:
    """Yield one whose uplinks have that program for a target, and more settings of the backup."""
    with running() as lab:
        lab.write(_WORD, "yes\n")
        lab.write(_PROGRAM, _ASK, mode=0o700)
        # Four times that are a program's, which on a busy machine starts nine others slowly.
        asked = f'targets = ["exec:{_PROGRAM}"]\ntimeout = {_TIMEOUT}\n'
        of_each = {"eth0": asked, "wlan0": asked + getattr(request, "param", "")}
        lab.install("[check]\ninterval = 300\n", of_each)
        yield lab


def _check(lab: Booted) -> str:
    """Run the unit as its timer does; return what is wrong with IPv4 of eth0."""
    lab.systemctl("start", SERVICE)
    return str(status(lab)["uplinks"][0]["families"][0]["reason"])


def _wait_reason(lab: Booted, told: str) -> None:
    """Wait until a check that began since then tells that; one may have been on its way."""
    wait(lambda: told in _check(lab) if told else not _check(lab), told or "no reason", seconds=60)


def test_a_program_reads_asks_by_its_uplink_and_has_its_time_and_no_more(booted: Booted) -> None:
    lab = booted
    assert _check(lab) == ""
    lab.run("mount", "-t", "tmpfs", "lab", "/srv").check_returncode()
    lab.run("mkdir", "/srv/mine").check_returncode()
    lab.write(_PROGRAM, _WRITE, mode=0o700)
    _wait_reason(lab, "exit status 24")  # a place has to be given to it
    lab.write(f"/etc/systemd/system/{SERVICE}.d/mine.conf", _DROP_IN)
    lab.systemctl("daemon-reload")
    _wait_reason(lab, "")
    lab.write(_PROGRAM, _SLOW, mode=0o700)
    _wait_reason(lab, "killed after")
    # Who is killed still wants a processor to end by.
    wait(lambda: lab.run("pgrep", "-f", "^sleep 360[12]").returncode == 1, "an end of all it began")


@pytest.mark.parametrize("booted", ["metered = true\n"], indirect=True)
def test_it_may_keep_what_a_metered_uplink_carried(booted: Booted) -> None:
    lab = booted
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    lab.run("rm", "-f", _CARRIED, _COUNTED).check_returncode()
    _check(lab)
    assert lab.read(_CARRIED).startswith("wlan0 20"), lab.journal("--lines=5")
    assert used(lab) == "wlan0"
