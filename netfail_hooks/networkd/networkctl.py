"""What networkd thinks of an interface, by ``networkctl``: its files are "private data".

``/run/systemd/netif/links/*`` say so in their first line, and D-Bus would need a library;
networkctl(1) documents these words, and networkd-dispatcher reads them there too.
"""

from __future__ import annotations

import json
from itertools import takewhile
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.process import TooSlow, run

_PATIENCE = 5  # seconds
AT_WORK = 3  # seconds; networkd answers in a few milliseconds, whatever it is at
# Seconds for the same where a change of ours depends on it: a small machine that is unpacking
# packages gives a process, and the bus, no time for seconds. Its bus would wait for 25.
_HANGS = 10
_RELOADING = 20  # seconds; it reads all files before it answers
_NAME = "org.freedesktop.network1"
_HAS = ("configuring", "configured", "failed")  # networkctl(1), SETUP
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
    _NAME,
)
# Answered by its event loop (sd_bus_process(3)): one that hangs keeps its name on the bus.
PING = (
    "busctl",
    "--system",
    "--auto-start=no",
    "call",
    _NAME,
    "/org/freedesktop/network1",
    "org.freedesktop.DBus.Peer",
    "Ping",
)


def runs() -> bool:
    """Tell whether networkd is on the bus. To ask itself would start it.

    ``networkctl list`` answers without it, too, as if it managed nothing. Raises TooSlow where the
    bus is there and does not answer: then nobody knows.
    """
    try:
        return run(*_HAS_OWNER, seconds=AT_WORK, check=False).stdout.split() == ["b", "true"]
    except TooSlow:
        raise TooSlow(
            f"this machine's D-Bus, by which its services are asked, has not answered within "
            f"{AT_WORK} s, so nobody knows whether systemd-networkd runs",
            hint="a busy machine needs longer: try again; if it stays so, 'systemctl status dbus' "
            "says why",
        ) from None
    except Problem:
        return False


def answers(seconds: float = AT_WORK) -> bool:
    """Tell whether networkd takes questions up."""
    try:
        run(*PING, seconds=seconds)
    except Problem:
        return False
    return True


def require_answer() -> None:
    """Refuse to go on where networkd would not. Raises TooSlow."""
    if not answers(_HANGS):
        raise TooSlow(
            f"systemd-networkd does not answer (asked for {_HANGS} s), so nobody would set the "
            "uplinks up",
            hint="sudo systemctl restart systemd-networkd, then try again",
        )


def reload() -> None:
    """Have networkd read its files; it returns before it is done with them. Raises Problem."""
    run("networkctl", "reload", seconds=_RELOADING)


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


def has(interface: str) -> bool:
    """Tell whether networkd has set an interface up, or is about to.

    One that has ended leaves what it said in /run (RuntimeDirectoryPreserve=), and has nothing.
    """
    return states().get(interface, ("", ""))[1] in _HAS and answers()


def status(interface: str) -> list[str]:
    """Return the lines that ``networkctl status`` has for an interface."""
    return _ask("status", *_QUIET, "--", interface)


def static(interface: str, what: str) -> list[dict[str, Any]] | None:
    """Return the "Addresses" or "Routes" that networkd has of its file, None where it can't tell.

    By networkctl(1), ``--json=``. Raises TooSlow.
    """
    try:
        done = run("networkctl", "--json=short", "status", "--", interface, seconds=AT_WORK)
        known: dict[str, Any] = json.loads(done.stdout)
    except TooSlow:
        raise
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


def reconfigure(interface: str) -> None:
    """Have networkd set an interface up from the beginning. Raises Problem."""
    run("networkctl", "reconfigure", interface, seconds=_RELOADING)


def _ask(*arguments: str) -> list[str]:
    return _output("networkctl", *arguments)


def _output(*argv: str) -> list[str]:
    try:
        return run(*argv, seconds=_PATIENCE, check=False).stdout.splitlines()
    except Problem:
        return []
