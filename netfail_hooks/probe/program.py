"""Ask a program of the machine's owner whether an uplink is well: ``exec:/PATH``.

It is told which uplink is meant, and has to ask through that by itself (``curl --interface``).
Exit status 0 is a yes. Only a program that nobody but root can change is run, and only by a check.
In the check's unit it has that unit's sandbox (install/units.py): a read-only file system, no more
capabilities than CAP_NET_ADMIN and CAP_NET_RAW. By hand, as ``netfail-hooks check``, it has none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading

from netfail_hooks.config import Target
from netfail_hooks.files import only_root_can_change
from netfail_hooks.probe.errand import Errand

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REAPED = 0.2  # seconds for a killed one to be gone; one that waits for a disk takes longer


class Program:
    """A program: an errand whose process group can be killed."""

    def __init__(self, target: Target, interface: str, seconds: float) -> None:
        self._target = target
        self._interface = interface
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def errand(self) -> Errand:
        """Return what runs it."""
        return Errand(self._target.name, self._run, self._kill)

    def _run(self) -> None:
        path = self._target.path
        if not only_root_can_change(path):
            told = (
                "not run, others may change it or a directory above: 'sudo chown root' and "
                "'sudo chmod go-w' each of them"
            )
            raise OSError(errno.EPERM, told)
        environment = {
            "PATH": _PATH,
            "NETFAIL_INTERFACE": self._interface,
            "NETFAIL_FAMILY": f"ipv{self._target.family}",
        }
        quiet = subprocess.DEVNULL
        if self._stopped.is_set():
            raise TimeoutError
        self._process = process = subprocess.Popen(
            [path],
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            env=environment,
            cwd="/",
            process_group=0,
        )
        if self._stopped.is_set():  # who stopped us while it was being started found no process
            self._kill()
        try:
            status = process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            self._kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_REAPED)
            raise OSError(errno.ETIME, f"killed after {self._seconds:.1f} s") from None
        if status:
            raise OSError(errno.EPROTO, _told(status))

    def _kill(self) -> None:
        """Kill it with all that it has started."""
        self._stopped.set()
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def program_wire(target: Target, interface: str, seconds: float) -> Errand:
    """Return what runs a program, for so many seconds."""
    return Program(target, interface, seconds).errand()


def _told(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
