"""``netfail-hooks log``: past transitions from the flight recorder, newest last."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from datetime import datetime

from netfail_hooks import terminal
from netfail_hooks.cli import parse_time
from netfail_hooks.errors import Misuse
from netfail_hooks.files import write_named
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE, OLD_FILE, events
from netfail_hooks.recorder.events import Transition
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.recorder.text import nothing, render, select
from netfail_hooks.terminal.layout import message
from netfail_hooks.terminal.progress import shown

_HANG = 6  # columns: below what a transition did
_POLL = 0.5  # seconds between two looks for new lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="show another recording: that in a bundle, or the demo's, which is below "
        "~/.local/state, after './install.sh --demo' in .demo/state",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print the recorded lines themselves, which are JSON"
    )
    form.add_argument(
        "--timeline", action="store_true", help="draw the uplinks over time, in characters"
    )
    form.add_argument(
        "--bundle",
        metavar="FILE",
        help="put all that a bug report needs into FILE, secrets and public "
        "addresses exchanged; -: standard output",
    )
    parser.add_argument(
        "--svg", metavar="FILE", help="draw them as a picture in FILE; -: standard output"
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        type=_when,
        help=f"leave out what came before: {parse_time.EXAMPLES}",
    )
    parser.add_argument(
        "-n", "--lines", metavar="N", type=_count, help="show the last N transitions only"
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on showing new ones until Ctrl-C"
    )


def run(args: argparse.Namespace) -> int:
    """Print the log. Raises Problem where it can't be read."""
    if args.svg and (args.json or args.bundle):
        raise Misuse("--svg draws a picture and nothing else", hint="leave --json or --bundle out")
    if args.file and args.bundle:
        raise Misuse("--bundle is about this machine and its own log", hint="leave --file out")
    if args.file:
        os.stat(args.file)  # Tail would wait for one that is not there yet
    directory = Paths().log
    with Tail(args.file or directory + FILE) as tail:
        if args.file:
            from netfail_hooks import bundle

            lines = bundle.unbundled(tail.read())
        else:
            lines = [*events.file_lines(directory + OLD_FILE), *tail.read()]
        if args.timeline or args.svg:
            _tell_damage(_draw(lines, args) + tail.unfinished())
            return 0
        known, damaged = select(lines, args.since)
        if args.lines is not None:
            known = known[max(len(known) - args.lines, 0) :]
        if args.bundle:
            _bundle(known, args)
            return 0
        torn = tail.unfinished() and not args.follow
        _show(known, damaged + torn, as_json=args.json)
        if not (known or damaged or args.follow):
            told = nothing(since=bool(lines and args.since))
            print(*message(f"netfail-hooks: {told}", sys.stderr), sep="\n", file=sys.stderr)
        while args.follow:
            time.sleep(_POLL)
            _show(*select(tail.read(), None), as_json=args.json)
    return 0


def _show(chosen: list[tuple[Transition, str]], damaged: int, *, as_json: bool) -> None:
    colour = terminal.colours()
    for event, line in chosen:
        shown = line if as_json else _fitting(render(event, colour=colour))
        print(shown, flush=True)
    _tell_damage(damaged)


def _fitting(text: str) -> str:
    return "\n".join(part for line in text.split("\n") for part in message(line, sys.stdout, _HANG))


def _draw(lines: list[str], args: argparse.Namespace) -> int:
    if args.follow:
        raise Misuse("a drawing can't be followed", hint="see it again with watch(1)")
    from netfail_hooks.timeline.draw import draw

    picture = functools.partial(_picture, args) if args.svg else None
    return draw(lines, args.since, args.lines, picture, ended=bool(args.file))


def _picture(args: argparse.Namespace, text: str) -> None:
    """Put the picture in its file, which is open to no more people than the recording is.

    One that was there and that a person has opened to others stays so.
    """
    if args.svg == "-":
        sys.stdout.write(text)
        return
    mode = os.stat(args.file or Paths().log + FILE).st_mode & 0o644
    write_named(args.svg, text.encode("utf-8"), mode=mode, keep=True)


def _bundle(chosen: list[tuple[Transition, str]], args: argparse.Namespace) -> None:
    if args.follow:
        raise Misuse("a bundle can't be followed", hint="make it once all has happened")
    from netfail_hooks import bundle

    with shown("gathering what a bug report needs"):
        bundle.write(Paths(), [line for _, line in chosen], args.bundle)
    if args.bundle != "-":
        print(f"{args.bundle}: look through it before you send it")


def _tell_damage(damaged: int) -> None:
    if damaged:
        lines = "1 damaged line" if damaged == 1 else f"{damaged} damaged lines"
        print(f"netfail-hooks: {lines} skipped", file=sys.stderr)


def _when(text: str) -> datetime:
    try:
        return parse_time.parse(text, datetime.now().astimezone())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"not a number of transitions: {text!r}, try 5")
    return int(text)
