"""A lab's host booted by systemd: real units, timers and journal, on the lab's own network.

systemd is the first process of one more namespace inside, so its own tools, and install, find
everything as on a machine. udev and what belongs to hardware is left out. It writes to /tmp
(PrivateDevices= needs that), which is the machine's own: so that gets a layer above it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

import pytest

from netfail_hooks import lab as sandbox
from netfail_hooks.files import read_text
from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from tests.lab.suite import used, wait, wait_used

_MASKED = (
    "systemd-udevd.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-udev-trigger.service",
    "systemd-logind.service",
    "systemd-timesyncd.service",
    "systemd-resolved.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-pstore.service",
    "systemd-tmpfiles-setup.service",
    "systemd-random-seed.service",
    "systemd-binfmt.service",
    "systemd-remount-fs.service",
    "systemd-update-utmp.service",
    "kmod-static-nodes.service",
    "systemd-networkd-wait-online.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "proc-sys-fs-binfmt_misc.automount",
)
# What makes units of files that nobody has in here, anew at each reload: fstab(5), /etc/rc.local,
# partitions, consoles (systemd.generator(7) tells how one is left out).
_GENERATORS = "/usr/lib/systemd/system-generators"
_TARGET = """\
[Unit]
Requires=basic.target
Wants=dbus.service systemd-journald.service timers.target
AllowIsolate=yes
"""
_JOURNAL = """\
[Journal]
Storage=volatile
ReadKMsg=no
"""
# A subtree of its own: in the machine's, systemd would find, and kill, another lab's processes.
_BOOT = """
set -e
mount -t cgroup2 none /sys/fs/cgroup
mkdir /sys/fs/cgroup/"$1"
echo 0 >/sys/fs/cgroup/"$1"/cgroup.procs
umount /sys/fs/cgroup
mkdir -p /run/above /run/work
mount -t overlay -o lowerdir=/tmp,upperdir=/run/above,workdir=/run/work above /tmp
exec unshare --cgroup sh -ec 'mount -t cgroup2 none /sys/fs/cgroup
exec env -i PATH="$PATH" container=lxc /usr/lib/systemd/systemd --system --unit=lab.target \
    --log-target=journal-or-kmsg --show-status=no'
"""


class Booted(Lab):
    """A lab whose network manager is started by systemd, as a machine's is."""

    def __enter__(self) -> Self:
        """Boot, within a minute."""
        self.write("/etc/systemd/system/lab.target", _TARGET)
        self.write("/etc/systemd/journald.conf.d/lab.conf", _JOURNAL)
        self._mask("/etc/systemd/system", _MASKED)
        self._mask("/etc/systemd/system-generators", os.listdir(_GENERATORS))
        with open(f"{self.root}/run/lab/systemd.log", "wb") as log:
            self._cgroup = f"netfail-lab-{uuid.uuid4().hex}"
            self._systemd = self.namespaces.popen(
                [
                    "unshare",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--mount",
                    "--cgroup",
                    "--mount-proc",
                    "sh",
                    "-c",
                    _BOOT,
                    "sh",
                    self._cgroup,
                ],
                output=log,
            )
        self._move_in()
        asked = ("systemctl", "is-active", "--quiet", "lab.target")
        wait(lambda: self.run(*asked).returncode == 0, "booted systemd", seconds=60)
        return self

    def _mask(self, directory: str, names: Iterable[str]) -> None:
        os.makedirs(self.root + directory, exist_ok=True)
        for name in names:
            with contextlib.suppress(FileExistsError):
                os.symlink("/dev/null", f"{self.root}{directory}/{name}")

    def _move_in(self) -> None:
        """Have every further command run beside systemd: it answers nobody it cannot see.

        That is below ``nsenter`` and ``unshare``, each of which forks for its process namespace.
        """
        pid = self._systemd.pid
        wait(lambda: _name(_last_below(pid)) == "systemd", "systemd")
        self.namespaces.pid = _last_below(pid)

    def close(self) -> None:
        """End it all."""
        super().close()
        if self._systemd.stdin is not None:
            self._systemd.stdin.close()
        self._systemd.wait()
        _remove_cgroup(self._cgroup)

    def install(self, settings: str = "", of_each: Mapping[str, str] | None = None) -> None:
        """Install by a config: its settings, then the uplinks in their order, each with its own.

        Return once the first of them has the traffic.
        """
        first, *others = self.ports
        own = of_each or {}
        uplinks = (f'[[uplink]]\ninterface = "{name}"\n{own.get(name, "")}' for name in self.ports)
        self.write("/etc/netfail-hooks/config.toml", settings + "".join(uplinks))
        backups = [word for name in others for word in ("--backup", name)]
        done = self.netfail("install", "--primary", first, *backups, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        wait_used(self, first)

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run systemctl; it must end well."""
        done = self.run("systemctl", *words)
        assert done.returncode == 0, f"{words}: {done.stderr}{self.journal()[-20:]}"
        return done

    def journal(self, *words: str) -> list[str]:
        """Return journal entries, the text alone."""
        shown = self.run("journalctl", "--no-pager", "--output=cat", "--quiet", *words)
        return shown.stdout.splitlines()


def _remove_cgroup(name: str) -> None:
    """Remove what is left of a lab's control groups: directories, the innermost first."""
    mounts = [line.split() for line in read_text("/proc/self/mounts", limit=-1).splitlines()]
    top = next(where for _, where, kind, *_ in mounts if kind == "cgroup2")
    own = next(
        line[3:] for line in read_text("/proc/self/cgroup").splitlines() if line.startswith("0::")
    )
    for place, _, _ in os.walk(f"{top}{own}/{name}", topdown=False):
        with contextlib.suppress(OSError):  # somebody is still on the way out
            os.rmdir(place)


def _last_below(pid: int) -> int:
    """Return the last of a chain of only children (proc(5), ``/proc/pid/task/tid/children``)."""
    below = read_text(f"/proc/{pid}/task/{pid}/children").split()
    return _last_below(int(below[0])) if below and _name(pid) != "systemd" else pid


def _name(pid: int) -> str:
    return read_text(f"/proc/{pid}/comm").strip()


@contextlib.contextmanager
def running(*, ipv6: bool = False, dispatcher: bool = True) -> Iterator[Booted]:
    """Yield one that networkd runs by the how-to's files, with a way out, ours not installed.

    With ``ipv6`` its uplinks have static addresses of that family, too.
    """
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with Booted() as lab:
        start_networkd(lab, ipv6=ipv6, dispatcher=dispatcher)
        yield lab


def start_networkd(lab: Booted, *, ipv6: bool = False, dispatcher: bool = True) -> None:
    """Start networkd by the how-to's files; return once there is a way out."""
    files = lab.howto_files()
    for port in lab.ports.values() if ipv6 else ():
        six = f"Address={port.host6}/64\nGateway={gateway6(port.segment)}\n"
        files[f"/etc/systemd/network/20-{port.name}.network"] += six
    lab.write_files(files)
    lab.systemctl("enable", "--now", "systemd-networkd.service")
    if dispatcher:
        lab.systemctl("enable", "networkd-dispatcher.service")
    wait(lambda: used(lab) != "", "a way out")
