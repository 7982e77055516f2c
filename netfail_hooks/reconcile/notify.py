"""Run other people's hooks: the executables in ``/etc/netfail-hooks/notify.d``.

After a transition each gets the recorder's line on standard input and the gist in its
environment, one after another, ten seconds each. They run in a process of their own that nobody
waits for: a transient service where systemd runs the machine (the check's own service ends with
its main process, and takes its children along), else a forked orphan.
"""

from __future__ import annotations

import os
import sys
import time

from netfail_hooks import journal
from netfail_hooks.files import only_root_can_change, read_owned, write_whole
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

PATIENCE = 10  # seconds for each
_ASKING, _STEP = 2.0, 0.005  # seconds; it takes 10 ms
_START = (
    "import sys; sys.path.append({!r}); "
    "from netfail_hooks.reconcile.notify import main; sys.exit(main())"
)


def executables(directory: str) -> list[str]:
    """Return the hooks in name order; whoever could be somebody else's is told and left out."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    if not _is_safe(directory):
        return []
    paths = [f"{directory}/{name}" for name in names if not name.startswith(".")]
    return [
        path
        for path in paths
        if os.path.isfile(path) and os.access(path, os.X_OK) and _is_safe(path)
    ]


def start(paths: Paths, line: str) -> None:
    """Have the hooks run with a recorder's line. Doesn't wait for them. Raises OSError."""
    if not executables(paths.notify):
        return
    event = paths.notification(str(os.getpid()))
    write_whole(event, line.encode("ascii"))
    command = [sys.executable, "-IS", "-c", _START.format(package_home()), event, paths.root]
    booted = os.path.isdir("/run/systemd/system")
    if booted:
        # systemd-run(1): --collect leaves nothing behind, even of one that failed.
        command = ["systemd-run", "--quiet", "--no-block", "--collect", *command]
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet, setsid=True)
    if booted:
        _see_off(child)


def _see_off(child: int) -> None:
    """Wait until the service manager has been asked.

    It kills what a service leaves behind as soon as its main process ends (KillMode=,
    systemd.kill(5)): it would kill the one that asks.
    """
    until = time.monotonic() + _ASKING
    while time.monotonic() < until and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(_STEP)


def main() -> int:
    """Run the hooks for the event in the file that the command line names."""
    event, root = sys.argv[1:]
    paths = Paths(root)
    try:
        line = read_owned(event)
        os.unlink(event)
        environment = gist(line)
    except FileNotFoundError:
        return 0  # uninstall took it away
    except (OSError, ValueError) as error:
        journal.log(f"notify: {event}: {error}", priority=journal.ERROR)
        return 1
    for path in executables(paths.notify):
        _run(path, line, environment)
    return 0


def gist(line: bytes) -> dict[str, str]:
    """Return the environment that a hook finds. Raises ValueError for no recorder's line."""
    import json

    entry = json.loads(line)
    if not isinstance(entry, dict) or "summary" not in entry:
        raise ValueError("not an event")
    active = entry.get("active", {})
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NETFAIL_TRIGGER": str(entry.get("trigger", "")),
        "NETFAIL_SUMMARY": str(entry["summary"]),
        "NETFAIL_IPV4": str(active.get("ipv4", "")),
        "NETFAIL_IPV6": str(active.get("ipv6", "")),
        "NETFAIL_TOOK_MS": str(entry.get("took_ms", "")),
        "NETFAIL_METERED": " ".join(_metered(entry, active)),
    }


def _metered(entry: dict[str, Any], active: dict[str, Any]) -> list[str]:
    """Return the metered uplinks that carry the traffic now."""
    uplinks = entry.get("config", {}).get("uplinks", [])
    names = [one.get("interface") for one in uplinks if one.get("metered")]
    return [name for name in names if name in active.values()]


def _run(path: str, line: bytes, environment: dict[str, str]) -> None:
    import subprocess  # 10 ms that the hook which only starts us need not spend

    try:
        done = subprocess.run(
            [path],
            input=line,
            env=environment,
            cwd="/",
            timeout=PATIENCE,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        journal.log(f"{path}: killed after {PATIENCE} s", priority=journal.WARNING)
    except OSError as error:
        journal.log(f"{path}: {error.strerror}", priority=journal.WARNING)
    else:
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            journal.log(f"{path}: exit status {done.returncode}: {said}", priority=journal.WARNING)


def _is_safe(path: str) -> bool:
    """Tell whether nobody but root can have put this here, or what a link leads to there."""
    try:
        if only_root_can_change(path):
            return True
    except OSError as error:
        journal.log(f"{path} is left out: {error.strerror}", priority=journal.WARNING)
        return False
    journal.log(
        f"{path} is left out, others may change it, what it leads to or a directory above: "
        "'sudo chown root' and 'sudo chmod go-w' each of them",
        priority=journal.WARNING,
    )
    return False
