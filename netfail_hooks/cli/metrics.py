"""``netfail-hooks metrics``: print what is known of the uplinks for Prometheus, or write it."""

from __future__ import annotations

import os

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.metrics import exposition, is_volatile, reason, write
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--textfile", metavar="FILE", help="write them to FILE, in one step, readable by all"
    )


def run(args: argparse.Namespace) -> int:
    """Print the metrics, or write them. Raises Problem."""
    from netfail_hooks.config.cache import load

    paths = Paths()
    config = load(paths)
    if args.textfile is None:
        print(exposition(config, paths, volatile=True), end="")
        return 0
    path = os.path.abspath(args.textfile)
    try:
        write(path, exposition(config, paths, volatile=is_volatile(path)))
    except PermissionError as error:
        raise NotPermitted(reason(path, error), hint="use sudo, or another file") from None
    except OSError as error:
        raise Problem(reason(path, error), hint="name another file") from None
    return 0
