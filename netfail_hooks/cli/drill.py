"""``netfail-hooks drill``: make the uplink in use fail on purpose, and tell how it went."""

from __future__ import annotations

import argparse
import contextlib
import json

from netfail_hooks.cli import by_hand
from netfail_hooks.cli.prompts import agree, refuse_powerless, refuse_unasked
from netfail_hooks.config import Config
from netfail_hooks.config.cache import generation, is_installed, load
from netfail_hooks.drill import text
from netfail_hooks.drill.plan import FEWEST, MOST, Plan, comes_back, plan, survives
from netfail_hooks.errors import Problem
from netfail_hooks.install.handover.origin import origin
from netfail_hooks.install.transaction import turn
from netfail_hooks.journal import NOTICE, WARNING, log, run_logged
from netfail_hooks.kernel.lookup import look_up
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import Run, drills
from netfail_hooks.recorder.drills import CABLE, GATEWAY, PASSED, Outcome
from netfail_hooks.terminal.progress import shown
from netfail_hooks.values import plain

SECONDS = 20
_LEFT_OUT = (
    "no drill by the timer: failback in config.toml would leave the traffic on the backup; "
    "run 'sudo netfail-hooks drill' by hand"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    fault = parser.add_mutually_exclusive_group()
    fault.add_argument(
        "--gateway",
        dest="fault",
        action="store_const",
        const=GATEWAY,
        default=GATEWAY,
        help="nothing arrives by it, as if its router were dead; the default",
    )
    fault.add_argument(
        "--cable",
        dest="fault",
        action="store_const",
        const=CABLE,
        help="it has no carrier, as if its cable were pulled, where its driver can do that",
    )
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=_seconds,
        default=SECONDS,
        help=f"how long it fails, {FEWEST} to {MOST} ({SECONDS})",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--json", action="store_true", help="print it as JSON: docs/use/json.md")


def run(args: argparse.Namespace) -> int:
    """Drill. Returns 1 unless it passed. Raises Problem where it is refused."""
    return _drill(args, attended=True)


def _drill(args: argparse.Namespace, *, attended: bool) -> int:
    # The options alone are asked for where there is no icmplib: by packaging/deb and install.sh.
    from netfail_hooks.drill.perform import perform, refuse_where_unsupported, way_of

    paths = Paths()
    refuse_powerless(paths.root)
    refuse_unasked(yes=args.yes or args.dry_run)  # before uplinks are probed for nothing
    since = generation(paths)
    config = load(paths)
    refuse_where_unsupported(paths)
    done = by_hand.look(config, since, paths, "check")
    planned = plan(config, done.observed, done.after, args.fault, args.seconds)
    if not attended and not comes_back(config, done.observed, planned.seconds):
        # Nobody is there to take the traffic back from the backup, which may be paid for.
        log(_LEFT_OUT, priority=WARNING, trigger="drill")
        return 0
    way = way_of(planned, paths)
    words = text.intention(planned, *_session(config, done, planned))
    if args.dry_run:
        print(json.dumps({"would": words}) if args.json else "\n".join(words))
        return 0
    agree(words, yes=args.yes)
    tell = _silent if args.json else _tell
    with shown("drilling", quiet=args.json or not attended):
        outcome = perform(config, planned, way, paths, tell, since=since)
    _keep(paths, outcome)
    with contextlib.suppress(BrokenPipeError):  # a session that ended: it is kept and logged
        told = json.dumps(plain(outcome)) if args.json else "\n".join(text.verdict(outcome))
        print(told, flush=True)
    return 0 if outcome.verdict == PASSED else 1


def main() -> int:
    """Drill for the timer, with nobody to ask or tell; return the exit status."""
    words = argparse.Namespace(fault=GATEWAY, seconds=SECONDS, dry_run=False, yes=True, json=True)
    return run_logged(lambda: _drill(words, attended=False))


def _session(config: Config, done: Run, planned: Plan) -> tuple[str, bool]:
    """Return whose SSH session goes by the uplink, "" for none, and whether it lives on."""
    client = origin().partition("%")[0]
    if not client:
        return "", True
    with Netlink() as netlink:
        way = look_up(netlink, 6 if ":" in client else 4, client)
    if way is None or way.interface != planned.interface:
        return "", True
    return client, survives(config, done.observed, planned, way.source)


def _keep(paths: Paths, outcome: Outcome) -> None:
    priority = NOTICE if outcome.verdict == PASSED else WARNING
    log(text.summary(outcome), priority=priority, trigger="drill")
    try:
        with turn(paths):  # an uninstall that came meanwhile has left nothing, nor do we
            if is_installed(generation(paths), paths):
                drills.keep(paths, outcome)
    except (OSError, Problem) as error:
        log(f"how the drill went could not be kept: {error}", priority=WARNING)


def _tell(seconds: float, line: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the drill goes on
        print(f"{seconds:6.2f} s  {line}", flush=True)


def _silent(_: float, __: str) -> None:
    """Leave standard output to the JSON."""


def _seconds(words: str) -> int:
    if not (words.isascii() and words.isdigit() and FEWEST <= int(words) <= MOST):
        message = f"not {FEWEST} to {MOST} seconds: {words!r}"
        raise argparse.ArgumentTypeError(message)
    return int(words)
