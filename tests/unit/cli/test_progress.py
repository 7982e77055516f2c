"""A command that looks at the machine says so while that takes long: on a terminal, and once."""

from __future__ import annotations

import os
import pty
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from netfail_hooks import cli, report
from netfail_hooks.config import Config
from netfail_hooks.config.file import render
from netfail_hooks.errors import Problem
from netfail_hooks.paths import Paths
from netfail_hooks.status.values import Report
from netfail_hooks.terminal import progress
from tests.support.world import config_of

# What takes long, and the line that tells of it.
_LOOKS = {
    "netfail_hooks.cli.status.collect": (
        [["status"], ["status", "--watch"]],
        "looking at the uplinks",
    ),
    "netfail_hooks.report.collect": ([["report", "--html", "-"]], "looking at the uplinks"),
    "netfail_hooks.report.look": ([["report", "--html", "-"]], "looking at this machine"),
    "netfail_hooks.cli.doctor.look": ([["doctor"]], "looking at this machine"),
    "netfail_hooks.bundle.write": ([["log", "--bundle", "-"]], "gathering what a bug report needs"),
    "netfail_hooks.cli.check._round": ([["check"]], "asking each uplink"),
    "netfail_hooks.cli.by_hand.probe_and_run": (
        [["use", "eth0"], ["use", "--auto"], ["disable", "eth0"]],
        "asking each uplink",
    ),
}
_CASES = [(words, what, told) for what, (each, told) in _LOOKS.items() for words in each]


def _written(words: list[str], *, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is on standard error: a terminal, or a pipe."""
    ours, its = pty.openpty() if terminal else os.pipe()
    with open(its, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert cli.entry(words) == 1
    data = b""
    try:
        while piece := os.read(ours, 65536):
            data += piece
    except OSError:
        pass  # a terminal that nobody has open any more
    finally:
        os.close(ours)
    return data.decode()


@pytest.fixture
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """Have a machine on which all takes long, and the clock of progress run fast."""
    paths, config = Paths(str(tmp_path)), config_of("eth0", "wlan0")
    os.makedirs(os.path.dirname(paths.config))
    os.makedirs(paths.log)
    Path(paths.log, "events.jsonl").write_text("")
    Path(paths.config).write_text(render(config))
    for name in ("status", "report", "log", "doctor", "by_hand", "use", "disable", "enable"):
        module = f"netfail_hooks.cli.{name}"
        if hasattr(sys.modules.get(module) or __import__(module, fromlist="*"), "Paths"):
            monkeypatch.setattr(f"{module}.Paths", lambda: paths)
    # By what patches it again below: two would put it back in the wrong order.
    monkeypatch.setattr(report, "collect", lambda *_, **__: mocker.Mock(spec=Report))
    monkeypatch.setattr(progress, "AFTER", 0.05)
    monkeypatch.setattr(progress, "_EACH", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(("words", "what", "told"), _CASES)
def test_what_takes_long_is_told_meanwhile(
    words: list[str], what: str, told: str, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    def slow(*_: Any, **__: Any) -> Config:
        time.sleep(0.2)
        raise Problem("that is all")

    monkeypatch.setattr(what, slow)
    written = _written(words, terminal=terminal, monkeypatch=monkeypatch)
    assert written.rstrip().endswith("that is all")
    assert (f"\r\033[K{told}: " in written) is terminal
    assert (told in written) is terminal, "in a pipe it is no news"
