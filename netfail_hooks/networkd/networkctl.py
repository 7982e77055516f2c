"""What networkd thinks of an interface, by ``networkctl``: its files are "private data".

``/run/systemd/netif/links/*`` say so in their first line, and D-Bus would need a library;
networkctl(1) documents these words, and networkd-dispatcher reads them there too.
"""

from __future__ import annotations

import json
from itertools import takewhile
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.process import run

_PATIENCE = 5  # seconds
_QUIET = ("--no-pager", "--no-legend")
_BUS = "org.freedesktop.DBus"
_HAS_OWNER = (
    "busctl",
    "--system",
    "call",
    _BUS,
    "/org/freedesktop/DBus",
    _BUS,
    "NameHasOwner",
    "s",
    "org.freedesktop.network1",
)


def runs() -> bool:
    """Tell whether networkd is on the bus. To ask itself would start it.

    ``networkctl list`` answers without it, too, as if it managed nothing.
    """
    return _output(*_HAS_OWNER) == ["b true"]


def states() -> dict[str, tuple[str, str]]:
    """Return each interface's operational and setup state; none where networkd can't be asked."""
    result = {}
    for line in _ask("list", *_QUIET):
        words = line.split()
        if len(words) == 5:
            _, name, _, operational, setup = words
            result[name] = (operational, setup)
    return result


def leaves_alone(interface: str) -> bool:
    """Tell whether networkd says that no file of its is for an interface."""
    return states().get(interface, ("", ""))[1] == "unmanaged"


def status(interface: str) -> list[str]:
    """Return the lines that ``networkctl status`` has for an interface."""
    return _ask("status", *_QUIET, "--", interface)


def static(interface: str, what: str) -> list[dict[str, Any]] | None:
    """Return the "Addresses" or "Routes" that networkd has of its file, None where it can't tell.

    By networkctl(1), ``--json=``.
    """
    try:
        done = run("networkctl", "--json=short", "status", "--", interface, seconds=_PATIENCE)
        known: dict[str, Any] = json.loads(done.stdout)
    except (Problem, ValueError):
        return None
    return [each for each in known.get(what, ()) if each.get("ConfigSource") == "static"]


def version_line() -> str:
    """Return the first line of ``networkctl --version``, "" where there is none."""
    return "".join(_ask("--version")[:1])


def version() -> int:
    """Return the version of systemd that networkctl, and so networkd, belongs to; 0 if unknown."""
    words = version_line().split()
    digits = "".join(takewhile(str.isdigit, words[1])) if len(words) > 1 else ""
    return int(digits or 0)


def _ask(*arguments: str) -> list[str]:
    return _output("networkctl", *arguments)


def _output(*argv: str) -> list[str]:
    try:
        return run(*argv, seconds=_PATIENCE, check=False).stdout.splitlines()
    except Problem:
        return []
