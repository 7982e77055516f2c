"""Broken machines, one after another in one lab booted by systemd: what doctor says of each.

Each is mended, by ``doctor --fix``, by the commands that doctor printed or by undoing it, and must
then be healthy again: so every row is also a test that a healthy machine is not called ill.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from netfail_hooks import lab as sandbox
from tests.lab.booted import Booted
from tests.lab.suite import used, wait

_NOBODY = "65534"
_PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes", "--interval", "600")
_PROGRAM = "/usr/bin/networkd-dispatcher"
_HOOKS = "/etc/networkd-dispatcher"
_OURS = "/etc/systemd/network/10-netfail-wlan0.network"
_THEIRS = "/etc/systemd/network/20-wlan0.network"
_ONLINE = "/etc/systemd/system/systemd-networkd-wait-online.service"
_WAITER = "/usr/lib/systemd/systemd-networkd-wait-online"
_TIMER = "netfail-hooks-check.timer"
_CONF = "/proc/sys/net/ipv4/conf"
_WLAN0 = "/sys/devices/virtual/net/wlan0"
_OTHER = "/etc/systemd/network/00-mine.network"
_WAY = "default via 192.168.1.1 dev wlan0"

# How a machine is mended: doctor does it, a person does what doctor printed, or it is undone.
_FIX, _AS_TOLD = "--fix", "as told"


@dataclass(frozen=True)
class Broken:
    """A machine: the finding that must come first, the shell that breaks it, and its mending.

    ``brief``: a check mends it as well, which comes each few seconds while an uplink is recovering.
    """

    code: str
    breaks: str
    fix: str = _FIX
    brief: bool = False


_MACHINES = (
    Broken(
        "dispatcher-missing",
        f"systemctl stop networkd-dispatcher; mount --bind /dev/null {_PROGRAM}",
        f"umount {_PROGRAM}; systemctl start networkd-dispatcher",
    ),
    Broken("dispatcher-stopped", "systemctl disable --now networkd-dispatcher"),
    Broken("dispatcher-not-enabled", "systemctl disable networkd-dispatcher"),
    Broken("hook-skipped", f"chmod 775 {_HOOKS}/routable.d; chown 1 {_HOOKS}/off.d/*-hooks"),
    Broken("hook-missing", f"rm {_HOOKS}/no-carrier.d/50-netfail-hooks"),
    Broken(
        "hook-broken",
        f"sed -i '/^exec /s/python[0-9.]*/python9/' {_HOOKS}/*/50-netfail-hooks",
        _AS_TOLD,
    ),
    Broken("timer-stopped", f"systemctl disable --now {_TIMER}"),
    Broken("timer-not-enabled", f"systemctl disable {_TIMER}"),
    Broken(
        "timer-outdated", "sed -i 's/interval = 600/interval = 300/' /etc/netfail-hooks/config.toml"
    ),
    Broken(
        "networkd-stopped",
        "systemctl disable --now systemd-networkd.service systemd-networkd.socket",
    ),
    Broken("networkd-not-enabled", "systemctl disable systemd-networkd.service"),
    Broken(
        "file-shadowed",
        f"printf '[Match]\\nName=wlan0\\n[Link]\\nUnmanaged=yes\\n' >{_OTHER}; networkctl reload",
        f"rm {_OTHER}; networkctl reload",
    ),
    Broken("file-missing", "rm /etc/sysctl.d/60-netfail-hooks.conf"),
    Broken("file-missing", f"rm {_OURS}; networkctl reload"),
    Broken("file-changed", f"echo '# mine' >>{_OURS}", _AS_TOLD),
    Broken("file-outdated", f"echo '# mine' >>{_THEIRS}", f"sed -i '/# mine/d' {_THEIRS}"),
    Broken("metric-too-low", f"ip route add {_WAY}", _AS_TOLD),
    Broken("metric-equal", f"ip route append {_WAY} metric 100", _AS_TOLD),
    Broken("metric-wrong", f"ip route append {_WAY} metric 700", _AS_TOLD),
    Broken("no-gateway", f"ip route delete {_WAY}", _AS_TOLD),
    Broken(
        "sysctl",
        f"printf 1 >{_CONF}/eth0/rp_filter; printf 1 >{_CONF}/wlan0/arp_filter",
        brief=True,
    ),
    Broken("arp-ignore", f"printf 2 >{_CONF}/all/arp_ignore", f"printf 0 >{_CONF}/all/arp_ignore"),
    Broken("wait-online", f"rm {_ONLINE}.d/50-netfail-hooks.conf; systemctl daemon-reload"),
    Broken(
        "wait-online",
        f"printf '[Service]\\nExecStart=\\nExecStart={_WAITER} -i eth0:degraded -i wlan0:degraded"
        f"\\nExecStart={_WAITER} --any --dns -i eth0\\n' >{_ONLINE}.d/60-two.conf; "
        "systemctl daemon-reload",
        f"rm {_ONLINE}.d/60-two.conf; systemctl daemon-reload",
    ),
    Broken(
        "way-blocked",
        "ip route add unreachable default metric 300",
        "ip route delete unreachable default metric 300",
    ),
    # No driver for Wi-Fi is needed for a device to be called one: sysfs says which it is.
    Broken(
        "wifi-no-supplicant",
        f"printf 'DEVTYPE=wlan\\nINTERFACE=wlan0\\nIFINDEX=11\\n' >/run/uevent; "
        f"mount --bind /run/uevent {_WLAN0}/uevent; ip -n lan link set port1 down",
        f"umount {_WLAN0}/uevent; ip -n lan link set port1 up",
    ),
    Broken(
        "config-wrong",
        "echo 'intervall = 5' >>/etc/netfail-hooks/config.toml",
        "sed -i /intervall/d /etc/netfail-hooks/config.toml",
    ),
)


@pytest.fixture
def booted(readable: str) -> Iterator[Booted]:
    """Yield a machine as how-to's leave it; ``readable`` is there before its /tmp is its own."""
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    assert os.path.isdir(readable)
    with Booted() as lab:
        lab.run("rm", _ONLINE)  # it is masked, and here it must be what install finds
        lab.systemctl("daemon-reload")
        lab.write_files(lab.howto_files())
        lab.systemctl("enable", "--now", "systemd-networkd.service")
        lab.systemctl("enable", "networkd-dispatcher.service")
        wait(lambda: used(lab) != "", "a way out")
        yield lab


def test_every_broken_machine_is_told_what_ails_it(booted: Booted, readable: str) -> None:
    assert _ask(booted, "--fix")["findings"][0]["code"] == "not-installed"
    assert not os.path.exists(f"{booted.root}{_OURS}")
    done = booted.netfail("install", *_PAIR)
    assert done.returncode == 0, done.stderr
    _wait_healthy(booted, "a new installation")
    for machine in _MACHINES:
        _break_ask_mend(booted, machine)
    _nobody_sees_it_too(booted, readable)
    _a_second_manager(booted)


def _break_ask_mend(lab: Booted, machine: Broken) -> None:
    _wait_quiet(lab)
    _shell(lab, machine.breaks)
    found = _first(lab, machine.code, machine.breaks if machine.brief else "")
    assert found["code"] == machine.code, f"{machine.breaks}: {found}"
    assert found["safe"] == (machine.fix == _FIX), found
    if machine.fix == _FIX:
        done = _ask(lab, "--fix")
        assert not done["failed"], done
        assert found["fix"][0] in done["did"] or (machine.brief and not done["did"])
        if done["healthy"]:
            return
    elif machine.fix == _AS_TOLD:
        for command in found["fix"]:
            _obey(lab, command)
    else:
        _shell(lab, machine.fix)
    _wait_healthy(lab, machine.code)


def _wait_quiet(lab: Booted) -> None:
    """Wait until no event is on its way: the hook that it wakes would mend what is broken next."""
    states = ("networkctl", "--no-legend", "list", *lab.ports)

    def quiet() -> bool:
        rows = lab.run(*states).stdout.splitlines()
        hooks = lab.run("pgrep", "--full", "[5]0-netfail-hooks").stdout
        return bool(rows) and not hooks and all(row.split()[-1] == "configured" for row in rows)

    wait(quiet, "an end of events", seconds=30)


def _nobody_sees_it_too(lab: Booted, home: str) -> None:
    """Ask as a user who may read what everybody may: healthy, and one thing unknown."""
    command = f"PYTHONPATH={home} /usr/bin/python3 -m netfail_hooks doctor"
    as_nobody = f"setpriv --reuid={_NOBODY} --regid={_NOBODY} --clear-groups sh -c {{}}"
    found = json.loads(_shell(lab, as_nobody.format(shlex.quote(f"{command} --json"))))
    assert (found["healthy"], found["findings"]) == (True, [])
    assert ["use sudo" in one for one in found["unknown"]] == [True]
    _shell(lab, f"chmod 700 {_HOOKS}/off.d")
    assert _ask(lab, "--fix", "--dry-run")["would"] == [f"chmod 0755 {_HOOKS}/off.d"]
    assert [one["code"] for one in _ask(lab)["findings"]] == ["hook-skipped"]
    fixing = as_nobody.format(shlex.quote(f"{command} --fix; test $? = 3"))
    assert "only root may do this" in _shell(lab, f"{fixing} 2>&1")
    _shell(lab, f"chmod 755 {_HOOKS}/off.d")


def _a_second_manager(lab: Booted) -> None:
    """Let a real dhcpcd at eth0; it takes networkd's route away at once."""
    lab.start_dhcp()
    _shell(lab, "mkdir -p /var/lib/dhcpcd; dhcpcd --ipv4only --script /bin/true eth0 2>&1")
    routes = ("ip", "route", "show", "default", "proto", "dhcp")
    wait(lambda: lab.run(*routes).stdout != "", "dhcpcd's route")
    found = _first(lab, "foreign-manager")
    assert (found["code"], found["what"]) == ("foreign-manager", "dhcpcd sets up eth0, too")
    _shell(lab, "dhcpcd --ipv4only --exit eth0 2>&1")
    left = _first(lab, "no-gateway")
    assert left["what"] == "eth0 has lost its default route via 192.168.1.1"
    for command in left["fix"]:
        _obey(lab, command)
    _wait_healthy(lab, "dhcpcd")


def _ask(lab: Booted, *words: str) -> Any:
    done = lab.netfail("doctor", "--json", *words)
    found = json.loads(done.stdout or "null")
    assert found, done.stderr
    configured = {one["code"] for one in found["findings"]} & {"not-installed", "config-wrong"}
    assert done.returncode == (0 if found["healthy"] else 2 if configured else 1), done
    return found


def _first(lab: Booted, code: str, breaks: str = "") -> Any:
    """Return the first finding once it is the one, or whichever it is after a while.

    What may be mended before doctor looks is broken anew by ``breaks``.
    """
    found: list[Any] = []

    def is_told() -> bool:
        found[:] = _ask(lab)["findings"]
        if breaks and not found:
            _shell(lab, breaks)
        return bool(found) and found[0]["code"] == code

    _patiently(is_told)
    assert found, f"nothing is wrong, but there is: {code}"
    return found[0]


def _wait_healthy(lab: Booted, after: str) -> None:
    found: list[Any] = []

    def is_well() -> bool:
        found[:] = _ask(lab)["findings"]
        return not found

    _patiently(is_well)
    assert found == [], f"after {after}"


def _patiently(true: Callable[[], bool]) -> None:
    try:
        wait(true, "so", seconds=10)
    except AssertionError:
        return  # the caller says what it is instead


def _obey(lab: Booted, command: str) -> None:
    """Do what doctor told a person to do."""
    words = shlex.split(command)
    if words[0] == "netfail-hooks":
        done = lab.netfail(*words[1:])
        assert done.returncode == 0, done.stderr
    else:
        _shell(lab, command)


def _shell(lab: Booted, script: str) -> str:
    done = lab.run("sh", "-ec", script)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout
