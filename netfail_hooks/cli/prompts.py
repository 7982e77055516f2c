"""What install and uninstall ask and tell a person."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.install.nodes import FILE
from netfail_hooks.install.plan import FileChange, diff
from netfail_hooks.managers import waking
from netfail_hooks.terminal import escaped
from netfail_hooks.terminal.layout import message

_FEW = 4  # changes that a person takes in by name
_KEYS = ("/etc/wpa_supplicant/", waking.PASSWORDS)  # where files of nothing but secrets are


def add_common_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare the options that install and uninstall share."""
    parser.add_argument(
        "--root", metavar="DIR", default="", help=f"{what} below a directory: an image, a test"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would change as a diff, and change nothing",
    )
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument(
        "--no-live", action="store_true", help="only the files; the running machine stays as it is"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def show(
    changes: tuple[FileChange, ...],
    messages: tuple[str, ...],
    commands: tuple[str, ...] = (),
    *,
    as_json: bool,
) -> None:
    """Print what would be done: as a diff and what would be run, or as JSON."""
    if as_json:
        would = [*map(str, changes), *(f"run {command}" for command in commands)]
        told = {"changed": bool(would), "would": would, "notes": list(messages)}
        print(json.dumps({**told, "diff": diff(changes, hide=_hide)}, indent=2))
    else:
        sys.stdout.write(diff(changes, hide=_hide))
        for command in commands:  # patch(1) passes over what is no diff
            print(f"run {escaped(command)}")
        warn(messages)


def _hide(change: FileChange, text: str) -> str:
    """Return what a terminal, and so a paste of it, may show of a file.

    Of one that not all may read that is no more than is known to be harmless.
    """
    from netfail_hooks.bundle.network_files import hidden, hidden_settings, hidden_words

    files = [node for node in (change.before, change.after) if node and node.kind == FILE]
    closed = not all(node.mode & 0o004 for node in files)
    if change.path.endswith((".network", ".netdev")):
        return hidden(text, closed=closed)
    if closed and change.path.startswith(_KEYS):
        return hidden_settings(text)
    return hidden_words(text) if closed else text


def refuse_powerless(root: str) -> None:
    """Refuse to change the running machine without being root. Raises NotPermitted."""
    if not root and os.geteuid() != 0:
        raise NotPermitted("only root may do this", hint="use sudo, or --dry-run to look")


def confirm(
    changes: tuple[FileChange, ...],
    *,
    yes: bool,
    told: Sequence[str] = (),
    commands: Sequence[str] = (),
    notes: tuple[str, ...] = (),
) -> None:
    """Ask a person to agree; ``told`` says what it is about, in their words.

    Raises Misuse if there is nobody to ask, Problem on a no.
    """
    if not changes:
        return
    if not yes and _somebody_looks():
        warn(notes)
    agree([*told, *_counted(changes, commands)], yes=yes)


def _counted(changes: tuple[FileChange, ...], commands: Sequence[str]) -> list[str]:
    """Return what is changed in a few lines: by name what is there already and will be another."""
    if len(changes) + len(commands) <= _FEW:
        return [*map(str, changes), *(f"run {command}" for command in commands)]
    amended = [str(change) for change in changes if change.before and change.after]
    parts = _numbers(changes, ("change", "make", "remove"))
    if commands:
        parts.append(f"run {len(commands)} command{'s' if len(commands) > 1 else ''}")
    by_name = amended if len(amended) <= _FEW else []
    return [*by_name, f"all in all: {', '.join(parts)} (--dry-run shows them)"]


def _numbers(changes: tuple[FileChange, ...], verbs: tuple[str, str, str]) -> list[str]:
    """Return how many files are changed, made and removed, each with its verb."""
    new = sum(change.before is None for change in changes)
    gone = sum(change.after is None for change in changes)
    counts = (len(changes) - new - gone, new, gone)
    return [
        f"{verb} {count} {which}{'file or directory' if count == 1 else 'files and directories'}"
        for verb, count, which in zip(verbs, counts, ("", "new ", ""), strict=True)
        if count
    ]


def agree(lines: Sequence[str], *, yes: bool) -> None:
    """Ask a person to agree with what these lines tell. Raises as ``confirm`` does."""
    if yes:
        return
    if not _somebody_looks():
        raise Misuse("nobody to ask whether to go on", hint="add --yes, or --dry-run to look")
    for line in lines:
        print(*message(escaped(line), sys.stdout), sep="\n")
    if _answer("Go on? [y/N] ") not in ("y", "yes"):
        raise Problem("nothing was changed", hint="--dry-run shows all of it")


def _somebody_looks() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _answer(question: str) -> str:
    """Return what a person types; "" for Ctrl-D, which is no answer and so no yes."""
    try:
        return input(question).strip().lower()
    except EOFError:
        print()
        return ""


def warn(messages: tuple[str, ...]) -> None:
    """Tell a person what matters beside the result."""
    for text in messages:
        print(*message(f"note: {escaped(text)}", sys.stderr), sep="\n", file=sys.stderr)


def tell(changes: tuple[FileChange, ...], agreed: tuple[FileChange, ...], where: str = "") -> None:
    """Print changes, a line each; in one line where a person has just agreed to these.

    ``where`` tells what shows them now.
    """
    if changes == agreed and len(changes) > _FEW:
        shows = f" ({where} shows them)" if where else ""
        print(f"{', '.join(_numbers(changes, ('changed', 'made', 'removed')))}{shows}")
        return
    for change in changes:
        print(escaped(str(change)))
