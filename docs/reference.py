#!/usr/bin/env python3
"""Write what the documents say of settings and commands, from the code that defines them.

    .venv/bin/python docs/reference.py             after a change of a setting, option or command
    .venv/bin/python docs/reference.py --check     what the tests do: exit status 1 and a diff

Between a mark ``made by docs/reference.py: NAME`` and the next ``end`` all is made; the rest of
docs/use/configuration.md, docs/use/glossary.md and man/netfail-hooks.8 is written by hand.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from netfail_hooks.cli import parser  # noqa: E402
from netfail_hooks.cli.commands import COMMANDS, STATUSES, Command, calls  # noqa: E402
from netfail_hooks.config import default_metrics  # noqa: E402
from netfail_hooks.config import settings as known  # noqa: E402
from netfail_hooks.config.kinds import toml  # noqa: E402
from netfail_hooks.config.settings import GENERAL, UPLINK, Setting  # noqa: E402

CONFIGURATION, GLOSSARY = "docs/use/configuration.md", "docs/use/glossary.md"
MANUAL = "man/netfail-hooks.8"
_REGION = re.compile(
    r"(^(?:<!--|\.\\\") made by docs/reference\.py: (\w+)[^\n]*\n)(.*?)(^(?:<!--|\.\\\") end)",
    re.MULTILINE | re.DOTALL,
)


def default(setting: Setting) -> str:
    """Return the default of a setting as people read it; "" where there is none."""
    if (setting.table, setting.key) == (UPLINK, "metric"):
        metrics = [str(uplink.metric) for uplink in default_metrics(("eth0", "wlan0", "wwan0"))]
        return ", ".join([*metrics, "... by rank"])
    return "" if setting.default is None else toml(setting.default)


# --- docs/use/configuration.md --------------------------------------------------------------------


def markdown(table: str) -> str:
    """Return the rows of a table of the config."""
    lines = ["| key | default | range | what it does |", "|---|---|---|---|"]
    for setting in known.of_table(GENERAL if table == "general" else table):
        shown = default(setting)
        shown = f"`{shown}`" if shown and " " not in shown else shown
        cells = (f"`{setting.name}`", shown, _coded(setting.kind.span), _coded(setting.help))
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return "\n".join([*lines, ""])


def _coded(text: str) -> str:
    """Return text with its quoted words as code; the quotes of a string belong to it."""
    text = re.sub(r'"[^"]+"', lambda quoted: f"`{quoted[0]}`", text)
    return re.sub(r"(?<!\w)'([^']+)'", r"`\1`", text)


# --- docs/use/glossary.md -------------------------------------------------------------------------


def common(_: str) -> str:
    """Return the table of what the exit statuses mean that all commands have."""
    rows = (f"| {status} | {_coded(meaning)} |" for status, meaning in STATUSES.items())
    return "\n".join(["| status | means |", "|---|---|", *rows, ""])


def statuses(_: str) -> str:
    """Return the table of what each command's exit status means."""
    lines = ["| command | 0 | 1 | other |", "|---|---|---|---|"]
    for command in COMMANDS:
        others = "; ".join(f"{status}: {_coded(meaning)}" for status, meaning in command.others)
        cells = (f"`{command.name}`", _coded(command.well), _coded(command.unwell), others)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


# --- the man page -----------------------------------------------------------------------------


def settings(_: str) -> str:
    """Return a paragraph for each key of the config."""
    return "".join(_paragraph(setting) for setting in known.SETTINGS)


def _paragraph(setting: Setting) -> str:
    initial, span = default(setting), setting.kind.span
    facts = [f"default {initial}"] if initial else []
    facts += [f"one of {span}" if '"' in span else span] if span else []
    name = f"uplink.{setting.name}" if setting.table == UPLINK else setting.name
    about = setting.help[0].upper() + setting.help[1:]
    if facts:
        about += f" ({'; '.join(facts)})"
    return f".TP\n.B {_roff(name)}\n{_roff(about)}.\n"


def ends(_: str) -> str:
    """Return a paragraph for each exit status that all commands have."""
    texts = {
        0: "done; what was asked about is well",
        1: "what was asked about is not well, or something could not be done; each command above "
        "says what",
        **STATUSES,
    }
    return "".join(
        f".TP\n.B {status}\n{_roff(_sentence(text))}\n" for status, text in texts.items()
    )


def commands(_: str) -> str:
    """Return a section for each command, as its ``--help`` has it."""
    return "".join(line + "\n" for command in COMMANDS for line in _command(command))


def _command(command: Command) -> Iterator[str]:
    chooser = next(
        action
        for action in parser(filled=(command.name,))._actions  # noqa: SLF001 - as cli/completion.py
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    own: argparse.ArgumentParser = chooser.choices[command.name]
    yield f".SS {command.name}"
    yield "\n.PP\n".join(_roff(part) for part in (own.description or "").split("\n\n"))
    for group in own._action_groups:  # noqa: SLF001
        actions = [action for action in group._group_actions if action.dest != "help"]  # noqa: SLF001
        if actions and group.title not in ("options", "positional arguments"):
            yield f".PP\n{_roff(str(group.title)[0].upper() + str(group.title)[1:])}:"
        for action in actions:
            yield f".TP\n{_call(action)}\n{_roff(_sentence(action.help or ''))}"
    unwell = "" if command.unwell == "never" else f"; 1, {command.unwell}"
    others = "".join(f"; {status}, {meaning}" for status, meaning in command.others)
    yield f".PP\nExit status: 0, {_roff(command.well + unwell + others)}."
    yield ".PP\nFor example:\n.PP"
    yield "\n.br\n".join(f".B {_roff(call)}" for call in calls(command))


def _call(action: argparse.Action) -> str:
    """Return the line that names an option or argument: what is typed bold, the rest not."""
    choices = "|".join(str(choice) for choice in action.choices or ())
    value = _roff(choices or str(action.metavar or action.dest.upper()))
    if not action.option_strings:
        return f".B {value}" if choices else f".I {value}"
    names = _roff(", ".join(action.option_strings))
    if action.nargs == 0:
        return f".B {names}"
    return f'.BI "{names} " "{f"[{value}]" if action.nargs == "?" else value}"'


def _sentence(text: str) -> str:
    text = text.replace("%%", "%")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _roff(text: str) -> str:
    """Return text that troff prints as it is: a bare minus sign is a hyphen (groff_char(7))."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=['.])", r"\\&", escaped, flags=re.MULTILINE)


# --- all ---------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[str], str]] = {
    **{table or "general": markdown for table in known.tables()},
    "common": common,
    "statuses": statuses,
    "ends": ends,
    "settings": settings,
    "commands": commands,
}


def renewed(text: str) -> str:
    """Return a document with all that is made in it made anew. Raises KeyError."""
    return _REGION.sub(lambda part: part[1] + MAKERS[part[2]](part[2]) + part[4], text)


def main() -> int:
    """Write the documents, or say what is out of date in them."""
    stale = False
    for name in (CONFIGURATION, GLOSSARY, MANUAL):
        old = (HOME / name).read_text(encoding="utf-8")
        new = renewed(old)
        if sys.argv[1:] == ["--check"]:
            lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(*lines, name, f"{name} from the code"))
            stale |= old != new
        elif old != new:
            (HOME / name).write_text(new, encoding="utf-8")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
