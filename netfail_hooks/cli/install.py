"""``netfail-hooks install``: show what would change, ask, install, tell."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal

from netfail_hooks.cli.prompts import (
    add_common_arguments,
    confirm,
    refuse_powerless,
    refuse_unasked,
    show,
    tell,
    warn,
)
from netfail_hooks.drill.heal import refuse_while_on
from netfail_hooks.files import asker
from netfail_hooks.install import options
from netfail_hooks.install.config import read_ready
from netfail_hooks.install.installer import Work, install, prepare, start, what_remains
from netfail_hooks.install.networks import switch
from netfail_hooks.install.told import uplinks
from netfail_hooks.install.transaction import ignored, turn
from netfail_hooks.paths import Paths
from netfail_hooks.terminal.progress import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_arguments(parser)
    add_common_arguments(parser, "install")


def run(args: argparse.Namespace) -> int:
    """Install. Returns 0; raises Problem, with everything as it was."""
    options.refuse_beside_config(args)
    ready = read_ready(args.config) if args.config is not None else None
    if not args.dry_run and not os.path.lexists(Paths(args.root.rstrip("/")).manifest):
        refuse_unasked(yes=args.yes)  # a first one always asks
    with shown("looking at this machine", quiet=args.json):
        work = prepare(args, ready)
    if not args.json:
        warn(work.absent)  # the name may be mistyped: told before a diff of hundreds of lines
    if args.dry_run:
        notes = (*work.absent, *work.messages) if args.json else work.messages
        why = [f"{path}: {reason}." for path, reason in work.reasons.items()]
        told = [*_in_words(work), *why]
        show(work.changes, notes, work.commands, told=told, as_json=args.json)
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
        reasons=work.reasons,
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
        where = f"'sudo netfail-hooks uninstall --dry-run{below}'"
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
        "notes": [*work.absent, *([work.upgraded] if work.upgraded else []), *messages],
        "live": work.running,
    }


def _in_words(work: Work) -> list[str]:
    """Return for people what becomes of the program, the uplinks and the traffic meanwhile."""
    upgrade = [f"Program: {work.upgraded}."] if work.upgraded else []
    return [*upgrade, *_of_uplinks(work)] if work.changes else upgrade


def _of_uplinks(work: Work) -> list[str]:
    handover = work.handover
    if handover.now:
        managers = " and ".join(dict.fromkeys(one.manager for one in handover.handed))
        keeps = "keeps" if " and " not in managers else "keep"
        anew = any(name in handover.joining_anew for name in handover.now)
        who = (
            f"{managers} {keeps} everything but {' and '.join(handover.now)}. One at a time they "
            "go to systemd-networkd, with the settings and addresses that they have now, so SSH "
            "sessions go on; 'uninstall' gives them back."
        )
        how_long = (
            f"Traffic waits about 2 s meanwhile{', Wi-Fi about 10 s' if anew else ''}. A way "
            "back is armed first: if no gateway answers afterwards, or this is killed, all is put "
            "back by itself."
        )
        return [who, how_long]
    if not work.running and not switch.concerns_bond(work.changes):
        return []
    bonds = switch.bonds_of(work.changes)
    now = uplinks.look(work.paths, (*work.config.names(), *bonds), running=work.running)
    of_bond = uplinks.of_bond(work.config, work.changes, now)
    return of_bond or uplinks.of_uplinks(work.changes, now)


def _summary(work: Work) -> str:
    ranked = ", then ".join(work.config.names())
    if not work.changes:
        again = work.upgraded or f"this is version {work.program.version}, as before"
        return f"nothing to do, all {work.files} files are in place: {ranked}\n{again}"
    sudo = "sudo " if asker() else ""
    done = f"installed: {ranked}; see '{sudo}netfail-hooks status'"
    if work.upgraded:
        done = f"{work.upgraded}: {work.files_changed} of {work.files} files changed\n{done}"
    look = f"now pull the cable, and look: {sudo}netfail-hooks log"
    look += f"; if something is wrong: {sudo}netfail-hooks doctor"
    return f"{done}\n{look}" if work.running else done
