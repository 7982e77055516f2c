"""What install and uninstall ask and tell a person."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.install.nodes import DIRECTORY, FILE
from netfail_hooks.install.plan import FileChange, diff
from netfail_hooks.managers import waking
from netfail_hooks.terminal import escaped
from netfail_hooks.terminal.layout import message

_FEW = 4  # changes that a person takes in by name
_NONE: Mapping[str, str] = {}
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
    told: Sequence[str] = (),
    as_json: bool,
) -> None:
    """Print what would be done: as a diff, what would be run, and in short, or as JSON.

    ``told`` says what becomes of the machine by it.
    """
    if as_json:
        would = [*map(str, changes), *(f"run {command}" for command in commands)]
        found = {"changed": bool(would), "would": would, "notes": [*messages, *told]}
        print(json.dumps({**found, "diff": diff(changes, hide=_hide)}, indent=2))
    else:
        sys.stdout.write(diff(changes, hide=_hide))
        for command in commands:  # patch(1) passes over what is no diff
            print(f"run {escaped(command)}")
        warn(messages)
        sys.stderr.flush()
        for line in in_short(changes, commands, told):
            print(*message(escaped(line), sys.stdout), sep="\n")


def in_short(
    changes: tuple[FileChange, ...], commands: Sequence[str], told: Sequence[str]
) -> list[str]:
    """Return what would be done in a few lines, for the end of hundreds of them."""
    nothing = "Nothing was changed: this was a dry run."
    if not changes and not commands:
        return [*told, f"All is in place already. {nothing}"]
    lines = ["", "In short:", *told]
    if changes:
        lines.append(f"Files: {', '.join(_numbers(changes, ('change', 'make', 'remove')))}.")
    if commands:
        programs = dict.fromkeys(command.split()[0] for command in commands)
        lines.append(f"Commands: {len(commands)}, of {', '.join(programs)}: as listed above.")
    enabled = _services(one.path for one in changes if not one.before)
    disabled = _services(one.path for one in changes if not one.after)
    lines += [f"Services enabled: {', '.join(enabled)}."] if enabled else []
    lines += [f"Services disabled: {', '.join(disabled)}."] if disabled else []
    return [*lines, nothing]


def _services(paths: Iterable[str]) -> list[str]:
    """Return the units that are started by the links among paths (systemd.unit(5), WantedBy=)."""
    return sorted({os.path.basename(path) for path in paths if ".wants/" in path})


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


def confirm(  # noqa: PLR0913 - what a person is to agree to has many sides
    changes: tuple[FileChange, ...],
    *,
    yes: bool,
    told: Sequence[str] = (),
    commands: Sequence[str] = (),
    notes: tuple[str, ...] = (),
    reasons: Mapping[str, str] = _NONE,
) -> None:
    """Ask a person to agree; ``told`` says what it is about, in their words.

    ``reasons`` say by path why what is there already is to be another file. Raises Misuse if there
    is nobody to ask, Problem on a no.
    """
    if not changes:
        return
    if not yes and _somebody_looks():
        warn(notes)
    agree([*told, *_counted(changes, commands, reasons)], yes=yes)


def _counted(
    changes: tuple[FileChange, ...], commands: Sequence[str], reasons: Mapping[str, str]
) -> list[str]:
    """Return what is changed in a few lines: by name what is there already and will be another."""
    if len(changes) + len(commands) <= _FEW:
        each = [_with_reason(change, reasons) for change in changes]
        return [*each, *(f"run {command}" for command in commands)]
    amended = [_with_reason(one, reasons) for one in changes if one.before and one.after]
    parts = _numbers(changes, ("change", "make", "remove"))
    if commands:
        parts.append(f"run {len(commands)} command{'s' if len(commands) > 1 else ''}")
    by_name = amended if len(amended) <= _FEW else []
    return [*by_name, f"all in all: {', '.join(parts)} (--dry-run shows them)"]


def _with_reason(change: FileChange, reasons: Mapping[str, str]) -> str:
    why = reasons.get(change.path)
    return f"{change}: {why}" if why else str(change)


def _numbers(changes: tuple[FileChange, ...], verbs: tuple[str, str, str]) -> list[str]:
    """Return how many files, and directories, are changed, made and removed, each with its verb.

    Apart from each other: whoever counts files elsewhere, as ``install`` does of those in place,
    counts no directories.
    """
    new = [change for change in changes if change.before is None]
    gone = [change for change in changes if change.after is None]
    both = [change for change in changes if change.before and change.after]
    return [
        f"{verb} {told}"
        for verb, some, word in zip(verbs, (both, new, gone), ("", "new ", ""), strict=True)
        if (told := _of_which(some, word))
    ]


def _of_which(changes: Sequence[FileChange], word: str) -> str:
    """Return how many of them are files, links among these, and how many directories."""
    kinds = [node.kind for node in (one.after or one.before for one in changes) if node]
    directories = kinds.count(DIRECTORY)
    counts = (len(kinds) - directories, "file", "files"), (directories, "directory", "directories")
    return " and ".join(
        f"{count} {word}{one if count == 1 else more}" for count, one, more in counts if count
    )


def refuse_unasked(*, yes: bool) -> None:
    """Refuse to begin what is asked about where there is nobody to ask. Raises Misuse."""
    if not (yes or _somebody_looks()):
        raise Misuse("nobody to ask whether to go on", hint="add --yes, or --dry-run to look")


def agree(lines: Sequence[str], *, yes: bool) -> None:
    """Ask a person to agree with what these lines tell. Raises as ``confirm`` does."""
    refuse_unasked(yes=yes)
    if yes:
        return
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
