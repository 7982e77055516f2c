"""What each command really prints and ends with, on one machine: as it is published.

The schemas of docs/use/schemas, and the table of exit statuses in docs/use/glossary.md.
"""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from netfail_hooks.cli.commands import COMMANDS
from netfail_hooks.lab import Lab
from tests.lab.suite import install, wait_used
from tests.support import ROOT

_HOOK = "/etc/networkd-dispatcher/routable.d/50-netfail-hooks"


def _accept(lab: Lab, command: str, *words: str, exit_status: int = 0) -> list[Any]:
    """Return what a command prints, an object or a line of them, which its schema accepts."""
    done = lab.netfail(command, *words, "--json")
    assert done.returncode == exit_status, done.stdout + done.stderr
    text = (ROOT / f"docs/use/schemas/{command}.json").read_text(encoding="utf-8")
    checker = Draft202012Validator.FORMAT_CHECKER
    validator = Draft202012Validator(json.loads(text), format_checker=checker)
    lines = done.stdout.splitlines() if command == "log" else [done.stdout]
    found = [json.loads(line) for line in lines]
    for one in found:
        validator.validate(one)
    return found


def test_all_that_is_printed_as_json_is_as_published(lab: Lab) -> None:
    words = ("--primary", "eth0", "--backup", "wlan0")
    (would,) = _accept(lab, "install", *words, "--dry-run")
    assert any("write /etc/netfail-hooks/config.toml" in one for one in would["would"])
    (did,) = _accept(lab, "install", *words, "--yes")
    assert did["live"]
    _accept(lab, "status")
    _accept(lab, "check")
    _accept(lab, "doctor")
    lab.run("chmod", "0700", _HOOK)
    (would,) = _accept(lab, "doctor", "--fix", "--dry-run", exit_status=1)
    assert would["would"] == [f"chmod 0755 {_HOOK}"]
    (did,) = _accept(lab, "doctor", "--fix")
    assert did["did"] == would["would"]
    with lab.timer(0.5):
        _accept(lab, "drill", "--dry-run")
        lab.cable_out("eth0")
        wait_used(lab, "wlan0")
        (found,) = _accept(lab, "status", exit_status=1)
        assert [one["healthy"] for one in found["uplinks"]] == [False, True]
        _accept(lab, "check", exit_status=1)
    assert len(_accept(lab, "log")) > 1
    (would,) = _accept(lab, "uninstall", "--dry-run")
    (did,) = _accept(lab, "uninstall", "--yes")
    assert did["did"] == would["would"]
    _accept(lab, "uninstall", "--yes")  # nothing is installed


def test_the_exit_statuses_are_those_of_the_table(lab: Lab) -> None:
    """Each command's 0 and 1, where a machine like this has it; 2 and 3 are in tests/unit/cli."""
    seen: set[tuple[str, int]] = set()

    def ends(*words: str) -> int:
        done = lab.netfail(*words)
        assert "bug" not in done.stderr, done.stderr
        seen.add((words[0], done.returncode))
        return done.returncode

    # Before it is installed: a missing configuration.
    for command in ("status", "check", "use", "disable", "enable", "drill", "doctor", "metrics"):
        told = ["eth0"] if command in ("use", "disable", "enable") else []
        assert ends(command, *told) == 2, command
    install(lab)
    assert ends("install", "--yes") == 0
    assert ends("status") == 0
    assert ends("check") == 0
    assert ends("use", "wlan0") == 0
    assert ends("use", "--auto") == 0
    assert ends("disable", "wlan0") == 0
    assert ends("disable", "eth0") == 1  # no other uplink is up
    assert ends("drill", "--yes") == 1  # refused: another uplink is not up
    assert ends("enable", "wlan0") == 0
    assert ends("doctor") == 0
    lab.run("chmod", "0700", _HOOK)
    assert ends("doctor") == 1
    assert ends("doctor", "--fix") == 0
    assert ends("log") == 0
    assert ends("metrics") == 0
    assert ends("metrics", "--textfile", "/proc/nowhere/x.prom") == 1
    assert ends("report", "--html", "/run/netfail-hooks/report.html") == 0
    assert ends("report", "--html", "/proc/nowhere.html") == 1
    assert ends("replay", "/var/log/netfail-hooks/events.jsonl") == 0
    assert ends("completion", "bash") == 0
    lab.cable_out("wlan0")
    assert ends("use", "wlan0") == 1
    assert ends("status") == 1
    assert ends("check") == 1
    lab.cable_in("wlan0")
    assert ends("uninstall", "--yes") == 0
    known = {command.name for command in COMMANDS}
    assert {name for name, _ in seen} | {"demo"} == known
