"""Every command that the program's own texts tell to type: with sudo where it takes root.

Found in the source, in whichever text it stands. What doctor tells as a fix gets its sudo as it is
told (``doctor.report.by_sudo``): there a text is the command and nothing else.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator

import pytest

from netfail_hooks.cli.commands import COMMANDS, Command, calls
from netfail_hooks.doctor.report import by_sudo
from tests.support import ROOT, typed

PACKAGE = ROOT / "netfail_hooks"
_OURS = "|".join(
    rf"{one.name}\ --fix" if one.name == "doctor" else one.name
    for one in COMMANDS
    if one.name not in ("demo", "completion")
)
# Of each program what takes root, not what shows something.
_ROOTS = re.compile(
    rf"""\b(?:
    systemctl\ (?:--\S+\ )*(?:start|stop|restart|reload|enable|disable|unmask|mask|edit
        |daemon-reload|reset-failed)\b
    |networkctl\ (?:reload|reconfigure|up|down)\b
    |nmcli\ (?:-\S+\ )*(?:device\ (?:set|wifi)|connection\ (?:modify|add|up|reload|delete))\b
    |apt(?:-get)?\ (?:install|purge|remove|autoremove|update)\b
    |pacman\ -[SRD]
    |netplan\ (?:generate|apply|set)\b
    |ch(?:own|mod|grp)\ [\w:{{]
    |rm\ [-/{{]
    |editor\ [/{{]
    |ip\ (?:link|addr|address|route|rule|neigh)\ (?:set|add|del|delete|replace|flush)\b
    |modprobe\ |sysctl\ -w|ifdown\ \{{|dhclient\ -
    |netfail-hooks\ (?:{_OURS})\b(?!\ --help)
    )""",
    re.VERBOSE,
)
# Texts that are no advice, by their place: what is run, and what is written at the head of files.
_NO_ADVICE = (
    "lab/",  # scripts of its own network
    "managers/dhcpcd_release.py",  # commands of a unit and of a handover
    "managers/ifupdown_release.py",
    "networkd/takeover.py: {MARK} as",  # by which an older version's file is known
    "install/networks/bond.py: # netfail-hooks: as",
    "managers/wifi/supplicant.py: ",
    "managers/release.py: # netfail-hooks: ",
    "recorder/cause.py: ",  # by which command a move came
    "managers/networkmanager.py: \\biw reg",
)
_HEADS = re.compile(r"# Made by netfail-hooks install\b")
# A command that is spoken of, not told to type.
_MENTIONED = (
    "by 'netfail-hooks use IF', once",
    "how often 'netfail-hooks drill' is run",
    "a bundle that 'netfail-hooks log --bundle' made",
    "so nothing runs 'netfail-hooks check'",
    "waits for 'netfail-hooks use'",
    "for 'netfail-hooks use'",
    "so this can be replayed: netfail-hooks replay FILE",  # anybody can, a bundle
    "'systemctl edit' it rather",
    "see 'netfail-hooks use --help'",
    "takes '{}' by",
)


def _texts() -> Iterator[tuple[str, str]]:
    """Yield each text of the program's that is no docstring, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = str(path.relative_to(PACKAGE))
        passed = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                passed |= {id(part) for part in node.values}
                yield place, "".join(map(_shown, node.values))
            elif isinstance(node, ast.Constant) and id(node) not in passed:
                yield place, node.value if isinstance(node.value, str) else ""


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    return str(part.value) if isinstance(part, ast.Constant) else ""


def _lacking(place: str, text: str) -> list[str]:
    """Return the commands in a text that take root, and have no sudo."""
    if f"{place}: {text}".startswith(_NO_ADVICE):
        return []
    if place.startswith("doctor/rules/") and _ROOTS.match(text):
        return []  # a fix
    found = _HEADS.sub("", text)
    for words in _MENTIONED:
        found = found.replace(words, "")
    return [
        found[max(0, one.start() - 30) : one.end() + 30]
        for one in _ROOTS.finditer(found)
        if not re.search(r"(?:sudo |\{sudo\})$", found[: one.start()])
    ]


def test_each_command_that_the_program_tells_has_sudo_where_it_takes_root() -> None:
    texts = list(_texts())
    told = [text for _, text in texts if "sudo " in text]
    assert len(told) > 60
    assert [(place, one) for place, text in texts for one in _lacking(place, text)] == []


def test_what_takes_root_is_found_in_whichever_text_it_stands() -> None:
    """Of any that is told now: without its sudo it would be found."""
    told = [
        (place, text)
        for place, text in _texts()
        if re.search(rf"sudo\ {_ROOTS.pattern}", text, re.VERBOSE)
        and not f"{place}: {text}".startswith((*_NO_ADVICE, "doctor/rules/"))
    ]
    place, text = random.choice(told)  # noqa: S311 - drawn
    assert _lacking(place, text.replace("sudo ", "")), (place, text)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: str(one.name))
def test_an_example_has_sudo_just_where_it_takes_root(command: Command) -> None:
    for line in calls(command):
        (call,) = typed.calls(line)
        assert not call.lacks_sudo(), line
        assert not call.root or typed.Call(call.words, root=False).lacks_sudo(), line


def test_a_fix_of_several_commands_is_roots_as_a_whole() -> None:
    assert by_sudo("chown root /x; chmod 755 /x") == "sudo sh -c 'chown root /x; chmod 755 /x'"


def test_the_head_of_a_file_of_ours_is_no_advice() -> None:
    assert _lacking("x.py", "# Made by netfail-hooks install.\n") == []
    assert _lacking("x.py", "run 'netfail-hooks install'")
