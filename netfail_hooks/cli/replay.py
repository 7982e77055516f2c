"""``netfail-hooks replay``: events once more, through the hooks or the decision core alone."""

from __future__ import annotations

import argparse
import os
import sys

from netfail_hooks.cli.commands import DEMO, DEMO_OF_CHECKOUT
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Misuse
from netfail_hooks.paths import Paths
from netfail_hooks.replay import events
from netfail_hooks.replay.events import Event

_EVERY_STATE = (*events.STATES, events.DEAD)
_RECORDINGS = "a recording is such as /var/log/netfail-hooks/events.jsonl, or a bundle"
_ABOUT = f"""\
INTERFACE=STATE runs the installed hooks as networkd-dispatcher would: same order, same
environment. The hooks look at the real interfaces, so where those are well nothing changes.
+12s lets 12 seconds pass.

A FILE (- for standard input) is fed to the decision core alone: lines of the recorder
(/var/log/netfail-hooks/events.jsonl) or a bundle that 'netfail-hooks log --bundle' made, where
each decision must be the recorded one; or a plain list of events, played on a simulated machine.
The demo's recording is {DEMO}, that of
'./install.sh --demo' is {DEMO_OF_CHECKOUT} in the checkout.

--sandbox plays either on real interfaces in a throw-away network namespace; there, and in a
plain list, INTERFACE=dead leaves the link up with nothing behind it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = f"{parser.description}\n\n{_ABOUT}"
    parser.add_argument(
        "what",
        nargs="+",
        metavar="EVENT|FILE",
        help="one or more of INTERFACE=STATE and +12s; or one file",
    )
    parser.add_argument(
        "--sandbox",
        action="store_true",
        help="on real interfaces in a throw-away network namespace",
    )
    parser.add_argument("--all", action="store_true", help="run other people's hooks too")
    parser.add_argument(
        "--dry-run", action="store_true", help="print which hooks would run, in which environment"
    )


def run(args: argparse.Namespace) -> int:
    """Replay. Returns 1 if a hook failed or a decision is not the recorded one."""
    if args.sandbox and (args.all or args.dry_run):
        raise Misuse("--sandbox goes with neither --all nor --dry-run", hint="leave those out")
    if events.are_words(args.what):
        return _replay_words(args)
    if args.all or args.dry_run:
        raise Misuse(
            "--all and --dry-run are about hooks, which a file doesn't run",
            hint="leave them out, or give events such as eth0=no-carrier",
        )
    text = _read(args.what[0])
    lines = _recorded_lines(text)
    if lines is None:
        plan = events.read(text, states=_EVERY_STATE)
        return _play(plan, _config(plan), sandbox=args.sandbox)
    if args.sandbox:
        return _play(*recorded(lines), sandbox=True)
    return _again(lines)


def _replay_words(args: argparse.Namespace) -> int:
    if args.sandbox:
        plan = events.parse(args.what, states=_EVERY_STATE)
        return _play(plan, _config(plan), sandbox=True)
    from netfail_hooks.replay.hooks import replay

    plan = events.parse(args.what, states=events.STATES)
    return replay(Paths(), plan, foreign=args.all, dry=args.dry_run)


def _recorded_lines(text: str) -> list[str] | None:
    """Return the recorder's lines, of a bundle too; None for a list of events."""
    from netfail_hooks import bundle

    lines = bundle.recordings(text)
    if lines is None and text.lstrip().startswith("{"):
        return text.splitlines()
    return lines


def _again(lines: list[str]) -> int:
    from netfail_hooks.replay.decisions import again

    decisions = list(again(lines))
    for decision in decisions:
        print(decision.text)
    differing = sum(not decision.same for decision in decisions)
    cut = sum(decision.cut for decision in decisions)
    told = f"{len(decisions) - cut} decisions, {differing or 'none'} other than recorded"
    print(f"{told}, {cut} cut" if cut else told)
    return 1 if differing else 0


def _play(plan: tuple[Event, ...], config: Config, *, sandbox: bool) -> int:
    foreign = [name for name in events.interfaces(plan) if name not in config.names()]
    if foreign:
        known = ", ".join(config.names())
        raise Misuse(f"{', '.join(foreign)}: no uplink", hint=f"the configured ones are {known}")
    if config.mode == "bond":
        raise Misuse(
            "events of a bond can only be replayed as recorded, or by the real hooks",
            hint="give a recording of the recorder's, or IF=STATE without --sandbox",
        )
    if sandbox:
        from netfail_hooks.replay import lab

        return lab.replay(config, plan)
    from netfail_hooks.replay.decisions import simulate

    for text in simulate(config, plan):
        print(text)
    return 0


def _config(plan: tuple[Event, ...]) -> Config:
    """Return this machine's config; without one, the events' interfaces as they come."""
    paths = Paths()
    if os.path.exists(paths.config):
        return load(paths)
    names = events.interfaces(plan)
    if len(names) < 2:
        names = tuple(dict.fromkeys((*names, "eth0", "wlan0")))[:2]
    return Config(default_metrics(names))


def recorded(lines: list[str]) -> tuple[tuple[Event, ...], Config]:
    """Return the events behind recorded lines, and their config.

    A trigger is "eth0 no-carrier", or a check; what a check's probes found is no event of
    networkd's, so it becomes a link with nothing behind it, and its end. A line that was cut has
    its trigger, and no probe.
    """
    from netfail_hooks import recorder
    from netfail_hooks.recorder.recording import CutError, DamagedError, parse

    runs = []
    for line in lines:
        try:
            if line.strip():
                runs.append(parse(line))
        except CutError as cut:
            runs.append(cut.part)
        except DamagedError as damage:
            raise Misuse(f"not the recorder's: {damage}", hint=_RECORDINGS) from None
    plan: list[Event] = []
    dead: set[str] = set()
    for run in runs:
        interface, _, state = run.trigger.partition(" ")
        state = state.removesuffix(recorder.DRILL)
        if state in events.STATES:
            plan.append(Event(interface, state))
        for result in run.observed.probes:
            if not result.healthy and result.interface not in dead:
                plan.append(Event(result.interface, events.DEAD))
                dead.add(result.interface)
            elif result.healthy and result.interface in dead:
                plan.append(Event(result.interface, "routable"))
                dead.discard(result.interface)
    return tuple(plan), runs[-1].config


def _read(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        hint = "events are written eth0=no-carrier; see 'netfail-hooks replay --help'"
        raise Misuse(f"no file {path!r}", hint=hint) from None
