"""Whatever something is called, no command writes what steers a terminal, or what is not seen."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from netfail_hooks import cli, recorder, terminal
from netfail_hooks.cli import doctor, log, replay, status
from netfail_hooks.cli import metrics as cli_metrics
from netfail_hooks.cli import report as cli_report
from netfail_hooks.doctor.facts import Finding
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.journal import printable
from netfail_hooks.networkd import networkctl
from tests.support import ROOT
from tests.support.machine import Machine
from tests.support.runs import look
from tests.support.world import World, config_of

pytestmark = pytest.mark.faults
_STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_WORDS = [
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\x9b31m",
    "\r",
    "\n",
    "\t",
    "\0",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u2028",
    "\u2029",
    "\x85",
    "\u00ad",
    "\U000e0041",
    "\ufe0f",
    "\u3164",
    "\udcff",
    "\x1b[32m",
    "\x1b[0m",
    "\\",
    '"',
    "ü",
    "x",
    " ",
]
hostile = st.lists(st.sampled_from(_WORDS) | st.text(max_size=3), max_size=6).map("".join)


def _hidden(text: str) -> list[str]:
    """Return what is in a text and steers or can't be seen, as Unicode's tables say.

    The end of a line and a tab are in a file's text, too, and only go on to what comes next.
    """
    return [c for c in text if c not in "\n\t" and unicodedata.category(c) in _STEERING]


@given(hostile)
def test_what_is_escaped_is_seen_and_the_rest_as_it_was(text: str) -> None:
    shown = terminal.escaped(text)
    assert not _hidden(shown)
    assert "\n" not in shown
    assert "\t" not in shown
    assert shown == "".join(map(terminal.escaped, text))
    # JSON's own marks it leaves as they are, so they are escaped beforehand.
    quoted = terminal.escaped(text.replace("\\", r"\\").replace('"', r"\""))
    assert json.loads(f'"{quoted}"') in (
        text,
        # Half a pair after another is a whole one to JSON.
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    )
    if text.isascii() and text.isprintable():
        assert shown == text


@given(hostile)
def test_the_journal_has_a_line_of_ascii(text: str) -> None:
    assert printable(text).isascii()
    assert printable(text).isprintable()


@given(st.lists(hostile), st.sampled_from(["utf-8", "ascii", "latin-1", "utf-16"]))
def test_a_screen_does_what_we_tell_it_and_nothing_else(texts: list[str], encoding: str) -> None:
    data = io.BytesIO()
    old = sys.stdout
    sys.stdout = io.TextIOWrapper(data, encoding=encoding, write_through=True, newline="")
    try:
        with terminal.screened():
            paint = terminal.painter(colour=True)
            for text in texts:
                print(paint(text, terminal.BAD), text, sep="")
    finally:
        stream, sys.stdout = sys.stdout, old
        written = data.getvalue().decode(encoding)
        stream.close()
    assert written.count("\x1b") == 2 * len(texts)
    assert not _hidden(re.sub("\x1b\\[(31|0)m", "", written))


def _machine(root: Path, patch: pytest.MonkeyPatch) -> Machine:
    """Return a machine that the commands take for the real one."""
    found = Machine(root)
    for module in (status, log, doctor, replay, cli_metrics, cli_report):
        patch.setattr(module, "Paths", lambda: found.paths)
    patch.setattr(networkctl, "states", dict)
    return found


def _recorded(text: str, how: str) -> str:
    """Return lines of a recorder's in which somebody has written that."""
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    line = recorder.line(look(world, "eth0", "no-carrier"))
    tree = json.loads(line)
    if how == "trigger":
        tree["trigger"] = text
    elif how == "summary":
        tree["summary"] = text
    elif how == "did":
        tree["did"] = [text]
    elif how == "interface":
        return line.replace("eth0", json.dumps(text)[1:-1])
    elif how == "raw":
        tree["observed"]["more"] = text
        return json.dumps(tree, ensure_ascii=False) + "\n"
    else:
        return text + line
    return json.dumps(tree) + "\n"


_UPLINKS = '[[uplink]]\ninterface = {}\n[[uplink]]\ninterface = "wlan0"\n'
_NETWORK = "[Match]\nName=eth0\n# {0}\n[Network]\nDHCP=yes\nDomains={0}\n"
_DIRECTORY = "/etc/systemd/network"
_CONFIG = "/etc/netfail-hooks/config.toml"
# Where a text may be, and what is around it there.
_FILES: dict[str, tuple[str, Callable[[str], str]]] = {
    "comment": (f"{_DIRECTORY}/20-eth0.network", _NETWORK.format),
    "match": (f"{_DIRECTORY}/05-x.network", "[Match]\nSSID={}\n".format),
    "config": (_CONFIG, lambda text: f"# {text}\n" + _UPLINKS.format('"eth0"')),
    "config value": (_CONFIG, lambda text: _UPLINKS.format(json.dumps(text))),
    "config key": (_CONFIG, lambda text: f"{json.dumps(text)} = 1\n"),
    "state": ("/run/netfail-hooks/state", "netfail-hooks state {}\n".format),
}


def _spoil(machine: Machine, where: str, text: str) -> None:
    root, name = os.fsencode(machine.root), _bytes(text.replace("\0", "").replace("/", ""))
    if where == "nic":
        os.makedirs(root + b"/sys/class/net/" + name[:15] + b"/device", exist_ok=True)
        return
    if where == "file name":
        place = root + f"{_DIRECTORY}/05-".encode() + name[:40] + b".network"
        data = _NETWORK.format("")
    elif where in _FILES:
        path, around = _FILES[where]
        place, data = root + path.encode(), around(text.replace("\0", ""))
    else:
        place, data = os.fsencode(f"{machine.paths.log}/events.jsonl"), _recorded(text, where)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(_bytes(data))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


_PLACES = [*_FILES, "nic", "file name", "trigger", "summary", "did", "interface", "raw", "torn"]
_COMMANDS: list[list[str]] = [
    ["status"],
    ["log"],
    ["log", "--json"],
    ["log", "--timeline"],
    ["log", "--svg", "-"],
    ["log", "--bundle", "-"],
    ["doctor"],
    ["metrics"],
    ["report", "--html", "-"],
    ["replay", "FILE"],
    ["replay", "EVENT"],
    ["replay", "--dry-run", "eth0=no-carrier"],
    ["install", "--root=ROOT", "--dry-run"],
    ["install", "--root=ROOT", "--primary", "eth0", "--backup", "wlan0", "--dry-run"],
    ["install", "--root=ROOT", "--primary", "WORD", "--backup", "wlan0", "--dry-run"],
    ["uninstall", "--root=ROOT", "--dry-run"],
    ["completion", "WORD"],
    ["WORD"],
]


@pytest.mark.parametrize("words", _COMMANDS, ids=" ".join)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.sampled_from(_PLACES), hostile.filter(bool))
@example("raw", "\x9b31m\u202e")
@example("comment", "\x1b[2J\u202e")
def test_no_command_shows_it_raw(
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    words: list[str],
    where: str,
    text: str,
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as top, pytest.MonkeyPatch.context() as patch:
        machine = _machine(Path(top), patch)
        _spoil(machine, where, text)
        recording = f"{machine.paths.log}/events.jsonl"
        given = {"FILE": recording, "EVENT": f"{text}=no-carrier", "WORD": text.strip("-") or "x"}
        argv = [given.get(word, word.replace("ROOT", top)) for word in words]
        ended = cli.entry(argv)
    out, err = capfdbinary.readouterr()
    assert ended in (0, 1, 2, 3)
    assert b"bug:" not in err, err
    for data in (out, err):
        assert not _hidden(data.decode("utf-8")), data
    if "--json" in argv:
        for line in out.splitlines():
            json.loads(line)


@given(hostile, hostile)
def test_no_value_of_a_report_passes_for_several_lines(one: str, other: str) -> None:
    finding = Finding("x", "broken", one, other, (one, other), safe=False)
    found = Diagnosis(1, True, False, one, (one, other), 1, (finding,), (), (), (), (other,))  # noqa: FBT003
    shown = terminal.one_line_each(found)
    assert "\n" not in "".join([shown.mode, *shown.uplinks, *shown.unknown])
    assert not _hidden("".join([shown.findings[0].what, *shown.findings[0].fix]))
    assert "\n" not in "".join([shown.findings[0].what, *shown.findings[0].fix])


_KERNEL = """
set -e
mount -t sysfs sys /sys
ip link add "$(printf '\\033[2Jx')" type dummy
ip link add "$(printf '\\342\\200\\256up')" type dummy
ip link add good type dummy
ip link property add dev good altname "$(printf '\\033]0;x\\007')"
ip link set good up
exec "$@"
"""


_UNSHARED = ("unshare", "--net", "--mount", "sh", "-c", _KERNEL, "sh")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make interfaces")
@pytest.mark.parametrize("words", [["status"], ["doctor"], ["doctor", "--json"], ["check"]])
def test_what_the_kernel_lets_an_interface_be_called(words: list[str]) -> None:
    """Really: dev_valid_name() takes anything but blanks, a slash and a colon."""
    done = subprocess.run(
        [*_UNSHARED, sys.executable, "-m", "netfail_hooks", *words],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=50,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    for data in (done.stdout, done.stderr):
        assert not _hidden(data.decode("utf-8")), data
    assert b"bug" not in done.stderr


@pytest.mark.parametrize("key", ["trigger", "time", "changes", "active"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(text=hostile)
def test_no_recording_forges_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str, text: str
) -> None:
    """Each line of what replay prints begins as one of its own does."""
    tree = json.loads(_recorded("x", "did"))
    text = f"a\nnothing is wrong{text}"
    if key == "changes":
        tree["changes"] = [{"change": text, text: text}]
    elif key == "active":
        tree["before"]["uplinks"][0]["reason"] = text
    else:
        tree[key] = text
    place = tmp_path / "recording"
    place.write_text(json.dumps(tree) + "\n")
    assert cli.entry(["replay", str(place)]) in (0, 1)
    *lines, last = capfd.readouterr().out.splitlines()
    assert last.startswith("1 decisions, ")
    assert not any(line.startswith("nothing") for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


def test_nor_does_the_name_of_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine = _machine(tmp_path, patch)
        odd = "a\n== recordings\nnothing is wrong"
        machine.write(f"/etc/networkd-dispatcher/routable.d/{odd}", "#!/bin/sh\n", mode=0o700)
        machine.write(f"/etc/systemd/network/00-{odd}.network", "[Match]\nName=eth0\n[Network]\n")
        machine.write(_CONFIG, _UPLINKS.format('"eth0"'))
        for words in (
            ["replay", "--dry-run", "eth0=routable"],
            ["log", "--bundle", "-"],
            ["doctor"],
            ["install", f"--root={tmp_path}", "--dry-run"],
        ):
            assert cli.entry(words) in (0, 1, 2)
            out, err = capfd.readouterr()
            assert not re.search("^nothing is", out + err, re.MULTILINE), words
            assert out.count("\n== recordings\n") == ("--bundle" in words)
