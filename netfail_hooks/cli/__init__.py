"""The command line: parse the arguments, run a command, print its problem in one line.

Only the module of the command that was asked for is imported: ``status`` must not pay for
``install``.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import importlib
import os
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from netfail_hooks import __version__, terminal
from netfail_hooks.cli.commands import COMMANDS, epilog
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.terminal import typed
from netfail_hooks.terminal.help import Formatter

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_LONGEST = 4000  # characters of a message: what is quoted in it may be anything
_INTERRUPTED, _BROKEN_PIPE = 130, 141  # 128 + the signal's number, as shells report it
_ABOUT = (
    "Wired/Wi-Fi failover: pull the cable and everything goes on by Wi-Fi. It works by "
    "systemd-networkd, or takes the uplinks over from NetworkManager, ifupdown or dhcpcd."
)
# What a person can do about an error of the file that they have named.
_ERRNO_HINTS = {
    errno.ENOENT: "is the name right, and its directory there?",
    errno.ENOTDIR: "is the name right, and its directory one?",
    errno.EISDIR: "name a file in it",
    errno.ENOSPC: "make room there: df -h",
    errno.EROFS: "that file system is read-only: name another place",
}
_REWORDED = (
    (r"(\S+): not allowed with argument (\S+)", r"\1 and \2 exclude each other"),
    (r"(\S+): invalid int value: (.+)", r"\1: not a whole number: \2"),
)
_VALUES = {  # by metavar
    "FILE": "a file name",
    "DIR": "a directory",
    "IF": "an interface",
    "COMMAND": "such as status",
    "EVENT|FILE": "events such as eth0=no-carrier or a file",
}
_EPILOG = """\
An uplink is a way out of this machine: a cable, Wi-Fi, a modem. The primary is the one you like
best, a backup is for when it fails.

examples:
  netfail-hooks demo                                       see it work; changes nothing
  sudo netfail-hooks install --primary eth0 --backup wlan0 --dry-run
  sudo netfail-hooks status
  sudo netfail-hooks log --since '1 hour ago'
  netfail-hooks COMMAND --help                             options and exit statuses
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises what is wrong as a Misuse, in one line."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**kwargs)
        # Since Python 3.14 argparse colours help on a terminal; a Screen shows its codes escaped.
        self.color = False

    def error(self, message: str) -> NoReturn:
        """Raise Misuse with the next step."""
        raise Misuse(self._in_words(message), hint=f"see '{self.prog} --help'")

    def _in_words(self, message: str) -> str:
        """Return argparse's message in words of ours; of an option it has only the letters."""
        message = message.removeprefix("argument ")
        for pattern, words in _REWORDED:
            if found := re.fullmatch(pattern, message):
                return found.expand(words)
        for action in self._actions:
            names = "/".join(action.option_strings) or action.metavar or action.dest
            told = _of_action(action, str(names), message)
            if told:
                return told
        return message

    def unknown(self, words: Sequence[str], *, beside: Sequence[str] = ()) -> Misuse:
        """Return what to raise for words that are none of a command's; ``beside`` are known, too.

        With the nearest option that there is, where one is near.
        """
        hint = f"see '{self.prog} --help'"
        known = [*beside, *(text for action in self._actions for text in action.option_strings)]
        near = difflib.get_close_matches(words[0].partition("=")[0], known, n=1)
        if near and words[0].startswith("-"):
            hint = f"did you mean {near[0]}? See '{self.prog} --help'"
        what = "no option" if words[0].startswith("-") else "not understood:"
        return Misuse(f"{what} {' '.join(words)}", hint=hint)


def _of_action(action: argparse.Action, names: str, message: str) -> str:
    """Return what argparse says of an argument of these names, "" where it is of another."""
    what = _VALUES.get(str(action.metavar), "")
    if message == f"{names}: expected one argument":
        return f"{names} needs {what or f'a value, {action.metavar or action.dest}'}"
    is_missing = message == f"the following arguments are required: {names}"
    if isinstance(action.choices, tuple):
        *others, last = action.choices
        few = f"{', '.join(others)} or {last}"
        if is_missing:
            return f"which {action.dest}? {few}"
        if found := re.fullmatch(rf"{re.escape(names)}: invalid choice: (.+) \(.*\)", message):
            return f"{names}: no {found[1]}, but {few}"
    if is_missing:
        return f"{names} is missing{f', {what}' if what else ''}"
    return ""


def entry(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status. Never raises but for ``--help``."""
    _open_closed()
    _find_system_programs()
    with terminal.screened():
        return _entry(argv)


def _open_closed() -> None:
    """Open /dev/null as each standard stream that is closed (``2>&-``).

    Else there is none to write to, and the next file that is opened would pass for it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - to the end


def _find_system_programs() -> None:
    """Search the directories of root's programs, too: who became root by ``su`` may lack them."""
    path = os.environ.get("PATH", os.defpath).split(":")
    os.environ["PATH"] = ":".join([*path, *(one for one in _SBIN if one not in path)])


def _entry(argv: Sequence[str] | None) -> int:
    try:
        status = main(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except Problem as problem:
        return _complain(problem.lines(), problem.status, problem)
    except KeyboardInterrupt as interrupt:
        return _complain((), _INTERRUPTED, interrupt)
    except BrokenPipeError:
        # Python flushes standard output again as it ends; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        status = NotPermitted.status if isinstance(error, PermissionError) else Problem.status
        hint = "use sudo" if status == NotPermitted.status and os.geteuid() else ""
        if error.filename:
            hint = hint or _ERRNO_HINTS.get(error.errno or 0, "")
        parts = (error.filename, error.strerror or error, hint)
        return _complain((": ".join(str(part) for part in parts if part),), status, error)
    except Exception as error:  # noqa: BLE001 - a traceback is no help to its reader
        return _complain((_bug(error),), Problem.status, error)
    return status


def main(argv: Sequence[str]) -> int:
    """Parse the arguments and run their command. Raises Problem."""
    name = next((word for word in argv if not word.startswith("-")), "")
    if name == "help":
        name = next((word for word in argv[argv.index(name) + 1 :]), "")
        argv = [name, "--help"] if name else ["--help"]
    _refuse_unknown(name)
    args = parse(argv, name)
    module = importlib.import_module(f"{__name__}.{args.command}")
    status: int = module.run(args)
    return status


def parse(argv: Sequence[str], name: str, *, beside: Sequence[str] = ()) -> argparse.Namespace:
    """Parse the arguments of the command ``name``, "" for none. Raises Misuse.

    ``beside`` are options that whoever calls this takes: they may be what is meant.
    """
    top = parser(filled=(name,))
    if not name and (words := [w for w in argv if w not in ("-h", "--help", "--version")]):
        raise top.unknown(words)  # before argparse asks for a command
    args, unknown = top.parse_known_args(argv)
    if unknown:
        raise commands_of(top)[name].unknown(unknown, beside=beside)
    return args


def commands_of(top: Parser) -> dict[str, Parser]:
    """Return the parser of each command."""
    actions = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    return dict(next(actions).choices)


def parser(filled: Collection[str]) -> Parser:
    """Return the parser of all commands, with the options of those in ``filled``."""
    top = Parser(
        prog="netfail-hooks",
        description=_ABOUT,
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=Formatter,
    )
    top.add_argument("--version", action="version", version=f"netfail-hooks {__version__}")
    commands = top.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for command in COMMANDS:
        filling = commands.add_parser(
            command.name,
            help=command.summary,
            epilog=epilog(command),
            allow_abbrev=False,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            formatter_class=Formatter,
        )
        if command.name in filled:
            importlib.import_module(f"{__name__}.{command.name}").add_arguments(filling)
    return top


def _refuse_unknown(name: str) -> None:
    """Refuse a command that there is not. Raises Misuse with the nearest right one."""
    names = [command.name for command in COMMANDS]
    if name and name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        raise Misuse(f"no command {name!r}", hint=f"did you mean {near[0]!r}? See --help")


def _bug(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_filename if trace else ""
    where = f" at {os.path.basename(code)}:{trace.tb_lineno}" if trace else ""
    return (
        f"bug{where}: {type(error).__name__}: {error}; please report it with the output of: "
        f"{typed.command()} log --bundle FILE"
    )


def _complain(texts: tuple[str, ...], status: int, error: BaseException) -> int:
    """Print what is wrong, a line each, then what was noted of it (BaseException.add_note).

    On a terminal that is too narrow a line is broken where words end.
    """
    from netfail_hooks.terminal.layout import message  # only where something is wrong

    for each in (*texts, *getattr(error, "__notes__", ())):
        shown = terminal.escaped(" ".join(each.split()))[:_LONGEST]
        print(*message(f"netfail-hooks: {shown}", sys.stderr), sep="\n", file=sys.stderr)
    return status
