"""``netfail-hooks install``: show what would change, ask, install, tell."""

from __future__ import annotations

import argparse
import json
import shlex
import signal

from netfail_hooks.cli.prompts import (
    add_common_arguments,
    confirm,
    refuse_powerless,
    show,
    tell,
    warn,
)
from netfail_hooks.drill.heal import refuse_while_on
from netfail_hooks.files import asker
from netfail_hooks.install import options
from netfail_hooks.install.config import read_ready
from netfail_hooks.install.installer import Work, install, prepare, start, what_remains
from netfail_hooks.install.transaction import ignored, turn
from netfail_hooks.terminal.progress import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_arguments(parser)
    add_common_arguments(parser, "install")


def run(args: argparse.Namespace) -> int:
    """Install. Returns 0; raises Problem, with everything as it was."""
    options.refuse_beside_config(args)
    ready = read_ready(args.config) if args.config is not None else None
    with shown("looking at this machine", quiet=args.json):
        work = prepare(args, ready)
    if not args.json:
        warn(work.absent)  # the name may be mistyped: told before a diff of hundreds of lines
    if args.dry_run:
        notes = (*work.absent, *work.messages) if args.json else work.messages
        show(work.changes, notes, work.commands, as_json=args.json)
        return 0
    refuse_powerless(args.root)
    refuse_while_on(work.paths)
    asked = work
    confirm(
        work.changes,
        yes=args.yes,
        told=_in_words(work),
        commands=work.commands,
        notes=work.messages,
    )
    # The terminal that we were started from may be cut off, and nobody would start what is to run.
    shows = shown("installing", quiet=args.json)
    with shows, turn(work.paths), ignored(signal.SIGHUP):
        refuse_while_on(work.paths)  # one may have begun behind the question
        work = prepare(args, ready)  # another run may have changed what there is
        refused = install(work)
        rest = start(work) if work.running else what_remains(work)
    messages = (*work.messages, *refused, *rest)
    if args.json:
        print(json.dumps(_told(work, messages), indent=2))
    else:
        below = f" --root {shlex.quote(args.root)}" if args.root else ""
        where = f"'netfail-hooks uninstall --dry-run{below}'"
        tell(work.changes, () if args.yes else asked.changes, where)
        print(_summary(work))
        seen = () if args.yes or not asked.changes else asked.messages
        warn(tuple(message for message in messages if message not in seen))
    return 0


def _told(work: Work, messages: tuple[str, ...]) -> dict[str, object]:
    """Return what was done, for programs."""
    return {
        "changed": bool(work.changes or work.commands),
        "did": [str(change) for change in work.changes],
        "notes": [*work.absent, *messages],
        "live": work.running,
    }


def _in_words(work: Work) -> list[str]:
    """Return for people what becomes of the uplinks and of the traffic meanwhile."""
    handover = work.handover
    if handover.now:
        managers = " and ".join(dict.fromkeys(one.manager for one in handover.handed))
        keeps = "keeps" if " and " not in managers else "keep"
        anew = any(name in handover.joining_anew for name in handover.now)
        who = (
            f"{managers} {keeps} everything but {' and '.join(handover.now)}. One at a time they "
            "go to systemd-networkd, with the settings that they have now; 'uninstall' gives them "
            "back."
        )
        how_long = (
            f"Traffic waits about 2 s meanwhile{', Wi-Fi about 10 s' if anew else ''}. A way "
            "back is armed first: if no gateway answers afterwards, all is put back by itself."
        )
        return [who, how_long]
    if work.running and not work.switches:
        return ["systemd-networkd reads one uplink's file at a time; others carry the traffic."]
    return []


def _summary(work: Work) -> str:
    ranked = ", then ".join(work.config.names())
    if not work.changes:
        return f"nothing to do, all files are in place: {ranked}"
    sudo = "sudo " if asker() else ""
    done = f"installed: {ranked}; see '{sudo}netfail-hooks status'"
    look = f"now pull the cable, and look: {sudo}netfail-hooks log"
    look += f"; what is wrong: {sudo}netfail-hooks doctor"
    return f"{done}\n{look}" if work.running else done
