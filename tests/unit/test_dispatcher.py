"""Whether the dispatcher runs, by the links that the service manager has for its units."""

from __future__ import annotations

from pathlib import Path

import pytest

from netfail_hooks import check, dispatcher, journal
from netfail_hooks.paths import Paths


def test_only_where_systemd_says_so_is_it_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    monkeypatch.setattr(dispatcher, "_UNITS", str(units))
    assert dispatcher.silence() == ""  # no systemd
    units.mkdir()
    assert "systemctl enable --now networkd-dispatcher" in dispatcher.silence()
    (units / "invocation:networkd-dispatcher.service").symlink_to("1f" * 16)  # leads nowhere
    assert dispatcher.silence() == ""


def test_silence_and_its_end_are_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "none"))  # standard error has to do
    paths = Paths(str(tmp_path))
    check._tell_of_silence(paths, "nobody listens")  # there is no place to note it yet
    assert capfd.readouterr().err == ""
    Path(paths.run).mkdir(parents=True)
    for why, told in (
        ("", ""),
        ("nobody listens", "nobody listens"),
        ("nobody listens", ""),
        ("", "runs again"),
        ("", ""),
    ):
        check._tell_of_silence(paths, why)
        said = capfd.readouterr().err
        assert told in said
        assert bool(said) == bool(told)
    assert list(Path(paths.run).iterdir()) == []
