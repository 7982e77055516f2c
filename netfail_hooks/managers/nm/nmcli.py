"""What NetworkManager says of itself and of interfaces, asked by nmcli(1)."""

from __future__ import annotations

import re
import shutil
import time

from netfail_hooks.errors import Problem
from netfail_hooks.managers import UnansweredError
from netfail_hooks.process import ENGLISH, failure, run, version

_NMCLI = ("nmcli", "--terse", "--fields", "DEVICE,STATE", "device")
_RUNNING = ("nmcli", "--terse", "--fields", "RUNNING", "general")
_CONNECTIONS = ("nmcli", "--terse", "--fields", "DEVICE,CON-UUID", "device", "status")
_ACTIVE = ("nmcli", "--terse", "--fields", "UUID,DEVICE,FILENAME", "connection", "show", "--active")
_FIELD = re.compile(r"((?:\\.|[^\\:])*)(?::|$)")
_NEVER_PROBES = (1, 42)
_NOT_RUNNING = 8  # nmcli(1), EXIT STATUS
_ONCE = 10.0  # seconds for an answer, by default
_AGAIN = 0.5  # seconds until it is asked once more


def networkmanager_has() -> tuple[str, ...]:
    """Return the interfaces that NetworkManager sets up, none where it isn't there or hangs."""
    try:
        return networkmanager_says()
    except Problem:
        return ()


def networkmanager_says(patience: float = 0, *, running: bool = False) -> tuple[str, ...]:
    """Return the interfaces that NetworkManager sets up, none where it isn't there.

    ``running``: one that does not run is no answer, either. Raises UnansweredError.
    """
    # nmcli(1); "connected (externally)" is somebody else's doing, ours included.
    idle = ("unmanaged", "connected (externally)")
    return tuple(
        name
        for name, state in networkmanager_states(patience, running=running)
        if not state.startswith(idle)
    )


def networkmanager_states(
    patience: float = 0, *, running: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return each interface that NetworkManager knows, and its state in nmcli's words.

    Asked once more, for ``patience`` seconds, where there is no answer: on a machine that is busy
    nmcli gives up after 25. Raises UnansweredError, with ``running`` where it does not run, too.
    """
    if shutil.which(_NMCLI[0]) is None:
        return ()
    until = time.monotonic() + patience
    while True:
        seconds = round(max(_ONCE, until - time.monotonic()))
        try:
            done = run(*_NMCLI, seconds=seconds, check=False, environment=ENGLISH)
        except Problem as problem:
            why = str(problem.args[0])
        else:
            if done.returncode == 0 or (done.returncode == _NOT_RUNNING and not running):
                return tuple(line.rpartition(":")[::2] for line in done.stdout.splitlines())
            why = failure(done)
        if time.monotonic() >= until:
            raise UnansweredError(
                f"NetworkManager does not answer, so nobody knows what it has: {why}",
                hint="sudo systemctl restart NetworkManager, then try again",
            )
        time.sleep(_AGAIN)


def networkmanager_runs() -> bool:
    """Tell whether NetworkManager runs; one that does not answer is no reason to do without it."""
    if not shutil.which(_RUNNING[0]):
        return False
    try:
        done = run(*_RUNNING, seconds=10, check=False, environment=ENGLISH)
    except Problem:
        return True
    return done.returncode != _NOT_RUNNING and done.stdout.strip() != "not running"


def networkmanager_probes() -> bool:
    """Tell whether NetworkManager asks who has an address before it takes it, by default.

    1.42 does not, 1.52 does, for 200 ms (``ipv4.dad-timeout`` in nm-settings(5)).
    """
    found = version("nmcli")
    return found is None or found > _NEVER_PROBES


def active_connections() -> dict[str, str]:
    """Return the connection that each of NetworkManager's devices is, or is to be, up by: its UUID.

    Raises Problem where it can't be asked.
    """
    done = run(*_CONNECTIONS, seconds=10, check=False, environment=ENGLISH)
    pairs = (line.rpartition(":")[::2] for line in done.stdout.splitlines())
    return {name: uuid for name, uuid in pairs if uuid}


def active_profile(name: str) -> tuple[str, str]:
    """Return the UUID and the file of a NIC's active profile, "" for what nmcli doesn't tell."""
    try:
        done = run(*_ACTIVE, seconds=10, check=False, environment=ENGLISH)
    except Problem:
        return "", ""
    for line in done.stdout.splitlines():
        fields = [re.sub(r"\\(.)", r"\1", field) for field in _FIELD.findall(line)]
        if len(fields) > 2 and fields[1] == name:
            return fields[0], fields[2]
    return "", ""
