"""systemd-resolved on a lab's host, and a name server of the LAN's for it to ask."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from netfail_hooks.lab import Lab
from netfail_hooks.lab.namespaces import Daemon, until
from tests.support import packages

_DAEMON = "lib/systemd/systemd-resolved"
_POLICY = "usr/share/dbus-1/system.d/org.freedesktop.resolve1.conf"
_USER = "systemd-resolve"


@contextlib.contextmanager
def running(lab: Lab) -> Iterator[None]:
    """Run it meanwhile on a host whose networkd runs already, as Debian's unit does."""
    tree = _tree()
    for file, line in {"passwd": ":x:990:990::/:/usr/sbin/nologin", "group": ":x:990:"}.items():
        if f"{_USER}:" not in lab.read(f"/etc/{file}"):
            lab.write(f"/etc/{file}", f"{lab.read(f'/etc/{file}')}{_USER}{line}\n")
    lab.write("/etc/dbus-1/system.d/resolved.conf", (tree / _POLICY).read_text(encoding="utf-8"))
    script = f"mkdir -p /run/systemd/resolve; chown {_USER}: /run/systemd/resolve; {_RELOAD}"
    assert lab.run("sh", "-ec", script).returncode == 0
    environment = {"SYSTEMD_LOG_TARGET": "console"}
    daemon = Daemon(lab.namespaces, "resolved", [str(tree / _DAEMON)], environment=environment)
    try:
        until(lambda: query(lab, "status") is not None, "systemd-resolved")
        yield
    finally:
        daemon.stop()


def query(lab: Lab, *arguments: str) -> str | None:
    """Return what resolvectl says, None where it fails."""
    done = lab.run(str(_tree() / "usr/bin/resolvectl"), *arguments)
    return done.stdout if done.returncode == 0 else None


@contextlib.contextmanager
def serving(lab: Lab, domain: str, address: str) -> Iterator[None]:
    """Let all routers' addresses answer meanwhile for a domain's names, by one name server."""
    argv = [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-hosts",
        "--no-resolv",
        "--bind-dynamic",
        "--user=root",
        "--pid-file=",
        f"--address=/{domain}/{address}",
    ]
    daemon = Daemon(lab.namespaces, "names", argv, netns="lan")
    try:
        yield
    finally:
        daemon.stop()


_RELOAD = "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig"


def _tree() -> Path:
    """Return where it is installed: here, or aside as Debian's package of this machine's suite.

    To install that package would take over the machine's own resolv.conf.
    """
    if os.path.exists(f"/usr/{_DAEMON}") and shutil.which("resolvectl"):
        return Path("/")
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    return packages.fetched("resolved", suite, ("systemd-resolved",))
