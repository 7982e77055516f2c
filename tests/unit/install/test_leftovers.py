"""What an uninstall says that stays, and the one command that removes it."""

from __future__ import annotations

import itertools
import shlex
import subprocess
from pathlib import Path

import pytest

from netfail_hooks.install.manifest import Entry, Manifest
from netfail_hooks.install.nodes import DIRECTORY, Node
from netfail_hooks.install.told.leftovers import DEBIAN, GOES, left
from netfail_hooks.paths import Paths

_HOOK = Entry("/etc/networkd-dispatcher/routable.d/50-netfail-hooks", None, ())
_SH = "/usr/local/lib/netfail-hooks/packages"
_PREFIX = "/opt/x y/lib/netfail-hooks/packages"
_ARCH = "/usr/lib/python3.14/site-packages"
_ALSO = " networkd-dispatcher"


@pytest.mark.parametrize(
    ("home", "dispatcher", "others", "goes", "pacman"),
    list(itertools.product([DEBIAN, _SH, _PREFIX, _ARCH], *[[True, False]] * 4)),
)
def test_three_lines_at_most_and_the_one_command(  # noqa: PLR0913
    monkeypatch: pytest.MonkeyPatch,
    *,
    home: str,
    dispatcher: bool,
    others: bool,
    goes: bool,
    pacman: bool,
) -> None:
    there = {"networkd-dispatcher": dispatcher, "pacman": pacman}
    monkeypatch.setattr("shutil.which", lambda name, **_: there[name] or None)
    monkeypatch.setattr("glob.glob", lambda _: ["/x"] if others else [])
    monkeypatch.setenv(GOES, "1") if goes else monkeypatch.delenv(GOES, raising=False)
    lines = left(Manifest((_HOOK,)), Paths(), kept=["config.toml"], home=home)
    spare = dispatcher and not others
    also = _ALSO if spare else ""
    where = "in the directory that it was unpacked to"
    command = {
        DEBIAN: f"sudo apt purge netfail-hooks{also}",
        _SH: "" if goes else f"sudo ./install.sh --uninstall, {where}",
        _PREFIX: "" if goes else f"sudo ./install.sh --uninstall --prefix '/opt/x y', {where}",
        _ARCH: f"sudo pacman -Rns netfail-hooks{also}" if pacman and not goes else "",
    }[home]
    assert len(lines) <= 3
    assert bool(lines) == bool(command)
    if lines:
        assert lines[-1] == f"to remove it: {command}"
        assert ("the program" in lines[0]) == (not goes)
        assert ("networkd-dispatcher" in lines[0]) == spare
        assert ("config.toml" in lines[0]) == (home == DEBIAN)


def test_without_hooks_of_ours_the_dispatcher_is_none_of_our_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(GOES, raising=False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/bin/x")
    monkeypatch.setattr("glob.glob", lambda _: [])
    assert "networkd-dispatcher" not in " ".join(left(Manifest(), Paths(), home=DEBIAN))
    assert left(Manifest((_HOOK,)), Paths("/image"), home=DEBIAN) == []


@pytest.mark.parametrize("home", [DEBIAN, _SH, _ARCH])
@pytest.mark.parametrize("goes", [True, False])
def test_what_stays_in_a_directory_of_ours_is_named_with_what_removes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str, *, goes: bool
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setenv(GOES, "1") if goes else monkeypatch.delenv(GOES, raising=False)
    etc, log = tmp_path / "etc of ours", tmp_path / "log"
    monkeypatch.setattr(Paths, "config", property(lambda _: f"{etc}/config.toml"))
    monkeypatch.setattr(Paths, "log", property(lambda _: str(log)))
    made = Manifest((Entry(str(etc), None, ()),))
    assert not any("rm" in line for line in left(made, Paths(), home=home))
    for place in (etc / "notify.d", log):
        place.mkdir(parents=True)
    for file in (etc / "config.toml", log / "events.jsonl"):
        file.touch()
    with_package = home == DEBIAN  # whose purge takes these
    lines = left(made, Paths(), home=home)
    assert any("sudo rm -r " in line for line in lines) is not with_package
    (etc / "notify.d/mail").touch()
    what, how = left(made, Paths(), home=home)
    names = "notify.d/mail" if with_package else "config.toml, notify.d/mail"
    assert f"{etc} with {names}" in what
    command = how.removeprefix("to remove it: ").partition(";")[0]
    assert shlex.split(command) == [
        "sudo",
        "rm",
        "-r",
        str(etc),
        *([] if with_package else [str(log)]),
    ]
    subprocess.run(shlex.split(command)[1:], check=True)
    assert not etc.exists()
    etc.mkdir()
    (etc / "config.toml").touch()
    theirs = Manifest((Entry(str(etc), Node(DIRECTORY), ()),))
    assert not any(str(etc) in line for line in left(theirs, Paths(), home=home))
