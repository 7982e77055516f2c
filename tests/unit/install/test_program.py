"""An install says from which program to which the machine went, and whether anything changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import __version__
from netfail_hooks.install import manifest
from netfail_hooks.install.told import program
from netfail_hooks.install.told.program import Program, upgraded
from tests.support.machine import Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")
_NUMBERS = st.tuples(*[st.integers(0, 12)] * 3)
_DIGESTS = st.sampled_from(["aa", "bb"])


@given(_NUMBERS, _NUMBERS, _DIGESTS, _DIGESTS)
def test_the_words_are_true(
    old: tuple[int, int, int], new: tuple[int, int, int], one: str, other: str
) -> None:
    before, now = (".".join(map(str, each)) for each in (old, new))
    said = upgraded(Program(before, one), Program(now, other))
    if (old, one) == (new, other):
        assert said == ""
    elif old == new:
        assert said == f"the same version again, {now}, but with other code"
    else:
        assert said == f"{'upgraded' if old < new else 'went back'} {before} -> {now}"


def test_the_program_is_another_by_any_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = program.present()
    assert whole.version == __version__
    home = tmp_path / "home"
    (home / "netfail_hooks/deep").mkdir(parents=True)
    monkeypatch.setattr("netfail_hooks.install.told.program.package_home", lambda: str(home))
    seen = set()
    for path in ("netfail_hooks/a.py", "netfail_hooks/deep/a.py"):
        for text in ("a = 1\n", "a = 2\n"):
            (home / path).write_text(text)
            seen.add(program.present().digest)
    assert len(seen) == 4  # each of these four programs is another


@pytest.mark.parametrize("noted", ["", "0.0.1", "99.0", __version__])
@pytest.mark.parametrize("changed", [True, False])
@pytest.mark.parametrize("way", ["install", "dry run", "json"])
def test_another_programs_machine_is_upgraded(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    noted: str,
    changed: bool,  # noqa: FBT001
    way: str,
) -> None:
    machine = Machine(tmp_path)
    machine.install(*PAIR)
    place = Path(machine.paths.manifest)
    tree = json.loads(place.read_text())
    assert tree["program"] == [__version__, program.present().digest]
    tree["program"] = [noted, "0123"]
    if not noted:
        del tree["program"]  # as older versions wrote it
    place.write_text(json.dumps(tree))
    network = "/etc/systemd/network/20-eth0.network"
    if changed:
        machine.write(network, machine.read(network).replace("DNS=192.168.1.1", "DNS=9.9.9.9"))
    capsys.readouterr()
    words = {"install": ("--yes",), "dry run": ("--dry-run",), "json": ("--dry-run", "--json")}
    assert machine.install(*words[way]) == 0
    said = capsys.readouterr().out
    expected = {
        "": f"upgraded to {__version__}, from a version that noted none",
        "0.0.1": f"upgraded 0.0.1 -> {__version__}",
        "99.0": f"went back 99.0 -> {__version__}",
        __version__: f"the same version again, {__version__}, but with other code",
    }[noted]
    assert expected in said, said
    if way != "install":
        return
    assert ("1 of 28 files changed" in said, "nothing to do, all 28 files" in said) == (
        changed,
        not changed,
    )
    known = manifest.load(machine.paths)
    assert known
    assert known.program == program.present()
    assert machine.install("--yes") == 0
    said = capsys.readouterr().out
    assert f"this is version {__version__}, as before" in said
    assert "upgraded" not in said
