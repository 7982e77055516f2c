"""What ours were made of changes: each way is told, by whoever looks, and to the journal once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.managers import dhcpcd_release, ifupdown_release, interfaces
from netfail_hooks.managers.drift import drifted
from netfail_hooks.networkd import match
from netfail_hooks.networkd.file import default_routes, parse
from netfail_hooks.reconcile import touched
from netfail_hooks.values import replace
from tests.support.machine import Machine

_CONFIG = Config(default_metrics(("eth0", "wlan0")))
_RANKS = ("--primary", "eth0", "--backup", "wlan0")
_THEIRS = "/etc/systemd/network/20-eth0.network"
_OURS = "/etc/systemd/network/10-netfail-eth0.network"
_ROUTE = "[Route]\nDestination=198.51.100.0/24\nGateway=192.168.1.7\n"
# Each changes what networkd would use for eth0 if we were not here: a file, and its text.
_CHANGES = {
    "edited": (_THEIRS, "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"),
    "a drop-in added": (f"{_THEIRS}.d/dns.conf", "[Network]\nDNS=9.9.9.9\n"),
    "a drop-in for this boot": ("/run/systemd/network/20-eth0.network.d/a.conf", "[Network]\n"),
    "masked": (_THEIRS, ""),
    "another one first": ("/run/systemd/network/15-x.network", "[Match]\nName=eth*\n"),
    "another one of the same directory": (
        "/etc/systemd/network/15-e.network",
        "[Match]\nName=eth0\n",
    ),
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    assert machine.install(*_RANKS, "--yes") == 0
    Path(machine.paths.run).mkdir(parents=True, exist_ok=True)
    return machine


def _told(machine: Machine) -> list[str]:
    unknown: list[Problem] = []
    found = list(drifted(machine.paths, _CONFIG, unknown))
    assert unknown == []
    return found


def test_right_after_install_nothing_is_out_of_date(machine: Machine) -> None:
    assert _told(machine) == []
    assert touched.messages(machine.paths, _CONFIG) == []


@pytest.mark.parametrize("change", _CHANGES)
def test_each_way_of_changing_is_told_once(machine: Machine, change: str) -> None:
    assert touched.messages(machine.paths, _CONFIG) == []
    path, text = _CHANGES[change]
    machine.write(path, text)
    (told,) = touched.messages(machine.paths, _CONFIG)
    assert told.startswith(f"{_THEIRS} ")
    assert told.endswith(f" since {_OURS} was made of it")
    assert _told(machine) == [told]
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write("/etc/systemd/network/30-other.network", "[Match]\nName=tun0\n")
    assert touched.messages(machine.paths, _CONFIG) == [], "said already"
    if text:
        assert machine.install("--yes") == 0
        assert _told(machine) == []


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changes_in_whatever_order_is_told_as_long_as_it_is_so(
    machine: Machine, seed: int
) -> None:
    """Told once by the check, by others while it is so, never where all is as it was made of."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    files = (
        _THEIRS,
        f"{_THEIRS}.d/a.conf",
        f"{_THEIRS}.d/b.conf",
        "/etc/systemd/network/90-x.network",
    )
    first = {_THEIRS: machine.read(_THEIRS)}
    made = {path: _text(machine, path) for path in files}
    shown: set[str] = set()
    for _ in range(20):
        path = draw.choice(files)
        if draw.random() < 0.15:
            assert machine.install("--yes") == 0
            made = {path: _text(machine, path) for path in files}
        elif path != _THEIRS and draw.random() < 0.3:
            Path(f"{machine.root}{path}").unlink(missing_ok=True)
        elif draw.random() < 0.4:  # as it was, or only touched
            if made[path]:
                machine.write(path, made[path])
        else:
            text = first.get(path, "[Network]\n") + draw.choice(_OPTIONS)
            machine.write(path, _FOREIGN if path == files[3] else text)
        changed = any(_text(machine, path) != made[path] for path in files[:3])
        told = _told(machine)
        assert bool(told) == changed, told
        said = touched.messages(machine.paths, _CONFIG)
        assert said == [one for one in told if one not in shown]
        shown = set(told)
    assert machine.install("--yes") == 0
    assert _told(machine) == []


_OPTIONS = ("", "DNS=9.9.9.9\n", "Domains=home.example\n", "MulticastDNS=yes\n")
_FOREIGN = "[Match]\nName=tun0\n[Network]\nDHCP=yes\n"


def _text(machine: Machine, path: str) -> str:
    """Return a file's text, "" where there is none."""
    return machine.read(path) if os.path.exists(f"{machine.root}{path}") else ""


def test_a_deleted_file_is_told_and_install_says_what_to_do(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    text = machine.read(_THEIRS)
    Path(f"{machine.root}{_THEIRS}").unlink()
    assert _told(machine) == [f"{_THEIRS} is gone since {_OURS} was made of it"]
    before = machine.shape()
    with pytest.raises(Misuse, match=f"^{_THEIRS} is gone, of which {_OURS} was made") as refused:
        machine.install("--yes")
    assert f"put it back, or install with {' '.join(_RANKS)} --dhcp eth0" in refused.value.hint
    assert machine.shape() == before
    machine.write(_THEIRS, text)
    assert machine.install("--yes") == 0
    Path(f"{machine.root}{_THEIRS}").unlink()
    assert machine.install(*_RANKS, "--dhcp", "eth0", "--yes") == 0
    assert _told(machine) == []
    capsys.readouterr()


@pytest.mark.parametrize(
    "others", ["", "[Route]\nDestination=198.51.100.0/24\nGateway=192.168.1.7\n"]
)
@pytest.mark.parametrize("source", ["file", "asked"])
def test_no_install_makes_two_ways_out_of_one(machine: Machine, source: str, others: str) -> None:
    """What a route to some places alone goes by is no gateway to everywhere."""
    if source == "asked":
        Path(f"{machine.root}{_THEIRS}").unlink()
        eth0 = ("--address", "eth0=192.168.1.252/24", "--gateway", "192.168.1.1")
        assert machine.install(*_RANKS, *eth0, "--yes") == 0
        machine.write(_OURS, machine.read(_OURS) + others)
    else:
        machine.write(_THEIRS, machine.read(_THEIRS) + others)
    assert machine.install("--yes") == 0
    assert len(default_routes(parse(machine.read(_OURS)))) == 1


_RADIO = "WLANInterfaceType"  # which of an absent one is judged otherwise, not unknown
_ABSENT = {
    "MACAddress": "MACAddress=02:00:00:00:00:00",
    "PermanentMACAddress": "PermanentMACAddress=02:00:00:00:00:00",
    "Type": "Name=eth0\nType=ether",
    "Property": "Name=eth0\nProperty=INTERFACE=eth0",
    _RADIO: "Name=eth0\nWLANInterfaceType=!*",
}


@pytest.mark.parametrize(
    ("condition", "mode"),
    [
        *((one, "routes") for one in _ABSENT),
        *((one, "bond") for one in ("Type", "Property", _RADIO)),
    ],
)
def test_an_absent_nic_is_judged_when_it_is_back_and_the_others_now(
    tmp_path: Path, condition: str, mode: str
) -> None:
    machine = Machine(tmp_path)
    matched = machine.read(_THEIRS).replace("Name=eth0", _ABSENT[condition])
    machine.write(_THEIRS, matched)
    config = _installed(machine, mode)
    assert touched.messages(machine.paths, config) == []
    nic, away = f"{machine.root}/sys/class/net/eth0", f"{machine.root}/away"
    os.rename(nic, away)
    assert _judged(machine, config) == ([], [])
    assert touched.messages(machine.paths, config) == []
    machine.write(_THEIRS, f"{matched}Domains=home.example\n")
    theirs = "/etc/systemd/network/20-wlan0.network"
    machine.write(theirs, machine.read(theirs) + "Domains=home.example\n")
    told = touched.messages(machine.paths, config)
    assert [one.partition(" ")[0] for one in told] == ([theirs] if mode == "routes" else [])
    os.rename(away, nic)
    told = touched.messages(machine.paths, config)
    assert [one.partition(" ")[0] for one in told] == [_THEIRS]
    for there, gone in (away, nic), (nic, away):
        os.rename(gone, there)
        assert touched.messages(machine.paths, config) == [], "what was told is not told again"


def test_one_that_nobody_can_judge_does_not_silence_the_others(machine: Machine) -> None:
    theirs = "/etc/systemd/network/20-wlan0.network"
    text = machine.read(theirs)
    machine.write(theirs, text.replace("Name=wlan0", "Name=wlan0\nFirmware=smbios-field(x=y)"))
    machine.write(_THEIRS, machine.read(_THEIRS) + "Domains=home.example\n")
    found, (unknown,) = _judged(machine, _CONFIG)
    assert [one.partition(" ")[0] for one in found] == [_THEIRS]
    assert unknown.startswith(f"{theirs}: cannot tell whether")
    assert touched.messages(machine.paths, _CONFIG) == found
    assert touched.messages(machine.paths, _CONFIG) == []


def test_what_nobody_could_judge_is_looked_at_again(machine: Machine) -> None:
    """At the first boot there is no machine-id yet; no file of networkd's tells of it."""
    host = "[Match]\nName=eth0\nHost=0123456789abcdef0123456789abcdef\n"
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write("/etc/systemd/network/15-early.network", f"{host}[Network]\nDHCP=yes\n")
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    (told,) = touched.messages(machine.paths, _CONFIG)
    assert "has given way to" in told
    os.unlink(f"{machine.root}/etc/machine-id")
    machine.write("/etc/systemd/network/30-other.network", "[Match]\nName=tun0\n")
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    assert touched.messages(machine.paths, _CONFIG) == [], "said already"


def test_a_change_that_keeps_size_and_time_is_seen(machine: Machine) -> None:
    """As ``cp --preserve`` and ``rsync --times`` make it, into the same file."""
    assert touched.messages(machine.paths, _CONFIG) == []
    about = os.stat(f"{machine.root}{_THEIRS}")
    machine.write(_THEIRS, machine.read(_THEIRS).replace("DNS=192.168.1.1", "DNS=192.168.1.2"))
    os.utime(f"{machine.root}{_THEIRS}", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert len(touched.messages(machine.paths, _CONFIG)) == 1


def test_an_install_while_a_nic_is_away_takes_its_file_all_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.write(_THEIRS, machine.read(_THEIRS).replace("Name=eth0", _ABSENT[_RADIO]))
    assert machine.install(*_RANKS, "--yes") == 0
    os.rename(f"{machine.root}/sys/class/net/eth0", f"{machine.root}/away")
    machine.write(_THEIRS, machine.read(_THEIRS) + "Domains=home.example\n")
    assert machine.install("--yes") == 0
    assert "Domains=home.example\n" in machine.read(_OURS)
    os.rename(f"{machine.root}/away", f"{machine.root}/sys/class/net/eth0")
    assert _told(machine) == []


def test_what_may_not_be_read_is_no_error_and_is_looked_at_again(machine: Machine) -> None:
    """A check as root, but without CAP_DAC_OVERRIDE, reads no directory of networkd's own user."""
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write(f"{_THEIRS}.d/a.conf", "[Network]\nDomains=home.example\n")
    barred = f"{machine.root}{_THEIRS}.d"
    os.chmod(barred, 0)
    ends = " has changed since install: use sudo"
    told = " ".join(f"whether {one}{ends}" for one in (_THEIRS, _THEIRS.replace("eth0", "wlan0")))
    assert _looked_at_unprivileged(machine) == f"[] ()\n{told}\n"
    os.chmod(barred, 0o700)
    assert [one.partition(" ")[0] for one in touched.messages(machine.paths, _CONFIG)] == [_THEIRS]


def _looked_at_unprivileged(machine: Machine) -> str:
    look = (
        "from netfail_hooks.managers import drift\nfrom netfail_hooks.reconcile import touched\n"
        "from netfail_hooks.paths import Paths\n"
        "from tests.unit.managers.test_drift import _CONFIG\n"
        f"paths, unknown = Paths({str(machine.root)!r}), []\n"
        "print(touched.messages(paths, _CONFIG), drift.drifted(paths, _CONFIG, unknown))\n"
        "print(*unknown)"
    )
    may = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run([*may, sys.executable, "-c", look], capture_output=True, text=True)  # noqa: PLW1510
    assert done.stderr == ""
    return done.stdout


def test_a_directory_of_dhcpcds_that_may_not_be_read_is_no_error_either(machine: Machine) -> None:
    barred = machine.paths.at(f"/run/systemd/system/{dhcpcd_release.UNIT}.d")
    machine.write(dhcpcd_release.DENIED, "[Service]\nExecStart=dhcpcd --denyinterfaces eth0\n")
    os.makedirs(barred)
    os.chmod(barred, 0)
    told = "whether what keeps dhcpcd away has changed since install: use sudo"
    assert _looked_at_unprivileged(machine) == f"[] ()\n{told}\n"


def test_a_bond_is_judged_by_the_nic_whose_file_its_own_is_made_of(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    config = _installed(machine, "bond")
    assert _judged(machine, config) == ([], [])
    machine.write(_THEIRS, machine.read(_THEIRS) + "Domains=home.example\n")
    ours = _OURS.replace("eth0", "bond0")
    changed = f"{_THEIRS} has changed, or a drop-in of it, since {ours} was made of it"
    assert _judged(machine, config) == ([changed], [])
    assert touched.messages(machine.paths, config) == [changed]
    machine.write("/etc/systemd/network/30-bond0.network", "[Match]\nName=bond0\n")
    (given_way,), _ = _judged(machine, config)
    assert "has given way to /etc/systemd/network/30-bond0.network" in given_way
    assert machine.install("--yes") == 0
    assert _judged(machine, config) == ([], [])


def test_a_bond_as_it_was_asked_is_made_of_no_file(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    config = _installed(machine, "bond", "--dhcp")
    machine.write(_THEIRS, machine.read(_THEIRS) + "Domains=home.example\n")
    assert _judged(machine, config) == ([], [])


def test_a_slaves_file_says_nothing_of_addresses(tmp_path: Path) -> None:
    """Back to mode routes an uplink without a file of its own would have nothing."""
    machine = Machine(tmp_path)
    Path(f"{machine.root}{_THEIRS}").unlink()
    _installed(machine, "bond")
    with pytest.raises(Misuse, match=r"no \.network file says how eth0 is to be set up"):
        machine.install("--mode", "routes", "--yes")


def _installed(machine: Machine, mode: str, *words: str) -> Config:
    assert machine.install(*_RANKS, "--yes", "--mode", mode, *words) == 0
    Path(machine.paths.run).mkdir(parents=True, exist_ok=True)
    return replace(_CONFIG, mode=mode)


def _judged(machine: Machine, config: Config) -> tuple[list[str], list[str]]:
    unknown: list[Problem] = []
    return list(drifted(machine.paths, config, unknown)), list(map(str, unknown))


def test_what_was_only_touched_is_not(machine: Machine) -> None:
    assert touched.messages(machine.paths, _CONFIG) == []
    machine.write(_THEIRS, machine.read(_THEIRS))
    assert (_told(machine), touched.messages(machine.paths, _CONFIG)) == ([], [])


def test_a_drop_in_of_ours_is_the_users_and_in_effect(machine: Machine) -> None:
    machine.write(f"{_OURS}.d/mine.conf", "[Network]\nDNS=9.9.9.9\n")
    assert _told(machine) == []


def test_while_nothing_is_touched_no_file_is_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched.messages(machine.paths, _CONFIG)
    monkeypatch.setattr(match, "sources", lambda _: pytest.fail("read again"))
    os.utime(f"{machine.root}/sys/class/net/eth0")  # as when the kernel's cache had lost it
    assert touched.messages(machine.paths, _CONFIG) == []


def test_of_netplans_the_file_to_edit_is_netplans(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    Path(f"{tmp_path}{_THEIRS}").unlink()
    made = "/run/systemd/network/10-netplan-eth0.network"
    machine.write(made, "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n")
    assert machine.install(*_RANKS, "--yes") == 0
    ours = next(path for path in (_OURS, _OURS.replace("10-", "00-")) if machine.has(path))
    first = machine.read(ours).partition("\n")[0]
    generate = "of which netplan makes that, run 'sudo netplan generate'"
    assert f"in place of {made}; change /etc/netplan, {generate}" in first
    machine.write(made, "[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
    assert _told(machine)[0].startswith(f"{made}, which netplan makes of /etc/netplan, has changed")


_DEFAULT = "/etc/default/networking"
_OPTION = "EXCLUDE_INTERFACES"


@pytest.mark.parametrize("before", [None, "# nothing\n", f'{_OPTION}="tun* wg0"\n'])
@pytest.mark.parametrize(
    "after",
    [
        None,
        f'CONFIGURE_INTERFACES=yes\n{_OPTION}="wg0 tun*"\n',
        f"{_OPTION}=wg0\n",
        f'{_OPTION}="tun* wg0 eth9"\n',
        f'{_OPTION}="tun* wg0 wlan0"\n',
    ],
)
def test_what_ifupdown_is_told_to_leave_later_is_told_once(
    machine: Machine, before: str | None, after: str | None
) -> None:
    """Our file overrides the user's, which it repeats: what is said there later has no effect."""
    machine.write("/etc/network/interfaces", "auto eth0:1\niface eth0:1 inet manual\n")
    if before is not None:
        machine.write(_DEFAULT, before)
    known = interfaces.read(machine.paths)
    for path, text in ifupdown_release.release(machine.paths, known, _CONFIG.names()).files.items():
        machine.write(path, text)
    assert touched.messages(machine.paths, _CONFIG) == []
    if after is not None:
        machine.write(_DEFAULT, after)
    elif before is not None:
        Path(machine.paths.at(_DEFAULT)).unlink()

    def said(text: str | None) -> set[str]:
        words = (text or "").partition(f"{_OPTION}=")[2].replace('"', "").split()
        return {*words, "eth0", "wlan0"}

    told = touched.messages(machine.paths, _CONFIG)
    assert bool(told) == (said(before) != said(after)), told
    for message in told:
        assert message.startswith(f"{_OPTION} in {_DEFAULT} has changed since ")
    assert touched.messages(machine.paths, _CONFIG) == []
