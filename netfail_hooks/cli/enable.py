"""``netfail-hooks enable``: use an uplink again that was disabled by hand."""

from __future__ import annotations

import argparse

from netfail_hooks.cli import by_hand
from netfail_hooks.config import DISABLE, orders
from netfail_hooks.names import kernel_name
from netfail_hooks.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("interface", metavar="IF", help="the uplink to use again")


def run(args: argparse.Namespace) -> int:
    """Judge it again; in mode routes its hold-down begins.

    Returns 1 where the kernel refused a change.
    """
    paths, name = Paths(), kernel_name(args.interface)
    if not any((one.kind, one.interface) == (DISABLE, name) for one in orders.given(paths)):
        by_hand.configured(name, paths)  # which says so of what is no uplink
        print(f"{name} is not disabled")
        return 0
    orders.take_back(paths, DISABLE, name)  # whatever it is by now
    done = by_hand.look(*by_hand.configured(name, paths), paths, "enable")
    print(f"{name} is enabled, and {by_hand.reason(done.after, name)} now")
    return by_hand.tell(done)
