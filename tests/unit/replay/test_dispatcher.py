"""What networkd-dispatcher would run, and what it would not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from netfail_hooks import cli
from netfail_hooks.cli import replay
from netfail_hooks.install.layout import HOOK
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.replay import dispatcher
from netfail_hooks.replay.dispatcher import Script
from netfail_hooks.replay.events import Event

_STATUS = """\
● 2: eth0
                     Link File: /usr/lib/systemd/network/99-default.link
                  Network File: /etc/systemd/network/10-netfail-eth0.network
                          Type: wlan
                         State: routable (configured)
                       Address: 192.168.1.252 (DHCP4 via 192.168.1.1)
                                192.168.1.25
                                fd00:1::252
                                fe80::ff:fe00:10
                       Gateway: 192.168.1.1
                                fe80::ff:fe00:100
"""


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return the files of a machine that the command then looks at."""
    paths = Paths(str(tmp_path))
    monkeypatch.setattr(replay, "Paths", lambda: paths)
    return paths


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networkctl know of one interface."""
    monkeypatch.setattr(networkctl, "states", lambda: {"eth0": ("routable", "configured")})
    monkeypatch.setattr(networkctl, "status", lambda _: _STATUS.splitlines())
    monkeypatch.setattr(dispatcher, "_essid", lambda _: "a net")


def _hook(paths: Paths, place: str, text: str = "exit 0", mode: int = 0o755) -> str:
    path = Path(paths.at(place))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is about root's files")
def test_hooks_run_in_name_order_and_etc_hides_the_library(paths: Paths) -> None:
    own = _hook(paths, "/etc/networkd-dispatcher/off.d/20-b")
    _hook(paths, "/usr/lib/networkd-dispatcher/off.d/20-b")
    first = _hook(paths, "/usr/lib/networkd-dispatcher/off.d/10-a")
    _hook(paths, "/etc/networkd-dispatcher/routable.d/00-other")
    assert dispatcher.scripts(paths, "off") == [Script(first), Script(own)]
    assert dispatcher.scripts(paths, "carrier") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is about root's files")
@pytest.mark.parametrize("mode", [0o644, 0o700, 0o775, 0o4755])
def test_a_hook_of_another_mode_is_refused(paths: Paths, mode: int) -> None:
    path = _hook(paths, "/etc/networkd-dispatcher/off.d/10-a", mode=mode)
    (found,) = dispatcher.scripts(paths, "off")
    assert found.refused == f"{path} has mode {mode:04o}, not 0755"


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is about root's files")
def test_owner_and_directory_count_and_links_are_followed_for_the_file_alone(paths: Paths) -> None:
    path = _hook(paths, "/etc/networkd-dispatcher/off.d/10-a")
    os.chown(path, 1, 0)
    assert dispatcher.scripts(paths, "off")[0].refused == f"{path} is not root:root"
    os.chown(path, 0, 0)
    link = Path(paths.at("/etc/networkd-dispatcher/off.d/20-link"))
    link.symlink_to(path)
    assert dispatcher.scripts(paths, "off")[1] == Script(str(link))
    Path(path).parent.chmod(0o700)
    assert "off.d has mode 0700" in dispatcher.scripts(paths, "off")[0].refused


def test_the_environment_is_the_dispatchers() -> None:
    found = dispatcher.environment(Event("eth0", "no-carrier"))
    assert json.loads(found.pop("json"))["Gateway"] == ["192.168.1.1", "fe80::ff:fe00:100"]
    assert found == {
        "ADDR": "192.168.1.252",
        "ESSID": "a net",
        "IP_ADDRS": "192.168.1.252 192.168.1.25",
        "IP6_ADDRS": "fd00:1::252",
        "IFACE": "eth0",
        "STATE": "no-carrier",
        "AdministrativeState": "configured",
        "OperationalState": "no-carrier",
    }


def test_an_administrative_state_is_one() -> None:
    found = dispatcher.environment(Event("eth0", "configuring"))
    assert found["AdministrativeState"] == "configuring"
    assert found["OperationalState"] == "routable"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the hooks")
@pytest.mark.parametrize(
    ("options", "ran"),
    [
        ([], ["ours"]),
        (["--all"], ["other", "ours"]),
        (["--dry-run"], []),
        (["--dry-run", "--all"], []),
    ],
)
def test_replay_runs_ours_or_all(
    paths: Paths, capsys: pytest.CaptureFixture[str], options: list[str], ran: list[str]
) -> None:
    trace = Path(paths.at("/trace"))
    trace.touch()
    place = "/etc/networkd-dispatcher/off.d"
    _hook(paths, f"{place}/10-other", f'echo "other $IFACE $STATE" >>{trace}')
    ours = _hook(paths, f"{place}/{HOOK}", f'echo "ours $IFACE $STATE" >>{trace}')
    assert cli.entry(["replay", "eth0=off", *options]) == 0
    out = capsys.readouterr().out
    assert trace.read_text() == "".join(f"{one} eth0 off\n" for one in ran)
    assert ("10-other: somebody else's, see --all" in out) == ("--all" not in options)
    if "--dry-run" in options:
        assert f"would run {ours}" in out
        assert "    IFACE=eth0\n" in out
    else:
        assert f"ran {ours}: exit status 0" in out
        assert "no transition" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is about root's files")
def test_a_hook_of_ours_that_fails_or_would_not_run_is_a_failure(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    _hook(paths, f"/etc/networkd-dispatcher/off.d/{HOOK}", "exit 4")
    assert cli.entry(["replay", "eth0=off"]) == 1
    assert "exit status 4" in capsys.readouterr().out
    _hook(paths, f"/etc/networkd-dispatcher/off.d/{HOOK}", mode=0o644)
    assert cli.entry(["replay", "eth0=off"]) == 1
    assert "has mode 0644, not 0755" in capsys.readouterr().out
