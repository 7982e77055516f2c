"""Whether the dispatcher runs, by the links that the service manager has for its units."""

from __future__ import annotations

from pathlib import Path

import pytest

from netfail_hooks import check, dispatcher, journal
from netfail_hooks.install.units import SOCKET, SOCKET_TEXT
from netfail_hooks.paths import Paths

_START = f"sudo systemctl enable --now {SOCKET}"


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


@pytest.mark.parametrize(
    ("lines", "silent"),
    [
        ("x 0 1 00000115 0 0 0\n", False),
        ("x 0 1 00000114 0 0 0\nx 15 1 00000115 0 0 0\n", True),  # others; the kernel's events
        ("", True),
        (None, False),  # nobody can tell
    ],
)
def test_without_hooks_the_watchs_socket_has_to_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str | None, *, silent: bool
) -> None:
    listeners = tmp_path / "netlink"
    if lines is not None:
        listeners.write_text(f"sk Eth Pid Groups\n{lines}", encoding="ascii")
    monkeypatch.setattr(dispatcher, "_UNITS", str(tmp_path))
    monkeypatch.setattr(dispatcher, "_LISTENERS", str(listeners))
    said = dispatcher.silence(hooks=False)
    assert bool(said) is silent
    assert said in ("", f"{SOCKET} is not listening, so no event is heard: {_START}")


def test_the_sockets_name_and_groups_are_the_units() -> None:
    assert dispatcher.SOCKET == SOCKET
    assert f"ListenNetlink=route {int(dispatcher._HEARS[1], 16)}\n" in SOCKET_TEXT


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
        ("", "heard again"),
        ("", ""),
    ):
        check._tell_of_silence(paths, why)
        said = capfd.readouterr().err
        assert told in said
        assert bool(said) == bool(told)
    assert list(Path(paths.run).iterdir()) == []
