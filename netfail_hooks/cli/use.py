"""``netfail-hooks use``: have an uplink carry the traffic, whichever would by rank."""

from __future__ import annotations

import argparse

from netfail_hooks.cli import by_hand
from netfail_hooks.config import DISABLE, USE, Order, orders
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.names import kernel_name
from netfail_hooks.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("interface", metavar="IF", nargs="?", default="", help="the uplink to use")
    parser.add_argument("--auto", action="store_true", help="end it: go by rank again")
    by_hand.add_time(parser)


def run(args: argparse.Namespace) -> int:
    """Move the traffic without a gap. Returns 1 where the kernel refused a change."""
    paths = Paths()
    if args.auto == bool(args.interface) or (args.auto and (args.seconds or args.keep)):
        raise Misuse("either an uplink or --auto alone", hint="see 'netfail-hooks use --help'")
    if args.auto:
        orders.take_back(paths, USE)
        return by_hand.tell(by_hand.look_again(paths, USE))
    args.interface = kernel_name(args.interface)
    config, since = by_hand.configured(args.interface, paths)
    done = by_hand.look(config, since, paths, USE)
    _refuse(args.interface, config.ordered(DISABLE, done.observed.now))
    if not by_hand.families_up(done.after, args.interface):
        why = by_hand.reason(done.after, args.interface)
        raise Problem(f"{args.interface} is {why}", hint="see 'sudo netfail-hooks status'")
    done = by_hand.give(Order(USE, args.interface), args, done, paths)
    stays = config.mode == "routes" and config.failback == "manual"
    if stays and not (args.seconds or args.keep):
        orders.take_back(paths, USE)  # it stays where it is now without an order
        print(f"{args.interface} is used until it fails")
    else:
        print(f"{args.interface} is used while it is up, {by_hand.end(args)}")
    return by_hand.tell(done)


def _refuse(interface: str, disabled: list[str]) -> None:
    if interface in disabled:
        hint = f"sudo netfail-hooks enable {interface}"
        raise Misuse(f"{interface} is disabled by hand", hint=hint)
