"""``netfail-hooks status``: each uplink, and which one carries the traffic now."""

from __future__ import annotations

import argparse
import json
import time
from typing import NoReturn

from netfail_hooks import terminal
from netfail_hooks.errors import Problem
from netfail_hooks.paths import Paths
from netfail_hooks.status import collect
from netfail_hooks.status.bond import BondReport, render_bond
from netfail_hooks.status.text import render
from netfail_hooks.status.values import Report
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
    report = collect(paths)
    if args.watch is not None:
        _watch(report, paths, args)
    _show(_text(report, as_json=args.json))
    return 0 if report.healthy else 1


def _watch(report: Report | BondReport, paths: Paths, args: argparse.Namespace) -> NoReturn:
    """Show the report again and again. A report that fails does not end that."""
    whole = terminal.is_screen() and not args.json
    every = f"every {args.watch:g} s, Ctrl-C ends it"
    text = _text(report, as_json=args.json)
    while True:
        head = "" if args.json else f"{time.strftime('%Y-%m-%d %H:%M:%S')}, {every}\n\n"
        _show(head + text + ("" if args.json or whole else "\n"), over=whole)
        time.sleep(args.watch)
        try:
            text = _text(collect(paths), as_json=args.json)
        except Problem as problem:
            text = (
                json.dumps({"problem": str(problem)})
                if args.json
                else terminal.escaped(str(problem))
            )


def _text(report: Report | BondReport, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(plain(report))
    if isinstance(report, BondReport):
        return render_bond(terminal.one_line_each(report), colour=terminal.colours())
    return render(terminal.one_line_each(report), colour=terminal.colours())


def _show(text: str, *, over: bool = False) -> None:
    """Print a text; ``over`` what is on the screen, without a flicker."""
    if over:
        home, rest, end = map(terminal.sequence, (_HOME, _TO_END_OF_LINE, _TO_END))
        text = home + text.replace("\n", f"{rest}\n") + end
    print(text, flush=True)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}, try 2")
    return seconds
