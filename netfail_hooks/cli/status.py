"""``netfail-hooks status``: each uplink, and which one carries the traffic now."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from typing import NoReturn

from netfail_hooks import terminal
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths
from netfail_hooks.status import collect
from netfail_hooks.status.bond import BondReport
from netfail_hooks.status.bond import blocks as bond_blocks
from netfail_hooks.status.text import DETAIL, UPLINK, VITAL, blocks
from netfail_hooks.status.values import Report
from netfail_hooks.terminal.layout import clipped, fit, width
from netfail_hooks.terminal.progress import shown
from netfail_hooks.terminal.shorten import Block, lines_of, shortened
from netfail_hooks.values import plain

# ECMA-48: cursor home, erase to the end of the line, of the page
_HOME, _TO_END_OF_LINE, _TO_END = "\033[H", "\033[K", "\033[J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="print it as JSON: docs/use/json.md")
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=_seconds,
        nargs="?",
        const=2.0,
        help="again every so many seconds (2) until Ctrl-C",
    )


def run(args: argparse.Namespace) -> int:
    """Print the report. Returns 1 if an uplink is not well or there is no way out."""
    paths = Paths()
    if told := read_text(paths.waits):  # without a config there may be nothing else to tell
        sys.stderr.write(f"note: {told}: see 'netfail-hooks doctor'\n")
    with shown("looking at the uplinks", quiet=args.json):
        report = collect(paths)
    if args.watch is not None:
        _watch(report, paths, args)
    print(_json(report) if args.json else "\n".join(lines_of(_blocks(report))), flush=True)
    return 0 if report.healthy else 1


def _watch(report: Report | BondReport, paths: Paths, args: argparse.Namespace) -> NoReturn:
    """Show the report again and again. A report that fails does not end that.

    It is drawn anew as soon as the terminal has another size.
    """
    latest: Report | BondReport | Problem = report
    # Held back, the signal ends the wait below, whichever moment it comes at.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
    while True:
        _draw(latest, args)
        if signal.sigtimedwait([signal.SIGWINCH], args.watch):
            continue
        try:
            latest = collect(paths)
        except Problem as problem:
            latest = problem


def _draw(latest: Report | BondReport | Problem, args: argparse.Namespace) -> None:
    """Show a report over the one before, or, where that can't be, below it."""
    if args.json:
        print(_json(latest), flush=True)
        return
    about = f"{time.strftime('%Y-%m-%d %H:%M:%S')}, every {args.watch:g} s, Ctrl-C ends it"
    head = Block(DETAIL, (*fit(about, width()), ""), (clipped(about, width()),), UPLINK)
    found = [head, *_blocks(latest)]
    if not terminal.is_screen():
        print(*lines_of(found), "", sep="\n", flush=True)
        return
    rows = max(shutil.get_terminal_size().lines - 1, 2)  # the cursor's line stays free
    lines = shortened(found, rows, width())
    home, rest, end = map(terminal.sequence, (_HOME, _TO_END_OF_LINE, _TO_END))
    print(home + "".join(f"{line}{rest}\n" for line in lines) + end, end="", flush=True)


def _json(found: Report | BondReport | Problem) -> str:
    return json.dumps({"problem": str(found)} if isinstance(found, Problem) else plain(found))


def _blocks(found: Report | BondReport | Problem) -> list[Block]:
    if isinstance(found, Problem):
        lines = map(terminal.escaped, found.lines())
        return [Block(VITAL, tuple(fit(line, width()))) for line in lines]
    colour = terminal.colours()
    if isinstance(found, BondReport):
        return bond_blocks(terminal.one_line_each(found), colour=colour, width=width())
    return blocks(terminal.one_line_each(found), colour=colour, width=width())


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}, try 2")
    return seconds
