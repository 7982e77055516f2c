"""``netfail-hooks check``: probe every uplink once now, act on it, and print what came of it."""

from __future__ import annotations

from netfail_hooks.check import _round
from netfail_hooks.paths import Paths
from netfail_hooks.policy.health import is_well
from netfail_hooks.reconcile.idle import refuse_idle
from netfail_hooks.terminal import escaped
from netfail_hooks.terminal.progress import shown
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from netfail_hooks.recorder import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="print what was observed as JSON")


def run(args: argparse.Namespace) -> int:
    """Look once and print it. Returns 1 if an uplink is not well."""
    with shown("asking each uplink", quiet=args.json):
        done = _round("check")
    refuse_idle(done, Paths())
    if args.json:
        print(_json(done))
    else:
        _print(done)
    return 0 if not done.failed and _all_well(done) else 1


def _all_well(done: Run) -> bool:
    return all(
        is_well(state for state in done.after.uplinks if state.interface == name)
        for name in done.config.names()
    )


def _print(done: Run) -> None:
    width = max(len(name) for name in done.config.names())
    for name in done.config.names():
        for state in done.after.uplinks:
            if state.interface == name:
                why = f" ({state.reason})" if state.reason else ""
                rtt = f", answered in {state.rtt / 1000:.1f} ms" if state.passes else ""
                active = done.after.active_uplink(state.family) == name
                mark = "  carries the traffic" if active else ""
                _say(f"{name:{width}}  IPv{state.family}  {state.state}{why}{rtt}{mark}")
    for change in done.changes:
        _say(f"did: {change}")
    for failure in done.failed:
        _say(f"failed: {escaped(failure)}")


def _say(line: str) -> None:
    import sys

    from netfail_hooks.terminal.layout import message

    print(*message(line, sys.stdout), sep="\n")


def _json(done: Run) -> str:
    import json

    from netfail_hooks.values import plain

    return json.dumps(
        {
            "uplinks": plain(done.after.uplinks),
            "active": {f"ipv{uplink.family}": uplink.interface for uplink in done.after.active},
            "did": [str(change) for change in done.changes],
            "failed": list(done.failed),
            "probes": plain(done.observed.probes),
        },
        indent=2,
    )
