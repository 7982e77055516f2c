"""The commands that documents tell to type: whole, as our own parser takes them, with sudo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.cli.commands import COMMANDS
from netfail_hooks.install.way_back import arming
from tests.support import ROOT, sh_blocks
from tests.support.typed import Call, calls
from tests.unit.docs.test_docs import DOCUMENTS

TROUBLES = ROOT / "docs/use/troubleshooting.md"
_PLACES = ("", "/opt/netfail-hooks/bin/", "/usr/sbin/")
_BEFORE = ("", "git pull && ", "time ", "$ ", "cd x; ", "true || ")
_AFTER = ("", " # so", " >out.txt", " </dev/null", " | less", " \\\n    >/dev/null")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_a_command_line_is_one_that_the_command_takes(document: Path) -> None:
    for block in sh_blocks(document):
        for call in calls(block):
            call.arguments()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_a_command_line_has_sudo_where_it_takes_root(document: Path) -> None:
    typed = [call for block in sh_blocks(document) for call in calls(block)]
    assert [call for call in typed if call.lacks_sudo()] == []


def test_what_is_typed_inside_a_sentence_is_whole_too() -> None:
    for document in DOCUMENTS:
        for text in re.findall(r"`(sudo (?:netfail-hooks|\./install\.sh)[^`]*)`", _flat(document)):
            for call in calls(text):
                call.arguments()


def test_a_remedy_has_sudo_where_it_takes_root() -> None:
    """All but symptoms, which name a command whose output they are about."""
    text = re.sub(r"(?m)^\| [^|]* \|", "", TROUBLES.read_text(encoding="utf-8"))
    typed = [call for quoted in re.findall(r"`([^`\n]+)`", text) for call in calls(quoted)]
    assert len(typed) > 20
    assert [call for call in typed if call.lacks_sudo()] == []


def _flat(document: Path) -> str:
    text = re.sub(r"(?ms)^```.*?^```", "", document.read_text(encoding="utf-8"))
    return " ".join(text.split())


@given(
    st.sampled_from([(one.name, words) for one in COMMANDS for words in one.examples]),
    st.sampled_from(_PLACES),
    st.sampled_from(_BEFORE),
    st.sampled_from(_AFTER),
    st.sampled_from(["", "sudo "]),
)
def test_a_call_is_found_wherever_it_stands_and_so_is_one_without_sudo(
    example: tuple[str, str], place: str, before: str, after: str, sudo: str
) -> None:
    name, words = example
    line = f"{before}{sudo}{place}netfail-hooks {name} {words.partition(' >')[0]}{after}"
    (call,) = calls(line)
    assert call.words[0] == name
    assert call.root is bool(sudo)
    free = {
        "demo": True,
        "completion": True,
        "doctor": "--fix" not in words,
        "log": "--file" in words,
        "report": "--file" in words,
        "replay": "--sandbox" in words or "state/" in words,
    }
    assert call.lacks_sudo() is not (bool(sudo) or free.get(name, False))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("./install.sh --demo", ("demo",)),
        ("sudo ./install.sh --uninstall --dry-run", ("uninstall", "--dry-run")),
        ("sudo ./install.sh --prefix /x --wheels y --dhcp", ("install", "--dhcp")),
        ("ssh root@pi netfail-hooks check <a", ("check",)),
    ],
)
def test_install_sh_and_ssh_are_read_as_what_they_run(line: str, found: tuple[str, ...]) -> None:
    (call,) = calls(line)
    assert call.words == found
    assert not call.lacks_sudo()
    assert next(iter(calls("ssh pi netfail-hooks check"))) == Call(("check",), root=False)


def test_who_waits_as_long_as_told_after_a_handover_waits_long_enough() -> None:
    text = (ROOT / "docs/use/handover.md").read_text(encoding="utf-8")
    assert "wait ten minutes (three more for each uplink beyond two)" in text
    assert arming.SECONDS + 2 * arming.EACH <= 10 * 60
    assert arming.EACH <= 3 * 60
