"""What ``use``, ``disable`` and ``enable`` share: look, note the order, have a run act on it."""

from __future__ import annotations

import argparse
import time

from netfail_hooks.cli.parse_time import duration
from netfail_hooks.config import Config, Order
from netfail_hooks.config import orders as files
from netfail_hooks.config.cache import generation, load
from netfail_hooks.errors import Misuse
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import State
from netfail_hooks.reconcile.idle import refuse_idle
from netfail_hooks.reconcile.probing import probe_and_run
from netfail_hooks.recorder import Run
from netfail_hooks.terminal.progress import shown
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config.cache import Generation

_EXAMPLES = "'90s', '30min', '8h', '2 days'"


def add_time(parser: argparse.ArgumentParser) -> None:
    """Declare how long an order counts."""
    span = parser.add_mutually_exclusive_group()
    span.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=_seconds,
        default=0,
        help=f"end it by itself after so long, such as {_EXAMPLES}",
    )
    span.add_argument("--keep", action="store_true", help="keep it over a reboot")


def configured(interface: str, paths: Paths) -> tuple[Config, Generation]:
    """Return the config, and of which install it is.

    Raises Misuse where nothing of that uplink can be ordered in it.
    """
    since = generation(paths)
    config = load(paths)
    if interface and interface not in config.names():
        raise Misuse(f"{interface} is no uplink", hint=f"these are: {', '.join(config.names())}")
    return config, since


def look(config: Config, since: Generation, paths: Paths, trigger: str) -> Run:
    """Ask every uplink, and act on it. Raises Problem where nothing is installed any more."""
    with shown("asking each uplink"):
        done = probe_and_run(config, paths, trigger, since=since)
    refuse_idle(done, paths)
    return done


def look_again(paths: Paths, trigger: str) -> Run:
    """Do the same by the config, and the orders, that there are now."""
    return look(*configured("", paths), paths, trigger)


def give(order: Order, args: argparse.Namespace, done: Run, paths: Paths) -> Run:
    """Note an order after a look, and act on it; return how that went."""
    until = done.observed.now + args.seconds * 1000 if args.seconds else 0
    files.give(paths, Order(order.kind, order.interface, until), keep=args.keep)
    return look_again(paths, order.kind)


def families_up(state: State, interface: str) -> list[int]:
    """Return the families in which an uplink is up."""
    up = [one for one in state.uplinks if (one.interface, one.state) == (interface, "up")]
    return [one.family for one in up]


def reason(state: State, interface: str) -> str:
    """Return, for people, what an uplink is and why; not of a family that it never had."""
    own = [one for one in state.uplinks if one.interface == interface]
    known = [one for one in own if one.state != "absent"] or own
    words = (f"{one.state} ({one.reason})" if one.reason else one.state for one in known)
    return " and ".join(dict.fromkeys(words))


def end(args: argparse.Namespace) -> str:
    """Return until when an order counts, and how it is taken back before."""
    if args.seconds:
        when = time.strftime("%H:%M:%S", time.localtime(time.time() + args.seconds))
        return f"until {when}"
    return "over reboots, until it is taken back" if args.keep else "until the next boot"


def tell(done: Run) -> int:
    """Print which uplink carries the traffic now; return 1 where the kernel refused a change."""
    for active in done.after.active:
        if active.interface:
            print(f"IPv{active.family} goes by {active.interface}")
    for failure in done.failed:
        print(f"failed: {failure}")
    return 1 if done.failed else 0


def _seconds(text: str) -> int:
    try:
        return duration(text)
    except ValueError:
        message = f"not a time: {text!r}, try {_EXAMPLES}"
        raise argparse.ArgumentTypeError(message) from None
