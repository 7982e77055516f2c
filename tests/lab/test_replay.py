"""Replay against the real thing: the dispatcher's own environment, and real interfaces."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netfail_hooks import recorder
from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.lab.suite import install, wait

_DUMP = """\
#!/bin/sh
[ "$IFACE" = eth0 ] || exit 0
env -0 >/run/lab/env.tmp
mv /run/lab/env.tmp /run/lab/env.$STATE
"""
_ASK = (
    f"import json, sys; sys.path.insert(0, {package_home()!r})\n"
    "from netfail_hooks.replay import dispatcher, events\n"
    "print(json.dumps(dispatcher.environment(events.Event('eth0', sys.argv[1]))))\n"
)


@pytest.mark.parametrize(("state", "fault"), [("no-carrier", "cable_out"), ("off", "link_down")])
def test_the_environment_is_the_very_one_that_the_dispatcher_sets(
    lab: Lab, state: str, fault: str
) -> None:
    lab.write(f"/etc/networkd-dispatcher/{state}.d/10-dump", _DUMP, mode=0o755)
    getattr(lab, fault)("eth0")
    wait(lambda: bool(lab.read(f"/run/lab/env.{state}")), "environment of a hook")
    words = lab.read(f"/run/lab/env.{state}").split("\0")
    real = dict(word.split("=", 1) for word in words if word)
    told = lab.run(sys.executable, "-c", _ASK, state)
    ours = json.loads(told.stdout)
    assert json.loads(ours.pop("json")).keys() == json.loads(real["json"]).keys()
    assert ours == {key: real.get(key) for key in ours}


def test_an_installed_machine_replays_its_hooks_and_its_record(lab: Lab) -> None:
    install(lab)
    lab.cable_out("eth0")
    wait(lambda: "eth0 IPv4 down" in lab.read("/var/log/netfail-hooks/events.jsonl"), "failover")
    hooks = lab.netfail("replay", "eth0=no-carrier", "wlan0=routable")
    assert hooks.returncode == 0, hooks.stdout + hooks.stderr
    assert hooks.stdout.count("exit status 0") == 2
    again = lab.netfail("replay", "/var/log/netfail-hooks" + recorder.FILE)
    assert again.returncode == 0, again.stdout
    assert ", none other than recorded" in again.stdout
    samples = lab.netfail("metrics").stdout.splitlines()
    assert 'netfail_uplink_up{interface="eth0",family="ipv4"} 0' in samples
    assert 'netfail_uplink_carries_traffic{interface="wlan0",family="ipv4"} 1' in samples
    assert 'netfail_traffic_moves_total{family="ipv4"} 1' in samples
    drawn = lab.netfail("log", "--timeline").stdout
    assert re.search(r"^eth0 .*[#█]+x+ +\d+ %$", drawn, re.MULTILINE), drawn
    assert re.search(r"^wlan0 .*[-─]+[#█]+ +\d+ %$", drawn, re.MULTILINE), drawn
    status = lab.netfail("status")
    assert status.returncode == 1
    assert "eth0   NOT WELL  no carrier, " in status.stdout
    assert "no-carrier" not in status.stdout.partition("IPv4")[0]
    assert "by wlan0 via 192.168.1.1" in status.stdout


def test_the_sandbox_plays_a_list_on_real_interfaces(tmp_path: Path) -> None:
    plan = tmp_path / "list"
    plan.write_text("eth0=no-carrier eth0=routable\nwlan0=missing wlan0=routable\nwlan0=dead\n")
    done = subprocess.run(
        [sys.executable, "-m", "netfail_hooks", "replay", "--sandbox", str(plan)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lost, back, gone, there, dead = done.stdout.partition("eth0=no-carrier:")[2].split(":\n")
    assert "eth0 IPv4 down (no carrier); IPv4 now by wlan0" in lost
    assert "eth0 IPv4 recovering: must stay well for 10 s first" in back
    assert "wlan0 IPv4 down (interface is gone)" in gone
    assert "wlan0 IPv4 recovering" in there
    assert "wlan0 IPv4 down (no answer from gateway 192.168.1.1" in dead
