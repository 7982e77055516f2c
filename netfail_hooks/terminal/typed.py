"""How the commands that people are told are typed: here, which may be a checkout."""

from __future__ import annotations

import os


def install() -> str:
    """Return how install is typed: from a checkout, where there is no command yet, by install.sh.

    That says so to what it runs.
    """
    return os.environ.get("NETFAIL_HOOKS_INSTALL", "sudo netfail-hooks install")


def command() -> str:
    """Return how any command is typed, but for its name."""
    return os.environ.get("NETFAIL_HOOKS_COMMAND", "netfail-hooks")
