"""The question whether to go on, on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import Machine

_PAIR = ("--primary", "eth0", "--backup", "wlan0")


def _asked(machine: Machine, typed: str, *words: str) -> tuple[int, str]:
    """Run a command whose question gets that answer; return its status and all it showed."""
    ours, its = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "netfail_hooks", *words, "--root", str(machine.root)],
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    shown = ""
    answered = False
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536).decode()
        except OSError:  # it has ended
            break
        if "[y/N] " in shown and not answered:
            os.write(ours, typed.encode())
            answered = True
    os.close(ours)
    return child.wait(60), shown


@pytest.mark.parametrize("typed", ["\x04", "n\n", "\n"], ids=["Ctrl-D", "no", "Enter"])
def test_whatever_is_no_yes_changes_nothing(tmp_path: Path, typed: str) -> None:
    machine = Machine(tmp_path)
    before = machine.shape()
    status, shown = _asked(machine, typed, "install", *_PAIR)
    assert (status, machine.shape()) == (1, before), shown
    assert "nothing was changed" in shown.splitlines()[-1]


def test_ctrl_d_at_uninstalls_question_leaves_all_installed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.install(*_PAIR, "--yes")
    before = machine.shape()
    status, shown = _asked(machine, "\x04", "uninstall")
    assert (status, machine.shape()) == (1, before), shown
    assert "nothing was changed" in shown.splitlines()[-1]


def test_uninstall_says_before_it_asks_that_an_uplink_will_have_no_address(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    os.unlink(f"{machine.root}/etc/systemd/network/20-eth0.network")
    machine.install(*_PAIR, "--yes", "--dhcp", "eth0")
    _, shown = _asked(machine, "n\n", "uninstall")
    before, asked, _ = shown.partition("Go on?")
    assert asked
    assert before.startswith("note: after this no .network file sets eth0 up")
    assert "sets wlan0 up" not in shown
    _, shown = _asked(machine, "", "uninstall", "--yes")
    assert shown.startswith("note: after this no .network file sets eth0 up")


def test_a_yes_is_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    status, shown = _asked(machine, "y\n", "install", *_PAIR)
    assert status == 0, shown
    assert machine.has("/var/lib/netfail-hooks/manifest.json")


def test_of_many_files_a_person_reads_how_many_there_are(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _, shown = _asked(machine, "n\n", "install", *_PAIR)
    before, _, _ = shown.partition("Go on?")
    (line,) = before.splitlines()
    assert re.fullmatch(
        r"all in all: make \d\d new files and \d\d new directories \(--dry-run shows them\)", line
    )
    machine.install(*_PAIR, "--yes")
    network = f"{machine.root}/etc/systemd/network/20-eth0.network"
    with open(network, "a", encoding="utf-8") as file:
        file.write("Domains=lan\n")
    _, shown = _asked(machine, "n\n", "install", *_PAIR)
    assert shown.startswith("change /etc/systemd/network/10-netfail-eth0.network\r\nGo on?")
    machine.write("/etc/sysctl.d/60-netfail-hooks.conf", "# mine\n")
    _, shown = _asked(machine, "n\n", "uninstall")
    first, *others = shown.splitlines()
    assert first.startswith("note: /etc/sysctl.d/60-netfail-hooks.conf was changed since install")
    last = next(one for one in others if one.startswith("all in all"))
    assert re.match(r"all in all: remove \d\d files and \d\d directories \(--dry-run", last)
