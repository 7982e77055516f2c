"""A throw-away machine: private mounts, network and processes that end with their parent.

``unshare`` keeps a first process in new namespaces; it reads from a pipe that only we hold, so
it ends, and the kernel with it kills and unmounts everything inside, however we end. Nothing
lies on the machine's own file system: ``/run``, ``/etc`` and the like are private, and the root
is read-only in there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_text
from netfail_hooks.paths import package_home
from netfail_hooks.process import failure, wait_until

PRIVATE = ("/run", "/var/log", "/var/lib", "/etc")
COPIED = (
    "alternatives",
    "dbus-1",
    "default/networkd-dispatcher",
    "iproute2",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "group",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "protocols",
    "services",
)
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOGS = "/run/lab"

# "$1": the files of /etc to copy, "$2": directories to keep in sight though they lie below a
# private one. A bind mount from a descriptor needs mount(8)'s -c, or it would resolve the name.
# A user namespace owns neither the machine's root mount nor, in a container, a mountable sysfs.
_MOUNTS = """
set -e
lenient() { "$@" 2>/dev/null || [ "$LAB_USER" = 1 ]; }
kept=3
for place in $2; do eval "exec $kept<$place"; kept=$((kept + 1)); done
mount -t tmpfs -o mode=755 lab-run /run
mkdir -p /run/etc /run/tmp /run/lock /run/lab
mount -t tmpfs -o mode=755 lab-etc /run/etc
cd /etc
for file in $1; do
    [ ! -e $file ] || cp -dR --preserve=mode,timestamps,links --parents $file /run/etc/
done
cd /
mount --move /run/etc /etc
rmdir /run/etc
for place in /var/log /var/lib /usr/lib/networkd-dispatcher; do
    [ ! -d $place ] || mount -t tmpfs -o mode=755 lab $place
done
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
mkdir -p /etc/systemd/network
for state in carrier degraded dormant no-carrier off routable; do
    mkdir -p -m 755 /etc/networkd-dispatcher/$state.d
done
kept=3
for place in $2; do
    mkdir -p $place
    mount -c --bind /proc/self/fd/$kept $place
    eval "exec $kept<&-"
    kept=$((kept + 1))
done
lenient mount -t sysfs -o ro lab-sys /sys
lenient mount -o remount,bind,ro /
"""
# What unshare(1) says where there is no user namespace, or one that may do nothing (AppArmor).
_NO_USER = ("unshare failed", "/uid_map", "/setgroups")
_SHOWN = 200  # characters of what failed, its last ones
_STAY = "\necho ready\nexec cat >/dev/null\n"


class Namespaces:
    """The namespaces, from construction until :meth:`close`.

    ``script`` is shell, run inside as root once the mounts are private. ``user`` makes a user
    namespace too, which is how somebody without privileges gets one. Raises Problem.
    """

    def __init__(self, script: str, *, user: bool) -> None:
        self.user = user
        flags = ["--user", "--map-root-user"] if user else []
        self._process = subprocess.Popen(
            [
                "unshare",
                *flags,
                "--mount",
                "--uts",  # DHCP clients set the host's name
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                _MOUNTS + script + _STAY,
                "sh",
                " ".join(COPIED),
                " ".join(_hidden()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment({"LAB_USER": str(int(user))}),
            text=True,
            start_new_session=True,  # Ctrl-C is for the one who then closes us
        )
        assert self._process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        if self._process.stdout.readline() != "ready\n":
            _, output = self._process.communicate()
            raise _refused(" ".join(output.split()), user=user)
        self.pid = self._process.pid

    @property
    def root(self) -> str:
        """Return where its files are seen from outside (proc(5), ``/proc/pid/root``)."""
        return f"/proc/{self.pid}/root"

    def command(self, argv: Sequence[str], netns: str = "") -> list[str]:
        """Return the command line that runs ``argv`` inside, in the named network if any.

        Each namespace by its file, that of the user among them: of several by a process nsenter(1)
        from util-linux 2.41 on enters those first, which takes the rights that the user's gives.
        """
        spaces = f"/proc/{self.pid}/ns"
        user = [f"--user={spaces}/user", "--preserve-credentials"] if self.user else []
        pid = f"--pid={spaces}/pid_for_children"  # the process itself stayed outside
        inner = ["ip", "netns", "exec", netns] if netns else []
        return [
            "nsenter",
            *user,
            f"--mount={spaces}/mnt",
            f"--uts={spaces}/uts",
            f"--net={spaces}/net",
            pid,
            "--",
            *inner,
            *argv,
        ]

    def run(
        self,
        argv: Sequence[str],
        *,
        netns: str = "",
        seconds: float = 120,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` inside to its end, killed after ``seconds`` (status 124 or 137)."""
        limited = ["timeout", "--kill-after=1", str(seconds), *argv]
        return subprocess.run(
            self.command(limited, netns),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=_environment(environment or {}),
        )

    def change(self, script: str) -> None:
        """Run shell inside that must end well. Raises Problem with what it said last."""
        done = self.run(["sh", "-ec", script])
        if done.returncode:
            raise Problem(f"lab: {' '.join(script.split())[-_SHOWN:]}: {failure(done)}")

    def popen(
        self,
        argv: Sequence[str],
        *,
        netns: str = "",
        output: int | IO[bytes] = subprocess.PIPE,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` inside, with pipes; a kill reaches only ``nsenter``, so tell it to end."""
        return subprocess.Popen(
            self.command(argv, netns),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if output == subprocess.PIPE else subprocess.STDOUT,
            env=_environment(environment or {}),
        )

    def close(self) -> None:
        """End everything inside and wait until it is gone."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process.wait()


class Daemon:
    """A long-running program inside, its output kept in a log inside."""

    def __init__(
        self,
        namespaces: Namespaces,
        name: str,
        argv: Sequence[str],
        *,
        netns: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._namespaces = namespaces
        self._pid = f"{LOGS}/{name}.pid"
        with open(f"{namespaces.root}{LOGS}/{name}.log", "ab") as log:
            self._process = namespaces.popen(
                ["sh", "-c", 'echo $$ >"$1"; shift; exec "$@"', "sh", self._pid, *argv],
                netns=netns,
                output=log,
                environment=environment,
            )

    def log(self) -> str:
        """Return what it said so far, earlier runs included."""
        path = f"{self._namespaces.root}{LOGS}/{self.name}.log"
        return read_text(path, limit=-1, errors="replace")

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it as its service manager would, and wait."""
        pid = read_text(self._namespaces.root + self._pid).strip()
        # The shell's own: kill(1) is a package of its own on Debian (procps).
        self._namespaces.run(["sh", "-c", f"kill {pid}"])
        self.release()

    def freeze(self) -> None:
        """Stop it (signal(7), SIGSTOP): it is there, and does nothing.

        At once, with nothing started for it: whoever waits for a moment means that moment. It is
        the one child of nsenter(1), told with its parent (proc_pid_task(5), ``children``).
        """
        nsenter = self._process.pid
        (pid,) = read_text(f"/proc/{nsenter}/task/{nsenter}/children").split()
        os.kill(int(pid), signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on; nsenter(1) has stopped with it, and lets it go on as it does itself."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as the kernel's out-of-memory killer would."""
        pid = read_text(self._namespaces.root + self._pid).strip()
        self._namespaces.change(f"kill -KILL {pid}")

    def release(self) -> None:
        """Wait for its end, which something else has brought about."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def until(true: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Return once ``true()`` holds. Raises Problem after ``seconds``, naming ``what``."""
    try:
        wait_until(true, seconds, what, step=0.005)
    except Problem as problem:
        raise Problem(f"lab: {problem}") from None


def missing(programs: Mapping[str, str]) -> list[str]:
    """Return the packages of those programs (name or path, and package) that are not there."""
    return sorted(
        {
            package
            for program, package in programs.items()
            if shutil.which(program, path=SEARCH) is None
        }
    )


def _hidden() -> list[str]:
    """Return the directories that we run from and that the private mounts would hide."""
    wanted = {sys.prefix, sys.base_prefix, package_home()}
    return sorted(place for place in wanted if place.startswith(tuple(f"{p}/" for p in PRIVATE)))


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": SEARCH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": "/run/tmp",
        **more,
    }


def _refused(why: str, *, user: bool) -> Problem:
    if "not permitted" not in why and "denied" not in why:
        return Problem(f"lab: could not be built: {why}")
    hint = "root without CAP_SYS_ADMIN, as in a container; run it on a machine or a VM"
    if user and any(word in why for word in _NO_USER):
        hint = "this kernel forbids user namespaces to ordinary users; run it with sudo"
    elif user:  # there is a user namespace, and something in it was refused
        hint = "run it with sudo; in a container, on a machine or a VM"
    return NotPermitted(f"lab: {why}", hint=hint)
