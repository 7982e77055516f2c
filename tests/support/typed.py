"""What a document tells to type: each call of ours in it, read as a shell reads it."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from netfail_hooks.cli import parser
from netfail_hooks.cli.commands import COMMANDS

_BETWEEN = {"&&", "||", "|", ";", "&"}
_BEFORE = {"do", "then", "time", "$"}  # of the shell, or its prompt
_TASKS = {"--demo": "demo", "--uninstall": "uninstall"}
_WITH_VALUE = {"--prefix", "--wheels"}  # of install.sh alone
# Only these show something to everybody; of the others some do on some machines.
_ANYBODYS = {"demo", "completion", "doctor"}


@dataclass(frozen=True)
class Call:
    """A call of a command of ours: its words, and whether root makes it."""

    words: tuple[str, ...]
    root: bool

    def arguments(self) -> argparse.Namespace:
        """Return what our own parser makes of it. Raises Misuse."""
        return parser(filled=(self.words[0],)).parse_args(self.words)

    def lacks_sudo(self) -> bool:
        """Tell whether it takes root, and nobody is. Raises Misuse."""
        return not self.root and _takes_root(self.arguments())


def _takes_root(asked: argparse.Namespace) -> bool:
    if asked.command in ("log", "report"):
        return asked.file is None  # of the machine, whose log is root's
    if asked.command == "replay":
        return not asked.sandbox and any(
            "=" in word or word.startswith("/var/log/") for word in asked.what
        )
    return asked.command not in _ANYBODYS or bool(getattr(asked, "fix", False))


def calls(script: str) -> Iterator[Call]:
    """Yield each call of ours in lines of shell."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for between, words in groupby(lexer, lambda word: word in _BETWEEN):
            call = None if between else _call(list(words))
            if call:
                yield call


def _call(words: list[str], *, root: bool = False) -> Call | None:
    while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
        del words[0]
    if not words:
        return None
    program, *rest = words
    if program == "sudo":
        return _call(rest, root=True)
    if program == "ssh" and len(rest) > 1:
        return _call(rest[1:], root=rest[0].startswith("root@"))
    rest = list(_unredirected(rest))
    if os.path.basename(program) == "netfail-hooks":
        return Call(tuple(rest), root) if rest and rest[0] in _NAMES else None
    if os.path.basename(program) == "install.sh":
        return Call(tuple(_of_install_sh(rest)), root)
    return None


_NAMES = {command.name for command in COMMANDS}


def _unredirected(words: list[str]) -> Iterator[str]:
    """Yield words but for ``<FILE`` and the like."""
    left = iter(words)
    for word in left:
        if re.fullmatch("[<>]+", word):
            next(left, None)
        else:
            yield word


def _of_install_sh(words: list[str]) -> Iterator[str]:
    """Yield the command that install.sh runs for these words."""
    yield next((_TASKS[word] for word in words if word in _TASKS), "install")
    left = iter(words)
    for word in left:
        if word in _WITH_VALUE:
            next(left)
        elif word not in _TASKS:
            yield word
