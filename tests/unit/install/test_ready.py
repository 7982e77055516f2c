"""install --config: a ready config.toml takes the place of the one that is there, or nothing does.

On a machine that is only files; on one that runs: tests/lab/test_ready.py.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.install.config import by_names, read_ready
from netfail_hooks.paths import Paths
from tests.support.machine import Machine
from tests.unit.install.test_amended import files

UPLINKS = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
FLEET = f'# of all of them\noverride_metric = 7\n{UPLINKS}targets = ["icmp:1.1.1.1"]\n'
CONFIG = "/etc/netfail-hooks/config.toml"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = tmp_path / "machine"
    root.mkdir()
    return Machine(root)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET, encoding="utf-8")
    path.chmod(0o644)
    return path


def _asked(machine: Machine, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert machine.install(*words, "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert isinstance(told, dict)
    return told


def test_it_is_put_in_place_byte_for_byte_and_in_force(machine: Machine, ready: Path) -> None:
    assert machine.install("--config", str(ready), "--yes") == 0
    assert machine.read(CONFIG) == FLEET
    assert "Metric=600" in machine.read("/etc/systemd/network/10-netfail-wlan0.network")
    timer = machine.read("/etc/systemd/system/netfail-hooks-check.timer")
    assert "=5" in timer  # as there are targets


def test_the_second_time_there_is_nothing_to_do(
    machine: Machine, ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--config", str(ready))
    told = _asked(machine, capsys, *words, "--dry-run")
    assert told["changed"]
    assert f"+{FLEET.splitlines()[0]}\n" in str(told["diff"])
    assert not machine.has(CONFIG)
    assert _asked(machine, capsys, *words)["changed"]
    after = machine.shape()
    told = _asked(machine, capsys, *words)
    assert (told["changed"], told["did"]) == (False, [])
    told = _asked(machine, capsys, *words, "--dry-run")
    assert (told["changed"], told["would"], told["diff"]) == (False, [], "")
    assert machine.install(*words, "--yes") == 0
    assert capsys.readouterr().out.startswith("nothing to do, ")
    assert machine.shape() == after


def test_uninstall_then_leaves_what_there_was(
    machine: Machine, ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.shape()
    machine.install("--primary", "eth0", "--backup", "wlan0", "--yes")
    assert not [n for n in _notes(machine, capsys, ready) if "config.toml" in n]
    assert machine.read(CONFIG) == FLEET
    machine.uninstall("--yes")
    assert machine.shape() == before
    capsys.readouterr()
    assert machine.uninstall("--yes", "--json") == 0
    assert not json.loads(capsys.readouterr().out)["changed"]


def _notes(machine: Machine, capsys: pytest.CaptureFixture[str], ready: Path) -> list[str]:
    notes = _asked(machine, capsys, "--config", str(ready))["notes"]
    assert isinstance(notes, list)
    return notes


@pytest.mark.parametrize("old", [UPLINKS, "not = [TOML", "hold = 1\n" + UPLINKS, ""])
def test_a_config_from_before_gives_way_until_uninstall(
    machine: Machine, ready: Path, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    machine.write(CONFIG, old, mode=0o640)
    before = machine.shape()
    expected = f"was there before install, which gives way to {ready} until uninstall"
    assert [note for note in _notes(machine, capsys, ready) if expected in note]
    assert machine.read(CONFIG) == FLEET
    assert os.stat(f"{machine.root}{CONFIG}").st_mode & 0o777 == 0o640
    machine.uninstall("--yes")
    assert machine.shape() == before


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("[check]\ninterval = 9\n", "differs in check.interval"),
        ('[[uplink]]\ninterface = "usb0"\n[bond]\nname = "b"\n', "in bond.name, [[uplink]]"),
        ("# mine\n", "differs in nothing but words"),
        ("not = [TOML", "in which something is wrong, is replaced"),
    ],
)
def test_what_a_person_changed_since_install_is_told_as_it_goes(
    machine: Machine, ready: Path, capsys: pytest.CaptureFixture[str], edit: str, told: str
) -> None:
    before = machine.shape()
    machine.install("--config", str(ready), "--yes")
    machine.write(CONFIG, FLEET + edit)
    assert [note for note in _notes(machine, capsys, ready) if told in note]
    assert machine.read(CONFIG) == FLEET
    machine.uninstall("--yes")
    assert machine.shape() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("check.intervall = 5\n" + UPLINKS, "check.intervall: unknown key, did you mean"),
        ("check.interval = -1\nmode = 'x'\n" + UPLINKS, "line 2: mode: must be"),
        ("", "uplink: name at least one"),
        ('[[uplink]]\ninterface = "eth0"\n', "eth0 alone has nothing to fail over to"),
        ("a = [", "Invalid"),
        ("# \udce9\n" + UPLINKS, "'utf-8' codec can't decode"),
        ("dispatcher = false\nwatch = 'off'\n" + UPLINKS, "set dispatcher = true, or set watch"),
        ("dispatcher = false\nmode = 'bond'\n" + UPLINKS, "dispatcher = true, or take mode routes"),
        ("#" * (1 << 20) + "\n", "more than 1048576 bytes"),
    ],
)
def test_a_wrong_one_changes_nothing(machine: Machine, ready: Path, text: str, told: str) -> None:
    ready.write_bytes(text.encode(errors="surrogateescape"))
    before = machine.shape()
    with pytest.raises(Misuse) as raised:
        machine.install("--config", str(ready), "--yes")
    assert told in str(raised.value)
    assert machine.shape() == before


def test_what_cannot_be_read_is_told(machine: Machine, tmp_path: Path) -> None:
    for name, told in (("gone", "No such file"), ("", "Is a directory")):
        with pytest.raises(Misuse, match=f"{told}.*name a config.toml"):
            machine.install("--config", f"{tmp_path}/{name}", "--yes")
    with pytest.raises(Misuse, match="--config : No such file"):
        machine.install("--config", "", "--yes")


def test_one_that_only_others_may_read_takes_more_rights(
    ready: Path, mocker: MockerFixture
) -> None:
    mocker.patch("builtins.open", side_effect=PermissionError(13, "x"))
    with pytest.raises(NotPermitted, match="use sudo"):
        read_ready(str(ready))


@pytest.mark.parametrize(
    "more",
    [
        ("--primary", "eth0", "--backup", "wlan0"),
        ("--uplink", "eth0"),
        ("--mode", "bond"),
        ("--interval", "0"),
        ("--with-dispatcher",),
        ("--without-dispatcher",),
    ],
)
def test_what_it_says_is_said_nowhere_else(
    machine: Machine, ready: Path, more: tuple[str, ...]
) -> None:
    with pytest.raises(Misuse, match=f"--config and {more[0]} exclude each other: say it in that"):
        machine.install("--config", str(ready), *more, "--yes")


def test_how_an_uplink_is_set_up_is_said_beside_it(machine: Machine, ready: Path) -> None:
    os.unlink(f"{machine.root}/etc/systemd/network/20-wlan0.network")
    with pytest.raises(Misuse, match="add --dhcp wlan0"):
        machine.install("--config", str(ready), "--yes")
    with pytest.raises(Misuse, match="usb0 is no uplink: name it in the config"):
        machine.install("--config", str(ready), "--dhcp", "usb0", "--yes")
    assert machine.install("--config", str(ready), "--dhcp", "wlan0", "--yes") == 0
    assert "DHCP=yes" in machine.read("/etc/systemd/network/10-netfail-wlan0.network")


def test_of_a_bond_too(machine: Machine, ready: Path) -> None:
    before = machine.shape()
    ready.write_text(f'mode = "bond"\n{UPLINKS}[bond]\nname = "lan"\n', encoding="utf-8")
    words = ("--config", str(ready), "--address", "10.0.0.9/24", "--gateway", "10.0.0.1", "--yes")
    assert machine.install(*words) == 0
    assert "Name=lan" in machine.read("/etc/systemd/network/10-netfail-lan.netdev")
    machine.uninstall("--yes")
    assert machine.shape() == before


@pytest.mark.parametrize(
    ("there", "given_mode", "expected"),
    [(None, 0o600, 0o600), (None, 0o755, 0o644), (0o640, 0o644, 0o640), (0o644, 0o460, 0o640)],
)
def test_it_is_no_more_open_than_its_file_or_the_one_before(
    machine: Machine, ready: Path, there: int | None, given_mode: int, expected: int
) -> None:
    if there:
        machine.write(CONFIG, UPLINKS, mode=there)
    ready.chmod(given_mode)
    machine.install("--config", str(ready), "--yes")
    assert os.stat(f"{machine.root}{CONFIG}").st_mode & 0o777 == expected
    after = machine.shape()
    machine.install("--config", str(ready), "--yes")
    assert machine.shape() == after


def test_what_was_agreed_to_is_put_in_place_whatever_becomes_of_the_file(
    machine: Machine, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    def answer(_: str) -> str:
        ready.write_text("changed = 1\n", encoding="utf-8")
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    assert machine.install("--config", str(ready)) == 0
    assert machine.read(CONFIG) == FLEET


def test_standard_input_needs_an_agreement_beforehand(
    machine: Machine, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more, problem in (((), "nobody to ask"), (("--yes",), "")):
        with open(ready, encoding="utf-8") as file, monkeypatch.context() as context:
            context.setattr("sys.stdin", file)
            if problem:
                with pytest.raises(Misuse, match=problem):
                    machine.install("--config", "-", *more)
                assert not machine.has(CONFIG)
            else:
                assert machine.install("--config", "-", *more) == 0
                assert not file.closed
    assert machine.read(CONFIG) == FLEET


def test_alternative_names_become_the_kernels_and_all_else_stays(
    ready: Path, mocker: MockerFixture
) -> None:
    text = FLEET.replace('"eth0"', '"enp1s0" # left')
    ready.write_text(text, encoding="utf-8")
    own = {"enp1s0": "eth0"}
    mocker.patch(
        "netfail_hooks.config.altnames.kernel_name", side_effect=lambda name: own.get(name, name)
    )
    assert by_names(Paths("/x"), read_ready(str(ready))).text == text  # an image has no NICs
    named = by_names(Paths(), read_ready(str(ready)))
    assert named.config.names() == ("eth0", "wlan0")
    assert named.text == text.replace("enp1s0", "eth0")
    mocker.patch.dict("sys.modules", {"tomlkit": None})  # a dry run of install.sh's has no library
    with pytest.raises(Problem, match=r"tomlkit is not here.*name interfaces as the kernel"):
        by_names(Paths(), read_ready(str(ready)))
    own["wlan0"] = "eth0"
    with pytest.raises(Misuse, match="are one interface"):
        by_names(Paths(), read_ready(str(ready)))


# Some that a fleet may have: two uplinks or more.
fleets = files().map(lambda drawn: drawn[0]).filter(lambda text: text.count("interface") > 1)
EDITED, RANKED = "edited", "ranked"


@settings(max_examples=8)
@given(
    original=st.none() | fleets,
    steps=st.lists(fleets | st.sampled_from([EDITED, RANKED]), max_size=3),
    last=fleets,
)
def test_any_one_after_another_is_in_place_whole_and_uninstall_gives_all_back(
    original: str | None, steps: list[str], last: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(f"{place}/machine")
        machine, ready = Machine(Path(f"{place}/machine")), Path(place, "fleet.toml")
        config = Path(f"{machine.root}{CONFIG}")
        if original is not None:
            _put(config, original)
        before = machine.shape()
        machine.install("--primary", "eth0", "--backup", "wlan0", "--yes", "--dhcp")
        for step in (*steps, last):
            if step == EDITED:
                _put(config, f"# by hand\n{UPLINKS}")
            elif step == RANKED:
                machine.install("--primary", "wlan0", "--backup", "eth0", "--yes", "--dhcp")
            else:
                _put(ready, step)
                machine.install("--config", str(ready), "--dhcp", "--yes")
                assert config.read_bytes() == step.encode()
                after = machine.shape()
                machine.install("--config", str(ready), "--dhcp", "--yes")
                assert machine.shape() == after
        machine.uninstall("--yes")
        assert machine.shape() == before


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_bytes(text.encode())
