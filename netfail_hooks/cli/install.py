"""``netfail-hooks install``: show what would change, ask, install, tell."""

from __future__ import annotations

import argparse
import json

from netfail_hooks.cli.prompts import add_common_arguments, confirm, refuse_powerless, show, warn
from netfail_hooks.install import (
    options,
)
from netfail_hooks.install.installer import Work, _install, _start, _what_remains, prepare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_arguments(parser)
    add_common_arguments(parser, "install")


def run(args: argparse.Namespace) -> int:
    """Install. Returns 0; raises Problem, with everything as it was."""
    work = prepare(args)
    if args.dry_run:
        show(work.todo, work.notes, as_json=args.json)
        return 0
    refuse_powerless(args.root)
    confirm([str(step) for step in work.todo], yes=args.yes)
    refused = _install(work)
    rest = _start(work) if work.live else _what_remains(work)
    notes = (*work.notes, *refused, *rest)
    if args.json:
        done = [str(step) for step in work.todo]
        print(json.dumps({"did": done, "notes": list(notes), "live": work.live}, indent=2))
    else:
        for step in work.todo:
            print(step)
        print(_summary(work))
        warn(notes)
    return 0


def _summary(work: Work) -> str:
    ranked = ", then ".join(work.config.names())
    if not work.todo:
        return f"all files are in place: {ranked}"
    told = f"installed: {ranked}; see 'netfail-hooks status'"
    look = "now pull the cable, and look: netfail-hooks log; what is wrong: netfail-hooks doctor"
    return f"{told}\n{look}" if work.live else told
