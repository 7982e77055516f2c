"""``netfail-hooks doctor``: find what is wrong with this machine's failover, say how to fix it.

Looks at all that failover rests on: what is installed, what runs, who else sets uplinks up, and
what the kernel makes of it. How the uplinks fare just now is for ``status``.
"""

from __future__ import annotations

import argparse
import json

from netfail_hooks import terminal
from netfail_hooks.cli.prompts import refuse_powerless
from netfail_hooks.doctor import fix as doctor_fix
from netfail_hooks.doctor.again import look
from netfail_hooks.doctor.report import Diagnosis, render, report
from netfail_hooks.errors import Misuse
from netfail_hooks.files import asker
from netfail_hooks.paths import Paths
from netfail_hooks.terminal.layout import width
from netfail_hooks.terminal.progress import doing, shown
from netfail_hooks.values import plain

_NO_CONFIG = ("not-installed", "config-wrong")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--fix", action="store_true", help="run the commands that can do no harm, and look again"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="with --fix: print what it would run"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON: docs/use/json.md")


def run(args: argparse.Namespace) -> int:
    """Print the findings. Returns 1 if there are some, 2 if none could be looked for in full."""
    if args.dry_run and not args.fix:
        raise Misuse("--dry-run alone says nothing", hint="add --fix")
    with shown("looking at this machine", quiet=args.json):
        diagnosis = _diagnose(args)
    _show(diagnosis, as_json=args.json)
    if any(finding.code in _NO_CONFIG for finding in diagnosis.findings):
        return Misuse.status
    return 0 if diagnosis.healthy else 1


def _diagnose(args: argparse.Namespace) -> Diagnosis:
    """Return what is found, with ``--fix`` once the commands have run that can do no harm."""
    paths = Paths()
    facts, before = look(paths)
    diagnosis = report(facts, before)
    commands = doctor_fix.commands(diagnosis.findings) if args.fix else ()
    if args.dry_run:
        return report(facts, before, would=commands)
    if not commands:
        return diagnosis
    refuse_powerless(paths.root)
    ended = []
    for command in commands:
        with doing(f"running {command}"):
            ended.append((command, doctor_fix.run(command)))
    did = tuple(command for command, failure in ended if not failure)
    failed = tuple(failure for _, failure in ended if failure)
    return report(*look(paths), did=did, failed=failed)


def _show(diagnosis: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(plain(diagnosis)))
        return
    diagnosis = terminal.one_line_each(diagnosis)
    lines = [
        *(f"would run: {command}" for command in diagnosis.would),
        *(f"did: {command}" for command in diagnosis.did),
        *(f"FAILED: {failure}" for failure in diagnosis.failed),
    ]
    if lines:
        print(*lines, "", sep="\n")
    sudo = asker() != 0
    print(render(diagnosis, colour=terminal.colours(), width=width(), sudo=sudo))
