"""Hurt a command at a system call: strace's fault injection (strace(1)).

A signal comes as the call is entered, and the kernel then leaves it out: what came before is
done, and nothing else. So the points at which a run can be killed are as many as its changes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from signal import SIGINT, SIGKILL
from subprocess import CompletedProcess

from netfail_hooks.lab import Lab

# sendto is left out: our routes, addresses and announcements go by sendmsg (kernel/netlink.py), and
# what we send otherwise only asks. A question mark: not every architecture has it.
CALLS = (
    "openat,write,writev,pwrite64,ftruncate,fsync,fdatasync,sendmsg,clone,?clone3,?fork,?vfork,"
    "?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,"
    "?mkdir,mkdirat,?rmdir,?chmod,fchmod,fchmodat,?chown,?lchown,fchown,fchownat"
)
_TRACE = "/run/lab/strace"
_LINE = re.compile(r"(\w+)\((.*)\) += (\S+)")
_HURT = re.compile(r"\((INJECTED|DELAYED)\)$", re.MULTILINE)
_CACHE = "__pycache__"  # which Python tries to make, on the lab's read-only file system
_MAKES = re.compile(r"O_CREAT|O_TRUNC")

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """A system call: the ``number``-th of its ``name``, and whether it changed something."""

    name: str
    number: int
    text: str
    changes: bool

    def __str__(self) -> str:
        return f"{self.name} number {self.number} {self.text}"


def check(lab: Lab) -> list[str]:
    """Return the command line by which the timer starts a check."""
    unit = lab.read("/etc/systemd/system/netfail-hooks-check.service")
    return shlex.split(next(one for one in unit.splitlines() if "ExecStart=" in one)[10:])


def trace(lab: Lab, argv: Sequence[str], environment: Environment) -> list[Call]:
    """Run a command to its end; return its calls."""
    done = lab.run(*_strace(), *argv, environment=environment, seconds=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return _calls(lab)


def kill(lab: Lab, argv: Sequence[str], at: Call, environment: Environment) -> int:
    """Run a command until just before a call; return how many changes it had made.

    A run that has to wait less opens less: it may end before the last ``openat`` that it is to
    be killed at.
    """
    how = f"--inject={at.name}:signal=SIGKILL:when={at.number}"
    done = lab.run(*_strace(), how, *argv, environment=environment, seconds=90)
    ended = at.name == "openat" and done.returncode == 0
    assert ended or done.returncode == -SIGKILL, f"not killed at {at}: {done.stdout}{done.stderr}"
    return sum(call.changes for call in _calls(lab))


def interrupt(lab: Lab, argv: Sequence[str], at: Call, environment: Environment) -> None:
    """Run a command that gets a SIGINT, as by Ctrl-C, at a call; it must say so by its status."""
    how = f"--inject={at.name}:signal=SIGINT:when={at.number}"
    done = lab.run(*_strace(), how, *argv, environment=environment, seconds=90)
    assert done.returncode == 128 + SIGINT, f"{at}: {done.stdout}{done.stderr}"


def fail(
    lab: Lab, argv: Sequence[str], inject: str, environment: Environment
) -> CompletedProcess[str]:
    """Run a command with one of its calls failing or late: ``sendmsg:error=ENOBUFS:when=1``."""
    done = lab.run(*_strace("recvfrom"), f"--inject={inject}", *argv, environment=environment)
    # strace says nothing of a call that never came.
    assert _HURT.search(read(lab)), f"nothing was hurt by {inject}: {done.stdout}{done.stderr}"
    return done


def points(calls: Sequence[Call]) -> list[Call]:
    """Return where to kill: a call for each change, before which all earlier ones are made.

    Not the change itself where another call comes just before it that is not an ``openat``:
    there are many of those, and a run that waits for networkd makes more or less of them.
    """
    found: list[Call] = []
    since: list[Call] = []
    for call in calls:
        since.append(call)
        if call.changes:
            steady = [one for one in since if one.name != "openat" and _CACHE not in one.text]
            found.append((steady or [call])[0])
            since.clear()
    return found


def read(lab: Lab) -> str:
    """Return the trace of the command that runs, as far as it is."""
    return lab.read(_TRACE)


def _strace(*more: str) -> list[str]:
    return [
        "strace",
        "--output",
        _TRACE,
        "--string-limit=60",
        "--signal=none",
        f"--trace={','.join([CALLS, *more])}",
    ]


def _calls(lab: Lab) -> list[Call]:
    found: list[Call] = []
    counts: dict[str, int] = {}
    for line in lab.read(_TRACE).splitlines():
        parts = _LINE.match(line)
        if parts:
            name, text, result = parts.groups()
            counts[name] = counts.get(name, 0) + 1
            changes = result[0] not in "-?" and _writes(name, text)
            found.append(Call(name, counts[name], text, changes))
    return found


def _writes(name: str, text: str) -> bool:
    """Tell whether a call that succeeded has changed something."""
    return name != "openat" or (bool(_MAKES.search(text)) and '"/proc/' not in text)
