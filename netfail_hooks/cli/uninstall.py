"""``netfail-hooks uninstall``: show what would be put back, ask, uninstall, tell."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

from netfail_hooks.cli.prompts import (
    add_common_arguments,
    confirm,
    refuse_powerless,
    show,
    tell,
    warn,
)
from netfail_hooks.drill.heal import refuse_while_on
from netfail_hooks.errors import Misuse
from netfail_hooks.install import manifest
from netfail_hooks.install.handover import Handover, from_networkmanager
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.told import uplinks
from netfail_hooks.install.told.leftovers import left
from netfail_hooks.install.transaction import ignored, remove_manifest, turn
from netfail_hooks.install.uninstaller import (
    UnfinishedError,
    Work,
    lost,
    prepare,
    remove_volatile,
    uninstall,
)
from netfail_hooks.install.way_back import arming
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.paths import Paths
from netfail_hooks.terminal import escaped
from netfail_hooks.terminal.layout import message
from netfail_hooks.terminal.progress import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_common_arguments(parser, "uninstall")
    about = "leave config.toml and notify.d in /etc/netfail-hooks"
    parser.add_argument("--keep-config", action="store_true", help=about)
    parser.add_argument("--keep-log", action="store_true", help="leave the flight recorder")


def run(args: argparse.Namespace) -> int:
    """Uninstall. Returns 0; raises Problem, and what is left to do the next run does."""
    paths = Paths(args.root.rstrip("/"))
    if args.root and not os.path.isdir(args.root):
        raise Misuse(f"--root {args.root}: no such directory", hint="mount the image there first")
    if not args.dry_run:
        refuse_powerless(args.root)
        refuse_while_on(paths)
    known = manifest.load(paths)
    agreed: tuple[FileChange, ...] = ()
    if known is not None:
        work = prepare(paths, known, args)
        if args.dry_run:
            notes = (*lost(work), *work.messages)
            show(work.changes, notes, told=_in_words(work), as_json=args.json)
            return 0
        warn(lost(work))  # before it is done, and before the question
        confirm(work.changes, yes=args.yes, told=_in_words(work), notes=work.messages)
        agreed = () if args.yes else work.changes
    if not args.dry_run:
        with shown("uninstalling", quiet=args.json), turn(paths):
            refuse_while_on(paths)  # one may have begun behind the question
            done = _uninstall(paths, args)
        if done:
            _tell(*done, agreed, args)
            return 0
    if args.json and args.dry_run:
        show((), (), as_json=True)
    elif args.json:
        print(json.dumps({"changed": False, "did": [], "notes": []}))
    else:
        print("nothing is installed")
    return 0


def _kept(args: argparse.Namespace) -> list[str]:
    """Return what was asked to stay and goes with a purge of the package."""
    kept = ["config.toml"] if args.keep_config else []
    return [*kept, "the flight recorder"] if args.keep_log else kept


def _in_words(work: Work) -> list[str]:
    """Return for people who has which uplinks again."""
    if not work.running:
        return []
    had = work.known.handed
    lines = []
    for manager in dict.fromkeys(one.manager for one in had):
        names = [one.interface for one in had if one.manager == manager]
        go = "goes" if len(names) == 1 else "go"
        at = "" if len(names) == 1 else ", one at a time"
        lines.append(f"{' and '.join(names)} {go} back to {manager}{at}.")
    if had:
        quick = all(one.manager == NETWORKMANAGER for one in had)
        away = "2 s, Wi-Fi about 10 s" if quick else "15 s"
        return [*lines, f"An address is away for about {away}; SSH sessions wait, and go on."]
    return uplinks.of_return(work.changes)


def _uninstall(paths: Paths, args: argparse.Namespace) -> tuple[Work, tuple[str, ...]] | None:
    """Put back what there is by now: a way back, or another run, may have been quicker.

    One that waits for a manager goes on without us where that does not answer us, either.
    """
    known = manifest.load(paths)
    if known and arming.is_waiting(paths):
        from_networkmanager.says(Handover(known.handed), running=False)
    arming.call_off(paths)
    known = manifest.load(paths)
    if known is None:
        remove_manifest(paths)
        remove_volatile(paths)
        return None
    work = prepare(paths, known, args)
    # The terminal that we were started from may be cut off while uplinks change hands.
    with ignored(signal.SIGHUP):
        try:
            return work, (*work.messages, *uninstall(work))
        except UnfinishedError as problem:
            options = {"keep_config": args.keep_config, "keep_log": args.keep_log}
            arming.go_on_uninstalling(paths, problem.left, **options)
            problem.add_note(f"uninstall goes on by itself, every {arming.AGAIN} s")
            raise


def _tell(
    work: Work,
    messages: tuple[str, ...],
    agreed: tuple[FileChange, ...],
    args: argparse.Namespace,
) -> None:
    if args.json:
        did = [str(change) for change in work.changes]
        told = {"changed": True, "did": did, "notes": list(messages)}
        print(json.dumps(told, indent=2))
    else:
        tell(work.changes, agreed)
        print("uninstalled")
        warn(messages)
        sys.stderr.flush()
        for line in left(work.known, work.paths, kept=_kept(args)):
            print(*message(escaped(line), sys.stdout), sep="\n")
