"""What the demo leaves behind: its recording, in a place of the user's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from netfail_hooks import cli
from netfail_hooks.cli.commands import DEMO, DEMO_OF_CHECKOUT
from netfail_hooks.demo import recording
from tests.support import ROOT


def test_it_is_kept_where_a_user_s_own_state_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert recording.path() == str(tmp_path / "netfail-hooks/demo/events.jsonl")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    place = "/home/somebody/.local/state/netfail-hooks/demo/events.jsonl"
    assert recording.path() == place


def test_help_and_manual_name_it_for_both_ways_to_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert recording.path() == os.path.expanduser(DEMO)
    told = re.findall(r'XDG_STATE_HOME="\$here/(.*)"', (ROOT / "install.sh").read_text())
    assert told == [".demo/state"]
    monkeypatch.setenv("XDG_STATE_HOME", f"/x/{told[0]}")
    assert recording.path() == f"/x/{DEMO_OF_CHECKOUT}"
    texts = [(ROOT / "man/netfail-hooks.8").read_text().partition(".SH FILES")[2]]
    for command in ("log", "report", "replay"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        texts.append(capsys.readouterr().out)
    for text in texts:
        assert DEMO in text
        assert DEMO_OF_CHECKOUT in text.replace(DEMO, "")


def test_it_is_whole_and_replaces_the_last_one(tmp_path: Path) -> None:
    log, place = tmp_path / "log", tmp_path / "state/demo/events.jsonl"
    log.mkdir()
    (log / "events.jsonl").write_text("2\n")
    recording.keep(str(log), str(place))
    assert place.read_text() == "2\n"
    (log / "events.jsonl.1").write_text("1\n")
    recording.keep(str(log), str(place))
    assert place.read_text() == "1\n2\n"
    assert [path.name for path in place.parent.iterdir()] == ["events.jsonl"]


def test_what_to_try_can_be_typed() -> None:
    lines = recording.what_to_try("/home/a b/events.jsonl", "netfail-hooks")
    assert "  netfail-hooks report --html demo.html --file '/home/a b/events.jsonl'" in lines
    assert "  netfail-hooks replay '/home/a b/events.jsonl'" in lines
