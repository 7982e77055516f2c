"""``netfail-hooks report``: how the uplinks are and were, as one page to look at."""

from __future__ import annotations

import argparse
import os
import sys

from netfail_hooks import bundle
from netfail_hooks.files import write_named
from netfail_hooks.paths import Paths
from netfail_hooks.recorder.events import file_lines
from netfail_hooks.report import html as report_html
from netfail_hooks.report import page, recording_page
from netfail_hooks.terminal import progress

_OTHERS_MAY_NOT_WRITE = 0o022


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--html",
        metavar="FILE",
        required=True,
        help="write the page to FILE, in one step, readable by all; -: standard output",
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="show another recording and nothing else: that in a bundle, or the demo's, which is "
        "below ~/.local/state, after './install.sh --demo' in .demo/state",
    )


def run(args: argparse.Namespace) -> int:
    """Write the page. Raises Problem where the machine or its log can't be looked at."""
    if args.file:
        os.stat(args.file)  # of one that is not there it is told
        lines = bundle.unbundled([line.rstrip("\n") for line in file_lines(args.file)])
        shown = recording_page(args.file, lines)
    else:
        with progress.shown("looking at this machine"):
            shown = page(Paths())
    text = report_html.page(shown)
    if args.html == "-":
        sys.stdout.write(text)
        return 0
    # A web server reads it, whatever umask root or a unit has.
    before = os.umask(_OTHERS_MAY_NOT_WRITE)
    try:
        write_named(args.html, text.encode("utf-8"), mode=0o644)
    finally:
        os.umask(before)
    if sys.stderr.isatty():  # a timer's run stays silent
        print(f"netfail-hooks: written: {args.html}", file=sys.stderr)
    return 0
