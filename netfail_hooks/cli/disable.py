"""``netfail-hooks disable``: do without an uplink, before somebody pulls its cable."""

from __future__ import annotations

import argparse

from netfail_hooks.cli import by_hand
from netfail_hooks.config import DISABLE, Config, Order
from netfail_hooks.errors import Problem
from netfail_hooks.kernel.observe import now
from netfail_hooks.names import kernel_name
from netfail_hooks.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("interface", metavar="IF", help="the uplink to do without")
    parser.add_argument("--force", action="store_true", help="even where no other one is up")
    by_hand.add_time(parser)


def run(args: argparse.Namespace) -> int:
    """Move the traffic without a gap. Returns 1 where the kernel refused a change."""
    paths, name = Paths(), kernel_name(args.interface)
    config, since = by_hand.configured(name, paths)
    done = by_hand.look(config, since, paths, DISABLE)
    others = {
        family
        for other in config.names()
        if other != name
        for family in by_hand.families_up(done.after, other)
    }
    lost = [family for family in by_hand.families_up(done.after, name) if family not in others]
    if lost and not args.force:
        families = " and ".join(f"IPv{family}" for family in lost)
        raise Problem(f"no other uplink is up in {families}", hint=_hint(config))
    done = by_hand.give(Order(DISABLE, name), args, done, paths)
    print(f"{name} is disabled, {by_hand.end(args)}; 'sudo netfail-hooks enable {name}' ends it")
    return by_hand.tell(done)


def _hint(config: Config) -> str:
    disabled = [order.interface for order in config.orders_at(now()) if order.kind == DISABLE]
    first = f"sudo netfail-hooks enable {disabled[0]}" if disabled else "mend one first"
    return f"{first}, or add --force"
